/* slice.c: parts of a tensor, by NumPy's rules for begin, end and stride. */
#include <string.h>

#include "base/checked.h"
#include "ops/copy.h"
#include "ops/op_family.h"

/* One dimension of a slice: elements first, first + step, … `n` of them; `n` is -1 when not known yet. */
struct span {
    int64_t first;
    int64_t step;
    int64_t n;
    bool squeezed;
};

/* The parameters of a slice stand one after the other; `base` is the first of them in the row. */
enum { BEGIN, END, STRIDE, BEGIN_MASK, END_MASK, SQUEEZE_MASK, SLICE_PARAMS };

struct slice_params {
    int n[SLICE_PARAMS]; /* as mls_op_ints */
    int64_t values[SLICE_PARAMS][MLS_RANK_MAX];
};

static enum mls_status read_params(const struct mls_op_call *call, unsigned base, unsigned rank,
                                   struct slice_params *ret_params, struct mls_error *reterr)
{
    for (unsigned p = 0; p < SLICE_PARAMS; p++) {
        int n = mls_op_ints(call, base + p, ret_params->values[p], MLS_RANK_MAX);
        bool given = mls_op_given(call, base + p), known = given && n >= 0;
        bool unusable = given && !known && mls_op_in(call, base + p)->data; /* too many, or no integers */
        if ((known && (unsigned)n != rank) || (given && !known && p >= STRIDE) || unusable)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "%s has not the %u elements of the rank",
                               call->row->params[base + p].name, rank);
        ret_params->n[p] = n;
    }
    return MLS_OK;
}

static bool masked(const struct slice_params *params, unsigned mask, unsigned i)
{
    return params->n[mask] > 0 && params->values[mask][i];
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* False when an index that is to be squeezed lies outside. */
static bool solve_span(const struct slice_params *params, unsigned i, int64_t n, struct span *ret_span)
{
    int64_t step = params->n[STRIDE] > 0 ? params->values[STRIDE][i] : 1;
    bool from_start = masked(params, BEGIN_MASK, i), to_end = masked(params, END_MASK, i);
    struct span span = {.step = step, .n = -1, .squeezed = masked(params, SQUEEZE_MASK, i)};
    bool begin_known = from_start || params->n[BEGIN] > 0, end_known = to_end || params->n[END] > 0;
    *ret_span = span;
    if (n < 0 || !begin_known || (!end_known && !span.squeezed))
        return true;
    int64_t begin = from_start ? (step > 0 ? 0 : n - 1) : params->values[BEGIN][i];
    if (!from_start && begin < 0)
        begin += n;
    if (span.squeezed) {
        if (from_start)
            begin = 0;
        *ret_span = (struct span){.first = begin, .step = 1, .n = 1, .squeezed = true};
        return begin >= 0 && begin < n;
    }
    /* past the last element in the direction of the step */
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    int64_t end = to_end ? (step > 0 ? n : -1) : params->values[END][i];
    if (!to_end && end < 0)
        end += n;
    begin = clamp(begin, low, high);
    end = to_end ? end : clamp(end, low, high);
    int64_t distance = step > 0 ? end - begin : begin - end, by = step > 0 ? step : -step;
    span.first = begin;
    span.n = distance > 0 ? (distance - 1) / by + 1 : 0;
    *ret_span = span;
    return true;
}

/* All dimensions of a slice of `x`; the parameters begin at `base`. */
static enum mls_status solve_slice(const struct mls_op_call *call, unsigned base, const struct mls_type *x,
                                   struct span *ret_spans, struct mls_error *reterr)
{
    struct slice_params params;
    enum mls_status status = read_params(call, base, x->rank, &params, reterr);
    for (unsigned i = 0; !status && i < x->rank; i++) {
        int64_t step = params.n[STRIDE] > 0 ? params.values[STRIDE][i] : 1;
        if (step == 0 || step == INT64_MIN)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "stride[%u] is %lld", i, (long long)step);
        if (!solve_span(&params, i, x->dims[i], &ret_spans[i]))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "begin[%u] is %lld, but dimension %u has %lld elements", i,
                               (long long)params.values[BEGIN][i], i, (long long)x->dims[i]);
    }
    return status;
}

static struct mls_type sliced_type(const struct mls_type *x, const struct span *spans)
{
    struct mls_type type = mls_type_tensor(x->dtype, 0, NULL);
    for (unsigned i = 0; i < x->rank; i++)
        if (!spans[i].squeezed)
            type.dims[type.rank++] = spans[i].n < 0 ? MLS_DIM_UNKNOWN : spans[i].n;
    return type;
}

