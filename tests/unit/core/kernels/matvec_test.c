#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/matvec/matvec.h"

static const enum mls_isa isas[] = {MLS_ISA_GENERIC, MLS_ISA_AVX2, MLS_ISA_AVX512};
enum { N_ISAS = sizeof isas / sizeof isas[0] };
static const unsigned bits_of[MLS_CODING_COUNT] = {16, 8, 8, 4, 2, 1};

struct problem {
    enum mls_coding coding;
    size_t m, n, k, block; /* block 0: no scales */
    bool shifts, bias, half;
};

static uint32_t mix(size_t i)
{
    uint32_t x = (uint32_t)i * 2654435761u + 99u;
    return x ^ x >> 15;
}

static float small(size_t i)
{
    return (float)(int)(mix(i) % 17) * 0.25f - 2.0f;
}

/* Weights of exactly the bytes they need, for the address sanitizer. */
static struct mls_coded make_weights(const struct problem *p)
{
    size_t bytes = p->n * p->k * bits_of[p->coding] / 8, blocks = p->block ? p->k / p->block : 1;
    uint8_t *codes = malloc(bytes);
    uint16_t *scales = malloc(p->n * blocks * sizeof *scales);
    float *shifts = malloc(p->n * blocks * sizeof *shifts);
    float *tables = malloc((p->n + 1) / 2 * MLS_MATVEC_TABLE * sizeof *tables);
    for (size_t i = 0; i < bytes; i++)
        codes[i] = (uint8_t)mix(i);
    for (size_t i = 0; p->coding == MLS_CODING_FP16 && i < bytes / 2; i++)
        ((uint16_t *)(void *)codes)[i] = mls_fp32_to_fp16(small(i));
    for (size_t i = 0; i < p->n * blocks; i++) {
        scales[i] = mls_fp32_to_fp16(0.5f + (float)(i % 5));
        shifts[i] = (float)(i % 3);
    }
    size_t entries = (size_t)1 << (bits_of[p->coding] < 8 ? bits_of[p->coding] : 4);
    for (size_t i = 0; i < (p->n + 1) / 2 * MLS_MATVEC_TABLE; i++)
        tables[i] = small(i / MLS_MATVEC_TABLE * MLS_MATVEC_TABLE + i % MLS_MATVEC_TABLE % entries);
    return (struct mls_coded){.coding = p->coding,
                              .n = p->n,
                              .k = p->k,
                              .codes = codes,
                              .tables = bits_of[p->coding] < 8 ? tables : (free(tables), NULL),
                              .rows_per_table = 2,
                              .scales = p->block ? scales : (free(scales), NULL),
                              .shifts = p->shifts ? shifts : (free(shifts), NULL),
                              .block = p->block};
}

static void free_weights(struct mls_coded *weights)
{
    free((void *)(uintptr_t)weights->codes);
    free((void *)(uintptr_t)weights->tables);
    free((void *)(uintptr_t)weights->scales);
    free((void *)(uintptr_t)weights->shifts);
}

/* What a code stands for, by its definition. */
static double weight_at(const struct problem *p, const struct mls_coded *weights, size_t row, size_t k)
{
    const uint8_t *codes = weights->codes;
    size_t bit = (row * p->k + k) * bits_of[p->coding];
    double value;
    if (p->coding == MLS_CODING_FP16)
        value = (double)mls_fp16_to_fp32(((const uint16_t *)weights->codes)[row * p->k + k]);
    else if (p->coding == MLS_CODING_INT8)
        value = (int8_t)codes[bit / 8];
    else if (p->coding == MLS_CODING_UINT8)
        value = codes[bit / 8];
    else
        value = (double)weights->tables[row / 2 * MLS_MATVEC_TABLE +
                                        (codes[bit / 8] >> bit % 8 & ((1 << bits_of[p->coding]) - 1))];
    size_t at = p->block ? row * (p->k / p->block) + k / p->block : 0;
    if (weights->scales)
        value *= (double)mls_fp16_to_fp32(weights->scales[at]);
    return weights->shifts ? value - (double)weights->shifts[at] : value;
}

