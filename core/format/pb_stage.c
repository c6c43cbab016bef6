/* Models and pipelines of models: what each type becomes, and how they are joined. */
#include "format/pb_stage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "format/pb_desc.h"
#include "format/pb_mil.h"
#include "format/pb_nn.h"
#include "package/model_type.h"

enum {
    PIPELINE_CLASSIFIER = 200,
    PIPELINE_REGRESSOR = 201,
    PIPELINE = 202,
    ML_PROGRAM = 502,
    FEATURE_VECTORIZER = 602
};
enum { FIELD_MODELS = 1, FIELD_PIPELINE = 1, PIPELINE_DEPTH_MAX = 8, PIPELINE_MODELS_MAX = 1 << 10 };

static const struct stage_row rows[] = {
    {300, &pb__linear_model__descriptor, stage_read_linear_regressor},
    {301, &pb__support_vector_regressor__descriptor, stage_read_vector_regressor},
    {302, &pb__tree_ensemble__descriptor, stage_read_tree_regressor},
    {400, &pb__linear_model__descriptor, stage_read_linear_classifier},
    {401, &pb__support_vector_classifier__descriptor, stage_read_vector_classifier},
    {402, &pb__tree_ensemble__descriptor, stage_read_tree_classifier},
    {404, &pb__nearest_neighbors__descriptor, stage_read_neighbors},
    {501, &pb__item_similarity__descriptor, stage_read_similarity},
    {600, &pb__one_hot_encoder__descriptor, stage_read_one_hot},
    {601, &pb__imputer__descriptor, stage_read_imputer},
    {602, &pb__feature_vectorizer__descriptor, stage_read_vectorizer},
    {603, &pb__dict_vectorizer__descriptor, stage_read_dictionary},
    {604, &pb__scaler__descriptor, stage_read_scaler},
    {606, &pb__categorical_mapping__descriptor, stage_read_mapping},
    {607, &pb__normalizer__descriptor, stage_read_normalizer},
    {609, &pb__array_feature_extractor__descriptor, stage_read_extractor},
    {610, &pb__box_suppression__descriptor, stage_read_suppression},
    {900, &pb__empty__descriptor, stage_read_identity},
};

/* Types that are named and refused: what they are, and what there is to do. */
static const struct {
    uint32_t number;
    enum mls_cause cause;
    const char *what; /* completes "which …" */
    const char *hint;
} refused[] = {
    {304, MLS_CAUSE_SYSTEM_MODEL, "nobody but Apple's tools reads", "export the model as another regressor"},
    {555, MLS_CAUSE_APP_CODE, "is computed by the app's own code (a custom model)",
     "profile the models around it"},
    {556, MLS_CAUSE_MODEL_ELSEWHERE, "refers to another model by name and search path",
     "give the model that it refers to"},
    {560, MLS_CAUSE_SYSTEM_MODEL, "wraps thresholds of an Apple framework around a classifier",
     "give the classifier itself"},
    {2000, MLS_CAUSE_SYSTEM_MODEL, "is part of Apple's Natural Language framework",
     "it runs on Apple systems only"},
    {2001, MLS_CAUSE_SYSTEM_MODEL, "is part of Apple's Natural Language framework",
     "it runs on Apple systems only"},
    {2002, MLS_CAUSE_SYSTEM_MODEL,
     "is the feature extractor of Apple's Vision framework: its weights are in the system, not in the file",
     "give the model behind it, or run it on an Apple system"},
    {2003, MLS_CAUSE_SYSTEM_MODEL, "is part of Apple's Sound Analysis framework", "give the model behind it"},
    {2004, MLS_CAUSE_SYSTEM_MODEL, "is part of Apple's Natural Language framework",
     "it runs on Apple systems only"},
    {2005, MLS_CAUSE_SYSTEM_MODEL, "is part of Apple's Natural Language framework",
     "it runs on Apple systems only"},
    {2006, MLS_CAUSE_SYSTEM_MODEL,
     "is the feature extractor of Apple's Sound Analysis framework: its weights are in the system, not in "
     "the file",
     "give the model behind it, or run it on an Apple system"},
    {3000, MLS_CAUSE_SYSTEM_MODEL, "is known to one Apple framework only", "it runs on Apple systems only"},
};

