/* classify.c: the label of the greatest probability, and all probabilities by label. */
#include <math.h>
#include <string.h>

#include "ops/op_family.h"

enum { PROBABILITIES, CLASSES };
enum { LABEL, SCORES };

static enum mls_status infer_classify(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_tensor *classes = mls_op_in(call, CLASSES);
    const struct mls_type *probabilities = &mls_op_in(call, PROBABILITIES)->type;
    int64_t n = classes->type.list_length, n_given = mls_type_elems(probabilities);
    if (!classes->data || classes->type.rank != 0 || n <= 0)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "classes must be a constant list of at least one string or int64");
    if (n_given >= 0 && n_given != n)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%lld probabilities for %lld classes",
                           (long long)n_given, (long long)n);
    if (call->n_outputs != 2)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has %u outputs, not 2",
                           call->n_outputs);
    mls_op_out(call, LABEL)->type = mls_type_tensor(classes->type.dtype, 0, NULL);
    mls_op_out(call, SCORES)->type = (struct mls_type){.kind = MLS_KIND_DICTIONARY,
                                                       .dtype = probabilities->dtype,
                                                       .rank = 1,
                                                       .dims = {n},
                                                       .key_dtype = classes->type.dtype};
    return MLS_OK;
}

/* The classes as the vector that dictionaries have for keys. */
static enum mls_status pack_classify(const struct mls_op_call *call, struct mls_op_env *env,
                                     struct mls_arena *arena, const void **ret_packed,
                                     size_t *ret_packed_bytes)
{
    const struct mls_tensor *classes = mls_op_in(call, CLASSES);
    struct mls_tensor *keys = MLS_NEW(arena, struct mls_tensor);
    if (!keys)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "out of memory");
    *keys = (struct mls_tensor){.type = mls_type_tensor(classes->type.dtype, 1, &classes->type.list_length),
                                .data = classes->data};
    *ret_packed = keys;
    *ret_packed_bytes = sizeof *keys;
    return MLS_OK;
}

/* The first of the greatest; NaN is never the greatest. */
static int64_t arg_max(const struct mls_tensor *values, int64_t n)
{
    int64_t best = 0;
    double greatest = -HUGE_VAL;
    for (int64_t i = 0; i < n; i++) {
        double value = mls_tensor_float(values, i);
        if (value > greatest) {
            greatest = value;
            best = i;
        }
    }
    return best;
}

static enum mls_status run_classify(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *probabilities = mls_op_in(call, PROBABILITIES);
    const struct mls_tensor *classes = mls_op_in(call, CLASSES);
    struct mls_tensor *label = mls_op_out(call, LABEL), *scores = mls_op_out(call, SCORES);
    int64_t n = classes->type.list_length;
    if (mls_type_elems(&probabilities->type) != n)
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "%lld probabilities for %lld classes",
                           (long long)mls_type_elems(&probabilities->type), (long long)n);
    size_t label_bytes = mls_dtype_bytes(classes->type.dtype, 1);
    memcpy(label->data, (const char *)classes->data + (size_t)arg_max(probabilities, n) * label_bytes,
           label_bytes);
    memcpy(scores->data, probabilities->data, mls_type_bytes(&scores->type));
    scores->keys = call->packed;
    return MLS_OK;
}

static const struct mls_op_row rows[] = {
    {.name = "classify",
     .since = 5,
     .flags = MLS_OP_OUTPUTS,
     .params = {[PROBABILITIES] = {"probabilities", MLS_T_FLOAT, 0, 0},
                [CLASSES] = {"classes", MLS_T_TEXT | MLS_DTYPE_BIT(MLS_INT64),
                             MLS_PARAM_LIST | MLS_PARAM_CONST, 0}},
     .infer = infer_classify,
     .pack = pack_classify,
     .run = run_classify},
};

MLS_OP_FAMILY_DEFINE(classify, rows);
