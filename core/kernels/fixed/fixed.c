#include "kernels/fixed/fixed.h"

#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"

/* Blocks of C for one task: its panel of A and its sums stay in a second-level cache of 1 MiB. */
enum { TASK_ROWS = 256, TASK_COLS = 192, TASKS_PER_THREAD = 4 };

/* Multiply-adds that are worth waking another thread for: some microseconds. */
enum { MULTIPLY_ADDS_PER_THREAD = 800 * 1000 };

static size_t round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static size_t pieces(size_t total, size_t piece)
{
    return (total + piece - 1) / piece;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

struct mls_fixed_columns mls_fixed_columns_at(const struct mls_fixed_kernels *kernels, size_t n, size_t k,
                                              const void *packed)
{
    struct mls_fixed_columns columns = {.n = n,
                                        .n_round = round_up(n, kernels->lanes),
                                        .k = k,
                                        .panel_cols = MLS_FIXED_VECTORS * kernels->lanes,
                                        .pairs = packed};
    if (packed)
        columns.scales = (const float *)packed + columns.n_round * mls_fixed_pairs(k);
    return columns;
}

size_t mls_fixed_bytes(const struct mls_fixed_kernels *kernels, size_t n, size_t k)
{
    size_t n_round = round_up(n, kernels->lanes), elems, bytes;
    size_t per_column = mls_fixed_pairs(k) + mls_fixed_blocks(k);
    if (!mls_mul_size(n_round, per_column, &elems) || !mls_mul_size(elems, sizeof(float), &bytes) ||
        !mls_align_up(bytes, 64, &bytes))
        return SIZE_MAX;
    return bytes;
}

/*
 * Lines [n_lines][n <= MLS_FIXED_BLOCK terms] that lie `stride` elements apart as one block of a panel,
 * [pairs][width], with their scales; lines from n_lines to width are 0. `lines` takes width * MLS_FIXED_BLOCK
 * integers. False when a value is not finite.
 */
static bool pack_lines(const struct mls_kernels *kernels, enum mls_dtype dtype, const void *x, size_t stride,
                     size_t n_lines, size_t n, size_t width, int16_t *lines, int32_t *ret, float *ret_scales)
{
    size_t n_pairs = mls_fixed_pairs(n);
    bool finite = true;
    for (size_t l = 0; l < n_lines; l++) {
        int16_t *to = lines + l * 2 * n_pairs;
        finite &= dtype == MLS_FP16
                      ? kernels->fixed->line_fp16((const uint16_t *)x + l * stride, n, to, &ret_scales[l])
                      : kernels->fixed->line_fp32((const float *)x + l * stride, n, to, &ret_scales[l]);
    }
    if (n_lines < width) {
        memset(ret_scales + n_lines, 0, (width - n_lines) * sizeof *ret_scales);
        memset(lines + n_lines * 2 * n_pairs, 0, (width - n_lines) * 2 * n_pairs * sizeof *lines);
    }
    /* pairs are moved as 32 bits each */
    kernels->gemm->transpose((const float *)(const void *)lines, n_pairs, width, n_pairs,
                             (float *)(void *)ret, width);
    return finite;
}

struct pack_job {
    const struct mls_kernels *kernels;
    const struct mls_gemm_operand *source;
    struct mls_fixed_columns columns;
    int32_t *pairs;
    float *scales;
    atomic_bool not_finite;
};

static void pack_task(void *context, size_t panel, uint32_t thread)
{
    (void)thread;
    struct pack_job *job = context;
    const struct mls_fixed_columns *columns = &job->columns;
    size_t first = panel * columns->panel_cols, width = mls_fixed_width(columns, panel);
    size_t elem_bytes = job->source->dtype == MLS_FP16 ? 2 : 4;
    _Alignas(64) int16_t lines[MLS_FIXED_VECTORS * 16 * MLS_FIXED_BLOCK];
    for (size_t k = 0; k < columns->k; k += MLS_FIXED_BLOCK) {
        size_t block = k / MLS_FIXED_BLOCK;
        const uint8_t *x = (const uint8_t *)job->source->data +
                           (first * job->source->col_stride + k * job->source->row_stride) * elem_bytes;
        int32_t *to = job->pairs + (mls_fixed_pairs_at(columns, panel, block) - columns->pairs);
        float *scales = job->scales + (mls_fixed_scales_at(columns, panel, block) - columns->scales);
        size_t n_cols = least(width, columns->n - first), n = least(MLS_FIXED_BLOCK, columns->k - k);
        bool finite =
            job->source->row_stride == 1
                ? pack_lines(job->kernels, job->source->dtype, x, job->source->col_stride, n_cols, n,
                                  width, lines, to, scales)
                : job->kernels->fixed->columns_fp16((const uint16_t *)(const void *)x,
                                                    job->source->row_stride, n, n_cols, width, to, scales);
        if (!finite)
            atomic_store_explicit(&job->not_finite, true, memory_order_relaxed);
    }
}

bool mls_fixed_pack(const struct mls_kernels *kernels, struct mls_pool *pool,
                    const struct mls_gemm_operand *source, size_t n, size_t k, void *ret)
{
    struct pack_job job = {.kernels = kernels,
                           .source = source,
                           .columns = mls_fixed_columns_at(kernels->fixed, n, k, ret),
                           .pairs = ret};
    job.scales = (float *)ret + (job.columns.scales - (const float *)ret);
    mls_pool_for(pool, pieces(n, job.columns.panel_cols), pack_task, &job);
    return !atomic_load_explicit(&job.not_finite, memory_order_relaxed);
}

/* ---- the product ---- */

struct plan {
    size_t m_block, n_m_blocks, n_block, n_n_blocks;
    size_t n_pairs; /* of a row */
    size_t n_blocks;
    size_t a_bytes, a_scale_bytes; /* all of A: pairs [block][row][MLS_FIXED_PAIRS], scales [block][row] */
    size_t sums_bytes;             /* of one thread */
};

struct job {
    const struct mls_kernels *kernels;
    const struct mls_gemm *gemm;
    struct plan plan;
    struct mls_fixed_columns columns;
    int32_t *a;
    float *a_scales;
    uint8_t *scratch; /* of the threads */
    atomic_bool not_finite;
};

static struct plan make_plan(const struct mls_fixed_kernels *kernels, const struct mls_gemm *gemm,
                             uint32_t threads)
{
    size_t panel_cols = MLS_FIXED_VECTORS * kernels->lanes;
    struct plan plan = {.n_pairs = mls_fixed_pairs(gemm->k), .n_blocks = mls_fixed_blocks(gemm->k)};
    plan.m_block = round_up(pieces(gemm->m, pieces(gemm->m, TASK_ROWS)), MLS_FIXED_ROWS);
    plan.n_block = round_up(pieces(gemm->n, pieces(gemm->n, TASK_COLS)), panel_cols);
    while (threads > 1 &&
           pieces(gemm->m, plan.m_block) * pieces(gemm->n, plan.n_block) < threads * TASKS_PER_THREAD) {
        if (plan.n_block > panel_cols)
            plan.n_block = round_up(plan.n_block / 2, panel_cols);
        else if (plan.m_block >= 8 * MLS_FIXED_ROWS)
            plan.m_block = round_up(plan.m_block / 2, MLS_FIXED_ROWS);
        else
            break;
    }
    plan.n_m_blocks = pieces(gemm->m, plan.m_block);
    plan.n_n_blocks = pieces(gemm->n, plan.n_block);
    plan.a_bytes = gemm->m * plan.n_blocks * MLS_FIXED_PAIRS * sizeof(int32_t);
    plan.a_scale_bytes = round_up(gemm->m * plan.n_blocks * sizeof(float), 64);
    bool kept = gemm->c_dtype == MLS_FP16 && plan.n_blocks > 1;
    plan.sums_bytes = kept ? round_up(plan.m_block * plan.n_block * sizeof(float), 64) : 0;
    return plan;
}

/* Blocks of packed columns as fp32 panels, for mls_gemm; the context is a struct mls_fixed_columns. */
static void fill_fp32(const void *context, const struct mls_gemm_fill *part)
{
    const struct mls_fixed_columns *columns = context;
    for (size_t c = 0; c < part->n_cols; c++) {
        size_t col = part->col + c, panel = col / columns->panel_cols, in_panel = col % columns->panel_cols;
        size_t out_panel = c / part->panel_cols;
        size_t out_width =
            least(part->panel_cols, round_up(part->n_cols - out_panel * part->panel_cols, part->lanes));
        float *to = part->panels + out_panel * part->panel_cols * part->n_k + c % part->panel_cols;
        for (size_t i = 0; i < part->n_k; i++) {
            size_t k = part->k + i, block = k / MLS_FIXED_BLOCK, in_block = k % MLS_FIXED_BLOCK;
            int32_t pair = mls_fixed_pairs_at(
                columns, panel, block)[in_block / 2 * mls_fixed_width(columns, panel) + in_panel];
            int16_t half[2];
            memcpy(half, &pair, sizeof half);
            to[i * out_width] =
                (float)half[in_block % 2] * mls_fixed_scales_at(columns, panel, block)[in_panel];
        }
        size_t fill = c + 1 == part->n_cols ? out_width - c % part->panel_cols : 1; /* up to whole vectors */
        for (size_t i = 0; fill > 1 && i < part->n_k; i++)
            memset(to + i * out_width + 1, 0, (fill - 1) * sizeof *to);
    }
}

static struct mls_gemm fp32_gemm(const struct mls_gemm *gemm, const struct mls_fixed_columns *columns)
{
    struct mls_gemm plain = *gemm;
    plain.b.form = MLS_GEMM_FILLED;
    plain.b.dtype = MLS_FP32;
    plain.b.fill = fill_fp32;
    plain.b.context = columns;
    return plain;
}

size_t mls_fixed_scratch_bytes(const struct mls_kernels *kernels, const struct mls_gemm *gemm,
                               uint32_t threads)
{
    struct plan plan = make_plan(kernels->fixed, gemm, threads);
    struct mls_gemm plain = fp32_gemm(gemm, NULL);
    size_t plain_bytes = mls_gemm_scratch_bytes(kernels, &plain, threads);
    size_t bytes = plan.a_bytes + plan.a_scale_bytes + (size_t)threads * plan.sums_bytes;
    return bytes > plain_bytes ? bytes : plain_bytes;
}

/* A as integers: MLS_FIXED_ROWS rows. */
static void rows_task(void *context, size_t index, uint32_t thread)
{
    (void)thread;
    struct job *job = context;
    const struct mls_gemm *gemm = job->gemm;
    const struct mls_fixed_kernels *kernels = job->kernels->fixed;
    size_t end = least((index + 1) * MLS_FIXED_ROWS, gemm->m);
    bool finite = true;
    for (size_t row = index * MLS_FIXED_ROWS; row < end; row++) {
        for (size_t block = 0; block < job->plan.n_blocks; block++) {
            size_t k = block * MLS_FIXED_BLOCK, n = least(MLS_FIXED_BLOCK, gemm->k - k);
            size_t at = row * gemm->a.row_stride + k, to = block * gemm->m + row;
            int16_t *ret = (int16_t *)(void *)(job->a + to * MLS_FIXED_PAIRS);
            finite &=
                gemm->a.dtype == MLS_FP16
                    ? kernels->line_fp16((const uint16_t *)gemm->a.data + at, n, ret, &job->a_scales[to])
                    : kernels->line_fp32((const float *)gemm->a.data + at, n, ret, &job->a_scales[to]);
        }
    }
    if (!finite)
        atomic_store_explicit(&job->not_finite, true, memory_order_relaxed);
}

/* Rows m … m + m_block - 1, columns n … n + n_block - 1. */
struct block {
    size_t m, n_rows, n, n_cols;
    float *sums;
};

static void point_at_c(const struct job *job, const struct block *block, size_t row, size_t col,
                       size_t k_block, struct mls_fixed_tile *tile)
{
    const struct mls_gemm *gemm = job->gemm;
    bool last = k_block + 1 == job->plan.n_blocks;
    size_t at = row * gemm->c_stride + col, stride = job->plan.n_block;
    float *sums = block->sums + (row - block->m) * stride + (col - block->n);
    if (gemm->c_dtype == MLS_FP32) {
        sums = (float *)gemm->c + at;
        stride = gemm->c_stride;
    }
    tile->row_bias = NULL;
    tile->from = k_block ? sums : NULL;
    tile->from_stride = stride;
    tile->col_bias = gemm->col_bias ? gemm->col_bias + col : NULL;
    tile->to_fp16 = gemm->c_dtype == MLS_FP16 && last;
    tile->to = tile->to_fp16 ? (void *)((uint16_t *)gemm->c + at) : (void *)sums;
    tile->to_stride = tile->to_fp16 ? gemm->c_stride : stride;
}

static void multiply_block(const struct job *job, const struct block *block, size_t k_block)
{
    const struct mls_fixed_kernels *kernels = job->kernels->fixed;
    const struct mls_fixed_columns *columns = &job->columns;
    for (size_t col = block->n; col < block->n + block->n_cols; col += columns->panel_cols) {
        struct mls_fixed_tile tile;
        size_t vectors = mls_fixed_tile_b(columns, kernels->lanes, col / columns->panel_cols, k_block, &tile);
        for (size_t row = block->m; row < block->m + block->n_rows; row += MLS_FIXED_ROWS) {
            size_t n_rows = least(MLS_FIXED_ROWS, block->m + block->n_rows - row);
            tile.a = job->a + (k_block * job->gemm->m + row) * MLS_FIXED_PAIRS;
            tile.a_scales = job->a_scales + k_block * job->gemm->m + row;
            point_at_c(job, block, row, col, k_block, &tile);
            kernels->tile[n_rows - 1][vectors - 1](&tile);
        }
    }
}

static void block_task(void *context, size_t index, uint32_t thread)
{
    const struct job *job = context;
    const struct mls_gemm *gemm = job->gemm;
    const struct plan *plan = &job->plan;
    struct block block = {.m = index % plan->n_m_blocks * plan->m_block,
                          .n = index / plan->n_m_blocks * plan->n_block,
                          .sums = (float *)(void *)(job->scratch + thread * plan->sums_bytes)};
    block.n_rows = least(plan->m_block, gemm->m - block.m);
    block.n_cols = least(plan->n_block, gemm->n - block.n);
    for (size_t k_block = 0; k_block < plan->n_blocks; k_block++)
        multiply_block(job, &block, k_block);
    size_t elem_bytes = gemm->c_dtype == MLS_FP16 ? sizeof(uint16_t) : sizeof(float);
    for (size_t i = 0; gemm->epilogue && i < block.n_rows; i++) {
        size_t at = (block.m + i) * gemm->c_stride + block.n;
        gemm->epilogue->apply(gemm->epilogue->context, (uint8_t *)gemm->c + at * elem_bytes, at,
                              block.n_cols);
    }
}

void mls_fixed_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_gemm *gemm,
                   void *scratch)
{
    struct job job = {.kernels = kernels,
                      .gemm = gemm,
                      .plan = make_plan(kernels->fixed, gemm, mls_pool_threads(pool)),
                      .columns = mls_fixed_columns_at(kernels->fixed, gemm->n, gemm->k, gemm->b.data),
                      .a = scratch};
    job.a_scales = (float *)(void *)((uint8_t *)scratch + job.plan.a_bytes);
    job.scratch = (uint8_t *)job.a_scales + job.plan.a_scale_bytes;
    struct mls_pool *shared =
        (double)gemm->m * (double)gemm->n * (double)gemm->k < 2 * MULTIPLY_ADDS_PER_THREAD ? NULL : pool;
    mls_pool_for(shared, pieces(gemm->m, MLS_FIXED_ROWS), rows_task, &job);
    if (atomic_load_explicit(&job.not_finite, memory_order_relaxed)) {
        struct mls_gemm plain = fp32_gemm(gemm, &job.columns);
        mls_gemm_run(kernels, pool, &plain, scratch);
        return;
    }
    mls_pool_for(shared, job.plan.n_m_blocks * job.plan.n_n_blocks, block_task, &job);
}
