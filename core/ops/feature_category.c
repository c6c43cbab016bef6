/* feature_category.c: features that are one of many: texts and integers made into numbers, and into one
 * another. */
#include <string.h>

#include "ops/keys.h"
#include "ops/op_family.h"
#include "ops/vectors.h"

enum { X, KEYS };
enum { IGNORE_UNKNOWN = 2 };
enum { VALUES = 2, UNKNOWN };

static enum mls_status check_key(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *keys = &mls_op_in(call, KEYS)->type;
    int64_t n = mls_type_elems(x);
    if (keys->rank != 1 || keys->dims[0] > INT32_MAX || call->n_outputs != 1)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID,
                           "its keys are no vector, or it has not one output");
    if (x->kind != MLS_KIND_TENSOR || x->dtype != keys->dtype || (n >= 0 && n != 1))
        return mls_op_fail(call, reterr, MLS_ERR_OP_TYPE, "it takes one %s", mls_dtype_name(keys->dtype));
    return MLS_OK;
}

static enum mls_status pack_keys(const struct mls_op_call *call, struct mls_op_env *env,
                                 struct mls_arena *arena, const void **ret_packed, size_t *ret_packed_bytes)
{
    return key_index_pack(call, KEYS, env, arena, ret_packed, ret_packed_bytes);
}

static enum mls_status unknown_key(const struct mls_op_call *call, const struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    if (x->type.dtype == MLS_INT64)
        return mls_op_fail(call, env->error, MLS_ERR_INPUT_INVALID, "%lld is none of the model's categories",
                           (long long)mls_tensor_int(x, 0));
    const struct mls_text *text = x->data;
    return mls_op_fail(call, env->error, MLS_ERR_INPUT_INVALID, "\"%.*s\" is none of the model's categories",
                       (int)(text->length_bytes < 100 ? text->length_bytes : 100), text->bytes);
}

/* ---- One hot ------------------------------------------------------------------------------------------ */

static enum mls_status infer_one_hot(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_key(call, reterr);
    if (!status)
        mls_op_out(call, 0)->type = mls_type_tensor(MLS_FP64, 1, mls_op_in(call, KEYS)->type.dims);
    return status;
}

static enum mls_status run_one_hot(struct mls_op_call *call, struct mls_op_env *env)
{
    double *out = mls_op_out(call, 0)->data;
    if (mls_type_elems(&mls_op_in(call, X)->type) != 1)
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "it takes one value");
    int64_t place = key_find(call->packed, mls_op_in(call, X), 0);
    if (place < 0 && !mls_op_bool(call, IGNORE_UNKNOWN, false))
        return unknown_key(call, env);
    memset(out, 0, mls_type_bytes(&mls_op_out(call, 0)->type));
    if (place >= 0)
        out[place] = 1;
    return MLS_OK;
}

/* ---- Dictionaries ------------------------------------------------------------------------------------- */

static enum mls_status infer_dictionary(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *keys = &mls_op_in(call, KEYS)->type;
    if (x->kind != MLS_KIND_DICTIONARY || x->key_dtype != keys->dtype || x->dtype != MLS_FP64)
        return mls_op_fail(call, reterr, MLS_ERR_OP_TYPE, "it takes a dictionary of fp64 by %s",
                           mls_dtype_name(keys->dtype));
    if (keys->rank != 1 || keys->dims[0] > INT32_MAX || call->n_outputs != 1)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID,
                           "its keys are no vector, or it has not one output");
    mls_op_out(call, 0)->type = mls_type_tensor(MLS_FP64, 1, keys->dims);
    return MLS_OK;
}

/* Keys that the model does not know are left out, as scikit-learn's DictVectorizer does. */
static enum mls_status run_dictionary(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    const struct mls_tensor *x = mls_op_in(call, X);
    double *out = mls_op_out(call, 0)->data;
    memset(out, 0, mls_type_bytes(&mls_op_out(call, 0)->type));
    for (int64_t i = 0; x->keys && i < mls_type_elems(&x->type); i++) {
        int64_t place = key_find(call->packed, x->keys, i);
        if (place >= 0)
            out[place] = ((const double *)x->data)[i];
    }
    return MLS_OK;
}

/* ---- Mapping ------------------------------------------------------------------------------------------ */

static enum mls_status infer_mapping(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_key(call, reterr);
    const struct mls_tensor *values = mls_op_in(call, VALUES), *unknown = mls_op_in(call, UNKNOWN);
    if (!status &&
        (constant_length(call, VALUES) != constant_length(call, KEYS) ||
         (unknown && (unknown->type.dtype != values->type.dtype || mls_type_elems(&unknown->type) != 1))))
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "its keys and values do not go together");
    if (!status)
        mls_op_out(call, 0)->type = mls_type_tensor(values->type.dtype, 0, NULL);
    return status;
}

static enum mls_status run_mapping(struct mls_op_call *call, struct mls_op_env *env)
{
    if (mls_type_elems(&mls_op_in(call, X)->type) != 1)
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "it takes one value");
    int64_t place = key_find(call->packed, mls_op_in(call, X), 0);
    const struct mls_tensor *from = mls_op_in(call, place >= 0 ? VALUES : UNKNOWN);
    if (!from)
        return unknown_key(call, env);
    size_t size_bytes = mls_dtype_bytes(from->type.dtype, 1);
    memcpy(mls_op_out(call, 0)->data,
           (const char *)from->data + (size_t)(place >= 0 ? place : 0) * size_bytes, size_bytes);
    return MLS_OK;
}

#define LABELS(name, flags)                             \
    {                                                   \
        name, MLS_T_LABEL, MLS_PARAM_CONST | (flags), 0 \
    }

static const struct mls_op_row rows[] = {
    {.name = "one_hot_encoder",
     .since = 5,
     .params = {[X] = {"x", MLS_T_LABEL, 0, 0},
                [KEYS] = LABELS("categories", 0),
                [IGNORE_UNKNOWN] = {"ignore_unknown", MLS_T_BOOL, MLS_PARAM_CONST, 0}},
     .infer = infer_one_hot,
     .pack = pack_keys,
     .run = run_one_hot},
    {.name = "dict_vectorizer",
     .since = 5,
     .params = {[X] = {"x", MLS_T_ANY, 0, 0}, [KEYS] = LABELS("keys", 0)},
     .infer = infer_dictionary,
     .pack = pack_keys,
     .run = run_dictionary},
    {.name = "categorical_mapping",
     .since = 5,
     .params = {[X] = {"x", MLS_T_LABEL, 0, 0},
                [KEYS] = LABELS("keys", 0),
                [VALUES] = LABELS("values", 0),
                [UNKNOWN] = LABELS("unknown", MLS_PARAM_OPTIONAL)},
     .infer = infer_mapping,
     .pack = pack_keys,
     .run = run_mapping},
};

MLS_OP_FAMILY_DEFINE(feature_category, rows);
