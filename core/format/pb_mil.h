/* pb_mil.h: what the readers of a program share. Only pb_*.c files include it. */
#pragma once

#include "format/pb_wire.h"
#include "format/program.h"
#include "mil.pb-c.h"

/* pb_text: a copy in the arena; NULL when out of memory. */
const char *pb_text(struct mls_arena *arena, const char *text);

/* pb_read_type: PROGRAM_INVALID when it is none, OP_UNSUPPORTED for tuples and element types that we lack. */
enum mls_status pb_read_type(const Pb__ValueType *message, struct mls_type *ret_type,
                             struct mls_error *reterr);

/*
 * pb_read_constant: a value of the file, its elements in the storage of their type. The content of one in a
 * weight file is left to blobs. Lists: the content of their elements, one after the other.
 */
enum mls_status pb_read_constant(struct program_reader *reader, const Pb__Value *message,
                                 struct mls_type *ret_type, const struct mls_constant **ret_constant,
                                 struct mls_error *reterr);

/* pb_read_program: functions `names` first, in this order, then the others by name. Fills reader->blobs. */
enum mls_status pb_read_program(struct program_reader *reader, const Pb__Program *message,
                                const char *const *names, size_t n_names, struct mls_program *ret_program,
                                struct mls_error *reterr);
