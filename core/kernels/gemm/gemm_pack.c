#include "kernels/gemm/gemm_panel.h"

#include <string.h>

/* Terms that are moved together when elements keep their type: a few cache lines of each line of the source.
 */
enum { K_STEP = 64 };

struct mls_gemm_lines mls_gemm_lines_of(const struct mls_gemm_kernels *kernels, enum mls_gemm_side side,
                                        const struct mls_gemm_operand *operand, size_t extent)
{
    if (side == MLS_GEMM_A)
        return (struct mls_gemm_lines){.line_stride = operand ? operand->row_stride : 0,
                                       .k_stride = operand ? operand->col_stride : 0,
                                       .n_lines = extent,
                                       .panel_lines = kernels->rows,
                                       .multiple = 1};
    return (struct mls_gemm_lines){.line_stride = operand ? operand->col_stride : 0,
                                   .k_stride = operand ? operand->row_stride : 0,
                                   .n_lines = extent,
                                   .panel_lines = kernels->vectors * kernels->lanes,
                                   .multiple = kernels->lanes};
}

size_t mls_gemm_packed_elems(const struct mls_gemm_kernels *kernels, enum mls_gemm_side side, size_t extent,
                             size_t k)
{
    struct mls_gemm_lines lines = mls_gemm_lines_of(kernels, side, NULL, extent);
    return (extent + lines.multiple - 1) / lines.multiple * lines.multiple * k;
}

static size_t lines_in_panel(const struct mls_gemm_lines *lines, size_t index)
{
    size_t left = lines->n_lines - index * lines->panel_lines;
    return left < lines->panel_lines ? left : lines->panel_lines;
}

static void fill_up(float *ret, size_t n_lines, size_t width, size_t n_k)
{
    if (n_lines == width)
        return;
    for (size_t i = 0; i < n_k; i++)
        memset(ret + i * width + n_lines, 0, (width - n_lines) * sizeof *ret);
}

/* Lines that lie one after the other for each k: rows of the panel are copied. */
static void load_neighbours(const struct mls_kernels *kernels, enum mls_dtype dtype, const void *data,
                            size_t at, size_t k_stride, size_t n_lines, size_t width, size_t n_k, float *ret)
{
    for (size_t i = 0; i < n_k; i++, at += k_stride) {
        if (dtype == MLS_FP16)
            kernels->convert->fp16_to_fp32((const uint16_t *)data + at, ret + i * width, n_lines);
        else
            memcpy(ret + i * width, (const float *)data + at, n_lines * sizeof *ret);
    }
}

void mls_gemm_panel_load(const struct mls_kernels *kernels, const struct mls_gemm_operand *operand,
                         size_t batch, const struct mls_gemm_lines *lines, size_t index, size_t k, size_t n_k,
                         float *ret, float *rows)
{
    size_t n_lines = lines_in_panel(lines, index);
    size_t width = mls_gemm_panel_width(lines, index);
    size_t at = batch + index * lines->panel_lines * lines->line_stride + k * lines->k_stride;
    if (lines->line_stride == 1 && n_lines > 1) {
        load_neighbours(kernels, operand->dtype, operand->data, at, lines->k_stride, n_lines, width, n_k,
                        ret);
    } else if (lines->k_stride == 1) {
        const float *source = (const float *)operand->data + at;
        size_t stride = lines->line_stride;
        if (operand->dtype == MLS_FP16) {
            const uint16_t *half = (const uint16_t *)operand->data + at;
            for (size_t l = 0; l < n_lines; l++)
                kernels->convert->fp16_to_fp32(half + l * stride, rows + l * n_k, n_k);
            source = rows;
            stride = n_k;
        }
        kernels->gemm->transpose(source, stride, n_lines, n_k, ret, width);
    } else {
        for (size_t i = 0; i < n_k; i++)
            for (size_t l = 0; l < n_lines; l++)
                load_neighbours(kernels, operand->dtype, operand->data,
                                at + i * lines->k_stride + l * lines->line_stride, 0, 1, width, 1,
                                ret + i * width + l);
    }
    fill_up(ret, n_lines, width, n_k);
}

