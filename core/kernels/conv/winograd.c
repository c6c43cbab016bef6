#include "kernels/conv/winograd.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "kernels/conv/conv.h"

enum { TASKS_PER_THREAD = 3, VECTORS = 3, FLOATS_OF_CHUNK = 160 * 1024, SPARE_FLOATS = 64 };
/*
 * Output channels whose results are held together. Transformed values that stay in the second-level cache are
 * read again for each tile of rows, so that weights are read in their order; of larger ones, those of one
 * product serve many rows before the next.
 */
enum { ROWS_OF_GROUP = 64 };
/* Output channels of a task: fewer, and transforming the input again for each task costs too much. */
enum { ROWS_PER_TASK_LEAST = 64 };

/* How the work is cut up. Results depend on the chunks only, and these on the shape only. */
struct plan {
    size_t n_tiles, chunk_tiles, n_chunks; /* of one image */
    size_t most_tiles;                     /* of a chunk */
    size_t rows, n_row_parts;              /* of a task */
    size_t group_rows;                     /* whose results are held together */
    size_t row_floats;
    size_t rows_bytes, values_bytes, results_bytes;
};

struct job {
    const struct mls_kernels *kernels;
    const struct mls_winograd *conv;
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

bool mls_winograd_suits(const struct mls_window_space *s)
{
    bool flat = s->in[0] == 1 && s->kernel[0] == 1 && s->out[0] == 1;
    return flat && s->kernel[1] == 3 && s->kernel[2] == 3 && s->stride[1] == 1 && s->stride[2] == 1 &&
           s->dilation[1] == 1 && s->dilation[2] == 1 && s->before[1] < 3 && s->before[2] < 3;
}

static void choose_tasks(struct plan *plan, const struct mls_winograd *conv, uint32_t threads)
{
    size_t rows = round_up(conv->out_channels, MLS_WINOGRAD_ROWS), chunks = conv->batch * plan->n_chunks;
    plan->rows = rows;
    if (threads > 1 && chunks < (size_t)threads * TASKS_PER_THREAD) {
        /* each part transforms the input again: as few as there are threads where there is little to share */
        size_t parts = pieces((size_t)threads * (chunks < threads ? 1 : TASKS_PER_THREAD), chunks);
        plan->rows = round_up(pieces(rows, parts), MLS_WINOGRAD_ROWS);
        plan->rows = plan->rows < ROWS_PER_TASK_LEAST ? ROWS_PER_TASK_LEAST : plan->rows;
        plan->rows = plan->rows < rows ? plan->rows : rows;
    }
    plan->n_row_parts = pieces(conv->out_channels, plan->rows);
}

static struct plan make_plan(const struct mls_winograd *conv, uint32_t threads)
{
    const struct mls_window_space *s = &conv->space;
    struct plan plan = {0};
    size_t per_row = pieces(s->out[2], MLS_WINOGRAD_SQUARE), lanes = MLS_WINOGRAD_LANES,
           channels = conv->in_channels;
    plan.n_tiles = per_row * pieces(s->out[1], MLS_WINOGRAD_SQUARE);
    size_t vectors = pieces(plan.n_tiles, lanes);
    vectors = vectors < VECTORS ? vectors : VECTORS;
    bool near = MLS_WINOGRAD_PRODUCTS * channels * vectors * lanes <= FLOATS_OF_CHUNK;
    plan.group_rows = near ? MLS_WINOGRAD_ROWS : ROWS_OF_GROUP;
    plan.chunk_tiles = vectors * lanes;
    plan.n_chunks = plan.n_tiles > lanes ? pieces(plan.n_tiles - lanes, plan.chunk_tiles) : 1;
    plan.most_tiles = plan.chunk_tiles + lanes; /* of the last chunk: better than one vector alone */
    choose_tasks(&plan, conv, threads);

