#include "ops/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fp16.h"

enum mls_status mls_op_fail(const struct mls_op_call *call, struct mls_error *reterr, enum mls_status status,
                            const char *format, ...)
{
    char reason[MLS_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    mls_fail(reterr, status, "cannot compute %s \"%s\" of function \"%s\": %s", call->row->name, call->name,
             call->function, reason);
    mls_error_operation(reterr, call->function, call->name);
    return status;
}

/* Element `index` of a packed array of integers of 1 to 7 bits, first element in the lowest bits. */
static uint32_t read_bits(const uint8_t *bytes, size_t index, unsigned bits)
{
    size_t at = index * bits;
    uint32_t value = 0;
    for (unsigned i = 0; i < bits; i++)
        value |= (uint32_t)((bytes[(at + i) / 8] >> ((at + i) % 8)) & 1u) << i;
    return value;
}

/* Whether the element is an integer (in *ret_int) and not a float (in *ret_float); text and none read as 0.
 */
static bool read_element(const struct mls_tensor *tensor, size_t i, int64_t *ret_int, double *ret_float)
{
    const void *data = tensor->data;
    *ret_int = 0;
    *ret_float = 0;
    switch (tensor->type.dtype) {
    case MLS_FP16:
        *ret_float = (double)mls_fp16_to_fp32(((const uint16_t *)data)[i]);
        return false;
    case MLS_BF16:
        *ret_float = (double)mls_bf16_to_fp32(((const uint16_t *)data)[i]);
        return false;
    case MLS_FP32:
        *ret_float = (double)((const float *)data)[i];
        return false;
    case MLS_FP64:
        *ret_float = ((const double *)data)[i];
        return false;
    case MLS_INT4: {
        uint32_t nibble = read_bits(data, i, 4);
        *ret_int = (int64_t)nibble - (nibble & 8u ? 16 : 0);
        return true;
    }
    case MLS_UINT1:
    case MLS_UINT2:
    case MLS_UINT3:
    case MLS_UINT4:
    case MLS_UINT6:
        *ret_int = read_bits(data, i, mls_dtype_bits(tensor->type.dtype));
        return true;
    case MLS_INT8:
        *ret_int = ((const int8_t *)data)[i];
        return true;
    case MLS_INT16:
        *ret_int = ((const int16_t *)data)[i];
        return true;
    case MLS_INT32:
        *ret_int = ((const int32_t *)data)[i];
        return true;
    case MLS_INT64:
        *ret_int = ((const int64_t *)data)[i];
        return true;
    case MLS_UINT8:
    case MLS_BOOL:
        *ret_int = ((const uint8_t *)data)[i];
        return true;
    case MLS_UINT16:
        *ret_int = ((const uint16_t *)data)[i];
        return true;
    case MLS_UINT32:
        *ret_int = ((const uint32_t *)data)[i];
        return true;
    case MLS_UINT64:
        *ret_int = (int64_t)((const uint64_t *)data)[i];
        return true;
    case MLS_NONE:
    case MLS_TEXT:
    case MLS_DTYPE_COUNT:
        break;
    }
    return true;
}

int64_t mls_tensor_int(const struct mls_tensor *tensor, int64_t index)
{
    int64_t integer;
    double real;
    if (read_element(tensor, (size_t)index, &integer, &real))
        return integer;
    if (!(real > -0x1p63)) /* NaN as well */
        return real <= -0x1p63 ? INT64_MIN : 0;
    return real < 0x1p63 ? (int64_t)real : INT64_MAX;
}

double mls_tensor_float(const struct mls_tensor *tensor, int64_t index)
{
    int64_t integer;
    double real;
    return read_element(tensor, (size_t)index, &integer, &real) ? (double)integer : real;
}

/* The parameter's tensor when its first element can be read. */
static const struct mls_tensor *known(const struct mls_op_call *call, unsigned param)
{
    const struct mls_tensor *tensor = mls_op_in(call, param);
    return tensor && tensor->data && mls_type_elems(&tensor->type) > 0 ? tensor : NULL;
}

int64_t mls_op_int(const struct mls_op_call *call, unsigned param, int64_t otherwise)
{
    const struct mls_tensor *tensor = known(call, param);
    return tensor ? mls_tensor_int(tensor, 0) : otherwise;
}

bool mls_op_bool(const struct mls_op_call *call, unsigned param, bool otherwise)
{
    const struct mls_tensor *tensor = known(call, param);
    return tensor ? mls_tensor_int(tensor, 0) != 0 : otherwise;
}

double mls_op_float(const struct mls_op_call *call, unsigned param, double otherwise)
{
    const struct mls_tensor *tensor = known(call, param);
    return tensor ? mls_tensor_float(tensor, 0) : otherwise;
}

bool mls_op_text_is(const struct mls_op_call *call, unsigned param, const char *otherwise, const char *text)
{
    const struct mls_tensor *tensor = known(call, param);
    if (!tensor)
        return !mls_op_given(call, param) && otherwise && !strcmp(otherwise, text);
    if (tensor->type.dtype != MLS_TEXT)
        return false;
    const struct mls_text *value = tensor->data;
    return value->length_bytes == strlen(text) && !memcmp(value->bytes, text, value->length_bytes);
}

int mls_op_ints(const struct mls_op_call *call, unsigned param, int64_t *ret, unsigned max)
{
    const struct mls_tensor *tensor = mls_op_in(call, param);
    if (!tensor)
        return 0;
    int64_t n = mls_type_elems(&tensor->type);
    if (n < 0 || n > (int64_t)max || (n && !tensor->data) ||
        !((MLS_T_INTS | MLS_DTYPE_BIT(MLS_INT64) | MLS_DTYPE_BIT(MLS_UINT64) | MLS_T_BOOL) &
          MLS_DTYPE_BIT(tensor->type.dtype)))
        return -1;
    for (int64_t i = 0; i < n; i++)
        ret[i] = mls_tensor_int(tensor, i);
    return (int)n;
}

bool mls_op_axis(int64_t axis, unsigned rank, unsigned *ret_axis)
{
    if (axis < -(int64_t)rank || axis >= (int64_t)rank)
        return false;
    *ret_axis = (unsigned)(axis < 0 ? axis + rank : axis);
    return true;
}

bool mls_op_broadcast(const struct mls_type *a, const struct mls_type *b, struct mls_type *ret)
{
    if (a->rank == MLS_RANK_UNKNOWN || b->rank == MLS_RANK_UNKNOWN) {
        ret->rank = MLS_RANK_UNKNOWN;
        return true;
    }
    unsigned rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t dims[MLS_RANK_MAX] = {0};
    for (unsigned i = 0; i < rank; i++) { /* i counts from the last dimension */
        int64_t left = i < a->rank ? a->dims[a->rank - 1 - i] : 1;
        int64_t right = i < b->rank ? b->dims[b->rank - 1 - i] : 1;
        int64_t both;
        if (left == right || right == 1)
            both = left;
        else if (left == 1)
            both = right;
        else if (left == MLS_DIM_UNKNOWN) /* it is 1 or `right` */
            both = right;
        else if (right == MLS_DIM_UNKNOWN)
            both = left;
        else
            return false;
        dims[rank - 1 - i] = both;
    }
    ret->rank = (uint8_t)rank;
    memcpy(ret->dims, dims, sizeof dims);
    return true;
}

enum mls_status mls_op_allocate(struct mls_op_call *call, struct mls_op_env *env, unsigned output)
{
    struct mls_tensor *tensor = call->outputs[output];
    size_t bytes = mls_type_bytes(&tensor->type);
    void *data = bytes == SIZE_MAX ? NULL : mls_heap_alloc(env->heap, bytes);
    if (!data) {
        char text[96];
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for output %u, %s", output,
                           mls_type_format(&tensor->type, text, sizeof text));
    }
    tensor->data = data;
    return MLS_OK;
}

enum mls_status mls_infer_same(const struct mls_op_call *call, struct mls_error *reterr)
{
    (void)reterr;
    mls_op_out(call, 0)->type = mls_op_in(call, 0)->type;
    return MLS_OK;
}

enum mls_status mls_infer_broadcast(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, 0)->type;
    const struct mls_type *y = &mls_op_in(call, 1)->type;
    struct mls_type type = mls_type_tensor(x->dtype, 0, NULL);
    if (!mls_op_broadcast(x, y, &type)) {
        char left[96], right[96];
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%s and %s cannot be broadcast together",
                           mls_type_format(x, left, sizeof left), mls_type_format(y, right, sizeof right));
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

uint64_t mls_flops_elementwise(const struct mls_op_call *call)
{
    int64_t n = mls_type_elems(&mls_op_out(call, 0)->type);
    return n > 0 ? (uint64_t)n : 0;
}
