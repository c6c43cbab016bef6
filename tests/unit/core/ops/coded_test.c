#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "kernels/coded/coded.h"
#include "support/op_case.h"

/* Weights [N][K] (or [K][N], where a product takes them so) of int8 with a scale for each of N, or of 4-bit indices. */
enum { N = 300, K = 96 };

static uint32_t mix(size_t i)
{
    uint32_t x = (uint32_t)i * 2654435761u + 7u;
    return x ^ x >> 15;
}

static float x_at(size_t i)
{
    return (float)(int)(mix(i) % 23) * 0.125f - 1.375f;
}

struct weights {
    uint8_t codes[N * K];
    uint16_t table[16];
    uint16_t scales[N];
    struct mls_coded coded;
    double values[N * K]; /* [N][K] */
};

static void make(struct weights *w, bool palette, bool transposed)
{
    for (size_t i = 0; i < N * K; i++)
        w->codes[i] = (uint8_t)mix(i + 1);
    for (size_t i = 0; i < 16; i++)
        w->table[i] = mls_fp32_to_fp16(0.25f * (float)i - 1.5f);
    for (size_t i = 0; i < N; i++)
        w->scales[i] = mls_fp32_to_fp16(0.0078125f * (float)(1 + i % 3));
    size_t rows = transposed ? K : N, cols = transposed ? N : K;
    w->coded = (struct mls_coded){.n = rows,
                                  .k = cols,
                                  .kind = palette ? MLS_CODE_INDICES : MLS_CODE_INTEGERS,
                                  .bits = palette ? 4 : 8,
                                  .is_signed = true,
                                  .codes = w->codes,
                                  .codes_bytes = sizeof w->codes,
                                  .code_rows = rows,
                                  .code_cols = cols,
                                  .table_dtype = MLS_FP16,
                                  .tables = w->table,
                                  .n_tables = 1,
                                  .n_vector = 1,
                                  .vector_rows = true,
                                  .scales = palette ? NULL : w->scales,
                                  .scale_rows = transposed ? 1 : N,
                                  .scale_cols = transposed ? N : 1};
    for (size_t n = 0; n < N; n++)
        for (size_t k = 0; k < K; k++) {
            size_t at = transposed ? k * N + n : n * K + k;
            if (palette)
                w->values[n * K + k] = (double)mls_fp16_to_fp32(w->table[w->codes[at / 2] >> at % 2 * 4 & 15]);
            else
                w->values[n * K + k] = (double)(int8_t)w->codes[at] * (double)mls_fp16_to_fp32(w->scales[n]);
        }
}

/* The weight parameter: a type, and in place of data its stored form. */
static void add_weight(struct op_case *c, const char *param, unsigned rank, const int64_t *dims,
                       const struct weights *w)
{
    struct mls_tensor *tensor = op_case_tensor(c, param, MLS_FP16, rank, dims, NULL);
    tensor->coded = &w->coded;
}

static void check_against_definition(struct op_case *c, const struct weights *w, size_t rows, size_t x_step,
                                     size_t x_row, size_t y_step, size_t y_row, const float *bias)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t n = 0; n < N; n++) {
            double sum = bias ? (double)bias[n] : 0, size = 1;
            for (size_t k = 0; k < K; k++) {
                double term = w->values[n * K + k] * (double)x_at(r * x_row + k * x_step);
                sum += term;
                size += fabs(term);
            }
            double got = op_case_get(c, 0, (int64_t)(r * y_row + n * y_step));
            if (!(fabs(got - sum) <= 1e-3 * fabs(sum) + 3e-4 * size))
                fail_msg("%s row %zu of %zu, output %zu: %g, not %g", c->kernel, r, rows, n, got, sum);
        }
}

static void fill_x(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x_at(i);
}

/* Few rows go by panels, many by strips, and `dense` weights are expanded: all the same numbers. */
static const size_t row_counts[] = {1, 3, 40};
enum { N_ROW_COUNTS = 3, ROWS_MAX = 40 };
static const enum mls_weights uses[] = {MLS_WEIGHTS_AUTO, MLS_WEIGHTS_COMPRESSED};

static void linear_takes_weights_as_they_are_stored(void **state)
{
    (void)state;
    static struct weights w;
    static float x[ROWS_MAX * K], bias[N];
    fill_x(x, ROWS_MAX * K);
    fill_x(bias, N);
    for (int form = 0; form < 2; form++)
        for (size_t i = 0; i < N_ROW_COUNTS * 2; i++) {
            int64_t rows = (int64_t)row_counts[i / 2];
            struct op_case c;
            make(&w, form, false);
            op_case_begin(&c, "linear", 8);
            c.weights = uses[i % 2];
            op_case_floats(&c, "x", MLS_FP16, 2, (int64_t[]){rows, K}, x);
            add_weight(&c, "weight", 2, (int64_t[]){N, K}, &w);
            op_case_floats(&c, "bias", MLS_FP16, 1, (int64_t[]){N}, bias);
            assert_int_equal(op_case_run(&c, MLS_ISA_AVX512_VNNI, 2), MLS_OK);
            check_against_definition(&c, &w, (size_t)rows, 1, K, 1, N, bias);
            op_case_end(&c);
        }
}

