/* unary.h: functions of one number, elementwise. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * One row a function: id, name. x is the element; alpha and beta are of the call. Maxima and minima let NaN
 * through, as NumPy's do. fp16 results are those of fp32, rounded once.
 */
#define MLS_UNARY_LIST(X)                                                      \
    X(ABS, abs)                                                                \
    X(ACOS, acos)                                                              \
    X(ASIN, asin)                                                              \
    X(ATAN, atan)                                                              \
    X(ATANH, atanh)                                                            \
    X(CEIL, ceil)                                                              \
    X(CLAMPED_RELU, clamped_relu) /* min(beta, x >= 0 ? x : alpha x) */        \
    X(CLIP, clip)                 /* min(max(x, alpha), beta) */               \
    X(COS, cos)                                                                \
    X(COSH, cosh)                                                              \
    X(ELU, elu) /* x > 0 ? x : alpha (e^x - 1) */                              \
    X(ERF, erf)                                                                \
    X(EXP, exp)                                                                \
    X(EXP2, exp2)                                                              \
    X(FLOOR, floor)                                                            \
    X(GELU, gelu)                 /* x (1 + erf(x / sqrt 2)) / 2 */            \
    X(GELU_SIGMOID, gelu_sigmoid) /* x sigmoid(1.702 x) */                     \
    X(GELU_TANH, gelu_tanh)                                                    \
    X(HARD_SWISH, hard_swish)    /* x min(max(x / 6 + 1 / 2, 0), 1) */         \
    X(INVERSE, inverse)          /* 1 / (x + alpha) */                         \
    X(LEAKY_RELU, leaky_relu)    /* x < 0 ? alpha x : x */                     \
    X(LINEAR, linear_activation) /* alpha x + beta */                          \
    X(LOG, log)                  /* ln(x + alpha) */                           \
    X(RELU, relu)                                                              \
    X(RELU6, relu6)                                                            \
    X(ROUND, round)             /* halves to even */                           \
    X(RSQRT, rsqrt)             /* 1 / sqrt(x + alpha) */                      \
    X(SCALED_TANH, scaled_tanh) /* alpha tanh(beta x) */                       \
    X(SIGMOID, sigmoid)                                                        \
    X(SIGMOID_HARD, sigmoid_hard) /* min(max(alpha x + beta, 0), 1) */         \
    X(SIGN, sign)                                                              \
    X(SILU, silu) /* x sigmoid(x) */                                           \
    X(SIN, sin)                                                                \
    X(SINH, sinh)                                                              \
    X(SOFTPLUS, softplus)                       /* ln(1 + e^x) */              \
    X(SOFTPLUS_PARAMETRIC, softplus_parametric) /* alpha ln(1 + e^(beta x)) */ \
    X(SOFTSIGN, softsign)                       /* x / (1 + |x|) */            \
    X(SQRT, sqrt)                                                              \
    X(SQUARE, square)                                                          \
    X(TAN, tan)                                                                \
    X(TANH, tanh)                                                              \
    X(THRESHOLD, threshold)               /* max(x, alpha) */                  \
    X(THRESHOLDED_RELU, thresholded_relu) /* x < alpha ? 0 : x */

enum mls_unary {
#define X(id, name) MLS_UNARY_##id,
    MLS_UNARY_LIST(X)
#undef X
        MLS_UNARY_COUNT
};

struct mls_unary_params {
    float alpha;
    float beta;
    int32_t alpha_int; /* of integers */
};

/* n elements of x to y, which is x itself or does not overlap it. */
typedef void mls_unary_run(const void *x, void *y, size_t n, const struct mls_unary_params *params);

struct mls_unary_kernel {
    mls_unary_run *run;
    const char *name; /* "relu_fp16__avx2"; static */
};

struct mls_unary_kernels {
    struct mls_unary_kernel fp16[MLS_UNARY_COUNT];
    struct mls_unary_kernel fp32[MLS_UNARY_COUNT];
};

/* Of the functions that take integers: abs, exp2, sign, square, threshold; sums wrap, exp2 truncates and
 * saturates. */
extern const struct mls_unary_kernel mls_unary_int32[MLS_UNARY_COUNT];
