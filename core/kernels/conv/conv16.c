#include "kernels/conv/conv16.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* Columns are handled in panels of three vectors; the last one may have four, which is better than one alone.
 */
enum { PANEL_VECTORS = 3, CHUNK_PANELS = 4, TASKS_PER_THREAD = 4, ROWS_PER_TASK_LEAST = 128 };
/* Multiply-adds that are worth waking another thread for: some microseconds. */
enum { MULTIPLY_ADDS_PER_THREAD = 800 * 1000 };

/* How the work is cut up. Results depend on the panels only, and these on the shape only. */
struct plan {
    size_t m, k, n;
    size_t n_panels, n_chunks, chunk_panels;
    size_t rows, n_row_parts; /* of a task */
    size_t n_blocks;          /* of terms */
    size_t phase_floats;      /* of rows for patches; 0: columns are made without */
    size_t block_bytes, row_bytes, quantized_bytes, sums_bytes;
};

struct job {
    const struct mls_kernels *kernels;
    const struct mls_conv16 *conv;
    struct plan plan;
    uint8_t *scratch;
    size_t thread_bytes;
    atomic_bool not_finite;
};

static size_t pieces(size_t total, size_t piece)
{
    return (total + piece - 1) / piece;
}

static size_t round_up(size_t value, size_t multiple)
{
    return pieces(value, multiple) * multiple;
}

static void choose_tasks(struct plan *plan, size_t n_matrices, uint32_t threads)
{
    size_t wanted = (size_t)threads * TASKS_PER_THREAD;
    double multiply_adds = (double)plan->m * (double)plan->n * (double)plan->k * (double)n_matrices;
    plan->chunk_panels = CHUNK_PANELS;
    plan->rows = mls_dot16_rows(plan->m);
    if (threads > 1 && multiply_adds >= 2 * MULTIPLY_ADDS_PER_THREAD) {
        while (plan->chunk_panels > 1 && n_matrices * pieces(plan->n_panels, plan->chunk_panels) < wanted)
            plan->chunk_panels--;
        size_t parts = pieces(wanted, n_matrices * pieces(plan->n_panels, plan->chunk_panels));
        size_t rows = mls_dot16_rows(pieces(plan->m, parts));
        if (rows < ROWS_PER_TASK_LEAST)
            rows = ROWS_PER_TASK_LEAST;
        plan->rows = rows < plan->rows ? rows : plan->rows;
    }
    plan->n_chunks = pieces(plan->n_panels, plan->chunk_panels);
    plan->n_row_parts = pieces(plan->m, plan->rows);
}

static struct plan make_plan(const struct mls_conv16 *conv, uint32_t threads)
{
    struct plan plan = {
        .m = conv->weights->m, .k = conv->weights->k, .n = mls_window_elems(conv->columns.space.out)};
    size_t vectors = pieces(plan.n, MLS_DOT16_LANES);
    plan.n_panels = vectors > 1 ? pieces(vectors - 1, PANEL_VECTORS) : 1;
    plan.n_blocks = pieces(plan.k, MLS_DOT16_BLOCK);
    choose_tasks(&plan, conv->batch * conv->groups, threads);
    size_t width = MLS_DOT16_VECTORS * MLS_DOT16_LANES;
    plan.quantized_bytes = MLS_DOT16_BLOCK * width * sizeof(int16_t);
    if (plan.n_blocks > 1)
        plan.sums_bytes = plan.rows * width * sizeof(float);
    if (conv->pointwise)
        return plan;
    plan.block_bytes = (MLS_DOT16_BLOCK + 1) * width * sizeof(float);
    plan.row_bytes = 2 * width * sizeof(float);
    if (mls_conv_patches_suit(&conv->columns.space))
        plan.row_bytes = round_up(
            mls_conv_patches_rows(&conv->columns.space, width, &plan.phase_floats) * sizeof(float), 64);
    return plan;
}

static size_t bytes_of_thread(const struct plan *plan)
{
    return plan->block_bytes + plan->row_bytes + plan->quantized_bytes + plan->sums_bytes;
}

size_t mls_conv16_scratch_bytes(const struct mls_kernels *kernels, const struct mls_conv16 *conv,
                                uint32_t threads)
{
    (void)kernels;
    struct plan plan = make_plan(conv, threads);
    return (size_t)threads * bytes_of_thread(&plan);
}

