#include "npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

enum { HEADER_BYTES_MAX = 64 * 1024, ALIGN_BYTES = 64 };

static const struct {
    const char *code; /* of NumPy's typestr, after the byte order */
    enum mls_dtype dtype;
} codes[] = {
    {"f2", MLS_FP16},  {"f4", MLS_FP32},   {"f8", MLS_FP64},  {"b1", MLS_BOOL},
    {"i1", MLS_INT8},  {"u1", MLS_UINT8},  {"i2", MLS_INT16}, {"u2", MLS_UINT16},
    {"i4", MLS_INT32}, {"u4", MLS_UINT32}, {"i8", MLS_INT64}, {"u8", MLS_UINT64},
};

/* What the header says. */
struct header {
    struct mls_type type;
    bool fortran_order;
    size_t data_at;
};

/* The header's text, a Python dictionary, as it is taken apart. */
struct text {
    const char *at;
    const char *end;
};

static enum mls_status wrong(const char *name, const char *reason, struct mls_error *reterr)
{
    enum mls_status status = mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read %s: %s", name, reason);
    mls_error_at(reterr, name, -1);
    return status;
}

static void skip_spaces(struct text *text)
{
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\n' || *text->at == '\t'))
        text->at++;
}

static bool take(struct text *text, const char *token)
{
    skip_spaces(text);
    size_t length = strlen(token);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, token, length))
        return false;
    text->at += length;
    return true;
}

/* A quoted text without escapes into out[size]. */
static bool take_quoted(struct text *text, char *out, size_t size)
{
    skip_spaces(text);
    if (text->at >= text->end || (*text->at != '\'' && *text->at != '"'))
        return false;
    char quote = *text->at++;
    size_t length = 0;
    while (text->at < text->end && *text->at != quote && length + 1 < size)
        out[length++] = *text->at++;
    out[length] = '\0';
    return text->at < text->end && *text->at++ == quote;
}

static bool take_dim(struct text *text, int64_t *ret_dim)
{
    skip_spaces(text);
    int64_t value = 0;
    const char *start = text->at;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        if (value > (INT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (*text->at - '0');
    }
    take(text, "L"); /* Python 2 wrote long integers so */
    *ret_dim = value;
    return text->at > start;
}

static bool take_shape(struct text *text, struct mls_type *type)
{
    if (!take(text, "("))
        return false;
    while (!take(text, ")")) {
        if (type->rank == MLS_RANK_MAX || !take_dim(text, &type->dims[type->rank]))
            return false;
        type->rank++;
        if (!take(text, ","))
            return take(text, ")");
    }
    return true;
}

static enum mls_status read_descr(const char *name, const char *descr, struct mls_type *type,
                                  struct mls_error *reterr)
{
    if (descr[0] == '>') {
        enum mls_status status = wrong(name, "its numbers are big-endian, which is not supported", reterr);
        mls_error_hint(reterr, "save it with array.astype(array.dtype.newbyteorder('<'))");
        return status;
    }
    if (descr[0] == '<' || descr[0] == '|' || descr[0] == '=')
        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
            if (!strcmp(descr + 1, codes[i].code)) {
                type->dtype = codes[i].dtype;
                return MLS_OK;
            }
    enum mls_status status =
        mls_fail_because(reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_DTYPE,
                         "cannot read %s: its element type '%.32s' is not supported", name, descr);
    mls_error_hint(reterr, "floats, integers and booleans are read");
    return status;
}

static enum mls_status read_dictionary(const char *name, struct text text, struct header *header,
                                       struct mls_error *reterr)
{
    bool has_descr = false, has_order = false, has_shape = false;
    bool good = take(&text, "{");
    while (good && !take(&text, "}")) {
        char key[32], descr[64];
        good = take_quoted(&text, key, sizeof key) && take(&text, ":");
        if (good && !strcmp(key, "descr") && !has_descr) {
            skip_spaces(&text);
            if (text.at < text.end && *text.at == '[')
                return wrong(name, "its elements are records, which are not supported", reterr);
            has_descr = good = take_quoted(&text, descr, sizeof descr);
            enum mls_status status = good ? read_descr(name, descr, &header->type, reterr) : MLS_OK;
            if (status)
                return status;
        } else if (good && !strcmp(key, "fortran_order") && !has_order) {
            header->fortran_order = take(&text, "True");
            has_order = good = header->fortran_order || take(&text, "False");
        } else if (good && !strcmp(key, "shape") && !has_shape) {
            has_shape = good = take_shape(&text, &header->type);
        } else {
            good = false;
        }
        if (good && !take(&text, ",")) {
            good = take(&text, "}");
            break;
        }
    }
    skip_spaces(&text);
    if (!good || !has_descr || !has_order || !has_shape || text.at != text.end)
        return wrong(
            name, "the .npy header is not as NumPy writes it (descr, fortran_order, shape of rank 8 at most)",
            reterr);
    return MLS_OK;
}

static enum mls_status read_header(const char *name, struct mls_bytes bytes, struct header *ret_header,
                                   struct mls_error *reterr)
{
    struct mls_cursor cursor = mls_cursor_over(bytes.data, bytes.size_bytes);
    mls_cursor_take(&cursor, sizeof magic);
    unsigned major = (unsigned)mls_cursor_le(&cursor, 1);
    mls_cursor_le(&cursor, 1);
    if (!cursor.bad && (major < 1 || major > 3))
        return wrong(name, "its .npy version is none of 1, 2 and 3", reterr);
    size_t length = major == 1 ? mls_cursor_u16(&cursor) : mls_cursor_u32(&cursor);
    if (length > HEADER_BYTES_MAX)
        return wrong(name, "its .npy header is too long", reterr);
    const char *text = (const char *)mls_cursor_take(&cursor, length);
    if (!text)
        return wrong(name, "it is cut off in the .npy header", reterr);
    struct header header = {.type = {.kind = MLS_KIND_TENSOR}, .data_at = cursor.at};
    enum mls_status status = read_dictionary(name, (struct text){text, text + length}, &header, reterr);
    if (!status)
        *ret_header = header;
    return status;
}

bool npy_is(struct mls_bytes bytes)
{
    return bytes.size_bytes >= sizeof magic && !memcmp(bytes.data, magic, sizeof magic);
}

enum mls_status npy_read_type(const char *name, struct mls_bytes bytes, struct mls_type *ret_type,
                              struct mls_error *reterr)
{
    struct header header;
    enum mls_status status = read_header(name, bytes, &header, reterr);
    if (!status)
        *ret_type = header.type;
    return status;
}

/* Fortran order: the first index runs fastest. */
static void to_c_order(const struct mls_type *type, const uint8_t *from, uint8_t *to)
{
    size_t element_bytes = mls_dtype_bits(type->dtype) / 8;
    size_t n = (size_t)mls_type_elems(type);
    int64_t index[MLS_RANK_MAX] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t source = 0;
        for (unsigned axis = type->rank; axis-- > 0;)
            source = source * (size_t)type->dims[axis] + (size_t)index[axis];
        memcpy(to + i * element_bytes, from + source * element_bytes, element_bytes);
        for (unsigned axis = type->rank; axis-- > 0;) {
            if (++index[axis] < type->dims[axis])
                break;
            index[axis] = 0;
        }
    }
}

