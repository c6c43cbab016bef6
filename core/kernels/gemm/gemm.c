#include "kernels/gemm/gemm.h"

#include <string.h>

#include "kernels/fixed/fixed.h"
#include "kernels/gemm/gemm_panel.h"

/*
 * Blocks of C for one task. The operand that inner loops come back to stays in a second-level cache of 1 MiB,
 * beside sums; the other is read from farther away, once, ahead of its use.
 */
enum { ROWS_NEAR = 256, COLS_NEAR = 288, ROWS_FAR = 2048, COLS_FAR = 384, TASKS_PER_THREAD = 4 };
enum { NEAR_ELEMS = 64 * 1024, COLS_MOST = 2304 };
/* Terms after which sums are put down when B comes from the second-level cache anyway; else a panel of it is
 * to stay in the first. */
enum { K_NEAR = 384 };

/* Elements of B of one block when blocks change direction: some of them stay in the second-level cache. */
enum { LAST_FIRST_ELEMS = 48 * 1024 };

/* Multiply-adds that are worth waking another thread for: some microseconds. */
enum { MULTIPLY_ADDS_PER_THREAD = 400 * 1000 };

/* How a product is cut up. Results do not depend on it, except that k_block is the same for all. */
struct plan {
    struct mls_gemm_lines a_lines, b_lines;
    size_t n_batches;
    size_t m_block, n_m_blocks;
    size_t n_block, n_n_blocks;
    size_t k_block, n_k_blocks;
    bool a_direct; /* A is read where it is, as a matrix of fp32 */
    bool b_direct; /* few rows: B is read where it is, not copied into fp32 panels first */
    bool by_rows;  /* all tiles of some rows before the next rows: B is near */
    bool a_ahead;  /* A, B made into fp32 panels once for all tasks */
    bool b_ahead;
    size_t a_ahead_bytes, b_ahead_bytes;
    size_t a_bytes, b_bytes, c_bytes, row_bytes; /* of one thread */
};

struct job {
    const struct mls_kernels *kernels;
    const struct mls_gemm *gemm;
    struct plan plan;
    struct mls_gemm_operand a, b;         /* as the tasks see them */
    const struct mls_gemm_operand *ahead; /* what panels are made from before the product */
    enum mls_gemm_side ahead_side;
    float *ahead_panels;
    uint8_t *scratch; /* of the threads */
    size_t thread_bytes;
};

static size_t round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t pieces(size_t total, size_t piece)
{
    return total ? (total + piece - 1) / piece : 0;
}

/* Cuts `total` into equal blocks of at most `block`, each a multiple of `multiple`. */
static size_t even_block(size_t total, size_t block, size_t multiple)
{
    size_t count = pieces(total, block);
    return count ? round_up((total + count - 1) / count, multiple) : multiple;
}

static void choose_blocks(struct plan *plan, const struct mls_gemm *gemm, bool a_in_place, uint32_t threads)
{
    size_t rows = plan->a_lines.panel_lines, cols = plan->b_lines.panel_lines;
    plan->m_block = even_block(gemm->m, plan->by_rows && a_in_place ? ROWS_FAR : ROWS_NEAR, rows);
    size_t most_cols = COLS_FAR;
    if (plan->by_rows) { /* short sums leave room for longer rows, whose lines the processor fetches by itself
                          */
        most_cols = gemm->k ? NEAR_ELEMS / gemm->k : COLS_MOST;
        most_cols = most_cols < COLS_NEAR ? COLS_NEAR : most_cols > COLS_MOST ? COLS_MOST : most_cols;
    }
    plan->n_block = even_block(gemm->n, most_cols, cols);
    if (gemm->last_first && gemm->k && plan->n_block > LAST_FIRST_ELEMS / gemm->k)
        plan->n_block = even_block(gemm->n, larger(LAST_FIRST_ELEMS / gemm->k, cols), cols);
    /* More blocks of columns read A again, more blocks of rows make B again: rather the smaller one. */
    bool tall = plan->by_rows && gemm->m > 3 * gemm->n;
    bool filled = tall && gemm->b.form == MLS_GEMM_FILLED; /* by each thread once */
    if (filled && plan->m_block > pieces(gemm->m, threads))
        plan->m_block = round_up(pieces(gemm->m, threads), rows);
    for (;;) {
        plan->n_m_blocks = pieces(gemm->m, plan->m_block);
        plan->n_n_blocks = pieces(gemm->n, plan->n_block);
        size_t n_tasks = plan->n_batches * plan->n_m_blocks * plan->n_n_blocks;
        if (threads <= 1 || n_tasks >= (size_t)threads * (filled ? 1 : TASKS_PER_THREAD))
            return;
        if (plan->n_block >= 2 * cols && !(tall && plan->m_block >= 8 * rows))
            plan->n_block = round_up(plan->n_block / 2, cols);
        else if (plan->m_block >= 8 * rows)
            plan->m_block = round_up(plan->m_block / 2, rows);
        else
            return;
    }
}

