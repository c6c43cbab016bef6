/*
 * build.h: makes a program out of parts that arrive in file order. The builder numbers values, operations and
 * blocks, and keeps the names that are visible at the point reached. Memory of the result comes from the
 * arena given.
 */
#pragma once

#include "base/arena.h"
#include "core/model.h"

struct ir_builder;

/* ir_builder_create: NULL when out of memory. The arena is borrowed and must outlive the program. */
struct ir_builder *ir_builder_create(struct mls_arena *arena);
/* ir_builder_free: NULL is fine. The finished program stays. */
void ir_builder_free(struct ir_builder *builder);

/*
 * ir_scope_open, _close: names defined between the two are visible between the two; an inner name hides an
 * outer one. Scopes nest at most MLS_LIMIT_BLOCK_DEPTH deep: LIMIT beyond that.
 */
enum mls_status ir_scope_open(struct ir_builder *builder, struct mls_error *reterr);
void ir_scope_close(struct ir_builder *builder);

/*
 * ir_value_add: a value without a name to look up (an immediate argument). `value` is copied.
 * ir_value_define: the same, and makes its name visible in the scope; PROGRAM_INVALID when the scope has the
 * name already.
 */
enum mls_status ir_value_add(struct ir_builder *builder, const struct mls_value *value, mls_value_id *ret_id,
                             struct mls_error *reterr);
enum mls_status ir_value_define(struct ir_builder *builder, const struct mls_value *value,
                                mls_value_id *ret_id, struct mls_error *reterr);

/* ir_value_bind: `name`, which must live in the arena, means a value from here to the end of the scope, whatever it meant. */
enum mls_status ir_value_bind(struct ir_builder *builder, const char *name, mls_value_id value,
                              struct mls_error *reterr);

/* ir_value_find: the value that `name` means here; index MLS_NO_INDEX when there is none. */
mls_value_id ir_value_find(const struct ir_builder *builder, const char *name);

/* ir_value_at: a value, to complete; borrowed until the next value is added. */
struct mls_value *ir_value_at(struct ir_builder *builder, mls_value_id id);

/* ir_op_reserve, ir_block_reserve: the next number; ir_op_set, ir_block_set: its content, copied. */
enum mls_status ir_op_reserve(struct ir_builder *builder, mls_op_id *ret_id, struct mls_error *reterr);
void ir_op_set(struct ir_builder *builder, mls_op_id id, const struct mls_op *op);
enum mls_status ir_block_reserve(struct ir_builder *builder, mls_block_id *ret_id, struct mls_error *reterr);
void ir_block_set(struct ir_builder *builder, mls_block_id id, const struct mls_block *block);

/* ir_finish: the program of everything added; `functions` is borrowed and must live in the arena. */
enum mls_status ir_finish(const struct ir_builder *builder, const struct mls_function *functions,
                          uint32_t n_functions, struct mls_program *ret_program, struct mls_error *reterr);
