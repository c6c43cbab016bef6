/*
 * item_similarity.c: recommends items: the score of an item k is the sum over the items i given of
 * similarity(k, i) * (score(i) - shift(k)). Items given are not recommended unless exclusions are given
 * instead.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/keys.h"
#include "ops/op_family.h"
#include "ops/vectors.h"

enum { ITEMS, IDS, BASE_ITEM, SIMILAR_ITEM, SIMILARITY, SHIFT, COUNT, RESTRICTION, EXCLUSION };
enum { OUT_ITEMS, OUT_SCORES };

static enum mls_status check_table(const struct mls_op_call *call, struct mls_error *reterr)
{
    int64_t n = constant_length(call, IDS), n_pairs = constant_length(call, SIMILARITY);
    if (mls_op_in(call, IDS)->type.rank != 1 || n > INT32_MAX || constant_length(call, SHIFT) != n ||
        constant_length(call, BASE_ITEM) != n_pairs || constant_length(call, SIMILAR_ITEM) != n_pairs)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID,
                           "its items and similarities do not go together");
    for (int64_t i = 0; i < n_pairs; i++)
        if (constant_ints(call, BASE_ITEM)[i] < 0 || constant_ints(call, BASE_ITEM)[i] >= n ||
            constant_ints(call, SIMILAR_ITEM)[i] < 0 || constant_ints(call, SIMILAR_ITEM)[i] >= n ||
            (i && constant_ints(call, BASE_ITEM)[i] < constant_ints(call, BASE_ITEM)[i - 1]))
            return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "a similarity is that of no item");
    return MLS_OK;
}

static enum mls_status infer_items(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_dtype dtype = mls_op_in(call, IDS)->type.dtype;
    const struct mls_type *items = &mls_op_in(call, ITEMS)->type;
    enum mls_status status = check_table(call, reterr);
    if (status)
        return status;
    bool dictionary =
        items->kind == MLS_KIND_DICTIONARY && items->key_dtype == dtype && items->dtype == MLS_FP64;
    bool sequence = items->kind == MLS_KIND_TENSOR && items->dtype == dtype;
    if (!dictionary && !sequence)
        return mls_op_fail(call, reterr, MLS_ERR_OP_TYPE, "it takes a dictionary or sequence of %s",
                           mls_dtype_name(dtype));
    for (unsigned param = RESTRICTION; param <= EXCLUSION; param++)
        if (mls_op_given(call, param) && mls_op_in(call, param)->type.dtype != dtype)
            return mls_op_fail(call, reterr, MLS_ERR_OP_TYPE,
                               "restrictions and exclusions are sequences of %s", mls_dtype_name(dtype));
    if (call->n_outputs != 2)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has %u outputs, not 2",
                           call->n_outputs);
    int64_t open = MLS_DIM_UNKNOWN;
    mls_op_out(call, OUT_ITEMS)->type = mls_type_tensor(dtype, 1, &open);
    mls_op_out(call, OUT_SCORES)->type = (struct mls_type){
        .kind = MLS_KIND_DICTIONARY, .dtype = MLS_FP64, .rank = 1, .dims = {open}, .key_dtype = dtype};
    return MLS_OK;
}

static enum mls_status pack_items(const struct mls_op_call *call, struct mls_op_env *env,
                                  struct mls_arena *arena, const void **ret_packed, size_t *ret_packed_bytes)
{
    return key_index_pack(call, IDS, env, arena, ret_packed, ret_packed_bytes);
}

/* Scratch: a score for each item, which items are out, and the order. */
struct work {
    double *scores;
    int32_t *order;
    uint8_t *out;
};

static size_t scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    return (size_t)constant_length(call, IDS) * (sizeof(double) + sizeof(int32_t) + 1);
}

static struct work work_in(const struct mls_op_call *call)
{
    size_t n = (size_t)constant_length(call, IDS);
    double *scores = call->scratch;
    int32_t *order = (int32_t *)(void *)(scores + n);
    return (struct work){scores, order, (uint8_t *)(order + n)};
}

