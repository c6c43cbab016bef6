/* Types and constants of MIL text. */
#include "format/mil_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "base/limits.h"

enum { NUMBER_BYTES_MAX = 64 };

/* ---- Types ------------------------------------------------------------------------------------------- */

static enum mls_status read_dtype(struct mil_reader *reader, enum mls_dtype *ret_dtype)
{
    struct mil_lexer *lexer = &reader->lexer;
    char name[16];
    size_t n = lexer->token.length_bytes;
    if (lexer->token.kind != MIL_NAME || n >= sizeof name)
        return mil_wrong(lexer, "an element type", reader->reterr);
    memcpy(name, lexer->token.text, n);
    name[n] = '\0';
    if (!strcmp(name, "fp8e4m3fn") || !strcmp(name, "fp8e5m2"))
        return mls_fail(reader->reterr, MLS_ERR_OP_UNSUPPORTED,
                        "cannot read a type: elements of %s are not supported", name);
    enum mls_dtype dtype = mls_dtype_parse(name);
    if (dtype == MLS_NONE || strcmp(mls_dtype_name(dtype), name))
        return mil_wrong(lexer, "an element type", reader->reterr);
    mil_next(lexer);
    *ret_dtype = dtype;
    return MLS_OK;
}

static enum mls_status read_dim(struct mil_reader *reader, int64_t *ret_dim)
{
    if (mil_accept(&reader->lexer, '?')) {
        *ret_dim = MLS_DIM_UNKNOWN;
        return MLS_OK;
    }
    return mil_take_integer(&reader->lexer, 0, INT64_MAX, ret_dim, reader->reterr);
}

/* "[1, ?]" or "[...]". */
static enum mls_status read_dims(struct mil_reader *reader, struct mls_type *type)
{
    struct mil_lexer *lexer = &reader->lexer;
    enum mls_status status = mil_expect(lexer, '[', reader->reterr);
    if (!status && lexer->token.kind == MIL_DOTS) {
        mil_next(lexer);
        type->rank = MLS_RANK_UNKNOWN;
        return mil_expect(lexer, ']', reader->reterr);
    }
    while (!status && !mil_accept(lexer, ']')) {
        if (type->rank == MLS_RANK_MAX)
            return mls_fail(reader->reterr, MLS_ERR_LIMIT, "cannot read a type: its rank is above %d",
                            MLS_RANK_MAX);
        status = read_dim(reader, &type->dims[type->rank]);
        type->rank++;
        if (!status && !mil_accept(lexer, ',') && !mil_is(lexer, ']'))
            status = mil_wrong(lexer, "',' or ']'", reader->reterr);
    }
    return status;
}

/* "tensor<fp16, [1, 3]>", or the element type alone for a scalar. */
static enum mls_status read_tensor_type(struct mil_reader *reader, struct mls_type *ret_type)
{
    struct mil_lexer *lexer = &reader->lexer;
    struct mls_type type = {.kind = MLS_KIND_TENSOR};
    enum mls_status status;
    if (!mil_is_word(lexer, "tensor")) {
        status = read_dtype(reader, &type.dtype);
    } else {
        mil_next(lexer);
        status = mil_expect(lexer, '<', reader->reterr);
        if (!status)
            status = read_dtype(reader, &type.dtype);
        if (!status)
            status = mil_expect(lexer, ',', reader->reterr);
        if (!status)
            status = read_dims(reader, &type);
        if (!status)
            status = mil_expect(lexer, '>', reader->reterr);
    }
    if (!status)
        *ret_type = type;
    return status;
}

static enum mls_status read_list_type(struct mil_reader *reader, struct mls_type *ret_type)
{
    struct mls_type type;
    enum mls_status status = read_tensor_type(reader, &type);
    type.kind = MLS_KIND_LIST;
    type.list_length = MLS_DIM_UNKNOWN;
    if (!status && mil_accept(&reader->lexer, ','))
        status = read_dim(reader, &type.list_length);
    if (!status)
        *ret_type = type;
    return status;
}

