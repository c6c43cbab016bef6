/*
 * strided.h: runs of every stride-th element of a row, widened to fp32, with a filling where the row has
 * ended. Include a simd__<isa>.h and simd.h before it.
 */
#pragma once

#include <stddef.h>

#if V_BYTES == 16
#define V_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#elif V_BYTES == 32
#define V_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#else
#define V_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#endif

/* A row of `length` elements; nothing at `end` elements after its start or further may be read. */
struct strided_row {
    const void *elements; /* fp32, or fp16 */
    bool fp16;
    ptrdiff_t length;
    ptrdiff_t end;
};

static inline vf strided_load(const struct strided_row *row, ptrdiff_t at)
{
    return row->fp16 ? v_load_fp16((const uint16_t *)row->elements + at)
                     : v_load((const float *)row->elements + at);
}

static inline float strided_element(const struct strided_row *row, ptrdiff_t at)
{
    return row->fp16 ? mls_fp16_to_fp32(((const uint16_t *)row->elements)[at])
                     : ((const float *)row->elements)[at];
}

static inline void strided_fill(float *ret, size_t n, float filling)
{
    size_t i = 0;
    for (; i + V_LANES <= n; i += V_LANES)
        v_store(ret + i, v_set(filling));
    for (; i < n; i++)
        ret[i] = filling;
}

/* n existing elements from `at` on. May write up to V_LANES - 1 floats past ret[n]. */
static inline void strided_copy(const struct strided_row *row, ptrdiff_t at, size_t stride, size_t n,
                                float *ret)
{
    size_t i = 0;
    if (stride == 1) {
        for (; i < n && at + V_LANES <= row->end; i += V_LANES, at += V_LANES)
            v_store(ret + i, strided_load(row, at));
    } else if (stride == 2) {
        for (; i < n && at + 2 * V_LANES <= row->end; i += V_LANES, at += 2 * V_LANES) {
            vf low = strided_load(row, at), high = strided_load(row, at + V_LANES);
            v_store(ret + i, V_EVEN(low, high));
        }
    }
    for (; i < n; i++, at += (ptrdiff_t)stride)
        ret[i] = strided_element(row, at);
}

/*
 * Elements at, at + stride, … of a row that is endless in both directions: `filling` where it does not exist.
 * Writes n floats and up to V_LANES - 1 after them.
 */
static inline void strided_run(const struct strided_row *row, ptrdiff_t at, size_t stride, size_t n,
                               float filling, float *ret)
{
    ptrdiff_t step = (ptrdiff_t)stride, count = (ptrdiff_t)n;
    ptrdiff_t first = at < 0 ? (-at + step - 1) / step : 0;
    ptrdiff_t after = at < row->length ? (row->length - 1 - at) / step + 1 : 0;
    after = after < count ? after : count;
    if (first >= after) {
        strided_fill(ret, n, filling);
        return;
    }
    strided_fill(ret, (size_t)first, filling);
    strided_copy(row, at + first * step, stride, (size_t)(after - first), ret + first);
    strided_fill(ret + after, (size_t)(count - after), filling);
}
