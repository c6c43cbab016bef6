/*
 * pb_stage.h: models that are no networks, alone or in pipelines. Each becomes a function with one operation,
 * whose constants are what the model has learned; ir/chain.h joins them. Only pb_*.c files include this.
 */
#pragma once

#include "classical.pb-c.h"
#include "core/model.h"
#include "format/pb_wire.h"
#include "format/program.h"
#include "ir/chain.h"

enum { STAGE_ARGUMENTS_MAX = 16, STAGE_OPSET = MLS_OPSET_MIN };

/* What is read, model after model. */
struct stages {
    struct mls_bytes spec;
    struct pb_memory *memory;
    int32_t spec_version;
    struct program_reader reader;   /* its blobs are those of all programs */
    struct mls_function *functions; /* owned until joined */
    struct ir_stage *list;          /* owned until joined */
    uint32_t n_functions, functions_capacity;
    uint32_t n_stages, stages_capacity;
    unsigned depth; /* of nested pipelines */
};

/* One model being made into a function. After a first failure everything here does nothing: `status` tells.
 */
struct stage {
    struct stages *stages;
    struct mls_arena *arena;
    const struct mls_interface *interface;
    const mls_value_id *inputs; /* of the function, as the interface has them */
    struct mls_argument arguments[STAGE_ARGUMENTS_MAX];
    uint32_t n_arguments;
    mls_op_id op;
    const char *type;            /* of the operation */
    const mls_value_id *outputs; /* of the operation */
    uint32_t n_outputs;
    enum mls_status status;
    struct mls_error *reterr;
};

/* A type of models: a row of pb_stage.c. */
struct stage_row {
    uint32_t number; /* of its field in the specification */
    const ProtobufCMessageDescriptor *descriptor;
    void (*read)(struct stage *stage, const ProtobufCMessage *message);
};

/*
 * pb_read_stages: the function of a pipeline or of a single model that is no program: fills model->program
 * from the model's interface and the content of `type_number`. Types that are not run are refused by name,
 * SPEC_TYPE_NOT_YET.
 */
enum mls_status pb_read_stages(struct mls_bytes spec, const struct spec_envelope *envelope,
                               struct pb_memory *memory, struct mls_model *model,
                               struct spec_blobs *ret_blobs, struct mls_error *reterr);

/* ---- What the readers of models use (pb_stage_emit.c) */

/* stage_fail: refuses the model, with its type and reason. Only the first call counts. */
void stage_fail(struct stage *stage, enum mls_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* stage_check: PROGRAM_INVALID unless the condition holds; returns whether all is well so far. */
bool stage_check(struct stage *stage, bool condition, const char *reason);

/* stage_input: the function's value for a feature; fails when there is none. NULL name: the only input. */
mls_value_id stage_input(struct stage *stage, const char *name);
/* stage_has_input: whether the interface has an input of that name. */
bool stage_has_input(const struct stage *stage, const char *name);

/* Arguments of the operation: names are static. Content is copied. */
void stage_values(struct stage *stage, const char *name, const mls_value_id *values, size_t n);
void stage_value(struct stage *stage, const char *name, mls_value_id value);
/* stage_all_inputs: the argument "x" is all inputs, in the interface's order. */
void stage_all_inputs(struct stage *stage);
void stage_constant(struct stage *stage, const char *name, const struct mls_type *type, const void *data);
void stage_doubles(struct stage *stage, const char *name, const double *values, size_t n);
void stage_ints(struct stage *stage, const char *name, const int32_t *values, size_t n);
void stage_double(struct stage *stage, const char *name, double value);
void stage_int(struct stage *stage, const char *name, int32_t value);
void stage_bool(struct stage *stage, const char *name, bool value);
void stage_texts(struct stage *stage, const char *name, char *const *texts, size_t n);
void stage_longs(struct stage *stage, const char *name, const int64_t *values, size_t n);
/* stage_labels: the argument `name` from texts or else integers; returns how many. One of the two may be
 * NULL. */
size_t stage_labels(struct stage *stage, const char *name, const Pb__TextVector *texts,
                    const Pb__IntVector *ints);

/* stage_output: an output of the operation: that of the interface called `name`, or one that nobody sees
 * (NULL). The type of the latter is decided by inference. */
void stage_output(struct stage *stage, const char *name, const struct mls_type *hidden_type);
/* stage_number_output: the only output of the interface, as fp64: a scalar, or a vector, which a sparse one
 * is too. */
void stage_number_output(struct stage *stage);
/* stage_class_outputs: label and scores of a classifier, as the interface names them. */
void stage_class_outputs(struct stage *stage, const char *label_argument);

/* ---- Readers (pb_stage_*.c) */

void stage_read_tree_classifier(struct stage *stage, const ProtobufCMessage *message);
void stage_read_tree_regressor(struct stage *stage, const ProtobufCMessage *message);
void stage_read_linear_classifier(struct stage *stage, const ProtobufCMessage *message);
void stage_read_linear_regressor(struct stage *stage, const ProtobufCMessage *message);
void stage_read_vector_classifier(struct stage *stage, const ProtobufCMessage *message);
void stage_read_vector_regressor(struct stage *stage, const ProtobufCMessage *message);
void stage_read_neighbors(struct stage *stage, const ProtobufCMessage *message);
void stage_read_vectorizer(struct stage *stage, const ProtobufCMessage *message);
void stage_read_one_hot(struct stage *stage, const ProtobufCMessage *message);
void stage_read_imputer(struct stage *stage, const ProtobufCMessage *message);
void stage_read_scaler(struct stage *stage, const ProtobufCMessage *message);
void stage_read_normalizer(struct stage *stage, const ProtobufCMessage *message);
void stage_read_dictionary(struct stage *stage, const ProtobufCMessage *message);
void stage_read_mapping(struct stage *stage, const ProtobufCMessage *message);
void stage_read_extractor(struct stage *stage, const ProtobufCMessage *message);
void stage_read_identity(struct stage *stage, const ProtobufCMessage *message);
void stage_read_similarity(struct stage *stage, const ProtobufCMessage *message);
void stage_read_suppression(struct stage *stage, const ProtobufCMessage *message);
