#include "core/model.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fp16.h"
#include "base/text.h"

enum {
    ELEMENTS_MAX = 64, /* constants with more are elided */
    TEXT_CHUNK_BYTES = 256
};

struct printer {
    const struct mls_program *program;
    const struct mls_writer *writer;
    bool whole; /* for a file: nothing elided, text as it is; otherwise safe for a terminal */
    bool decimal; /* floats for people; otherwise exact, in hexadecimal */
    bool failed;
    size_t used;
    char buffer[8192];
};

static void flush(struct printer *printer)
{
    if (!printer->failed && printer->used)
        printer->failed = !printer->writer->write(printer->writer->user, printer->buffer, printer->used);
    printer->used = 0;
}

static void put_bytes(struct printer *printer, const char *text, size_t length_bytes)
{
    while (length_bytes && !printer->failed) {
        size_t room = sizeof printer->buffer - printer->used;
        size_t n = length_bytes < room ? length_bytes : room;
        memcpy(printer->buffer + printer->used, text, n);
        printer->used += n;
        text += n;
        length_bytes -= n;
        if (printer->used == sizeof printer->buffer)
            flush(printer);
    }
}

static void put(struct printer *printer, const char *text)
{
    put_bytes(printer, text, strlen(text));
}

static void putf(struct printer *printer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void putf(struct printer *printer, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(printer, text);
}

/* Text from the file, safe for a terminal. Cut into chunks between characters. */
static void put_text(struct printer *printer, const char *text, size_t length_bytes)
{
    while (length_bytes) {
        char chunk[TEXT_CHUNK_BYTES + 1];
        size_t n = length_bytes < TEXT_CHUNK_BYTES ? length_bytes : TEXT_CHUNK_BYTES;
        while (n < length_bytes && n > TEXT_CHUNK_BYTES - 4 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
        memcpy(chunk, text, n);
        for (size_t i = 0; i < n; i++)
            chunk[i] = chunk[i] ? chunk[i] : '?';
        chunk[n] = '\0';
        mls_text_clean(chunk);
        put(printer, chunk);
        text += n;
        length_bytes -= n;
    }
}

/* Part of a string literal that needs no escape. */
static void put_plain(struct printer *printer, const char *text, size_t length_bytes)
{
    if (printer->whole)
        put_bytes(printer, text, length_bytes);
    else
        put_text(printer, text, length_bytes);
}

/* A string literal: quotes, backslashes and line ends are escaped; in a file, all control characters. */
static void put_quoted(struct printer *printer, const char *text, size_t length_bytes)
{
    put(printer, "\"");
    size_t start = 0;
    for (size_t i = 0; i < length_bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *escape = c == '"' ? "\\\"" : c == '\\' ? "\\\\" : c == '\n' ? "\\n" : NULL;
        bool control = printer->whole && (c < 0x20 || c == 0x7f);
        if (!escape && !control)
            continue;
        put_plain(printer, text + start, i - start);
        if (escape)
            put(printer, escape);
        else
            putf(printer, "\\x%02x", c);
        start = i + 1;
    }
    put_plain(printer, text + start, length_bytes - start);
    put(printer, "\"");
}

/* A name; in a file one that is no identifier is quoted, so that it can be read back. */
static void put_name(struct printer *printer, const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char digits[] = "0123456789";
    size_t n = strspn(name, letters);
    while (n && (name[n] && (strchr(letters, name[n]) || strchr(digits, name[n]))))
        n++;
    if (printer->whole && (!n || name[n]))
        put_quoted(printer, name, strlen(name));
    else
        put_text(printer, name, strlen(name));
}

/* ---- Types ----------------------------------------------------------------------------------- */

static void put_dim(struct printer *printer, int64_t dim)
{
    if (dim == MLS_DIM_UNKNOWN)
        put(printer, "?");
    else
        putf(printer, "%" PRId64, dim);
}

static void put_tensor_type(struct printer *printer, const struct mls_type *type)
{
    if (type->rank == 0) {
        put(printer, mls_dtype_name(type->dtype));
        return;
    }
    putf(printer, "tensor<%s, [", mls_dtype_name(type->dtype));
    if (type->rank == MLS_RANK_UNKNOWN)
        put(printer, "...");
    for (unsigned i = 0; type->rank != MLS_RANK_UNKNOWN && i < type->rank; i++) {
        put(printer, i ? ", " : "");
        put_dim(printer, type->dims[i]);
    }
    put(printer, "]>");
}

static void put_type(struct printer *printer, const struct mls_type *type)
{
    switch (type->kind) {
    case MLS_KIND_LIST:
        put(printer, "list<");
        put_tensor_type(printer, type);
        put(printer, ", ");
        put_dim(printer, type->list_length);
        put(printer, ">");
        break;
    case MLS_KIND_DICTIONARY:
        putf(printer, "dict<%s, %s>", mls_dtype_name(type->key_dtype), mls_dtype_name(type->dtype));
        break;
    case MLS_KIND_STATE:
        put(printer, "state<");
        put_tensor_type(printer, type);
        put(printer, ">");
        break;
    default:
        put_tensor_type(printer, type);
    }
}

/* ---- Constants ------------------------------------------------------------------------------- */

static void put_float(struct printer *printer, double value)
{
    if (isnan(value))
        put(printer, "nan");
    else if (isinf(value))
        put(printer, value < 0 ? "-inf" : "inf");
    else
        putf(printer, printer->decimal ? "%.6g" : "%a", value);
}

/* An integer of up to 64 bits at element `index`, packed from the lowest bits up. */
static uint64_t get_bits(const unsigned char *data, size_t index, unsigned bits)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bits; i++) {
        size_t bit = index * bits + i;
        value |= (uint64_t)(data[bit / 8] >> (bit % 8) & 1) << i;
    }
    return value;
}

