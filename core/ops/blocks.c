#include "ops/blocks.h"

bool mls_blocks_solve(const struct mls_type *tensor, const int64_t *entries, struct mls_blocks *ret_blocks)
{
    if (tensor->rank == 0 || mls_type_elems(tensor) < 1)
        return false;
    struct mls_blocks blocks = {.n_entries = 1};
    int64_t n_blocks[MLS_RANK_MAX];
    for (unsigned i = 0; i < tensor->rank; i++) {
        int64_t dim = tensor->dims[i];
        if (entries[i] < 1 || dim % entries[i])
            return false;
        blocks.n_entries *= entries[i];
        if (blocks.rank) {
            /* an outer block of one, or an inner dimension of one block: both count on in the other's steps
             */
            unsigned outer = blocks.rank - 1;
            if (entries[i] == 1 || blocks.sizes[outer] == 1) {
                blocks.sizes[outer] = entries[i] == 1 ? blocks.sizes[outer] * dim : dim / entries[i];
                blocks.dims[outer] *= dim;
                n_blocks[outer] *= entries[i];
                continue;
            }
        }
        blocks.dims[blocks.rank] = dim;
        blocks.sizes[blocks.rank] = dim / entries[i];
        n_blocks[blocks.rank++] = entries[i];
    }
    int64_t stride = 1;
    for (unsigned i = blocks.rank; i-- > 0;) {
        blocks.strides[i] = stride;
        stride *= n_blocks[i];
    }
    *ret_blocks = blocks;
    return true;
}

struct mls_blocks_run mls_blocks_run(const struct mls_blocks *blocks, int64_t first, int64_t end)
{
    unsigned last = blocks->rank - 1;
    int64_t row = first / blocks->dims[last], at = first % blocks->dims[last];
    struct mls_blocks_run run = {.entry = at / blocks->sizes[last], .step = blocks->sizes[last] == 1};
    for (unsigned i = last; i-- > 0;) {
        run.entry += row % blocks->dims[i] / blocks->sizes[i] * blocks->strides[i];
        row /= blocks->dims[i];
    }
    int64_t left = run.step ? blocks->dims[last] - at : blocks->sizes[last] - at % blocks->sizes[last];
    run.n = left < end - first ? left : end - first;
    return run;
}
