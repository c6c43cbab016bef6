/*
 * dot8.h: products of 8-bit integers with exact 32-bit sums: what a program means that quantizes the inputs of linear and conv,
 * and their weights, to 8 bits. Inputs are unsigned bytes (signed ones 128 higher), weights signed ones; four neighbouring terms
 * are multiplied and added in each lane of one instruction where the processor has VNNI. With zero points z of inputs and y of
 * weights, a sum of (u - z) (w - y) is that of u w, plus a number for each row of weights that is known when they are packed
 * (`starts`), less y times the sum of u, which is needed only where some y is not 0.
 *
 * Sums of at most MLS_DOT8_TERMS terms cannot overflow; what is added up on the way may wrap around.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/coded/coded.h"
#include "kernels/dot16/dot16.h"

enum {
    MLS_DOT8_TERMS = 33024,  /* 255 * 255 * so many < 2^31 */
    MLS_DOT8_FOUR = 4,       /* terms of a word */
    MLS_DOT8_CHANNELS = 256, /* of a block at most */
    MLS_DOT8_GROUP = 64,     /* words of a group at most */
    MLS_DOT8_ROWS = 8,       /* of a tile */
    MLS_DOT8_VECTORS = 3,    /* of 16 columns, of a tile */
    MLS_DOT8_PANEL = MLS_DOT8_VECTORS * MLS_DOT16_LANES
};

/* How numbers become bytes: saturated round(x / scale) + zero, ties to even; NaN becomes zero. */
struct mls_dot8_rounding {
    float scale;   /* positive and normal */
    float inverse; /* 1 / scale */
    int32_t zero;  /* 0 to 255 */
};

/* mls_dot8_round: of a scale and zero point of quantize, to int8 or uint8. */
struct mls_dot8_rounding mls_dot8_round(float scale, int32_t zero_point, bool is_signed);

/*
 * mls_dot8_suits: whether these weights, [n] rows of `terms` each (or, transposed, columns), can be multiplied so: integers with
 * one scale and integral offset for each row.
 */
bool mls_dot8_suits(const struct mls_coded *coded, bool transposed, size_t terms);

/* ---- convolutions: dot16.h has the cut (with words of four channels for pairs), lines and places ---- */

/* mls_dot8_cut_of: from counts that are not zero; n_pairs are words. */
struct mls_dot16_cut mls_dot8_cut_of(size_t channels, size_t elements);

/* A block of channels of a region. */
struct mls_dot8_block {
    const uint16_t *planes[MLS_DOT8_CHANNELS]; /* fp16; NULL: all padding */
    size_t n_planes;                           /* a multiple of four */
    const struct mls_dot16_line *lines;
    size_t n_lines;
    size_t width; /* lanes of a line; those of a vector may be written past the last */
    size_t step;
};

struct mls_dot8_panel {
    const int8_t *a;  /* [MLS_DOT16_ROWS of rows][element][word][row][4] */
    size_t a_stride;  /* bytes from MLS_DOT16_ROWS rows to the next */
    const uint8_t *b; /* [word][position][4] */
    size_t n_elements, n_words;
    const size_t *offsets; /* of each element: positions from b on */
    size_t b_stride;       /* positions from one word to the next */
    bool first, last;      /* group of the sums */
    int32_t *sums;         /* [row, filled up to MLS_DOT16_ROWS][vectors * lanes] of the groups so far */
    const int32_t *starts; /* [row] */
    const int32_t *zeros;  /* [row]: zero points of the weights, or NULL: all are 0; then the next two are not used */
    const int8_t *ones;    /* [element][word][4]: 1 for each channel that exists */
    int32_t *inputs;       /* [vectors * lanes]: sums of the inputs of the groups so far */
    struct mls_dot16_results results; /* of the last group */
};

/* ---- products of matrices: y[m][n] ---- */