/* Whether a product is too small to be shared between threads. */
static bool is_small(const struct mls_gemm *gemm)
{
    double multiply_adds = (double)gemm->m * (double)gemm->n * (double)gemm->k;
    for (unsigned i = 0; i < gemm->n_batch_dims; i++)
        multiply_adds *= (double)gemm->batch_dims[i];
    return multiply_adds < 2 * MULTIPLY_ADDS_PER_THREAD;
}

static struct plan make_plan(const struct mls_gemm_kernels *kernels, const struct mls_gemm *gemm,
                             uint32_t threads)
{
    struct plan plan = {.a_lines = mls_gemm_lines_of(kernels, MLS_GEMM_A, &gemm->a, gemm->m),
                        .b_lines = mls_gemm_lines_of(kernels, MLS_GEMM_B, &gemm->b, gemm->n),
                        .n_batches = 1};
    for (unsigned i = 0; i < gemm->n_batch_dims; i++)
        plan.n_batches *= gemm->batch_dims[i];
    bool few_rows = gemm->m <= 2 * kernels->rows;
    bool a_panels = gemm->a.form == MLS_GEMM_PACKED && gemm->a.dtype == MLS_FP32;
    bool b_panels = gemm->b.form == MLS_GEMM_PACKED && gemm->b.dtype == MLS_FP32;
    plan.a_direct = gemm->a.form == MLS_GEMM_STRIDED && gemm->a.dtype == MLS_FP32 && gemm->a.col_stride == 1;
    plan.b_direct = few_rows && (gemm->b.form == MLS_GEMM_PACKED ||
                                 (gemm->b.form == MLS_GEMM_STRIDED && gemm->b.col_stride == 1));
    plan.by_rows = !b_panels && !plan.b_direct;
    choose_blocks(&plan, gemm, a_panels || plan.a_direct, is_small(gemm) ? 1 : threads);
    size_t k_most = plan.by_rows ? larger(kernels->k_block, K_NEAR) : kernels->k_block;
    plan.n_k_blocks = gemm->k ? pieces(gemm->k, k_most) : 1;
    plan.k_block = (gemm->k + plan.n_k_blocks - 1) / plan.n_k_blocks;

    plan.a_ahead =
        gemm->a.form == MLS_GEMM_STRIDED && !plan.a_direct && plan.n_batches == 1 && plan.n_n_blocks > 1;
    plan.b_ahead = gemm->b.form == MLS_GEMM_STRIDED && plan.n_batches == 1 && plan.n_m_blocks > 1;
    if (plan.a_ahead)
        plan.a_ahead_bytes = round_up(gemm->m * gemm->k * sizeof(float), 64);
    if (plan.b_ahead)
        plan.b_ahead_bytes =
            round_up(mls_gemm_packed_elems(kernels, MLS_GEMM_B, gemm->n, gemm->k) * sizeof(float), 64);

    if (!plan.a_ahead && !a_panels && !plan.a_direct)
        plan.a_bytes = round_up(plan.m_block * plan.k_block * sizeof(float), 64);
    if (!plan.b_ahead && !b_panels)
        plan.b_bytes = round_up(plan.n_block * plan.k_block * sizeof(float), 64);
    if (gemm->c_dtype == MLS_FP16 && plan.n_k_blocks > 1)
        plan.c_bytes = plan.m_block * plan.n_block * sizeof(float);
    size_t row_elems = plan.b_lines.panel_lines * (plan.k_block + 1) + plan.n_block;
    plan.row_bytes = round_up(row_elems * sizeof(float), 64);
    return plan;
}

static size_t bytes_of_thread(const struct plan *plan)
{
    return plan->a_bytes + plan->b_bytes + round_up(plan->c_bytes, 64) + plan->row_bytes;
}

