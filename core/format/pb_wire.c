#include "format/pb_wire.h"

#include <string.h>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "format/spec.h"
#include "package/model_type.h"

enum {
    /* A block nests two messages deep (operation, block); around them stand program, function and map
     * entries, and within an operation an argument's value. The frames of protobuf-c for so many levels fit
     * any thread's stack. */
    DEPTH_MAX = 2 * MLS_LIMIT_BLOCK_DEPTH + 24,
    KEEP_BYTES = 64 * 1024,
    ALIGN = 16
};

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

enum { FIELD_VERSION = 1, FIELD_DESCRIPTION = 2, FIELD_IS_UPDATABLE = 10, FIELD_PROGRAM = 502 };

/* ---- Walking --------------------------------------------------------------------------------- */

struct field {
    uint32_t number;
    unsigned wire_type;
    uint64_t varint;        /* WIRE_VARINT */
    struct mls_bytes bytes; /* WIRE_BYTES */
};

static uint64_t read_varint(struct mls_cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        const uint8_t *byte = mls_cursor_take(cursor, 1);
        if (!byte)
            return 0;
        if (shift < 64)
            value |= (uint64_t)(*byte & 0x7f) << shift;
        if (!(*byte & 0x80))
            return value;
    }
    cursor->bad = true;
    return 0;
}

/* Reads a field; of one with a length only the length, so that the cursor stands at its content. */
static bool read_field_head(struct mls_cursor *cursor, struct field *ret_field)
{
    uint64_t tag = read_varint(cursor);
    struct field field = {.number = (uint32_t)(tag >> 3), .wire_type = (unsigned)(tag & 7)};
    if (tag > UINT32_MAX || field.number == 0)
        cursor->bad = true;
    switch (field.wire_type) {
    case WIRE_VARINT:
        field.varint = read_varint(cursor);
        break;
    case WIRE_64:
        mls_cursor_take(cursor, 8);
        break;
    case WIRE_32:
        mls_cursor_take(cursor, 4);
        break;
    case WIRE_BYTES: {
        uint64_t length = read_varint(cursor);
        if (length > mls_cursor_left(cursor))
            cursor->bad = true;
        else
            field.bytes = (struct mls_bytes){cursor->base + cursor->at, (size_t)length};
        break;
    }
    default: /* groups: not in proto3 */
        cursor->bad = true;
    }
    *ret_field = field;
    return !cursor->bad;
}

static enum mls_status broken(size_t at, struct mls_error *reterr)
{
    enum mls_status status = mls_fail(reterr, MLS_ERR_SPEC_INVALID,
                                      "cannot read the specification: no valid protobuf at byte %zu", at);
    mls_error_at(reterr, NULL, (int64_t)at);
    mls_error_hint(
        reterr,
        "the file is damaged or cut off, or is no Core ML specification: download or export it again");
    return status;
}

enum mls_status spec_read_envelope(struct mls_bytes spec, struct spec_envelope *ret_envelope,
                                   struct mls_error *reterr)
{
    struct spec_envelope envelope = {0};
    struct mls_cursor cursor = mls_cursor_over(spec.data, spec.size_bytes);
    while (mls_cursor_left(&cursor)) {
        size_t start = cursor.at;
        struct field field;
        if (!read_field_head(&cursor, &field))
            return broken(start, reterr);
        mls_cursor_take(&cursor, field.bytes.size_bytes);
        bool is_message = field.wire_type == WIRE_BYTES;
        if (field.number == FIELD_VERSION && field.wire_type == WIRE_VARINT) {
            envelope.version = (int32_t)field.varint;
        } else if (field.number == FIELD_DESCRIPTION && is_message) {
            if (envelope.description.data)
                return broken(start, reterr);
            envelope.description = field.bytes;
        } else if (is_message && field.number != FIELD_IS_UPDATABLE && field.number != FIELD_VERSION) {
            if (envelope.type_number)
                return broken(start, reterr);
            envelope.type_number = field.number;
            envelope.type_name = package_model_type_name(field.number);
            envelope.content = field.bytes;
        }
    }
    *ret_envelope = envelope;
    return MLS_OK;
}

enum mls_status pb_each_message(struct mls_bytes message, struct mls_bytes spec, uint32_t number,
                                enum mls_status (*visit)(void *user, struct mls_bytes content,
                                                         struct mls_error *reterr),
                                void *user, struct mls_error *reterr)
{
    struct mls_cursor cursor = mls_cursor_over(message.data, message.size_bytes);
    while (mls_cursor_left(&cursor)) {
        size_t start = (size_t)(cursor.base - spec.data) + cursor.at;
        struct field field;
        if (!read_field_head(&cursor, &field))
            return broken(start, reterr);
        if (field.wire_type == WIRE_BYTES)
            mls_cursor_take(&cursor, field.bytes.size_bytes);
        enum mls_status status =
            field.number == number && field.wire_type == WIRE_BYTES ? visit(user, field.bytes, reterr) : MLS_OK;
        if (status)
            return status;
    }
    return MLS_OK;
}