static void matmul_takes_a_right_side_as_it_is_stored(void **state)
{
    (void)state;
    static struct weights w;
    static float x[ROWS_MAX * K];
    fill_x(x, ROWS_MAX * K);
    for (int form = 0; form < 4; form++)
        for (size_t i = 0; i < N_ROW_COUNTS * 2; i++) {
            int64_t rows = (int64_t)row_counts[i / 2];
            bool turned = form & 2; /* y is [N][K] */
            struct op_case c;
            make(&w, form & 1, !turned);
            op_case_begin(&c, "matmul", 8);
            c.weights = uses[i % 2];
            op_case_floats(&c, "x", MLS_FP16, 3, (int64_t[]){1, rows, K}, x);
            add_weight(&c, "y", 2, turned ? (int64_t[]){N, K} : (int64_t[]){K, N}, &w);
            op_case_bool(&c, "transpose_y", turned);
            assert_int_equal(op_case_run(&c, MLS_ISA_AVX512_VNNI, 2), MLS_OK);
            check_against_definition(&c, &w, (size_t)rows, 1, K, 1, N, NULL);
            op_case_end(&c);
        }
}

static void pointwise_convolutions_take_weights_as_they_are_stored(void **state)
{
    (void)state;
    static struct weights w;
    static float x[ROWS_MAX * K], bias[N];
    fill_x(x, ROWS_MAX * K);
    fill_x(bias, N);
    for (int form = 0; form < 2; form++)
        for (size_t i = 0; i < N_ROW_COUNTS * 2; i++) {
            size_t positions = row_counts[i / 2];
            struct op_case c;
            make(&w, form, false);
            op_case_begin(&c, "conv", 8);
            c.weights = uses[i % 2];
            op_case_floats(&c, "x", MLS_FP16, 4, (int64_t[]){1, K, 1, (int64_t)positions}, x);
            add_weight(&c, "weight", 4, (int64_t[]){N, K, 1, 1}, &w);
            op_case_floats(&c, "bias", MLS_FP16, 1, (int64_t[]){N}, bias);
            assert_int_equal(op_case_run(&c, MLS_ISA_AVX512_VNNI, 2), MLS_OK);
            check_against_definition(&c, &w, positions, positions, 1, positions, 1, bias);
            op_case_end(&c);
        }
}

static void images_of_one_position_are_rows(void **state)
{
    (void)state;
    static struct weights w;
    static float x[ROWS_MAX * K];
    struct op_case c;
    fill_x(x, ROWS_MAX * K);
    make(&w, false, false);
    op_case_begin(&c, "conv", 8);
    op_case_floats(&c, "x", MLS_FP16, 4, (int64_t[]){3, K, 1, 1}, x);
    add_weight(&c, "weight", 4, (int64_t[]){N, K, 1, 1}, &w);
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_non_null(strstr(c.kernel, "matvec"));
    check_against_definition(&c, &w, 3, 1, K, 1, N, NULL);
    op_case_end(&c);
}

/* Its planes are read where they lie, so that it needs a plain copy. */
static void a_depthwise_convolution_decompresses_its_weight(void **state)
{
    (void)state;
    static struct weights w;
    float x[8 * 4];
    struct op_case c;
    fill_x(x, 8 * 4);
    make(&w, true, false);
    w.coded.n = w.coded.code_rows = 8;
    w.coded.k = w.coded.code_cols = 1;
    op_case_begin(&c, "conv", 8);
    op_case_floats(&c, "x", MLS_FP16, 4, (int64_t[]){1, 8, 2, 2}, x);
    add_weight(&c, "weight", 4, (int64_t[]){8, 1, 1, 1}, &w);
    op_case_int(&c, "groups", 8);
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    for (size_t i = 0; i < 8 * 4; i++) {
        size_t channel = i / 4;
        double weight = (double)mls_fp16_to_fp32(w.table[w.codes[channel / 2] >> channel % 2 * 4 & 15]);
        assert_true(fabs(op_case_get(&c, 0, (int64_t)i) - weight * (double)x[i]) < 2e-3);
    }
    op_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_takes_weights_as_they_are_stored),
        cmocka_unit_test(matmul_takes_a_right_side_as_it_is_stored),
        cmocka_unit_test(pointwise_convolutions_take_weights_as_they_are_stored),
        cmocka_unit_test(images_of_one_position_are_rows),
        cmocka_unit_test(a_depthwise_convolution_decompresses_its_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
