/* piece.c: what passes work on: operations of one block without control flow between them, from inference to steps. */
#include "plan/builder.h"

#include <stdlib.h>
#include <string.h>

static struct builder *builder_of(struct piece_host *host)
{
    return (struct builder *)(void *)((char *)host - offsetof(struct builder, host));
}

static uint32_t add_constant(struct piece_host *host, const struct piece_constant *constant)
{
    struct builder *builder = builder_of(host);
    const struct mls_program *program = builder_program(builder);
    size_t capacity = (size_t)program->n_values + PLAN_MADE_PER_OP * (size_t)program->n_ops;
    if (builder->plan->n_slots >= capacity)
        return PIECE_NONE;
    uint32_t slot = builder_add_slot(builder, constant->name, &constant->type, PLAN_CONSTANT);
    memcpy(&builder->plan->slots[slot].tensor.data, &constant->data, sizeof constant->data);
    builder->plan->slots[slot].shape_free = constant->shape_free;
    builder->piece.values[slot].constant = true;
    builder->piece.values[slot].shape_free = constant->shape_free;
    return slot;
}

static void *constant_memory(struct piece_host *host, const struct mls_op *op, enum piece_made which, size_t bytes,
                             bool shape_free, bool *ret_fresh)
{
    enum { ALIGN = 64 };
    struct builder *builder = builder_of(host);
    struct plan_shared *shared = builder->shared;
    *ret_fresh = true;
    if (!shape_free)
        return mls_arena_alloc(builder->plan->arena, bytes, ALIGN);
    struct plan_made **list = &shared->made[op - builder_program(builder)->ops];
    for (struct plan_made *made = *list; made; made = made->next) {
        if (made->which == which) {
            *ret_fresh = false;
            return made->data;
        }
    }
    struct plan_made *made = MLS_NEW(shared->arena, struct plan_made);
    if (!made || !(made->data = mls_arena_alloc(shared->arena, bytes, ALIGN)))
        return NULL;
    made->which = which;
    made->next = *list;
    *list = made;
    shared->packed_bytes += bytes;
    return made->data;
}

void plan_piece_begin(struct builder *builder)
{
    builder->host = (struct piece_host){.add_constant = add_constant, .memory = constant_memory};
    builder->piece.arena = builder->plan->arena;
    builder->piece.program = builder_program(builder);
    builder->piece.kernels = &builder->shared->kernels;
    builder->piece.host = &builder->host;
}

/* Whether a value from elsewhere lies in memory that nothing here changes. */
static bool is_steady(const struct builder *builder, uint32_t index)
{
    const struct plan_slot *slot = &builder->plan->slots[plan_root(builder->plan, index)];
    if (slot->storage == PLAN_ARENA)
        return slot->loop_body.i == MLS_NO_INDEX;
    return slot->storage == PLAN_CONSTANT || slot->storage == PLAN_INPUT;
}

enum mls_status plan_piece_add(struct builder *builder, const struct piece_node *node)
{
    struct piece *piece = &builder->piece;
    if (piece->n_nodes == piece->capacity) {
        uint32_t capacity = piece->capacity ? 2 * piece->capacity : 256;
        struct piece_node **nodes = reallocarray(piece->nodes, capacity, sizeof *nodes);
        if (!nodes)
            return builder_out_of_memory(builder);
        piece->nodes = nodes;
        piece->capacity = capacity;
    }
    struct piece_node *kept = MLS_NEW(piece->arena, struct piece_node);
    if (!kept)
        return builder_out_of_memory(builder);
    *kept = *node;
    kept->position = piece->n_nodes;
    piece->nodes[piece->n_nodes++] = kept;
    for (uint32_t i = 0; i < node->n_arguments; i++) {
        for (uint32_t j = 0; j < node->arguments[i].n; j++) {
            struct piece_value *value = &piece->values[node->arguments[i].values[j]];
            const struct plan_slot *slot = &builder->plan->slots[node->arguments[i].values[j]];
            value->constant = slot->storage == PLAN_CONSTANT;
            value->shape_free = value->constant && slot->shape_free;
            value->steady = !value->producer && is_steady(builder, node->arguments[i].values[j]);
        }
    }
    for (uint32_t i = 0; i < node->call.n_outputs; i++)
        piece->values[node->outputs[i]].producer = kept;
    return MLS_OK;
}

static enum mls_status make_step(struct builder *builder, struct piece_node *node)
{
    if (node->removed)
        return MLS_OK;
    enum mls_status status = plan_pack(builder, node);
    if (!status && builder_emit(builder, node) == PLAN_NONE)
        status = builder_out_of_memory(builder);
    return status;
}

enum mls_status plan_piece(struct builder *builder)
{
    struct piece *piece = &builder->piece;
    const struct mls_progress *progress = builder->shared->progress;
    mls_progress_at(progress, MLS_STAGE_PASSES, 0, 1);
    pass_run_all(piece, builder->shared->passes_off, builder->plan->touched);
    mls_progress_at(progress, MLS_STAGE_SHAPES, 0, 1);
    enum mls_status status = piece->out_of_memory ? builder_out_of_memory(builder) : MLS_OK;
    for (uint32_t i = 0; !status && i < piece->n_nodes; i++)
        status = make_step(builder, piece->nodes[i]);
    for (uint32_t i = 0; i < piece->n_nodes; i++)
        for (uint32_t j = 0; j < piece->nodes[i]->call.n_outputs; j++)
            piece->values[piece->nodes[i]->outputs[j]].producer = NULL;
    piece->n_nodes = 0;
    return status;
}
