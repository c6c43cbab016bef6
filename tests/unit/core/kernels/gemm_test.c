#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/gemm/gemm.h"

static const enum mls_isa isas[] = {MLS_ISA_GENERIC, MLS_ISA_AVX2, MLS_ISA_AVX512};
enum { N_ISAS = sizeof isas / sizeof isas[0] };

/* Small integers and halves: sums of a few hundred products are exact in fp32, whatever the order. */
static float number_at(size_t i)
{
    uint32_t x = (uint32_t)i * 2654435761u;
    return (float)((int)(x >> 28) - 8) * 0.5f;
}

struct problem {
    size_t m, n, k, batch;
    enum mls_dtype a_dtype, b_dtype, c_dtype;
    bool a_transposed, b_transposed, pack_a, pack_b;
    int bias; /* 0 none, 1 rows, 2 columns */
};

static void *store(enum mls_dtype dtype, const float *values, size_t n)
{
    size_t bytes = n * (dtype == MLS_FP16 ? 2 : 4);
    void *data = malloc(bytes ? bytes : 1); /* of exactly this size, for the address sanitizer */
    for (size_t i = 0; i < n; i++) {
        if (dtype == MLS_FP16)
            ((uint16_t *)data)[i] = mls_fp32_to_fp16(values[i]);
        else
            ((float *)data)[i] = values[i];
    }
    return data;
}

static float fetch(enum mls_dtype dtype, const void *data, size_t i)
{
    return dtype == MLS_FP16 ? mls_fp16_to_fp32(((const uint16_t *)data)[i]) : ((const float *)data)[i];
}

static float *numbers(size_t n, size_t seed)
{
    float *values = malloc((n ? n : 1) * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = number_at(i + seed * 7919);
    return values;
}

static struct mls_gemm_operand operand(enum mls_dtype dtype, const void *data, size_t rows, size_t cols,
                                       bool transposed)
{
    return (struct mls_gemm_operand){.form = MLS_GEMM_STRIDED,
                                     .dtype = dtype,
                                     .data = data,
                                     .row_stride = transposed ? 1 : cols,
                                     .col_stride = transposed ? rows : 1,
                                     .batch_strides = {rows * cols}};
}

static void *pack(const struct mls_kernels *kernels, enum mls_gemm_side side, const struct problem *p,
                  struct mls_gemm_operand *operand)
{
    size_t extent = side == MLS_GEMM_A ? p->m : p->n;
    size_t elems = mls_gemm_packed_elems(kernels->gemm, side, extent, p->k);
    size_t elem_bytes = operand->dtype == MLS_FP16 ? 2 : 4;
    uint8_t *packed = aligned_alloc(64, (elems * p->batch * elem_bytes + 64) / 64 * 64);
    for (size_t i = 0; i < p->batch; i++)
        mls_gemm_pack(kernels->gemm, NULL, side, operand, i * operand->batch_strides[0], extent, p->k,
                      packed + i * elems * elem_bytes);
    operand->form = MLS_GEMM_PACKED;
    operand->data = packed;
    operand->batch_strides[0] = elems;
    return packed;
}

static void *product(const struct problem *p, enum mls_isa cap, uint32_t threads, const float *a,
                     const float *b, const float *bias)
{
    struct mls_kernels kernels = mls_kernels_pick(cap);
    struct mls_pool *pool = mls_pool_create(threads, threads);
    void *a_data = store(p->a_dtype, a, p->batch * p->m * p->k);
    void *b_data = store(p->b_dtype, b, p->batch * p->k * p->n);
    float *zeros = calloc(p->batch * p->m * p->n + 1, sizeof *zeros);
    void *c = store(p->c_dtype, zeros, p->batch * p->m * p->n);
    free(zeros);
    struct mls_gemm gemm = {.m = p->m,
                            .n = p->n,
                            .k = p->k,
                            .a = operand(p->a_dtype, a_data, p->m, p->k, p->a_transposed),
                            .b = operand(p->b_dtype, b_data, p->k, p->n, p->b_transposed),
                            .n_batch_dims = 1,
                            .batch_dims = {p->batch},
                            .c = c,
                            .c_dtype = p->c_dtype,
                            .c_stride = p->n,
                            .c_batch_strides = {p->m * p->n},
                            .row_bias = p->bias == 1 ? bias : NULL,
                            .col_bias = p->bias == 2 ? bias : NULL};
    void *packed_a = p->pack_a ? pack(&kernels, MLS_GEMM_A, p, &gemm.a) : NULL;
    void *packed_b = p->pack_b ? pack(&kernels, MLS_GEMM_B, p, &gemm.b) : NULL;
    size_t bytes = mls_gemm_scratch_bytes(&kernels, &gemm, threads);
    assert_int_equal(bytes % 64, 0);
    void *scratch = aligned_alloc(64, bytes);
    memset(scratch, 0xff, bytes); /* NaNs: what is read before it is written shows */
    mls_gemm_run(&kernels, pool, &gemm, scratch);
    free(scratch);
    free(packed_a);
    free(packed_b);
    free(a_data);
    free(b_data);
    mls_pool_free(pool);
    return c;
}

static double expected_at(const struct problem *p, const float *a, const float *b, const float *bias,
                          size_t batch, size_t i, size_t j)
{
    double sum = p->bias == 1 ? (double)bias[i] : p->bias == 2 ? (double)bias[j] : 0;
    a += batch * p->m * p->k;
    b += batch * p->k * p->n;
    for (size_t k = 0; k < p->k; k++)
        sum += (double)a[p->a_transposed ? k * p->m + i : i * p->k + k] *
               (double)b[p->b_transposed ? j * p->k + k : k * p->n + j];
    return sum;
}

static void check(const struct problem *p)
{
    float *a = numbers(p->batch * p->m * p->k, 1), *b = numbers(p->batch * p->k * p->n, 2);
    float *bias = numbers(p->m + p->n, 3);
    for (size_t s = 0; s < N_ISAS; s++) {
        void *c = product(p, isas[s], 1 + (uint32_t)s % 2, a, b, bias);
        for (size_t t = 0; t < p->batch; t++)
            for (size_t i = 0; i < p->m; i++)
                for (size_t j = 0; j < p->n; j++) {
                    float want = (float)expected_at(p, a, b, bias, t, i, j);
                    if (p->c_dtype == MLS_FP16)
                        want = mls_fp16_to_fp32(mls_fp32_to_fp16(want));
                    float got = fetch(p->c_dtype, c, (t * p->m + i) * p->n + j);
                    if (got != want)
                        fail_msg("%s %zux%zux%zu batch %zu (%zu, %zu): %g, not %g", mls_isa_name(isas[s]),
                                 p->m, p->n, p->k, t, i, j, (double)got, (double)want);
                }
        free(c);
    }
    free(a);
    free(b);
    free(bias);
}

static void test_every_size_of_tile(void **state)
{
    (void)state;
    for (size_t m = 1; m <= 17; m += m < 9 ? 1 : 4)
        for (size_t n = 1; n <= 100; n += n < 20 ? 3 : 13)
            check(&(struct problem){m, n, 9, 1, MLS_FP32, MLS_FP32, MLS_FP32, false, false, false, true, 1});
}

static void test_every_form_and_type(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 128; bits++) {
        struct problem p = {.m = 19, .n = 53, .k = 21, .batch = 2, .bias = (int)(bits % 3)};
        p.a_dtype = bits & 1 ? MLS_FP16 : MLS_FP32;
        p.b_dtype = bits & 2 ? MLS_FP16 : MLS_FP32;
        p.c_dtype = bits & 4 ? MLS_FP16 : MLS_FP32;
        p.a_transposed = bits & 8;
        p.b_transposed = bits & 16;
        p.pack_a = bits & 32;
        p.pack_b = bits & 64;
        check(&p);
    }
}

