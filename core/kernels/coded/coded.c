#include "kernels/coded/coded.h"

#include <string.h>

#include "base/fp16.h"
#include "kernels/convert/convert.h"
#include "kernels/lut/lut.h"

enum { BATCH = 512 };

/* Codes of the set elements among [first, first + n) of a row whose first code is at `start`. */
static void sparse_codes(const struct mls_coded *coded, size_t row, size_t first, size_t n, uint8_t *ret)
{
    uint8_t values[BATCH];
    size_t bit = row * coded->code_cols;
    size_t at = coded->row_starts[row] + mls_count_bits(coded->mask, bit, first);
    for (size_t i = 0; i < n; i += BATCH) {
        size_t part = n - i < BATCH ? n - i : BATCH;
        size_t n_values = mls_count_bits(coded->mask, bit + first + i, part);
        mls_unpack_bits(coded->codes, coded->bits, at, n_values, values);
        mls_expand_bits(coded->mask, bit + first + i, part, values, 1, ret + i);
        at += n_values;
    }
}

void mls_coded_codes(const struct mls_coded *coded, size_t code_row, size_t first, size_t n, uint8_t *ret)
{
    if (coded->mask)
        sparse_codes(coded, code_row, first, n, ret);
    else
        mls_unpack_bits(coded->codes, coded->bits, code_row * coded->code_cols + first, n, ret);
}

void mls_coded_table(const struct mls_coded *coded, size_t table, float *ret)
{
    size_t n = ((size_t)1 << coded->bits) * coded->n_vector;
    for (size_t i = 0; i < n; i++) {
        size_t at = table * n + i;
        if (coded->table_dtype == MLS_FP16)
            ret[i] = mls_fp16_to_fp32(((const uint16_t *)coded->tables)[at]);
        else if (coded->table_dtype == MLS_INT8)
            ret[i] = ((const int8_t *)coded->tables)[at];
        else
            ret[i] = ((const uint8_t *)coded->tables)[at];
    }
}

float mls_coded_scale_at(const struct mls_coded *coded, size_t row, size_t term, float *ret_offset)
{
    *ret_offset = 0;
    if (!coded->scales)
        return 1;
    size_t at = row / (coded->n / coded->scale_rows) * coded->scale_cols +
                term / (coded->k / coded->scale_cols);
    if (coded->offsets)
        *ret_offset = mls_fp16_to_fp32(coded->offsets[at]);
    return mls_fp16_to_fp32(coded->scales[at]);
}

static bool is_set(const struct mls_coded *coded, size_t row, size_t col)
{
    size_t bit = row * coded->code_cols + col;
    return !coded->mask || coded->mask[bit / 8] >> bit % 8 & 1;
}

/* fp16 values [first, first + n) of a row. */
static void decode_values(const struct mls_kernels *kernels, const struct mls_coded *coded, size_t row,
                          size_t first, size_t n, float *ret)
{
    const uint16_t *values = coded->codes;
    size_t bit = row * coded->code_cols;
    uint16_t dense[BATCH];
    if (coded->mask) {
        size_t at = coded->row_starts[row] + mls_count_bits(coded->mask, bit, first);
        mls_expand_bits(coded->mask, bit + first, n, values + at, sizeof *values, dense);
    }
    kernels->convert->fp16_to_fp32(coded->mask ? dense : values + bit + first, ret, n);
}