size_t mls_gemm_scratch_bytes(const struct mls_kernels *kernels, const struct mls_gemm *gemm,
                              uint32_t threads)
{
    if (gemm->b.form == MLS_GEMM_FIXED)
        return mls_fixed_scratch_bytes(kernels, gemm, threads);
    struct plan plan = make_plan(kernels->gemm, gemm, threads);
    return plan.a_ahead_bytes + plan.b_ahead_bytes + (size_t)threads * bytes_of_thread(&plan);
}

/* One block of C: rows m0 … m0 + m - 1, columns n0 … n0 + n - 1 of one matrix. */
struct block {
    size_t batch;
    size_t a_at, b_at, c_at; /* of the batch, in elements */
    const float *row_bias;
    size_t m0, m, n0, n;
    float *a, *b, *sums, *row; /* scratch */
};

static struct block block_at(const struct job *job, size_t index, uint32_t thread)
{
    const struct mls_gemm *gemm = job->gemm;
    const struct plan *plan = &job->plan;
    struct block block = {.batch = index / (plan->n_m_blocks * plan->n_n_blocks), .row_bias = gemm->row_bias};
    size_t in_matrix = index % (plan->n_m_blocks * plan->n_n_blocks);
    block.n0 = in_matrix / plan->n_m_blocks * plan->n_block;
    block.m0 = in_matrix % plan->n_m_blocks * plan->m_block;
    block.n = gemm->n - block.n0 < plan->n_block ? gemm->n - block.n0 : plan->n_block;
    block.m = gemm->m - block.m0 < plan->m_block ? gemm->m - block.m0 : plan->m_block;
    size_t left = block.batch;
    for (unsigned i = gemm->n_batch_dims; i-- > 0;) {
        size_t at = left % gemm->batch_dims[i];
        left /= gemm->batch_dims[i];
        block.a_at += at * gemm->a.batch_strides[i];
        block.b_at += at * gemm->b.batch_strides[i];
        block.c_at += at * gemm->c_batch_strides[i];
        if (i + 1 == gemm->n_batch_dims && block.row_bias)
            block.row_bias += at * gemm->row_bias_batch;
    }
    uint8_t *scratch = job->scratch + (size_t)thread * job->thread_bytes;
    block.a = (float *)(void *)scratch;
    block.b = (float *)(void *)(scratch + plan->a_bytes);
    block.sums = (float *)(void *)(scratch + plan->a_bytes + plan->b_bytes);
    block.row = (float *)(void *)(scratch + plan->a_bytes + plan->b_bytes + round_up(plan->c_bytes, 64));
    return block;
}

/* Terms k … k + n_k - 1 of panel `index` of a PACKED operand, in elements from its start. */
static size_t packed_at(const struct mls_gemm_lines *lines, size_t index, size_t k_total, size_t k)
{
    return index * lines->panel_lines * k_total + k * mls_gemm_panel_width(lines, index);
}

/* Sets what a tile reads of panel i of A, in place or in block->a. */
static inline void point_at_a(const struct job *job, const struct block *block, size_t i, size_t k,
                              size_t n_k, struct mls_gemm_tile *tile)
{
    const struct mls_gemm_lines *lines = &job->plan.a_lines;
    size_t index = block->m0 / lines->panel_lines + i;
    tile->a_row_stride = 1;
    tile->a_k_stride = mls_gemm_panel_width(lines, index);
    if (job->plan.a_direct) {
        tile->a =
            (const float *)job->a.data + block->a_at + index * lines->panel_lines * lines->line_stride + k;
        tile->a_row_stride = lines->line_stride;
        tile->a_k_stride = 1;
    } else if (!job->plan.a_bytes) {
        tile->a = (const float *)job->a.data + block->a_at + packed_at(lines, index, job->gemm->k, k);
    } else {
        tile->a = block->a + i * lines->panel_lines * n_k;
    }
}

static void make_a_panels(const struct job *job, const struct block *block, size_t k, size_t n_k)
{
    const struct mls_gemm_lines *lines = &job->plan.a_lines;
    if (!job->plan.a_bytes)
        return;
    size_t first = block->m0 / lines->panel_lines;
    for (size_t i = 0; i < pieces(block->m, lines->panel_lines); i++) {
        float *ret = block->a + i * lines->panel_lines * n_k;
        if (job->a.form == MLS_GEMM_PACKED)
            job->kernels->convert->fp16_to_fp32((const uint16_t *)job->a.data + block->a_at +
                                                    packed_at(lines, first + i, job->gemm->k, k),
                                                ret, mls_gemm_panel_width(lines, first + i) * n_k);
        else
            mls_gemm_panel_load(job->kernels, &job->a, block->a_at, lines, first + i, k, n_k, ret,
                                block->row);
    }
}

