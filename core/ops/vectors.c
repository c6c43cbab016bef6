#include "ops/vectors.h"

#include <math.h>
#include <string.h>

/* More elements than any memory holds: sizes made of so many do not overflow, and are refused. */
#define LENGTH_MAX (INT64_MAX / 64)

int64_t vector_length(const struct mls_op_call *call, unsigned param)
{
    int64_t total = 0;
    for (uint32_t i = 0; i < call->args[param].n; i++) {
        const struct mls_type *type = &call->args[param].values[i]->type;
        int64_t n = mls_type_elems(type);
        if (n < 0 && !mls_type_is_static(type))
            return -1;
        total = n < 0 || n > LENGTH_MAX - total ? LENGTH_MAX : total + n;
    }
    return total;
}

void vector_read(const struct mls_op_call *call, unsigned param, double *out)
{
    for (uint32_t i = 0; i < call->args[param].n; i++) {
        const struct mls_tensor *value = call->args[param].values[i];
        size_t n = (size_t)mls_type_elems(&value->type);
        if (value->type.dtype == MLS_FP64 && n)
            memcpy(out, value->data, n * sizeof *out);
        else
            for (size_t k = 0; k < n; k++)
                out[k] = mls_tensor_float(value, (int64_t)k);
        out += n;
    }
}

size_t vector_scratch(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    int64_t n = vector_length(call, 0);
    return n > 0 ? (size_t)n * sizeof(double) : 0;
}

int64_t constant_length(const struct mls_op_call *call, unsigned param)
{
    const struct mls_tensor *tensor = mls_op_in(call, param);
    return tensor ? mls_type_elems(&tensor->type) : 0;
}

const double *constant_doubles(const struct mls_op_call *call, unsigned param)
{
    return mls_op_in(call, param)->data;
}

const int32_t *constant_ints(const struct mls_op_call *call, unsigned param)
{
    return mls_op_in(call, param)->data;
}

const uint8_t *constant_bytes(const struct mls_op_call *call, unsigned param)
{
    return mls_op_in(call, param)->data;
}

enum mls_status vector_infer_numbers(const struct mls_op_call *call, int64_t n, struct mls_error *reterr)
{
    if (call->n_outputs != 1)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has %u outputs, not 1",
                           call->n_outputs);
    struct mls_type *type = &mls_op_out(call, 0)->type;
    bool scalar = n == 1 && type->kind == MLS_KIND_TENSOR && type->rank == 0;
    *type = mls_type_tensor(MLS_FP64, scalar ? 0 : 1, &n);
    return MLS_OK;
}

enum mls_status labels_infer(const struct mls_op_call *call, unsigned labels, struct mls_error *reterr)
{
    const struct mls_tensor *names = mls_op_in(call, labels);
    if (call->n_outputs != 2 || names->type.rank != 1 || names->type.dims[0] < 1)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID,
                           "a classifier has a list of labels, and a label and scores as outputs");
    mls_op_out(call, 0)->type = mls_type_tensor(names->type.dtype, 0, NULL);
    mls_op_out(call, 1)->type = (struct mls_type){.kind = MLS_KIND_DICTIONARY,
                                                  .dtype = MLS_FP64,
                                                  .rank = 1,
                                                  .dims = {names->type.dims[0]},
                                                  .key_dtype = names->type.dtype};
    return MLS_OK;
}

void labels_put(const struct mls_op_call *call, unsigned labels, size_t best, const double *scores)
{
    const struct mls_tensor *names = mls_op_in(call, labels);
    struct mls_tensor *label = mls_op_out(call, 0), *dictionary = mls_op_out(call, 1);
    size_t label_bytes = mls_dtype_bytes(names->type.dtype, 1);
    memcpy(label->data, (const char *)names->data + best * label_bytes, label_bytes);
    memcpy(dictionary->data, scores, (size_t)names->type.dims[0] * sizeof *scores);
    dictionary->keys = names;
}

size_t labels_best(const double *scores, size_t n)
{
    size_t best = 0;
    double greatest = -HUGE_VAL;
    for (size_t i = 0; i < n; i++)
        if (scores[i] > greatest) {
            greatest = scores[i];
            best = i;
        }
    return best;
}

void vector_softmax(double *values, size_t n)
{
    double greatest = -HUGE_VAL, sum = 0;
    for (size_t i = 0; i < n; i++)
        greatest = values[i] > greatest ? values[i] : greatest;
    for (size_t i = 0; i < n; i++)
        sum += values[i] = exp(values[i] - greatest);
    for (size_t i = 0; i < n; i++)
        values[i] /= sum;
}