/* Adds what one item given says of those similar to it: its rows follow one another in the table. */
static void add_similar(const struct mls_op_call *call, const struct work *work, int64_t item, double score)
{
    const int32_t *base = constant_ints(call, BASE_ITEM), *similar = constant_ints(call, SIMILAR_ITEM);
    int64_t low = 0, high = constant_length(call, SIMILARITY), n = high;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (base[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n && base[low] == item; low++)
        work->scores[similar[low]] +=
            constant_doubles(call, SIMILARITY)[low] * (score - constant_doubles(call, SHIFT)[similar[low]]);
}

/* Marks the items that a sequence names. */
static void mark(const struct mls_op_call *call, const struct mls_tensor *names, uint8_t *marks,
                 uint8_t value)
{
    for (int64_t i = 0; names && i < mls_type_elems(&names->type); i++) {
        int64_t item = key_find(call->packed, names, i);
        if (item >= 0)
            marks[item] = value;
    }
}

static bool has_elements(const struct mls_op_call *call, unsigned param)
{
    return mls_op_given(call, param) && mls_type_elems(&mls_op_in(call, param)->type) > 0;
}

static void score_items(const struct mls_op_call *call, const struct work *work)
{
    const struct mls_tensor *items = mls_op_in(call, ITEMS);
    const struct mls_tensor *names = items->type.kind == MLS_KIND_DICTIONARY ? items->keys : items;
    size_t n = (size_t)constant_length(call, IDS);
    memset(work->scores, 0, n * sizeof *work->scores);
    memset(work->out, has_elements(call, RESTRICTION), n);
    mark(call, has_elements(call, RESTRICTION) ? mls_op_in(call, RESTRICTION) : NULL, work->out, 0);
    mark(call, has_elements(call, EXCLUSION) ? mls_op_in(call, EXCLUSION) : names, work->out, 1);
    for (int64_t i = 0; names && i < mls_type_elems(&names->type); i++) {
        int64_t item = key_find(call->packed, names, i);
        double score = items->type.kind == MLS_KIND_DICTIONARY ? ((const double *)items->data)[i] : 1;
        if (item >= 0)
            add_similar(call, work, item, score);
    }
}

/* Descending by score; of equal ones the item that comes first. */
static int compare_items(const void *a, const void *b, void *scores)
{
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    double first = ((const double *)scores)[left], second = ((const double *)scores)[right];
    if (first != second)
        return first > second ? -1 : 1;
    return (left > right) - (left < right);
}

static enum mls_status run_items(struct mls_op_call *call, struct mls_op_env *env)
{
    struct work work = work_in(call);
    struct mls_tensor *items = mls_op_out(call, OUT_ITEMS), *scores = mls_op_out(call, OUT_SCORES);
    int64_t n = 0, wanted = mls_op_int(call, COUNT, 0);
    score_items(call, &work);
    for (int32_t i = 0; i < constant_length(call, IDS); i++)
        if (!work.out[i])
            work.order[n++] = i;
    if (n)
        qsort_r(work.order, (size_t)n, sizeof *work.order, compare_items, work.scores);
    items->type.dims[0] = scores->type.dims[0] = wanted > 0 && wanted < n ? wanted : n;
    enum mls_status status = mls_op_allocate(call, env, OUT_ITEMS);
    if (!status)
        status = mls_op_allocate(call, env, OUT_SCORES);
    size_t key_bytes = mls_dtype_bytes(items->type.dtype, 1);
    for (int64_t i = 0; i < items->type.dims[0] && !status; i++) {
        const char *ids = mls_op_in(call, IDS)->data;
        memcpy((char *)items->data + (size_t)i * key_bytes, ids + (size_t)work.order[i] * key_bytes,
               key_bytes);
        ((double *)scores->data)[i] = work.scores[work.order[i]];
    }
    scores->keys = items;
    return status;
}

#define COLUMN(name, types)               \
    {                                     \
        name, (types), MLS_PARAM_CONST, 0 \
    }

static const struct mls_op_row rows[] = {
    {.name = "item_similarity",
     .since = 5,
     .flags = MLS_OP_ALLOCATES | MLS_OP_OUTPUTS,
     .params = {[ITEMS] = {"items", MLS_T_ANY, 0, 0},
                [IDS] = COLUMN("ids", MLS_T_LABEL),
                [BASE_ITEM] = COLUMN("base_item", MLS_T_I32),
                [SIMILAR_ITEM] = COLUMN("similar_item", MLS_T_I32),
                [SIMILARITY] = COLUMN("similarity", MLS_DTYPE_BIT(MLS_FP64)),
                [SHIFT] = COLUMN("shift", MLS_DTYPE_BIT(MLS_FP64)),
                [COUNT] = {"count", MLS_DTYPE_BIT(MLS_INT64), MLS_PARAM_OPTIONAL, 0},
                [RESTRICTION] = {"restriction", MLS_T_LABEL, MLS_PARAM_OPTIONAL, 0},
                [EXCLUSION] = {"exclusion", MLS_T_LABEL, MLS_PARAM_OPTIONAL, 0}},
     .infer = infer_items,
     .scratch_bytes = scratch_bytes,
     .pack = pack_items,
     .run = run_items},
};

MLS_OP_FAMILY_DEFINE(item_similarity, rows);
