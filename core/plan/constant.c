/* constant.c: what is known before the run: constants of the file, operations on constants, packed weights.
 */
#include "plan/builder.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fp16.h"
#include "base/limits.h"
#include "kernels/matvec/panels.h"

enum { FOLD_ALWAYS_BYTES = 64 * 1024, WEIGHT_ALIGN = 64 };

/* fp16 constants under high precision: converted once for the session. */
static const void *widened(struct builder *builder, mls_value_id value, const struct mls_constant *constant)
{
    struct plan_shared *shared = builder->shared;
    if (shared->folded[value.i])
        return shared->folded[value.i];
    size_t n = constant->size_bytes / sizeof(uint16_t);
    float *wide = mls_arena_array(shared->arena, n, sizeof *wide, WEIGHT_ALIGN);
    if (!wide)
        return NULL;
    const uint16_t *half = constant->data;
    for (size_t i = 0; i < n; i++)
        wide[i] = mls_fp16_to_fp32(half[i]);
    shared->packed_bytes += n * sizeof *wide;
    shared->folded[value.i] = wide;
    return wide;
}

bool plan_constant(struct builder *builder, uint32_t slot, mls_value_id value)
{
    const struct mls_value *source = &builder_program(builder)->values[value.i];
    struct plan_slot *target = &builder->plan->slots[slot];
    const void *data = source->constant->data;
    if (target->tensor.type.dtype != source->type.dtype) {
        data = widened(builder, value, source->constant);
        if (!data)
            return false;
    }
    /* constants are never written: no row writes to an input, and outputs never lie on constants */
    memcpy(&target->tensor.data, &data, sizeof data);
    target->shape_free = true;
    return true;
}

static bool all_known(const struct builder *builder, const struct piece_node *work, bool *ret_shape_free,
                      size_t *ret_input_bytes)
{
    *ret_shape_free = true;
    *ret_input_bytes = 0;
    for (uint32_t i = 0; i < work->n_arguments; i++) {
        for (uint32_t j = 0; j < work->arguments[i].n; j++) {
            const struct plan_slot *slot = &builder->plan->slots[work->arguments[i].values[j]];
            bool known = slot->storage == PLAN_CONSTANT ||
                         ((work->row->flags & MLS_OP_TYPE_ONLY) && mls_type_is_static(&slot->tensor.type));
            if (!known)
                return false;
            *ret_shape_free = *ret_shape_free && slot->storage == PLAN_CONSTANT && slot->shape_free;
            size_t bytes = mls_type_bytes(&slot->tensor.type);
            if (!mls_add_size(*ret_input_bytes, bytes, ret_input_bytes))
                return false;
        }
    }
    return true;
}

static bool worth_folding(const struct piece_node *work, size_t input_bytes, size_t *ret_output_bytes)
{
    size_t total = 0;
    for (uint32_t i = 0; i < work->call.n_outputs; i++) {
        const struct mls_type *type = &work->call.outputs[i]->type;
        if (type->kind != MLS_KIND_TENSOR || !mls_type_is_static(type) ||
            !mls_add_size(total, mls_type_bytes(type), &total))
            return false;
    }
    *ret_output_bytes = total;
    return (work->row->flags & MLS_OP_CONSTEXPR) || total <= FOLD_ALWAYS_BYTES || total <= input_bytes;
}

/* Weights of which there is another copy now, packed or decompressed, need not stay in memory. */
static void release_weights(const struct builder *builder, const struct piece_node *work)
{
    if (!builder->shared->model->package)
        return;
    for (uint32_t i = 0; i < work->n_arguments; i++) {
        for (uint32_t j = 0; j < work->arguments[i].n; j++) {
            const struct plan_slot *slot = &builder->plan->slots[work->arguments[i].values[j]];
            size_t bytes = mls_type_bytes(&slot->tensor.type);
            const struct mls_coded *coded = slot->tensor.coded;
            if (coded && coded->codes_bytes >= FOLD_ALWAYS_BYTES)
                mls_package_done_with(builder->shared->model->package, coded->codes, coded->codes_bytes);
            if (slot->storage == PLAN_CONSTANT && slot->tensor.data && bytes != SIZE_MAX &&
                bytes >= FOLD_ALWAYS_BYTES)
                mls_package_done_with(builder->shared->model->package, slot->tensor.data, bytes);
        }
    }
}