static void put_element(struct printer *printer, enum mls_dtype dtype, const void *data, size_t index)
{
    if (dtype == MLS_TEXT) {
        struct mls_text text;
        memcpy(&text, (const char *)data + index * sizeof text, sizeof text);
        put_quoted(printer, text.bytes, text.length_bytes);
        return;
    }
    unsigned n_bits = mls_dtype_bits(dtype);
    uint64_t bits = get_bits(data, index, n_bits);
    float single;
    double number;
    uint32_t low = (uint32_t)bits;
    switch (dtype) {
    case MLS_FP16:
        put_float(printer, (double)mls_fp16_to_fp32((uint16_t)bits));
        break;
    case MLS_BF16:
        low <<= 16;
        memcpy(&single, &low, sizeof single);
        put_float(printer, (double)single);
        break;
    case MLS_FP32:
        memcpy(&single, &low, sizeof single);
        put_float(printer, (double)single);
        break;
    case MLS_FP64:
        memcpy(&number, &bits, sizeof number);
        put_float(printer, number);
        break;
    case MLS_BOOL:
        put(printer, bits ? "true" : "false");
        break;
    case MLS_INT4:
    case MLS_INT8:
    case MLS_INT16:
    case MLS_INT32:
    case MLS_INT64:
        putf(printer, "%" PRId64, (int64_t)(bits << (64 - n_bits)) >> (64 - n_bits));
        break;
    default:
        putf(printer, "%" PRIu64, bits);
    }
}