/* Some columns of one group of one image, and some rows of the results for them. */
struct piece {
    size_t matrix; /* image * groups + group */
    const struct mls_dot16_matrix *weights;
    const float *bias;
    size_t row, n_rows;
    size_t col, n_cols; /* of the panel at hand */
    size_t vectors;
    float *block, *line, *sums; /* scratch */
    int16_t *quantized;
};

static size_t terms_of_block(const struct plan *plan, size_t block)
{
    size_t left = plan->k - block * MLS_DOT16_BLOCK;
    return left < MLS_DOT16_BLOCK ? left : MLS_DOT16_BLOCK;
}

/* A block of B as rows of values, where it lies or in scratch. */
static struct mls_dot16_source source_of(const struct job *job, const struct piece *piece, size_t block)
{
    const struct mls_conv_columns *columns = &job->conv->columns;
    size_t k = block * MLS_DOT16_BLOCK, n_terms = terms_of_block(&job->plan, block);
    struct mls_dot16_source source = {
        .n_terms = n_terms, .n_cols = piece->n_cols, .term_scales = piece->weights->term_scales + k};
    if (job->conv->pointwise) {
        source.fp16 = true;
        source.stride = job->plan.n;
        source.data = (const uint16_t *)columns->x +
                      (piece->matrix * columns->in_channels + k) * source.stride + piece->col;
        return source;
    }
    size_t width = piece->vectors * MLS_DOT16_LANES;
    source.data = piece->block;
    if (job->plan.phase_floats) {
        struct mls_conv_patches part = {.batch = piece->matrix,
                                        .k = k,
                                        .n_k = n_terms,
                                        .col = piece->col,
                                        .n_cols = piece->n_cols,
                                        .width = width,
                                        .ret = piece->block,
                                        .rows = piece->line,
                                        .phase_floats = job->plan.phase_floats};
        job->kernels->conv->patches(columns, &part);
        source.stride = width;
        return source;
    }
    struct mls_gemm_fill part = {.batch = piece->matrix,
                                 .k = k,
                                 .n_k = n_terms,
                                 .col = piece->col,
                                 .n_cols = piece->n_cols,
                                 .panels = piece->block,
                                 .panel_cols = width,
                                 .row = piece->line};
    job->kernels->conv->columns(columns, &part);
    source.stride = piece->n_cols == width ? width : round_up(piece->n_cols, job->kernels->window->lanes);
    return source;
}

static void multiply(const struct job *job, const struct piece *piece, size_t block, float scale)
{
    const struct mls_conv16 *conv = job->conv;
    const struct plan *plan = &job->plan;
    size_t width = piece->vectors * MLS_DOT16_LANES, n_pairs = mls_dot16_pairs(plan->k);
    struct mls_dot16_tile tile = {.n_pairs = mls_dot16_pairs(terms_of_block(plan, block)),
                                  .b = piece->quantized,
                                  .vectors = piece->vectors,
                                  .scale = scale > 0 ? 1 / scale : 0,
                                  .first = block == 0,
                                  .last = block + 1 == plan->n_blocks,
                                  .n_cols = piece->n_cols,
                                  .low = conv->low,
                                  .high = conv->high,
                                  .y_stride = plan->n,
                                  .fp16 = true};
    for (size_t r = 0; r < piece->n_rows; r += MLS_DOT16_ROWS) {
        size_t row = piece->row + r;
        tile.a =
            piece->weights->panels + (row * n_pairs + block * (MLS_DOT16_BLOCK / 2) * MLS_DOT16_ROWS) * 2;
        tile.n_rows = piece->n_rows - r < MLS_DOT16_ROWS ? piece->n_rows - r : MLS_DOT16_ROWS;
        tile.row_scales = piece->weights->row_scales + row;
        tile.bias = piece->bias + row;
        tile.sums = piece->sums + r * width;
        size_t at = (piece->matrix * plan->m + row) * plan->n + piece->col;
        tile.y = conv->y + at;
        tile.added = conv->added ? conv->added + at : NULL;
        job->kernels->dot16->tile(&tile);
    }
}

