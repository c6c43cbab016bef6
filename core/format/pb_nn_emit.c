/* pb_nn_emit.c: failing, blobs by name, and operations added to the program. */
#include "format/pb_nn.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

static const mls_value_id no_value = {MLS_NO_INDEX};

/* ---- Failing --------------------------------------------------------------------------------- */

void nn_fail(struct nn *nn, enum mls_status status, const char *format, ...)
{
    if (nn->status)
        return;
    char reason[MLS_ERROR_TEXT_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    if (!nn->layer) {
        nn->status = mls_fail(nn->error, status, "cannot read the network: %s", reason);
        return;
    }
    const struct nn_row *row = nn_find_row(nn->layer->layer_case);
    nn->status = mls_fail(nn->error, status, "cannot load layer '%s' (%s): %s", nn->layer_name,
                          row ? row->name : "unknown", reason);
    mls_error_operation(nn->error, nn->interface->function, nn->layer_name);
}

void nn_no_memory(struct nn *nn)
{
    nn_fail(nn, MLS_ERR_MEMORY, "out of memory");
}

bool nn_check(struct nn *nn, bool condition, const char *reason)
{
    if (!condition)
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "%s", reason);
    return !nn->status;
}

/* ---- Blobs ----------------------------------------------------------------------------------- */

/* A rank that only the run tells here may be told by the file. */
static void take_rank(struct nn *nn, mls_value_id value, Pb__NnTensor *const *tensors, size_t n, size_t i)
{
    struct mls_type *type = &ir_value_at(nn->builder, value)->type;
    uint32_t rank = i < n ? tensors[i]->rank : 0;
    if (type->rank != MLS_RANK_UNKNOWN || rank < 1 || rank > MLS_RANK_MAX)
        return;
    type->rank = (uint8_t)rank;
    for (unsigned d = 0; d < rank; d++)
        type->dims[d] = MLS_DIM_UNKNOWN;
}

mls_value_id nn_input(struct nn *nn, size_t i)
{
    if (nn->status)
        return no_value;
    if (i >= nn->layer->n_input) {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "it has %zu inputs, too few", nn->layer->n_input);
        return no_value;
    }
    mls_value_id value = ir_value_find(nn->builder, nn->layer->input[i]);
    if (value.i == MLS_NO_INDEX)
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its input '%s' is not computed before it", nn->layer->input[i]);
    else
        take_rank(nn, value, nn->layer->input_tensor, nn->layer->n_input_tensor, i);
    return value;
}

const mls_value_id *nn_inputs(struct nn *nn)
{
    mls_value_id *values = MLS_NEW_ARRAY(nn->arena, nn->layer->n_input, mls_value_id);
    if (!values)
        nn_no_memory(nn);
    for (size_t i = 0; !nn->status && i < nn->layer->n_input; i++)
        values[i] = nn_input(nn, i);
    return nn->status ? NULL : values;
}

unsigned nn_rank(struct nn *nn, mls_value_id value)
{
    return nn->status ? MLS_RANK_UNKNOWN : ir_value_at(nn->builder, value)->type.rank;
}

unsigned nn_known_rank(struct nn *nn, mls_value_id value)
{
    unsigned rank = nn_rank(nn, value);
    if (rank == MLS_RANK_UNKNOWN)
        nn_fail(nn, MLS_ERR_OP_UNSUPPORTED, "the rank of its input is not known before the run");
    return rank;
}

unsigned nn_length(struct nn *nn, mls_value_id vector)
{
    if (nn->status)
        return MLS_RANK_UNKNOWN;
    const struct mls_type *type = &ir_value_at(nn->builder, vector)->type;
    bool known = type->rank == 1 && type->dims[0] >= 1 && type->dims[0] <= MLS_RANK_MAX;
    return known ? (unsigned)type->dims[0] : MLS_RANK_UNKNOWN;
}

unsigned nn_axis(struct nn *nn, int64_t axis, unsigned rank)
{
    if (nn->status)
        return 0;
    int64_t place = axis < 0 ? axis + (int64_t)rank : axis;
    if (place < 0 || place >= (int64_t)rank) {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "axis %" PRId64 " lies outside its %u dimensions", axis, rank);
        return 0;
    }
    return (unsigned)place;
}

void nn_bind(struct nn *nn, size_t i, mls_value_id value)
{
    if (nn->status)
        return;
    if (i >= nn->layer->n_output) {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "it has %zu outputs, too few", nn->layer->n_output);
        return;
    }
    const char *name = mls_arena_text(nn->arena, nn->layer->output[i], strlen(nn->layer->output[i]));
    if (!name) {
        nn_no_memory(nn);
        return;
    }
    struct mls_value *bound = ir_value_at(nn->builder, value);
    if (!bound->name[0])
        bound->name = name;
    take_rank(nn, value, nn->layer->output_tensor, nn->layer->n_output_tensor, i);
    nn->status = ir_value_bind(nn->builder, name, value, nn->error);
}

