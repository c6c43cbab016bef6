/* pad.c: a tensor with borders: constant, reflected or replicated. */
#include <string.h>

#include "ops/copy.h"
#include "ops/op_family.h"

enum { X, PAD, MODE, VALUE };

struct borders {
    int64_t before[MLS_RANK_MAX];
    int64_t after[MLS_RANK_MAX];
};

/* REFLECT_FAR, of layers of networks, goes to and fro over the elements as often as it takes. */
enum mode { CONSTANT, REFLECT, REPLICATE, REFLECT_FAR, MODES };

static enum mode mode_of(const struct mls_op_call *call)
{
    static const char *const names[] = {
        [CONSTANT] = "constant", [REFLECT] = "reflect", [REPLICATE] = "replicate", [REFLECT_FAR] = "nn_reflect"};
    enum mode mode = CONSTANT;
    while (mode < MODES && !mls_op_text_is(call, MODE, "constant", names[mode]))
        mode++;
    return mode;
}

/* How far a mode can reach into n elements. */
static int64_t reach(enum mode mode, int64_t n)
{
    if (mode == REFLECT)
        return n - 1;
    return mode == CONSTANT || n ? INT64_MAX : 0;
}

/* Reads pad, for the last dimensions; the data of pad is known. */
static enum mls_status read_borders(const struct mls_op_call *call, struct borders *ret_borders,
                                    struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    int64_t pad[2 * MLS_RANK_MAX];
    int n = mls_op_ints(call, PAD, pad, 2 * MLS_RANK_MAX);
    if (n < 0 || n % 2 || n / 2 > (int)x->rank)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "pad must have two elements for each of at most %u dimensions", (unsigned)x->rank);
    enum mode mode = mode_of(call);
    unsigned first = x->rank - (unsigned)n / 2;
    *ret_borders = (struct borders){{0}, {0}};
    for (unsigned i = first; i < x->rank; i++) {
        int64_t before = pad[2 * (i - first)], after = pad[2 * (i - first) + 1], n_elems = x->dims[i];
        if (before < 0 || after < 0)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "pad must not be negative");
        if ((before || after) && n_elems >= 0 &&
            (before > reach(mode, n_elems) || after > reach(mode, n_elems)))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "%lld and %lld elements cannot be mirrored from the %lld of dimension %u",
                               (long long)before, (long long)after, (long long)n_elems, i);
        ret_borders->before[i] = before;
        ret_borders->after[i] = after;
    }
    return MLS_OK;
}