static enum mls_status refuse_type(const struct spec_envelope *envelope, struct mls_error *reterr)
{
    const char *what = "is not supported", *hint = "";
    enum mls_cause cause = MLS_CAUSE_NONE;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].number == envelope->type_number) {
            what = refused[i].what;
            hint = refused[i].hint;
            cause = refused[i].cause;
        }
    enum mls_status status =
        mls_fail_because(reterr, MLS_ERR_SPEC_TYPE_NOT_YET, cause, "cannot load a model of type %s, which %s",
                         envelope->type_name ? envelope->type_name : "unknown", what);
    mls_error_hint(reterr, "%s", hint);
    return status;
}

/* ---- Lists -------------------------------------------------------------------------------------------- */

static void *grow(void *array, uint32_t n, uint32_t *capacity, size_t element_bytes)
{
    if (n < *capacity)
        return array;
    uint32_t wanted = *capacity ? *capacity * 2 : 8;
    void *grown = reallocarray(array, wanted, element_bytes);
    if (grown)
        *capacity = wanted;
    return grown;
}

static enum mls_status add_stage(struct stages *stages, struct ir_stage stage, struct mls_error *reterr)
{
    void *grown = grow(stages->list, stages->n_stages, &stages->stages_capacity, sizeof *stages->list);
    if (!grown)
        return program_no_memory(reterr);
    stages->list = grown;
    stages->list[stages->n_stages++] = stage;
    if (stages->n_stages > PIPELINE_MODELS_MAX)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot read the pipeline: it has more than %d models",
                        PIPELINE_MODELS_MAX);
    return MLS_OK;
}

/* A function, and the stage that it is. */
static enum mls_status add_function(struct stages *stages, const struct mls_function *function,
                                    const struct mls_interface *interface, struct mls_error *reterr)
{
    void *grown =
        grow(stages->functions, stages->n_functions, &stages->functions_capacity, sizeof *stages->functions);
    if (!grown)
        return program_no_memory(reterr);
    stages->functions = grown;
    stages->functions[stages->n_functions] = *function;
    struct ir_stage stage = {IR_STAGE_MODEL, {stages->n_functions++}, interface};
    return add_stage(stages, stage, reterr);
}

/* ---- One model ---------------------------------------------------------------------------------------- */

/* The type that a function takes for a feature. Dictionaries by int64 between models are sparse vectors,
 * which are kept as vectors here: models give them so, and only those that join features take them. */
static struct mls_type input_type(const struct mls_feature *feature, uint32_t model_type)
{
    if (feature->kind == MLS_FEATURE_DICTIONARY && feature->key_dtype == MLS_INT64 &&
        model_type == FEATURE_VECTORIZER)
        return mls_type_tensor(MLS_FP64, 1, (const int64_t[]){MLS_DIM_UNKNOWN});
    if (feature->kind == MLS_FEATURE_SEQUENCE)
        return mls_type_tensor(feature->key_dtype, 1, (const int64_t[]){MLS_DIM_UNKNOWN});
    struct mls_type type = feature->type;
    for (size_t i = 0; feature->kind == MLS_FEATURE_TENSOR && type.rank <= MLS_RANK_MAX && i < type.rank;
         i++) {
        bool open = type.dims[i] < 0;
        if (i < feature->n_ranges)
            open = open || feature->ranges[i].lower != feature->ranges[i].upper;
        for (size_t k = 0; k < feature->n_enumerated; k++)
            open = open || feature->enumerated[k].dims[i] != type.dims[i];
        if (open)
            type.dims[i] = MLS_DIM_UNKNOWN;
    }
    return type;
}

static enum mls_status define_inputs(struct stages *stages, uint32_t model_type,
                                     const struct mls_interface *interface, mls_value_id *inputs,
                                     struct mls_error *reterr)
{
    for (size_t i = 0; i < interface->n_inputs; i++) {
        const struct mls_feature *feature = &interface->inputs[i];
        if (feature->kind == MLS_FEATURE_IMAGE)
            return mls_fail(reterr, MLS_ERR_OP_UNSUPPORTED,
                            "cannot read the model: it takes numbers, and its input '%s' is an image",
                            feature->name);
        struct mls_value value = {
            .name = feature->name, .type = input_type(feature, model_type), .producer = {MLS_NO_INDEX}};
        enum mls_status status = ir_value_define(stages->reader.builder, &value, &inputs[i], reterr);
        if (status)
            return status;
    }
    return MLS_OK;
}