/* The view of a slice within a tensor of this type: dims, strides, and the offset of its first element. */
static int64_t view_slice(const struct mls_type *x, const struct span *spans, int64_t *ret_dims,
                          int64_t *ret_strides)
{
    int64_t offset = 0;
    mls_strides(x->rank, x->dims, ret_strides);
    for (unsigned i = 0; i < x->rank; i++) {
        ret_dims[i] = spans[i].n;
        offset += spans[i].n ? spans[i].first * ret_strides[i] : 0;
        ret_strides[i] *= spans[i].step;
    }
    return offset;
}

/* Copies the slice to `out`, after checking that out is as large as the slice is now. */
static enum mls_status copy_slice(struct mls_op_call *call, const struct mls_tensor *x,
                                  const struct span *spans, const struct mls_op_env *env)
{
    struct mls_tensor *out = mls_op_out(call, 0);
    struct mls_type type = sliced_type(&x->type, spans);
    if (mls_type_elems(&type) != mls_type_elems(&out->type)) {
        char is[96], was[96];
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "the slice is %s, not %s",
                           mls_type_format(&type, is, sizeof is),
                           mls_type_format(&out->type, was, sizeof was));
    }
    struct mls_copy copy = {.elem_bytes = mls_elem_bytes(x), .rank = x->type.rank, .target = out->data};
    int64_t offset = view_slice(&x->type, spans, copy.dims, copy.source_strides);
    mls_strides(copy.rank, copy.dims, copy.target_strides);
    copy.source = (const char *)x->data + offset * (int64_t)copy.elem_bytes;
    call->kernel = mls_copy_run(&copy, env);
    return MLS_OK;
}

/* Whether a slice is in one piece: whole inner dimensions, some neighbours of one, and one index of those around it. */
static bool is_piece(const struct mls_type *x, const struct span *spans, uint64_t *ret_first_elem)
{
    int64_t dims[MLS_RANK_MAX], strides[MLS_RANK_MAX];
    unsigned whole = x->rank;
    while (whole && spans[whole - 1].n == x->dims[whole - 1] && spans[whole - 1].step == 1)
        whole--;
    for (unsigned i = 0; i < whole; i++)
        if (spans[i].n != 1 && (i + 1 < whole || spans[i].n < 1 || spans[i].step != 1))
            return false;
    *ret_first_elem = (uint64_t)view_slice(x, spans, dims, strides);
    return true;
}

static enum mls_status unknown_rank(const struct mls_op_call *call)
{
    mls_op_out(call, 0)->type =
        (struct mls_type){.dtype = mls_op_in(call, 0)->type.dtype, .rank = MLS_RANK_UNKNOWN};
    return MLS_OK;
}

/* ---- slice_by_index ---- */

enum { X, FROM_X }; /* the slice's parameters follow x */

static enum mls_status infer_slice_by_index(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct span spans[MLS_RANK_MAX];
    if (x->rank == MLS_RANK_UNKNOWN)
        return unknown_rank(call);
    enum mls_status status = solve_slice(call, FROM_X, x, spans, reterr);
    if (!status)
        mls_op_out(call, 0)->type = sliced_type(x, spans);
    return status;
}

static enum mls_status run_slice_by_index(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct span spans[MLS_RANK_MAX];
    enum mls_status status = solve_slice(call, FROM_X, &x->type, spans, env->error);
    return status ? status : copy_slice(call, x, spans, env);
}

static bool part_slice_by_index(const struct mls_op_call *call, uint64_t *ret_first_elem)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct span spans[MLS_RANK_MAX];
    struct mls_error ignored;
    return !solve_slice(call, FROM_X, x, spans, &ignored) && is_piece(x, spans, ret_first_elem);
}

/* ---- slice_by_size ---- */

enum { SIZED_X, SIZED_BEGIN, SIZED_SIZE };