/* The elements of a tensor, a pair of brackets for each dimension; of a list, one pair. */
static void put_elements(struct printer *printer, const struct mls_type *type,
                         const struct mls_constant *constant, size_t n)
{
    unsigned rank = type->kind == MLS_KIND_LIST ? 1 : type->rank;
    size_t rows[MLS_RANK_MAX]; /* elements between the brackets of a dimension */
    size_t row = 1;
    for (unsigned i = rank; i-- > 0;) {
        row *= type->kind == MLS_KIND_LIST ? n : (size_t)type->dims[i];
        rows[i] = row;
    }
    if (n == 0)
        put(printer, "[]");
    for (size_t index = 0; index < n; index++) {
        put(printer, index ? ", " : "");
        for (unsigned i = 0; i < rank; i++)
            put(printer, index % rows[i] == 0 ? "[" : "");
        put_element(printer, type->dtype, constant->data, index);
        for (unsigned i = 0; i < rank; i++)
            put(printer, (index + 1) % rows[i] == 0 ? "]" : "");
    }
}

static void put_constant(struct printer *printer, const struct mls_value *value)
{
    const struct mls_constant *constant = value->constant;
    put_type(printer, &value->type);
    put(printer, "(");
    size_t n = value->type.kind == MLS_KIND_LIST ? (size_t)value->type.list_length
                                                 : (size_t)mls_type_elems(&value->type);
    if (constant->blob_path) {
        put(printer, "BLOBFILE(path = string(");
        put_quoted(printer, constant->blob_reference, strlen(constant->blob_reference));
        putf(printer, "), offset = uint64(%" PRIu64 "))", constant->blob_record);
    } else if (n > ELEMENTS_MAX && !printer->whole) {
        putf(printer, "/* %zu elements */", n);
    } else {
        put_elements(printer, &value->type, constant, n);
    }
    put(printer, ")");
}

/* ---- Operations ------------------------------------------------------------------------------ */

static void put_indent(struct printer *printer, unsigned depth)
{
    putf(printer, "%*s", (int)(4 * depth), "");
}

static void put_use(struct printer *printer, mls_value_id id)
{
    const struct mls_value *value = &printer->program->values[id.i];
    if (value->constant && value->producer.i == MLS_NO_INDEX)
        put_constant(printer, value);
    else
        put_name(printer, value->name);
}

static void put_argument(struct printer *printer, const struct mls_argument *argument)
{
    put_name(printer, argument->name);
    put(printer, argument->n_values == 1 ? " = " : " = (");
    for (uint32_t i = 0; i < argument->n_values; i++) {
        put(printer, i ? ", " : "");
        put_use(printer, argument->values[i]);
    }
    put(printer, argument->n_values == 1 ? "" : ")");
}

/* Core ML's compiler writes the constants of operations that decompress into their attributes. */
static bool is_attribute(const struct printer *printer, const struct mls_op *op,
                         const struct mls_argument *argument)
{
    const struct mls_value *value =
        argument->n_values == 1 ? &printer->program->values[argument->values[0].i] : NULL;
    return strncmp(op->type, "constexpr_", 10) == 0 && strcmp(argument->name, "name") != 0 && value &&
           value->constant && value->producer.i == MLS_NO_INDEX;
}

static void put_declarations(struct printer *printer, const mls_value_id *ids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct mls_value *value = &printer->program->values[ids[i].i];
        put(printer, i ? ", " : "");
        put_type(printer, &value->type);
        put(printer, " ");
        put_name(printer, value->name);
    }
}

static void put_block(struct printer *printer, mls_block_id id, unsigned depth);

static void put_op(struct printer *printer, mls_op_id id, unsigned depth)
{
    const struct mls_op *op = &printer->program->ops[id.i];
    put_indent(printer, depth);
    put_declarations(printer, op->outputs, op->n_outputs);
    put(printer, op->n_outputs ? " = " : "");
    put_name(printer, op->type);
    put(printer, "(");
    for (uint32_t i = 0, n = 0; i < op->n_arguments; i++)
        if (!is_attribute(printer, op, &op->arguments[i])) {
            put(printer, n++ ? ", " : "");
            put_argument(printer, &op->arguments[i]);
        }
    put(printer, ")[name = string(");
    put_quoted(printer, op->name, strlen(op->name));
    put(printer, ")");
    for (uint32_t i = 0; i < op->n_arguments; i++)
        if (is_attribute(printer, op, &op->arguments[i])) {
            put(printer, ", ");
            put_argument(printer, &op->arguments[i]);
        }
    if (op->n_outputs == 1 && printer->program->values[op->outputs[0].i].constant) {
        put(printer, ", val = ");
        put_constant(printer, &printer->program->values[op->outputs[0].i]);
    }
    put(printer, "]");
    for (uint32_t i = 0; i < op->n_blocks; i++) {
        put(printer, i ? ",\n" : "\n");
        put_indent(printer, depth + 1);
        put(printer, "(");
        const struct mls_block *block = &printer->program->blocks[op->blocks[i].i];
        put_declarations(printer, block->inputs, block->n_inputs);
        put(printer, ") ");
        put_block(printer, op->blocks[i], depth + 1);
    }
    put(printer, ";\n");
}

