/*
 * matvec.h: products of a few rows with weights that are read once, in panels, still compressed (panels.h). Such a
 * product takes as long as its weights take to be read, so they are decoded in registers; what they are decoded to
 * is exact. Sums are fp32, in an order that depends on the weights' form and shape only.
 *
 * Where the processor multiplies bytes (VNNI), integers meet the rows of fp16 products in fixed point instead: the
 * values of a span of at most MLS_MATVEC_SPAN terms become 16-bit integers beside the largest of them, in two
 * signed bytes, and sums over a span are exact. Rows that hold infinities or NaN, and exact products, do without.
 */
#pragma once

#include "base/pool.h"
#include "core/dtype.h"
#include "kernels/epilogue.h"
#include "kernels/matvec/panels.h"

/* Rows of x whose sums are made in one pass over the weights; panels that are read side by side. */
enum { MLS_MATVEC_ROWS = 4, MLS_MATVEC_PANELS = 4, MLS_MATVEC_SPAN = 128 };

/* Some panels, one beside the other, and the rows of x. Panels share a table. */
struct mls_matvec_part {
    const struct mls_panels *weights;
    size_t n_panels; /* 1 or MLS_MATVEC_PANELS */
    const uint8_t *codes;
    const uint8_t *values[MLS_MATVEC_PANELS]; /* SPARSE16 */
    const float *table;
    const uint16_t *half_table;
    const uint16_t *scales, *offsets; /* of the first panel; not of wide ones */
    /* x: [row][block_terms of each block], x_stride apart; wide: every term sixteen neighbours. */
    const float *x;
    size_t x_stride;
    const float *block_sums; /* of x: [row][block]; where there are offsets */
    /* The same in fixed point. */
    const int8_t *high, *low; /* x = scale of the span * (256 high + low); x_stride apart */
    const float *span_scales; /* [row][span] */
    const int32_t *span_sums; /* of 256 high + low */
};

/* ret[row][panel][lane]: sums, times scales. */
typedef void mls_matvec_kernel(const struct mls_matvec_part *part, float *ret);

/*
 * n terms of x, one span, as integers, with their scale and sum; false when one is not finite. n is a multiple of
 * 4.
 */
typedef bool mls_matvec_span(const float *x, size_t n, int8_t *ret_high, int8_t *ret_low, float *ret_scale,
                             int32_t *ret_sum);

struct mls_matvec_kernels {
    const char *names[MLS_PANEL_FORM_COUNT]; /* by form, for reports */
    const char *fixed_names[MLS_PANEL_FORM_COUNT];
    mls_matvec_kernel *dot[MLS_PANEL_FORM_COUNT][MLS_MATVEC_ROWS]; /* [form][rows of x - 1] */
    /*
     * Picoseconds that one row of x takes for each weight on one core, with weights that come from memory, as
     * tests/bench/panel_costs.sh measures them: they say which form is faster, not what it will take elsewhere.
     */
    uint16_t costs[MLS_PANEL_FORM_COUNT];
    /* Integers by fixed point; `pays`: they are faster so. */
    bool pays;
    mls_matvec_span *span;
    mls_matvec_kernel *fixed[MLS_PANEL_FORM_COUNT][MLS_MATVEC_ROWS]; /* INT4, INT8 */
};

struct mls_matvec {
    size_t m;
    const void *x; /* [m][k], or columns: [k][m] */
    bool columns;  /* of x and y; then m is at most MLS_MATVEC_ROWS */
    enum mls_dtype x_dtype;
    bool exact; /* no fixed point */
    const struct mls_panels *weights;
    const float *bias; /* one for each row of the weights, or NULL */
    void *y;           /* [m][n], or columns: [n][m] */
    enum mls_dtype y_dtype;
    const struct mls_epilogue *epilogue; /* or NULL */
};

/* mls_matvec_span_terms, mls_matvec_spans: terms of a span (the last of a block may have fewer); spans of a block. */
size_t mls_matvec_span_terms(const struct mls_panels *weights);
size_t mls_matvec_spans(const struct mls_panels *weights);

/* mls_matvec_scratch_bytes: what mls_matvec_run needs, a multiple of 64. */
size_t mls_matvec_scratch_bytes(const struct mls_matvec *product);

/* mls_matvec_run: the product; *ret_kernel is the name of what did it. */
void mls_matvec_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                    const struct mls_matvec *product, void *scratch, const char **ret_kernel);

/* mls_matvec_pays: whether products with these panels take no longer than with the same weights as fp16. */
bool mls_matvec_pays(const struct mls_kernels *kernels, const struct mls_panels *weights);