enum mls_status npy_read(const char *name, struct mls_bytes bytes, struct array *ret_array,
                         struct mls_error *reterr)
{
    struct header header;
    enum mls_status status = read_header(name, bytes, &header, reterr);
    if (status)
        return status;
    size_t size_bytes = mls_type_bytes(&header.type);
    size_t left = bytes.size_bytes - header.data_at;
    if (size_bytes != left) {
        char shape[128];
        status = mls_fail(reterr, MLS_ERR_INPUT_INVALID,
                          "cannot read %s: %s elements of shape %s do not take the %zu bytes "
                          "that follow the header",
                          name, mls_dtype_name(header.type.dtype),
                          mls_shape_format(&header.type, shape, sizeof shape), left);
        mls_error_hint(reterr, "the file is cut off or damaged: write it again");
        return status;
    }
    struct array array;
    if (!array_create(&header.type, &array))
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read %s: out of memory", name);
    if (header.fortran_order && header.type.rank > 1)
        to_c_order(&header.type, bytes.data + header.data_at, array.data);
    else
        memcpy(array.data, bytes.data + header.data_at, size_bytes);
    *ret_array = array;
    return MLS_OK;
}

size_t npy_write_head(const struct mls_type *type, char ret_head[NPY_HEAD_BYTES_MAX])
{
    enum { PREFIX_BYTES = 10 };
    const char *code = "f4";
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].dtype == type->dtype)
            code = codes[i].code;
    char *text = ret_head + PREFIX_BYTES;
    size_t room = NPY_HEAD_BYTES_MAX - PREFIX_BYTES;
    size_t length = (size_t)snprintf(text, room, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                                     mls_dtype_bits(type->dtype) == 8 ? '|' : '<', code);
    for (unsigned axis = 0; axis < type->rank; axis++)
        length +=
            (size_t)snprintf(text + length, room - length, "%s%" PRId64, axis ? ", " : "", type->dims[axis]);
    length += (size_t)snprintf(text + length, room - length, "%s), }", type->rank == 1 ? "," : "");
    while ((PREFIX_BYTES + length + 1) % ALIGN_BYTES)
        text[length++] = ' ';
    text[length++] = '\n';
    memcpy(ret_head, magic, sizeof magic);
    ret_head[6] = 1;
    ret_head[7] = 0;
    ret_head[8] = (char)(length & 0xff);
    ret_head[9] = (char)(length >> 8);
    return PREFIX_BYTES + length;
}