/* Calls itself through operations; the verifier has bounded the nesting. */
static void put_block(struct printer *printer, mls_block_id id, unsigned depth)
{
    const struct mls_block *block = &printer->program->blocks[id.i];
    put(printer, "{\n");
    for (uint32_t i = 0; i < block->n_ops && !printer->failed; i++)
        put_op(printer, block->ops[i], depth + 1);
    put_indent(printer, depth);
    put(printer, "} -> (");
    for (uint32_t i = 0; i < block->n_outputs; i++) {
        put(printer, i ? ", " : "");
        put_name(printer, printer->program->values[block->outputs[i].i].name);
    }
    put(printer, ")");
}

/* Opsets as MIL text names them. */
static const char *const opset_names[MLS_OPSET_MAX + 1] = {
    [5] = "ios15", [6] = "ios16", [7] = "ios17", [8] = "ios18", [9] = "ios26"};

static bool print_program(const struct mls_model *model, bool whole, const struct mls_writer *writer)
{
    struct printer printer = {.program = &model->program, .writer = writer, .whole = whole};
    put(&printer, "program(1.3)\n{\n");
    for (uint32_t i = 0; i < model->program.n_functions; i++) {
        const struct mls_function *function = &model->program.functions[i];
        const struct mls_block *block = &model->program.blocks[function->block.i];
        put(&printer, "    func ");
        put_name(&printer, function->name);
        putf(&printer, "<%s>(", opset_names[function->opset]);
        put_declarations(&printer, block->inputs, block->n_inputs);
        put(&printer, ") ");
        put_block(&printer, function->block, 1);
        put(&printer, ";\n");
    }
    put(&printer, "}\n");
    flush(&printer);
    return !printer.failed;
}

bool mls_program_print(const struct mls_model *model, const struct mls_writer *writer)
{
    return print_program(model, false, writer);
}

bool mls_program_write(const struct mls_model *model, const struct mls_writer *writer)
{
    return print_program(model, true, writer);
}

/* Where mls_constant_format writes to: full is enough. */
struct text_room {
    char *text;
    size_t size, used;
};

static bool write_room(void *user, const char *text, size_t length_bytes)
{
    struct text_room *room = user;
    size_t left = room->size - room->used - 1;
    size_t n = length_bytes < left ? length_bytes : left;
    memcpy(room->text + room->used, text, n);
    room->used += n;
    room->text[room->used] = '\0';
    return true;
}

char *mls_constant_format(const struct mls_value *value, char *text, size_t size)
{
    struct text_room room = {.text = text, .size = size};
    const struct mls_writer writer = {.user = &room, .write = write_room};
    struct printer printer = {.writer = &writer, .decimal = true};
    bool list = value->type.kind == MLS_KIND_LIST;
    int64_t n = list ? value->type.list_length : mls_type_elems(&value->type);
    text[0] = '\0';
    if (!value->constant || value->constant->blob_path || n < 0 || n > ELEMENTS_MAX || !value->constant->data)
        put_type(&printer, &value->type);
    else
        put_elements(&printer, &value->type, value->constant, (size_t)n);
    flush(&printer);
    return text;
}
