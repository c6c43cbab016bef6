#include "kernels/conv/conv16.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "kernels/conv/conv16_plan.h"

struct job {
    const struct mls_kernels *kernels;
    const struct mls_conv16 *conv;
    struct mls_conv16_plan plan;
    const size_t *offsets; /* of each element of the kernel: positions from that of a result on */
    uint8_t *shared;       /* integers and scales of all regions, or NULL */
    uint8_t *scratch;      /* of the threads */
    atomic_bool not_finite;
};

/* Some columns of results of one group of one image at one depth, and what they are made from. */
struct region {
    size_t image, group, depth; /* depth of the output */
    struct mls_conv16_area area;
    int16_t *integers; /* [block][pair][position][2] */
    float *scales;     /* [block]: of the products */
    struct mls_dot16_line *lines;
    struct mls_dot16_place *places;
    float *sums; /* of positions, later of results */
};

static struct region region_of(const struct job *job, size_t index, uint32_t thread)
{
    const struct mls_conv16_plan *plan = &job->plan;
    size_t matrix = index / plan->n_areas / plan->out_depth;
    struct region region = {.image = matrix / job->conv->groups,
                            .group = matrix % job->conv->groups,
                            .depth = index / plan->n_areas % plan->out_depth,
                            .area = mls_conv16_area(plan, index % plan->n_areas)};
    uint8_t *scratch = job->scratch + thread * plan->thread_bytes;
    region.lines = (struct mls_dot16_line *)(void *)scratch;
    region.places = (struct mls_dot16_place *)(void *)(scratch + plan->lines_bytes);
    region.sums = (float *)(void *)(scratch + plan->lines_bytes + plan->places_bytes);
    uint8_t *integers = scratch + plan->lines_bytes + plan->places_bytes + plan->sums_bytes;
    if (job->shared)
        integers = job->shared + index * plan->region_bytes;
    region.scales = (float *)(void *)integers;
    region.integers = (int16_t *)(void *)(integers + plan->scales_bytes);
    return region;
}

static int16_t *integers_at(const struct job *job, const struct region *region, size_t block)
{
    return region->integers + block * job->plan.cut.n_pairs * job->plan.stride * 2;
}

/* The same as bytes: four take the place of two integers. */
static uint8_t *bytes_at(const struct job *job, const struct region *region, size_t block)
{
    return (uint8_t *)(void *)integers_at(job, region, block);
}

/* The plane of channel `channel` of the group, where an element of the kernel's depth is a channel of its
 * own. */
static const uint16_t *plane_of(const struct job *job, const struct region *region, size_t channel)
{
    const struct mls_conv16 *conv = job->conv;
    const struct mls_window_space *s = &conv->space;
    size_t depth = region->depth * s->stride[0] + channel % s->kernel[0] * s->dilation[0] - s->before[0];
    if (channel >= job->plan.cut.channels || depth >= s->in[0]) /* it wraps before the first */
        return NULL;
    size_t plane =
        (region->image * conv->groups + region->group) * conv->in_channels + channel / s->kernel[0];
    return conv->x + (plane * s->in[0] + depth) * s->in[1] * s->in[2];
}

/* One block of channels as bytes. */
static void round_to_bytes(const struct job *job, const struct region *region, size_t index)
{
    const struct mls_conv16_plan *plan = &job->plan;
    size_t n_planes = MLS_DOT8_FOUR * plan->cut.n_pairs;
    struct mls_dot8_block block = {.n_planes = n_planes,
                                   .lines = region->lines,
                                   .n_lines = plan->n_lines,
                                   .width = plan->pitch,
                                   .step = plan->step};
    for (size_t i = 0; i < n_planes; i++)
        block.planes[i] = plane_of(job, region, index * n_planes + i);
    job->kernels->dot8->quantize(&block, &job->conv->rounding, plan->stride, bytes_at(job, region, index));
}