/* ---- Arguments ------------------------------------------------------------------------------- */

void nn_begin(struct nn_op *op, const char *type)
{
    op->type = type;
    op->n = 0;
}

void nn_args(struct nn *nn, struct nn_op *op, const char *name, const mls_value_id *values, size_t n)
{
    if (nn->status)
        return;
    mls_value_id *copy = MLS_NEW_ARRAY(nn->arena, n, mls_value_id);
    if (!copy) {
        nn_no_memory(nn);
        return;
    }
    if (n)
        memcpy(copy, values, n * sizeof *copy);
    uint32_t at = op->n++;
    for (; at > 0 && strcmp(op->arguments[at - 1].name, name) > 0; at--) /* they stand in order of name */
        op->arguments[at] = op->arguments[at - 1];
    op->arguments[at] = (struct mls_argument){.name = name, .values = copy, .n_values = (uint32_t)n};
}

void nn_arg(struct nn *nn, struct nn_op *op, const char *name, mls_value_id value)
{
    nn_args(nn, op, name, &value, 1);
}

static void arg_constant(struct nn *nn, struct nn_op *op, const char *name, struct mls_type type,
                         const void *data)
{
    nn_arg(nn, op, name, nn_constant(nn, &type, data));
}

void nn_arg_ints(struct nn *nn, struct nn_op *op, const char *name, const int64_t *values, size_t n)
{
    int32_t *narrow = MLS_NEW_ARRAY(nn->arena, n, int32_t);
    if (!narrow) {
        nn_no_memory(nn);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (values[i] < INT32_MIN || values[i] > INT32_MAX) {
            nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its parameter %s is out of range: %" PRId64, name,
                    values[i]);
            return;
        }
        narrow[i] = (int32_t)values[i];
    }
    arg_constant(nn, op, name, mls_type_tensor(MLS_INT32, 1, (const int64_t[]){(int64_t)n}), narrow);
}

void nn_arg_int(struct nn *nn, struct nn_op *op, const char *name, int64_t value)
{
    if (value < INT32_MIN || value > INT32_MAX) {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its parameter %s is out of range: %" PRId64, name, value);
        return;
    }
    int32_t narrow = (int32_t)value;
    arg_constant(nn, op, name, mls_type_tensor(MLS_INT32, 0, NULL), &narrow);
}

void nn_arg_bools(struct nn *nn, struct nn_op *op, const char *name, const bool *values, size_t n)
{
    arg_constant(nn, op, name, mls_type_tensor(MLS_BOOL, 1, (const int64_t[]){(int64_t)n}), values);
}

void nn_arg_bool(struct nn *nn, struct nn_op *op, const char *name, bool value)
{
    arg_constant(nn, op, name, mls_type_tensor(MLS_BOOL, 0, NULL), &value);
}

void nn_arg_float(struct nn *nn, struct nn_op *op, const char *name, float value)
{
    nn_arg(nn, op, name, nn_scalar(nn, value));
}

void nn_arg_text(struct nn *nn, struct nn_op *op, const char *name, const char *text)
{
    struct mls_text element = {.bytes = text, .length_bytes = strlen(text)};
    arg_constant(nn, op, name, mls_type_tensor(MLS_TEXT, 0, NULL), &element);
}

/* ---- Operations ------------------------------------------------------------------------------ */

static bool grow(struct nn *nn, void **items, uint32_t *capacity, uint32_t n, size_t item_bytes)
{
    if (n < *capacity)
        return true;
    uint32_t wanted = *capacity ? 2 * *capacity : 32;
    void *grown = reallocarray(*items, wanted, item_bytes);
    if (!grown) {
        nn_no_memory(nn);
        return false;
    }
    *items = grown;
    *capacity = wanted;
    return true;
}

const mls_value_id *nn_emit_several(struct nn *nn, const struct nn_op *op, const struct mls_type *types,
                                    size_t n)
{
    struct nn_pending pending = {.op = {.type = op->type,
                                        .function = nn->function,
                                        .block = nn->block->id,
                                        .n_arguments = op->n,
                                        .n_outputs = (uint32_t)n}};
    if (nn->status)
        return NULL;
    struct mls_argument *arguments = MLS_NEW_ARRAY(nn->arena, op->n, struct mls_argument);
    mls_value_id *outputs = MLS_NEW_ARRAY(nn->arena, n, mls_value_id);
    if (!arguments || !outputs) {
        nn_no_memory(nn);
        return NULL;
    }
    if (op->n)
        memcpy(arguments, op->arguments, op->n * sizeof *arguments);
    nn->status = ir_op_reserve(nn->builder, &pending.id, nn->error);
    for (size_t i = 0; !nn->status && i < n; i++) {
        struct mls_value value = {.name = "", .type = types[i], .producer = pending.id};
        nn->status = ir_value_add(nn->builder, &value, &outputs[i], nn->error);
    }
    if (nn->status ||
        !grow(nn, (void **)&nn->pending, &nn->pending_capacity, nn->n_pending, sizeof pending) ||
        !grow(nn, (void **)&nn->block->ops, &nn->block->capacity, nn->block->n, sizeof *nn->block->ops))
        return NULL;
    pending.op.arguments = arguments;
    pending.op.outputs = outputs;
    nn->pending[nn->n_pending++] = pending;
    nn->block->ops[nn->block->n++] = pending.id;
    return outputs;
}

