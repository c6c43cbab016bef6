/* tensor_fill.c: tensors made from shapes and few values: fill, range_1d, one_hot, shape, band_part. */
#include <math.h>
#include <string.h>

#include "base/fp16.h"
#include "ops/copy.h"
#include "ops/op_family.h"

/* Writes a number as one element, rounded to its type. */
static void store_element(enum mls_dtype dtype, double value, void *ret)
{
    switch (dtype) {
    case MLS_FP16:
        *(uint16_t *)ret = mls_fp32_to_fp16((float)value);
        break;
    case MLS_FP32:
        *(float *)ret = (float)value;
        break;
    case MLS_INT32:
        *(int32_t *)ret = (int32_t)value;
        break;
    default: /* BOOL: the rows take no other types */
        *(uint8_t *)ret = value != 0;
        break;
    }
}

/* Every element of a tensor is the one at `element`. */
static void fill_with(struct mls_op_call *call, const void *element, const struct mls_op_env *env)
{
    struct mls_tensor *out = mls_op_out(call, 0);
    struct mls_copy copy = {.elem_bytes = mls_elem_bytes(out),
                            .rank = 1,
                            .dims = {mls_type_elems(&out->type)},
                            .source_strides = {0},
                            .target_strides = {1},
                            .source = element,
                            .target = out->data};
    mls_copy_run(&copy, env);
    call->kernel = "fill";
}

static enum mls_status check_scalar(const struct mls_op_call *call, unsigned param, struct mls_error *reterr)
{
    const struct mls_tensor *value = mls_op_in(call, param);
    if (value && mls_type_is_static(&value->type) && mls_type_elems(&value->type) != 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%s must be a scalar",
                           call->row->params[param].name);
    return MLS_OK;
}

/* The element type when the value is left out: what the program declares, if the row can write it. */
static enum mls_dtype value_dtype(const struct mls_op_call *call, unsigned param, enum mls_dtype otherwise)
{
    enum mls_dtype declared = mls_op_out(call, 0)->type.dtype;
    if (mls_op_given(call, param))
        return mls_op_in(call, param)->type.dtype;
    return MLS_T_MOVE_5 & MLS_DTYPE_BIT(declared) ? declared : otherwise;
}

/* ---- fill and fill_like ---- */

enum { SHAPE, VALUE }; /* of fill; fill_like has a tensor instead of the shape */

static enum mls_status infer_fill(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *shape = &mls_op_in(call, SHAPE)->type;
    struct mls_type type = {.dtype = value_dtype(call, VALUE, MLS_FP32), .rank = MLS_RANK_UNKNOWN};
    enum mls_status status = check_scalar(call, VALUE, reterr);
    if (status)
        return status;
    if (shape->rank > 1 && shape->rank != MLS_RANK_UNKNOWN)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "shape must be a vector");
    int n = mls_op_ints(call, SHAPE, type.dims, MLS_RANK_MAX);
    int64_t length = n >= 0 ? n : shape->rank == 1 ? shape->dims[0] : MLS_DIM_UNKNOWN;
    if (length > MLS_RANK_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "the result has more than %d dimensions",
                           MLS_RANK_MAX);
    if (length >= 0)
        type.rank = (uint8_t)length;
    for (int64_t i = 0; i < length; i++) {
        if (n < 0)
            type.dims[i] = MLS_DIM_UNKNOWN;
        else if (type.dims[i] < 0)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "dimension %lld of shape is %lld",
                               (long long)i, (long long)type.dims[i]);
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status infer_fill_like(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_scalar(call, VALUE, reterr);
    struct mls_type type = mls_op_in(call, SHAPE)->type;
    type.dtype = value_dtype(call, VALUE, MLS_FP32);
    if (!status)
        mls_op_out(call, 0)->type = type;
    return status;
}

static enum mls_status run_fill(struct mls_op_call *call, struct mls_op_env *env)
{
    const uint64_t zero = 0;
    fill_with(call, mls_op_given(call, VALUE) ? mls_op_in(call, VALUE)->data : (const void *)&zero, env);
    return MLS_OK;
}

/* ---- shape ---- */

static enum mls_status infer_shape(const struct mls_op_call *call, struct mls_error *reterr)
{
    (void)reterr;
    const struct mls_type *x = &mls_op_in(call, 0)->type;
    int64_t length = x->rank == MLS_RANK_UNKNOWN ? MLS_DIM_UNKNOWN : x->rank;
    mls_op_out(call, 0)->type = mls_type_tensor(MLS_INT32, 1, &length);
    return MLS_OK;
}