static enum mls_status solve_sized(const struct mls_op_call *call, struct span *ret_spans,
                                   struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, SIZED_X)->type;
    int64_t begins[MLS_RANK_MAX], sizes[MLS_RANK_MAX];
    int n_begins = mls_op_ints(call, SIZED_BEGIN, begins, MLS_RANK_MAX);
    int n_sizes = mls_op_ints(call, SIZED_SIZE, sizes, MLS_RANK_MAX);
    bool unusable = (n_begins < 0 && mls_op_in(call, SIZED_BEGIN)->data) ||
                    (n_sizes < 0 && mls_op_in(call, SIZED_SIZE)->data);
    if (unusable || (n_begins >= 0 && (unsigned)n_begins != x->rank) ||
        (n_sizes >= 0 && (unsigned)n_sizes != x->rank))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "begin and size must have the %u elements of the rank", (unsigned)x->rank);
    for (unsigned i = 0; i < x->rank; i++) {
        int64_t n = x->dims[i];
        ret_spans[i] = (struct span){.step = 1, .n = n_sizes >= 0 && sizes[i] >= 0 ? sizes[i] : -1};
        if (n < 0 || n_begins < 0)
            continue;
        int64_t begin = begins[i] < 0 ? begins[i] + n : begins[i];
        int64_t size = n_sizes < 0 ? 0 : sizes[i] == -1 ? n - begin : sizes[i];
        if (begin < 0 || begin > n || size < 0 || size > n - begin)
            return mls_op_fail(
                call, reterr, MLS_ERR_OP_ARGUMENT,
                "elements from %lld on, %lld of them, do not lie in dimension %u of %lld elements",
                (long long)begins[i], (long long)size, i, (long long)n);
        ret_spans[i].first = begin;
        if (n_sizes >= 0)
            ret_spans[i].n = size;
    }
    return MLS_OK;
}

static enum mls_status infer_slice_by_size(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, SIZED_X)->type;
    struct span spans[MLS_RANK_MAX];
    if (x->rank == MLS_RANK_UNKNOWN)
        return unknown_rank(call);
    enum mls_status status = solve_sized(call, spans, reterr);
    if (!status)
        mls_op_out(call, 0)->type = sliced_type(x, spans);
    return status;
}

static enum mls_status run_slice_by_size(struct mls_op_call *call, struct mls_op_env *env)
{
    struct span spans[MLS_RANK_MAX];
    enum mls_status status = solve_sized(call, spans, env->error);
    if (status == MLS_ERR_OP_ARGUMENT) /* begin may be computed */
        env->error->status = status = MLS_ERR_RUN_INDEX;
    return status ? status : copy_slice(call, mls_op_in(call, SIZED_X), spans, env);
}

static bool part_slice_by_size(const struct mls_op_call *call, uint64_t *ret_first_elem)
{
    const struct mls_tensor *begin = mls_op_in(call, SIZED_BEGIN);
    struct span spans[MLS_RANK_MAX];
    struct mls_error ignored;
    return begin->data && !solve_sized(call, spans, &ignored) &&
           is_piece(&mls_op_in(call, SIZED_X)->type, spans, ret_first_elem);
}

/* ---- crop ---- */

static enum mls_status solve_crop(const struct mls_op_call *call, struct span *ret_spans,
                                  struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    for (unsigned i = 0; i < x->rank; i++) {
        int64_t cut[2] = {0, 0}, n = x->dims[i];
        unsigned from_end = x->rank - 1u - i;
        if (from_end < 2 && mls_op_ints(call, from_end ? 1 : 2, cut, 2) != 2)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "%s must have 2 elements",
                               call->row->params[from_end ? 1 : 2].name);
        if (cut[0] < 0 || cut[1] < 0 || (n >= 0 && (cut[0] > n || cut[1] > n - cut[0])))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "%lld and %lld cannot be cropped from %lld elements", (long long)cut[0],
                               (long long)cut[1], (long long)n);
        ret_spans[i] = (struct span){.first = cut[0], .step = 1, .n = n < 0 ? -1 : n - cut[0] - cut[1]};
    }
    return MLS_OK;
}

static enum mls_status infer_crop(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct span spans[MLS_RANK_MAX];
    if (x->rank == MLS_RANK_UNKNOWN)
        return unknown_rank(call);
    if (x->rank < 3)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have at least rank 3");
    enum mls_status status = solve_crop(call, spans, reterr);
    if (!status)
        mls_op_out(call, 0)->type = sliced_type(x, spans);
    return status;
}

static enum mls_status run_crop(struct mls_op_call *call, struct mls_op_env *env)
{
    struct span spans[MLS_RANK_MAX];
    enum mls_status status = solve_crop(call, spans, env->error);
    return status ? status : copy_slice(call, mls_op_in(call, X), spans, env);
}

/* ---- slice_update ---- */

enum { UPDATED_X, UPDATE, FROM_UPDATE };

static enum mls_status check_update(const struct mls_op_call *call, const struct span *spans,
                                    enum mls_status status, struct mls_error *reterr)
{
    const struct mls_type *update = &mls_op_in(call, UPDATE)->type;
    struct mls_type slice = sliced_type(&mls_op_in(call, UPDATED_X)->type, spans);
    bool fits = update->rank == MLS_RANK_UNKNOWN || update->rank == slice.rank;
    for (unsigned i = 0; fits && update->rank != MLS_RANK_UNKNOWN && i < slice.rank; i++)
        fits = update->dims[i] < 0 || slice.dims[i] < 0 || update->dims[i] == slice.dims[i];
    if (fits)
        return MLS_OK;
    char has[96], needs[96];
    return mls_op_fail(call, reterr, status, "update is %s, but the slice is %s",
                       mls_type_format(update, has, sizeof has),
                       mls_type_format(&slice, needs, sizeof needs));
}

