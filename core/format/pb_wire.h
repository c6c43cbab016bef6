/*
 * pb_wire.h: the specification's bytes before protobuf-c sees them, and the memory that it unpacks into.
 * protobuf-c calls itself for each nested message and takes memory for each; both are bounded here, by a walk
 * over the bytes that keeps its own stack and by counting what is taken.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "core/package.h"

/*
 * pb_memory: where protobuf-c allocates. Small pieces go into an arena of its own, freed after reading; large
 * ones, which are the content of constants, into the model's, so that they can be used there without another
 * copy.
 */
struct pb_memory {
    struct mls_arena *scratch;
    struct mls_arena *kept;
    size_t limit_bytes; /* of both together */
    size_t taken_bytes;
    bool exhausted;
    ProtobufCAllocator allocator;
};

/* pb_memory_init: `kept` is borrowed. scratch is NULL when out of memory. */
void pb_memory_init(struct pb_memory *memory, struct mls_arena *kept, size_t limit_bytes);
void pb_memory_done(struct pb_memory *memory);
/* pb_memory_keeps: whether a piece of this size lies in the kept arena. */
bool pb_memory_keeps(size_t size_bytes);

/*
 * pb_each_message: calls `visit` with each field `number` of a message that lies in `spec` and has a length, in order, until
 * one fails. SPEC_INVALID with the byte where the message breaks.
 */
enum mls_status pb_each_message(struct mls_bytes message, struct mls_bytes spec, uint32_t number,
                                enum mls_status (*visit)(void *user, struct mls_bytes content, struct mls_error *reterr),
                                void *user, struct mls_error *reterr);

/*
 * pb_unpack: checks form and nesting of a message that lies in `spec`, then unpacks it. SPEC_INVALID with the
 * byte where it breaks, LIMIT when it nests too deep or unpacks to too much.
 */
enum mls_status pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct mls_bytes message,
                          struct mls_bytes spec, struct pb_memory *memory, ProtobufCMessage **ret_message,
                          struct mls_error *reterr);

/*
 * pb_envelope_write: the outermost message with another version and another program, everything else as it was, into
 * `arena`. No data when out of memory.
 */
struct mls_bytes pb_envelope_write(struct mls_bytes spec, int32_t version, const ProtobufCMessage *program,
                                   struct mls_arena *arena);
