#include "kernels/conv/depthwise.h"

#include <string.h>

#include "kernels/conv/conv.h"

/* Floats of the rows of a band, which stay in the first-level cache; a row that is much longer is left to
 * window.c. */
enum { BAND_FLOATS = 6 * 1024, ROW_FLOATS_MAX = 24 * 1024, TASKS_PER_THREAD = 8, ROWS_OF_BLOCK = 4 };
/* Products below which waking another thread costs more than it saves. */
enum { PRODUCTS_SMALL = 128 * 1024 };

struct plan {
    const struct mls_depthwise_kernel *kernel;
    size_t phase_floats, row_floats;
    size_t band_rows; /* of the output */
    size_t thread_bytes;
};

struct job {
    const struct mls_depthwise *conv;
    struct plan plan;
    size_t planes_per_task;
    uint8_t *scratch;
};

static size_t round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static const struct mls_depthwise_kernel *find(const struct mls_kernels *kernels,
                                               const struct mls_window_space *s)
{
    bool flat = s->kernel[0] == 1 && s->in[0] == 1 && s->out[0] == 1;
    bool same_stride = s->stride[1] == s->stride[2] || s->kernel[1] == 1;
    bool row_by_row = s->kernel[1] == 1 && s->stride[1] == 1 && !s->before[1] && !s->after[1];
    bool dense = s->dilation[1] == 1 && s->dilation[2] == 1;
    for (size_t i = 0; flat && same_stride && i < MLS_DEPTHWISE_KERNELS; i++) {
        const struct mls_depthwise_kernel *kernel = &kernels->conv->depthwise[i];
        if (kernel->height == s->kernel[1] && kernel->width == s->kernel[2] &&
            kernel->stride == s->stride[2] && (s->kernel[1] == 1 ? row_by_row : dense))
            return kernel;
    }
    return NULL;
}

static struct plan make_plan(const struct mls_kernels *kernels, const struct mls_window_space *s)
{
    struct plan plan = {.kernel = find(kernels, s)};
    size_t stride = s->stride[2], lanes = kernels->window->lanes;
    size_t read = round_up(s->out[2], ROWS_OF_BLOCK * lanes) + (s->kernel[2] - 1) * s->dilation[2] / stride;
    size_t written = (s->before[2] + s->in[2] + s->after[2]) / stride + 2;
    plan.phase_floats = round_up((read > written ? read : written) + 2 * lanes, 16);
    plan.row_floats = stride * plan.phase_floats;
    plan.band_rows = s->out[1];
    size_t row_stride = s->kernel[1] == 1 ? 1 : stride;
    while (plan.band_rows > 1 && (plan.band_rows * row_stride + s->kernel[1]) * plan.row_floats > BAND_FLOATS)
        plan.band_rows = (plan.band_rows + 1) / 2;
    size_t in_rows = (plan.band_rows - 1) * row_stride + s->kernel[1];
    plan.thread_bytes = round_up(in_rows * plan.row_floats * sizeof(float), 64);
    return plan;
}

bool mls_depthwise_suits(const struct mls_kernels *kernels, const struct mls_window *window)
{
    return find(kernels, &window->space) && make_plan(kernels, &window->space).row_floats <= ROW_FLOATS_MAX;
}

size_t mls_depthwise_scratch_bytes(const struct mls_kernels *kernels, const struct mls_depthwise *conv,
                                   uint32_t threads)
{
    return (size_t)threads * make_plan(kernels, &conv->window.space).thread_bytes;
}

static void planes_task(void *context, size_t index, uint32_t thread)
{
    const struct job *job = context;
    const struct mls_window *window = &job->conv->window;
    size_t first = index * job->planes_per_task, end = first + job->planes_per_task;
    size_t out_rows = window->space.out[1], out_elems = out_rows * window->space.out[2];
    end = end < window->n_planes ? end : window->n_planes;
    struct mls_depthwise_band band = {
        .phase_floats = job->plan.phase_floats,
        .rows = (float *)(void *)(job->scratch + (size_t)thread * job->plan.thread_bytes)};
    memset(band.rows, 0, job->plan.thread_bytes);
    for (band.plane = first; band.plane < end; band.plane++)
        for (band.row = 0; band.row < out_rows; band.row += job->plan.band_rows) {
            band.n_rows =
                out_rows - band.row < job->plan.band_rows ? out_rows - band.row : job->plan.band_rows;
            job->plan.kernel->band(job->conv, &band);
        }
    size_t at = first * window->outputs * out_elems, n = (end - first) * window->outputs * out_elems;
    if (window->epilogue)
        window->epilogue->apply(window->epilogue->context, (uint8_t *)window->y + at * (window->fp16 ? 2 : 4),
                                at, n);
}

void mls_depthwise_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                       const struct mls_depthwise *conv, void *scratch)
{
    const struct mls_window *window = &conv->window;
    const struct mls_window_space *s = &window->space;
    struct job job = {.conv = conv, .plan = make_plan(kernels, s), .scratch = scratch};
    double products = (double)(window->n_planes * window->outputs) * (double)mls_window_elems(s->out) *
                      (double)mls_window_elems(s->kernel);
    size_t n_tasks = (size_t)mls_pool_threads(pool) * TASKS_PER_THREAD;
    if (products < PRODUCTS_SMALL)
        pool = NULL;
    job.planes_per_task = (window->n_planes + n_tasks - 1) / n_tasks;
    if (job.planes_per_task)
        mls_pool_for(pool, (window->n_planes + job.planes_per_task - 1) / job.planes_per_task, planes_task,
                     &job);
}