static void test_several_blocks_of_k(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 8; bits++)
        check(&(struct problem){9, 50, 700, 1, MLS_FP32, MLS_FP16, bits & 1 ? MLS_FP16 : MLS_FP32, false,
                                false, (bits & 2) != 0, (bits & 4) != 0, 2});
}

static void test_many_rows_and_columns(void **state)
{
    (void)state;
    check(&(struct problem){530, 400, 5, 1, MLS_FP16, MLS_FP16, MLS_FP16, false, true, false, true, 2});
    check(&(struct problem){530, 400, 5, 1, MLS_FP32, MLS_FP32, MLS_FP32, false, false, true, false, 1});
    check(&(struct problem){530, 400, 5, 1, MLS_FP32, MLS_FP32, MLS_FP32, false, true, false, false, 1});
}

static void test_no_terms_give_the_bias(void **state)
{
    (void)state;
    check(&(struct problem){3, 20, 0, 1, MLS_FP32, MLS_FP32, MLS_FP32, false, false, false, false, 1});
    check(&(struct problem){3, 20, 0, 1, MLS_FP32, MLS_FP32, MLS_FP16, false, false, false, true, 0});
}

static void test_empty_products(void **state)
{
    (void)state;
    check(&(struct problem){0, 20, 3, 1, MLS_FP32, MLS_FP32, MLS_FP32, false, false, false, false, 0});
    check(&(struct problem){3, 0, 3, 1, MLS_FP32, MLS_FP32, MLS_FP32, false, false, false, false, 0});
    check(&(struct problem){3, 4, 3, 0, MLS_FP32, MLS_FP32, MLS_FP32, false, false, false, false, 0});
}

static void test_nan_reaches_its_row_and_column_only(void **state)
{
    (void)state;
    struct problem p = {5, 37, 3, 1, MLS_FP32, MLS_FP32, MLS_FP16, false, false, false, true, 0};
    float *a = numbers(p.m * p.k, 1), *b = numbers(p.k * p.n, 2);
    a[2 * p.k + 1] = NAN;
    for (size_t s = 0; s < N_ISAS; s++) {
        void *c = product(&p, isas[s], 1, a, b, NULL);
        for (size_t i = 0; i < p.m * p.n; i++)
            assert_int_equal(isnan(fetch(MLS_FP16, c, i)) != 0, i / p.n == 2);
        free(c);
    }
    free(a);
    free(b);
}