static enum mls_status read_state_type(struct mil_reader *reader, struct mls_type *ret_type)
{
    enum mls_status status = read_tensor_type(reader, ret_type);
    ret_type->kind = MLS_KIND_STATE;
    return status;
}

/* A dictionary of numbers by label: the numbers are a vector whose length the run decides. */
static enum mls_status read_dictionary_type(struct mil_reader *reader, struct mls_type *ret_type)
{
    struct mls_type key, value;
    enum mls_status status = read_tensor_type(reader, &key);
    if (!status)
        status = mil_expect(&reader->lexer, ',', reader->reterr);
    if (!status)
        status = read_tensor_type(reader, &value);
    if (status)
        return status;
    if (key.dtype != MLS_TEXT && key.dtype != MLS_INT64)
        return mls_fail(reader->reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read a type: keys of a dictionary are string or int64");
    *ret_type = (struct mls_type){.kind = MLS_KIND_DICTIONARY,
                                  .dtype = value.dtype,
                                  .rank = 1,
                                  .dims = {MLS_DIM_UNKNOWN},
                                  .key_dtype = key.dtype};
    return MLS_OK;
}

enum mls_status mil_read_type(struct mil_reader *reader, struct mls_type *ret_type)
{
    static const struct {
        const char *word;
        enum mls_status (*read)(struct mil_reader *reader, struct mls_type *ret_type);
    } kinds[] = {{"list", read_list_type}, {"state", read_state_type}, {"dict", read_dictionary_type}};
    *ret_type = (struct mls_type){0};
    if (mil_is_word(&reader->lexer, "tuple"))
        return mls_fail(reader->reterr, MLS_ERR_OP_UNSUPPORTED,
                        "cannot read a type: tuples are not supported");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!mil_is_word(&reader->lexer, kinds[i].word))
            continue;
        mil_next(&reader->lexer);
        enum mls_status status = mil_expect(&reader->lexer, '<', reader->reterr);
        if (!status)
            status = kinds[i].read(reader, ret_type);
        return status ? status : mil_expect(&reader->lexer, '>', reader->reterr);
    }
    return read_tensor_type(reader, ret_type);
}

bool mil_begins_type(const struct mil_reader *reader)
{
    struct mil_lexer ahead = reader->lexer;
    if (ahead.token.kind != MIL_NAME)
        return false;
    mil_next(&ahead);
    return mil_is(&ahead, '<') || mil_is(&ahead, '(');
}

/* ---- Elements ---------------------------------------------------------------------------------------- */

/* Stores the low bits of `value` as element `index`, packed from the lowest bits up. */
static void put_bits(unsigned char *data, size_t index, unsigned n_bits, uint64_t value)
{
    for (unsigned i = 0; n_bits < 8 && i < n_bits; i++) {
        size_t bit = index * n_bits + i;
        data[bit / 8] = (unsigned char)(data[bit / 8] | (value >> i & 1) << (bit % 8));
    }
    for (unsigned i = 0; n_bits >= 8 && i < n_bits / 8; i++)
        data[index * (n_bits / 8) + i] = (unsigned char)(value >> (8 * i));
}

/* Nearest, ties to even; a NaN stays one. */
static uint16_t to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static bool parse_float(const char *text, enum mls_dtype dtype, uint64_t *ret_bits)
{
    char *end;
    float single = strtof(text, &end);
    uint32_t single_bits;
    memcpy(&single_bits, &single, sizeof single_bits);
    *ret_bits = dtype == MLS_FP16   ? mls_fp32_to_fp16(single)
                : dtype == MLS_BF16 ? to_bf16(single)
                                    : single_bits;
    if (dtype == MLS_FP64) {
        double number = strtod(text, &end);
        memcpy(ret_bits, &number, sizeof number);
    }
    return *end == '\0' && end != text;
}