static enum mls_status run_shape(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_type *x = &mls_op_in(call, 0)->type;
    int32_t *out = mls_op_out(call, 0)->data;
    for (unsigned i = 0; i < x->rank; i++) {
        if (x->dims[i] > INT32_MAX)
            return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE,
                               "a dimension of %lld elements does not fit int32", (long long)x->dims[i]);
        out[i] = (int32_t)x->dims[i];
    }
    call->kernel = "shape";
    return MLS_OK;
}

/* ---- range_1d ---- */

enum { END, START, STEP };

/* The number of elements, or -1 when it has none that we can give. */
static int64_t range_length(const struct mls_op_call *call)
{
    double start = mls_op_float(call, START, 0), end = mls_op_float(call, END, 0);
    double step = mls_op_float(call, STEP, 0), n = ceil((end - start) / step);
    if (!(n < (double)INT32_MAX)) /* a step of 0 as well, unless there is nothing to do */
        return -1;
    return n > 0 ? (int64_t)n : 0;
}

static enum mls_status infer_range(const struct mls_op_call *call, struct mls_error *reterr)
{
    int64_t length = MLS_DIM_UNKNOWN;
    bool known = true;
    for (unsigned i = END; i <= STEP; i++) {
        enum mls_status status = check_scalar(call, i, reterr);
        if (status)
            return status;
        known = known && mls_op_in(call, i)->data;
    }
    if (known) {
        length = range_length(call);
        if (length < 0)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "from %g to %g in steps of %g is no range",
                               mls_op_float(call, START, 0), mls_op_float(call, END, 0),
                               mls_op_float(call, STEP, 0));
    }
    mls_op_out(call, 0)->type = mls_type_tensor(mls_op_in(call, START)->type.dtype, 1, &length);
    return MLS_OK;
}

static enum mls_status run_range(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_tensor *out = mls_op_out(call, 0);
    double start = mls_op_float(call, START, 0), step = mls_op_float(call, STEP, 0);
    if (range_length(call) != out->type.dims[0])
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "the range has not %lld elements",
                           (long long)out->type.dims[0]);
    size_t elem_bytes = mls_elem_bytes(out);
    for (int64_t i = 0; i < out->type.dims[0]; i++)
        store_element(out->type.dtype, start + (double)i * step, (char *)out->data + (size_t)i * elem_bytes);
    call->kernel = "range";
    return MLS_OK;
}

/* ---- one_hot ---- */

enum { INDICES, SIZE, AXIS, ON, OFF };

static enum mls_status infer_one_hot(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *indices = &mls_op_in(call, INDICES)->type;
    const struct mls_tensor *size = mls_op_in(call, SIZE);
    struct mls_type type = {.dtype = value_dtype(call, ON, MLS_INT32), .rank = MLS_RANK_UNKNOWN};
    if (!mls_op_given(call, ON))
        type.dtype = value_dtype(call, OFF, type.dtype);
    for (unsigned i = SIZE; i <= OFF; i++) {
        enum mls_status status = check_scalar(call, i, reterr);
        if (status)
            return status;
    }
    int64_t depth = size->data ? mls_tensor_int(size, 0) : MLS_DIM_UNKNOWN;
    if (size->data && depth < 0)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "one_hot_vector_size is %lld",
                           (long long)depth);
    if (indices->rank != MLS_RANK_UNKNOWN) {
        unsigned axis;
        if (indices->rank == MLS_RANK_MAX)
            return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "the result has more than %d dimensions",
                               MLS_RANK_MAX);
        type.rank = (uint8_t)(indices->rank + 1);
        if (!mls_op_axis(mls_op_int(call, AXIS, -1), type.rank, &axis))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "axis %lld lies outside a tensor of rank %u",
                               (long long)mls_op_int(call, AXIS, -1), (unsigned)type.rank);
        for (unsigned i = 0, from = 0; i < type.rank; i++)
            type.dims[i] = i == axis ? depth : indices->dims[from++];
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* Negative indices count from the end; those that lie outside give vectors without the value, as in
 * TensorFlow. */
static enum mls_status run_one_hot(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *indices = mls_op_in(call, INDICES);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned axis;
    mls_op_axis(mls_op_int(call, AXIS, -1), out->type.rank, &axis);
    size_t elem_bytes = mls_elem_bytes(out);
    uint64_t on = 0, off = 0;
    store_element(out->type.dtype, mls_op_float(call, ON, 1), &on);
    store_element(out->type.dtype, mls_op_float(call, OFF, 0), &off);
    fill_with(call, &off, env);
    int64_t depth = out->type.dims[axis], inner = mls_dims_product(&out->type, axis + 1, out->type.rank);
    int64_t n = mls_type_elems(&indices->type);
    if (n * depth != mls_type_elems(&out->type))
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "indices are not as planned");
    for (int64_t i = 0; i < n; i++) {
        int64_t index = mls_tensor_int(indices, i);
        if (index < 0)
            index += depth;
        if (index < 0 || index >= depth)
            continue;
        int64_t at = (i / inner * depth + index) * inner + i % inner;
        memcpy((char *)out->data + (size_t)at * elem_bytes, &on, elem_bytes);
    }
    call->kernel = "one_hot";
    return MLS_OK;
}