static void check_isa(const struct problem *p, const struct mls_coded *weights, enum mls_isa cap,
                      const float *x, const float *bias)
{
    struct mls_kernels kernels = mls_kernels_pick(cap);
    struct mls_pool *pool = mls_pool_create(2, 2);
    float *y = malloc(p->m * p->n * sizeof *y);
    uint16_t *halves = malloc(p->m * p->k * sizeof *halves);
    for (size_t i = 0; i < p->m * p->k; i++)
        halves[i] = mls_fp32_to_fp16(x[i]);
    struct mls_matvec product = {.m = p->m,
                                 .x = p->half ? (const void *)halves : x,
                                 .x_dtype = p->half ? MLS_FP16 : MLS_FP32,
                                 .weights = weights,
                                 .bias = p->bias ? bias : NULL,
                                 .y = y,
                                 .y_dtype = MLS_FP32};
    assert_true(mls_matvec_can(weights));
    size_t bytes = mls_matvec_scratch_bytes(&kernels, &product);
    void *scratch = aligned_alloc(64, bytes);
    memset(scratch, 0xff, bytes);
    mls_matvec_run(&kernels, pool, &product, scratch);
    for (size_t i = 0; i < p->m * p->n; i++) {
        double sum = p->bias ? (double)bias[i % p->n] : 0, size = 1;
        for (size_t k = 0; k < p->k; k++) {
            double term = (double)x[i / p->n * p->k + k] * weight_at(p, weights, i % p->n, k);
            sum += term;
            size += fabs(term);
        }
        if (!(fabs((double)y[i] - sum) <= 1e-5 * size))
            fail_msg("%s coding %d %zux%zux%zu block %zu (%zu): %g, not %g", mls_isa_name(cap),
                     (int)p->coding, p->m, p->n, p->k, p->block, i, (double)y[i], sum);
    }
    free(scratch);
    free(halves);
    free(y);
    mls_pool_free(pool);
}

static void check(const struct problem *p)
{
    struct mls_coded weights = make_weights(p);
    float *x = malloc(p->m * p->k * sizeof *x), *bias = malloc(p->n * sizeof *bias),
          *row = malloc(p->k * sizeof *row);
    for (size_t i = 0; i < p->m * p->k; i++)
        x[i] = small(i + 5);
    for (size_t i = 0; i < p->n; i++)
        bias[i] = small(i + 77);
    for (size_t s = 0; s < N_ISAS; s++)
        check_isa(p, &weights, isas[s], x, bias);
    struct mls_kernels kernels = mls_kernels_pick(MLS_ISA_GENERIC);
    mls_coded_row(&kernels, &weights, p->n - 1, row);
    for (size_t k = 0; k < p->k; k++)
        assert_true(fabs((double)row[k] - weight_at(p, &weights, p->n - 1, k)) < 1e-6);
    free(x);
    free(bias);
    free(row);
    free_weights(&weights);
}

static void every_coding_gives_the_products_of_what_it_stands_for(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 32}, {5, 96}, {33, 160}, {70, 1056}, {3, 4096}};
    for (int coding = 0; coding < MLS_CODING_COUNT; coding++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (size_t m = 1; m <= 5; m++) {
                struct problem p = {
                    .coding = (enum mls_coding)coding, .m = m, .n = sizes[i][0], .k = sizes[i][1]};
                p.half = m % 2;
                check(&p);
                p.bias = true;
                p.block = p.k;
                check(&p);
                p.block = 32;
                check(&p);
                p.shifts = true;
                check(&p);
            }
}

static void odd_lengths_read_no_further(void **state)
{
    (void)state;
    for (size_t k = 1; k < 70; k += 4) {
        check(&(struct problem){.coding = MLS_CODING_FP16, .m = 1, .n = 3, .k = k});
        check(&(struct problem){.coding = MLS_CODING_INT8, .m = 2, .n = 3, .k = k, .block = k});
        check(&(struct problem){
            .coding = MLS_CODING_UINT8, .m = 3, .n = 3, .k = k, .block = k, .shifts = true});
        check(&(struct problem){.coding = MLS_CODING_TABLE4, .m = 1, .n = 3, .k = 8 * k});
        check(&(struct problem){.coding = MLS_CODING_TABLE4, .m = 1, .n = 3, .k = 8 * k, .block = 8});
    }
}

static void forms_that_do_not_fit_the_steps_are_left_alone(void **state)
{
    (void)state;
    struct mls_coded weights = {.coding = MLS_CODING_TABLE4, .n = 4, .k = 36, .tables = (const float[16]){0}};
    assert_false(mls_matvec_can(&weights));
    weights.k = 96;
    assert_true(mls_matvec_can(&weights));
    weights.scales = (const uint16_t[4]){0};
    weights.block = 24;
    assert_false(mls_matvec_can(&weights));
    weights = (struct mls_coded){
        .coding = MLS_CODING_INT8, .n = 4, .k = 96, .scales = (const uint16_t[4]){0}, .block = 8};
    assert_false(mls_matvec_can(&weights));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_coding_gives_the_products_of_what_it_stands_for),
        cmocka_unit_test(odd_lengths_read_no_further),
        cmocka_unit_test(forms_that_do_not_fit_the_steps_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