/* Packing of constants: the elements keep their type. */
struct pack_job {
    const struct mls_gemm_kernels *kernels;
    const struct mls_gemm_operand *source;
    size_t batch;
    struct mls_gemm_lines lines;
    size_t k;
    void *ret;
};

/* As the transpose kernel, for any two bytes; four lines at a time, so that stores are wide. */
static void transpose_halves(const uint16_t *source, size_t line_stride, size_t n_lines, size_t n_k,
                             uint16_t *ret, size_t width)
{
    size_t l = 0;
    for (; l + 4 <= n_lines; l += 4) {
        const uint16_t *from = source + l * line_stride;
        for (size_t i = 0; i < n_k; i++) {
            uint16_t lines[4] = {from[i], from[line_stride + i], from[2 * line_stride + i],
                                 from[3 * line_stride + i]};
            memcpy(ret + i * width + l, lines, sizeof lines);
        }
    }
    for (; l < n_lines; l++)
        for (size_t i = 0; i < n_k; i++)
            ret[i * width + l] = source[l * line_stride + i];
}

/* Terms first … first + n_k - 1 of n_lines lines that begin at element `at` of the source. */
static void pack_lines(const struct pack_job *job, size_t at, size_t n_lines, size_t first, size_t n_k,
                       size_t width, uint8_t *ret)
{
    const struct mls_gemm_lines *lines = &job->lines;
    size_t elem_bytes = job->source->dtype == MLS_FP16 ? 2 : 4;
    const uint8_t *from = (const uint8_t *)job->source->data + (at + first * lines->k_stride) * elem_bytes;
    uint8_t *to = ret + first * width * elem_bytes;
    if (n_lines < width)
        memset(to, 0, n_k * width * elem_bytes);
    if (lines->line_stride == 1) {
        for (size_t i = 0; i < n_k; i++)
            memcpy(to + i * width * elem_bytes, from + i * lines->k_stride * elem_bytes,
                   n_lines * elem_bytes);
    } else if (lines->k_stride != 1) {
        for (size_t i = 0; i < n_k; i++)
            for (size_t l = 0; l < n_lines; l++)
                memcpy(to + (i * width + l) * elem_bytes,
                       from + (i * lines->k_stride + l * lines->line_stride) * elem_bytes, elem_bytes);
    } else if (job->source->dtype == MLS_FP16) {
        transpose_halves((const uint16_t *)(const void *)from, lines->line_stride, n_lines, n_k,
                         (uint16_t *)(void *)to, width);
    } else {
        job->kernels->transpose((const float *)(const void *)from, lines->line_stride, n_lines, n_k,
                                (float *)(void *)to, width);
    }
}

static void pack_task(void *context, size_t index, uint32_t thread)
{
    (void)thread;
    const struct pack_job *job = context;
    const struct mls_gemm_lines *lines = &job->lines;
    size_t first_line = index * lines->panel_lines;
    size_t width = mls_gemm_panel_width(lines, index);
    uint8_t *panel = (uint8_t *)job->ret + first_line * job->k * (job->source->dtype == MLS_FP16 ? 2 : 4);
    for (size_t first = 0; first < job->k; first += K_STEP)
        pack_lines(job, job->batch + first_line * lines->line_stride, lines_in_panel(lines, index), first,
                   job->k - first < K_STEP ? job->k - first : K_STEP, width, panel);
}

void mls_gemm_pack(const struct mls_gemm_kernels *kernels, struct mls_pool *pool, enum mls_gemm_side side,
                   const struct mls_gemm_operand *source, size_t batch, size_t extent, size_t k, void *ret)
{
    struct pack_job job = {.kernels = kernels,
                           .source = source,
                           .batch = batch,
                           .lines = mls_gemm_lines_of(kernels, side, source, extent),
                           .k = k,
                           .ret = ret};
    mls_pool_for(pool, mls_gemm_panel_count(&job.lines), pack_task, &job);
}