/* ---- band_part ---- */

enum { BAND_X, LOWER, UPPER };

static enum mls_status infer_band_part(const struct mls_op_call *call, struct mls_error *reterr)
{
    unsigned rank = mls_op_in(call, BAND_X)->type.rank;
    if (rank < 2)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have at least rank 2");
    return mls_infer_same(call, reterr);
}

static enum mls_status run_band_part(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    const struct mls_tensor *x = mls_op_in(call, BAND_X);
    unsigned rank = x->type.rank;
    int64_t n = x->type.dims[rank - 1], m = x->type.dims[rank - 2];
    int64_t n_rows = mls_dims_product(&x->type, 0, rank - 1u);
    int64_t lower = mls_op_int(call, LOWER, -1), upper = mls_op_int(call, UPPER, -1);
    size_t elem_bytes = mls_elem_bytes(x), row_bytes = (size_t)n * elem_bytes;
    const char *from = x->data;
    char *to = mls_op_out(call, 0)->data;
    for (int64_t row = 0; row < n_rows; row++, from += row_bytes, to += row_bytes) {
        int64_t i = row % m; /* kept: columns [first, end) */
        int64_t first = lower < 0 || i < lower ? 0 : i - lower;
        int64_t end = upper < 0 || n - i <= upper ? n : i + upper + 1;
        first = first < n ? first : n;
        end = end > first ? end : first;
        memset(to, 0, (size_t)first * elem_bytes);
        memcpy(to + (size_t)first * elem_bytes, from + (size_t)first * elem_bytes,
               (size_t)(end - first) * elem_bytes);
        memset(to + (size_t)end * elem_bytes, 0, (size_t)(n - end) * elem_bytes);
    }
    call->kernel = "band_part";
    return MLS_OK;
}

#define OPTION(name, types)                                  \
    {                                                        \
        name, types, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0 \
    }

static const struct mls_op_row rows[] = {
    {.name = "fill",
     .since = 5,
     .params = {[SHAPE] = {"shape", MLS_T_I32, 0, 0}, [VALUE] = OPTION("value", MLS_T_MOVE_5)},
     .infer = infer_fill,
     .run = run_fill},
    {.name = "fill_like",
     .since = 6,
     .params = {[SHAPE] = {"ref_tensor", MLS_T_MOVE_5, 0, 0}, [VALUE] = OPTION("value", MLS_T_MOVE_5)},
     .infer = infer_fill_like,
     .run = run_fill},
    {.name = "shape",
     .since = 5,
     .flags = MLS_OP_TYPE_ONLY,
     .params = {{"x", MLS_T_MOVE_7, 0, 0}},
     .infer = infer_shape,
     .run = run_shape},
    {.name = "range_1d",
     .since = 5,
     .params = {[END] = {"end", MLS_T_FLOAT | MLS_T_I32, 0, 'T'},
                [START] = {"start", MLS_T_FLOAT | MLS_T_I32, 0, 'T'},
                [STEP] = {"step", MLS_T_FLOAT | MLS_T_I32, 0, 'T'}},
     .infer = infer_range,
     .run = run_range},
    {.name = "one_hot",
     .since = 5,
     .params = {[INDICES] = {"indices", MLS_T_I32, 0, 0},
                [SIZE] = {"one_hot_vector_size", MLS_T_I32, 0, 0},
                [AXIS] = OPTION("axis", MLS_T_I32),
                [ON] = {"on_value", MLS_T_MOVE_5, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 'T'},
                [OFF] = {"off_value", MLS_T_MOVE_5, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 'T'}},
     .infer = infer_one_hot,
     .run = run_one_hot},
    {.name = "band_part",
     .since = 5,
     .params = {[BAND_X] = {"x", MLS_T_MOVE_5, 0, 0},
                [LOWER] = OPTION("lower", MLS_T_I32),
                [UPPER] = OPTION("upper", MLS_T_I32)},
     .infer = infer_band_part,
     .run = run_band_part},
};

MLS_OP_FAMILY_DEFINE(tensor_fill, rows);
