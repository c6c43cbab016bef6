#include "ops/fused.h"

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
