#include "kernels/conv/conv.h"

#include <string.h>

#include "kernels/convert/convert.h"

/* Bytes of products that are held at a time, unless one panel of channels needs more. */
enum { PRODUCT_BYTES = 4 << 20 };

/* The product of weights and input for some output channels, then the sum of what falls on each output
 * element. */
struct plan {
    size_t
        channels; /* of a group, done together; a multiple of the panel height, so that panels are not cut */
    size_t product_bytes;
    size_t plane_bytes; /* sums of one output plane, of one thread */
    size_t gemm_bytes;
};

static size_t line_bytes(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static struct mls_gemm gemm_of(const struct mls_conv_transpose *conv, size_t channels)
{
    size_t k_elems = mls_window_elems(conv->space.kernel), positions = mls_window_elems(conv->space.out);
    return (struct mls_gemm){.m = channels * k_elems,
                             .n = positions,
                             .k = conv->in_channels,
                             .a = conv->weights,
                             .b = {.form = MLS_GEMM_STRIDED,
                                   .dtype = conv->fp16 ? MLS_FP16 : MLS_FP32,
                                   .data = conv->x,
                                   .row_stride = positions,
                                   .col_stride = 1},
                             .c_dtype = MLS_FP32,
                             .c_stride = positions};
}

static struct plan make_plan(const struct mls_kernels *kernels, const struct mls_conv_transpose *conv,
                             uint32_t threads)
{
    size_t k_elems = mls_window_elems(conv->space.kernel), positions = mls_window_elems(conv->space.out);
    size_t bytes_of_channel = k_elems * positions * sizeof(float);
    size_t step = kernels->gemm->rows;
    struct plan plan = {.channels = PRODUCT_BYTES / bytes_of_channel / step * step};
    if (!plan.channels)
        plan.channels = step;
    if (plan.channels > conv->out_channels)
        plan.channels = conv->out_channels;
    struct mls_gemm gemm = gemm_of(conv, plan.channels);
    plan.product_bytes = line_bytes(plan.channels * bytes_of_channel);
    plan.plane_bytes = line_bytes(mls_window_elems(conv->space.in) * sizeof(float));
    plan.gemm_bytes = mls_gemm_scratch_bytes(kernels, &gemm, threads);
    return plan;
}

size_t mls_conv_transpose_scratch_bytes(const struct mls_kernels *kernels,
                                        const struct mls_conv_transpose *conv, uint32_t threads)
{
    struct plan plan = make_plan(kernels, conv, threads);
    return plan.product_bytes + (size_t)threads * plan.plane_bytes + plan.gemm_bytes;
}

struct sums_job {
    const struct mls_kernels *kernels;
    const struct mls_conv_transpose *conv;
    const float *products; /* [channels][kernel elements][positions] */
    size_t first_plane;    /* of the output */
    size_t first_channel;  /* of the bias */
    uint8_t *planes;
    size_t plane_bytes;
};

/* Adds the products of one kernel element along one row of positions: `at` is the output column of the first.
 */
static void add_row(const struct mls_window_space *s, const float *from, ptrdiff_t at, float *row)
{
    ptrdiff_t step = (ptrdiff_t)s->stride[2], width = (ptrdiff_t)s->in[2], n = (ptrdiff_t)s->out[2];
    ptrdiff_t first = at < 0 ? (-at + step - 1) / step : 0;
    ptrdiff_t after = at < width ? (width - 1 - at) / step + 1 : 0;
    after = after < n ? after : n;
    for (ptrdiff_t i = first; i < after; i++)
        row[at + i * step] += from[i];
}

static void add_element(const struct mls_window_space *s, const size_t at[MLS_SPACE], const float *from,
                        float *plane)
{
    for (size_t d = 0; d < s->out[0]; d++) {
        size_t to_d = d * s->stride[0] + at[0] * s->dilation[0] - s->before[0]; /* wraps when outside */
        for (size_t h = 0; h < s->out[1]; h++, from += s->out[2]) {
            size_t to_h = h * s->stride[1] + at[1] * s->dilation[1] - s->before[1];
            if (to_d >= s->in[0] || to_h >= s->in[1])
                continue;
            add_row(s, from, (ptrdiff_t)(at[2] * s->dilation[2]) - (ptrdiff_t)s->before[2],
                    plane + (to_d * s->in[1] + to_h) * s->in[2]);
        }
    }
}

static void sums_task(void *context, size_t index, uint32_t thread)
{
    const struct sums_job *job = context;
    const struct mls_conv_transpose *conv = job->conv;
    const struct mls_window_space *s = &conv->space;
    size_t elems = mls_window_elems(s->in), positions = mls_window_elems(s->out);
    float *plane = (float *)(void *)(job->planes + (size_t)thread * job->plane_bytes);
    float bias = conv->bias ? conv->bias[job->first_channel + index] : 0;
    for (size_t i = 0; i < elems; i++)
        plane[i] = bias;
    const float *from = job->products + index * mls_window_elems(s->kernel) * positions;
    for (size_t d = 0; d < s->kernel[0]; d++)
        for (size_t h = 0; h < s->kernel[1]; h++)
            for (size_t w = 0; w < s->kernel[2]; w++, from += positions)
                add_element(s, (size_t[MLS_SPACE]){d, h, w}, from, plane);
    size_t at = (job->first_plane + index) * elems;
    if (conv->fp16)
        job->kernels->convert->fp32_to_fp16(plane, (uint16_t *)conv->y + at, elems);
    else
        memcpy((float *)conv->y + at, plane, elems * sizeof *plane);
    if (conv->epilogue)
        conv->epilogue->apply(conv->epilogue->context, (uint8_t *)conv->y + at * (conv->fp16 ? 2 : 4), at,
                              elems);
}

void mls_conv_transpose_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                            const struct mls_conv_transpose *conv, void *scratch)
{
    struct plan plan = make_plan(kernels, conv, mls_pool_threads(pool));
    size_t k_elems = mls_window_elems(conv->space.kernel), positions = mls_window_elems(conv->space.out);
    size_t x_elem_bytes = conv->fp16 ? 2 : 4, a_elem_bytes = conv->weights.dtype == MLS_FP16 ? 2 : 4;
    uint8_t *planes = (uint8_t *)scratch + plan.product_bytes;
    uint8_t *gemm_scratch = planes + (size_t)mls_pool_threads(pool) * plan.plane_bytes;
    for (size_t group = 0; group < conv->batch * conv->groups; group++) {
        for (size_t channel = 0; channel < conv->out_channels; channel += plan.channels) {
            size_t left = conv->out_channels - channel;
            struct mls_gemm gemm = gemm_of(conv, left < plan.channels ? left : plan.channels);
            size_t rows = channel * k_elems;
            size_t a_at =
                group % conv->groups * conv->weights.batch_strides[0] +
                rows * (conv->weights.form == MLS_GEMM_PACKED ? conv->in_channels : conv->weights.row_stride);
            gemm.a.data = (const uint8_t *)conv->weights.data + a_at * a_elem_bytes;
            gemm.b.data = (const uint8_t *)conv->x + group * conv->in_channels * positions * x_elem_bytes;
            gemm.c = scratch;
            mls_gemm_run(kernels, pool, &gemm, gemm_scratch);
            struct sums_job job = {.kernels = kernels,
                                   .conv = conv,
                                   .products = scratch,
                                   .first_plane = group * conv->out_channels + channel,
                                   .first_channel = group % conv->groups * conv->out_channels + channel,
                                   .planes = planes,
                                   .plane_bytes = plan.plane_bytes};
            mls_pool_for(pool, gemm.m / k_elems, sums_task, &job);
        }
    }
}