/* One panel of columns; false when a value is not finite. */
static bool run_panel(const struct job *job, const struct piece *piece)
{
    const struct mls_dot16_kernels *kernels = job->kernels->dot16;
    for (size_t block = 0; block < job->plan.n_blocks; block++) {
        struct mls_dot16_source source = source_of(job, piece, block);
        struct mls_dot16_measure measure;
        kernels->measure(&source, &measure);
        if (!isfinite(measure.column_square))
            return false;
        float scale = mls_dot16_scale(&measure);
        kernels->quantize(&source, scale, piece->vectors, piece->quantized);
        multiply(job, piece, block, scale);
    }
    return true;
}

static struct piece piece_of(const struct job *job, size_t index, uint32_t thread)
{
    const struct plan *plan = &job->plan;
    uint8_t *scratch = job->scratch + thread * job->thread_bytes;
    struct piece piece = {.matrix = index / plan->n_row_parts / plan->n_chunks,
                          .row = index % plan->n_row_parts * plan->rows};
    size_t group = piece.matrix % job->conv->groups;
    piece.weights = &job->conv->weights[group];
    piece.bias = job->conv->bias + group * mls_dot16_rows(plan->m);
    piece.n_rows = plan->m - piece.row < plan->rows ? plan->m - piece.row : plan->rows;
    piece.quantized = (int16_t *)(void *)scratch;
    piece.block = (float *)(void *)(scratch + plan->quantized_bytes);
    piece.line = (float *)(void *)(scratch + plan->quantized_bytes + plan->block_bytes);
    piece.sums = (float *)(void *)(scratch + plan->quantized_bytes + plan->block_bytes + plan->row_bytes);
    return piece;
}

static void chunk_task(void *context, size_t index, uint32_t thread)
{
    struct job *job = context;
    const struct plan *plan = &job->plan;
    const struct mls_conv16 *conv = job->conv;
    struct piece piece = piece_of(job, index, thread);
    if (plan->phase_floats)
        memset(piece.line, 0, plan->row_bytes);
    size_t width = PANEL_VECTORS * MLS_DOT16_LANES;
    size_t panel = index / plan->n_row_parts % plan->n_chunks * plan->chunk_panels;
    size_t end = panel + plan->chunk_panels < plan->n_panels ? panel + plan->chunk_panels : plan->n_panels;
    size_t first_col = panel * width, end_col = end == plan->n_panels ? plan->n : end * width;
    for (; panel < end; panel++) {
        piece.col = panel * width;
        piece.n_cols = panel + 1 == plan->n_panels ? plan->n - piece.col : width;
        piece.vectors = pieces(piece.n_cols, MLS_DOT16_LANES);
        if (!run_panel(job, &piece)) {
            atomic_store_explicit(&job->not_finite, true, memory_order_relaxed);
            return;
        }
    }
    for (size_t r = 0; conv->epilogue && r < piece.n_rows; r++) {
        size_t at = (piece.matrix * plan->m + piece.row + r) * plan->n + first_col;
        conv->epilogue->apply(conv->epilogue->context, conv->y + at, at, end_col - first_col);
    }
}

bool mls_conv16_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_conv16 *conv,
                    void *scratch)
{
    struct job job = {.kernels = kernels,
                      .conv = conv,
                      .plan = make_plan(conv, mls_pool_threads(pool)),
                      .scratch = scratch};
    job.thread_bytes = bytes_of_thread(&job.plan);
    mls_pool_for(pool, conv->batch * conv->groups * job.plan.n_chunks * job.plan.n_row_parts, chunk_task,
                 &job);
    return !atomic_load_explicit(&job.not_finite, memory_order_relaxed);
}

bool mls_conv_patches_suit(const struct mls_window_space *s)
{
    return s->in[0] == 1 && s->out[0] == 1 && s->kernel[0] == 1 && s->stride[2] <= 2;
}

size_t mls_conv_patches_rows(const struct mls_window_space *s, size_t n_cols, size_t *ret_phase_floats)
{
    size_t out_rows = (n_cols + s->out[2] - 2) / s->out[2] + 1;
    out_rows = out_rows < s->out[1] ? out_rows : s->out[1];
    size_t rows = (out_rows - 1) * s->stride[1] + (s->kernel[1] - 1) * s->dilation[1] + 1;
    size_t cols = s->before[2] + s->in[2] + s->after[2], reach = (s->kernel[2] - 1) * s->dilation[2];
    *ret_phase_floats = round_up((cols + reach) / s->stride[2] + 4 * MLS_DOT16_LANES, MLS_DOT16_LANES);
    return rows * s->stride[2] * *ret_phase_floats;
}
