#include "random.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mix.h"
#include "core/feature.h"
#include "fill.h"
#include "values.h"

struct random_stream random_begin(uint64_t seed, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const unsigned char *at = (const unsigned char *)name; *at; at++)
        hash = (hash ^ *at) * 0x100000001b3u;
    struct random_stream stream = {.state = seed};
    stream.state = random_next(&stream) ^ hash;
    return stream;
}

uint64_t random_next(struct random_stream *stream)
{
    return mls_mix64(stream->state += MLS_MIX_STEP);
}

uint32_t random_below(struct random_stream *stream, uint32_t n)
{
    return (uint32_t)(((random_next(stream) >> 32) * n) >> 32);
}

/*
 * Natural logarithm of x in (0, 1] to about 1e-13 by the series of atanh. libm's differs between versions and
 * instruction sets in the last bit; frexp, +, -, *, / are exact everywhere.
 */
static double logarithm(double x)
{
    int exponent;
    double mantissa = frexp(x, &exponent);
    if (mantissa < 0.70710678118654752) {
        mantissa *= 2;
        exponent--;
    }
    double t = (mantissa - 1) / (mantissa + 1), square = t * t, sum = 0;
    for (int k = 17; k >= 1; k -= 2)
        sum = sum * square + 1.0 / k;
    return 2 * t * sum + exponent * 0.69314718055994531;
}

double random_normal(struct random_stream *stream)
{
    /* 53 bits, in the middle of their interval, so neither 0 nor 1 */
    double p = ((double)(random_next(stream) >> 11) + 0.5) * 0x1p-53;
    double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179) /
               (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0);
    }
    double r = sqrt(-logarithm(q < 0 ? p : 1 - p));
    double value;
    if (r <= 5) {
        r -= 1.6;
        value = (((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) /
                ((0.12021132975 * r + 0.73700164250) * r + 1.0);
    } else {
        r -= 5;
        value = (((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150) /
                ((0.012258202635 * r + 0.24197894225) * r + 1.0);
    }
    return q < 0 ? -value : value;
}

/* ---- Inputs ------------------------------------------------------------------------------------------- */

enum { SMALL_INTEGERS = 8, PIXEL_VALUES = 256 };

static bool is_float(enum mls_dtype dtype)
{
    return dtype == MLS_FP16 || dtype == MLS_FP32 || dtype == MLS_FP64;
}

/* Names of integer inputs that are 0 or 1; the first element is 1, so that no mask hides everything. */
static bool is_mask(const char *name)
{
    return strcasestr(name, "mask") || strcasestr(name, "token_type") || strcasestr(name, "segment");
}

static double draw(const struct mls_feature *feature, enum mls_dtype dtype, struct random_stream *stream,
                   size_t index)
{
    if (feature->optional && feature->kind == MLS_FEATURE_TENSOR)
        return feature->has_default ? feature->default_value : 0; /* the states of recurrent networks begin so */
    if (feature->optional && feature->kind == MLS_FEATURE_DOUBLE)
        return (double)NAN; /* not given: the model's own value counts */
    if (feature->optional && feature->kind == MLS_FEATURE_INT64)
        return 0;
    if (feature->kind == MLS_FEATURE_IMAGE)
        return random_below(stream, PIXEL_VALUES);
    if (is_float(dtype))
        return random_normal(stream);
    bool bit = dtype == MLS_BOOL || is_mask(feature->name);
    uint32_t value = random_below(stream, bit ? 2 : SMALL_INTEGERS);
    return bit && index == 0 ? 1 : value;
}

enum mls_status mls_feature_random(struct mls_run *run, size_t index, uint64_t seed, struct mls_error *reterr)
{
    const struct mls_feature *feature = &mls_session_interface(mls_run_session(run))->inputs[index];
    struct mls_tensor *tensor = mls_run_input(run, index);
    if (values_has(feature))
        return values_default(run, index, reterr);
    enum mls_status status = fill_check_kind(feature, reterr);
    if (status)
        return status;
    struct array array;
    struct mls_type type = tensor->type;
    type.dtype = MLS_FP64;
    if (!array_create(&type, &array))
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot fill \"%s\": out of memory", feature->name);
    enum mls_dtype declared = convert_has(feature->type.dtype) ? feature->type.dtype : tensor->type.dtype;
    struct random_stream stream = random_begin(seed, feature->name);
    size_t n = (size_t)mls_type_elems(&type);
    for (size_t i = 0; i < n; i++)
        ((double *)array.data)[i] = draw(feature, declared, &stream, i);
    status = fill_tensor(feature, tensor, &array, "random values", reterr);
    array_done(&array);
    return status;
}
