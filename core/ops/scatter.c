/*
 * scatter.c: updates at computed places of a copy of the data. Where several updates meet, they are applied
 * in order. fp16 is accumulated in fp32 and rounded once.
 */
#include <string.h>

#include "kernels/binary/binary.h"
#include "kernels/convert/convert.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/indices.h"
#include "ops/op_family.h"

enum { DATA, INDICES, UPDATES };
enum { AXIS = 3, AXIS_MODE, AXIS_VALIDATE }; /* of scatter and scatter_along_axis */
enum { ND_MODE = 3, ND_VALIDATE };           /* of scatter_nd */

/* What an update does to what is there. */
struct mode {
    const char *name;
    enum mls_binary function; /* MLS_BINARY_COUNT: takes its place */
};

static const struct mode modes[] = {
    {"update", MLS_BINARY_COUNT}, {"add", MLS_BINARY_ADD},      {"sub", MLS_BINARY_SUB},
    {"mul", MLS_BINARY_MUL},      {"div", MLS_BINARY_REAL_DIV}, {"max", MLS_BINARY_MAXIMUM},
    {"min", MLS_BINARY_MINIMUM},
};

static const struct mode *find_mode(const struct mls_op_call *call, unsigned param)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (mls_op_text_is(call, param, "add", modes[i].name))
            return &modes[i];
    return NULL;
}

/* ---- Inference ---- */

static bool dims_agree(int64_t a, int64_t b)
{
    return a < 0 || b < 0 || a == b;
}

/* Whether `updates` has the dims data[0, before) + indices[0, n_indices) + data[after, rank). */
static bool updates_fit(const struct mls_op_call *call, unsigned before, unsigned n_indices, unsigned after)
{
    const struct mls_type *data = &mls_op_in(call, DATA)->type, *indices = &mls_op_in(call, INDICES)->type,
                          *updates = &mls_op_in(call, UPDATES)->type;
    unsigned at = 0;
    if (updates->rank != before + n_indices + data->rank - after)
        return false;
    for (unsigned i = 0; i < before; i++)
        if (!dims_agree(updates->dims[at++], data->dims[i]))
            return false;
    for (unsigned i = 0; i < n_indices; i++)
        if (!dims_agree(updates->dims[at++], indices->dims[i]))
            return false;
    for (unsigned i = after; i < data->rank; i++)
        if (!dims_agree(updates->dims[at++], data->dims[i]))
            return false;
    return true;
}

static enum mls_status shape_fails(const struct mls_op_call *call, struct mls_error *reterr)
{
    char data[96], indices[96], updates[96];
    return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "indices %s and updates %s do not go with data %s",
                       mls_type_format(&mls_op_in(call, INDICES)->type, indices, sizeof indices),
                       mls_type_format(&mls_op_in(call, UPDATES)->type, updates, sizeof updates),
                       mls_type_format(&mls_op_in(call, DATA)->type, data, sizeof data));
}

static bool ranks_known(const struct mls_op_call *call)
{
    for (unsigned i = DATA; i <= UPDATES; i++)
        if (mls_op_in(call, i)->type.rank == MLS_RANK_UNKNOWN)
            return false;
    return true;
}

static enum mls_status finish_infer(const struct mls_op_call *call, unsigned mode_param,
                                    struct mls_error *reterr)
{
    if (!find_mode(call, mode_param))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "mode is none of update, add, sub, mul, div, max, min");
    mls_op_out(call, 0)->type = mls_op_in(call, DATA)->type;
    return MLS_OK;
}

static enum mls_status read_axis(const struct mls_op_call *call, unsigned *ret_axis, struct mls_error *reterr)
{
    unsigned rank = mls_op_in(call, DATA)->type.rank;
    int64_t axis = mls_op_int(call, AXIS, 0);
    if (!mls_op_axis(axis, rank, ret_axis))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "axis %lld lies outside data of rank %u",
                           (long long)axis, rank);
    return MLS_OK;
}

static enum mls_status infer_scatter(const struct mls_op_call *call, struct mls_error *reterr)
{
    unsigned axis;
    if (ranks_known(call)) {
        enum mls_status status = read_axis(call, &axis, reterr);
        if (status)
            return status;
        if (!updates_fit(call, axis, mls_op_in(call, INDICES)->type.rank, axis + 1))
            return shape_fails(call, reterr);
    }
    return finish_infer(call, AXIS_MODE, reterr);
}

static enum mls_status infer_along_axis(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *data = &mls_op_in(call, DATA)->type, *indices = &mls_op_in(call, INDICES)->type;
    unsigned axis;
    if (ranks_known(call)) {
        enum mls_status status = read_axis(call, &axis, reterr);
        if (status)
            return status;
        if (indices->rank != data->rank || !updates_fit(call, 0, indices->rank, data->rank))
            return shape_fails(call, reterr);
        for (unsigned i = 0; i < data->rank; i++)
            if (i != axis && !dims_agree(indices->dims[i], data->dims[i]))
                return shape_fails(call, reterr);
    }
    return finish_infer(call, AXIS_MODE, reterr);
}