static enum mls_status run_now(struct builder *builder, struct piece_node *work, struct mls_arena *arena)
{
    struct mls_op_call *call = &work->call;
    for (uint32_t i = 0; i < call->n_outputs; i++) {
        call->outputs[i]->data =
            mls_arena_alloc(arena, mls_type_bytes(&call->outputs[i]->type), WEIGHT_ALIGN);
        if (!call->outputs[i]->data)
            return builder_out_of_memory(builder);
    }
    struct mls_heap heap = {0};
    uint64_t random_state = 0;
    struct mls_op_env env = {.exact = builder->shared->precision == MLS_PRECISION_HIGH,
                             .kernels = &builder->shared->kernels,
                             .pool = builder->shared->pool,
                             .heap = &heap,
                             .random_state = &random_state,
                             .error = builder->error};
    size_t packed_bytes, rounded;
    enum mls_status status = MLS_OK;
    if (work->row->pack) /* into the plan's arena: it is used this once */
        status = work->row->pack(call, &env, builder->plan->arena, &call->packed, &packed_bytes);
    if (status)
        return status;
    size_t scratch_bytes = work->row->scratch_bytes ? work->row->scratch_bytes(call, &env) : 0;
    if (!mls_align_up(scratch_bytes, WEIGHT_ALIGN, &rounded))
        return builder_out_of_memory(builder);
    call->scratch = rounded ? aligned_alloc(WEIGHT_ALIGN, rounded) : NULL;
    if (rounded && !call->scratch)
        return builder_out_of_memory(builder);
    status = work->row->run(call, &env);
    free(call->scratch);
    call->scratch = NULL;
    call->packed = NULL;
    return status;
}

enum mls_status plan_fold(struct builder *builder, struct piece_node *work, bool *ret_folded)
{
    const uint32_t never = MLS_OP_STATEFUL | MLS_OP_CONTROL | MLS_OP_ALLOCATES | MLS_OP_ALIAS_STATE;
    bool shape_free;
    size_t input_bytes, output_bytes;
    *ret_folded = false;
    if ((work->row->flags & never) || !all_known(builder, work, &shape_free, &input_bytes) ||
        !worth_folding(work, input_bytes, &output_bytes))
        return MLS_OK;
    struct plan_shared *shared = builder->shared;
    enum mls_status status = builder_within_limit(builder, output_bytes);
    if (status)
        return status;
    mls_progress_at(shared->progress, MLS_STAGE_WEIGHTS, 0, 1);
    status = run_now(builder, work, shape_free ? shared->arena : builder->plan->arena);
    mls_progress_at(shared->progress, MLS_STAGE_SHAPES, 0, 1);
    if (status)
        return status;
    for (uint32_t i = 0; i < work->call.n_outputs; i++) {
        struct plan_slot *slot = &builder->plan->slots[work->outputs[i]];
        slot->storage = PLAN_CONSTANT;
        slot->shape_free = shape_free;
        if (shape_free) {
            shared->folded[work->op->outputs[i].i] = slot->tensor.data;
            shared->folded_types[work->op->outputs[i].i] = slot->tensor.type;
        }
    }
    if (shape_free) {
        shared->packed_bytes += output_bytes;
        release_weights(builder, work);
    }
    *ret_folded = true;
    return MLS_OK;
}

/* The output that is described in its stored form; those before it, masks, are the first parameters as they are. */
static uint32_t coded_output(const struct piece_node *work)
{
    return work->call.n_outputs - 1;
}

