#include "kernels/convert/convert.h"

#include <string.h>

#include "base/fp16.h"

/* Elements pass through a block of doubles (floats) or of int64_t (integers): both hold every source value
 * exactly. */
enum { BLOCK_ELEMS = 256 };

typedef void load_real(const void *source, size_t first, size_t n, double *ret);
typedef void load_integer(const void *source, size_t first, size_t n, int64_t *ret);
typedef void store_real(const double *source, void *target, size_t first, size_t n);
typedef void store_integer(const int64_t *source, void *target, size_t first, size_t n);

/* A double to fp16 with one rounding: first to fp32 with the sticky bit kept (round to odd), then to nearest
 * even. */
static uint16_t fp64_to_fp16(double value)
{
    float near = (float)value;
    if ((double)near != value && near - near == 0.0f) {
        uint32_t bits;
        memcpy(&bits, &near, sizeof bits);
        bool away = ((double)near < value) == (value < 0); /* rounded away from zero: step back */
        bits = (bits - (away ? 1u : 0u)) | 1u;
        memcpy(&near, &bits, sizeof near);
    }
    return mls_fp32_to_fp16(near);
}

/* int32_t and wider beyond 2^24 lose bits in fp32, but all of them are infinite in fp16 anyway: still one
 * rounding. */
static uint16_t int_to_fp16(int64_t value)
{
    return mls_fp32_to_fp16((float)value);
}

static int64_t saturate(double value, double low, double high)
{
    if (!(value > low))
        return value <= low ? (int64_t)low : 0;
    return value < high ? (int64_t)value : (int64_t)high;
}

/* 2^63 itself is no int64_t: the largest double below it stands for the bound. */
static int64_t saturate_int64(double value)
{
    return value >= 0x1p63 ? INT64_MAX : saturate(value, -0x1p63, 0x1.fffffffffffffp62);
}

/* id, C type, from element to double. */
#define REALS(X)                                         \
    X(FP16, uint16_t, (double)mls_fp16_to_fp32(element)) \
    X(BF16, uint16_t, (double)mls_bf16_to_fp32(element)) \
    X(FP32, float, (double)element)                      \
    X(FP64, double, element)

/* id, C type, from double to element, from int64_t to element. */
#define INTEGERS(X)                                                           \
    X(INT8, int8_t, saturate(value, -128, 127), (int8_t)integer)              \
    X(INT16, int16_t, saturate(value, -32768, 32767), (int16_t)integer)       \
    X(INT32, int32_t, saturate(value, -0x1p31, 0x1p31 - 1), (int32_t)integer) \
    X(INT64, int64_t, saturate_int64(value), integer)                         \
    X(UINT8, uint8_t, saturate(value, 0, 255), (uint8_t)integer)              \
    X(UINT16, uint16_t, saturate(value, 0, 65535), (uint16_t)integer)         \
    X(UINT32, uint32_t, saturate(value, 0, 0x1p32 - 1), (uint32_t)integer)    \
    X(BOOL, uint8_t, value != 0, integer != 0)

/* id, C type, from double to element, from int64_t to element. */
#define REAL_TARGETS(X)                                          \
    X(FP16, uint16_t, fp64_to_fp16(value), int_to_fp16(integer)) \
    X(FP32, float, (float)value, (float)integer)                 \
    X(FP64, double, value, (double)integer)

#define X(id, type, expression)                                                    \
    static void load_##id(const void *source, size_t first, size_t n, double *ret) \
    {                                                                              \
        for (size_t i = 0; i < n; i++) {                                           \
            type element = ((const type *)source)[first + i];                      \
            ret[i] = expression;                                                   \
        }                                                                          \
    }
REALS(X)
#undef X

#define X(id, type, from_real, from_integer)                                        \
    static void load_##id(const void *source, size_t first, size_t n, int64_t *ret) \
    {                                                                               \
        for (size_t i = 0; i < n; i++)                                              \
            ret[i] = (int64_t)((const type *)source)[first + i];                    \
    }
INTEGERS(X)
#undef X

#define X(id, type, from_real, from_integer)                                             \
    static void real_to_##id(const double *source, void *target, size_t first, size_t n) \
    {                                                                                    \
        for (size_t i = 0; i < n; i++) {                                                 \
            double value = source[i];                                                    \
            ((type *)target)[first + i] = (type)(from_real);                             \
        }                                                                                \
    }                                                                                    \
    static void int_to_##id(const int64_t *source, void *target, size_t first, size_t n) \
    {                                                                                    \
        for (size_t i = 0; i < n; i++) {                                                 \
            int64_t integer = source[i];                                                 \
            ((type *)target)[first + i] = (type)(from_integer);                          \
        }                                                                                \
    }
INTEGERS(X)
REAL_TARGETS(X)
#undef X

static load_real *const real_loads[MLS_DTYPE_COUNT] = {
#define X(id, type, expression) [MLS_##id] = load_##id,
    REALS(X)
#undef X
};

static load_integer *const integer_loads[MLS_DTYPE_COUNT] = {
#define X(id, type, from_real, from_integer) [MLS_##id] = load_##id,
    INTEGERS(X)
#undef X
};

static store_real *const real_stores[MLS_DTYPE_COUNT] = {
#define X(id, type, from_real, from_integer) [MLS_##id] = real_to_##id,
    INTEGERS(X) REAL_TARGETS(X)
#undef X
};

static store_integer *const integer_stores[MLS_DTYPE_COUNT] = {
#define X(id, type, from_real, from_integer) [MLS_##id] = int_to_##id,
    INTEGERS(X) REAL_TARGETS(X)
#undef X
};

bool mls_cast_can(enum mls_dtype from, enum mls_dtype to)
{
    return (unsigned)from < MLS_DTYPE_COUNT && (unsigned)to < MLS_DTYPE_COUNT &&
           (real_loads[from] || integer_loads[from]) && real_stores[to];
}

void mls_cast(enum mls_dtype from, const void *source, enum mls_dtype to, void *ret, size_t n)
{
    if (from == to && from != MLS_BOOL) {
        memmove(ret, source, mls_dtype_bytes(from, n));
        return;
    }
    union {
        double reals[BLOCK_ELEMS];
        int64_t integers[BLOCK_ELEMS];
    } block;
    for (size_t first = 0; first < n; first += BLOCK_ELEMS) {
        size_t now = n - first < BLOCK_ELEMS ? n - first : BLOCK_ELEMS;
        if (real_loads[from]) {
            real_loads[from](source, first, now, block.reals);
            real_stores[to](block.reals, ret, first, now);
        } else {
            integer_loads[from](source, first, now, block.integers);
            integer_stores[to](block.integers, ret, first, now);
        }
    }
}
