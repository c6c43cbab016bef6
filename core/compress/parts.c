#include "compress/parts.h"

#include <string.h>

enum { DEPTH_MAX = 6 }; /* chains of constexpr operations are no longer */

static void add_parts(const struct mls_program *program, const struct mls_op *op, unsigned depth,
                      struct weight_parts *parts)
{
    for (uint32_t i = 0; i < op->n_arguments; i++) {
        for (uint32_t j = 0; j < op->arguments[i].n_values; j++) {
            const struct mls_value *value = &program->values[op->arguments[i].values[j].i];
            const struct mls_constant *constant = value->constant;
            if (!constant) {
                if (value->producer.i != MLS_NO_INDEX && depth < DEPTH_MAX)
                    add_parts(program, &program->ops[value->producer.i], depth + 1, parts);
                continue;
            }
            parts->bytes += constant->size_bytes;
            if (constant->size_bytes > parts->identity_bytes) {
                parts->identity = constant->data;
                parts->identity_bytes = constant->size_bytes;
            }
        }
    }
}

struct weight_parts parts_of(const struct mls_program *program, mls_op_id op)
{
    struct weight_parts parts = {0};
    const struct mls_op *top = &program->ops[op.i];
    if (strcmp(top->type, "const")) {
        add_parts(program, top, 0, &parts);
        return parts;
    }
    const struct mls_constant *constant = program->values[top->outputs[0].i].constant;
    if (constant)
        parts = (struct weight_parts){constant->size_bytes, constant->data, constant->size_bytes};
    return parts;
}

static bool is_unused(const struct mls_program *program, const struct mls_users *users,
                      const struct mls_op *op, const bool *marked)
{
    if (strcmp(op->type, "const") && strncmp(op->type, "constexpr_", 10))
        return false;
    for (uint32_t i = 0; i < op->n_outputs; i++)
        for (uint32_t u = users->first[op->outputs[i].i]; u < users->first[op->outputs[i].i + 1]; u++)
            if (!marked[users->users[u].i])
                return false;
    const struct mls_block *block = &program->blocks[op->block.i];
    for (uint32_t i = 0; i < block->n_outputs; i++)
        for (uint32_t j = 0; j < op->n_outputs; j++)
            if (block->outputs[i].i == op->outputs[j].i)
                return false;
    return true;
}

static void mark(const struct mls_program *program, const struct mls_users *users, mls_op_id op,
                 unsigned depth, bool *marked)
{
    const struct mls_op *top = &program->ops[op.i];
    for (uint32_t i = 0; i < top->n_arguments; i++) {
        for (uint32_t j = 0; j < top->arguments[i].n_values; j++) {
            mls_op_id producer = program->values[top->arguments[i].values[j].i].producer;
            if (producer.i == MLS_NO_INDEX || marked[producer.i] ||
                !is_unused(program, users, &program->ops[producer.i], marked))
                continue;
            marked[producer.i] = true;
            if (depth < DEPTH_MAX)
                mark(program, users, producer, depth + 1, marked);
        }
    }
}

void parts_mark_unused(const struct mls_program *program, const struct mls_users *users, mls_op_id op,
                       bool *marked)
{
    mark(program, users, op, 0, marked);
}
