#include "format/pb_write.h"

#include <string.h>

#include "format/blob.h"
#include "format/pb_mil.h"

enum { BLOB_ELEMS_MIN = 10, OPSET_CONSTEXPR_INPUTS = 8 };

char pb_pending_file[] = "@pending";

static char *text_copy(struct mls_arena *arena, const char *text)
{
    return mls_arena_text(arena, text, strlen(text));
}

/* ---- Types ----------------------------------------------------------------------------------- */

static Pb__Dimension *write_dimension(struct mls_arena *arena, int64_t dim)
{
    Pb__Dimension *message = MLS_NEW(arena, Pb__Dimension);
    Pb__UnknownDimension *unknown = MLS_NEW(arena, Pb__UnknownDimension);
    Pb__ConstantDimension *size = MLS_NEW(arena, Pb__ConstantDimension);
    if (!message || !unknown || !size)
        return NULL;
    pb__dimension__init(message);
    if (dim < 0) {
        pb__unknown_dimension__init(unknown);
        message->dimension_case = PB__DIMENSION__DIMENSION_UNKNOWN;
        message->unknown = unknown;
        return message;
    }
    pb__constant_dimension__init(size);
    size->size = (uint64_t)dim;
    message->dimension_case = PB__DIMENSION__DIMENSION_CONSTANT;
    message->constant = size;
    return message;
}

Pb__ValueType *pb_write_type(struct mls_arena *arena, const struct mls_type *type)
{
    Pb__ValueType *message = MLS_NEW(arena, Pb__ValueType);
    Pb__TensorType *tensor = MLS_NEW(arena, Pb__TensorType);
    Pb__Dimension **dims = MLS_NEW_ARRAY(arena, type->rank, Pb__Dimension *);
    if (!message || !tensor || !dims)
        return NULL;
    pb__value_type__init(message);
    pb__tensor_type__init(tensor);
    for (unsigned i = 0; i < type->rank; i++) {
        dims[i] = write_dimension(arena, type->dims[i]);
        if (!dims[i])
            return NULL;
    }
    tensor->data_type = pb_dtype_number(type->dtype);
    tensor->rank = type->rank;
    tensor->n_dimensions = type->rank;
    tensor->dimensions = dims;
    message->type_case = PB__VALUE_TYPE__TYPE_TENSOR_TYPE;
    message->tensor_type = tensor;
    return message;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static Pb__Value *new_value(struct mls_arena *arena, const struct mls_type *type)
{
    Pb__Value *value = MLS_NEW(arena, Pb__Value);
    if (!value)
        return NULL;
    pb__value__init(value);
    value->type = pb_write_type(arena, type);
    return value->type ? value : NULL;
}

/* A value whose content is the tensor message returned, still empty. */
static Pb__TensorValue *new_immediate(struct mls_arena *arena, const struct mls_type *type,
                                      Pb__Value **ret_value)
{
    Pb__Value *value = new_value(arena, type);
    Pb__ImmediateValue *immediate = MLS_NEW(arena, Pb__ImmediateValue);
    Pb__TensorValue *tensor = MLS_NEW(arena, Pb__TensorValue);
    if (!value || !immediate || !tensor)
        return NULL;
    pb__immediate_value__init(immediate);
    pb__tensor_value__init(tensor);
    immediate->value_case = PB__IMMEDIATE_VALUE__VALUE_TENSOR;
    immediate->tensor = tensor;
    value->value_case = PB__VALUE__VALUE_IMMEDIATE_VALUE;
    value->immediate_value = immediate;
    *ret_value = value;
    return tensor;
}

static Pb__Value *write_text(struct mls_arena *arena, const char *text)
{
    struct mls_type type = mls_type_tensor(MLS_TEXT, 0, NULL);
    Pb__Value *value = NULL;
    Pb__TensorValue *tensor = new_immediate(arena, &type, &value);
    Pb__Strings *strings = MLS_NEW(arena, Pb__Strings);
    ProtobufCBinaryData *element = MLS_NEW(arena, ProtobufCBinaryData);
    char *copy = text_copy(arena, text);
    if (!tensor || !strings || !element || !copy)
        return NULL;
    pb__strings__init(strings);
    *element = (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)copy};
    strings->n_values = 1;
    strings->values = element;
    tensor->value_case = PB__TENSOR_VALUE__VALUE_STRINGS;
    tensor->strings = strings;
    return value;
}