struct mls_dot8_tile {
    size_t n_rows;    /* 1 to MLS_DOT8_ROWS */
    size_t vectors;   /* 1 to MLS_DOT8_VECTORS */
    size_t n_words;   /* of a sum */
    const uint8_t *a; /* rows of words */
    size_t a_stride;  /* bytes */
    const int8_t *b;  /* [word][vectors * lanes][4] */
    const int32_t *starts, *zeros; /* [column]; zeros: or NULL */
    const int32_t *inputs;         /* [row]: sums of the inputs, with zeros only */
    const float *scales, *bias;    /* [column] */
    uint16_t *y;
    size_t y_stride;
    size_t n_cols; /* that exist: more than (vectors - 1) * lanes */
};

struct mls_dot8_kernels {
    const char *name_conv; /* for reports */
    const char *name_pointwise;
    const char *name_product;
    /* ret[word][stride][4]: the bytes at the lines' positions; for padding, those of 0. */
    void (*quantize)(const struct mls_dot8_block *block, const struct mls_dot8_rounding *rounding, size_t stride, uint8_t *ret);
    void (*multiply)(const struct mls_dot8_panel *panel);
    /* n neighbouring values as bytes, filled up with those of 0 to whole words. */
    void (*line)(const uint16_t *x, size_t n, const struct mls_dot8_rounding *rounding, uint8_t *ret);
    void (*tile)(const struct mls_dot8_tile *tile);
};

/* ---- weights: packed once ---- */

/* A group of a convolution's weights. Scales are those of the results: the input's scale times the row's. */
struct mls_dot8_matrix {
    size_t m;
    struct mls_dot16_cut cut;
    float *row_scales; /* [m rounded up to MLS_DOT16_ROWS], as the next two */
    int32_t *starts;
    int32_t *zeros; /* NULL: all are 0 */
    int8_t *ones;
    int8_t *panels;
};

/* mls_dot8_matrix_allocate: the arrays of a matrix whose m and cut are set; false when out of memory. */
struct mls_arena;
bool mls_dot8_matrix_allocate(struct mls_arena *arena, const struct mls_coded *coded, struct mls_dot8_matrix *matrix);

/*
 * mls_dot8_pack_rows: fills MLS_DOT16_ROWS rows from `panel` times so many on, of which row r is row first_row + r of `coded`.
 * `codes` takes the codes of a row.
 */
void mls_dot8_pack_rows(const struct mls_coded *coded, size_t first_row, const struct mls_dot8_rounding *rounding, size_t panel,
                        uint8_t *codes, struct mls_dot8_matrix *matrix);

/* The weights of a product: k terms, n columns. */
struct mls_dot8_columns {
    size_t n, k;
    struct mls_dot8_rounding rounding;
    float *scales; /* [n rounded up to MLS_DOT16_LANES], as the next three */
    float *bias;
    int32_t *starts;
    int32_t *zeros; /* NULL: all are 0 */
    int8_t *panels; /* [panel][word][columns, at most MLS_DOT8_PANEL][4] */
};

/*
 * mls_dot8_columns_pack: allocates and fills everything but n, k, rounding, which are set, and bias, which is zeroed. Transposed:
 * weights [k][n] instead of [n][k]. False when out of memory.
 */
bool mls_dot8_columns_pack(struct mls_pool *pool, const struct mls_coded *coded, bool transposed, struct mls_arena *arena,
                           struct mls_dot8_columns *ret, size_t *ret_bytes);

/* mls_dot8_product: y = x W + bias, both of fp16 without gaps, by m rows. */
struct mls_dot8_product {
    size_t m;
    const uint16_t *x;
    const struct mls_dot8_columns *weights;
    uint16_t *y;
    const struct mls_epilogue *epilogue; /* or NULL */
};
size_t mls_dot8_product_scratch_bytes(const struct mls_dot8_product *product);
void mls_dot8_product_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_dot8_product *product,
                          void *scratch);
