#include "kernels/binary/binary.h"

#include <stdint.h>

static int32_t add_int32_of(int32_t x, int32_t y)
{
    return (int32_t)((uint32_t)x + (uint32_t)y);
}
static int32_t sub_int32_of(int32_t x, int32_t y)
{
    return (int32_t)((uint32_t)x - (uint32_t)y);
}
static int32_t mul_int32_of(int32_t x, int32_t y)
{
    return (int32_t)((uint32_t)x * (uint32_t)y);
}
static int32_t maximum_int32_of(int32_t x, int32_t y)
{
    return x > y ? x : y;
}
static int32_t minimum_int32_of(int32_t x, int32_t y)
{
    return x < y ? x : y;
}

static int32_t floor_div_int32_of(int32_t x, int32_t y)
{
    if (y == 0)
        return 0;
    if (y == -1)
        return (int32_t)(0u - (uint32_t)x);
    int32_t quotient = x / y;
    return quotient - (x % y != 0 && (x < 0) != (y < 0));
}

static int32_t mod_int32_of(int32_t x, int32_t y)
{
    if (y == 0 || y == -1)
        return 0;
    int32_t rest = x % y;
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

static int32_t real_div_int32_of(int32_t x, int32_t y)
{
    if (y == 0)
        return x == 0 ? 0 : x > 0 ? INT32_MAX : INT32_MIN;
    if (y == -1)
        return x == INT32_MIN ? INT32_MAX : -x;
    return x / y;
}

static int32_t pow_int32_of(int32_t x, int32_t y)
{
    if (y < 0) {
        if (x == 0)
            return INT32_MAX;
        if (x == 1 || x == -1)
            return y % 2 ? x : 1;
        return 0;
    }
    uint32_t power = 1, square = (uint32_t)x;
    for (uint32_t left = (uint32_t)y; left; left >>= 1) {
        if (left & 1u)
            power *= square;
        square *= square;
    }
    return (int32_t)power;
}

/* The three loops of a function, elements of `type`, results of `result`. */
#define LOOPS(name, value, type, result)                                                            \
    static void name(const void *xs, const void *ys, void *zs, size_t n, enum mls_binary_form form) \
    {                                                                                               \
        const type *x = xs, *y = ys;                                                                \
        result *z = zs;                                                                             \
        if (form == MLS_BINARY_X_SCALAR) {                                                          \
            type one = *x;                                                                          \
            for (size_t i = 0; i < n; i++)                                                          \
                z[i] = value(one, y[i]);                                                            \
        } else if (form == MLS_BINARY_Y_SCALAR) {                                                   \
            type one = *y;                                                                          \
            for (size_t i = 0; i < n; i++)                                                          \
                z[i] = value(x[i], one);                                                            \
        } else {                                                                                    \
            for (size_t i = 0; i < n; i++)                                                          \
                z[i] = value(x[i], y[i]);                                                           \
        }                                                                                           \
    }

#define X(id, name) LOOPS(name##_int32, name##_int32_of, int32_t, int32_t)
MLS_BINARY_ARITHMETIC_LIST(X)
#undef X

#define X(id, name, operator)                            \
    static uint8_t name##_int32_of(int32_t x, int32_t y) \
    {                                                    \
        return x operator y;                             \
    }                                                    \
    LOOPS(name##_int32, name##_int32_of, int32_t, uint8_t)
MLS_BINARY_COMPARISON_LIST(X)
#undef X

#define X(id, name, operator)                           \
    static uint8_t name##_bool_of(uint8_t x, uint8_t y) \
    {                                                   \
        return (x != 0) operator(y != 0);               \
    }                                                   \
    LOOPS(name##_bool, name##_bool_of, uint8_t, uint8_t)
MLS_BINARY_LOGICAL_LIST(X)
#undef X

#define ARITHMETIC(id, name) [MLS_BINARY_##id] = {name##_int32, #name "_int32__generic"},
#define COMPARISON(id, name, operator) ARITHMETIC(id, name)
#define LOGICAL(id, name, operator) [MLS_BINARY_##id] = {name##_bool, #name "_bool__generic"},
const struct mls_binary_kernel mls_binary_int32[MLS_BINARY_COUNT] = {
    MLS_BINARY_ARITHMETIC_LIST(ARITHMETIC) MLS_BINARY_COMPARISON_LIST(COMPARISON)};
const struct mls_binary_kernel mls_binary_bool[MLS_BINARY_COUNT] = {MLS_BINARY_LOGICAL_LIST(LOGICAL)};
