#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/fixed/fixed.h"

static const enum mls_isa isas[] = {MLS_ISA_GENERIC, MLS_ISA_AVX512_VNNI};
enum { N_ISAS = sizeof isas / sizeof isas[0] };

struct problem {
    size_t m, n, k;
    enum mls_dtype c_dtype;
    bool bias;
    bool columns; /* B lies as [k][n] instead of [n][k] */
};

/* Halves whose magnitudes lie within a factor of 16 of each other. */
static uint16_t half_at(size_t i)
{
    uint32_t x = (uint32_t)i * 2654435761u + 12345u;
    x ^= x >> 15;
    float value = ((float)(x & 0xffff) / 32768.0f - 1.0f) * (float)(1u << (x >> 30));
    return mls_fp32_to_fp16(value);
}

static uint16_t *halves(size_t n, size_t seed)
{
    uint16_t *values = malloc((n ? n : 1) * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = half_at(i + seed * 7919);
    return values;
}

static void *product(const struct problem *p, enum mls_isa cap, uint32_t threads, const uint16_t *a,
                     const uint16_t *b, const float *bias)
{
    struct mls_kernels kernels = mls_kernels_pick(cap);
    struct mls_pool *pool = mls_pool_create(threads, threads);
    struct mls_gemm gemm = {
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .a = {.form = MLS_GEMM_STRIDED, .dtype = MLS_FP16, .data = a, .row_stride = p->k, .col_stride = 1},
        .b = {.form = MLS_GEMM_STRIDED,
              .dtype = MLS_FP16,
              .data = b,
              .row_stride = p->columns ? p->n : 1,
              .col_stride = p->columns ? 1 : p->k},
        .c = malloc(p->m * p->n * (p->c_dtype == MLS_FP16 ? 2 : 4)),
        .c_dtype = p->c_dtype,
        .c_stride = p->n,
        .col_bias = p->bias ? bias : NULL};
    void *packed = aligned_alloc(64, mls_fixed_bytes(kernels.fixed, p->n, p->k));
    assert_true(mls_fixed_pack(&kernels, pool, &gemm.b, p->n, p->k, packed));
    gemm.b = (struct mls_gemm_operand){.form = MLS_GEMM_FIXED, .dtype = MLS_FP16, .data = packed};
    size_t bytes = mls_gemm_scratch_bytes(&kernels, &gemm, threads);
    void *scratch = aligned_alloc(64, bytes);
    memset(scratch, 0xff, bytes);
    mls_gemm_run(&kernels, pool, &gemm, scratch);
    free(scratch);
    free(packed);
    mls_pool_free(pool);
    return gemm.c;
}

static double fetch(const struct problem *p, const void *c, size_t i)
{
    return p->c_dtype == MLS_FP16 ? (double)mls_fp16_to_fp32(((const uint16_t *)c)[i])
                                  : (double)((const float *)c)[i];
}

/* The exact sum, and what rounding each factor to 12 bits of its block's largest value may add to it. */
static void expect(const struct problem *p, const uint16_t *a, const uint16_t *b, const float *bias, size_t i,
                   size_t j, double *ret_sum, double *ret_margin)
{
    *ret_sum = p->bias ? (double)bias[j] : 0;
    *ret_margin = 1e-6;
    for (size_t k = 0; k < p->k; k++) {
        double x = (double)mls_fp16_to_fp32(a[i * p->k + k]);
        double y = (double)mls_fp16_to_fp32(b[p->columns ? k * p->n + j : j * p->k + k]);
        *ret_sum += x * y;
        *ret_margin += 8.0 / 4096 * (fabs(x) + fabs(y)); /* largest value 8, half a step is 8 / 4096 */
    }
    if (p->c_dtype == MLS_FP16)
        *ret_margin += fabs(*ret_sum) / 2048;
}

static void check(const struct problem *p)
{
    uint16_t *a = halves(p->m * p->k, 1), *b = halves(p->n * p->k, 2);
    float *bias = malloc((p->n + 1) * sizeof *bias);
    for (size_t i = 0; i < p->n; i++)
        bias[i] = (float)i - 7.5f;
    void *generic = NULL;
    for (size_t s = 0; s < N_ISAS; s++) {
        void *c = product(p, isas[s], 1 + (uint32_t)s % 2, a, b, bias);
        for (size_t i = 0; i < p->m * p->n; i++) {
            double sum, margin, got = fetch(p, c, i);
            expect(p, a, b, bias, i / p->n, i % p->n, &sum, &margin);
            if (!(fabs(got - sum) <= margin))
                fail_msg("%s %zux%zux%zu (%zu, %zu): %g, not %g", mls_isa_name(isas[s]), p->m, p->n, p->k,
                         i / p->n, i % p->n, got, sum);
            double first = generic ? fetch(p, generic, i) : got;
            assert_true(fabs(got - first) <= 1e-3 * fabs(first) + 1e-4);
        }
        if (!generic)
            generic = c;
        else
            free(c);
    }
    free(generic);
    free(a);
    free(b);
    free(bias);
}

static void products_of_odd_sizes(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{1, 1, 1},     {3, 5, 7},     {8, 48, 128},  {9, 49, 129},
                                      {17, 100, 63}, {40, 33, 300}, {13, 16, 257}, {300, 200, 130}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int variant = 0; variant < 4; variant++)
            check(&(struct problem){.m = sizes[i][0],
                                    .n = sizes[i][1],
                                    .k = sizes[i][2],
                                    .c_dtype = variant & 1 ? MLS_FP16 : MLS_FP32,
                                    .bias = variant & 1,
                                    .columns = variant & 2});
}

