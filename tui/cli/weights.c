#include "cli/weights.h"

#include <stdlib.h>
#include <string.h>

enum { IMMEDIATE_BYTES_MIN = 64, CHAIN_MAX = 8 };

/* Operations that make a weight out of stored parts: type, how the weight is stored. */
static const struct {
    const char *type;
    const char *stored_as;
} compressions[] = {
    {"constexpr_lut_to_dense", "palettized"},
    {"constexpr_lut_to_sparse", "palettized and pruned"},
    {"constexpr_affine_dequantize", "quantized"},
    {"constexpr_blockwise_shift_scale", "quantized"},
    {"constexpr_sparse_to_dense", "pruned"},
    {"constexpr_sparse_blockwise_shift_scale", "quantized and pruned"},
    {"constexpr_cast", "cast"},
};

static const char *find_compression(const char *type)
{
    for (size_t i = 0; i < sizeof compressions / sizeof compressions[0]; i++)
        if (!strcmp(compressions[i].type, type))
            return compressions[i].stored_as;
    return strncmp(type, "constexpr_", 10) ? NULL : "compressed";
}

/* Whether the value is only a part that other weights are made of. */
static bool is_part(const struct mls_program *program, const struct weights *weights, mls_value_id value)
{
    uint32_t first = weights->users.first[value.i], end = weights->users.first[value.i + 1];
    for (uint32_t i = first; i < end; i++)
        if (!find_compression(program->ops[weights->users.users[i].i].type))
            return false;
    return end > first;
}

static void add_constant(struct weight *weight, const struct mls_constant *constant)
{
    weight->bytes += constant->size_bytes;
    if (weight->file || !constant->blob_path)
        return;
    weight->file = constant->blob_path;
    weight->offset = constant->blob_offset;
}

/* Sums the stored parts; parts may be made of parts. */
static void add_parts(const struct mls_program *program, const struct mls_op *op, struct weight *weight,
                      int depth)
{
    for (uint32_t i = 0; i < op->n_arguments; i++) {
        for (uint32_t j = 0; j < op->arguments[i].n_values; j++) {
            const struct mls_value *value = &program->values[op->arguments[i].values[j].i];
            if (value->constant)
                add_constant(weight, value->constant);
            else if (value->producer.i != MLS_NO_INDEX && depth < CHAIN_MAX)
                add_parts(program, &program->ops[value->producer.i], weight, depth + 1);
        }
    }
}

static bool describe(const struct mls_program *program, const struct mls_op *op, struct weight *weight)
{
    const struct mls_value *value = &program->values[op->outputs[0].i];
    const char *compression = find_compression(op->type);
    *weight = (struct weight){
        .name = op->name, .type = value->type, .stored_as = compression ? compression : "plain"};
    if (compression) {
        add_parts(program, op, weight, 0);
        return true;
    }
    bool counts = !strcmp(op->type, "const") && value->constant && value->type.dtype != MLS_TEXT &&
                  (value->constant->blob_path || value->constant->size_bytes >= IMMEDIATE_BYTES_MIN);
    if (counts)
        add_constant(weight, value->constant);
    return counts;
}

bool weights_collect(const struct mls_program *program, mls_function_id function, struct weights *ret_weights)
{
    struct weights *weights = ret_weights;
    *weights = (struct weights){.list = calloc(program->n_ops ? program->n_ops : 1, sizeof *weights->list)};
    if (!weights->list || !mls_users_create(program, &weights->users))
        return false;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        struct weight *weight = &weights->list[weights->n];
        if (op->function.i != function.i || !op->n_outputs || is_part(program, weights, op->outputs[0]) ||
            !describe(program, op, weight))
            continue;
        uint32_t first = weights->users.first[op->outputs[0].i];
        weight->users = weights->users.users + first;
        weight->n_users = weights->users.first[op->outputs[0].i + 1] - first;
        weights->bytes += weight->bytes;
        int64_t elems = mls_type_elems(&weight->type);
        weights->parameters += elems > 0 ? (uint64_t)elems : 0;
        weights->n++;
    }
    return true;
}

void weights_done(struct weights *weights)
{
    free(weights->list);
    mls_users_free(&weights->users);
}