/* Whether panel `index` of B is read where it is; a STRIDED one only when all its columns exist. */
static inline bool b_is_direct(const struct job *job, size_t index)
{
    const struct plan *plan = &job->plan;
    if (!plan->b_bytes)
        return true;
    if (!plan->b_direct)
        return false;
    size_t cols = plan->b_lines.panel_lines;
    return job->b.form == MLS_GEMM_PACKED || (index + 1) * cols <= job->gemm->n;
}

static void make_b_panels(const struct job *job, const struct block *block, size_t k, size_t n_k)
{
    const struct mls_gemm_lines *lines = &job->plan.b_lines;
    if (job->b.form == MLS_GEMM_FILLED) {
        struct mls_gemm_fill part = {.batch = block->batch,
                                     .k = k,
                                     .n_k = n_k,
                                     .col = block->n0,
                                     .n_cols = block->n,
                                     .panels = block->b,
                                     .panel_cols = lines->panel_lines,
                                     .lanes = lines->multiple,
                                     .row = block->row};
        job->b.fill(job->b.context, &part);
        return;
    }
    if (job->b.form == MLS_GEMM_STRIDED && lines->line_stride == 1 && job->plan.by_rows &&
        job->plan.b_bytes) {
        size_t at = block->b_at + k * lines->k_stride + block->n0,
               elem_bytes = job->b.dtype == MLS_FP16 ? 2 : 4;
        job->kernels->gemm->spread((const uint8_t *)job->b.data + at * elem_bytes, job->b.dtype == MLS_FP16,
                                   lines->k_stride, n_k, block->n, block->b);
        return;
    }
    size_t first = block->n0 / lines->panel_lines;
    for (size_t i = 0; i < pieces(block->n, lines->panel_lines); i++) {
        float *ret = block->b + i * lines->panel_lines * n_k;
        if (b_is_direct(job, first + i))
            continue;
        if (job->b.form == MLS_GEMM_PACKED)
            job->kernels->convert->fp16_to_fp32((const uint16_t *)job->b.data + block->b_at +
                                                    packed_at(lines, first + i, job->gemm->k, k),
                                                ret, mls_gemm_panel_width(lines, first + i) * n_k);
        else
            mls_gemm_panel_load(job->kernels, &job->b, block->b_at, lines, first + i, k, n_k, ret,
                                block->row);
    }
}

/* Sets what a tile reads of panel i of B; says whether it is fp16. */
static inline bool point_at_b(const struct job *job, const struct block *block, size_t i, size_t k,
                              size_t n_k, struct mls_gemm_tile *tile)
{
    const struct mls_gemm_lines *lines = &job->plan.b_lines;
    size_t index = block->n0 / lines->panel_lines + i;
    tile->b_stride = mls_gemm_panel_width(lines, index);
    if (!b_is_direct(job, index)) {
        tile->b = block->b + i * lines->panel_lines * n_k;
        return false;
    }
    size_t at = block->b_at;
    if (job->b.form == MLS_GEMM_PACKED) {
        at += packed_at(lines, index, job->gemm->k, k);
    } else {
        at += k * job->b.row_stride + index * lines->panel_lines;
        tile->b_stride = job->b.row_stride;
    }
    if (job->b.dtype == MLS_FP16) {
        tile->b = (const uint16_t *)job->b.data + at;
        return true;
    }
    tile->b = (const float *)job->b.data + at;
    return false;
}

/* One step of the sums of a block. */
struct step {
    size_t k, n_k;
    bool first, last;
};

/* Where the sums of the tile at (m, n) of the block come from and go to. */
static inline void point_at_c(const struct job *job, const struct block *block, const struct step *step,
                              size_t m, size_t n, struct mls_gemm_tile *tile)
{
    const struct mls_gemm *gemm = job->gemm;
    size_t at = block->c_at + (block->m0 + m) * gemm->c_stride + block->n0 + n;
    float *sums = block->sums + m * job->plan.n_block + n;
    size_t sums_stride = job->plan.n_block;
    if (gemm->c_dtype == MLS_FP32) {
        sums = (float *)gemm->c + at;
        sums_stride = gemm->c_stride;
    }
    tile->from = step->first ? NULL : sums;
    tile->from_stride = sums_stride;
    tile->added = gemm->added && step->last ? gemm->added + at : NULL;
    tile->to_fp16 = gemm->c_dtype == MLS_FP16 && step->last;
    tile->to = tile->to_fp16 ? (void *)((uint16_t *)gemm->c + at) : (void *)sums;
    tile->to_stride = tile->to_fp16 ? gemm->c_stride : sums_stride;
}