/* Goes through the message and those in it that protobuf-c will go through. */
static enum mls_status check_form(const ProtobufCMessageDescriptor *descriptor, struct mls_bytes message,
                                  struct mls_bytes spec, struct mls_error *reterr)
{
    struct {
        const ProtobufCMessageDescriptor *descriptor;
        struct mls_cursor cursor;
    } levels[DEPTH_MAX];
    unsigned depth = 0;
    levels[0].descriptor = descriptor;
    levels[0].cursor = mls_cursor_over(message.data, message.size_bytes);
    for (;;) {
        struct mls_cursor *cursor = &levels[depth].cursor;
        if (!mls_cursor_left(cursor)) {
            if (depth-- == 0)
                return MLS_OK;
            continue;
        }
        size_t start = (size_t)(cursor->base - spec.data) + cursor->at;
        struct field field;
        if (!read_field_head(cursor, &field))
            return broken(start, reterr);
        if (field.wire_type != WIRE_BYTES)
            continue;
        mls_cursor_take(cursor, field.bytes.size_bytes);
        const ProtobufCFieldDescriptor *known =
            protobuf_c_message_descriptor_get_field(levels[depth].descriptor, field.number);
        if (!known || known->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (++depth == DEPTH_MAX) {
            enum mls_status status =
                mls_fail(reterr, MLS_ERR_LIMIT,
                         "cannot read the specification: messages are nested deeper than %d (byte %zu)",
                         DEPTH_MAX, start);
            mls_error_at(reterr, NULL, (int64_t)start);
            return status;
        }
        levels[depth].descriptor = known->descriptor;
        levels[depth].cursor = mls_cursor_over(field.bytes.data, field.bytes.size_bytes);
    }
}

/* ---- Memory ---------------------------------------------------------------------------------- */

bool pb_memory_keeps(size_t size_bytes)
{
    return size_bytes >= KEEP_BYTES;
}

static void *take(void *user, size_t size_bytes)
{
    struct pb_memory *memory = user;
    struct mls_arena *arena = pb_memory_keeps(size_bytes) ? memory->kept : memory->scratch;
    void *piece = NULL;
    if (size_bytes <= memory->limit_bytes - memory->taken_bytes)
        piece = mls_arena_alloc(arena, size_bytes, ALIGN);
    if (piece)
        memory->taken_bytes += size_bytes;
    memory->exhausted |= !piece;
    return piece;
}

/* The arenas free everything at once. */
static void give_back(void *user, void *piece)
{
    (void)user;
    (void)piece;
}

void pb_memory_init(struct pb_memory *memory, struct mls_arena *kept, size_t limit_bytes)
{
    *memory = (struct pb_memory){
        .scratch = mls_arena_create_beside(kept), .kept = kept, .limit_bytes = limit_bytes};
    memory->allocator = (ProtobufCAllocator){.alloc = take, .free = give_back, .allocator_data = memory};
}

void pb_memory_done(struct pb_memory *memory)
{
    mls_arena_free(memory->scratch);
    memory->scratch = NULL;
}

enum mls_status pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct mls_bytes message,
                          struct mls_bytes spec, struct pb_memory *memory, ProtobufCMessage **ret_message,
                          struct mls_error *reterr)
{
    enum mls_status status = check_form(descriptor, message, spec, reterr);
    if (status)
        return status;
    ProtobufCMessage *unpacked =
        protobuf_c_message_unpack(descriptor, &memory->allocator, message.size_bytes, message.data);
    if (!unpacked && memory->exhausted)
        return mls_fail(
            reterr, MLS_ERR_LIMIT,
            "cannot read the specification: it unpacks to far more than its size, or memory ran out");
    if (!unpacked)
        return broken((size_t)(message.data - spec.data), reterr);
    *ret_message = unpacked;
    return MLS_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

enum { VARINT_BYTES_MAX = 10 };

static size_t put_varint(uint8_t *ret_bytes, uint64_t value)
{
    size_t n = 0;
    do {
        ret_bytes[n++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value);
    return n;
}

struct mls_bytes pb_envelope_write(struct mls_bytes spec, int32_t version, const ProtobufCMessage *program,
                                   struct mls_arena *arena)
{
    size_t program_bytes = protobuf_c_message_get_packed_size(program), capacity;
    if (!mls_add_size(spec.size_bytes, program_bytes, &capacity) ||
        !mls_add_size(capacity, 4 * VARINT_BYTES_MAX, &capacity))
        return (struct mls_bytes){NULL, 0};
    uint8_t *bytes = mls_arena_alloc(arena, capacity, ALIGN);
    if (!bytes)
        return (struct mls_bytes){NULL, 0};
    size_t at = put_varint(bytes, FIELD_VERSION << 3 | WIRE_VARINT);
    at += put_varint(bytes + at, (uint64_t)version);
    struct mls_cursor cursor = mls_cursor_over(spec.data, spec.size_bytes);
    struct field field;
    while (mls_cursor_left(&cursor)) {
        size_t start = cursor.at;
        if (!read_field_head(&cursor, &field))
            break;
        mls_cursor_take(&cursor, field.bytes.size_bytes);
        if (field.number == FIELD_VERSION || field.number == FIELD_PROGRAM)
            continue;
        memcpy(bytes + at, spec.data + start, cursor.at - start);
        at += cursor.at - start;
    }
    at += put_varint(bytes + at, FIELD_PROGRAM << 3 | WIRE_BYTES);
    at += put_varint(bytes + at, program_bytes);
    at += protobuf_c_message_pack(program, bytes + at);
    return (struct mls_bytes){bytes, at};
}