static bool parse_integer(const char *text, enum mls_dtype dtype, uint64_t *ret_bits)
{
    unsigned n_bits = mls_dtype_bits(dtype);
    bool is_signed = dtype == MLS_INT4 || dtype == MLS_INT8 || dtype == MLS_INT16 || dtype == MLS_INT32 ||
                     dtype == MLS_INT64;
    char *end;
    errno = 0;
    if (is_signed) {
        int64_t value = strtoll(text, &end, 10), high = INT64_MAX >> (64 - n_bits);
        *ret_bits = (uint64_t)value;
        return !*end && end != text && !errno && value <= high && value >= -high - 1;
    }
    *ret_bits = strtoull(text, &end, 10);
    return !*end && end != text && !errno && text[0] != '-' && *ret_bits <= UINT64_MAX >> (64 - n_bits);
}

/* One scalar of the type, as element `index` of the data. */
static enum mls_status read_scalar(struct mil_reader *reader, enum mls_dtype dtype, unsigned char *data,
                                   size_t index)
{
    struct mil_lexer *lexer = &reader->lexer;
    if (dtype == MLS_TEXT) {
        struct mls_text text;
        enum mls_status status =
            mil_take_string(lexer, reader->program.arena, &text.bytes, &text.length_bytes, reader->reterr);
        if (!status)
            memcpy(data + index * sizeof text, &text, sizeof text);
        return status;
    }
    char text[NUMBER_BYTES_MAX];
    size_t n = lexer->token.length_bytes;
    if ((lexer->token.kind != MIL_NUMBER && lexer->token.kind != MIL_NAME) || n >= sizeof text)
        return mil_wrong(lexer, mls_dtype_name(dtype), reader->reterr);
    memcpy(text, lexer->token.text, n);
    text[n] = '\0';
    uint64_t bits = 0;
    bool good;
    if (dtype == MLS_BOOL) {
        bits = !strcmp(text, "true") || !strcmp(text, "1");
        good = bits || !strcmp(text, "false") || !strcmp(text, "0");
    } else if (dtype == MLS_FP16 || dtype == MLS_BF16 || dtype == MLS_FP32 || dtype == MLS_FP64) {
        good = parse_float(text, dtype, &bits);
    } else {
        good = parse_integer(text, dtype, &bits);
    }
    if (!good)
        return mil_wrong(lexer, mls_dtype_name(dtype), reader->reterr);
    put_bits(data, index, mls_dtype_bits(dtype), bits);
    mil_next(lexer);
    return MLS_OK;
}