/* Values within a factor of four of the largest keep all their bits: the product is exact. */
static void near_values_are_exact(void **state)
{
    (void)state;
    enum { M = 11, N = 21, K = 140 };
    uint16_t a[M * K], b[N * K];
    for (size_t i = 0; i < M * K; i++)
        a[i] = mls_fp32_to_fp16(1.0f + (float)(i * 37 % 1024) / 1024.0f);
    for (size_t i = 0; i < N * K; i++)
        b[i] = mls_fp32_to_fp16(i % 3 ? -3.0f : 1.5f);
    const struct problem p = {.m = M, .n = N, .k = K, .c_dtype = MLS_FP32};
    for (size_t s = 0; s < N_ISAS; s++) {
        float *c = product(&p, isas[s], 1, a, b, NULL);
        for (size_t i = 0; i < M * N; i++) {
            double sum = 0;
            for (size_t k = 0; k < K; k++)
                sum +=
                    (double)mls_fp16_to_fp32(a[i / N * K + k]) * (double)mls_fp16_to_fp32(b[i % N * K + k]);
            assert_true((double)c[i] == (double)(float)sum);
        }
        free(c);
    }
}

/* The largest products there are fill int32, and do not leave it. */
static void full_blocks_do_not_overflow(void **state)
{
    (void)state;
    enum { M = 8, N = 16, K = 128 };
    uint16_t a[M * K], b[N * K];
    for (size_t i = 0; i < M * K; i++)
        a[i] = 0x7bff; /* 65504 */
    for (size_t i = 0; i < N * K; i++)
        b[i] = i / K % 2 ? 0x7bff : 0xfbff;
    const struct problem p = {.m = M, .n = N, .k = K, .c_dtype = MLS_FP32};
    for (size_t s = 0; s < N_ISAS; s++) {
        float *c = product(&p, isas[s], 1, a, b, NULL);
        for (size_t i = 0; i < M * N; i++)
            assert_true(c[i] == (i % 2 ? 65504.0f * 65504.0f * 128.0f : -65504.0f * 65504.0f * 128.0f));
        free(c);
    }
}

static void infinity_and_nan_pass_as_in_fp32(void **state)
{
    (void)state;
    enum { M = 20, N = 50, K = 130 };
    uint16_t *a = halves(M * K, 1), *b = halves(N * K, 2);
    a[3 * K + 100] = 0x7c00;
    a[7 * K + 129] = 0x7e00;
    const struct problem p = {.m = M, .n = N, .k = K, .c_dtype = MLS_FP32};
    for (size_t s = 0; s < N_ISAS; s++) {
        float *c = product(&p, isas[s], 1, a, b, NULL);
        for (size_t j = 0; j < N; j++) {
            assert_true(c[3 * N + j] == (b[j * K + 100] & 0x8000 ? -INFINITY : INFINITY));
            assert_true(isnan(c[7 * N + j]));
            double sum, margin;
            expect(&p, a, b, NULL, 5, j, &sum, &margin);
            assert_true(fabs((double)c[5 * N + j] - sum) <= margin);
        }
        free(c);
    }
    b[17] = 0x7c00;
    struct mls_kernels kernels = mls_kernels_pick(MLS_ISA_GENERIC);
    struct mls_gemm_operand source = {
        .form = MLS_GEMM_STRIDED, .dtype = MLS_FP16, .data = b, .row_stride = 1, .col_stride = K};
    void *packed = aligned_alloc(64, mls_fixed_bytes(kernels.fixed, N, K));
    assert_false(mls_fixed_pack(&kernels, NULL, &source, N, K, packed));
    free(packed);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_odd_sizes),
        cmocka_unit_test(near_values_are_exact),
        cmocka_unit_test(full_blocks_do_not_overflow),
        cmocka_unit_test(infinity_and_nan_pass_as_in_fp32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