    size_t squares = MLS_WINOGRAD_PRODUCTS * plan.most_tiles;
    plan.row_floats =
        round_up(s->before[2] + s->in[2] + s->after[2] + (MLS_WINOGRAD_SQUARE + 1) * 2 * lanes, lanes);
    size_t tile_rows = pieces(plan.most_tiles, per_row) + 1;
    plan.rows_bytes = (tile_rows * MLS_WINOGRAD_SQUARE + 2) * plan.row_floats * sizeof(float);
    plan.values_bytes = round_up((squares * channels + MLS_WINOGRAD_PRODUCTS * lanes) * sizeof(float), 64);
    plan.results_bytes = (squares * plan.group_rows + SPARE_FLOATS) * sizeof(float);
    return plan;
}

static size_t bytes_of_thread(const struct plan *plan)
{
    return plan->rows_bytes + plan->values_bytes + plan->results_bytes;
}

size_t mls_winograd_scratch_bytes(const struct mls_winograd *conv, uint32_t threads)
{
    struct plan plan = make_plan(conv, threads);
    return (size_t)threads * bytes_of_thread(&plan);
}

/* A chunk of squares, the output channels of the task, and scratch. */
struct chunk {
    struct mls_winograd_tiles tiles;
    size_t row, n_rows;
    float *values; /* transformed input */
    float *results;
};

static struct chunk chunk_of(const struct job *job, size_t index, uint32_t thread)
{
    const struct plan *plan = &job->plan;
    uint8_t *scratch = job->scratch + thread * job->thread_bytes;
    size_t part = index % plan->n_row_parts, at = index / plan->n_row_parts;
    struct chunk chunk = {.tiles = {.image = at / plan->n_chunks,
                                    .first = at % plan->n_chunks * plan->chunk_tiles,
                                    .row_floats = plan->row_floats,
                                    .rows = (float *)(void *)scratch},
                          .row = part * plan->rows};
    bool last = at % plan->n_chunks + 1 == plan->n_chunks;
    chunk.tiles.n = last ? plan->n_tiles - chunk.tiles.first : plan->chunk_tiles;
    chunk.tiles.stride = round_up(chunk.tiles.n, MLS_WINOGRAD_LANES);
    size_t left = job->conv->out_channels - chunk.row;
    chunk.n_rows = left < plan->rows ? left : plan->rows;
    scratch += plan->rows_bytes;
    chunk.values = (float *)(void *)scratch;
    scratch += plan->values_bytes;
    chunk.results = (float *)(void *)scratch;
    return chunk;
}

/* All products of n_rows rows, which begin with a row tile. */
static void multiply(const struct job *job, const struct chunk *chunk, size_t row, size_t n_rows)
{
    size_t k = job->conv->in_channels, stride = chunk->tiles.stride, block = MLS_WINOGRAD_ROWS * k;
    size_t n_tiles = pieces(n_rows, MLS_WINOGRAD_ROWS);
    for (size_t p = 0; p < MLS_WINOGRAD_PRODUCTS; p++) {
        const float *values = chunk->values + p * mls_winograd_product_floats(&chunk->tiles, k);
        const float *weights = job->conv->weights + row * MLS_WINOGRAD_PRODUCTS * k + p * block;
        for (size_t i = 0; i < n_tiles; i++, weights += MLS_WINOGRAD_PRODUCTS * block) {
            const float *ahead = i + 1 < n_tiles ? weights + MLS_WINOGRAD_PRODUCTS * block : NULL;
            job->kernels->conv->winograd.multiply(weights, values, k, stride, ahead,
                                                  chunk->results + (i * MLS_WINOGRAD_PRODUCTS + p) *
                                                                       MLS_WINOGRAD_ROWS * stride);
        }
    }
}

/* Where the results of the chunk lie in a plane: whole rows, but for the ends of the first and the last. */
static void apply_epilogue(const struct job *job, const struct chunk *chunk, size_t channel)
{
    const struct mls_winograd *conv = job->conv;
    size_t width = conv->space.out[2], height = conv->space.out[1],
           per_row = pieces(width, MLS_WINOGRAD_SQUARE);
    size_t plane = (chunk->tiles.image * conv->out_channels + channel) * height * width;
    size_t end = chunk->tiles.first + chunk->tiles.n;
    for (size_t at = chunk->tiles.first; at < end; at = (at / per_row + 1) * per_row) {
        size_t first = at % per_row * MLS_WINOGRAD_SQUARE, row = at / per_row * MLS_WINOGRAD_SQUARE;
        size_t last =
            end - at < per_row - at % per_row ? (at % per_row + end - at) * MLS_WINOGRAD_SQUARE : width;
        last = last < width ? last : width;
        for (size_t r = row; r < row + MLS_WINOGRAD_SQUARE && r < height; r++) {
            size_t elem = plane + r * width + first;
            conv->epilogue->apply(conv->epilogue->context, (uint8_t *)conv->y + elem * (conv->fp16 ? 2 : 4),
                                  elem, last - first);
        }
    }
}

static void chunk_task(void *context, size_t index, uint32_t thread)
{
    struct job *job = context;
    const struct mls_winograd *conv = job->conv;
    const struct mls_winograd_kernels *kernels = &job->kernels->conv->winograd;
    struct chunk chunk = chunk_of(job, index, thread);
    memset(chunk.tiles.rows, 0, job->plan.rows_bytes);
    if (!kernels->input(conv, &chunk.tiles, 0, conv->in_channels, chunk.values)) {
        atomic_store_explicit(&job->not_finite, true, memory_order_relaxed);
        return;
    }
    size_t stride = chunk.tiles.stride;
    size_t end = chunk.row + chunk.n_rows;
    for (size_t row = chunk.row; row < end; row += job->plan.group_rows) {
        size_t n_rows = end - row < job->plan.group_rows ? end - row : job->plan.group_rows;
        multiply(job, &chunk, row, n_rows);
        for (size_t r = 0; r < n_rows; r++) {
            size_t tile = r / MLS_WINOGRAD_ROWS, in_tile = r % MLS_WINOGRAD_ROWS;
            kernels->output(conv, &chunk.tiles, row + r,
                            chunk.results +
                                (tile * MLS_WINOGRAD_PRODUCTS * MLS_WINOGRAD_ROWS + in_tile) * stride,
                            MLS_WINOGRAD_ROWS * stride);
            if (conv->epilogue)
                apply_epilogue(job, &chunk, row + r);
        }
    }
}

bool mls_winograd_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                      const struct mls_winograd *conv, void *scratch)
{
    struct job job = {.kernels = kernels,
                      .conv = conv,
                      .plan = make_plan(conv, mls_pool_threads(pool)),
                      .scratch = scratch};
    job.thread_bytes = bytes_of_thread(&job.plan);
    mls_pool_for(pool, conv->batch * job.plan.n_chunks * job.plan.n_row_parts, chunk_task, &job);
    return !atomic_load_explicit(&job.not_finite, memory_order_relaxed);
}