static bool takes_coded(const struct builder *builder, const struct piece_node *work)
{
    bool shape_free;
    size_t input_bytes;
    if (!(work->row->flags & MLS_OP_CONSTEXPR) || !work->row->code || !work->call.n_outputs ||
        builder->shared->weights == MLS_WEIGHTS_DENSE)
        return false;
    mls_value_id value = work->op->outputs[coded_output(work)];
    return builder->n_coded_uses[value.i] == builder->n_uses[value.i] &&
           all_known(builder, work, &shape_free, &input_bytes) && shape_free;
}

static void keep_as_constant(struct plan_slot *slot)
{
    slot->storage = PLAN_CONSTANT;
    slot->shape_free = true;
}

enum mls_status plan_keep_coded(struct builder *builder, struct piece_node *work, bool *ret_kept)
{
    struct plan_shared *shared = builder->shared;
    *ret_kept = false;
    if (!takes_coded(builder, work))
        return MLS_OK;
    uint32_t last = coded_output(work);
    const struct mls_coded **known = &shared->coded[work->op->outputs[last].i];
    if (!*known) {
        struct mls_coded *coded = MLS_NEW(shared->arena, struct mls_coded);
        struct mls_panels ignored;
        if (!coded)
            return builder_out_of_memory(builder);
        if (!work->row->code(&work->call, shared->arena, coded) ||
            !(mls_panels_plan(coded, false, &ignored) || mls_panels_plan(coded, true, &ignored)))
            return MLS_OK;
        *known = coded;
    }
    for (uint32_t i = 0; i < last; i++) {
        keep_as_constant(&builder->plan->slots[work->outputs[i]]);
        work->call.outputs[i]->data = mls_op_in(&work->call, i)->data;
    }
    keep_as_constant(&builder->plan->slots[work->outputs[last]]);
    work->call.outputs[last]->coded = *known;
    *ret_kept = true;
    return MLS_OK;
}

/* Computes a constant that was kept compressed, for an operation that cannot take it so; its slot stays. */
static enum mls_status decompress(struct builder *builder, mls_value_id value)
{
    uint32_t n_slots = builder->plan->n_slots;
    const struct mls_op *op = &builder_program(builder)->ops[builder_program(builder)->values[value.i].producer.i];
    uint32_t *slots = MLS_NEW_ARRAY(builder->plan->arena, op->n_outputs, uint32_t);
    struct piece_node work;
    if (!slots)
        return builder_out_of_memory(builder);
    for (uint32_t i = 0; i < op->n_outputs; i++)
        slots[i] = builder->slot_of_value[op->outputs[i].i];
    enum mls_status status = plan_decompress_inputs(builder, op);
    if (!status)
        status = builder_work(builder, builder_program(builder)->values[value.i].producer, &work);
    for (uint32_t i = 0; !status && i < op->n_outputs; i++) { /* not the new slots, but those that are known */
        builder->slot_of_value[op->outputs[i].i] = slots[i];
        work.outputs[i] = slots[i];
        work.call.outputs[i] = &builder->plan->slots[slots[i]].tensor;
        work.call.outputs[i]->coded = NULL;
        work.call.outputs[i]->data = NULL;
    }
    builder->plan->n_slots = n_slots;
    bool folded = false;
    if (!status)
        status = plan_fold(builder, &work, &folded);
    return status || folded ? status : builder_fail(builder, op, MLS_ERR_INTERNAL, "it was not computed");
}

enum mls_status plan_decompress_inputs(struct builder *builder, const struct mls_op *op)
{
    enum mls_status status = MLS_OK;
    for (uint32_t i = 0; !status && i < op->n_arguments; i++)
        for (uint32_t j = 0; !status && j < op->arguments[i].n_values; j++) {
            uint32_t slot = builder->slot_of_value[op->arguments[i].values[j].i];
            if (slot != PLAN_NONE && builder->plan->slots[slot].tensor.coded &&
                !builder->plan->slots[slot].tensor.data)
                status = decompress(builder, op->arguments[i].values[j]);
        }
    return status;
}