void nn_place(struct nn *nn, mls_op_id id, const struct mls_op *op)
{
    if (nn->status ||
        !grow(nn, (void **)&nn->block->ops, &nn->block->capacity, nn->block->n, sizeof *nn->block->ops))
        return;
    ir_op_set(nn->builder, id, op);
    nn->block->ops[nn->block->n++] = id;
}

mls_value_id nn_emit_as(struct nn *nn, const struct nn_op *op, enum mls_dtype dtype, unsigned rank)
{
    struct mls_type type = {.dtype = dtype, .rank = (uint8_t)rank};
    if (rank != MLS_RANK_UNKNOWN && rank > MLS_RANK_MAX)
        nn_fail(nn, MLS_ERR_OP_UNSUPPORTED, "its output has %u dimensions; at most %d are supported", rank,
                MLS_RANK_MAX);
    for (unsigned i = 0; !nn->status && rank <= MLS_RANK_MAX && i < rank; i++)
        type.dims[i] = MLS_DIM_UNKNOWN;
    const mls_value_id *outputs = nn_emit_several(nn, op, &type, 1);
    return outputs ? outputs[0] : no_value;
}

mls_value_id nn_emit(struct nn *nn, const struct nn_op *op, unsigned rank)
{
    return nn_emit_as(nn, op, MLS_FP32, rank);
}

void nn_give(struct nn *nn, const struct nn_op *op, unsigned rank)
{
    nn_bind(nn, 0, nn_emit(nn, op, rank));
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* Operations that only carry a layer's content to and from the one that does its work. */
static bool carries(const char *type)
{
    static const char *const carriers[] = {"const",
                                           "cast",
                                           "expand_dims",
                                           "squeeze",
                                           "reshape",
                                           "flatten2d",
                                           "transpose",
                                           "nn_collapse",
                                           "nn_batch",
                                           "nn_unbatch",
                                           "nn_reshape_like",
                                           "nn_squeeze_all",
                                           "shape",
                                           "nn_unmap",
                                           "identity",
                                           "constexpr_nn_linear",
                                           "constexpr_lut_to_dense",
                                           "constexpr_cast"};
    for (size_t i = 0; i < sizeof carriers / sizeof *carriers; i++) {
        if (!strcmp(type, carriers[i]))
            return true;
    }
    return false;
}

/* The operation that has the layer's own name: the last that computes, or else the last. */
static uint32_t find_main(const struct nn *nn)
{
    for (uint32_t i = nn->n_pending; i-- > 0;) {
        if (!carries(nn->pending[i].op.type))
            return i;
    }
    return nn->n_pending - 1;
}

void nn_flush(struct nn *nn)
{
    uint32_t main = nn->n_pending ? find_main(nn) : 0;
    for (uint32_t i = 0; !nn->status && i < nn->n_pending; i++) {
        struct nn_pending *pending = &nn->pending[i];
        if (!pending->op.name)
            pending->op.name = i == main
                                   ? nn->layer_name
                                   : mls_arena_printf(nn->arena, "%s/%s", nn->layer_name, pending->op.type);
        if (!pending->op.name) {
            nn_no_memory(nn);
            return;
        }
        for (uint32_t o = 0; o < pending->op.n_outputs; o++) {
            struct mls_value *output = ir_value_at(nn->builder, pending->op.outputs[o]);
            if (!output->name[0])
                output->name = pending->op.name;
        }
        ir_op_set(nn->builder, pending->id, &pending->op);
    }
    nn->n_pending = 0;
}

void nn_close_block(struct nn *nn, struct nn_block *body, struct mls_block *block)
{
    mls_op_id *ops = nn->status ? NULL : MLS_NEW_ARRAY(nn->arena, body->n, mls_op_id);
    if (!nn->status && !ops)
        nn_no_memory(nn);
    if (!nn->status) {
        if (body->n)
            memcpy(ops, body->ops, body->n * sizeof *ops);
        block->ops = ops;
        block->n_ops = body->n;
        ir_block_set(nn->builder, body->id, block);
    }
    free(body->ops);
    *body = (struct nn_block){0};
}
