#include "kernels/window/window.h"

#include <string.h>

/* Columns and floats of input rows of one band: rows stay in the first-level cache. */
enum { BAND_COLS = 1024, BAND_FLOATS = 8192, TASKS_PER_THREAD = 8, WINDOW_STEPS_SMALL = 128 * 1024 };

/* How the output planes are cut into bands, and what each needs. */
struct plan {
    size_t band_rows, band_cols;
    size_t n_row_bands, n_col_bands;
    size_t phase_floats;
    size_t max_in_rows;
    size_t rows_bytes, weights_bytes, counts_bytes, offsets_bytes;
};

struct job {
    const struct mls_window_kernels *kernels;
    const struct mls_window *window;
    struct plan plan;
    size_t n_bands;
    size_t bands_per_task;
    bool whole;
    uint8_t *scratch;
    size_t thread_bytes;
};

static size_t line_bytes(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t in_rows(const struct mls_window_space *s, size_t out_rows)
{
    return (out_rows - 1) * s->stride[1] + (s->kernel[1] - 1) * s->dilation[1] + 1;
}

static struct plan make_plan(const struct mls_window_kernels *kernels, const struct mls_window *window)
{
    const struct mls_window_space *s = &window->space;
    struct plan plan = {.band_cols = s->out[2] < BAND_COLS ? s->out[2] : BAND_COLS, .band_rows = s->out[1]};
    size_t reach = (s->kernel[2] - 1) * s->dilation[2] / s->stride[2];
    /* A vector of results may begin at any column, and UNITS vectors are computed at a time. */
    size_t cols = (plan.band_cols + 4 * kernels->lanes - 1) / (4 * kernels->lanes) * (4 * kernels->lanes);
    if (plan.band_cols <= kernels->lanes)
        cols = kernels->lanes;
    plan.phase_floats = cols + reach + kernels->lanes;
    size_t row_floats = s->stride[2] * plan.phase_floats;
    while (plan.band_rows > 1 && s->kernel[0] * in_rows(s, plan.band_rows) * row_floats > BAND_FLOATS)
        plan.band_rows = (plan.band_rows + 1) / 2;
    plan.n_row_bands = (s->out[1] + plan.band_rows - 1) / plan.band_rows;
    plan.n_col_bands = (s->out[2] + plan.band_cols - 1) / plan.band_cols;
    plan.max_in_rows = in_rows(s, plan.band_rows);

    /* Four rows are computed at a time, even where fewer are left: room for those that do not exist. */
    size_t spare_rows = 3 * s->stride[1];
    size_t n_elems = mls_window_elems(s->kernel);
    plan.rows_bytes = line_bytes((s->kernel[0] * plan.max_in_rows + spare_rows) * row_floats * sizeof(float));
    plan.weights_bytes = line_bytes(n_elems * sizeof(float));
    plan.counts_bytes = line_bytes((plan.band_cols + kernels->lanes) * sizeof(float));
    plan.offsets_bytes = line_bytes(n_elems * sizeof(size_t));
    return plan;
}

static size_t bytes_of_thread(const struct plan *plan)
{
    return plan->rows_bytes + plan->weights_bytes + plan->counts_bytes + plan->offsets_bytes;
}

size_t mls_window_scratch_bytes(const struct mls_kernels *kernels, const struct mls_window *window,
                                uint32_t threads)
{
    struct plan plan = make_plan(kernels->window, window);
    return (size_t)threads * bytes_of_thread(&plan);
}

static void apply_epilogue(const struct mls_window *window, size_t first_elem, size_t n)
{
    size_t elem_bytes = window->fp16 ? 2 : 4;
    window->epilogue->apply(window->epilogue->context, (uint8_t *)window->y + first_elem * elem_bytes,
                            first_elem, n);
}

static void run_band(const struct job *job, size_t index, uint32_t thread)
{
    const struct mls_window *window = job->window;
    const struct mls_window_space *s = &window->space;
    const struct plan *plan = &job->plan;
    struct mls_window_band band = {.phase_floats = plan->phase_floats};
    size_t left = index;
    band.col = left % plan->n_col_bands * plan->band_cols;
    left /= plan->n_col_bands;
    band.row = left % plan->n_row_bands * plan->band_rows;
    left /= plan->n_row_bands;
    band.depth = left % s->out[0];
    band.plane = left / s->out[0];
    band.n_cols = s->out[2] - band.col < plan->band_cols ? s->out[2] - band.col : plan->band_cols;
    band.n_rows = s->out[1] - band.row < plan->band_rows ? s->out[1] - band.row : plan->band_rows;
    band.n_in_rows = in_rows(s, band.n_rows);
    uint8_t *scratch = job->scratch + (size_t)thread * job->thread_bytes;
    band.rows = (float *)(void *)scratch;
    band.weights = (float *)(void *)(scratch + plan->rows_bytes);
    band.counts = (float *)(void *)(scratch + plan->rows_bytes + plan->weights_bytes);
    band.offsets = (size_t *)(void *)(scratch + plan->rows_bytes + plan->weights_bytes + plan->counts_bytes);
    job->kernels->band(window, &band);
    if (!window->epilogue)
        return;
    for (size_t o = 0; o < window->outputs; o++)
        for (size_t r = 0; r < band.n_rows; r++) {
            size_t plane = (band.plane * window->outputs + o) * s->out[0] + band.depth;
            apply_epilogue(window, (plane * s->out[1] + band.row + r) * s->out[2] + band.col, band.n_cols);
        }
}

static void bands_task(void *context, size_t index, uint32_t thread)
{
    const struct job *job = context;
    size_t first = index * job->bands_per_task;
    size_t n = job->n_bands - first < job->bands_per_task ? job->n_bands - first : job->bands_per_task;
    for (size_t i = first; i < first + n; i++) {
        if (job->whole)
            job->kernels->whole(job->window, i);
        else
            run_band(job, i, thread);
    }
    if (job->whole && job->window->epilogue)
        apply_epilogue(job->window, first, n);
}

/* Whether one window is the whole plane and nothing else. */
static bool covers_plane(const struct mls_window *window)
{
    const struct mls_window_space *s = &window->space;
    for (unsigned d = 0; d < MLS_SPACE; d++)
        if (s->out[d] != 1 || s->kernel[d] != s->in[d] || s->before[d] || s->after[d] ||
            (s->dilation[d] != 1 && s->kernel[d] > 1))
            return false;
    return window->kind != MLS_WINDOW_DEPTHWISE;
}

/* Whether the work is too little to be shared between threads: some microseconds. */
static bool is_small(const struct mls_window *window)
{
    double steps = (double)window->n_planes;
    for (unsigned d = 0; d < MLS_SPACE; d++)
        steps *= (double)window->space.out[d] * (double)window->space.kernel[d];
    return steps < WINDOW_STEPS_SMALL;
}

void mls_window_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_window *window,
                    void *scratch)
{
    struct job job = {.kernels = kernels->window,
                      .window = window,
                      .plan = make_plan(kernels->window, window),
                      .whole = covers_plane(window),
                      .scratch = scratch};
    job.thread_bytes = bytes_of_thread(&job.plan);
    job.n_bands = window->n_planes;
    if (!job.whole)
        job.n_bands *= window->space.out[0] * job.plan.n_row_bands * job.plan.n_col_bands;
    if (is_small(window))
        pool = NULL;
    size_t n_tasks = (size_t)mls_pool_threads(pool) * TASKS_PER_THREAD;
    job.bands_per_task = (job.n_bands + n_tasks - 1) / n_tasks;
    if (job.n_bands)
        mls_pool_for(pool, (job.n_bands + job.bands_per_task - 1) / job.bands_per_task, bands_task, &job);
}
