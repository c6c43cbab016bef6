#include "cli/element.h"

#include <math.h>
#include <string.h>

/* IEEE 754 binary16. */
static double half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    double fraction = bits & 1023, value;
    if (exponent == 31)
        value = fraction > 0 ? (double)NAN : (double)INFINITY;
    else
        value = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return bits >> 15 ? -value : value;
}

#define READ(type)                                                                   \
    do {                                                                             \
        type value;                                                                  \
        memcpy(&value, (const char *)tensor->data + i * sizeof value, sizeof value); \
        return (double)value;                                                        \
    } while (0)

double element_value(const struct mls_tensor *tensor, size_t i)
{
    switch (tensor->type.dtype) {
    case MLS_FP16: {
        uint16_t bits;
        memcpy(&bits, (const char *)tensor->data + i * sizeof bits, sizeof bits);
        return half_value(bits);
    }
    case MLS_FP32:
        READ(float);
    case MLS_FP64:
        READ(double);
    case MLS_INT8:
        READ(int8_t);
    case MLS_INT16:
        READ(int16_t);
    case MLS_INT32:
        READ(int32_t);
    case MLS_INT64:
        READ(int64_t);
    case MLS_BOOL:
    case MLS_UINT8:
        READ(uint8_t);
    case MLS_UINT16:
        READ(uint16_t);
    case MLS_UINT32:
        READ(uint32_t);
    case MLS_UINT64:
        READ(uint64_t);
    default:
        return (double)NAN;
    }
}

struct element_range element_range(const struct mls_tensor *tensor)
{
    int64_t n = mls_type_elems(&tensor->type);
    struct element_range range = {.n_elems = n > 0 && tensor->data ? (size_t)n : 0};
    size_t n_finite = 0;
    double sum = 0;
    for (size_t i = 0; i < range.n_elems; i++) {
        double value = element_value(tensor, i);
        if (!isfinite(value)) {
            range.n_not_finite++;
            continue;
        }
        if (!n_finite || value < range.min)
            range.min = value;
        if (!n_finite || value > range.max)
            range.max = value;
        n_finite++;
        sum += value;
    }
    range.mean = n_finite ? sum / (double)n_finite : (double)NAN;
    return range;
}
