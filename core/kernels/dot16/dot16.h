/*
 * dot16.h: convolutions of fp16 as products of 16-bit integers with exact 32-bit sums: twice the rate of fp32
 * where there is VNNI, with less error than rounding the result to fp16 makes. Channels are cut into blocks,
 * each of which shares a scale (block floating point): a block of the input, over a region of positions, has
 * the scale that its content allows; a row of weights has one that was chosen when it was packed. Sums are
 * taken in groups: some elements of the kernel times the channels of a block, at most MLS_DOT16_GROUP terms.
 * They cannot overflow, by the inequality of Cauchy and Schwarz: no group of a row is longer than
 * MLS_DOT16_ROW_NORM, and what it is multiplied by no longer than MLS_DOT16_COLUMN_NORM.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

enum {
    MLS_DOT16_LANES = 16,
    MLS_DOT16_ROWS = 8,    /* computed together */
    MLS_DOT16_VECTORS = 4, /* of a panel at most */
    MLS_DOT16_BLOCK = 64,  /* channels of a block at most */
    MLS_DOT16_GROUP = 128, /* terms of a group at most */
    MLS_DOT16_MAX = 32767,
    MLS_DOT16_ROW_NORM = 32700, /* 16 below what the rounding of MLS_DOT16_GROUP terms may add */
    MLS_DOT16_COLUMN_NORM = 65400
};

/* How the terms of a sum are cut up: channels into equal blocks, filled up with zeros to pairs. */
struct mls_dot16_cut {
    size_t channels, elements; /* of the kernel */
    size_t n_blocks;
    size_t n_pairs;        /* of a block */
    size_t group_elements; /* of the kernel, taken together */
};

/* mls_dot16_cut_of: from counts that are not zero. */
struct mls_dot16_cut mls_dot16_cut_of(size_t channels, size_t elements);

/* mls_dot16_row_pairs: pairs of a row of weights. */
static inline size_t mls_dot16_row_pairs(const struct mls_dot16_cut *cut)
{
    return cut->n_blocks * cut->n_pairs * cut->elements;
}

/* ---- the input: a block of channels of a region ---------------------------------------------------------
 */

/* Neighbouring positions that lie over one row of each plane. */
struct mls_dot16_line {
    ptrdiff_t at;      /* element of the plane under lane 0; lanes that exist lie in the plane */
    size_t first, end; /* lanes that exist; the others are padding */
    size_t to;         /* position of lane 0 */
};

struct mls_dot16_block {
    const uint16_t *planes[MLS_DOT16_BLOCK]; /* fp16; NULL: all padding */
    size_t n_planes;
    const float *scales;                /* of each plane: a power of two */
    const struct mls_dot16_line *lines; /* in ascending positions */
    size_t n_lines;
    size_t width; /* lanes of a line; those of a vector may be written past the last */
    size_t step;  /* elements from one lane to the next */
};

/* mls_dot16_scale: the factor that makes good use of 16 bits for a block whose greatest sum of squares of a
 * position is `square`; 0 for zeros. */
float mls_dot16_scale(float square, const struct mls_dot16_cut *cut);

/* ---- products -------------------------------------------------------------------------------------------
 */

/* Where a vector of results goes: those of its lanes that are results are neighbours in y. */
struct mls_dot16_place {
    size_t at; /* in a row of y */
    uint16_t lanes;
};

/*
 * Where sums go: y = clamp(sums * row_scale + bias), rounded to fp16; or, where there is `added`, the clamped sum of that,
 * rounded, and `added`.
 */
struct mls_dot16_results {
    size_t n_rows;  /* that exist: MLS_DOT16_ROWS are computed together */
    size_t vectors; /* of positions */
    const struct mls_dot16_place *places; /* of each vector */
    const float *row_scales;
    const float *bias;
    float low, high; /* -infinity and infinity: no clamp */
    uint16_t *y;
    size_t y_stride;
    const uint16_t *added; /* with y's stride; or NULL */
};

/* mls_dot16_store: one sum of a row into element `at` of the row of y. */
void mls_dot16_store(const struct mls_dot16_results *to, size_t row, size_t at, float sum);

/* A panel of results: some rows of weights by some vectors of positions, over one group of terms. */
struct mls_dot16_panel {
    const int16_t *a; /* [MLS_DOT16_ROWS of rows][element][pair][row][2] */
    size_t a_stride;  /* integers from MLS_DOT16_ROWS rows to the next */
    const int16_t *b; /* [pair][position][2] */
    size_t n_elements, n_pairs;
    const size_t *offsets; /* of each element: positions from b on */
    size_t b_stride;       /* positions from one pair to the next */
    float scale; /* of a unit of the products, apart from the row's */
    bool first;  /* group of the sums */
    bool last;
    float *sums; /* [row][vectors * lanes] of the groups so far */
    struct mls_dot16_results results; /* of the last group */
};

struct mls_dot16_kernels {
    const char *name_conv; /* for reports */
    const char *name_pointwise;
    /* The greatest sum of squares of the scaled values of a position; not finite where a value is not. sums:
     * scratch, a float for each position and a vector more. */
    float (*measure)(const struct mls_dot16_block *block, float *sums);
    /* ret[pair][stride][2]: the rounded multiples at the lines' positions; zeros for padding. */
    void (*quantize)(const struct mls_dot16_block *block, float scale, size_t stride, int16_t *ret);
    void (*multiply)(const struct mls_dot16_panel *panel);
};

/* ---- weights: packed once -------------------------------------------------------------------------------
 */

struct mls_dot16_matrix {
    size_t m;
    struct mls_dot16_cut cut;
    float *plane_scales; /* [blocks * pairs * 2]: for the input; the weights are divided by them, so that no
                            channel is lost beside others */
    float *row_scales;   /* [m rounded up]: of the sums */
    int16_t *panels;     /* [row tile][block][element][pair][row][2] */
};

/* mls_dot16_rows: rounded up m. */
static inline size_t mls_dot16_rows(size_t m)
{
    return (m + MLS_DOT16_ROWS - 1) / MLS_DOT16_ROWS * MLS_DOT16_ROWS;
}

/*
 * mls_dot16_pack: fills the arrays of `ret`, whose m and cut are set, from weights [m][channels][elements].
 * `scratch` holds 2 * mls_dot16_row_pairs() floats. False when a weight is not finite or so large that fp32
 * sums might overflow: then the product cannot be made of integers.
 */
bool mls_dot16_pack(const float *weights, float *scratch, struct mls_dot16_matrix *ret);

/* mls_dot16_pack_scales, then mls_dot16_pack_panel for each MLS_DOT16_ROWS of mls_dot16_rows(m), in any order: the same, for
 * several threads. */
bool mls_dot16_pack_scales(const float *weights, struct mls_dot16_matrix *ret);
void mls_dot16_pack_panel(const float *weights, size_t panel, float *scratch, struct mls_dot16_matrix *ret);