static bool fill_ints(struct mls_arena *arena, Pb__TensorValue *tensor, const void *data, size_t n)
{
    Pb__Ints *ints = MLS_NEW(arena, Pb__Ints);
    int32_t *values = MLS_NEW_ARRAY(arena, n, int32_t);
    if (!ints || !values)
        return false;
    pb__ints__init(ints);
    memcpy(values, data, n * sizeof *values);
    ints->n_values = n;
    ints->values = values;
    tensor->value_case = PB__TENSOR_VALUE__VALUE_INTS;
    tensor->ints = ints;
    return true;
}

static bool fill_floats(struct mls_arena *arena, Pb__TensorValue *tensor, const void *data, size_t n)
{
    Pb__Floats *floats = MLS_NEW(arena, Pb__Floats);
    float *values = MLS_NEW_ARRAY(arena, n, float);
    if (!floats || !values)
        return false;
    pb__floats__init(floats);
    memcpy(values, data, n * sizeof *values);
    floats->n_values = n;
    floats->values = values;
    tensor->value_case = PB__TENSOR_VALUE__VALUE_FLOATS;
    tensor->floats = floats;
    return true;
}

static bool fill_bytes(struct mls_arena *arena, Pb__TensorValue *tensor, const void *data, size_t size_bytes)
{
    Pb__Bytes *bytes = MLS_NEW(arena, Pb__Bytes);
    uint8_t *copy = mls_arena_alloc(arena, size_bytes, 1);
    if (!bytes || !copy)
        return false;
    pb__bytes__init(bytes);
    if (size_bytes)
        memcpy(copy, data, size_bytes);
    bytes->values = (ProtobufCBinaryData){.len = size_bytes, .data = copy};
    tensor->value_case = PB__TENSOR_VALUE__VALUE_BYTES;
    tensor->bytes = bytes;
    return true;
}

/* The field that Core ML reads each element type from: MIL.proto leaves it open. */
static Pb__Value *write_immediate(struct mls_arena *arena, const struct mls_type *type, const void *data)
{
    size_t n = (size_t)mls_type_elems(type);
    Pb__Value *value = NULL;
    Pb__TensorValue *tensor = new_immediate(arena, type, &value);
    if (!tensor)
        return NULL;
    bool filled = type->dtype == MLS_INT32  ? fill_ints(arena, tensor, data, n)
                  : type->dtype == MLS_FP32 ? fill_floats(arena, tensor, data, n)
                                            : fill_bytes(arena, tensor, data, mls_type_bytes(type));
    return filled ? value : NULL;
}

static bool add_pending(struct mls_arena *arena, struct pb_pending_list *pending,
                        const struct pb_pending *weight)
{
    if (pending->n == pending->capacity) {
        size_t capacity = pending->capacity ? pending->capacity * 2 : 64;
        struct pb_pending *grown = MLS_NEW_ARRAY(arena, capacity, struct pb_pending);
        if (!grown)
            return false;
        if (pending->n)
            memcpy(grown, pending->list, pending->n * sizeof *grown);
        pending->list = grown;
        pending->capacity = capacity;
    }
    pending->list[pending->n++] = *weight;
    return true;
}

static Pb__Value *write_pending(struct mls_arena *arena, const struct mls_type *type, const void *data,
                                struct pb_pending_list *pending)
{
    const struct pb_pending weight = {.dtype_number = blob_dtype_number(type->dtype),
                                      .data = data,
                                      .size_bytes = mls_type_bytes(type),
                                      .padding_bits = blob_padding_bits(type)};
    Pb__Value *value = new_value(arena, type);
    Pb__BlobFileValue *blob = MLS_NEW(arena, Pb__BlobFileValue);
    if (!value || !blob || !add_pending(arena, pending, &weight))
        return NULL;
    pb__blob_file_value__init(blob);
    blob->file_name = pb_pending_file;
    blob->offset = pending->n - 1;
    value->value_case = PB__VALUE__VALUE_BLOB_FILE_VALUE;
    value->blob_file_value = blob;
    return value;
}

