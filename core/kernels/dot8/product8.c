/* product8.c: products of matrices of 8-bit integers: rows become bytes first, then tiles are multiplied. */
#include <string.h>

#include "kernels/dot8/dot8.h"
#include "kernels/epilogue.h"

/* Rows of one task, whose bytes stay in the second-level cache; and how many tasks there should be for each thread. */
enum { TASK_ROWS = 128, TASKS_PER_THREAD = 4 };

/* Multiply-adds that are worth waking another thread for: some microseconds. */
enum { MULTIPLY_ADDS_PER_THREAD = 1600 * 1000 };

struct job {
    const struct mls_kernels *kernels;
    const struct mls_dot8_product *product;
    size_t row_bytes;
    size_t m_block, n_m_blocks;
    size_t n_panels, panels_per_task;
    uint8_t *bytes;
    int32_t *inputs; /* sums of the rows */
};

static size_t pieces(size_t total, size_t piece)
{
    return (total + piece - 1) / piece;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t words_of(const struct mls_dot8_product *product)
{
    return pieces(product->weights->k, MLS_DOT8_FOUR);
}

static size_t bytes_of_rows(const struct mls_dot8_product *product)
{
    return pieces(product->m * words_of(product) * MLS_DOT8_FOUR, 64) * 64;
}

size_t mls_dot8_product_scratch_bytes(const struct mls_dot8_product *product)
{
    return bytes_of_rows(product) + pieces(product->m * sizeof(int32_t), 64) * 64;
}

static void rows_task(void *context, size_t index, uint32_t thread)
{
    (void)thread;
    const struct job *job = context;
    const struct mls_dot8_columns *weights = job->product->weights;
    size_t end = least((index + 1) * MLS_DOT8_ROWS, job->product->m);
    for (size_t row = index * MLS_DOT8_ROWS; row < end; row++) {
        uint8_t *to = job->bytes + row * job->row_bytes;
        job->kernels->dot8->line(job->product->x + row * weights->k, weights->k, &weights->rounding, to);
        int32_t sum = 0;
        for (size_t i = 0; weights->zeros && i < weights->k; i++)
            sum += to[i];
        job->inputs[row] = sum;
    }
}

static void multiply_panel(const struct job *job, size_t panel, size_t row, size_t end)
{
    const struct mls_dot8_columns *weights = job->product->weights;
    size_t col = panel * MLS_DOT8_PANEL, words = words_of(job->product);
    struct mls_dot8_tile tile = {.n_words = words,
                                 .a_stride = job->row_bytes,
                                 .b = weights->panels + col * words * MLS_DOT8_FOUR,
                                 .starts = weights->starts + col,
                                 .zeros = weights->zeros ? weights->zeros + col : NULL,
                                 .scales = weights->scales + col,
                                 .bias = weights->bias + col,
                                 .y_stride = weights->n,
                                 .n_cols = least(MLS_DOT8_PANEL, weights->n - col)};
    tile.vectors = pieces(tile.n_cols, MLS_DOT16_LANES);
    for (; row < end; row += tile.n_rows) {
        tile.n_rows = least(MLS_DOT8_ROWS, end - row);
        tile.a = job->bytes + row * job->row_bytes;
        tile.inputs = job->inputs + row;
        tile.y = job->product->y + row * weights->n + col;
        job->kernels->dot8->tile(&tile);
    }
}

static void block_task(void *context, size_t index, uint32_t thread)
{
    (void)thread;
    const struct job *job = context;
    const struct mls_dot8_product *product = job->product;
    size_t row = index % job->n_m_blocks * job->m_block, end = least(row + job->m_block, product->m);
    size_t first = index / job->n_m_blocks * job->panels_per_task, last = least(first + job->panels_per_task, job->n_panels);
    for (size_t panel = first; panel < last; panel++)
        multiply_panel(job, panel, row, end);
    size_t col = first * MLS_DOT8_PANEL, n = product->weights->n, n_cols = least(last * MLS_DOT8_PANEL, n) - col;
    for (size_t r = row; product->epilogue && r < end; r++) {
        size_t at = r * n + col;
        product->epilogue->apply(product->epilogue->context, product->y + at, at, n_cols);
    }
}

void mls_dot8_product_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_dot8_product *product,
                          void *scratch)
{
    const struct mls_dot8_columns *weights = product->weights;
    struct job job = {.kernels = kernels,
                      .product = product,
                      .row_bytes = words_of(product) * MLS_DOT8_FOUR,
                      .m_block = pieces(product->m, pieces(product->m, TASK_ROWS)),
                      .n_panels = pieces(weights->n, MLS_DOT8_PANEL),
                      .bytes = scratch};
    job.inputs = (int32_t *)(void *)((uint8_t *)scratch + bytes_of_rows(product));
    job.m_block = pieces(job.m_block, MLS_DOT8_ROWS) * MLS_DOT8_ROWS;
    job.n_m_blocks = pieces(product->m, job.m_block);
    bool shared = (double)product->m * (double)weights->n * (double)weights->k >= 2 * MULTIPLY_ADDS_PER_THREAD;
    size_t wanted = pieces((size_t)mls_pool_threads(pool) * TASKS_PER_THREAD, job.n_m_blocks);
    job.panels_per_task = shared && mls_pool_threads(pool) > 1 ? pieces(job.n_panels, least(wanted, job.n_panels)) : job.n_panels;
    mls_pool_for(shared ? pool : NULL, pieces(product->m, MLS_DOT8_ROWS), rows_task, &job);
    mls_pool_for(shared ? pool : NULL, job.n_m_blocks * pieces(job.n_panels, job.panels_per_task), block_task, &job);
}