/* Sets what the tile fetches: part of what comes after it in the operand that is read from far. */
static inline void look_ahead(const struct job *job, const struct block *block, const struct step *step,
                              size_t i, size_t j, struct mls_gemm_tile *tile)
{
    enum { LINE_BYTES = 64 };
    tile->ahead = (const uint8_t *)tile->a;
    tile->ahead_step = 0;
    size_t rows = job->plan.a_lines.panel_lines, cols = job->plan.b_lines.panel_lines;
    if (job->plan.by_rows && !j && (i + 1) * rows < block->m) {
        struct mls_gemm_tile next;
        point_at_a(job, block, i + 1, step->k, step->n_k, &next);
        tile->ahead = (const uint8_t *)next.a;
        tile->ahead_step = next.a_k_stride * sizeof(float);
    } else if (!job->plan.by_rows && (j + 1) * cols < block->n && i * LINE_BYTES < cols * sizeof(float)) {
        struct mls_gemm_tile next;
        size_t elem_bytes = point_at_b(job, block, j + 1, step->k, step->n_k, &next) ? 2 : 4;
        tile->ahead = (const uint8_t *)next.b + i * LINE_BYTES;
        tile->ahead_step = next.b_stride * elem_bytes;
    }
}

/* A tile, and what chooses its kernel. */
struct piece {
    struct mls_gemm_tile tile;
    size_t n_rows, vectors;
    bool fp16;
};

static struct piece piece_of(const struct job *job, const struct step *step)
{
    const struct mls_gemm *gemm = job->gemm;
    return (struct piece){
        .tile = {.k = step->n_k, .clamps = gemm->clamps && step->last, .low = gemm->low, .high = gemm->high}};
}

static inline void set_rows(const struct job *job, const struct block *block, const struct step *step,
                            size_t i, struct piece *piece)
{
    size_t rows = job->plan.a_lines.panel_lines, m = i * rows;
    piece->n_rows = block->m - m < rows ? block->m - m : rows;
    piece->tile.row_bias = block->row_bias ? block->row_bias + block->m0 + m : NULL;
    point_at_a(job, block, i, step->k, step->n_k, &piece->tile);
}

static inline void set_columns(const struct job *job, const struct block *block, const struct step *step,
                               size_t j, struct piece *piece)
{
    size_t cols = job->plan.b_lines.panel_lines, n = j * cols;
    piece->tile.n_cols = block->n - n < cols ? block->n - n : cols;
    piece->vectors = piece->tile.n_cols == cols ? job->kernels->gemm->vectors
                                                : pieces(piece->tile.n_cols, job->kernels->gemm->lanes);
    piece->tile.col_bias = job->gemm->col_bias ? job->gemm->col_bias + block->n0 + n : NULL;
    piece->fp16 = point_at_b(job, block, j, step->k, step->n_k, &piece->tile);
}

static inline void multiply_piece(const struct job *job, const struct block *block, const struct step *step,
                                  size_t i, size_t j, struct piece *piece)
{
    const struct mls_gemm_kernels *kernels = job->kernels->gemm;
    point_at_c(job, block, step, i * kernels->rows, j * job->plan.b_lines.panel_lines, &piece->tile);
    look_ahead(job, block, step, i, j, &piece->tile);
    (piece->fp16 ? kernels->tile_fp16
                 : kernels->tile_fp32)[piece->n_rows - 1][piece->vectors - 1](&piece->tile);
}

/* Rows m … m + n_rows - 1 of the block, as far as the block goes. */
static void apply_epilogue(const struct job *job, const struct block *block, size_t m, size_t n_rows)
{
    const struct mls_gemm *gemm = job->gemm;
    size_t elem_bytes = gemm->c_dtype == MLS_FP16 ? sizeof(uint16_t) : sizeof(float);
    for (size_t i = m; gemm->epilogue && i < m + n_rows && i < block->m; i++) {
        size_t at = block->c_at + (block->m0 + i) * gemm->c_stride + block->n0;
        gemm->epilogue->apply(gemm->epilogue->context, (uint8_t *)gemm->c + at * elem_bytes, at, block->n);
    }
}

