/* list.c: lists of tensors. Elements own their data; a list that dies with the operation is taken over. */
#include <string.h>

#include "base/limits.h"
#include "ops/copy.h"
#include "ops/indices.h"
#include "ops/op_family.h"

enum { LIST, INDEX, VALUE };

/* ---- make_list ---- */

enum { LENGTH, DYNAMIC, SHAPE, DTYPE };

static enum mls_dtype element_dtype(const struct mls_op_call *call)
{
    static const enum mls_dtype types[] = {MLS_FP32, MLS_FP16, MLS_INT32, MLS_BOOL};
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
        if (mls_op_text_is(call, DTYPE, "fp32", mls_dtype_name(types[i])))
            return types[i];
    return MLS_NONE;
}

/*
 * The dimensions of an element: numbers, or strings that name what only the run decides; one by one or as a
 * vector. Without any, `type` keeps what the program declares: elements are scalars, or of any shape.
 */
static enum mls_status read_elem_shape(const struct mls_op_call *call, struct mls_type *type,
                                       struct mls_error *reterr)
{
    const struct mls_arg *shape = &call->args[SHAPE];
    if (!shape->n)
        return MLS_OK;
    type->rank = 0;
    for (uint32_t i = 0; i < shape->n; i++) {
        const struct mls_tensor *part = shape->values[i];
        int64_t n = mls_type_elems(&part->type);
        for (int64_t j = 0; j < n; j++) {
            if (type->rank == MLS_RANK_MAX)
                return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                                   "its elements have more than %d dimensions", MLS_RANK_MAX);
            bool named = part->type.dtype == MLS_TEXT;
            int64_t dim = named ? MLS_DIM_UNKNOWN : mls_tensor_int(part, j);
            if (!named && dim < 0)
                return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "elem_shape has a dimension of %lld",
                                   (long long)dim);
            type->dims[type->rank++] = dim;
        }
    }
    return MLS_OK;
}

static enum mls_status infer_make_list(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_tensor *out = mls_op_out(call, 0);
    struct mls_type type = out->type;
    type.kind = MLS_KIND_LIST;
    type.dtype = element_dtype(call);
    type.list_length = MLS_DIM_UNKNOWN;
    if (type.dtype == MLS_NONE)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "dtype names no type that lists hold");
    /* with high precision the program declares fp32 wherever it had fp16 */
    if (type.dtype == MLS_FP16 && out->type.dtype == MLS_FP32)
        type.dtype = MLS_FP32;
    enum mls_status status = read_elem_shape(call, &type, reterr);
    if (status)
        return status;
    const struct mls_tensor *length = mls_op_in(call, LENGTH);
    if (length && mls_type_elems(&length->type) != 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "init_length must be a scalar");
    if (!mls_op_bool(call, DYNAMIC, true) && (!length || length->data))
        type.list_length = mls_op_int(call, LENGTH, 1);
    out->type = type;
    return MLS_OK;
}

static enum mls_status run_make_list(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_tensor *out = mls_op_out(call, 0);
    int64_t length = mls_op_int(call, LENGTH, 1);
    if (length < 0 || length > MLS_LIMIT_LIST_LENGTH)
        return mls_op_fail(call, env->error, MLS_ERR_LIMIT,
                           "a list of %lld elements; at most %d are supported", (long long)length,
                           MLS_LIMIT_LIST_LENGTH);
    mls_list_free(env->heap, out->list);
    out->list = mls_list_create(env->heap, length);
    if (!out->list)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for a list of %lld elements",
                           (long long)length);
    return MLS_OK;
}

/* ---- What the others share ---- */

/* The type of an element, as far as the list's own type tells. */
static struct mls_type element_type(const struct mls_type *list)
{
    struct mls_type type = *list;
    type.kind = MLS_KIND_TENSOR;
    type.list_length = 0;
    return type;
}

