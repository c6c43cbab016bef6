/* builder.h: what the files that make a plan share. A builder lives while one plan is built. */
#pragma once

#include "base/limits.h"
#include "pass/pass.h"
#include "plan/plan.h"

struct slot_list {
    uint32_t *items;
    size_t n;
    size_t capacity;
};

/* A block being walked. frames[0] is the function's own block. */
struct frame {
    mls_block_id block;
    uint32_t control; /* step that runs it, or PLAN_NONE */
    const char *path; /* "main/while_loop_0.body" */
    struct slot_list
        escapes; /* slots of outer blocks that are read in here: they must outlive the control step */
};

struct builder {
    struct plan_shared *shared;
    struct mls_plan *plan;
    uint32_t *slot_of_value;
    bool *live;             /* by op index: its results matter */
    uint32_t *n_uses;       /* by value index: by operations that matter, and as a block's output */
    uint32_t *n_coded_uses; /* by value index: those that take a compressed constant as it is */
    struct frame frames[MLS_LIMIT_BLOCK_DEPTH + 1];
    uint32_t depth;
    struct piece piece;     /* operations that are inferred and have no step yet */
    struct piece_host host; /* of the piece */
    struct mls_error *error; /* never NULL */
};

const struct mls_program *builder_program(const struct builder *builder);
const struct mls_function *builder_function(const struct builder *builder);
enum mls_status builder_out_of_memory(struct builder *builder);
/* builder_within_limit: MEMORY, with the number needed, when what was made of the weights and this much more
 * pass the session's limit. */
enum mls_status builder_within_limit(struct builder *builder, uint64_t more_bytes);
enum mls_status builder_fail(struct builder *builder, const struct mls_op *op, enum mls_status status,
                             const char *reason);

/* builder_add_slot: a fresh slot of the block at hand; PLAN_NONE never: the table has room for every value.
 */
uint32_t builder_add_slot(struct builder *builder, const char *name, const struct mls_type *type,
                          enum plan_storage storage);

/* builder_slot: the slot of a value that is visible here; constants get theirs on first sight. PLAN_NONE out
 * of memory. */
uint32_t builder_slot(struct builder *builder, mls_value_id value);

/* builder_use: notes that a step reads a slot. */
bool builder_use(struct builder *builder, uint32_t slot, uint32_t step);

/* builder_widen: the type in force for a declared one: fp32 in place of fp16 under high precision. */
struct mls_type builder_widen(const struct builder *builder, struct mls_type type);

/* builder_planned_storage: where a value of this type lies: arena when its size is known, else the heap. */
enum plan_storage builder_planned_storage(const struct mls_type *type);

/* builder_work: wires up an operation: arguments from slots, fresh outputs with their declared types. */
enum mls_status builder_work(struct builder *builder, mls_op_id op, struct piece_node *ret_work);

/* builder_emit: adds the step of a wired operation; returns its index, or PLAN_NONE out of memory. */
uint32_t builder_emit(struct builder *builder, const struct piece_node *work);

/* builder_walk: plans the operations of a block as part of the block at hand. */
enum mls_status builder_walk(struct builder *builder, const struct mls_block *block);

/* builder_block: plans the operations of a nested block under a control step. Adds the outer slots it reads
 * to captured. */
enum mls_status builder_block(struct builder *builder, mls_block_id block, uint32_t control,
                              const char *label, struct plan_block *ret_block, struct slot_list *captured);

/* plan_control: plans while_loop and cond (control.c). */
enum mls_status plan_control(struct builder *builder, mls_op_id op);

/* plan_fold: computes an operation on constants now (constant.c). *ret_folded false: it has to run in each
 * prediction. */
enum mls_status plan_fold(struct builder *builder, struct piece_node *work, bool *ret_folded);
/* plan_folded_before: takes the results of an earlier plan, where they do not depend on shapes. */
bool plan_folded_before(struct builder *builder, mls_op_id op);
/* plan_keep_coded: lets a compressed constant stand as it is stored, where all its users take it so. */
enum mls_status plan_keep_coded(struct builder *builder, struct piece_node *work, bool *ret_kept);
/* plan_decompress_inputs: computes those inputs of an operation that were kept so, since it cannot take them so. */
enum mls_status plan_decompress_inputs(struct builder *builder, const struct mls_op *op);
/* plan_constant: fills a slot from the program's constant; false when out of memory. */
bool plan_constant(struct builder *builder, uint32_t slot, mls_value_id value);
/* plan_pack: the packed weights of an operation, made on first need. */
enum mls_status plan_pack(struct builder *builder, struct piece_node *work);

/* plan_piece_begin: an empty piece (piece.c). plan_piece_add: puts an operation at its end. plan_piece: runs the passes over
 * what is there, and makes steps of it. */
void plan_piece_begin(struct builder *builder);
enum mls_status plan_piece_add(struct builder *builder, const struct piece_node *node);
enum mls_status plan_piece(struct builder *builder);

/* plan_describe: fills the public description of a fresh step; false when out of memory (describe.c). */
bool plan_describe(struct builder *builder, const struct piece_node *work, uint32_t index);
/* plan_describe_fused: adds an operation that the step does too, on its own result in place of `param`. */
bool plan_describe_fused(struct builder *builder, const struct piece_node *work, unsigned param, uint32_t index);

/* plan_mark_live: finds the operations whose results matter, and counts uses; false when out of memory
 * (live.c). */
bool plan_mark_live(struct builder *builder);