/* Indices have to be of one table. */
static void decode_indices(const struct mls_coded *coded, size_t row, size_t first, size_t n,
                           struct mls_coded_cache *cache, float *ret)
{
    size_t d = coded->n_vector, down = coded->vector_rows ? d : 1, across = coded->vector_rows ? 1 : d;
    size_t col = first / across, n_codes = (first + n - 1) / across - col + 1;
    size_t table = coded->table_cols ? col / (coded->code_cols / coded->n_tables)
                                     : row / down / (coded->code_rows / coded->n_tables);
    uint8_t codes[BATCH];
    if (cache->n_known != table + 1) {
        mls_coded_table(coded, table, cache->table);
        cache->n_known = table + 1;
    }
    mls_coded_codes(coded, row / down, col, n_codes, codes);
    if (d == 1 && !coded->mask) {
        for (size_t i = 0; i < n; i++)
            ret[i] = cache->table[codes[i]];
        return;
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = (first + i) / across - col;
        bool zero = coded->mask && !is_set(coded, row / down, col + at);
        ret[i] = zero ? 0 : cache->table[codes[at] * d + row % down + (first + i) % across];
    }
}

static void decode_integers(const struct mls_coded *coded, size_t row, size_t first, size_t n, float *ret)
{
    unsigned sign = coded->is_signed ? 1u << (coded->bits - 1) : 0;
    uint8_t codes[BATCH];
    mls_coded_codes(coded, row, first, n, codes);
    for (size_t i = 0; i < n; i++)
        ret[i] = (float)((int)(codes[i] ^ sign) - (int)sign);
}

/* scale * (x - offset), but where the mask leaves a zero. */
static void apply_scales(const struct mls_coded *coded, size_t row, size_t first, size_t n, float *x)
{
    size_t down = coded->vector_rows ? coded->n_vector : 1, across = coded->vector_rows ? 1 : coded->n_vector;
    size_t of_scale = coded->scales ? coded->k / coded->scale_cols : 0;
    for (size_t i = 0; coded->scales && i < n;) {
        size_t end = ((first + i) / of_scale + 1) * of_scale - first;
        float offset, scale = mls_coded_scale_at(coded, row, first + i, &offset);
        for (; i < n && i < end; i++)
            x[i] = is_set(coded, row / down, (first + i) / across) ? scale * (x[i] - offset) : 0;
    }
}

void mls_coded_terms(const struct mls_kernels *kernels, const struct mls_coded *coded, size_t row,
                     size_t first, size_t n, struct mls_coded_cache *cache, uint16_t *ret)
{
    float x[BATCH];
    size_t of_table = coded->table_cols ? coded->k / coded->n_tables : coded->k;
    for (size_t i = 0, part; i < n; i += part) {
        part = of_table - (first + i) % of_table;
        part = part < n - i ? part : n - i;
        part = part < BATCH ? part : BATCH;
        if (coded->kind == MLS_CODE_VALUES)
            decode_values(kernels, coded, row, first + i, part, x);
        else if (coded->kind == MLS_CODE_INDICES)
            decode_indices(coded, row, first + i, part, cache, x);
        else
            decode_integers(coded, row, first + i, part, x);
        apply_scales(coded, row, first + i, part, x);
        kernels->convert->fp32_to_fp16(x, ret + i, part);
    }
}

struct expand_job {
    const struct mls_kernels *kernels;
    const struct mls_coded *coded;
    const struct mls_coded_part *part;
    uint16_t *ret;
};

enum { TASK_ROWS = 32 };

static void expand_task(void *context, size_t index, uint32_t thread)
{
    (void)thread;
    const struct expand_job *job = context;
    const struct mls_coded_part *part = job->part;
    struct mls_coded_cache cache;
    cache.n_known = 0;
    for (size_t i = index * TASK_ROWS; i < part->n_rows && i < (index + 1) * TASK_ROWS; i++)
        mls_coded_terms(job->kernels, job->coded, part->first_row + i, part->first_term, part->n_terms, &cache,
                        job->ret + i * part->n_terms);
}

void mls_coded_expand(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_coded *coded,
                      const struct mls_coded_part *part, uint16_t *ret)
{
    struct expand_job job = {.kernels = kernels, .coded = coded, .part = part, .ret = ret};
    mls_pool_for(pool, (part->n_rows + TASK_ROWS - 1) / TASK_ROWS, expand_task, &job);
}
