/*
 * panels.h: weights in the layout that products of few rows read: still compressed, but sixteen rows side by
 * side, so that lanes are rows, every byte is read once and in order, and nothing is added across lanes.
 *
 * A panel is a sequence of steps of MLS_PANEL_STEP_BYTES (TABLE6: three times as many), a step some terms of
 * the sixteen rows. Blocks of terms that share a scale begin at whole steps; what fills a block up are codes
 * that meet zeros.
 *
 * | form   | terms of a step | step                                                                          |
 * | FP16   | 2  | [term][row] fp16                                                                          |
 * | INT8   | 4  | [row][term] bytes, each the code plus `base`                                               |
 * | INT4   | 8  | [row][4] bytes: terms 0 to 3 in the low halves, 4 to 7 in the high ones, plus `base`       |
 * | TABLEb | 32 / b | [row] words of 32 bits, the first term in the lowest bits; b from 1 to 4                  |
 * | TABLE6 | 16 | three planes of [2][row] words of 16 bits: term 2 j + h is in bits 6 j … 6 j + 5 of the 48 of [h] |
 * | TABLE8 | 4  | [2][row] words of 16 bits: term 2 j + h is byte j of [h]                                   |
 *
 * Wide panels (tables that fewer than sixteen rows share) are single rows: in place of sixteen rows there are
 * sixteen neighbouring terms.
 *
 * SPARSE16 has no steps: for each term a mask of the rows that are not zero, 16 bits, and apart from them their values, fp16.
 */
#pragma once

#include "core/status.h"
#include "kernels/coded/coded.h"

enum { MLS_PANEL_ROWS = 16, MLS_PANEL_STEP_BYTES = 64, MLS_PANEL_TABLE = 16, MLS_PANEL_SLACK = 32 };

#define MLS_PANEL_FORM_LIST(X) \
    X(FP16, fp16, 2)           \
    X(INT8, int8, 4)           \
    X(INT4, int4, 8)           \
    X(TABLE1, table1, 32)      \
    X(TABLE2, table2, 16)      \
    X(TABLE3, table3, 10)      \
    X(TABLE4, table4, 8)       \
    X(TABLE6, table6, 16)      \
    X(TABLE8, table8, 4)       \
    X(SPARSE16, sparse16, 1)
enum mls_panel_form {
#define X(id, name, terms) MLS_PANEL_##id,
    MLS_PANEL_FORM_LIST(X)
#undef X
        MLS_PANEL_FORM_COUNT
};

struct mls_panels {
    enum mls_panel_form form;
    bool wide;
    size_t n, k;           /* of the dense matrix [n][k] */
    size_t rows, terms;    /* of codes: n and k, or fewer by n_vector */
    size_t n_panels;       /* of the codes */
    size_t panel_bytes;    /* of one; of SPARSE16, of its masks */
    size_t n_blocks;       /* of terms that share a scale */
    size_t block;          /* terms of one */
    size_t block_terms;    /* the same, filled up to whole steps */
    unsigned zero_code;    /* TABLEb of a matrix with a mask: the code of what is left out; or 0 */
    int base;              /* INT4, INT8: what was added to codes to make them unsigned */
    size_t n_vector;       /* tables whose sums are results of their own (vector_rows), or are added */
    bool vector_rows;
    const uint8_t *codes;  /* [panel][panel_bytes]; followed by MLS_PANEL_SLACK bytes */
    const uint8_t *values; /* SPARSE16: of all panels; followed by MLS_PANEL_SLACK bytes */
    const size_t *starts;  /* SPARSE16: [panel], where its values begin */
    /* TABLEb, INT4: [table][n_vector][entries], as fp32, and for TABLE6 and TABLE8 as fp16. */
    const float *tables;
    const uint16_t *half_tables;
    size_t n_entries; /* 16, 64 or 256 */
    size_t panels_per_table;
    const uint16_t *scales;  /* fp16 [n_vector, if vector_rows][panel][block][MLS_PANEL_ROWS]; wide: [row]; or NULL */
    const uint16_t *offsets; /* fp16, the same, subtracted from codes before scaling; or NULL */
    size_t bytes;            /* of all this */
};

/*
 * mls_panels_plan: sizes and form of the panels of a matrix, or of its transpose; false when there is no form
 * that takes it. Arrays are NULL.
 */
bool mls_panels_plan(const struct mls_coded *coded, bool transposed, struct mls_panels *ret);

/*
 * mls_panels_pack: allocates (from `arena`) and fills the arrays of planned panels. MLS_ERR_MEMORY when out of memory;
 * MLS_ERR_UNSUPPORTED when a scale or a table's entry is not finite, which zeros that fill up would not hide.
 */
struct mls_arena;
enum mls_status mls_panels_pack(const struct mls_kernels *kernels, struct mls_pool *pool,
                                const struct mls_coded *coded, bool transposed, struct mls_arena *arena,
                                struct mls_panels *panels);

/* mls_panel_terms: of one step. */
size_t mls_panel_terms(enum mls_panel_form form);

/* mls_panel_step_bytes: of one step. */
size_t mls_panel_step_bytes(enum mls_panel_form form);
