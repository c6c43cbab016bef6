#include "format/pb_mil.h"

#include <inttypes.h>
#include <string.h>

#include "base/limits.h"

/* Where the elements of an immediate value go: room for n elements of a type. */
struct target {
    enum mls_dtype dtype;
    size_t n;
    size_t size_bytes;
    unsigned char *data;
};

static enum mls_status invalid(struct mls_error *reterr, const char *reason)
{
    return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID, "cannot read a constant: %s", reason);
}

static enum mls_status wrong_field(const struct target *target, const char *field, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                    "cannot read a constant: elements of %s do not come as %s", mls_dtype_name(target->dtype),
                    field);
}

/* Elements that lie in the message as they lie in memory. */
static enum mls_status put_plain(const struct target *target, const void *elements)
{
    if (target->size_bytes)
        memcpy(target->data, elements, target->size_bytes);
    return MLS_OK;
}

/* Integers of up to 32 bits all come as int32; unsigned ones of 32 bits by their bits. */
static enum mls_status put_ints(const struct target *target, const int32_t *elements,
                                struct mls_error *reterr)
{
    static const struct {
        int32_t low, high;
        unsigned bytes;
    } ranges[MLS_DTYPE_COUNT] = {
        [MLS_INT8] = {INT8_MIN, INT8_MAX, 1},    [MLS_UINT8] = {0, UINT8_MAX, 1},
        [MLS_INT16] = {INT16_MIN, INT16_MAX, 2}, [MLS_UINT16] = {0, UINT16_MAX, 2},
        [MLS_INT32] = {INT32_MIN, INT32_MAX, 4}, [MLS_UINT32] = {INT32_MIN, INT32_MAX, 4},
    };
    unsigned bytes = ranges[target->dtype].bytes;
    if (!bytes)
        return wrong_field(target, "ints", reterr);
    for (size_t i = 0; i < target->n; i++) {
        if (elements[i] < ranges[target->dtype].low || elements[i] > ranges[target->dtype].high)
            return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID, "cannot read a constant: %" PRId32 " is no %s",
                            elements[i], mls_dtype_name(target->dtype));
        memcpy(target->data + i * bytes, &elements[i], bytes); /* little-endian: the low bytes come first */
    }
    return MLS_OK;
}

static enum mls_status put_bools(const struct target *target, const Pb__Bools *message,
                                 struct mls_error *reterr)
{
    if (target->dtype != MLS_BOOL)
        return wrong_field(target, "bools", reterr);
    for (size_t i = 0; i < target->n; i++)
        target->data[i] = message->values[i] != 0;
    return MLS_OK;
}

static enum mls_status put_texts(struct program_reader *reader, const struct target *target,
                                 const Pb__Strings *message, struct mls_error *reterr)
{
    if (target->dtype != MLS_TEXT)
        return wrong_field(target, "strings", reterr);
    struct mls_text *texts = (struct mls_text *)(void *)target->data;
    for (size_t i = 0; i < target->n; i++) {
        const ProtobufCBinaryData *value = &message->values[i];
        const char *copy = mls_arena_text(reader->arena, (const char *)value->data, value->len);
        if (!copy)
            return program_no_memory(reterr);
        texts[i] = (struct mls_text){copy, value->len};
    }
    return MLS_OK;
}

static enum mls_status put_bytes(const struct target *target, const Pb__Bytes *message,
                                 struct mls_error *reterr)
{
    if (target->dtype == MLS_TEXT)
        return wrong_field(target, "bytes", reterr);
    if (target->size_bytes)
        memcpy(target->data, message->values.data, target->size_bytes);
    for (size_t i = 0; target->dtype == MLS_BOOL && i < target->n; i++)
        target->data[i] = target->data[i] != 0;
    return MLS_OK;
}

/* Asked before room is taken: no more is taken than the file has content for. */
static bool holds_elements(const Pb__TensorValue *message, enum mls_dtype dtype, size_t n)
{
    switch (message->value_case) {
    case PB__TENSOR_VALUE__VALUE_FLOATS:
        return message->floats->n_values == n;
    case PB__TENSOR_VALUE__VALUE_INTS:
        return message->ints->n_values == n;
    case PB__TENSOR_VALUE__VALUE_BOOLS:
        return message->bools->n_values == n;
    case PB__TENSOR_VALUE__VALUE_STRINGS:
        return message->strings->n_values == n;
    case PB__TENSOR_VALUE__VALUE_LONG_INTS:
        return message->long_ints->n_values == n;
    case PB__TENSOR_VALUE__VALUE_DOUBLES:
        return message->doubles->n_values == n;
    case PB__TENSOR_VALUE__VALUE_BYTES:
        return message->bytes->values.len == mls_dtype_bytes(dtype, n);
    default:
        return n == 0;
    }
}

