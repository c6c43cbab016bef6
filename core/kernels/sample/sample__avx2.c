#include <immintrin.h>

#include "kernels/sample/sample_pixel.h"

enum { LANES = 8 };

/* weight * value where the weight is not 0, else 0. */
static inline __m256 term(const float *weights, __m256 values)
{
    __m256 weight = _mm256_loadu_ps(weights);
    __m256 counts = _mm256_cmp_ps(weight, _mm256_setzero_ps(), _CMP_NEQ_UQ);
    return _mm256_and_ps(counts, _mm256_mul_ps(weight, values));
}

static inline __m256i load_offsets(const int32_t *offsets)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)offsets);
}

/* The 16 bits of each lane, packed in order. */
static inline __m256 widen(__m256i halves)
{
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(halves, halves), 0x08);
    return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

static inline __m256 row_fp16(const uint16_t *plane, __m256i offsets, const float *left, const float *right)
{
    /* both neighbours at once: step is 1, so the element behind each offset is in the plane */
    __m256i pairs = _mm256_i32gather_epi32((const int *)(const void *)plane, offsets, 2);
    __m256i low = _mm256_and_si256(pairs, _mm256_set1_epi32(0xffff));
    return _mm256_add_ps(term(left, widen(low)), term(right, widen(_mm256_srli_epi32(pairs, 16))));
}

static inline __m256 row_fp32(const float *plane, __m256i offsets, const float *left, const float *right)
{
    __m256 first = _mm256_i32gather_ps(plane, offsets, 4);
    __m256 second = _mm256_i32gather_ps(plane + 1, offsets, 4);
    return _mm256_add_ps(term(left, first), term(right, second));
}

static void bilinear_fp16__avx2(const uint16_t *plane, const struct mls_sample_table *t, size_t n,
                                uint16_t *ret)
{
    size_t i = 0;
    for (; t->step && i + LANES <= n; i += LANES) {
        __m256 top = row_fp16(plane, load_offsets(t->top + i), t->weights[0] + i, t->weights[1] + i);
        __m256 bottom = row_fp16(plane, load_offsets(t->bottom + i), t->weights[2] + i, t->weights[3] + i);
        __m256 sum = _mm256_add_ps(_mm256_add_ps(top, bottom), _mm256_loadu_ps(t->added + i));
        _mm_storeu_si128((__m128i *)(void *)(ret + i), _mm256_cvtps_ph(sum, _MM_FROUND_TO_NEAREST_INT));
    }
    sample_pixels_fp16(plane, t, i, n, ret);
}

static void bilinear_fp32__avx2(const float *plane, const struct mls_sample_table *t, size_t n, float *ret)
{
    size_t i = 0;
    for (; t->step && i + LANES <= n; i += LANES) {
        __m256 top = row_fp32(plane, load_offsets(t->top + i), t->weights[0] + i, t->weights[1] + i);
        __m256 bottom = row_fp32(plane, load_offsets(t->bottom + i), t->weights[2] + i, t->weights[3] + i);
        _mm256_storeu_ps(ret + i, _mm256_add_ps(_mm256_add_ps(top, bottom), _mm256_loadu_ps(t->added + i)));
    }
    sample_pixels_fp32(plane, t, i, n, ret);
}

const struct mls_sample_kernels mls_sample__avx2 = {
    .bilinear_fp16 = bilinear_fp16__avx2,
    .bilinear_fp32 = bilinear_fp32__avx2,
    .bilinear_fp16_name = "bilinear_fp16__avx2",
    .bilinear_fp32_name = "bilinear_fp32__avx2",
};
