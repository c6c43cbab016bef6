#include "ops/sampling.h"

#include <math.h>
#include <string.h>

#include "kernels/sample/sample.h"
#include "ops/copy.h"

/* Pixels of one table: small enough for the second-level cache, beside the planes' rows that they read. */
enum { BLOCK = 4096, BATCH = 64, PLANES_MIN = 32 };

/* ---- Positions along an axis ---- */

/* Reflects a position into [low, high], which mirror. */
static float reflect(float position, float low, float high)
{
    float span = high - low;
    if (!(span > 0))
        return low;
    float offset = fabsf(position - low);
    float folds = floorf(offset / span), rest = offset - folds * span;
    return fmodf(folds, 2) == 0 ? low + rest : high - rest;
}

/* A position that lies inside, unless padding is constant. NaN reads the first element, or padding. */
static float fold(float position, int64_t n, enum mls_padding padding)
{
    float last = (float)(n - 1);
    switch (padding) {
    case MLS_PAD_REFLECTION:
        position = reflect(position, 0, last);
        break;
    case MLS_PAD_SYMMETRIC:
        position = reflect(position, -0.5f, last + 0.5f);
        break;
    case MLS_PAD_CONSTANT:
        /* two elements beyond the ends nothing differs any more; keeps the arithmetic below in range */
        return position > -2 ? (position < last + 2 ? position : last + 2) : -2;
    case MLS_PAD_BORDER:
    case MLS_PADDINGS:
        break;
    }
    return position > 0 ? (position < last ? position : last) : 0;
}

struct mls_axis_point mls_axis_linear(float position, int64_t n, enum mls_padding padding)
{
    position = fold(position, n, padding);
    float whole = floorf(position), right = position - whole;
    int64_t at = (int64_t)whole;
    float weight_of[2] = {1 - right, right};
    int64_t left = at < 0 ? 0 : at > n - 2 ? n - 2 : at;
    struct mls_axis_point point = {.left = (int32_t)(left < 0 ? 0 : left)};
    for (int64_t k = 0; k < 2; k++) {
        if (at + k >= 0 && at + k < n)
            point.weights[at + k - point.left] = weight_of[k];
        else
            point.outside += weight_of[k];
    }
    return point;
}

int32_t mls_axis_nearest(float position, int64_t n, enum mls_padding padding)
{
    int64_t at = (int64_t)rintf(fold(position, n, padding));
    return at >= 0 && at < n ? (int32_t)at : -1;
}

/* ---- Positions of a resized axis ---- */

enum mls_grid mls_grid_parse(const struct mls_op_call *call, unsigned param)
{
    static const char *const names[] = {[MLS_GRID_STRICT] = "STRICT_ALIGN_CORNERS",
                                        [MLS_GRID_ALIGN] = "ALIGN_CORNERS",
                                        [MLS_GRID_DEFAULT] = "DEFAULT",
                                        [MLS_GRID_OFFSET] = "OFFSET_CORNERS",
                                        [MLS_GRID_UNALIGN] = "UNALIGN_CORNERS"};
    enum mls_grid grid = MLS_GRID_STRICT;
    while (grid < MLS_GRIDS && !mls_op_text_is(call, param, "DEFAULT", names[grid]))
        grid++;
    return grid;
}

double mls_grid_position(enum mls_grid grid, double start, double n_in, int64_t n_out, int64_t i)
{
    double out = (double)n_out, at = (double)i, span = n_in - 1;
    switch (grid) {
    case MLS_GRID_STRICT:
        return n_out > 1 ? start + at * span / (out - 1) : start;
    case MLS_GRID_ALIGN:
        return n_out > 1 ? start + at * span / (out - 1) : start + span / 2;
    case MLS_GRID_DEFAULT:
        return start + at * n_in / out;
    case MLS_GRID_OFFSET:
        return start + (at + 0.5) * (span > 1 ? span : 1) / out;
    case MLS_GRID_UNALIGN:
        return start + (at + 0.5) * n_in / out - 0.5;
    case MLS_GRIDS:
        break;
    }
    return start;
}

/* ---- Sampling ---- */

/* A table of BLOCK pixels, as mls_sample_table reads it. */
struct table {
    int32_t top[BLOCK];
    int32_t bottom[BLOCK];
    float weights[4][BLOCK];
    float added[BLOCK];
};

struct job {
    const struct mls_sampling *sampling;
    const struct mls_sample_kernels *kernels;
    struct table *tables; /* one a thread */
    int64_t n_blocks;
    int64_t n_groups; /* groups of planes */
    int64_t planes_per_group;
};