static enum mls_status infer_nd(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *data = &mls_op_in(call, DATA)->type, *indices = &mls_op_in(call, INDICES)->type;
    if (ranks_known(call)) {
        if (indices->rank == 0)
            return shape_fails(call, reterr);
        int64_t depth = indices->dims[indices->rank - 1];
        if (depth > data->rank || (depth >= 0 && !updates_fit(call, 0, indices->rank - 1u, (unsigned)depth)))
            return shape_fails(call, reterr);
    }
    return finish_infer(call, ND_MODE, reterr);
}

/* ---- Running ---- */

enum { WIDE_ELEMS = 256 }; /* updates that are widened at a time */

struct scatter {
    mls_binary_run *combine;                   /* NULL: update */
    const struct mls_convert_kernels *convert; /* NULL unless updates are fp16 and the target fp32 */
    size_t elem_bytes;                         /* of the target */
    char *target;
    const void *updates;
};

static void apply_wide(const struct scatter *scatter, char *target, const uint16_t *updates, size_t n)
{
    float wide[WIDE_ELEMS];
    for (size_t i = 0; i < n; i += WIDE_ELEMS) {
        size_t part = n - i < WIDE_ELEMS ? n - i : WIDE_ELEMS;
        char *to = target + i * sizeof(float);
        scatter->convert->fp16_to_fp32(updates + i, wide, part);
        scatter->combine(to, wide, to, part, MLS_BINARY_ROWS);
    }
}

static void apply(const struct scatter *scatter, int64_t to, int64_t from, int64_t n)
{
    char *target = scatter->target + (size_t)to * scatter->elem_bytes;
    const char *update = (const char *)scatter->updates + (size_t)from * scatter->elem_bytes;
    if (scatter->convert)
        apply_wide(scatter, target, (const uint16_t *)scatter->updates + from, (size_t)n);
    else if (scatter->combine)
        scatter->combine(target, update, target, (size_t)n, MLS_BINARY_ROWS);
    else
        memcpy(target, update, (size_t)n * scatter->elem_bytes);
}

/* Whether the work is done on an fp32 copy. */
static bool widens(const struct mls_op_call *call, unsigned mode_param)
{
    return mls_op_in(call, DATA)->type.dtype == MLS_FP16 &&
           find_mode(call, mode_param)->function != MLS_BINARY_COUNT;
}

static size_t scratch_of(const struct mls_op_call *call, unsigned mode_param)
{
    size_t n = (size_t)mls_type_elems(&mls_op_out(call, 0)->type);
    return widens(call, mode_param) ? n * sizeof(float) : 0;
}

static size_t scratch_axis(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    return scratch_of(call, AXIS_MODE);
}

static size_t scratch_nd(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    return scratch_of(call, ND_MODE);
}

/* Copies the data to where the updates are applied. */
static struct scatter begin(struct mls_op_call *call, unsigned mode_param, const struct mls_op_env *env)
{
    const struct mls_tensor *data = mls_op_in(call, DATA), *updates = mls_op_in(call, UPDATES);
    enum mls_binary function = find_mode(call, mode_param)->function;
    size_t n = (size_t)mls_type_elems(&data->type);
    if (widens(call, mode_param)) {
        env->kernels->convert->fp16_to_fp32(data->data, call->scratch, n);
        call->kernel = "scatter_fp16";
        return (struct scatter){.combine = env->kernels->binary->fp32[function].run,
                                .convert = env->kernels->convert,
                                .elem_bytes = sizeof(float),
                                .target = call->scratch,
                                .updates = updates->data};
    }
    struct scatter scatter = {
        .elem_bytes = mls_elem_bytes(data), .target = mls_op_out(call, 0)->data, .updates = updates->data};
    mls_copy_bytes(scatter.target, data->data, n * scatter.elem_bytes, env);
    call->kernel = "scatter_update";
    if (function != MLS_BINARY_COUNT) {
        bool is_int = data->type.dtype == MLS_INT32;
        call->kernel = is_int ? "scatter_int32" : "scatter_fp32";
        scatter.combine = is_int ? mls_binary_int32[function].run : env->kernels->binary->fp32[function].run;
    }
    return scatter;
}

static enum mls_status end(const struct mls_op_call *call, const struct scatter *scatter,
                           const struct mls_op_env *env)
{
    struct mls_tensor *out = mls_op_out(call, 0);
    if (scatter->target != out->data)
        env->kernels->convert->fp32_to_fp16(call->scratch, out->data, (size_t)mls_type_elems(&out->type));
    return MLS_OK;
}

