#include "kernels/matvec/matvec.h"

#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/convert/convert.h"

/* Rows of weights of one task, and the bytes that are worth waking another thread for. */
enum { TASK_ROWS = 32, MIN_SHARED_BYTES = 128 * 1024 };

static unsigned bits_of(const struct mls_coded *weights)
{
    static const uint8_t bits[MLS_CODING_COUNT] = {
        [MLS_CODING_FP16] = 16,  [MLS_CODING_INT8] = 8,   [MLS_CODING_UINT8] = 8,
        [MLS_CODING_TABLE4] = 4, [MLS_CODING_TABLE2] = 2, [MLS_CODING_TABLE1] = 1};
    return bits[weights->coding];
}

static size_t row_bytes(const struct mls_coded *weights)
{
    return weights->k * bits_of(weights) / 8;
}

static bool is_power_of_two(size_t n)
{
    return n && !(n & (n - 1));
}

bool mls_matvec_can(const struct mls_coded *weights)
{
    bool blocks = weights->scales || weights->shifts;
    if (!weights->k || (blocks && (!weights->block || weights->k % weights->block)))
        return false;
    bool whole = !blocks || weights->block == weights->k;
    if (!weights->tables)
        return whole || weights->block >= 16;
    size_t terms = 32 / bits_of(weights);
    return weights->k % terms == 0 && (whole || (is_power_of_two(weights->block) && weights->block >= terms));
}

/* Elements of a row of x: up to whole vectors of codes. */
static size_t x_elems(const struct mls_kernels *kernels, const struct mls_coded *weights)
{
    size_t step = kernels->matvec->lanes * (weights->tables ? 32 / bits_of(weights) : 1);
    return (weights->k + step - 1) / step * step;
}

static size_t n_blocks(const struct mls_coded *weights)
{
    return weights->shifts ? weights->k / weights->block : 0;
}

size_t mls_matvec_scratch_bytes(const struct mls_kernels *kernels, const struct mls_matvec *product)
{
    size_t elems = x_elems(kernels, product->weights);
    return ((product->m + 1) * elems * sizeof(float) +
            product->m * n_blocks(product->weights) * sizeof(float) + 63) /
           64 * 64;
}

struct job {
    const struct mls_kernels *kernels;
    const struct mls_matvec *product;
    const float *x;
    size_t x_stride;
    const float *block_sums; /* of x: [m][k / block], when there are shifts */
};

static struct mls_matvec_line line_of(const struct mls_coded *weights, size_t row)
{
    struct mls_matvec_line line = {.k = weights->k,
                                   .codes = (const uint8_t *)weights->codes + row * row_bytes(weights),
                                   .block = weights->scales ? weights->block : weights->k};
    if (weights->tables)
        line.table = weights->tables + row / weights->rows_per_table * MLS_MATVEC_TABLE;
    line.block_bits = (unsigned)__builtin_ctzll(line.block);
    if (weights->scales)
        line.scales = weights->scales + row * (weights->k / weights->block);
    return line;
}

/* Sums of row m of x and the task's rows of weights, from `first` on, as results. */
static void store(const struct job *job, size_t m, size_t first, size_t n, float *sums)
{
    const struct mls_matvec *product = job->product;
    const struct mls_coded *weights = product->weights;
    size_t at = m * weights->n + first, blocks = n_blocks(weights);
    for (size_t i = 0; i < n; i++)
        for (size_t b = 0; b < blocks; b++)
            sums[i] -= weights->shifts[(first + i) * blocks + b] * job->block_sums[m * blocks + b];
    for (size_t i = 0; product->bias && i < n; i++)
        sums[i] += product->bias[first + i];
    uint8_t *y = (uint8_t *)product->y + at * (product->y_dtype == MLS_FP16 ? 2 : 4);
    if (product->y_dtype == MLS_FP16)
        job->kernels->convert->fp32_to_fp16(sums, (uint16_t *)(void *)y, n);
    else
        memcpy(y, sums, n * sizeof *sums);
    if (product->epilogue)
        product->epilogue->apply(product->epilogue->context, y, at, n);
}

static void rows_task(void *context, size_t index, uint32_t thread)
{
    (void)thread;
    const struct job *job = context;
    const struct mls_matvec *product = job->product;
    const struct mls_coded *weights = product->weights;
    size_t first = index * TASK_ROWS;
    size_t n = weights->n - first < TASK_ROWS ? weights->n - first : TASK_ROWS;
    for (size_t m = 0; m < product->m; m += MLS_MATVEC_ROWS) {
        size_t rows = product->m - m < MLS_MATVEC_ROWS ? product->m - m : MLS_MATVEC_ROWS;
        mls_matvec_kernel *dot = job->kernels->matvec->dot[weights->coding][rows - 1];
        float sums[MLS_MATVEC_ROWS][TASK_ROWS];
        for (size_t i = 0; i < n; i++) {
            struct mls_matvec_line line = line_of(weights, first + i);
            float row[MLS_MATVEC_ROWS];
            line.x = job->x + m * job->x_stride;
            line.x_stride = job->x_stride;
            dot(&line, row);
            for (size_t r = 0; r < rows; r++)
                sums[r][i] = row[r];
        }
        for (size_t r = 0; r < rows; r++)
            store(job, m + r, first, n, sums[r]);
    }
}

