#include "ops/broadcast.h"

#include <string.h>

#include "ops/elementwise.h"

/* The stride of dimension i of the result in an operand whose dimensions are aligned at the right. */
static int64_t stride_of(const struct mls_type *operand, unsigned result_rank, unsigned i)
{
    unsigned missing = result_rank - operand->rank;
    if (i < missing || operand->dims[i - missing] == 1)
        return 0;
    int64_t stride = 1;
    for (unsigned j = i - missing + 1; j < operand->rank; j++)
        stride *= operand->dims[j];
    return stride;
}

/* Whether the last planned dimension can take in an inner one of `dim` elements with these strides. */
static bool walks_together(const struct mls_broadcast *plan, int64_t dim, const int64_t *strides)
{
    for (unsigned k = 0; k < plan->n_operands; k++)
        if (plan->strides[k][plan->rank - 1] != strides[k] * dim)
            return false;
    return true;
}

struct mls_broadcast mls_broadcast_plan(const struct mls_type *const *operands, unsigned n_operands,
                                        const struct mls_type *result)
{
    struct mls_broadcast plan = {.n_operands = n_operands};
    for (unsigned i = 0; i < result->rank; i++) {
        if (result->dims[i] == 1)
            continue;
        int64_t strides[MLS_BROADCAST_OPERANDS];
        for (unsigned k = 0; k < n_operands; k++)
            strides[k] = stride_of(operands[k], result->rank, i);
        if (plan.rank && walks_together(&plan, result->dims[i], strides)) {
            plan.dims[plan.rank - 1] *= result->dims[i];
        } else {
            plan.dims[plan.rank++] = result->dims[i];
        }
        for (unsigned k = 0; k < n_operands; k++)
            plan.strides[k][plan.rank - 1] = strides[k];
    }
    if (!plan.rank) { /* one element */
        plan.rank = 1;
        plan.dims[0] = 1;
    }
    return plan;
}

struct rows {
    const struct mls_broadcast *plan;
    mls_broadcast_row *row;
    void *context;
    int64_t n_rows;
    int64_t rows_per_task; /* 1 where rows are cut into pieces */
    int64_t pieces;        /* of a row */
    int64_t piece_elems;
};

/* Runs rows [first, last), or of the single row `first` the elements from `begin`, n of them. */
static void run_rows(const struct rows *rows, int64_t first, int64_t last, int64_t begin, int64_t n)
{
    const struct mls_broadcast *plan = rows->plan;
    unsigned inner = plan->rank - 1;
    int64_t index[MLS_RANK_MAX] = {0}, offsets[MLS_BROADCAST_OPERANDS] = {0};
    int64_t left = first;
    for (unsigned i = inner; i-- > 0;) {
        index[i] = left % plan->dims[i];
        left /= plan->dims[i];
        for (unsigned k = 0; k < plan->n_operands; k++)
            offsets[k] += index[i] * plan->strides[k][i];
    }
    for (unsigned k = 0; k < plan->n_operands; k++)
        offsets[k] += begin * plan->strides[k][inner];
    for (int64_t row = first; row < last; row++) {
        rows->row(rows->context, offsets, row * plan->dims[inner] + begin, n);
        for (unsigned i = inner; i-- > 0;) {
            for (unsigned k = 0; k < plan->n_operands; k++)
                offsets[k] += plan->strides[k][i];
            if (++index[i] < plan->dims[i])
                break;
            index[i] = 0;
            for (unsigned k = 0; k < plan->n_operands; k++)
                offsets[k] -= plan->dims[i] * plan->strides[k][i];
        }
    }
}

static void run_task(void *context, size_t task, uint32_t thread)
{
    const struct rows *rows = context;
    (void)thread;
    int64_t inner = rows->plan->dims[rows->plan->rank - 1];
    if (rows->pieces > 1) {
        int64_t row = (int64_t)task / rows->pieces;
        int64_t begin = (int64_t)task % rows->pieces * rows->piece_elems;
        int64_t n = inner - begin < rows->piece_elems ? inner - begin : rows->piece_elems;
        run_rows(rows, row, row + 1, begin, n);
        return;
    }
    int64_t first = (int64_t)task * rows->rows_per_task;
    int64_t last = first + rows->rows_per_task < rows->n_rows ? first + rows->rows_per_task : rows->n_rows;
    run_rows(rows, first, last, 0, inner);
}

void mls_broadcast_for(const struct mls_broadcast *plan, struct mls_pool *pool, mls_broadcast_row *row,
                       void *context)
{
    struct rows rows = {.plan = plan, .row = row, .context = context, .n_rows = 1};
    int64_t inner = plan->dims[plan->rank - 1];
    for (unsigned i = 0; i + 1 < plan->rank; i++)
        rows.n_rows *= plan->dims[i];
    if (!rows.n_rows || !inner)
        return;
    rows.piece_elems = MLS_CHUNK_ELEMS;
    rows.pieces = (inner + MLS_CHUNK_ELEMS - 1) / MLS_CHUNK_ELEMS;
    rows.rows_per_task = rows.pieces > 1 ? 1 : MLS_CHUNK_ELEMS / inner;
    int64_t n_tasks = rows.pieces > 1 ? rows.n_rows * rows.pieces
                                      : (rows.n_rows + rows.rows_per_task - 1) / rows.rows_per_task;
    if (n_tasks == 1)
        run_task(&rows, 0, 0);
    else
        mls_pool_for(pool, (size_t)n_tasks, run_task, &rows);
}

void mls_broadcast_gather(const struct mls_broadcast *plan, unsigned k, const void *operand,
                          size_t elem_bytes, int64_t first, int64_t n, void *ret)
{
    const char *source = operand;
    char *target = ret;
    const int64_t *dims = plan->dims, *strides = plan->strides[k];
    unsigned inner = plan->rank - 1;
    int64_t index[MLS_RANK_MAX], offset = 0, left = first;
    for (unsigned i = plan->rank; i-- > 0;) {
        index[i] = left % dims[i];
        left /= dims[i];
        offset += index[i] * strides[i];
    }
    while (n > 0) {
        int64_t run = dims[inner] - index[inner] < n ? dims[inner] - index[inner] : n;
        for (int64_t i = 0; i < run; i++, target += elem_bytes)
            memcpy(target, source + (size_t)(offset + i * strides[inner]) * elem_bytes, elem_bytes);
        n -= run;
        offset -= index[inner] * strides[inner];
        index[inner] = 0;
        for (unsigned i = inner; i-- > 0;) {
            offset += strides[i];
            if (++index[i] < dims[i])
                break;
            index[i] = 0;
            offset -= dims[i] * strides[i];
        }
    }
}
