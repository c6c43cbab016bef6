#include <immintrin.h>
#include <string.h>

#include "kernels/sample/sample_pixel.h"

enum { LANES = 8 };

/* weight * value where the weight is not 0, else 0. */
static inline __m256 term(const float *weights, __m256 values)
{
    __m256 weight = _mm256_loadu_ps(weights);
    __m256 counts = _mm256_cmp_ps(weight, _mm256_setzero_ps(), _CMP_NEQ_UQ);
    return _mm256_and_ps(counts, _mm256_mul_ps(weight, values));
}

/*
 * The pairs at eight offsets, by plain loads: processors whose gather instructions are slowed down by
 * microcode against data sampling take several times as long for a gather.
 */
static inline __m256i load_pairs_fp16(const uint16_t *plane, const int32_t *offsets)
{
    uint32_t pairs[LANES];
    for (int i = 0; i < LANES; i++)
        memcpy(&pairs[i], plane + offsets[i], sizeof pairs[i]);
    return _mm256_setr_epi32((int)pairs[0], (int)pairs[1], (int)pairs[2], (int)pairs[3], (int)pairs[4],
                             (int)pairs[5], (int)pairs[6], (int)pairs[7]);
}

/* The 16 bits of each lane, packed in order. */
static inline __m256 widen(__m256i halves)
{
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(halves, halves), 0x08);
    return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

/* Both neighbours at once: step is 1, so the element behind each offset is in the plane. */
static inline __m256 row_fp16(const uint16_t *plane, const int32_t *offsets, const float *left,
                              const float *right)
{
    __m256i pairs = load_pairs_fp16(plane, offsets);
    __m256i low = _mm256_and_si256(pairs, _mm256_set1_epi32(0xffff));
    return _mm256_add_ps(term(left, widen(low)), term(right, widen(_mm256_srli_epi32(pairs, 16))));
}

static inline __m128 load_pair_fp32(const float *plane, int32_t first, int32_t second)
{
    __m128 a = _mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)(const void *)(plane + first)));
    __m128 b = _mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)(const void *)(plane + second)));
    return _mm_unpacklo_ps(a, b); /* left, left, right, right */
}

static inline __m256 row_fp32(const float *plane, const int32_t *o, const float *left, const float *right)
{
    __m128 a = load_pair_fp32(plane, o[0], o[1]), b = load_pair_fp32(plane, o[2], o[3]);
    __m128 c = load_pair_fp32(plane, o[4], o[5]), d = load_pair_fp32(plane, o[6], o[7]);
    __m256 first = _mm256_set_m128(_mm_movelh_ps(c, d), _mm_movelh_ps(a, b));
    __m256 second = _mm256_set_m128(_mm_movehl_ps(d, c), _mm_movehl_ps(b, a));
    return _mm256_add_ps(term(left, first), term(right, second));
}

static void bilinear_fp16__avx2(const uint16_t *plane, const struct mls_sample_table *t, size_t n,
                                uint16_t *ret)
{
    size_t i = 0;
    for (; t->step && i + LANES <= n; i += LANES) {
        __m256 top = row_fp16(plane, t->top + i, t->weights[0] + i, t->weights[1] + i);
        __m256 bottom = row_fp16(plane, t->bottom + i, t->weights[2] + i, t->weights[3] + i);
        __m256 sum = _mm256_add_ps(_mm256_add_ps(top, bottom), _mm256_loadu_ps(t->added + i));
        _mm_storeu_si128((__m128i *)(void *)(ret + i), _mm256_cvtps_ph(sum, _MM_FROUND_TO_NEAREST_INT));
    }
    sample_pixels_fp16(plane, t, i, n, ret);
}

static void bilinear_fp32__avx2(const float *plane, const struct mls_sample_table *t, size_t n, float *ret)
{
    size_t i = 0;
    for (; t->step && i + LANES <= n; i += LANES) {
        __m256 top = row_fp32(plane, t->top + i, t->weights[0] + i, t->weights[1] + i);
        __m256 bottom = row_fp32(plane, t->bottom + i, t->weights[2] + i, t->weights[3] + i);
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
