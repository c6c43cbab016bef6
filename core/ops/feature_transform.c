/* feature_transform.c: numbers of features made ready for a model: joined, scaled, normalised, filled in,
 * picked. */
#include <math.h>
#include <string.h>

#include "base/fp16.h"
#include "ops/op_family.h"
#include "ops/vectors.h"

enum { X };
enum { SHIFT = 1, SCALE };
enum { NORM = 1 };
enum { IMPUTED = 1, REPLACED };
enum { INDICES = 1 };
enum { NORM_MAX, NORM_L1, NORM_L2 };

/* Output 0: as many numbers as the features have; a scalar stays one. */
static enum mls_status infer_elementwise(const struct mls_op_call *call, struct mls_error *reterr)
{
    if (call->n_outputs != 1 || call->args[X].n != 1)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has not one input and one output");
    struct mls_type type = mls_op_in(call, X)->type;
    type.dtype = MLS_FP64;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* A parameter of one number for all features, or of one for each. */
static enum mls_status check_per_feature(const struct mls_op_call *call, unsigned param,
                                         struct mls_error *reterr)
{
    int64_t n = constant_length(call, param), n_features = vector_length(call, X);
    if (n == 1 || n_features < 0 || n == n_features)
        return MLS_OK;
    return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%lld values for %lld features", (long long)n,
                       (long long)n_features);
}

static double per_feature(const struct mls_op_call *call, unsigned param, int64_t i)
{
    return constant_doubles(call, param)[constant_length(call, param) == 1 ? 0 : i];
}

/* ---- Joining ------------------------------------------------------------------------------------------ */

static enum mls_status infer_join(const struct mls_op_call *call, struct mls_error *reterr)
{
    int64_t n = vector_length(call, X);
    if (call->n_outputs != 1)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has %u outputs, not 1",
                           call->n_outputs);
    if (n < 0)
        n = MLS_DIM_UNKNOWN;
    mls_op_out(call, 0)->type = mls_type_tensor(MLS_FP64, 1, &n);
    return MLS_OK;
}

static enum mls_status run_join(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    vector_read(call, X, mls_op_out(call, 0)->data);
    return MLS_OK;
}

/* ---- Scaling and normalising -------------------------------------------------------------------------- */

static enum mls_status infer_scaler(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = infer_elementwise(call, reterr);
    if (!status)
        status = check_per_feature(call, SHIFT, reterr);
    return status ? status : check_per_feature(call, SCALE, reterr);
}

static enum mls_status run_scaler(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    double *out = mls_op_out(call, 0)->data;
    vector_read(call, X, out);
    for (int64_t i = 0; i < vector_length(call, X); i++)
        out[i] = (out[i] + per_feature(call, SHIFT, i)) * per_feature(call, SCALE, i);
    return MLS_OK;
}

static enum mls_status infer_normalizer(const struct mls_op_call *call, struct mls_error *reterr)
{
    int64_t norm = mls_op_int(call, NORM, -1);
    if (norm < NORM_MAX || norm > NORM_L2)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "norm %lld is not known", (long long)norm);
    return infer_elementwise(call, reterr);
}

/* Features that are all 0 have no norm and stay 0. */
static enum mls_status run_normalizer(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    double *out = mls_op_out(call, 0)->data, norm = 0;
    int64_t n = vector_length(call, X), kind = mls_op_int(call, NORM, 0);
    vector_read(call, X, out);
    for (int64_t i = 0; i < n; i++)
        norm = kind == NORM_MAX ? fmax(norm, fabs(out[i]))
                                : norm + (kind == NORM_L1 ? fabs(out[i]) : out[i] * out[i]);
    if (kind == NORM_L2)
        norm = sqrt(norm);
    for (int64_t i = 0; i < n && norm > 0; i++)
        out[i] /= norm;
    return MLS_OK;
}

/* ---- Missing values ----------------------------------------------------------------------------------- */

static enum mls_status infer_imputer(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = infer_elementwise(call, reterr);
    return status ? status : check_per_feature(call, IMPUTED, reterr);
}

/* What equals the value to replace is missing; a NaN equals a NaN here. */
static enum mls_status run_imputer(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    double *out = mls_op_out(call, 0)->data, replaced = mls_op_float(call, REPLACED, (double)NAN);
    vector_read(call, X, out);
    for (int64_t i = 0; i < vector_length(call, X); i++)
        if (out[i] == replaced || (isnan(out[i]) && isnan(replaced)))
            out[i] = per_feature(call, IMPUTED, i);
    return MLS_OK;
}

/* ---- Picking ------------------------------------------------------------------------------------------ */