static enum mls_status run_scatter(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *indices = mls_op_in(call, INDICES);
    const struct mls_type *data = &mls_op_in(call, DATA)->type;
    struct mls_index_rule rule = mls_index_rule(call, AXIS_VALIDATE);
    unsigned axis;
    enum mls_status status = infer_scatter(call, env->error); /* shapes may not have been known before */
    if (!status)
        status = read_axis(call, &axis, env->error);
    if (status)
        return status;
    int64_t n_outer = mls_dims_product(data, 0, axis), n_axis = data->dims[axis];
    int64_t n_inner = mls_dims_product(data, axis + 1, data->rank), n = mls_type_elems(&indices->type);
    struct scatter scatter = begin(call, AXIS_MODE, env);
    for (int64_t i = 0; i < n; i++) {
        int64_t index = mls_index_get(indices, i, n_axis, rule);
        if (index < 0 && rule.strict)
            return mls_index_fail(call, indices, i, n_axis, env->error);
        for (int64_t outer = 0; index >= 0 && n_inner && outer < n_outer; outer++)
            apply(&scatter, (outer * n_axis + index) * n_inner, (outer * n + i) * n_inner, n_inner);
    }
    return end(call, &scatter, env);
}

static enum mls_status run_along_axis(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *indices = mls_op_in(call, INDICES);
    const struct mls_type *data = &mls_op_in(call, DATA)->type;
    struct mls_index_rule rule = mls_index_rule(call, AXIS_VALIDATE);
    unsigned axis;
    enum mls_status status = infer_along_axis(call, env->error); /* shapes may not have been known before */
    if (!status)
        status = read_axis(call, &axis, env->error);
    if (status)
        return status;
    int64_t n_axis = data->dims[axis], n_inner = mls_dims_product(data, axis + 1, data->rank);
    int64_t n_given = indices->type.dims[axis], n = mls_type_elems(&indices->type);
    struct scatter scatter = begin(call, AXIS_MODE, env);
    for (int64_t i = 0; i < n; i++) {
        int64_t index = mls_index_get(indices, i, n_axis, rule);
        if (index < 0 && rule.strict)
            return mls_index_fail(call, indices, i, n_axis, env->error);
        if (index >= 0)
            apply(&scatter, (i / n_inner / n_given * n_axis + index) * n_inner + i % n_inner, i, 1);
    }
    return end(call, &scatter, env);
}

static enum mls_status run_nd(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *indices = mls_op_in(call, INDICES);
    const struct mls_type *data = &mls_op_in(call, DATA)->type;
    struct mls_index_rule rule = mls_index_rule(call, ND_VALIDATE);
    enum mls_status status = infer_nd(call, env->error); /* shapes may not have been known before */
    if (status)
        return status;
    unsigned depth = (unsigned)indices->type.dims[indices->type.rank - 1];
    int64_t n = mls_dims_product(&indices->type, 0, indices->type.rank - 1u);
    int64_t n_slice = mls_dims_product(data, depth, data->rank);
    struct scatter scatter = begin(call, ND_MODE, env);
    for (int64_t i = 0; n_slice && i < n; i++) {
        int64_t place = 0;
        for (unsigned k = 0; k < depth && place >= 0; k++) {
            int64_t index = mls_index_get(indices, i * depth + k, data->dims[k], rule);
            if (index < 0 && rule.strict)
                return mls_index_fail(call, indices, i * depth + k, data->dims[k], env->error);
            place = index < 0 ? -1 : place * data->dims[k] + index;
        }
        if (place >= 0)
            apply(&scatter, place * n_slice, i * n_slice, n_slice);
    }
    return end(call, &scatter, env);
}

#define T_DATA (MLS_T_FLOAT | MLS_T_I32)
#define COMMON                                                                   \
    [DATA] = {"data", T_DATA, 0, 'T'}, [INDICES] = {"indices", MLS_T_I32, 0, 0}, \
    [UPDATES] = {"updates", T_DATA, 0, 'T'}
#define OPTION(at, name, types) [at] = {name, types, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}
#define AXIS_ROW(op, function, opset, ...)                                                         \
    {                                                                                              \
        .name = op, .since = (opset),                                                              \
        .params = {COMMON, OPTION(AXIS, "axis", MLS_T_I32), OPTION(AXIS_MODE, "mode", MLS_T_TEXT), \
                   __VA_ARGS__},                                                                   \
        .infer = infer_##function, .scratch_bytes = scratch_axis, .run = run_##function            \
    }
#define ND_ROW(opset, ...)                                                                       \
    {                                                                                            \
        .name = "scatter_nd", .since = (opset),                                                  \
        .params = {COMMON, OPTION(ND_MODE, "mode", MLS_T_TEXT), __VA_ARGS__}, .infer = infer_nd, \
        .scratch_bytes = scratch_nd, .run = run_nd                                               \
    }

static const struct mls_op_row rows[] = {
    AXIS_ROW("scatter", scatter, 5, {0}),
    AXIS_ROW("scatter", scatter, 7, OPTION(AXIS_VALIDATE, "validate_indices", MLS_T_BOOL)),
    AXIS_ROW("scatter_along_axis", along_axis, 5, {0}),
    AXIS_ROW("scatter_along_axis", along_axis, 7, OPTION(AXIS_VALIDATE, "validate_indices", MLS_T_BOOL)),
    ND_ROW(5, {0}),
    ND_ROW(7, OPTION(ND_VALIDATE, "validate_indices", MLS_T_BOOL)),
};

MLS_OP_FAMILY_DEFINE(scatter, rows);
