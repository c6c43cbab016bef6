#include "array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"

bool array_create(const struct mls_type *type, struct array *ret_array)
{
    size_t size_bytes = mls_type_bytes(type);
    void *data = size_bytes == SIZE_MAX ? NULL : calloc(size_bytes ? size_bytes : 1, 1);
    if (!data)
        return false;
    *ret_array = (struct array){.type = *type, .data = data};
    return true;
}

void array_done(struct array *array)
{
    free(array->data);
    *array = (struct array){0};
}

/* A number between two types. Integers are exact; unsigned ones above INT64_MAX are reals. */
struct number {
    bool is_integer;
    int64_t integer;
    double real;
};

struct range {
    int64_t lowest;
    int64_t highest;
};

static struct number integer_number(int64_t value)
{
    return (struct number){.is_integer = true, .integer = value, .real = (double)value};
}

static struct number real_number(double value)
{
    return (struct number){.real = value};
}

static struct number load(const uint8_t *at, enum mls_dtype dtype)
{
    union {
        uint8_t u8;
        int8_t i8;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        int64_t i64;
        float f32;
        double f64;
    } bits;
    memcpy(&bits, at, mls_dtype_bits(dtype) / 8);
    switch (dtype) {
    case MLS_FP16:
        return real_number((double)mls_fp16_to_fp32(bits.u16));
    case MLS_FP32:
        return real_number((double)bits.f32);
    case MLS_FP64:
        return real_number(bits.f64);
    case MLS_BOOL:
        return integer_number(bits.u8 != 0);
    case MLS_INT8:
        return integer_number(bits.i8);
    case MLS_UINT8:
        return integer_number(bits.u8);
    case MLS_INT16:
        return integer_number(bits.i16);
    case MLS_UINT16:
        return integer_number(bits.u16);
    case MLS_INT32:
        return integer_number(bits.i32);
    case MLS_UINT32:
        return integer_number(bits.u32);
    case MLS_INT64:
        return integer_number(bits.i64);
    default: /* UINT64: convert_has let nothing else in */
        return bits.u64 <= INT64_MAX ? integer_number((int64_t)bits.u64) : real_number((double)bits.u64);
    }
}

/* Rounds once: the float in between keeps what it cuts off as its last bit (round to odd). */
static uint16_t double_to_fp16(double value)
{
    float between = (float)value;
    if ((double)between != value && isfinite(between)) {
        uint32_t bits;
        memcpy(&bits, &between, sizeof bits);
        bool away = fabs((double)between) > fabs(value);
        bits = (bits - away) | 1u;
        memcpy(&between, &bits, sizeof between);
    }
    return mls_fp32_to_fp16(between);
}

static bool store_real(uint8_t *at, enum mls_dtype dtype, double value, enum convert_rule rule)
{
    bool infinite = false;
    if (dtype == MLS_FP16) {
        uint16_t half = double_to_fp16(value);
        infinite = (half & 0x7fffu) == 0x7c00u;
        memcpy(at, &half, sizeof half);
    } else if (dtype == MLS_FP32) {
        float single = (float)value;
        infinite = isinf(single);
        memcpy(at, &single, sizeof single);
    } else {
        memcpy(at, &value, sizeof value);
    }
    return rule == CONVERT_NEAREST || !infinite || isinf(value);
}

static struct range range_of(enum mls_dtype dtype)
{
    switch (dtype) {
    case MLS_BOOL:
        return (struct range){0, 1};
    case MLS_INT8:
        return (struct range){INT8_MIN, INT8_MAX};
    case MLS_UINT8:
        return (struct range){0, UINT8_MAX};
    case MLS_INT16:
        return (struct range){INT16_MIN, INT16_MAX};
    case MLS_UINT16:
        return (struct range){0, UINT16_MAX};
    case MLS_INT32:
        return (struct range){INT32_MIN, INT32_MAX};
    case MLS_UINT32:
        return (struct range){0, UINT32_MAX};
    case MLS_UINT64:
        return (struct range){0, INT64_MAX};
    default:
        return (struct range){INT64_MIN, INT64_MAX};
    }
}

/* The integer for a number: exact, or the nearest when the rule allows. The upper bound 2^63 is a double;
 * INT64_MAX is not. */
static bool to_integer(struct number number, struct range range, enum convert_rule rule, int64_t *ret_value)
{
    bool fits = true;
    int64_t value = number.integer;
    if (!number.is_integer) {
        double rounded = rint(number.real);
        fits = rounded == number.real && rounded >= -0x1p63 && rounded < 0x1p63;
        value = isnan(rounded)      ? 0
                : rounded < -0x1p63 ? INT64_MIN
                : rounded >= 0x1p63 ? INT64_MAX
                                    : (int64_t)rounded;
    }
    fits = fits && value >= range.lowest && value <= range.highest;
    *ret_value = value < range.lowest ? range.lowest : value > range.highest ? range.highest : value;
    return fits || rule == CONVERT_NEAREST;
}

static bool store(uint8_t *at, enum mls_dtype dtype, struct number number, enum convert_rule rule)
{
    if (dtype == MLS_FP16 || dtype == MLS_FP32 || dtype == MLS_FP64)
        return store_real(at, dtype, number.real, rule);
    int64_t value;
    if (dtype == MLS_BOOL && rule == CONVERT_NEAREST)
        number = integer_number(number.real != 0);
    if (!to_integer(number, range_of(dtype), rule, &value))
        return false;
    /* two's complement, little-endian: the low bytes are the value in the narrower type */
    memcpy(at, &value, mls_dtype_bits(dtype) / 8);
    return true;
}

bool convert_has(enum mls_dtype dtype)
{
    static const mls_dtype_set known =
        MLS_DTYPE_BIT(MLS_FP16) | MLS_DTYPE_BIT(MLS_FP32) | MLS_DTYPE_BIT(MLS_FP64) |
        MLS_DTYPE_BIT(MLS_BOOL) | MLS_DTYPE_BIT(MLS_INT8) | MLS_DTYPE_BIT(MLS_UINT8) |
        MLS_DTYPE_BIT(MLS_INT16) | MLS_DTYPE_BIT(MLS_UINT16) | MLS_DTYPE_BIT(MLS_INT32) |
        MLS_DTYPE_BIT(MLS_UINT32) | MLS_DTYPE_BIT(MLS_INT64) | MLS_DTYPE_BIT(MLS_UINT64);
    return (unsigned)dtype < MLS_DTYPE_COUNT && (known & MLS_DTYPE_BIT(dtype));
}

bool convert_elements(const void *from, enum mls_dtype from_dtype, void *to, enum mls_dtype to_dtype,
                      size_t n, enum convert_rule rule, size_t *ret_bad)
{
    size_t from_bytes = mls_dtype_bits(from_dtype) / 8, to_bytes = mls_dtype_bits(to_dtype) / 8;
    if (from_dtype == to_dtype && from_dtype != MLS_BOOL) {
        memcpy(to, from, n * to_bytes);
        return true;
    }
    const uint8_t *source = from;
    uint8_t *target = to;
    for (size_t i = 0; i < n; i++)
        if (!store(target + i * to_bytes, to_dtype, load(source + i * from_bytes, from_dtype), rule)) {
            *ret_bad = i;
            return false;
        }
    return true;
}

double convert_to_double(const void *data, enum mls_dtype dtype, size_t index)
{
    return load((const uint8_t *)data + index * (mls_dtype_bits(dtype) / 8), dtype).real;
}