/* The operation, once the reader gave it arguments and outputs. */
static enum mls_status set_op(struct stage *stage, mls_block_id block)
{
    struct mls_argument *arguments = MLS_NEW_ARRAY(stage->arena, stage->n_arguments, struct mls_argument);
    struct mls_op op = {.type = stage->type,
                        .name = stage->interface->n_outputs ? stage->interface->outputs[0].name : stage->type,
                        .function = {stage->stages->n_functions},
                        .block = block,
                        .outputs = stage->outputs,
                        .n_outputs = stage->n_outputs};
    if (!arguments)
        return program_no_memory(stage->reterr);
    if (stage->n_arguments)
        memcpy(arguments, stage->arguments, stage->n_arguments * sizeof *arguments);
    enum mls_status status = program_set_arguments(arguments, stage->n_arguments, &op, stage->reterr);
    if (!status)
        ir_op_set(stage->stages->reader.builder, stage->op, &op);
    return status;
}

static enum mls_status read_row(struct stages *stages, const struct stage_row *row, const char *type_name,
                                struct mls_bytes content, const struct mls_interface *interface,
                                struct mls_error *reterr)
{
    struct mls_arena *arena = stages->reader.arena;
    mls_value_id *inputs = MLS_NEW_ARRAY(arena, interface->n_inputs, mls_value_id);
    mls_op_id *ops = MLS_NEW(arena, mls_op_id);
    if (!inputs || !ops)
        return program_no_memory(reterr);
    ProtobufCMessage *message;
    mls_block_id block_id;
    enum mls_status status =
        pb_unpack(row->descriptor, content, stages->spec, stages->memory, &message, reterr);
    if (!status)
        status = ir_block_reserve(stages->reader.builder, &block_id, reterr);
    if (!status)
        status = define_inputs(stages, row->number, interface, inputs, reterr);
    if (!status)
        status = ir_op_reserve(stages->reader.builder, ops, reterr);
    if (status)
        return status;
    struct stage stage = {.stages = stages,
                          .arena = arena,
                          .interface = interface,
                          .inputs = inputs,
                          .op = *ops,
                          .type = type_name,
                          .reterr = reterr};
    row->read(&stage, message);
    status = stage.status ? stage.status : set_op(&stage, block_id);
    if (status)
        return status;
    struct mls_block block = {.function = {stages->n_functions},
                              .parent = {MLS_NO_INDEX},
                              .inputs = inputs,
                              .n_inputs = (uint32_t)interface->n_inputs,
                              .ops = ops,
                              .n_ops = 1,
                              .outputs = stage.outputs,
                              .n_outputs = stage.n_outputs};
    ir_block_set(stages->reader.builder, block_id, &block);
    struct mls_function function = {.name = interface->function, .opset = STAGE_OPSET, .block = block_id};
    return add_function(stages, &function, interface, reterr);
}

static enum mls_status read_program(struct stages *stages, struct mls_bytes content,
                                    const struct mls_interface *interface, struct mls_error *reterr)
{
    ProtobufCMessage *message;
    struct mls_function function;
    enum mls_status status =
        pb_unpack(&pb__program__descriptor, content, stages->spec, stages->memory, &message, reterr);
    if (!status)
        status = pb_read_one_function(&stages->reader, (const Pb__Program *)message, interface->function,
                                      (mls_function_id){stages->n_functions}, &function, reterr);
    return status ? status : add_function(stages, &function, interface, reterr);
}

static enum mls_status read_network(struct stages *stages, struct mls_bytes content,
                                    const struct mls_interface *interface, struct mls_error *reterr)
{
    struct mls_function function;
    enum mls_status status =
        pb_read_network(stages->spec, content, stages->memory, stages->reader.arena, stages->reader.builder,
                        interface, (mls_function_id){stages->n_functions}, &function, reterr);
    return status ? status : add_function(stages, &function, interface, reterr);
}

/* ---- Pipelines ---------------------------------------------------------------------------------------- */

static enum mls_status read_model(struct stages *stages, const struct spec_envelope *envelope,
                                  const struct mls_interface *interface, struct mls_error *reterr);

