#include "kernels/unary/unary.h"

#include <stdint.h>

static int32_t abs_of(int32_t x, int32_t alpha)
{
    (void)alpha;
    return x < 0 ? (int32_t)(0u - (uint32_t)x) : x;
}
static int32_t sign_of(int32_t x, int32_t alpha)
{
    (void)alpha;
    return (x > 0) - (x < 0);
}
static int32_t square_of(int32_t x, int32_t alpha)
{
    (void)alpha;
    return (int32_t)((uint32_t)x * (uint32_t)x);
}
static int32_t threshold_of(int32_t x, int32_t alpha)
{
    return x > alpha ? x : alpha;
}
/* 2^x truncated and saturated, as the cast of the real result. */
static int32_t exp2_of(int32_t x, int32_t alpha)
{
    (void)alpha;
    if (x < 0)
        return 0;
    return x > 30 ? INT32_MAX : (int32_t)(1u << x);
}

#define FUNCTIONS(X)  \
    X(ABS, abs)       \
    X(EXP2, exp2)     \
    X(SIGN, sign)     \
    X(SQUARE, square) \
    X(THRESHOLD, threshold)

#define X(id, name)                                                                                       \
    static void name##_int32(const void *from, void *to, size_t n, const struct mls_unary_params *params) \
    {                                                                                                     \
        const int32_t *x = from;                                                                          \
        int32_t *y = to;                                                                                  \
        for (size_t i = 0; i < n; i++)                                                                    \
            y[i] = name##_of(x[i], params->alpha_int);                                                    \
    }
FUNCTIONS(X)
#undef X

const struct mls_unary_kernel mls_unary_int32[MLS_UNARY_COUNT] = {
#define X(id, name) [MLS_UNARY_##id] = {name##_int32, #name "_int32__generic"},
    FUNCTIONS(X)
#undef X
};