/* G of the paper on three values that lie `step` apart, for the points 0, 1, -1, 2 and -2. */
static void transform_filter(const double *g, size_t step, double *ret, size_t ret_step)
{
    double outer = g[0] + g[2 * step], middle = g[step], wide = (g[0] + 4 * g[2 * step]) / 24;
    ret[0] = g[0] / 4;
    ret[ret_step] = -(outer + middle) / 6;
    ret[2 * ret_step] = -(outer - middle) / 6;
    ret[3 * ret_step] = wide + middle / 12;
    ret[4 * ret_step] = wide - middle / 12;
    ret[5 * ret_step] = g[2 * step];
}

void mls_winograd_weights(const float *filter, float *ret, size_t ret_step)
{
    double g[9], half[3 * MLS_WINOGRAD_SIDE], row[MLS_WINOGRAD_SIDE];
    for (size_t i = 0; i < 9; i++)
        g[i] = (double)filter[i];
    for (size_t k = 0; k < 3; k++)
        transform_filter(g + k, 3, half + k, 3);
    for (size_t r = 0; r < MLS_WINOGRAD_SIDE; r++) {
        transform_filter(half + 3 * r, 1, row, 1);
        for (size_t k = 0; k < MLS_WINOGRAD_SIDE; k++)
            ret[(r * MLS_WINOGRAD_SIDE + k) * ret_step] = (float)row[k];
    }
}