/* One block of channels as integers; false when a value is not finite. */
static bool quantize(const struct job *job, const struct region *region, size_t index)
{
    const struct mls_conv16_plan *plan = &job->plan;
    const struct mls_dot16_kernels *kernels = job->kernels->dot16;
    if (job->conv->bytes) {
        round_to_bytes(job, region, index);
        return true;
    }
    size_t n_planes = 2 * plan->cut.n_pairs, first = index * n_planes;
    struct mls_dot16_block block = {.n_planes = n_planes,
                                    .scales = job->conv->weights[region->group].plane_scales + first,
                                    .lines = region->lines,
                                    .n_lines = plan->n_lines,
                                    .width = plan->pitch,
                                    .step = plan->step};
    for (size_t i = 0; i < n_planes; i++)
        block.planes[i] = plane_of(job, region, first + i);
    float square = kernels->measure(&block, region->sums);
    if (!isfinite(square))
        return false;
    float scale = mls_dot16_scale(square, &plan->cut);
    region->scales[index] = scale > 0 ? 1 / scale : 0;
    kernels->quantize(&block, scale, plan->stride, integers_at(job, region, index));
    return true;
}

/* ---- products ---- */

/* Weights of some rows, and where their results go. */
struct rows {
    size_t first; /* of the group */
    struct mls_dot16_results results;
};

/* All groups of terms of one panel. */
static void multiply_panel(const struct job *job, const struct region *region, const struct rows *rows, size_t position)
{
    const struct mls_dot16_cut *cut = &job->plan.cut;
    const struct mls_dot16_matrix *weights = &job->conv->weights[region->group];
    size_t row_elems = 2 * mls_dot16_row_pairs(cut);
    struct mls_dot16_panel panel = {.a = weights->panels + rows->first * row_elems,
                                    .a_stride = row_elems * MLS_DOT16_ROWS,
                                    .n_pairs = cut->n_pairs,
                                    .b_stride = job->plan.stride,
                                    .first = true,
                                    .sums = region->sums,
                                    .results = rows->results};
    for (size_t block = 0; block < cut->n_blocks; block++) {
        panel.b = integers_at(job, region, block) + position * 2;
        panel.scale = region->scales[block];
        for (size_t e = 0; e < cut->elements; e += panel.n_elements) {
            size_t left = cut->elements - e;
            panel.n_elements = left < cut->group_elements ? left : cut->group_elements;
            panel.offsets = job->offsets + e;
            panel.last = block + 1 == cut->n_blocks && panel.n_elements == left;
            job->kernels->dot16->multiply(&panel);
            panel.a += panel.n_elements * cut->n_pairs * MLS_DOT16_ROWS * 2;
            panel.first = false;
        }
    }
}

/* The same of bytes. */
static void multiply_bytes(const struct job *job, const struct region *region, const struct rows *rows, size_t position)
{
    const struct mls_dot16_cut *cut = &job->plan.cut;
    const struct mls_dot8_matrix *weights = &job->conv->bytes[region->group];
    size_t row_bytes = MLS_DOT8_FOUR * mls_dot16_row_pairs(cut);
    int32_t *sums = (int32_t *)(void *)region->sums;
    struct mls_dot8_panel panel = {.a = weights->panels + rows->first * row_bytes,
                                   .a_stride = row_bytes * MLS_DOT16_ROWS,
                                   .n_words = cut->n_pairs,
                                   .b_stride = job->plan.stride,
                                   .first = true,
                                   .sums = sums,
                                   .starts = weights->starts + rows->first,
                                   .zeros = weights->zeros ? weights->zeros + rows->first : NULL,
                                   .ones = weights->ones,
                                   .inputs = sums + MLS_CONV16_ROWS * MLS_DOT16_VECTORS * MLS_DOT16_LANES,
                                   .results = rows->results};
    for (size_t block = 0; block < cut->n_blocks; block++) {
        panel.b = bytes_at(job, region, block) + position * MLS_DOT8_FOUR;
        for (size_t e = 0; e < cut->elements; e += panel.n_elements) {
            size_t left = cut->elements - e, terms;
            panel.n_elements = left < cut->group_elements ? left : cut->group_elements;
            panel.offsets = job->offsets + e;
            panel.last = block + 1 == cut->n_blocks && panel.n_elements == left;
            job->kernels->dot8->multiply(&panel);
            terms = panel.n_elements * cut->n_pairs * MLS_DOT8_FOUR;
            panel.a += terms * MLS_DOT16_ROWS;
            panel.ones = weights->ones ? panel.ones + terms : NULL;
            panel.first = false;
        }
    }
}