static enum mls_status infer_pad(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    const struct mls_tensor *pad = mls_op_in(call, PAD), *value = mls_op_in(call, VALUE);
    struct mls_type type = *x;
    if (mode_of(call) == MODES)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "mode is none of constant, reflect, replicate");
    if (value && mls_type_elems(&value->type) != 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "constant_val must be a scalar");
    if (x->rank == MLS_RANK_UNKNOWN) {
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    if (!pad->data && mls_type_elems(&pad->type) != 0) {
        int64_t n = pad->type.rank == 1 ? pad->type.dims[0] : MLS_DIM_UNKNOWN;
        if (n % 2 > 0 || n / 2 > x->rank || (pad->type.rank != 1 && pad->type.rank != MLS_RANK_UNKNOWN))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "pad must have two elements for each of at most %u dimensions",
                               (unsigned)x->rank);
        for (unsigned i = n < 0 ? 0 : x->rank - (unsigned)(n / 2); i < x->rank; i++)
            type.dims[i] = MLS_DIM_UNKNOWN;
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    struct borders borders;
    enum mls_status status = read_borders(call, &borders, reterr);
    if (status)
        return status;
    for (unsigned i = 0; i < x->rank; i++)
        if (type.dims[i] >= 0 && (__builtin_add_overflow(type.dims[i], borders.before[i], &type.dims[i]) ||
                                  __builtin_add_overflow(type.dims[i], borders.after[i], &type.dims[i])))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the result is too large");
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* The source of a border, as the index of its first element along the dimension and the step to the next. */
static void border_source(enum mode mode, bool after, int64_t before, int64_t n, int64_t *ret_first,
                          int64_t *ret_step)
{
    int64_t last = before + n - 1;
    *ret_step = mode == REFLECT ? -1 : 0;
    if (after)
        *ret_first = mode == REFLECT ? last - 1 : last;
    else
        *ret_first = mode == REFLECT ? 2 * before : before;
}

/* Element j behind or in front of n elements, j from 1 on, reflected to and fro: how far from the edge it lies. */
static int64_t reflected(int64_t j, int64_t n)
{
    int64_t period = 2 * (n - 1);
    if (!period)
        return 0;
    return j % period < n ? j % period : period - j % period;
}

/* A border that is mirrored, element by element of the dimension. `edge`: index of the element beside it. */
static void fill_mirror(struct mls_copy *copy, unsigned axis, bool after, int64_t edge, int64_t n, char *base,
                        const struct mls_op_env *env)
{
    int64_t n_border = copy->dims[axis], stride = copy->target_strides[axis] * (int64_t)copy->elem_bytes;
    copy->dims[axis] = 1;
    for (int64_t j = 1; j <= n_border; j++) {
        int64_t inward = reflected(j, n);
        copy->target = base + (after ? edge + j : edge - j) * stride;
        copy->source = base + (after ? edge - inward : edge + inward) * stride;
        mls_copy_run(copy, env);
    }
}

/*
 * Fills the two borders of dimension `axis`: all of the dimensions behind it, which are complete, and the
 * middle of those before it.
 */
static void fill_borders(struct mls_op_call *call, const struct borders *borders, unsigned axis,
                         const void *value, const struct mls_op_env *env)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_tensor *out = mls_op_out(call, 0);
    enum mode mode = mode_of(call);
    int64_t strides[MLS_RANK_MAX], base = 0;
    mls_strides(x->rank, out->type.dims, strides);
    struct mls_copy copy = {.elem_bytes = mls_elem_bytes(out), .rank = x->rank};
    int64_t elem = (int64_t)copy.elem_bytes;
    for (unsigned i = 0; i < x->rank; i++) {
        copy.dims[i] = i < axis ? x->dims[i] : out->type.dims[i];
        copy.target_strides[i] = strides[i];
        copy.source_strides[i] = mode == CONSTANT ? 0 : strides[i];
        base += i < axis ? borders->before[i] * strides[i] : 0;
    }
    for (int side = 0; side < 2; side++) {
        int64_t first = 0, step = 0, at = side ? borders->before[axis] + x->dims[axis] : 0;
        copy.dims[axis] = side ? borders->after[axis] : borders->before[axis];
        if (!copy.dims[axis])
            continue;
        if (mode == REFLECT_FAR) {
            int64_t edge = side ? at - 1 : borders->before[axis];
            fill_mirror(&copy, axis, side, edge, x->dims[axis], (char *)out->data + base * elem, env);
            continue;
        }
        copy.target = (char *)out->data + (base + at * strides[axis]) * elem;
        copy.source = value;
        if (mode != CONSTANT) {
            border_source(mode, side, borders->before[axis], x->dims[axis], &first, &step);
            copy.source = (const char *)out->data + (base + first * strides[axis]) * elem;
            copy.source_strides[axis] = step * strides[axis];
        }
        mls_copy_run(&copy, env);
    }
}

static enum mls_status run_pad(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X), *given = mls_op_in(call, VALUE);
    struct mls_tensor *out = mls_op_out(call, 0);
    struct borders borders;
    enum mls_status status = read_borders(call, &borders, env->error);
    if (status)
        return status;
    const uint64_t zero = 0;
    int64_t offset = 0;
    struct mls_copy copy = {.elem_bytes = mls_elem_bytes(x), .rank = x->type.rank, .source = x->data};
    memcpy(copy.dims, x->type.dims, copy.rank * sizeof copy.dims[0]);
    mls_strides(copy.rank, x->type.dims, copy.source_strides);
    mls_strides(copy.rank, out->type.dims, copy.target_strides);
    for (unsigned i = 0; i < copy.rank; i++) {
        if (out->type.dims[i] != x->type.dims[i] + borders.before[i] + borders.after[i])
            return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE,
                               "dimension %u of the result is not as planned", i);
        offset += borders.before[i] * copy.target_strides[i];
    }
    copy.target = (char *)out->data + offset * (int64_t)copy.elem_bytes;
    call->kernel = mls_copy_run(&copy, env);
    for (unsigned i = copy.rank; i-- > 0;)
        fill_borders(call, &borders, i, given ? given->data : (const void *)&zero, env);
    return MLS_OK;
}

static const struct mls_op_row rows[] = {
    {.name = "pad",
     .since = 5,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 'T'},
                [PAD] = {"pad", MLS_T_I32, 0, 0},
                [MODE] = {"mode", MLS_T_TEXT, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},
                [VALUE] = {"constant_val", MLS_T_FLOAT, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 'T'}},
     .infer = infer_pad,
     .run = run_pad},
};

MLS_OP_FAMILY_DEFINE(pad, rows);
