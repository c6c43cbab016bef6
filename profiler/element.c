#include "profiler/element.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { CHUNK = 1024 };

/* IEEE 754 binary16. */
static double half_value(uint16_t half)
{
    enum { EXPONENT = 0x7c00, FRACTION = 0x03ff, BIAS_DIFFERENCE = 112 << 23 };
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fffu;
    if (magnitude < 0x0400) {
        double value = (double)magnitude * 0x1p-24;
        return sign ? -value : value;
    }
    uint32_t bits = (half & EXPONENT) == EXPONENT ? 0x7f800000u | (magnitude & FRACTION) << 13
                                                  : (magnitude << 13) + (uint32_t)BIAS_DIFFERENCE;
    bits |= sign;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

#define LOAD(type, expression)                                                                           \
    do {                                                                                                 \
        for (size_t i = 0; i < n; i++) {                                                                 \
            type element;                                                                                \
            memcpy(&element, (const char *)tensor->data + (first + i) * sizeof element, sizeof element); \
            ret_values[i] = (expression);                                                                \
        }                                                                                                \
        return;                                                                                          \
    } while (0)

void mls_elements_load(const struct mls_tensor *tensor, size_t first, size_t n, double *ret_values)
{
    switch (tensor->type.dtype) {
    case MLS_FP16:
        LOAD(uint16_t, half_value(element));
    case MLS_FP32:
        LOAD(float, (double)element);
    case MLS_FP64:
        LOAD(double, element);
    case MLS_INT8:
        LOAD(int8_t, (double)element);
    case MLS_INT16:
        LOAD(int16_t, (double)element);
    case MLS_INT32:
        LOAD(int32_t, (double)element);
    case MLS_INT64:
        LOAD(int64_t, (double)element);
    case MLS_BOOL:
    case MLS_UINT8:
        LOAD(uint8_t, (double)element);
    case MLS_UINT16:
        LOAD(uint16_t, (double)element);
    case MLS_UINT32:
        LOAD(uint32_t, (double)element);
    case MLS_UINT64:
        LOAD(uint64_t, (double)element);
    default:
        for (size_t i = 0; i < n; i++)
            ret_values[i] = (double)NAN;
    }
}

double mls_element_value(const struct mls_tensor *tensor, size_t i)
{
    double value;
    mls_elements_load(tensor, i, 1, &value);
    return value;
}

size_t mls_element_count(const struct mls_tensor *tensor)
{
    int64_t n = tensor->data && tensor->type.kind != MLS_KIND_LIST ? mls_type_elems(&tensor->type) : 0;
    return n > 0 ? (size_t)n : 0;
}

struct mls_element_range mls_element_range(const struct mls_tensor *tensor)
{
    struct mls_element_range range = {.n_elems = mls_element_count(tensor)};
    size_t n_finite = 0;
    double sum = 0, values[CHUNK];
    for (size_t at = 0; at < range.n_elems; at += CHUNK) {
        size_t n = range.n_elems - at < CHUNK ? range.n_elems - at : CHUNK;
        mls_elements_load(tensor, at, n, values);
        for (size_t i = 0; i < n; i++) {
            if (!isfinite(values[i])) {
                range.n_not_finite++;
                continue;
            }
            if (!n_finite || values[i] < range.min)
                range.min = values[i];
            if (!n_finite || values[i] > range.max)
                range.max = values[i];
            n_finite++;
            sum += values[i];
        }
    }
    range.mean = n_finite ? sum / (double)n_finite : (double)NAN;
    return range;
}
