/* The operation of one model: its arguments and outputs. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format/pb_stage.h"

void stage_fail(struct stage *stage, enum mls_status status, const char *format, ...)
{
    char reason[MLS_ERROR_TEXT_BYTES];
    va_list arguments;
    if (stage->status)
        return;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    stage->status = mls_fail(stage->reterr, status, "cannot read the %s: %s", stage->type, reason);
}

bool stage_check(struct stage *stage, bool condition, const char *reason)
{
    if (!condition)
        stage_fail(stage, MLS_ERR_PROGRAM_INVALID, "%s", reason);
    return !stage->status;
}

static void no_memory(struct stage *stage)
{
    stage_fail(stage, MLS_ERR_MEMORY, "out of memory");
}

/* ---- Inputs ------------------------------------------------------------------------------------------- */

bool stage_has_input(const struct stage *stage, const char *name)
{
    for (size_t i = 0; i < stage->interface->n_inputs; i++)
        if (!strcmp(stage->interface->inputs[i].name, name))
            return true;
    return false;
}

mls_value_id stage_input(struct stage *stage, const char *name)
{
    if (!name && stage_check(stage, stage->interface->n_inputs == 1, "it takes one input"))
        return stage->inputs[0];
    for (size_t i = 0; name && i < stage->interface->n_inputs; i++)
        if (!strcmp(stage->interface->inputs[i].name, name))
            return stage->inputs[i];
    stage_fail(stage, MLS_ERR_INTERFACE_MISMATCH, "its description has no input '%s'", name ? name : "");
    return (mls_value_id){0};
}

/* ---- Arguments ---------------------------------------------------------------------------------------- */

void stage_values(struct stage *stage, const char *name, const mls_value_id *values, size_t n)
{
    if (stage->status ||
        !stage_check(stage, stage->n_arguments < STAGE_ARGUMENTS_MAX, "it has too many parts"))
        return;
    mls_value_id *copy = MLS_NEW_ARRAY(stage->arena, n, mls_value_id);
    if (!copy) {
        no_memory(stage);
        return;
    }
    if (n)
        memcpy(copy, values, n * sizeof *copy);
    stage->arguments[stage->n_arguments++] =
        (struct mls_argument){.name = name, .values = copy, .n_values = (uint32_t)n};
}

void stage_value(struct stage *stage, const char *name, mls_value_id value)
{
    stage_values(stage, name, &value, 1);
}

void stage_all_inputs(struct stage *stage)
{
    stage_values(stage, "x", stage->inputs, stage->interface->n_inputs);
}

void stage_constant(struct stage *stage, const char *name, const struct mls_type *type, const void *data)
{
    size_t size_bytes = mls_type_bytes(type);
    if (stage->status)
        return;
    struct mls_constant *constant = MLS_NEW(stage->arena, struct mls_constant);
    void *copy = size_bytes == SIZE_MAX ? NULL : mls_arena_alloc(stage->arena, size_bytes, 16);
    if (!constant || !copy) {
        no_memory(stage);
        return;
    }
    if (size_bytes)
        memcpy(copy, data, size_bytes);
    *constant = (struct mls_constant){.data = copy, .size_bytes = size_bytes};
    struct mls_value value = {.name = name, .type = *type, .producer = {MLS_NO_INDEX}, .constant = constant};
    mls_value_id id;
    stage->status = ir_value_add(stage->stages->reader.builder, &value, &id, stage->reterr);
    stage_value(stage, name, id);
}

static void vector(struct stage *stage, const char *name, enum mls_dtype dtype, const void *data, size_t n)
{
    struct mls_type type = mls_type_tensor(dtype, 1, (const int64_t[]){(int64_t)n});
    stage_constant(stage, name, &type, data);
}

static void scalar(struct stage *stage, const char *name, enum mls_dtype dtype, const void *data)
{
    struct mls_type type = mls_type_tensor(dtype, 0, NULL);
    stage_constant(stage, name, &type, data);
}

void stage_doubles(struct stage *stage, const char *name, const double *values, size_t n)
{
    vector(stage, name, MLS_FP64, values, n);
}

void stage_ints(struct stage *stage, const char *name, const int32_t *values, size_t n)
{
    vector(stage, name, MLS_INT32, values, n);
}

void stage_longs(struct stage *stage, const char *name, const int64_t *values, size_t n)
{
    vector(stage, name, MLS_INT64, values, n);
}

void stage_double(struct stage *stage, const char *name, double value)
{
    scalar(stage, name, MLS_FP64, &value);
}

void stage_int(struct stage *stage, const char *name, int32_t value)
{
    scalar(stage, name, MLS_INT32, &value);
}

void stage_bool(struct stage *stage, const char *name, bool value)
{
    scalar(stage, name, MLS_BOOL, &value);
}

void stage_texts(struct stage *stage, const char *name, char *const *texts, size_t n)
{
    struct mls_text *copies = stage->status ? NULL : MLS_NEW_ARRAY(stage->arena, n, struct mls_text);
    for (size_t i = 0; copies && i < n; i++) {
        size_t length = strlen(texts[i]);
        copies[i] = (struct mls_text){mls_arena_text(stage->arena, texts[i], length), length};
        if (!copies[i].bytes)
            copies = NULL;
    }
    if (!copies)
        no_memory(stage);
    else
        vector(stage, name, MLS_TEXT, copies, n);
}