/* A model in a pipeline: a specification of its own. */
static enum mls_status read_part(void *user, struct mls_bytes content, struct mls_error *reterr)
{
    struct stages *stages = user;
    struct spec_envelope envelope;
    ProtobufCMessage *message;
    enum mls_status status = spec_read_envelope(content, &envelope, reterr);
    if (status)
        return status;
    struct mls_model part = {.arena = stages->reader.arena, .spec_version = stages->spec_version};
    status = envelope.description.data ? pb_unpack(&pb__model_description__descriptor, envelope.description,
                                                   stages->spec, stages->memory, &message, reterr)
                                       : mls_fail(reterr, MLS_ERR_SPEC_INTERFACE,
                                                  "cannot read the pipeline: a model has no description");
    if (!status)
        status = pb_read_description((const Pb__ModelDescription *)message, &part, reterr);
    return status ? status : read_model(stages, &envelope, &part.interfaces[0], reterr);
}

static enum mls_status read_pipeline(void *user, struct mls_bytes content, struct mls_error *reterr)
{
    return pb_each_message(content, ((struct stages *)user)->spec, FIELD_MODELS, read_part, user, reterr);
}

/* Calls itself through the models of a pipeline, at most PIPELINE_DEPTH_MAX deep. */
static enum mls_status read_nested(struct stages *stages, const struct spec_envelope *envelope,
                                   const struct mls_interface *interface, struct mls_error *reterr)
{
    if (stages->depth++ == PIPELINE_DEPTH_MAX)
        return mls_fail(reterr, MLS_ERR_LIMIT,
                        "cannot read the pipeline: pipelines are nested deeper than %d", PIPELINE_DEPTH_MAX);
    enum mls_status status = add_stage(stages, (struct ir_stage){.kind = IR_STAGE_OPEN}, reterr);
    if (!status)
        status = envelope->type_number == PIPELINE
                     ? read_pipeline(stages, envelope->content, reterr)
                     : pb_each_message(envelope->content, stages->spec, FIELD_PIPELINE, read_pipeline, stages,
                                       reterr);
    if (!status)
        status = add_stage(stages, (struct ir_stage){.kind = IR_STAGE_CLOSE, .interface = interface}, reterr);
    stages->depth--;
    return status;
}

static enum mls_status read_model(struct stages *stages, const struct spec_envelope *envelope,
                                  const struct mls_interface *interface, struct mls_error *reterr)
{
    uint32_t number = envelope->type_number;
    if (number == PIPELINE || number == PIPELINE_CLASSIFIER || number == PIPELINE_REGRESSOR)
        return read_nested(stages, envelope, interface, reterr);
    enum mls_status status = ir_scope_open(stages->reader.builder, reterr);
    if (status)
        return status;
    if (number == ML_PROGRAM) {
        status = read_program(stages, envelope->content, interface, reterr);
    } else if (pb_is_network(number)) {
        status = read_network(stages, envelope->content, interface, reterr);
    } else {
        size_t i = 0, n = sizeof rows / sizeof *rows;
        while (i < n && rows[i].number != number)
            i++;
        status = i < n ? read_row(stages, &rows[i], envelope->type_name, envelope->content, interface, reterr)
                       : refuse_type(envelope, reterr);
    }
    ir_scope_close(stages->reader.builder);
    return status;
}

enum mls_status pb_read_stages(struct mls_bytes spec, const struct spec_envelope *envelope,
                               struct pb_memory *memory, struct mls_model *model,
                               struct spec_blobs *ret_blobs, struct mls_error *reterr)
{
    struct stages stages = {
        .spec = spec,
        .memory = memory,
        .spec_version = model->spec_version,
        .reader = {.arena = model->arena, .builder = ir_builder_create(model->arena)},
    };
    struct mls_program parts;
    if (!stages.reader.builder)
        return program_no_memory(reterr);
    program_begin(&stages.reader);
    enum mls_status status = read_model(&stages, envelope, &model->interfaces[0], reterr);
    if (!status)
        status = ir_finish(stages.reader.builder, stages.functions, stages.n_functions, &parts, reterr);
    if (!status)
        status = ir_chain(model->arena, &parts, stages.list, stages.n_stages, &model->interfaces[0],
                          &model->program, reterr);
    if (!status)
        *ret_blobs = stages.reader.blobs;
    ir_builder_free(stages.reader.builder);
    free(stages.functions);
    free(stages.list);
    return status;
}