static Pb__Value *write_value(struct mls_arena *arena, const struct edit_operand *operand,
                              struct pb_pending_list *pending)
{
    if (operand->is_text)
        return write_text(arena, operand->data);
    int64_t n = mls_type_elems(&operand->type);
    return n >= BLOB_ELEMS_MIN && blob_dtype_number(operand->type.dtype)
               ? write_pending(arena, &operand->type, operand->data, pending)
               : write_immediate(arena, &operand->type, operand->data);
}

/* ---- Operations ------------------------------------------------------------------------------ */

static bool add_attribute(struct mls_arena *arena, Pb__Operation *message, const char *name, Pb__Value *value)
{
    Pb__ValueEntry *entry = MLS_NEW(arena, Pb__ValueEntry);
    if (!entry || !value)
        return false;
    pb__value_entry__init(entry);
    entry->key = text_copy(arena, name);
    entry->value = value;
    message->attributes[message->n_attributes++] = entry;
    return entry->key != NULL;
}

static bool add_input(struct mls_arena *arena, Pb__Operation *message, const struct edit_operand *operand,
                      struct pb_pending_list *pending)
{
    Pb__ArgumentEntry *entry = MLS_NEW(arena, Pb__ArgumentEntry);
    Pb__Argument *argument = MLS_NEW(arena, Pb__Argument);
    Pb__Binding *binding = MLS_NEW(arena, Pb__Binding);
    Pb__Binding **bindings = MLS_NEW(arena, Pb__Binding *);
    if (!entry || !argument || !binding || !bindings)
        return false;
    pb__argument_entry__init(entry);
    pb__argument__init(argument);
    pb__binding__init(binding);
    if (operand->value) {
        binding->binding_case = PB__BINDING__BINDING_NAME;
        binding->name = text_copy(arena, operand->value);
    } else {
        binding->binding_case = PB__BINDING__BINDING_VALUE;
        binding->value = write_value(arena, operand, pending);
    }
    bindings[0] = binding;
    argument->n_arguments = 1;
    argument->arguments = bindings;
    entry->key = text_copy(arena, operand->name);
    entry->value = argument;
    message->inputs[message->n_inputs++] = entry;
    return entry->key && binding->value;
}

static bool add_output(struct mls_arena *arena, Pb__Operation *message, const struct edit_result *result)
{
    Pb__NamedValueType *output = MLS_NEW(arena, Pb__NamedValueType);
    if (!output)
        return false;
    pb__named_value_type__init(output);
    output->name = text_copy(arena, result->name);
    output->type = pb_write_type(arena, &result->type);
    message->outputs[message->n_outputs++] = output;
    return output->name && output->type;
}

Pb__Operation *pb_write_op(struct mls_arena *arena, const struct edit_op *op, uint32_t opset,
                           struct pb_pending_list *pending)
{
    bool constexpr_op = !strncmp(op->type, "constexpr_", 10);
    bool attributes = !strcmp(op->type, "const") || (constexpr_op && opset < OPSET_CONSTEXPR_INPUTS) ||
                      !strcmp(op->type, "constexpr_affine_dequantize");
    Pb__Operation *message = MLS_NEW(arena, Pb__Operation);
    if (!message)
        return NULL;
    pb__operation__init(message);
    message->type = text_copy(arena, op->type);
    message->inputs = MLS_NEW_ARRAY(arena, EDIT_OPERANDS_MAX, Pb__ArgumentEntry *);
    message->attributes = MLS_NEW_ARRAY(arena, EDIT_OPERANDS_MAX + 1, Pb__ValueEntry *);
    message->outputs = MLS_NEW_ARRAY(arena, EDIT_RESULTS_MAX, Pb__NamedValueType *);
    if (!message->type || !message->inputs || !message->attributes || !message->outputs ||
        !add_attribute(arena, message, "name", write_text(arena, op->name)))
        return NULL;
    for (unsigned i = 0; i < op->n_operands; i++) {
        const struct edit_operand *operand = &op->operands[i];
        bool added = attributes
                         ? add_attribute(arena, message, operand->name, write_value(arena, operand, pending))
                         : add_input(arena, message, operand, pending);
        if (!added)
            return NULL;
    }
    for (unsigned i = 0; i < op->n_results; i++)
        if (!add_output(arena, message, &op->results[i]))
            return NULL;
    return message;
}
