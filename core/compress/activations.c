#include "compress/activations.h"

#include <math.h>
#include <string.h>

#include "base/fp16.h"

enum { INT8_LARGEST = 127, ADDED_OPS = 4 };

static const struct mls_value *operand(const struct mls_program *program, const struct mls_op *op,
                                       const char *name)
{
    const struct mls_argument *argument = mls_op_argument(op, name);
    return argument && argument->n_values == 1 ? &program->values[argument->values[0].i] : NULL;
}

static const struct mls_input_statistics *find_statistics(const struct mls_calibration *calibration,
                                                          const char *weight)
{
    for (size_t i = 0; i < calibration->n_inputs; i++)
        if (!strcmp(calibration->inputs[i].weight, weight))
            return &calibration->inputs[i];
    return NULL;
}

static struct edit_op constant(const char *name, struct mls_type type, const void *data)
{
    return (struct edit_op){
        .type = "const",
        .name = name,
        .operands = {{.name = "val", .type = type, .data = data, .is_text = type.dtype == MLS_TEXT}},
        .n_operands = 1,
        .results = {{name, type}},
        .n_results = 1};
}

/* quantize(input, scale, output_dtype), then dequantize(input, scale): symmetric, so without a zero point. */
static enum mls_status insert_pair(const struct mls_program *program, mls_op_id id, const struct mls_value *x,
                                   const struct mls_input_statistics *statistics, struct spec_edit *edit,
                                   struct mls_arena *arena, struct mls_error *reterr)
{
    const char *name = program->ops[id.i].name;
    const char *scale = mls_arena_printf(arena, "%s_x_scale", name);
    const char *dtype = mls_arena_printf(arena, "%s_x_dtype", name);
    const char *quantized = mls_arena_printf(arena, "%s_x_quantized", name);
    const char *dequantized = mls_arena_printf(arena, "%s_x_dequantized", name);
    float *value = MLS_NEW(arena, float);
    uint16_t *half = MLS_NEW(arena, uint16_t);
    if (!scale || !dtype || !quantized || !dequantized || !value || !half)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot quantize activations: out of memory");
    double largest = fmax(fabs(statistics->low), fabs(statistics->high));
    *value = largest > 0 ? (float)(largest / INT8_LARGEST) : 1;
    *half = mls_fp32_to_fp16(*value);
    *half = *half ? *half : 1; /* a scale of 0 divides by nothing */
    bool is_half = x->type.dtype == MLS_FP16;
    struct mls_type scalar = mls_type_tensor(x->type.dtype, 0, NULL), integers = x->type;
    integers.dtype = MLS_INT8;
    const struct edit_op ops[ADDED_OPS] = {
        constant(scale, scalar, is_half ? (const void *)half : (const void *)value),
        constant(dtype, mls_type_tensor(MLS_TEXT, 0, NULL), "int8"),
        {.type = "quantize",
         .name = quantized,
         .operands = {{.name = "input", .value = x->name},
                      {.name = "scale", .value = scale},
                      {.name = "output_dtype", .value = dtype}},
         .n_operands = 3,
         .results = {{quantized, integers}},
         .n_results = 1},
        {.type = "dequantize",
         .name = dequantized,
         .operands = {{.name = "input", .value = quantized}, {.name = "scale", .value = scale}},
         .n_operands = 2,
         .results = {{dequantized, x->type}},
         .n_results = 1},
    };
    enum mls_status status = spec_edit_insert(edit, id, ops, ADDED_OPS, reterr);
    return status ? status : spec_edit_rebind(edit, id, "x", dequantized, reterr);
}

enum mls_status activations_quantize(const struct mls_program *program,
                                     const struct mls_calibration *calibration, struct spec_edit *edit,
                                     struct mls_arena *arena, struct mls_error *reterr)
{
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        if (strcmp(op->type, "linear") && strcmp(op->type, "conv"))
            continue;
        const struct mls_value *x = operand(program, op, "x"), *weight = operand(program, op, "weight");
        const struct mls_input_statistics *statistics =
            weight ? find_statistics(calibration, weight->name) : NULL;
        bool number = x && (x->type.dtype == MLS_FP16 || x->type.dtype == MLS_FP32);
        if (!statistics || !number || x->constant || x->type.rank == MLS_RANK_UNKNOWN)
            continue;
        enum mls_status status = insert_pair(program, (mls_op_id){i}, x, statistics, edit, arena, reterr);
        if (status)
            return status;
    }
    return MLS_OK;
}
