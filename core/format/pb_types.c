#include "format/pb_mil.h"

#include <inttypes.h>
#include <string.h>

/* Numbers of element types in programs. */
static const enum mls_dtype dtypes[] = {
    [1] = MLS_BOOL,   [2] = MLS_TEXT,   [10] = MLS_FP16,   [11] = MLS_FP32,   [12] = MLS_FP64,
    [13] = MLS_BF16,  [21] = MLS_INT8,  [22] = MLS_INT16,  [23] = MLS_INT32,  [24] = MLS_INT64,
    [25] = MLS_INT4,  [31] = MLS_UINT8, [32] = MLS_UINT16, [33] = MLS_UINT32, [34] = MLS_UINT64,
    [35] = MLS_UINT4, [36] = MLS_UINT2, [37] = MLS_UINT1,  [38] = MLS_UINT6,  [39] = MLS_UINT3,
};

enum { DTYPE_FP8_E4M3FN = 40, DTYPE_FP8_E5M2 = 41 };

int32_t pb_dtype_number(enum mls_dtype dtype)
{
    for (size_t i = 1; i < sizeof dtypes / sizeof *dtypes; i++)
        if (dtypes[i] == dtype)
            return (int32_t)i;
    return 0;
}

static enum mls_status invalid(struct mls_error *reterr, const char *reason)
{
    return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID, "cannot read a type: %s", reason);
}

static enum mls_status read_dtype(int32_t number, enum mls_dtype *ret_dtype, struct mls_error *reterr)
{
    enum mls_dtype dtype =
        number > 0 && (size_t)number < sizeof dtypes / sizeof *dtypes ? dtypes[number] : MLS_NONE;
    if (number == DTYPE_FP8_E4M3FN || number == DTYPE_FP8_E5M2)
        return mls_fail(reterr, MLS_ERR_OP_UNSUPPORTED,
                        "cannot read a type: elements of %s are not supported",
                        number == DTYPE_FP8_E4M3FN ? "fp8e4m3fn" : "fp8e5m2");
    if (dtype == MLS_NONE)
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read a type: element type %" PRId32 " is not known", number);
    *ret_dtype = dtype;
    return MLS_OK;
}

static enum mls_status read_dimension(const Pb__Dimension *message, int64_t *ret_dim, bool *ret_variadic,
                                      struct mls_error *reterr)
{
    switch (message->dimension_case) {
    case PB__DIMENSION__DIMENSION_CONSTANT:
        if (message->constant->size > INT64_MAX)
            return invalid(reterr, "a dimension is larger than 2^63");
        *ret_dim = (int64_t)message->constant->size;
        *ret_variadic = false;
        return MLS_OK;
    case PB__DIMENSION__DIMENSION_UNKNOWN:
        *ret_dim = MLS_DIM_UNKNOWN;
        *ret_variadic = message->unknown->variadic;
        return MLS_OK;
    default:
        return invalid(reterr, "a dimension is neither constant nor unknown");
    }
}

static enum mls_status read_tensor_type(const Pb__TensorType *message, struct mls_type *ret_type,
                                        struct mls_error *reterr)
{
    struct mls_type type = {.kind = MLS_KIND_TENSOR};
    enum mls_status status = read_dtype(message->data_type, &type.dtype, reterr);
    if (status)
        return status;
    if (message->rank < 0) {
        type.rank = MLS_RANK_UNKNOWN;
        *ret_type = type;
        return MLS_OK;
    }
    if ((uint64_t)message->rank != message->n_dimensions)
        return invalid(reterr, "its rank is not its number of dimensions");
    if (message->n_dimensions > MLS_RANK_MAX)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot read a type: rank %zu is above %d",
                        message->n_dimensions, MLS_RANK_MAX);
    type.rank = (uint8_t)message->n_dimensions;
    for (size_t i = 0; i < message->n_dimensions; i++) {
        bool is_variadic = false;
        status = read_dimension(message->dimensions[i], &type.dims[i], &is_variadic, reterr);
        if (status)
            return status;
        if (is_variadic) {
            memset(type.dims, 0, sizeof type.dims);
            type.rank = MLS_RANK_UNKNOWN;
            break;
        }
    }
    *ret_type = type;
    return MLS_OK;
}

static enum mls_status read_nested_tensor(const Pb__ValueType *message, struct mls_type *ret_type,
                                          struct mls_error *reterr)
{
    if (!message || message->type_case != PB__VALUE_TYPE__TYPE_TENSOR_TYPE)
        return invalid(reterr, "lists, states and dictionaries hold tensors only");
    return read_tensor_type(message->tensor_type, ret_type, reterr);
}

static enum mls_status read_list_type(const Pb__ListType *message, struct mls_type *ret_type,
                                      struct mls_error *reterr)
{
    struct mls_type type;
    enum mls_status status = read_nested_tensor(message->type, &type, reterr);
    if (status)
        return status;
    type.kind = MLS_KIND_LIST;
    type.list_length = MLS_DIM_UNKNOWN;
    if (message->length) {
        bool is_variadic = false;
        status = read_dimension(message->length, &type.list_length, &is_variadic, reterr);
        if (status)
            return status;
    }
    *ret_type = type;
    return MLS_OK;
}

/* A dictionary of numbers by label: the numbers are a vector whose length the run decides. */
static enum mls_status read_dictionary_type(const Pb__DictionaryType *message, struct mls_type *ret_type,
                                            struct mls_error *reterr)
{
    struct mls_type key, value;
    enum mls_status status = read_nested_tensor(message->key_type, &key, reterr);
    if (!status)
        status = read_nested_tensor(message->value_type, &value, reterr);
    if (status)
        return status;
    if (key.dtype != MLS_TEXT && key.dtype != MLS_INT64)
        return invalid(reterr, "keys of a dictionary are string or int64");
    *ret_type = (struct mls_type){.kind = MLS_KIND_DICTIONARY,
                                  .dtype = value.dtype,
                                  .rank = 1,
                                  .dims = {MLS_DIM_UNKNOWN},
                                  .key_dtype = key.dtype};
    return MLS_OK;
}

enum mls_status pb_read_type(const Pb__ValueType *message, struct mls_type *ret_type,
                             struct mls_error *reterr)
{
    if (!message)
        return invalid(reterr, "there is none");
    switch (message->type_case) {
    case PB__VALUE_TYPE__TYPE_TENSOR_TYPE:
        return read_tensor_type(message->tensor_type, ret_type, reterr);
    case PB__VALUE_TYPE__TYPE_LIST_TYPE:
        return read_list_type(message->list_type, ret_type, reterr);
    case PB__VALUE_TYPE__TYPE_DICTIONARY_TYPE:
        return read_dictionary_type(message->dictionary_type, ret_type, reterr);
    case PB__VALUE_TYPE__TYPE_STATE_TYPE: {
        enum mls_status status = read_nested_tensor(message->state_type->wrapped_type, ret_type, reterr);
        if (!status)
            ret_type->kind = MLS_KIND_STATE;
        return status;
    }
    case PB__VALUE_TYPE__TYPE_TUPLE_TYPE:
        return mls_fail(reterr, MLS_ERR_OP_UNSUPPORTED, "cannot read a type: tuples are not supported");
    default:
        return invalid(reterr, "it is of no kind that we know");
    }
}