bool plan_folded_before(struct builder *builder, mls_op_id op_id)
{
    const struct mls_op *op = &builder_program(builder)->ops[op_id.i];
    const struct plan_shared *shared = builder->shared;
    for (uint32_t i = 0; i < op->n_outputs; i++)
        if (!shared->folded[op->outputs[i].i])
            return false;
    for (uint32_t i = 0; i < op->n_outputs; i++) {
        mls_value_id value = op->outputs[i];
        const char *name = builder_program(builder)->values[value.i].name;
        uint32_t slot = builder_add_slot(builder, name, &shared->folded_types[value.i], PLAN_CONSTANT);
        memcpy(&builder->plan->slots[slot].tensor.data, &shared->folded[value.i], sizeof(void *));
        builder->plan->slots[slot].shape_free = true;
        builder->slot_of_value[value.i] = slot;
    }
    return op->n_outputs > 0;
}

/* Packing may look at every constant operand, so it is shared between plans only if none depends on input
 * shapes. */
static bool packs_for_session(const struct builder *builder, const struct piece_node *work)
{
    for (uint32_t i = 0; i < work->n_arguments; i++) {
        for (uint32_t j = 0; j < work->arguments[i].n; j++) {
            const struct plan_slot *slot = &builder->plan->slots[work->arguments[i].values[j]];
            if (slot->storage == PLAN_CONSTANT && !slot->shape_free)
                return false;
        }
    }
    return true;
}

/* Weights that are kept compressed have no plain form that could be computed with. */
static bool has_coded(const struct builder *builder, const struct piece_node *work)
{
    for (uint32_t i = 0; i < work->n_arguments; i++)
        for (uint32_t j = 0; j < work->arguments[i].n; j++)
            if (builder->plan->slots[work->arguments[i].values[j]].tensor.coded)
                return true;
    return false;
}

static enum mls_status pack_into(struct builder *builder, struct piece_node *work, struct mls_arena *arena,
                                 struct plan_packed *packed)
{
    struct plan_shared *shared = builder->shared;
    struct mls_heap heap = {0};
    struct mls_op_env env = {.exact = shared->precision == MLS_PRECISION_HIGH,
                             .kernels = &shared->kernels,
                             .pool = shared->pool,
                             .heap = &heap,
                             .weights = shared->weights,
                             .error = builder->error};
    mls_progress_at(shared->progress, MLS_STAGE_PREPARE, 0, 1);
    enum mls_status status = work->row->pack(&work->call, &env, arena, &packed->data, &packed->bytes);
    bool go_on = mls_progress_at(shared->progress, MLS_STAGE_SHAPES, 0, 1);
    if (!status && !go_on)
        return mls_fail(builder->error, MLS_ERR_CANCELLED, "loading was cancelled");
    return status;
}

enum mls_status plan_pack(struct builder *builder, struct piece_node *work)
{
    struct plan_shared *shared = builder->shared;
    size_t kind = work->row->pack_kind ? work->row->pack_kind(&work->call) : 0;
    if (work->rewritten)
        kind += MLS_PACK_KINDS;
    struct plan_packed own = {0};
    struct plan_packed *packed =
        &shared->packed[(size_t)(work->op - builder_program(builder)->ops) * 2 * MLS_PACK_KINDS + kind];
    bool for_session = packs_for_session(builder, work);
    if (!work->row->pack || (!for_session && !has_coded(builder, work)))
        return MLS_OK;
    if (!for_session)
        packed = &own;
    if (!packed->done) {
        enum mls_status status =
            pack_into(builder, work, for_session ? shared->arena : builder->plan->arena, packed);
        if (status)
            return status;
        if (for_session && packed->bytes >= FOLD_ALWAYS_BYTES)
            release_weights(builder, work);
        packed->done = true;
        shared->packed_bytes += for_session ? packed->bytes : 0;
    }
    work->call.packed = packed->data;
    return MLS_OK;
}