/* Refines what `type` does not know by `other`; false when they contradict each other. */
static bool refine(struct mls_type *type, const struct mls_type *other)
{
    if (type->dtype != other->dtype)
        return false;
    if (other->rank == MLS_RANK_UNKNOWN)
        return true;
    if (type->rank == MLS_RANK_UNKNOWN) {
        type->rank = other->rank;
        memcpy(type->dims, other->dims, sizeof type->dims);
        return true;
    }
    if (type->rank != other->rank)
        return false;
    for (unsigned i = 0; i < type->rank; i++) {
        if (type->dims[i] < 0)
            type->dims[i] = other->dims[i];
        else if (other->dims[i] >= 0 && other->dims[i] != type->dims[i])
            return false;
    }
    return true;
}

static enum mls_status bad_element(const struct mls_op_call *call, const struct mls_type *value,
                                   enum mls_status status, struct mls_error *reterr)
{
    char has[96], holds[96];
    return mls_op_fail(call, reterr, status, "%s is no element of a %s",
                       mls_type_format(value, has, sizeof has),
                       mls_type_format(&mls_op_in(call, LIST)->type, holds, sizeof holds));
}

static enum mls_status check_index_scalar(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *index = &mls_op_in(call, INDEX)->type;
    if (mls_type_elems(index) != 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "index must be a scalar");
    return MLS_OK;
}

/* The list's element at element i of the indices, without data when it was never written; NULL after an
 * error. */
static const struct mls_tensor *find_element(const struct mls_op_call *call, int64_t i,
                                             struct mls_error *reterr)
{
    const struct mls_list *list = mls_op_in(call, LIST)->list;
    const struct mls_tensor *indices = mls_op_in(call, INDEX);
    int64_t length = list ? list->length : 0, index = mls_tensor_int(indices, i);
    if (index < 0 || index >= length) {
        mls_index_fail(call, indices, i, length, reterr);
        return NULL;
    }
    return &list->elements[index];
}

/* Copies an element to `target`; one that was never written is all zeros. */
static enum mls_status copy_element(const struct mls_op_call *call, int64_t i, const struct mls_type *type,
                                    void *target, struct mls_op_env *env)
{
    const struct mls_tensor *element = find_element(call, i, env->error);
    if (!element)
        return MLS_ERR_RUN_INDEX;
    size_t bytes = mls_type_bytes(type);
    if (!element->data) {
        if (bytes)
            memset(target, 0, bytes);
        return MLS_OK;
    }
    if (!mls_type_equal(&element->type, type))
        return bad_element(call, &element->type, MLS_ERR_RUN_SHAPE, env->error);
    mls_copy_bytes(target, element->data, bytes, env);
    return MLS_OK;
}

/* Completes `type` by the elements that the list has, once there is a list. */
static enum mls_status complete_type(const struct mls_op_call *call, struct mls_type *type,
                                     struct mls_error *reterr)
{
    const struct mls_list *list = mls_op_in(call, LIST)->list;
    if (!list || mls_type_is_static(type))
        return MLS_OK;
    for (int64_t i = 0; i < list->length; i++) {
        if (!list->elements[i].data)
            continue;
        if (!refine(type, &list->elements[i].type))
            return bad_element(call, &list->elements[i].type, MLS_ERR_RUN_SHAPE, reterr);
        return MLS_OK;
    }
    return mls_op_fail(call, reterr, MLS_ERR_RUN_SHAPE,
                       "the shape of the list's elements is unknown, and none was written");
}

/* Moves the list to the output, or copies it. */
static enum mls_status take_list(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_tensor *from = mls_op_in(call, LIST), *to = mls_op_out(call, 0);
    mls_list_free(env->heap, to->list);
    to->list = NULL;
    if (call->args[LIST].dies && from->list) {
        to->list = from->list;
        from->list = NULL;
    } else {
        to->list = from->list ? mls_list_clone(env->heap, from->list) : mls_list_create(env->heap, 0);
    }
    if (to->list)
        return MLS_OK;
    return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for a copy of the list");
}

/* Writes one element of the output's list, which grows where its length is not fixed. */
static enum mls_status write_element(struct mls_op_call *call, int64_t i, const struct mls_tensor *value,
                                     struct mls_op_env *env)
{
    const struct mls_tensor *indices = mls_op_in(call, INDEX);
    struct mls_tensor *out = mls_op_out(call, 0);
    int64_t index = mls_tensor_int(indices, i);
    bool fixed = out->type.list_length >= 0;
    if (index < 0 || index >= MLS_LIMIT_LIST_LENGTH || (fixed && index >= out->list->length))
        return mls_index_fail(call, indices, i, out->list->length, env->error);
    if (index >= out->list->length && !mls_list_resize(env->heap, out->list, index + 1))
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for a list of %lld elements",
                           (long long)index + 1);
    if (!mls_list_set(env->heap, out->list, index, value))
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for element %lld of the list",
                           (long long)index);
    return MLS_OK;
}

