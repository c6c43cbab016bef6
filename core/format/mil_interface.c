/*
 * Interfaces read from MIL text alone, where no description stands beside it: inputs and outputs as the
 * functions declare them, with the shapes that FlexibleShapeInformation allows.
 */
#include <string.h>

#include "format/mil_text.h"

/* ---- Flexible shapes --------------------------------------------------------------------------------- */

enum flexibility { NOT_FLEXIBLE, DEFAULT_SHAPES, RANGE_DIMS, ENUMERATED_SHAPES };

static bool string_is(const struct mil_lexer *lexer, const char *text)
{
    size_t length = strlen(text);
    return lexer->token.kind == MIL_STRING && lexer->token.length_bytes == length + 2 &&
           !memcmp(lexer->token.text + 1, text, length);
}

/* "[1, 3, 224, 224]", or "[1, 4]" of a range. */
static enum mls_status read_numbers(struct mil_reader *reader, int64_t *numbers, size_t capacity,
                                    size_t *ret_n)
{
    struct mil_lexer *lexer = &reader->lexer;
    enum mls_status status = mil_expect(lexer, '[', reader->reterr);
    *ret_n = 0;
    while (!status && !mil_accept(lexer, ']')) {
        if (*ret_n == capacity)
            return mil_wrong(lexer, "fewer numbers", reader->reterr);
        status = mil_take_integer(lexer, -1, INT64_MAX, &numbers[(*ret_n)++], reader->reterr);
        mil_accept(lexer, ',');
    }
    return status;
}

static enum mls_status read_default(struct mil_reader *reader, struct mls_feature *feature)
{
    size_t n;
    int64_t dims[MLS_RANK_MAX];
    enum mls_status status = read_numbers(reader, dims, MLS_RANK_MAX, &n);
    if (!status && n == feature->type.rank)
        memcpy(feature->type.dims, dims, n * sizeof *dims);
    return status;
}

static enum mls_status read_ranges(struct mil_reader *reader, struct mls_feature *feature)
{
    struct mls_range *ranges = MLS_NEW_ARRAY(reader->program.arena, MLS_RANK_MAX, struct mls_range);
    if (!ranges)
        return program_no_memory(reader->reterr);
    enum mls_status status = mil_expect(&reader->lexer, '[', reader->reterr);
    size_t n = 0;
    while (!status && !mil_accept(&reader->lexer, ']')) {
        int64_t bounds[2];
        size_t n_bounds;
        if (n == MLS_RANK_MAX)
            return mil_wrong(&reader->lexer, "fewer ranges", reader->reterr);
        status = read_numbers(reader, bounds, 2, &n_bounds);
        if (!status && n_bounds != 2)
            status = mil_wrong(&reader->lexer, "two bounds before this", reader->reterr);
        if (!status)
            ranges[n++] = (struct mls_range){bounds[0], bounds[1]};
        mil_accept(&reader->lexer, ',');
    }
    feature->ranges = ranges;
    feature->n_ranges = n;
    return status;
}

/* One more allowed shape; the array grows by copying, since they are few. */
static enum mls_status read_enumerated(struct mil_reader *reader, struct mls_feature *feature)
{
    struct mls_shape shape = {0};
    size_t n;
    enum mls_status status = read_numbers(reader, shape.dims, MLS_RANK_MAX, &n);
    if (status)
        return status;
    shape.rank = (uint8_t)n;
    struct mls_shape *shapes =
        MLS_NEW_ARRAY(reader->program.arena, feature->n_enumerated + 1, struct mls_shape);
    if (!shapes)
        return program_no_memory(reader->reterr);
    if (feature->n_enumerated)
        memcpy(shapes, feature->enumerated, feature->n_enumerated * sizeof *shapes);
    shapes[feature->n_enumerated++] = shape;
    feature->enumerated = shapes;
    return MLS_OK;
}

/* Goes over the attributes: a key tells the kind of what follows, a feature's name before '[' that it is
 * meant. */
enum mls_status mil_read_flexibility(struct mil_reader *reader, const struct mil_function *function,
                                     struct mls_feature *feature)
{
    static const struct {
        const char *key;
        enum flexibility kind;
    } keys[] = {{"DefaultShapes", DEFAULT_SHAPES},
                {"RangeDims", RANGE_DIMS},
                {"EnumeratedShapes", ENUMERATED_SHAPES}};
    enum flexibility kind = NOT_FLEXIBLE;
    enum mls_status status = MLS_OK;
    if (!function->has_attributes)
        return MLS_OK;
    reader->lexer = function->attributes;
    while (!status && reader->lexer.token.kind != MIL_END && !mil_is(&reader->lexer, ';')) {
        bool named = kind && string_is(&reader->lexer, feature->name);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (string_is(&reader->lexer, keys[i].key))
                kind = keys[i].kind;
        if (mil_is(&reader->lexer, '{') && kind == NOT_FLEXIBLE)
            break; /* the body: nothing was said */
        mil_next(&reader->lexer);
        if (!named || !mil_accept(&reader->lexer, ',') || !mil_is(&reader->lexer, '['))
            continue;
        status = kind == DEFAULT_SHAPES ? read_default(reader, feature)
                 : kind == RANGE_DIMS   ? read_ranges(reader, feature)
                                        : read_enumerated(reader, feature);
    }
    return status;
}