static enum mls_status infer_slice_update(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, UPDATED_X)->type;
    struct span spans[MLS_RANK_MAX];
    if (x->rank == MLS_RANK_UNKNOWN)
        return unknown_rank(call);
    enum mls_status status = solve_slice(call, FROM_UPDATE, x, spans, reterr);
    if (!status)
        status = check_update(call, spans, MLS_ERR_OP_SHAPE, reterr);
    return status ? status : mls_infer_same(call, reterr);
}

static enum mls_status run_slice_update(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, UPDATED_X), *update = mls_op_in(call, UPDATE);
    struct mls_tensor *out = mls_op_out(call, 0);
    struct span spans[MLS_RANK_MAX];
    enum mls_status status = solve_slice(call, FROM_UPDATE, &x->type, spans, env->error);
    if (!status)
        status = check_update(call, spans, MLS_ERR_RUN_SHAPE, env->error);
    if (status)
        return status;
    mls_copy_bytes(out->data, x->data, mls_type_bytes(&x->type), env);
    struct mls_copy copy = {.elem_bytes = mls_elem_bytes(x), .rank = x->type.rank, .source = update->data};
    int64_t offset = view_slice(&x->type, spans, copy.dims, copy.target_strides);
    mls_strides(copy.rank, copy.dims, copy.source_strides);
    copy.target = (char *)out->data + offset * (int64_t)copy.elem_bytes;
    call->kernel = mls_copy_run(&copy, env);
    return MLS_OK;
}

#define SLICE_PARAMS_OF(types, first)                                                                        \
    [(first) + BEGIN] = {"begin", (types), 0, 0}, [(first) + END] = {"end", (types), 0, 0},                  \
               [(first) + STRIDE] = {"stride", (types), MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},            \
               [(first) + BEGIN_MASK] = {"begin_mask", MLS_T_BOOL, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}, \
               [(first) + END_MASK] = {"end_mask", MLS_T_BOOL, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},     \
               [(first) +                                                                                    \
                   SQUEEZE_MASK] = {"squeeze_mask", MLS_T_BOOL, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}
#define BY_INDEX(opset, types, index_types)                                           \
    {                                                                                 \
        .name = "slice_by_index", .since = (opset),                                   \
        .params = {[X] = {"x", (types), 0, 0}, SLICE_PARAMS_OF(index_types, FROM_X)}, \
        .infer = infer_slice_by_index, .part = part_slice_by_index, .run = run_slice_by_index \
    }
#define BY_SIZE(opset, types, index_types)                         \
    {                                                              \
        .name = "slice_by_size", .since = (opset),                 \
        .params = {[SIZED_X] = {"x", (types), 0, 0},               \
                   [SIZED_BEGIN] = {"begin", (index_types), 0, 0}, \
                   [SIZED_SIZE] = {"size", (index_types), 0, 0}},  \
        .infer = infer_slice_by_size, .part = part_slice_by_size, .run = run_slice_by_size \
    }

static const struct mls_op_row rows[] = {
    BY_INDEX(5, MLS_T_MOVE_5, MLS_T_I32),
    BY_INDEX(7, MLS_T_MOVE_7, MLS_T_INDEX_7),
    BY_SIZE(5, MLS_T_MOVE_5, MLS_T_I32),
    BY_SIZE(7, MLS_T_MOVE_7, MLS_T_INDEX_7),
    {.name = "crop",
     .since = 5,
     .params = {{"x", MLS_T_FLOAT, 0, 0},
                {"crop_height", MLS_T_I32, MLS_PARAM_CONST, 0},
                {"crop_width", MLS_T_I32, MLS_PARAM_CONST, 0}},
     .infer = infer_crop,
     .run = run_crop},
    {.name = "slice_update",
     .since = 8,
     .params = {[UPDATED_X] = {"x", MLS_T_MOVE_7, 0, 'T'},
                [UPDATE] = {"update", MLS_T_MOVE_7, 0, 'T'},
                SLICE_PARAMS_OF(MLS_T_INDEX_7, FROM_UPDATE)},
     .infer = infer_slice_update,
     .run = run_slice_update},
};

MLS_OP_FAMILY_DEFINE(slice, rows);
