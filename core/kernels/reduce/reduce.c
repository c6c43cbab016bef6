#include "kernels/reduce/reduce.h"

#include <math.h>

double mls_reduce_identity(enum mls_reduce reduce)
{
    switch (reduce) {
    case MLS_REDUCE_MAX:
        return -(double)INFINITY;
    case MLS_REDUCE_MIN:
        return (double)INFINITY;
    case MLS_REDUCE_PROD:
        return 1;
    default:
        return 0;
    }
}

double mls_reduce_join(enum mls_reduce reduce, double a, double b)
{
    switch (reduce) {
    case MLS_REDUCE_MAX:
        return a > b || isnan(a) ? a : b;
    case MLS_REDUCE_MIN:
        return a < b || isnan(a) ? a : b;
    case MLS_REDUCE_PROD:
        return a * b;
    default:
        return a + b;
    }
}

int64_t mls_reduce_int32(enum mls_reduce reduce, const int32_t *x, size_t n, size_t stride, int64_t sofar)
{
    uint64_t sum = (uint64_t)sofar;
    for (size_t i = 0; i < n; i++) {
        int32_t element = x[i * stride];
        uint32_t bits = (uint32_t)element;
        switch (reduce) {
        case MLS_REDUCE_SUM:
        case MLS_REDUCE_SUM_EXP:
        case MLS_REDUCE_SUM_DEVIATION:
        case MLS_REDUCE_COUNT:
            sum += (uint64_t)(int64_t)element;
            break;
        case MLS_REDUCE_SUM_ABS:
            sum += (uint64_t)(int64_t)(int32_t)(element < 0 ? 0u - bits : bits);
            break;
        case MLS_REDUCE_SUM_SQUARE:
            sum += (uint64_t)(int64_t)(int32_t)(bits * bits);
            break;
        case MLS_REDUCE_MAX:
            sum = element > (int64_t)sum ? (uint64_t)(int64_t)element : sum;
            break;
        case MLS_REDUCE_MIN:
            sum = element < (int64_t)sum ? (uint64_t)(int64_t)element : sum;
            break;
        case MLS_REDUCE_PROD:
            sum *= (uint64_t)(int64_t)element;
            break;
        }
    }
    return (int64_t)sum;
}