/* ---- Interfaces -------------------------------------------------------------------------------------- */

static struct mls_feature feature_of(const struct mls_value *value)
{
    struct mls_feature feature = {.name = value->name, .description = "", .type = value->type};
    bool scalar = value->type.kind == MLS_KIND_TENSOR && value->type.rank == 0;
    feature.kind = value->type.kind == MLS_KIND_STATE         ? MLS_FEATURE_STATE
                   : value->type.kind == MLS_KIND_DICTIONARY  ? MLS_FEATURE_DICTIONARY
                   : value->type.kind == MLS_KIND_LIST        ? MLS_FEATURE_SEQUENCE
                   : scalar && value->type.dtype == MLS_TEXT  ? MLS_FEATURE_STRING
                   : scalar && value->type.dtype == MLS_INT64 ? MLS_FEATURE_INT64
                                                              : MLS_FEATURE_TENSOR;
    feature.key_dtype = feature.kind == MLS_FEATURE_SEQUENCE ? value->type.dtype : value->type.key_dtype;
    return feature;
}

static enum mls_status take_inputs(struct mil_reader *reader, const struct mil_function *source,
                                   const struct mls_program *program, const struct mls_block *block,
                                   struct mls_interface *interface)
{
    struct mls_feature *inputs = MLS_NEW_ARRAY(reader->program.arena, block->n_inputs, struct mls_feature);
    struct mls_feature *states = MLS_NEW_ARRAY(reader->program.arena, block->n_inputs, struct mls_feature);
    if (!inputs || !states)
        return program_no_memory(reader->reterr);
    for (uint32_t i = 0; i < block->n_inputs; i++) {
        struct mls_feature feature = feature_of(&program->values[block->inputs[i].i]);
        enum mls_status status = mil_read_flexibility(reader, source, &feature);
        if (status)
            return status;
        if (feature.kind == MLS_FEATURE_STATE)
            states[interface->n_states++] = feature;
        else
            inputs[interface->n_inputs++] = feature;
    }
    interface->inputs = inputs;
    interface->states = states;
    return MLS_OK;
}

static enum mls_status take_outputs(struct mil_reader *reader, const struct mls_program *program,
                                    const struct mls_block *block, struct mls_interface *interface)
{
    struct mls_feature *outputs = MLS_NEW_ARRAY(reader->program.arena, block->n_outputs, struct mls_feature);
    if (!outputs)
        return program_no_memory(reader->reterr);
    for (uint32_t i = 0; i < block->n_outputs; i++) {
        outputs[i] = feature_of(&program->values[block->outputs[i].i]);
        if (outputs[i].kind == MLS_FEATURE_TENSOR && !mls_type_is_static(&outputs[i].type))
            outputs[i].type = (struct mls_type){
                .kind = MLS_KIND_TENSOR, .dtype = outputs[i].type.dtype, .rank = MLS_RANK_UNKNOWN};
    }
    interface->outputs = outputs;
    interface->n_outputs = block->n_outputs;
    return MLS_OK;
}

enum mls_status mil_derive_interfaces(struct mil_reader *reader, struct mls_model *model)
{
    const struct mls_program *program = &model->program;
    struct mls_interface *interfaces =
        MLS_NEW_ARRAY(reader->program.arena, program->n_functions, struct mls_interface);
    struct mil_function *sources;
    size_t n;
    reader->lexer = mil_lexer_begin(reader->lexer.bytes);
    enum mls_status status =
        interfaces ? mil_list_functions(reader, &sources, &n) : program_no_memory(reader->reterr);
    for (uint32_t i = 0; i < program->n_functions && !status; i++) {
        const struct mls_function *function = &program->functions[i];
        const struct mls_block *block = &program->blocks[function->block.i];
        size_t k = 0;
        while (k < n && strcmp(sources[k].name, function->name))
            k++;
        interfaces[i] = (struct mls_interface){
            .function = function->name, .predicted_feature = "", .predicted_probabilities = ""};
        status = take_inputs(reader, &sources[k], program, block, &interfaces[i]);
        if (!status)
            status = take_outputs(reader, program, block, &interfaces[i]);
    }
    model->interfaces = interfaces;
    model->n_interfaces = program->n_functions;
    return status;
}