void mls_matvec_arrange(const float *x, size_t k, unsigned bits, size_t lanes, float *ret)
{
    size_t terms = 32 / bits, step = terms * lanes;
    for (size_t at = 0; at < k; at += step)
        for (size_t i = 0; i < terms; i++)
            for (size_t l = 0; l < lanes; l++) {
                size_t from = at + l * terms + i;
                ret[at + i * lanes + l] = from < k ? x[from] : 0;
            }
}

/* One row of x as fp32 in the order that the coding wants, and the sums of its blocks. `row` holds k floats.
 */
static void prepare_row(const struct mls_kernels *kernels, const struct mls_matvec *product, size_t m,
                        float *row, float *ret, float *ret_sums)
{
    const struct mls_coded *weights = product->weights;
    float *to = weights->tables ? row : ret;
    if (product->x_dtype == MLS_FP16)
        kernels->convert->fp16_to_fp32((const uint16_t *)product->x + m * weights->k, to, weights->k);
    else
        memcpy(to, (const float *)product->x + m * weights->k, weights->k * sizeof *to);
    for (size_t b = 0; b < n_blocks(weights); b++) {
        ret_sums[b] = 0;
        for (size_t i = 0; i < weights->block; i++)
            ret_sums[b] += to[b * weights->block + i];
    }
    if (weights->tables)
        mls_matvec_arrange(row, weights->k, bits_of(weights), kernels->matvec->lanes, ret);
}

void mls_matvec_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                    const struct mls_matvec *product, void *scratch)
{
    const struct mls_coded *weights = product->weights;
    struct job job = {
        .kernels = kernels, .product = product, .x = scratch, .x_stride = x_elems(kernels, weights)};
    float *x = scratch, *row = x + product->m * job.x_stride, *sums = row + job.x_stride;
    job.block_sums = sums;
    for (size_t m = 0; m < product->m; m++)
        prepare_row(kernels, product, m, row, x + m * job.x_stride, sums + m * n_blocks(weights));
    if (row_bytes(weights) * weights->n < MIN_SHARED_BYTES)
        pool = NULL;
    mls_pool_for(pool, (weights->n + TASK_ROWS - 1) / TASK_ROWS, rows_task, &job);
}

size_t mls_coded_code_bytes(const struct mls_coded *weights)
{
    return row_bytes(weights) * weights->n;
}

void mls_coded_row(const struct mls_kernels *kernels, const struct mls_coded *weights, size_t row, float *ret)
{
    struct mls_matvec_line line = line_of(weights, row);
    const uint8_t *codes = line.codes;
    unsigned bits = bits_of(weights), mask = (1u << bits) - 1;
    if (weights->coding == MLS_CODING_FP16)
        kernels->convert->fp16_to_fp32(line.codes, ret, weights->k);
    for (size_t k = 0; k < weights->k && weights->coding != MLS_CODING_FP16; k++) {
        unsigned code = (unsigned)codes[k * bits / 8] >> (k * bits % 8) & mask;
        if (weights->tables)
            ret[k] = line.table[code];
        else
            ret[k] = weights->coding == MLS_CODING_INT8 ? (float)(int8_t)code : (float)code;
    }
    for (size_t k = 0; line.scales && k < weights->k; k++)
        ret[k] *= mls_fp16_to_fp32(line.scales[k / line.block]);
    for (size_t k = 0; weights->shifts && k < weights->k; k++)
        ret[k] -= weights->shifts[row * (weights->k / weights->block) + k / weights->block];
}

struct expand_job {
    const struct mls_kernels *kernels;
    const struct mls_coded *weights;
    float *rows; /* one a thread */
    uint16_t *ret;
};

static void expand_task(void *context, size_t index, uint32_t thread)
{
    const struct expand_job *job = context;
    size_t k = job->weights->k, end = (index + 1) * TASK_ROWS;
    float *row = job->rows + thread * k;
    for (size_t i = index * TASK_ROWS; i < end && i < job->weights->n; i++) {
        mls_coded_row(job->kernels, job->weights, i, row);
        job->kernels->convert->fp32_to_fp16(row, job->ret + i * k, k);
    }
}

bool mls_coded_expand(const struct mls_kernels *kernels, struct mls_pool *pool,
                      const struct mls_coded *weights, uint16_t *ret)
{
    struct expand_job job = {.kernels = kernels, .weights = weights, .ret = ret};
    job.rows = calloc(weights->k * mls_pool_threads(pool), sizeof *job.rows);
    if (!job.rows)
        return false;
    mls_pool_for(pool, (weights->n + TASK_ROWS - 1) / TASK_ROWS, expand_task, &job);
    free(job.rows);
    return true;
}