static enum mls_status infer_pick(const struct mls_op_call *call, struct mls_error *reterr)
{
    int64_t n = constant_length(call, INDICES), n_features = vector_length(call, X);
    for (int64_t i = 0; i < n; i++) {
        int64_t index = constant_ints(call, INDICES)[i];
        if (index < 0 || (n_features >= 0 && index >= n_features))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "index %lld of %lld features",
                               (long long)index, (long long)n_features);
    }
    return vector_infer_numbers(call, n, reterr);
}

static enum mls_status run_pick(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    double *out = mls_op_out(call, 0)->data;
    vector_read(call, X, call->scratch);
    for (int64_t i = 0; i < constant_length(call, INDICES); i++)
        out[i] = ((const double *)call->scratch)[constant_ints(call, INDICES)[i]];
    return MLS_OK;
}

/* ---- From one model to the next ----------------------------------------------------------------------- */

/* The output has the declared type; its open dimensions are those of the input, which has as many elements.
 */
static enum mls_status infer_convert(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = mls_op_out(call, 0)->type;
    bool given = mls_type_is_static(x), told = mls_type_is_static(&type);
    if (call->n_outputs != 1 || call->args[X].n != 1 || type.kind != MLS_KIND_TENSOR ||
        !(MLS_T_FEATURE & MLS_DTYPE_BIT(type.dtype)))
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID,
                           "it has not one input and one output of numbers");
    if (!told) {
        type = *x;
        type.dtype = mls_op_out(call, 0)->type.dtype;
    } else if (given && mls_type_elems(x) != mls_type_elems(&type)) {
        char from[96], to[96];
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "one model gives %s, the next takes %s",
                           mls_type_format(x, from, sizeof from), mls_type_format(&type, to, sizeof to));
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_convert(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct mls_tensor *out = mls_op_out(call, 0);
    int64_t n = mls_type_elems(&x->type);
    if (n != mls_type_elems(&out->type))
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE,
                           "%lld elements where the next model takes %lld", (long long)n,
                           (long long)mls_type_elems(&out->type));
    for (int64_t i = 0; i < n; i++) {
        double number = mls_tensor_float(x, i);
        if (out->type.dtype == MLS_FP64)
            ((double *)out->data)[i] = number;
        else if (out->type.dtype == MLS_FP32)
            ((float *)out->data)[i] = (float)number;
        else if (out->type.dtype == MLS_FP16)
            ((uint16_t *)out->data)[i] = mls_fp32_to_fp16((float)number);
        else
            return mls_op_fail(call, env->error, MLS_ERR_OP_UNSUPPORTED, "conversion to %s is not supported",
                               mls_dtype_name(out->type.dtype));
    }
    return MLS_OK;
}

static uint64_t flops_one(const struct mls_op_call *call)
{
    int64_t n = vector_length(call, X);
    return n > 0 ? (uint64_t)n : 0;
}

#define FEATURES [X] = {"x", MLS_T_FEATURE, MLS_PARAM_VARIADIC, 0}
#define DOUBLES(name)                                     \
    {                                                     \
        name, MLS_DTYPE_BIT(MLS_FP64), MLS_PARAM_CONST, 0 \
    }

static const struct mls_op_row rows[] = {
    {.name = "feature_vectorizer", .since = 5, .params = {FEATURES}, .infer = infer_join, .run = run_join},
    {.name = "feature_scaler",
     .since = 5,
     .params = {FEATURES, [SHIFT] = DOUBLES("shift"), [SCALE] = DOUBLES("scale")},
     .infer = infer_scaler,
     .flops = flops_one,
     .run = run_scaler},
    {.name = "feature_normalizer",
     .since = 5,
     .params = {FEATURES, [NORM] = {"norm", MLS_T_I32, MLS_PARAM_CONST, 0}},
     .infer = infer_normalizer,
     .flops = flops_one,
     .run = run_normalizer},
    {.name = "feature_imputer",
     .since = 5,
     .params = {FEATURES, [IMPUTED] = DOUBLES("imputed"), [REPLACED] = DOUBLES("replaced")},
     .infer = infer_imputer,
     .flops = flops_one,
     .run = run_imputer},
    {.name = "feature_extractor",
     .since = 5,
     .params = {FEATURES, [INDICES] = {"indices", MLS_T_I32, MLS_PARAM_CONST, 0}},
     .infer = infer_pick,
     .scratch_bytes = vector_scratch,
     .run = run_pick},
    {.name = "feature_convert", .since = 5, .params = {FEATURES}, .infer = infer_convert, .run = run_convert},
};

MLS_OP_FAMILY_DEFINE(feature_transform, rows);