static void multiply_block(const struct job *job, const struct block *block, const struct step *step)
{
    size_t rows = job->kernels->gemm->rows;
    size_t n_rows = pieces(block->m, rows), n_cols = pieces(block->n, job->plan.b_lines.panel_lines);
    make_a_panels(job, block, step->k, step->n_k);
    make_b_panels(job, block, step->k, step->n_k);
    struct piece piece = piece_of(job, step);
    for (size_t i = 0; job->plan.by_rows && i < n_rows; i++) {
        set_rows(job, block, step, i, &piece);
        for (size_t j = 0; j < n_cols; j++) {
            set_columns(job, block, step, j, &piece);
            multiply_piece(job, block, step, i, j, &piece);
        }
        if (step->last)
            apply_epilogue(job, block, i * rows, rows);
    }
    for (size_t j = 0; !job->plan.by_rows && j < n_cols; j++) {
        set_columns(job, block, step, j, &piece);
        for (size_t i = 0; i < n_rows; i++) {
            set_rows(job, block, step, i, &piece);
            multiply_piece(job, block, step, i, j, &piece);
        }
    }
    if (step->last && !job->plan.by_rows)
        apply_epilogue(job, block, 0, block->m);
}

static void block_task(void *context, size_t index, uint32_t thread)
{
    const struct job *job = context;
    const struct plan *plan = &job->plan;
    size_t n_blocks = plan->n_batches * plan->n_m_blocks * plan->n_n_blocks;
    struct block block = block_at(job, job->gemm->last_first ? n_blocks - 1 - index : index, thread);
    for (size_t i = 0; i < plan->n_k_blocks; i++) {
        struct step step = {
            .k = i * plan->k_block, .n_k = plan->k_block, .first = i == 0, .last = i + 1 == plan->n_k_blocks};
        step.n_k = job->gemm->k - step.k < step.n_k ? job->gemm->k - step.k : step.n_k;
        multiply_block(job, &block, &step);
    }
}

static void ahead_task(void *context, size_t index, uint32_t thread)
{
    const struct job *job = context;
    const struct plan *plan = &job->plan;
    const struct mls_gemm_lines *lines = job->ahead_side == MLS_GEMM_A ? &plan->a_lines : &plan->b_lines;
    size_t k_total = job->gemm->k;
    float *rows = (float *)(void *)(job->scratch + (size_t)thread * job->thread_bytes + plan->a_bytes +
                                    plan->b_bytes + round_up(plan->c_bytes, 64));
    for (size_t k = 0; k < k_total; k += plan->k_block) {
        size_t n_k = k_total - k < plan->k_block ? k_total - k : plan->k_block;
        mls_gemm_panel_load(job->kernels, job->ahead, 0, lines, index, k, n_k,
                            job->ahead_panels + packed_at(lines, index, k_total, k), rows);
    }
}

static void load_ahead(struct job *job, struct mls_pool *pool, enum mls_gemm_side side,
                       struct mls_gemm_operand *operand, void *panels)
{
    struct mls_gemm_operand source = *operand;
    job->ahead = &source;
    job->ahead_side = side;
    job->ahead_panels = panels;
    const struct mls_gemm_lines *lines = side == MLS_GEMM_A ? &job->plan.a_lines : &job->plan.b_lines;
    mls_pool_for(pool, mls_gemm_panel_count(lines), ahead_task, job);
    operand->form = MLS_GEMM_PACKED;
    operand->dtype = MLS_FP32;
    operand->data = panels;
}

void mls_gemm_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_gemm *gemm,
                  void *scratch)
{
    if (gemm->b.form == MLS_GEMM_FIXED) {
        mls_fixed_run(kernels, pool, gemm, scratch);
        return;
    }
    struct job job = {.kernels = kernels,
                      .gemm = gemm,
                      .plan = make_plan(kernels->gemm, gemm, mls_pool_threads(pool)),
                      .a = gemm->a,
                      .b = gemm->b};
    const struct plan *plan = &job.plan;
    if (is_small(gemm))
        pool = NULL;
    job.thread_bytes = bytes_of_thread(plan);
    job.scratch = (uint8_t *)scratch + plan->a_ahead_bytes + plan->b_ahead_bytes;
    if (plan->a_ahead)
        load_ahead(&job, pool, MLS_GEMM_A, &job.a, scratch);
    if (plan->b_ahead)
        load_ahead(&job, pool, MLS_GEMM_B, &job.b, (uint8_t *)scratch + plan->a_ahead_bytes);
    mls_pool_for(pool, plan->n_batches * plan->n_m_blocks * plan->n_n_blocks, block_task, &job);
}
