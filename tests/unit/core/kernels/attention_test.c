#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/attention/attention.h"

/* Heads lie beside each other in a row, as they do where a projection made them. */
struct problem {
    size_t heads, n_queries, n_keys, key_elems, value_elems;
    enum mls_dtype mask_dtype; /* of one mask for all heads; MLS_FP16 with no_mask: none */
    bool no_mask;
};

static uint16_t half_at(size_t i)
{
    uint32_t x = (uint32_t)i * 2654435761u + 977u;
    x ^= x >> 13;
    return mls_fp32_to_fp16(((float)(x & 0xffff) / 32768.0f - 1.0f) * 2.5f);
}

static uint16_t *halves(size_t n, size_t seed)
{
    uint16_t *values = malloc((n ? n : 1) * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = half_at(i + seed * 7919);
    return values;
}

/* Every third key is taken away from every other query; the last query keeps its first key only. */
static bool is_kept(const struct problem *p, size_t query, size_t key)
{
    return query + 1 == p->n_queries ? key == 0 : query % 2 || key % 3;
}

static void *mask_of(const struct problem *p)
{
    size_t n = p->n_queries * p->n_keys;
    float *mask = malloc(n * sizeof *mask);
    for (size_t i = 0; i < n; i++) {
        float value = is_kept(p, i / p->n_keys, i % p->n_keys) ? 0.25f * (float)(i % 5) : -INFINITY;
        if (p->mask_dtype == MLS_BOOL)
            ((uint8_t *)mask)[i] = value >= 0;
        else if (p->mask_dtype == MLS_FP16)
            ((uint16_t *)mask)[i] = mls_fp32_to_fp16(value);
        else
            mask[i] = value;
    }
    return mask;
}

static struct mls_attention_operand operand(const void *data, size_t heads, size_t elems)
{
    return (struct mls_attention_operand){
        .data = data, .row_stride = heads * elems, .batch_strides = {elems}};
}

static uint16_t *attend(const struct problem *p, enum mls_isa cap, uint32_t threads, const uint16_t *query,
                        const uint16_t *key, const uint16_t *value, const void *mask)
{
    struct mls_kernels kernels = mls_kernels_pick(cap);
    struct mls_pool *pool = mls_pool_create(threads, threads);
    uint16_t *result = malloc(p->heads * p->n_queries * p->value_elems * sizeof *result);
    struct mls_attention attention = {.n_batch_dims = 1,
                                      .batch_dims = {p->heads},
                                      .n_queries = p->n_queries,
                                      .n_keys = p->n_keys,
                                      .key_elems = p->key_elems,
                                      .value_elems = p->value_elems,
                                      .dtype = MLS_FP16,
                                      .scale = 0.2f,
                                      .query = operand(query, p->heads, p->key_elems),
                                      .key = operand(key, p->heads, p->key_elems),
                                      .value = operand(value, p->heads, p->value_elems),
                                      .result = result,
                                      .result_layout = operand(NULL, p->heads, p->value_elems),
                                      .mask_dtype = p->mask_dtype,
                                      .mask = mask,
                                      .mask_query_stride = p->n_keys};
    size_t bytes = mls_attention_scratch_bytes(&kernels, &attention, threads);
    void *scratch = aligned_alloc(64, bytes);
    memset(scratch, 0xff, bytes);
    mls_attention_run(&kernels, pool, &attention, scratch);
    free(scratch);
    mls_pool_free(pool);
    return result;
}

static void check(const struct problem *p)
{
    uint16_t *query = halves(p->heads * p->n_queries * p->key_elems, 1);
    uint16_t *key = halves(p->heads * p->n_keys * p->key_elems, 2);
    uint16_t *value = halves(p->heads * p->n_keys * p->value_elems, 3);
    void *mask = p->no_mask ? NULL : mask_of(p);
    uint16_t *want = attend(p, MLS_ISA_GENERIC, 1, query, key, value, mask);
    uint16_t *got = attend(p, MLS_ISA_AVX512_VNNI, 1, query, key, value, mask);
    uint16_t *shared = attend(p, MLS_ISA_AVX512_VNNI, 3, query, key, value, mask);
    size_t n = p->heads * p->n_queries * p->value_elems;
    assert_memory_equal(got, shared, n * sizeof *got);
    for (size_t i = 0; i < n; i++) {
        float a = mls_fp16_to_fp32(want[i]), b = mls_fp16_to_fp32(got[i]);
        if (!(fabsf(a - b) <= 4e-3f))
            fail_msg("%zu queries, %zu keys, %zu: %g, not %g", p->n_queries, p->n_keys, i, (double)b,
                     (double)a);
    }
    free(query);
    free(key);
    free(value);
    free(mask);
    free(want);
    free(got);
    free(shared);
}

static void every_instruction_set_agrees_with_generic(void **state)
{
    (void)state;
    static const size_t sizes[][4] = {{1, 1, 3, 5},      {16, 16, 16, 16},    {17, 129, 64, 64},
                                      {70, 390, 33, 50}, {130, 200, 140, 17}, {65, 800, 32, 32}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct problem p = {3, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3], MLS_FP16, true};
        check(&p);
        p.no_mask = false;
        check(&p);
        p.mask_dtype = MLS_FP32;
        check(&p);
        p.mask_dtype = MLS_BOOL;
        check(&p);
    }
}

/* A query that is infinite, a mask that leaves no key, a NaN in V: as in fp32, and where it belongs only. */
static void what_is_not_finite_stays_where_it_is(void **state)
{
    (void)state;
    const struct problem p = {2, 80, 150, 32, 32, MLS_FP32, false};
    uint16_t *query = halves(p.heads * p.n_queries * p.key_elems, 1);
    uint16_t *key = halves(p.heads * p.n_keys * p.key_elems, 2);
    uint16_t *value = halves(p.heads * p.n_keys * p.value_elems, 3);
    float *mask = mask_of(&p);
    query[70 * 64] = 0x7c00;
    value[20 * 64 + 40] = 0x7e00; /* of the second head */
    for (size_t i = 0; i < p.n_keys; i++)
        mask[5 * p.n_keys + i] = -INFINITY;
    mask[7 * p.n_keys + 3] = NAN;
    uint16_t *want = attend(&p, MLS_ISA_GENERIC, 1, query, key, value, mask);
    uint16_t *got = attend(&p, MLS_ISA_AVX512_VNNI, 2, query, key, value, mask);
    for (size_t i = 0; i < p.heads * p.n_queries * p.value_elems; i++) {
        float a = mls_fp16_to_fp32(want[i]), b = mls_fp16_to_fp32(got[i]);
        assert_int_equal(isnan(a) != 0, isnan(b) != 0);
        assert_true(isnan(a) || fabsf(a - b) <= 4e-3f);
    }
    assert_true(isnan(mls_fp16_to_fp32(got[5 * 64])) && isnan(mls_fp16_to_fp32(got[7 * 64])));
    assert_false(isnan(mls_fp16_to_fp32(got[6 * 64])));
    free(query);
    free(key);
    free(value);
    free(mask);
    free(want);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instruction_set_agrees_with_generic),
        cmocka_unit_test(what_is_not_finite_stays_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