size_t stage_labels(struct stage *stage, const char *name, const Pb__TextVector *texts,
                    const Pb__IntVector *ints)
{
    if (texts)
        stage_texts(stage, name, texts->values, texts->n_values);
    else if (stage_check(stage, ints != NULL, "it has no labels"))
        stage_longs(stage, name, ints->values, ints->n_values);
    return texts ? texts->n_values : ints ? ints->n_values : 0;
}

/* ---- Outputs ------------------------------------------------------------------------------------------ */

static const struct mls_feature *find_output(const struct stage *stage, const char *name)
{
    for (size_t i = 0; i < stage->interface->n_outputs; i++)
        if (!strcmp(stage->interface->outputs[i].name, name))
            return &stage->interface->outputs[i];
    return NULL;
}

/* What the operation gives for a feature: numbers are computed in fp64, whatever the description declares. */
static struct mls_type output_type(const struct mls_feature *feature)
{
    struct mls_type type = feature->type;
    if (feature->kind == MLS_FEATURE_TENSOR)
        return (struct mls_type){.kind = MLS_KIND_TENSOR, .dtype = MLS_FP64, .rank = MLS_RANK_UNKNOWN};
    if (feature->kind == MLS_FEATURE_SEQUENCE)
        return mls_type_tensor(feature->key_dtype, 1, (const int64_t[]){MLS_DIM_UNKNOWN});
    return type;
}

void stage_output(struct stage *stage, const char *name, const struct mls_type *hidden_type)
{
    const struct mls_feature *feature = name ? find_output(stage, name) : NULL;
    if (name && !feature && !hidden_type)
        stage_fail(stage, MLS_ERR_INTERFACE_MISMATCH, "its description has no output '%s'", name);
    mls_value_id *outputs = MLS_NEW_ARRAY(stage->arena, (size_t)stage->n_outputs + 1, mls_value_id);
    if (!outputs)
        no_memory(stage);
    if (stage->status)
        return;
    if (stage->n_outputs)
        memcpy(outputs, stage->outputs, stage->n_outputs * sizeof *outputs);
    struct mls_value value = {.name = feature ? feature->name : "hidden",
                              .type = hidden_type ? *hidden_type : output_type(feature),
                              .producer = stage->op};
    stage->status =
        ir_value_add(stage->stages->reader.builder, &value, &outputs[stage->n_outputs], stage->reterr);
    stage->n_outputs++;
    stage->outputs = outputs;
}

void stage_number_output(struct stage *stage)
{
    if (!stage_check(stage, stage->interface->n_outputs == 1, "it has one output"))
        return;
    const struct mls_feature *feature = &stage->interface->outputs[0];
    bool sparse = feature->kind == MLS_FEATURE_DICTIONARY && feature->key_dtype == MLS_INT64;
    if (feature->kind != MLS_FEATURE_DOUBLE && feature->kind != MLS_FEATURE_TENSOR &&
        feature->kind != MLS_FEATURE_INT64 && !sparse)
        stage_fail(stage, MLS_ERR_OP_UNSUPPORTED, "it gives numbers, and its output '%s' is a %s",
                   feature->name, mls_feature_kind_name(feature->kind));
    struct mls_type vector_type = {.kind = MLS_KIND_TENSOR, .dtype = MLS_FP64, .rank = MLS_RANK_UNKNOWN};
    bool scalar = feature->kind == MLS_FEATURE_DOUBLE || feature->kind == MLS_FEATURE_INT64;
    struct mls_type type = scalar ? mls_type_tensor(MLS_FP64, 0, NULL) : vector_type;
    stage_output(stage, feature->name, &type);
}

/* The dtype of the labels that an argument holds. */
static enum mls_dtype label_dtype(const struct stage *stage, const char *argument)
{
    for (uint32_t i = 0; i < stage->n_arguments; i++)
        if (!strcmp(stage->arguments[i].name, argument))
            return ir_value_at(stage->stages->reader.builder, stage->arguments[i].values[0])->type.dtype;
    return MLS_NONE;
}

void stage_class_outputs(struct stage *stage, const char *label_argument)
{
    const struct mls_interface *interface = stage->interface;
    const char *label = interface->predicted_feature[0] ? interface->predicted_feature : NULL;
    const char *scores = interface->predicted_probabilities[0] ? interface->predicted_probabilities : NULL;
    for (size_t i = 0; i < interface->n_outputs; i++) {
        const struct mls_feature *feature = &interface->outputs[i];
        if (feature->kind == MLS_FEATURE_DICTIONARY && !scores)
            scores = feature->name;
        if ((feature->kind == MLS_FEATURE_STRING || feature->kind == MLS_FEATURE_INT64) && !label)
            label = feature->name;
    }
    enum mls_dtype dtype = label_dtype(stage, label_argument);
    struct mls_type label_type = mls_type_tensor(dtype, 0, NULL);
    struct mls_type scores_type = {.kind = MLS_KIND_DICTIONARY,
                                   .dtype = MLS_FP64,
                                   .rank = 1,
                                   .dims = {MLS_DIM_UNKNOWN},
                                   .key_dtype = dtype};
    stage_output(stage, label, &label_type);
    stage_output(stage, scores, &scores_type);
}