static void test_fp16_overflow_is_infinite(void **state)
{
    (void)state;
    struct problem p = {1, 1, 2, 1, MLS_FP16, MLS_FP16, MLS_FP16, false, false, false, false, 0};
    const float a[] = {60000, 60000}, b[] = {1, 1};
    for (size_t s = 0; s < N_ISAS; s++) {
        void *c = product(&p, isas[s], 1, a, b, NULL);
        assert_int_equal(*(uint16_t *)c, 0x7c00);
        free(c);
    }
}

static void test_threads_do_not_change_a_bit(void **state)
{
    (void)state;
    struct problem p = {70, 500, 600, 1, MLS_FP32, MLS_FP32, MLS_FP32, false, true, false, false, 0};
    float *a = numbers(p.m * p.k, 1), *b = numbers(p.k * p.n, 2);
    for (size_t i = 0; i < p.m * p.k; i++)
        a[i] *= 0.1f;
    void *one = product(&p, MLS_ISA_AVX512, 1, a, b, NULL);
    void *three = product(&p, MLS_ISA_AVX512, 3, a, b, NULL);
    assert_memory_equal(one, three, p.m * p.n * sizeof(float));
    free(one);
    free(three);
    free(a);
    free(b);
}

/* Doubles what it gets, and counts elements so that none is missed or met twice. */
static void double_fp32(const void *context, void *values, size_t first_elem, size_t n)
{
    float *elements = values;
    for (size_t i = 0; i < n; i++)
        elements[i] = 2 * elements[i] + ((const float *)context)[first_elem + i];
}

static void test_epilogue_meets_every_element_once(void **state)
{
    (void)state;
    struct mls_kernels kernels = mls_kernels_pick(MLS_ISA_AVX512);
    enum { M = 10, N = 900, K = 1 };
    float a[M], b[N], c[M * N], added[M * N];
    for (size_t i = 0; i < M * N; i++)
        added[i] = (float)i;
    for (size_t i = 0; i < M; i++)
        a[i] = (float)i;
    for (size_t i = 0; i < N; i++)
        b[i] = 1;
    struct mls_epilogue epilogue = {.apply = double_fp32, .context = added};
    struct mls_gemm gemm = {.m = M,
                            .n = N,
                            .k = K,
                            .a = operand(MLS_FP32, a, M, K, false),
                            .b = operand(MLS_FP32, b, K, N, false),
                            .c = c,
                            .c_dtype = MLS_FP32,
                            .c_stride = N,
                            .epilogue = &epilogue};
    void *scratch = aligned_alloc(64, mls_gemm_scratch_bytes(&kernels, &gemm, 1));
    mls_gemm_run(&kernels, NULL, &gemm, scratch);
    free(scratch);
    for (size_t i = 0; i < M * N; i++)
        assert_true(c[i] == 2 * (float)(i / N) + (float)i);
}

static void test_added_and_clamp_come_last_and_keep_nan(void **state)
{
    (void)state;
    enum { M = 11, N = 130, K = 800 };
    float *a = numbers(M * K, 1), *b = numbers(K * N, 2), *added = numbers(M * N, 3), c[M * N];
    added[N + 70] = NAN;
    added[2 * N] = -INFINITY;
    struct problem p = {.m = M, .n = N, .k = K};
    for (size_t s = 0; s < N_ISAS; s++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[s]);
        struct mls_gemm gemm = {.m = M,
                                .n = N,
                                .k = K,
                                .a = operand(MLS_FP32, a, M, K, false),
                                .b = operand(MLS_FP32, b, K, N, false),
                                .c = c,
                                .c_dtype = MLS_FP32,
                                .c_stride = N,
                                .added = added,
                                .clamps = true,
                                .low = -20,
                                .high = 30};
        void *scratch = aligned_alloc(64, mls_gemm_scratch_bytes(&kernels, &gemm, 1));
        mls_gemm_run(&kernels, NULL, &gemm, scratch);
        free(scratch);
        for (size_t i = 0; i < M * N; i++) {
            float sum = (float)expected_at(&p, a, b, NULL, 0, i / N, i % N) + added[i];
            float want = sum < -20 ? -20 : sum > 30 ? 30 : sum;
            assert_true(isnan(want) ? isnan(c[i]) : c[i] == want);
        }
    }
    free(a);
    free(b);
    free(added);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_of_tile),
        cmocka_unit_test(test_every_form_and_type),
        cmocka_unit_test(test_several_blocks_of_k),
        cmocka_unit_test(test_many_rows_and_columns),
        cmocka_unit_test(test_no_terms_give_the_bias),
        cmocka_unit_test(test_empty_products),
        cmocka_unit_test(test_nan_reaches_its_row_and_column_only),
        cmocka_unit_test(test_fp16_overflow_is_infinite),
        cmocka_unit_test(test_threads_do_not_change_a_bit),
        cmocka_unit_test(test_epilogue_meets_every_element_once),
        cmocka_unit_test(test_added_and_clamp_come_last_and_keep_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