/* ---- list_length ---- */

static enum mls_status infer_list_length(const struct mls_op_call *call, struct mls_error *reterr)
{
    (void)reterr;
    mls_op_out(call, 0)->type = mls_type_tensor(MLS_INT32, 0, NULL);
    return MLS_OK;
}

static enum mls_status run_list_length(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    const struct mls_list *list = mls_op_in(call, LIST)->list;
    *(int32_t *)mls_op_out(call, 0)->data = list ? (int32_t)list->length : 0;
    return MLS_OK;
}

/* ---- list_read and list_gather ---- */

static enum mls_status infer_list_read(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_tensor *list = mls_op_in(call, LIST);
    struct mls_type type = element_type(&list->type);
    enum mls_status status = check_index_scalar(call, reterr);
    if (!status && mls_op_in(call, INDEX)->data && list->list && !find_element(call, 0, reterr))
        status = MLS_ERR_RUN_INDEX;
    if (!status)
        status = complete_type(call, &type, reterr);
    if (!status)
        mls_op_out(call, 0)->type = type;
    return status;
}

static enum mls_status run_list_read(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_tensor *out = mls_op_out(call, 0);
    return copy_element(call, 0, &out->type, out->data, env);
}

static enum mls_status infer_list_gather(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_tensor *list = mls_op_in(call, LIST), *indices = mls_op_in(call, INDEX);
    struct mls_type element = element_type(&list->type), type = element;
    if (indices->type.rank != 1 && indices->type.rank != MLS_RANK_UNKNOWN)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "indices must be a vector");
    enum mls_status status = complete_type(call, &element, reterr);
    if (status)
        return status;
    type.rank = MLS_RANK_UNKNOWN;
    if (element.rank != MLS_RANK_UNKNOWN) {
        if (element.rank == MLS_RANK_MAX)
            return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "the result has more than %d dimensions",
                               MLS_RANK_MAX);
        type.rank = (uint8_t)(element.rank + 1);
        type.dims[0] = indices->type.rank == 1 ? indices->type.dims[0] : MLS_DIM_UNKNOWN;
        memcpy(type.dims + 1, element.dims, element.rank * sizeof type.dims[0]);
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_list_gather(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *indices = mls_op_in(call, INDEX);
    struct mls_tensor *out = mls_op_out(call, 0);
    int64_t n = mls_type_elems(&indices->type);
    struct mls_type type = mls_type_tensor(out->type.dtype, out->type.rank - 1u, out->type.dims + 1);
    size_t bytes = mls_type_bytes(&type);
    if (n != out->type.dims[0])
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "%lld indices do not give %lld elements",
                           (long long)n, (long long)out->type.dims[0]);
    enum mls_status status = MLS_OK;
    for (int64_t i = 0; !status && i < n; i++)
        status = copy_element(call, i, &type, (char *)out->data + (size_t)i * bytes, env);
    return status;
}

/* ---- list_write and list_scatter ---- */

/* The output: the same list, whose elements have a type that `value` may tell more about. */
static enum mls_status infer_written(const struct mls_op_call *call, const struct mls_type *value,
                                     struct mls_error *reterr)
{
    const struct mls_type *list = &mls_op_in(call, LIST)->type;
    struct mls_type element = element_type(list);
    if (!refine(&element, value))
        return bad_element(call, value, MLS_ERR_OP_SHAPE, reterr);
    element.kind = MLS_KIND_LIST;
    element.list_length = list->list_length;
    mls_op_out(call, 0)->type = element;
    return MLS_OK;
}

static enum mls_status infer_list_write(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_index_scalar(call, reterr);
    return status ? status : infer_written(call, &mls_op_in(call, VALUE)->type, reterr);
}