/* Room for n elements. Each takes a character of the text at least, so hostile sizes take no memory. */
static enum mls_status take_room(const struct mil_reader *reader, enum mls_dtype dtype, size_t n,
                                 unsigned char **ret_data, size_t *ret_bytes)
{
    *ret_bytes = mls_dtype_bytes(dtype, n);
    if (n > reader->lexer.bytes.size_bytes)
        return mls_fail(reader->reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read a constant: its type has more elements than the text");
    /* 16: aligned for every element type, text included */
    *ret_data = *ret_bytes == SIZE_MAX ? NULL : mls_arena_alloc(reader->program.arena, *ret_bytes, 16);
    return *ret_data ? MLS_OK : program_no_memory(reader->reterr);
}

/* Brackets that open before, or close after, element `index`: one for each dimension whose rows begin or end
 * there. */
static unsigned brackets_at(const size_t *rows, unsigned rank, size_t index)
{
    unsigned n = 0;
    for (unsigned i = 0; i < rank; i++)
        n += index % rows[i] == 0;
    return n;
}

static enum mls_status read_elements(struct mil_reader *reader, const struct mls_type *type,
                                     unsigned char *data, size_t n)
{
    struct mil_lexer *lexer = &reader->lexer;
    size_t rows[MLS_RANK_MAX], row = 1;
    for (unsigned i = type->rank; i-- > 0;)
        rows[i] = row *= (size_t)type->dims[i];
    enum mls_status status = MLS_OK;
    for (size_t index = 0; index < n && !status; index++) {
        for (unsigned k = brackets_at(rows, type->rank, index); k > 0 && !status; k--)
            status = mil_expect(lexer, '[', reader->reterr);
        if (!status)
            status = read_scalar(reader, type->dtype, data, index);
        for (unsigned k = brackets_at(rows, type->rank, index + 1); k > 0 && !status; k--)
            status = mil_expect(lexer, ']', reader->reterr);
        if (!status && index + 1 < n)
            status = mil_expect(lexer, ',', reader->reterr);
    }
    /* without elements there may be brackets all the same: "[]", "[[], []]" */
    while (!status && !n && (mil_is(lexer, '[') || mil_is(lexer, ']') || mil_is(lexer, ',')))
        mil_next(lexer);
    return status;
}

static enum mls_status read_tensor(struct mil_reader *reader, const struct mls_type *type,
                                   struct mls_constant *ret_constant)
{
    int64_t n = mls_type_elems(type);
    if (n < 0 || mls_type_bytes(type) == SIZE_MAX)
        return mls_fail(reader->reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read a constant: its shape is not known");
    unsigned char *data = NULL;
    size_t size_bytes = 0;
    enum mls_status status = take_room(reader, type->dtype, (size_t)n, &data, &size_bytes);
    if (!status)
        status = read_elements(reader, type, data, (size_t)n);
    if (!status)
        *ret_constant = (struct mls_constant){.data = data, .size_bytes = size_bytes};
    return status;
}

/* ---- Lists ------------------------------------------------------------------------------------------- */

/* Elements up to the bracket that closes the list. */
static enum mls_status count_elements(const struct mil_reader *reader, char close, size_t *ret_n)
{
    struct mil_lexer ahead = reader->lexer;
    size_t n = !mil_is(&ahead, close);
    for (;;) {
        enum mls_status status = mil_skip(&ahead, close, ',', reader->reterr);
        if (status)
            return status;
        if (!mil_accept(&ahead, ','))
            break;
        n++;
    }
    *ret_n = n;
    return MLS_OK;
}

/* An element may repeat its type: string("a"). */
static enum mls_status read_list_element(struct mil_reader *reader, enum mls_dtype dtype, unsigned char *data,
                                         size_t index)
{
    if (!mil_begins_type(reader))
        return read_scalar(reader, dtype, data, index);
    struct mls_type type;
    enum mls_status status = mil_read_type(reader, &type);
    if (!status && (type.kind != MLS_KIND_TENSOR || type.rank || type.dtype != dtype))
        status = mls_fail(reader->reterr, MLS_ERR_PROGRAM_INVALID,
                          "cannot read a constant: an element of a list is not of the list's type");
    if (!status)
        status = mil_expect(&reader->lexer, '(', reader->reterr);
    if (!status)
        status = read_scalar(reader, dtype, data, index);
    return status ? status : mil_expect(&reader->lexer, ')', reader->reterr);
}

/* A list of scalars, as class labels are. */
static enum mls_status read_list(struct mil_reader *reader, struct mls_type *type,
                                 struct mls_constant *ret_constant)
{
    struct mil_lexer *lexer = &reader->lexer;
    char close = mil_is(lexer, '(') ? ')' : ']';
    if (type->rank || mls_dtype_bits(type->dtype) % 8)
        return mls_fail(reader->reterr, MLS_ERR_OP_UNSUPPORTED,
                        "cannot read a constant: only lists of scalars of whole bytes are supported");
    enum mls_status status = mil_expect(lexer, close == ')' ? '(' : '[', reader->reterr);
    size_t n = 0, size_bytes = 0;
    unsigned char *data = NULL;
    if (!status)
        status = count_elements(reader, close, &n);
    if (!status &&
        (n > MLS_LIMIT_LIST_LENGTH || (type->list_length >= 0 && (uint64_t)type->list_length != n)))
        status = mls_fail(reader->reterr, MLS_ERR_PROGRAM_INVALID,
                          "cannot read a constant: the length of a list is not that of its type, or above %d",
                          MLS_LIMIT_LIST_LENGTH);
    if (!status)
        status = take_room(reader, type->dtype, n, &data, &size_bytes);
    for (size_t i = 0; i < n && !status; i++) {
        status = read_list_element(reader, type->dtype, data, i);
        if (!status && i + 1 < n)
            status = mil_expect(lexer, ',', reader->reterr);
    }
    if (status)
        return status;
    type->list_length = (int64_t)n;
    *ret_constant = (struct mls_constant){.data = data, .size_bytes = size_bytes};
    return mil_expect(lexer, close, reader->reterr);
}

/* ---- Constants --------------------------------------------------------------------------------------- */

/* BLOBFILE(path = string("…"), offset = uint64(64)), in any order. */
static enum mls_status read_blob(struct mil_reader *reader, const struct mls_type *type,
                                 struct mls_constant *constant)
{
    struct mil_lexer *lexer = &reader->lexer;
    const char *reference = NULL;
    uint64_t offset = UINT64_MAX;
    mil_next(lexer);
    enum mls_status status = mil_expect(lexer, '(', reader->reterr);
    while (!status && !mil_accept(lexer, ')')) {
        bool path = mil_is_word(lexer, "path");
        struct mls_type field;
        unsigned char content[sizeof(struct mls_text)] = {0};
        if (!path && !mil_is_word(lexer, "offset"))
            return mil_wrong(lexer, "path or offset", reader->reterr);
        mil_next(lexer);
        status = mil_expect(lexer, '=', reader->reterr);
        if (!status)
            status = mil_read_type(reader, &field);
        if (!status &&
            (field.kind != MLS_KIND_TENSOR || field.rank || field.dtype != (path ? MLS_TEXT : MLS_UINT64)))
            return mil_wrong(lexer, "a scalar of string or uint64", reader->reterr);
        if (!status)
            status = mil_expect(lexer, '(', reader->reterr);
        if (!status)
            status = read_scalar(reader, field.dtype, content, 0);
        if (!status)
            status = mil_expect(lexer, ')', reader->reterr);
        if (!status && path)
            memcpy(&reference, content, sizeof reference); /* the first member of struct mls_text */
        else if (!status)
            memcpy(&offset, content, sizeof offset);
        mil_accept(lexer, ',');
    }
    if (!status && (!reference || offset == UINT64_MAX))
        return mil_wrong(lexer, "path and offset of the BLOBFILE before", reader->reterr);
    return status ? status
                  : program_defer_blob(&reader->program, type, reference, offset, constant, reader->reterr);
}

enum mls_status mil_read_constant(struct mil_reader *reader, struct mls_type *ret_type,
                                  const struct mls_constant **ret_constant)
{
    struct mls_type type = {0};
    enum mls_status status = mil_read_type(reader, &type);
    if (!status)
        status = mil_expect(&reader->lexer, '(', reader->reterr);
    struct mls_constant *constant = status ? NULL : MLS_NEW(reader->program.arena, struct mls_constant);
    if (status)
        return status;
    if (!constant)
        return program_no_memory(reader->reterr);
    if (mil_is_word(&reader->lexer, "BLOBFILE"))
        status = read_blob(reader, &type, constant);
    else if (type.kind == MLS_KIND_LIST)
        status = read_list(reader, &type, constant);
    else if (type.kind == MLS_KIND_TENSOR)
        status = read_tensor(reader, &type, constant);
    else
        status = mls_fail(reader->reterr, MLS_ERR_OP_UNSUPPORTED,
                          "cannot read a constant: only tensors and lists are supported");
    if (status)
        return status;
    *ret_type = type;
    *ret_constant = constant;
    return mil_expect(&reader->lexer, ')', reader->reterr);
}
