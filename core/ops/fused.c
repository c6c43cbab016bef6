#include "ops/fused.h"

#include <math.h>

/* Taken through all operations before the next ones are touched: 16 KiB of fp32, which leaves L1 room for an
 * operand. */
enum { PIECE_ELEMS = 4096 };

static void apply(const struct mls_fused_op *op, size_t elem_bytes, char *values, size_t first, size_t n)
{
    if (op->unary) {
        op->unary(values, values, n, &op->params);
        return;
    }
    const char *operand = op->operand->data;
    if (op->form == MLS_BINARY_ROWS)
        operand += first * elem_bytes;
    if (op->operand_first)
        op->binary(operand, values, values, n, op->form);
    else
        op->binary(values, operand, values, n, op->form);
}

void mls_fused_apply(const void *context, void *values, size_t first_elem, size_t n)
{
    const struct mls_fused_ops *fused = context;
    for (size_t done = 0; done < n; done += PIECE_ELEMS) {
        size_t now = n - done < PIECE_ELEMS ? n - done : PIECE_ELEMS;
        for (size_t i = 0; i < fused->n; i++)
            apply(&fused->ops[i], fused->elem_bytes, (char *)values + done * fused->elem_bytes,
                  first_elem + done, now);
    }
}

/* The range that an operation clamps to; false when it does something else. */
static bool range_of(const struct mls_fused_op *op, const struct mls_kernels *kernels, float *ret_low,
                     float *ret_high)
{
    const struct mls_unary_kernel *fp16 = kernels->unary->fp16, *fp32 = kernels->unary->fp32;
    mls_unary_run *unary = op->unary;
    if (!unary)
        return false;
    if (unary == fp16[MLS_UNARY_RELU].run || unary == fp32[MLS_UNARY_RELU].run) {
        *ret_low = 0;
        *ret_high = INFINITY;
    } else if (unary == fp16[MLS_UNARY_RELU6].run || unary == fp32[MLS_UNARY_RELU6].run) {
        *ret_low = 0;
        *ret_high = 6;
    } else if ((unary == fp16[MLS_UNARY_CLIP].run || unary == fp32[MLS_UNARY_CLIP].run) &&
               op->params.alpha <= op->params.beta) {
        *ret_low = op->params.alpha;
        *ret_high = op->params.beta;
    } else {
        return false;
    }
    return true;
}

size_t mls_fused_clamp(const struct mls_epilogue *epilogue, const struct mls_kernels *kernels, float *ret_low,
                       float *ret_high)
{
    const struct mls_fused_ops *fused = epilogue ? epilogue->context : NULL;
    size_t n = 0;
    float low, high;
    *ret_low = -INFINITY;
    *ret_high = INFINITY;
    while (fused && n < fused->n && range_of(&fused->ops[n], kernels, &low, &high)) {
        *ret_low = fminf(fmaxf(*ret_low, low), high);
        *ret_high = fminf(fmaxf(*ret_high, low), high);
        n++;
    }
    return n;
}

const struct mls_epilogue *mls_fused_rest(const struct mls_epilogue *epilogue, size_t n,
                                          struct mls_fused_ops *ret_rest, struct mls_epilogue *ret_epilogue)
{
    const struct mls_fused_ops *fused = epilogue ? epilogue->context : NULL;
    if (!fused || n == fused->n)
        return NULL;
    *ret_rest =
        (struct mls_fused_ops){.ops = fused->ops + n, .n = fused->n - n, .elem_bytes = fused->elem_bytes};
    *ret_epilogue = (struct mls_epilogue){.apply = epilogue->apply, .context = ret_rest};
    return ret_epilogue;
}

const struct mls_tensor *mls_fused_add(const struct mls_epilogue *epilogue, const struct mls_kernels *kernels)
{
    const struct mls_fused_ops *fused = epilogue ? epilogue->context : NULL;
    if (!fused || !fused->n)
        return NULL;
    const struct mls_fused_op *op = &fused->ops[0];
    bool adds = !op->unary && (op->binary == kernels->binary->fp16[MLS_BINARY_ADD].run ||
                               op->binary == kernels->binary->fp32[MLS_BINARY_ADD].run);
    return adds && op->form == MLS_BINARY_ROWS ? op->operand : NULL;
}

void mls_fused_into_product(const struct mls_kernels *kernels, struct mls_gemm *gemm,
                            struct mls_fused_left *ret_left)
{
    if (!gemm->epilogue || gemm->b.form == MLS_GEMM_FIXED)
        return;
    const struct mls_tensor *added =
        gemm->c_dtype == MLS_FP32 ? mls_fused_add(gemm->epilogue, kernels) : NULL;
    size_t n = added ? 1 : 0;
    const struct mls_epilogue *left = mls_fused_rest(gemm->epilogue, n, &ret_left->ops, &ret_left->epilogue);
    size_t n_clamps = mls_fused_clamp(left, kernels, &gemm->low, &gemm->high);
    gemm->added = added ? added->data : NULL;
    gemm->clamps = n_clamps > 0;
    gemm->epilogue = mls_fused_rest(gemm->epilogue, n + n_clamps, &ret_left->ops, &ret_left->epilogue);
}