static enum mls_status run_list_write(struct mls_op_call *call, struct mls_op_env *env)
{
    enum mls_status status = take_list(call, env);
    return status ? status : write_element(call, 0, mls_op_in(call, VALUE), env);
}

static enum mls_status infer_list_scatter(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *indices = &mls_op_in(call, INDEX)->type, *value = &mls_op_in(call, VALUE)->type;
    struct mls_type element = {.dtype = value->dtype, .rank = MLS_RANK_UNKNOWN};
    if (value->rank == 0 || (indices->rank != 1 && indices->rank != MLS_RANK_UNKNOWN))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "indices must be a vector and value a stack of elements");
    if (value->rank != MLS_RANK_UNKNOWN) {
        if (indices->rank == 1 && indices->dims[0] >= 0 && value->dims[0] >= 0 &&
            value->dims[0] != indices->dims[0])
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "%lld values cannot be written to %lld indices", (long long)value->dims[0],
                               (long long)indices->dims[0]);
        element = mls_type_tensor(value->dtype, value->rank - 1u, value->dims + 1);
    }
    return infer_written(call, &element, reterr);
}

static enum mls_status run_list_scatter(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *value = mls_op_in(call, VALUE);
    int64_t n = mls_type_elems(&mls_op_in(call, INDEX)->type);
    if (n != value->type.dims[0])
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE,
                           "%lld values cannot be written to %lld indices", (long long)value->type.dims[0],
                           (long long)n);
    enum mls_status status = take_list(call, env);
    struct mls_tensor element = {
        .type = mls_type_tensor(value->type.dtype, value->type.rank - 1u, value->type.dims + 1)};
    size_t bytes = mls_type_bytes(&element.type);
    for (int64_t i = 0; !status && i < n; i++) {
        element.data = (char *)value->data + (size_t)i * bytes;
        status = write_element(call, i, &element, env);
    }
    return status;
}

#define T_ELEMENT (MLS_T_FLOAT | MLS_T_I32 | MLS_T_BOOL)
#define LIST_PARAM [LIST] = {"ls", T_ELEMENT, MLS_PARAM_LIST, 0}

static const struct mls_op_row rows[] = {
    {.name = "make_list",
     .since = 5,
     .flags = MLS_OP_ALLOCATES,
     .params = {[LENGTH] = {"init_length", MLS_T_I32, MLS_PARAM_OPTIONAL, 0},
                [DYNAMIC] = {"dynamic_length", MLS_T_BOOL, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},
                [SHAPE] = {"elem_shape", MLS_T_I32 | MLS_T_TEXT,
                           MLS_PARAM_CONST | MLS_PARAM_VARIADIC | MLS_PARAM_OPTIONAL, 0},
                [DTYPE] = {"dtype", MLS_T_TEXT, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}},
     .infer = infer_make_list,
     .run = run_make_list},
    {.name = "list_length",
     .since = 5,
     .params = {LIST_PARAM},
     .infer = infer_list_length,
     .run = run_list_length},
    {.name = "list_read",
     .since = 5,
     .params = {LIST_PARAM, [INDEX] = {"index", MLS_T_I32, 0, 0}},
     .infer = infer_list_read,
     .run = run_list_read},
    {.name = "list_gather",
     .since = 5,
     .params = {LIST_PARAM, [INDEX] = {"indices", MLS_T_I32, 0, 0}},
     .infer = infer_list_gather,
     .run = run_list_gather},
    {.name = "list_write",
     .since = 5,
     .flags = MLS_OP_ALLOCATES,
     .params = {LIST_PARAM, [INDEX] = {"index", MLS_T_I32, 0, 0}, [VALUE] = {"value", T_ELEMENT, 0, 0}},
     .infer = infer_list_write,
     .run = run_list_write},
    {.name = "list_scatter",
     .since = 5,
     .flags = MLS_OP_ALLOCATES,
     .params = {LIST_PARAM, [INDEX] = {"indices", MLS_T_I32, 0, 0}, [VALUE] = {"value", T_ELEMENT, 0, 0}},
     .infer = infer_list_scatter,
     .run = run_list_scatter},
};

MLS_OP_FAMILY_DEFINE(list, rows);
