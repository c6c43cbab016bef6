/* gemm_panel.h: the layout of panels and how they are made, shared by packing and by the product. */
#pragma once

#include "kernels/convert/convert.h"
#include "kernels/gemm/gemm.h"

/* What the panels of one operand look like. "Lines" are rows of A or columns of B. */
struct mls_gemm_lines {
    size_t line_stride; /* of a STRIDED operand, in elements */
    size_t k_stride;
    size_t n_lines;     /* in all */
    size_t panel_lines; /* of a full panel */
    size_t multiple;    /* the last panel is filled up to a multiple of this */
};

struct mls_gemm_lines mls_gemm_lines_of(const struct mls_gemm_kernels *kernels, enum mls_gemm_side side,
                                        const struct mls_gemm_operand *operand, size_t extent);

/* mls_gemm_panel_width: lines of panel `index`, filling included. */
static inline size_t mls_gemm_panel_width(const struct mls_gemm_lines *lines, size_t index)
{
    size_t left = lines->n_lines - index * lines->panel_lines;
    if (left >= lines->panel_lines)
        return lines->panel_lines;
    return (left + lines->multiple - 1) / lines->multiple * lines->multiple;
}

static inline size_t mls_gemm_panel_count(const struct mls_gemm_lines *lines)
{
    return (lines->n_lines + lines->panel_lines - 1) / lines->panel_lines;
}

/*
 * mls_gemm_panel_load: panel `index`, terms k … k + n_k - 1, of a STRIDED operand as fp32 into ret
 * ([n_k][width]). `rows` holds panel_lines * n_k floats.
 */
void mls_gemm_panel_load(const struct mls_kernels *kernels, const struct mls_gemm_operand *operand,
                         size_t batch, const struct mls_gemm_lines *lines, size_t index, size_t k, size_t n_k,
                         float *ret, float *rows);