/* Stores the elements of a message that holds as many as the target wants. */
static enum mls_status put_tensor(struct program_reader *reader, const struct target *target,
                                  const Pb__TensorValue *message, struct mls_error *reterr)
{
    switch (message->value_case) {
    case PB__TENSOR_VALUE__VALUE_FLOATS:
        if (target->dtype != MLS_FP32)
            return wrong_field(target, "floats", reterr);
        return put_plain(target, message->floats->values);
    case PB__TENSOR_VALUE__VALUE_DOUBLES:
        if (target->dtype != MLS_FP64)
            return wrong_field(target, "doubles", reterr);
        return put_plain(target, message->doubles->values);
    case PB__TENSOR_VALUE__VALUE_LONG_INTS:
        if (target->dtype != MLS_INT64 && target->dtype != MLS_UINT64)
            return wrong_field(target, "longInts", reterr);
        return put_plain(target, message->long_ints->values);
    case PB__TENSOR_VALUE__VALUE_INTS:
        return put_ints(target, message->ints->values, reterr);
    case PB__TENSOR_VALUE__VALUE_BOOLS:
        return put_bools(target, message->bools, reterr);
    case PB__TENSOR_VALUE__VALUE_STRINGS:
        return put_texts(reader, target, message->strings, reterr);
    case PB__TENSOR_VALUE__VALUE_BYTES:
        return put_bytes(target, message->bytes, reterr);
    default:
        return MLS_OK; /* no elements */
    }
}

/* Large plain content that protobuf-c put into the model's arena already; NULL when none fits. */
static const void *find_kept(const Pb__TensorValue *message, enum mls_dtype dtype, size_t size_bytes)
{
    if (!pb_memory_keeps(size_bytes))
        return NULL;
    switch (message->value_case) {
    case PB__TENSOR_VALUE__VALUE_FLOATS:
        return dtype == MLS_FP32 && message->floats->n_values == size_bytes / 4 ? message->floats->values
                                                                                : NULL;
    case PB__TENSOR_VALUE__VALUE_INTS:
        return dtype == MLS_INT32 && message->ints->n_values == size_bytes / 4 ? message->ints->values : NULL;
    case PB__TENSOR_VALUE__VALUE_BYTES:
        return dtype != MLS_BOOL && dtype != MLS_TEXT && message->bytes->values.len == size_bytes
                   ? message->bytes->values.data
                   : NULL;
    default:
        return NULL;
    }
}

static enum mls_status allocate(struct program_reader *reader, enum mls_dtype dtype, size_t n,
                                struct target *ret_target, struct mls_error *reterr)
{
    struct target target = {.dtype = dtype, .n = n, .size_bytes = mls_dtype_bytes(dtype, n)};
    /* 16: aligned for every element type, text included */
    if (target.size_bytes != SIZE_MAX)
        target.data = mls_arena_alloc(reader->arena, target.size_bytes, 16);
    if (!target.data)
        return program_no_memory(reterr);
    *ret_target = target;
    return MLS_OK;
}

static enum mls_status read_tensor(struct program_reader *reader, const Pb__TensorValue *message,
                                   const struct mls_type *type, struct mls_constant *ret_constant,
                                   struct mls_error *reterr)
{
    int64_t n = mls_type_elems(type);
    size_t size_bytes = mls_type_bytes(type);
    if (n < 0 || size_bytes == SIZE_MAX)
        return invalid(reterr, "its shape is not known");
    if (!holds_elements(message, type->dtype, (size_t)n)) {
        char text[96];
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read a constant: its content is not that of %s",
                        mls_type_format(type, text, sizeof text));
    }
    const void *kept = find_kept(message, type->dtype, size_bytes);
    if (kept) {
        *ret_constant = (struct mls_constant){.data = kept, .size_bytes = size_bytes};
        return MLS_OK;
    }
    struct target target;
    enum mls_status status = allocate(reader, type->dtype, (size_t)n, &target, reterr);
    if (!status)
        status = put_tensor(reader, &target, message, reterr);
    if (!status)
        *ret_constant = (struct mls_constant){.data = target.data, .size_bytes = target.size_bytes};
    return status;
}

