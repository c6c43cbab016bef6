/* pb_mil.h: what the readers of a program share. Only pb_*.c files include it. */
#pragma once

#include "format/pb_wire.h"
#include "format/program.h"
#include "mil.pb-c.h"

/* pb_text: a copy in the arena; NULL when out of memory. */
const char *pb_text(struct mls_arena *arena, const char *text);

/* pb_dtype_number: how programs number an element type; 0 for none. */
int32_t pb_dtype_number(enum mls_dtype dtype);

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

/* pb_read_one_function: the function called `name` alone, as number `id`, and what it adds to reader->blobs. */
enum mls_status pb_read_one_function(struct program_reader *reader, const Pb__Program *message, const char *name,
                                     mls_function_id id, struct mls_function *ret_function,
                                     struct mls_error *reterr);

/* pb_read_program: functions `names` first, in this order, then the others by name. Fills reader->blobs. */
enum mls_status pb_read_program(struct program_reader *reader, const Pb__Program *message,
                                const char *const *names, size_t n_names, struct mls_program *ret_program,
                                struct mls_error *reterr);

/* pb_order_functions: the functions in the order in which pb_read_program goes through them; sources are their entries. */
enum mls_status pb_order_functions(struct mls_arena *arena, const Pb__Program *message, const char *const *names,
                                   size_t n_names, struct program_function **ret_order, struct mls_error *reterr);

/* pb_find_body: the block that is a function's body: the one of its opset; NULL when there is none. */
const Pb__Block *pb_find_body(const Pb__Function *message);