static void fill_table(const struct mls_sampling *sampling, int64_t image, int64_t first, int64_t n,
                       struct table *table)
{
    struct mls_pixel pixels[BATCH];
    for (int64_t at = 0; at < n; at += BATCH) {
        int64_t part = n - at < BATCH ? n - at : BATCH;
        sampling->fill(sampling->context, image, first + at, part, pixels);
        for (int64_t k = 0, i = at; k < part; k++, i++) {
            const struct mls_axis_point *x = &pixels[k].x, *y = &pixels[k].y;
            int64_t below = y->left + 1 < sampling->height ? y->left + 1 : y->left;
            table->top[i] = (int32_t)(y->left * sampling->width + x->left);
            table->bottom[i] = (int32_t)(below * sampling->width + x->left);
            table->weights[0][i] = y->weights[0] * x->weights[0];
            table->weights[1][i] = y->weights[0] * x->weights[1];
            table->weights[2][i] = y->weights[1] * x->weights[0];
            table->weights[3][i] = y->weights[1] * x->weights[1];
            float outside = x->outside + y->outside - x->outside * y->outside;
            table->added[i] = outside > 0 ? sampling->padding_value * outside : 0;
        }
    }
}

static void sample_planes(const struct job *job, const struct table *table, int64_t image, int64_t block,
                          int64_t group)
{
    const struct mls_sampling *s = job->sampling;
    struct mls_sample_table view = {
        .top = table->top,
        .bottom = table->bottom,
        .weights = {table->weights[0], table->weights[1], table->weights[2], table->weights[3]},
        .added = table->added,
        .step = s->width > 1};
    int64_t first = block * BLOCK, n = s->n_pixels - first < BLOCK ? s->n_pixels - first : BLOCK;
    int64_t source_image = s->image_of ? s->image_of[image] : image;
    int64_t plane = group * job->planes_per_group;
    int64_t end = s->n_planes - plane < job->planes_per_group ? s->n_planes : plane + job->planes_per_group;
    for (; plane < end; plane++) {
        int64_t from = (source_image * s->n_planes + plane) * s->height * s->width;
        int64_t to = (image * s->n_planes + plane) * s->n_pixels + first;
        if (s->x->type.dtype == MLS_FP16)
            job->kernels->bilinear_fp16((const uint16_t *)s->x->data + from, &view, (size_t)n,
                                        (uint16_t *)s->out->data + to);
        else
            job->kernels->bilinear_fp32((const float *)s->x->data + from, &view, (size_t)n,
                                        (float *)s->out->data + to);
    }
}

static void run_task(void *context, size_t task, uint32_t thread)
{
    const struct job *job = context;
    int64_t group = (int64_t)task % job->n_groups, rest = (int64_t)task / job->n_groups;
    int64_t block = rest % job->n_blocks, image = rest / job->n_blocks;
    int64_t first = block * BLOCK, left = job->sampling->n_pixels - first;
    fill_table(job->sampling, image, first, left < BLOCK ? left : BLOCK, &job->tables[thread]);
    sample_planes(job, &job->tables[thread], image, block, group);
}

size_t mls_sampling_scratch(const struct mls_op_env *env)
{
    return mls_pool_threads(env->pool) * sizeof(struct table);
}

const char *mls_sample_images(const struct mls_sampling *sampling, void *scratch,
                              const struct mls_op_env *env)
{
    struct job job = {.sampling = sampling, .kernels = env->kernels->sample, .tables = scratch};
    job.n_blocks = (sampling->n_pixels + BLOCK - 1) / BLOCK;
    /* planes are divided only when blocks are too few to share: every group makes the table again */
    int64_t wanted = 4 * (int64_t)mls_pool_threads(env->pool), units = job.n_blocks * sampling->n_images;
    int64_t groups = units && units < wanted ? (wanted + units - 1) / units : 1;
    job.planes_per_group = (sampling->n_planes + groups - 1) / groups;
    if (job.planes_per_group < PLANES_MIN)
        job.planes_per_group = PLANES_MIN;
    job.n_groups = (sampling->n_planes + job.planes_per_group - 1) / job.planes_per_group;
    mls_pool_for(env->pool, (size_t)(units * job.n_groups), run_task, &job);
    return sampling->x->type.dtype == MLS_FP16 ? job.kernels->bilinear_fp16_name
                                               : job.kernels->bilinear_fp32_name;
}