/* A list of scalars, as class labels are; every element is a value with a type of its own. */
static enum mls_status read_list(struct program_reader *reader, const Pb__ListValue *message,
                                 const struct mls_type *type, struct mls_constant *ret_constant,
                                 struct mls_error *reterr)
{
    if (type->rank != 0)
        return mls_fail(reterr, MLS_ERR_OP_UNSUPPORTED,
                        "cannot read a constant: lists of anything but scalars are not supported");
    if (mls_dtype_bits(type->dtype) % 8)
        return mls_fail(reterr, MLS_ERR_OP_UNSUPPORTED,
                        "cannot read a constant: lists of %s are not supported", mls_dtype_name(type->dtype));
    if (message->n_values > MLS_LIMIT_LIST_LENGTH)
        return mls_fail(reterr, MLS_ERR_LIMIT,
                        "cannot read a constant: a list of %zu elements is longer than %d", message->n_values,
                        MLS_LIMIT_LIST_LENGTH);
    if (type->list_length != MLS_DIM_UNKNOWN && (uint64_t)type->list_length != message->n_values)
        return invalid(reterr, "the length of a list is not that of its type");
    struct target list = {0};
    enum mls_status status = allocate(reader, type->dtype, message->n_values, &list, reterr);
    size_t element_bytes = mls_dtype_bytes(type->dtype, 1);
    for (size_t i = 0; !status && i < message->n_values; i++) {
        const Pb__Value *element = message->values[i];
        struct mls_type element_type;
        status = pb_read_type(element->type, &element_type, reterr);
        if (status)
            break;
        if (element_type.kind != MLS_KIND_TENSOR || element_type.dtype != type->dtype ||
            element_type.rank != 0 || element->value_case != PB__VALUE__VALUE_IMMEDIATE_VALUE ||
            element->immediate_value->value_case != PB__IMMEDIATE_VALUE__VALUE_TENSOR ||
            !holds_elements(element->immediate_value->tensor, type->dtype, 1))
            return invalid(reterr, "an element of a list is not of the list's type");
        struct target target = {type->dtype, 1, element_bytes, list.data + i * element_bytes};
        status = put_tensor(reader, &target, element->immediate_value->tensor, reterr);
    }
    if (!status)
        *ret_constant = (struct mls_constant){.data = list.data, .size_bytes = list.size_bytes};
    return status;
}

enum mls_status pb_read_constant(struct program_reader *reader, const Pb__Value *message,
                                 struct mls_type *ret_type, const struct mls_constant **ret_constant,
                                 struct mls_error *reterr)
{
    struct mls_type type;
    enum mls_status status = pb_read_type(message->type, &type, reterr);
    if (status)
        return status;
    struct mls_constant *constant = MLS_NEW(reader->arena, struct mls_constant);
    if (!constant)
        return program_no_memory(reterr);
    if (message->value_case == PB__VALUE__VALUE_BLOB_FILE_VALUE) {
        const Pb__BlobFileValue *blob = message->blob_file_value;
        status = program_defer_blob(reader, &type, pb_text(reader->arena, blob->file_name), blob->offset, constant,
                                    reterr);
    } else if (message->value_case != PB__VALUE__VALUE_IMMEDIATE_VALUE) {
        status = invalid(reterr, "it has no value");
    } else if (message->immediate_value->value_case == PB__IMMEDIATE_VALUE__VALUE_TENSOR &&
               type.kind == MLS_KIND_TENSOR) {
        status = read_tensor(reader, message->immediate_value->tensor, &type, constant, reterr);
    } else if (message->immediate_value->value_case == PB__IMMEDIATE_VALUE__VALUE_LIST &&
               type.kind == MLS_KIND_LIST) {
        status = read_list(reader, message->immediate_value->list, &type, constant, reterr);
        type.list_length = (int64_t)message->immediate_value->list->n_values;
    } else {
        status =
            mls_fail(reterr, MLS_ERR_OP_UNSUPPORTED,
                     "cannot read a constant: only tensors and lists of the declared type are supported");
    }
    if (status)
        return status;
    *ret_type = type;
    *ret_constant = constant;
    return MLS_OK;
}