/* Some rows, whose weights stay in the cache while the panels go by. */
static void multiply_rows(const struct job *job, const struct region *region, size_t row, size_t n_rows)
{
    const struct mls_conv16 *conv = job->conv;
    const struct mls_conv16_plan *plan = &job->plan;
    size_t plane = (region->image * conv->groups + region->group) * plan->m + row;
    size_t y = plane * plan->y_stride + region->depth * plan->y_plane;
    const float *scales = conv->bytes ? conv->bytes[region->group].row_scales : conv->weights[region->group].row_scales;
    struct rows rows = {.first = row,
                        .results = {.n_rows = n_rows,
                                    .row_scales = scales + row,
                                    .bias = conv->bias + region->group * mls_dot16_rows(plan->m) + row,
                                    .low = conv->low,
                                    .high = conv->high,
                                    .y = conv->y + y,
                                    .y_stride = plan->y_stride,
                                    .added = conv->added ? conv->added + y : NULL}};
    for (size_t v = 0; v < region->area.n_vectors; v += rows.results.vectors) {
        size_t left = region->area.n_vectors - v;
        rows.results.vectors = left <= MLS_DOT16_VECTORS ? left : MLS_CONV16_PANEL_VECTORS;
        rows.results.places = region->places + v;
        if (conv->bytes)
            multiply_bytes(job, region, &rows, v * MLS_DOT16_LANES);
        else
            multiply_panel(job, region, &rows, v * MLS_DOT16_LANES);
    }
    y += region->area.y;
    for (size_t r = 0; conv->epilogue && r < n_rows; r++, y += plan->y_stride)
        conv->epilogue->apply(conv->epilogue->context, conv->y + y, y, region->area.n_results);
}

static void quantize_task(void *context, size_t index, uint32_t thread)
{
    struct job *job = context;
    size_t n_blocks = job->plan.cut.n_blocks;
    struct region region = region_of(job, index / n_blocks, thread);
    mls_conv16_lines(&job->plan, &region.area, region.lines);
    if (!quantize(job, &region, index % n_blocks))
        atomic_store_explicit(&job->not_finite, true, memory_order_relaxed);
}

static void multiply_task(void *context, size_t index, uint32_t thread)
{
    struct job *job = context;
    const struct mls_conv16_plan *plan = &job->plan;
    struct region region = region_of(job, index / plan->n_row_parts, thread);
    mls_conv16_places(plan, &region.area, region.places);
    if (!job->shared)
        mls_conv16_lines(plan, &region.area, region.lines);
    for (size_t b = 0; !job->shared && b < plan->cut.n_blocks; b++)
        if (!quantize(job, &region, b)) {
            atomic_store_explicit(&job->not_finite, true, memory_order_relaxed);
            return;
        }
    size_t row = index % plan->n_row_parts * plan->rows, end = row + plan->rows;
    end = end < plan->m ? end : plan->m;
    for (; row < end; row += MLS_CONV16_ROWS)
        multiply_rows(job, &region, row, end - row < MLS_CONV16_ROWS ? end - row : MLS_CONV16_ROWS);
}

bool mls_conv16_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_conv16 *conv,
                    void *scratch)
{
    struct job job = {
        .kernels = kernels, .conv = conv, .plan = mls_conv16_plan(conv, mls_pool_threads(pool))};
    const struct mls_conv16_plan *plan = &job.plan;
    uint8_t *free_bytes = scratch;
    job.offsets = mls_conv16_offsets(plan, scratch);
    free_bytes += plan->offsets_bytes;
    size_t n_regions = conv->batch * conv->groups * plan->out_depth * plan->n_areas;
    if (plan->n_row_parts > 1) {
        job.shared = free_bytes;
        free_bytes += n_regions * plan->region_bytes;
    }
    job.scratch = free_bytes;
    if (job.shared)
        mls_pool_for(pool, n_regions * plan->cut.n_blocks, quantize_task, &job);
    if (!atomic_load_explicit(&job.not_finite, memory_order_relaxed))
        mls_pool_for(pool, n_regions * plan->n_row_parts, multiply_task, &job);
    return !atomic_load_explicit(&job.not_finite, memory_order_relaxed);
}
