/*
 * model.h: a model as data. The interface (features), the program (functions, blocks, operations, values), and a
 * reference to the package whose bytes its constants point into. Plain structs, indices instead of pointers between
 * nodes; all of it is immutable after loading and owned by the model's arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/package.h"
#include "core/status.h"
#include "core/tensor.h"

/* Typed indices: mixing them up does not compile. */
typedef struct { uint32_t i; } mls_value_id;
typedef struct { uint32_t i; } mls_op_id;
typedef struct { uint32_t i; } mls_block_id;
typedef struct { uint32_t i; } mls_function_id;
#define MLS_NO_INDEX UINT32_MAX

/* Opsets by number: CoreML5 is 5 (iOS 15) … CoreML9 is 9 (iOS 26). */
enum { MLS_OPSET_MIN = 5, MLS_OPSET_MAX = 9 };

/*
 * Content of a constant: elements of the value's type, packed as in dtype.h; of a list, the elements of its tensors one
 * after the other. Borrowed from the package or the arena.
 */
struct mls_constant {
    const void *data;
    size_t size_bytes;
    const char *blob_path;   /* package entry that holds it, or NULL for an immediate value */
    uint64_t blob_offset;    /* of the data in that file; 0 for an immediate value */
    const char *blob_reference; /* that file as the program states it: "@model_path/weights/weight.bin" */
    uint64_t blob_record;    /* of the record that describes the data: the offset that programs state */
};

struct mls_value {
    const char *name;
    struct mls_type type;          /* as the program declares it */
    mls_op_id producer;            /* MLS_NO_INDEX for inputs of a function or block, and for immediate arguments */
    const struct mls_constant *constant; /* NULL unless known from the file */
};

/* One named argument of an operation: one value, or several for variadic parameters. Immediate values have value ids too. */
struct mls_argument {
    const char *name;
    const mls_value_id *values;
    uint32_t n_values;
};

struct mls_op {
    const char *type;               /* "conv", "const", "while_loop" … without any opset prefix */
    const char *name;               /* the operation's own name; never empty */
    mls_function_id function;
    mls_block_id block;             /* that it stands in */
    const struct mls_argument *arguments; /* in order of name */
    uint32_t n_arguments;
    const mls_value_id *outputs;
    uint32_t n_outputs;
    const mls_block_id *blocks;     /* of control flow */
    uint32_t n_blocks;
    uint32_t opset;                 /* whose definition it has, in a pipeline of models of several; 0: that of its function */
};

struct mls_block {
    mls_function_id function;
    mls_op_id parent;               /* MLS_NO_INDEX for a function's own block */
    const mls_value_id *inputs;
    uint32_t n_inputs;
    const mls_op_id *ops;           /* in file order */
    uint32_t n_ops;
    const mls_value_id *outputs;
    uint32_t n_outputs;
};

struct mls_function {
    const char *name;
    uint32_t opset;                 /* 5 … 9 */
    mls_block_id block;             /* its inputs are those of the function */
};

struct mls_program {
    const struct mls_function *functions;
    uint32_t n_functions;
    const struct mls_block *blocks;
    uint32_t n_blocks;
    const struct mls_op *ops;       /* constants included, as operations of type "const" */
    uint32_t n_ops;
    const struct mls_value *values;
    uint32_t n_values;
};

/* Kinds of features: id, name in outputs.json. */
#define MLS_FEATURE_KIND_LIST(X)  \
    X(TENSOR, "tensor")           \
    X(IMAGE, "image")             \
    X(DICTIONARY, "dictionary")   \
    X(SEQUENCE, "sequence")       \
    X(STRING, "string")           \
    X(INT64, "int64")             \
    X(DOUBLE, "double")           \
    X(STATE, "state")

enum mls_feature_kind {
#define X(id, name) MLS_FEATURE_##id,
    MLS_FEATURE_KIND_LIST(X)
#undef X
        MLS_FEATURE_KIND_COUNT
};

const char *mls_feature_kind_name(enum mls_feature_kind kind);

enum mls_color { MLS_COLOR_GRAY, MLS_COLOR_RGB, MLS_COLOR_BGR, MLS_COLOR_GRAY_FP16 };

/* One allowed size of a dimension; upper bound -1 means none. */
struct mls_range {
    int64_t lower;
    int64_t upper;
};

struct mls_shape {
    uint8_t rank;
    int64_t dims[MLS_RANK_MAX];
};

/* A named input, output or state of the model's description. */
struct mls_feature {
    const char *name;
    const char *description;        /* "" when there is none */
    enum mls_feature_kind kind;
    bool optional;
    struct mls_type type;           /* tensors and states: the declared dtype and default shape (images: height x width x channels) */
    const struct mls_shape *enumerated; /* allowed shapes (images: {height, width}), or NULL */
    size_t n_enumerated;
    const struct mls_range *ranges; /* one per dimension (images: height, width), or NULL */
    size_t n_ranges;
    bool has_default;
    double default_value;           /* optional tensors: every element, when has_default */
    enum mls_color color;           /* images only */
    enum mls_dtype key_dtype;       /* dictionaries and sequences: MLS_TEXT or MLS_INT64 */
};

/* The interface of one function. */
struct mls_interface {
    const char *function;           /* name of the program's function */
    const struct mls_feature *inputs;
    size_t n_inputs;
    const struct mls_feature *outputs;
    size_t n_outputs;
    const struct mls_feature *states;
    size_t n_states;
    const char *predicted_feature;      /* class label output, or "" */
    const char *predicted_probabilities; /* or "" */
};

/* One name and value of the model's metadata. */
struct mls_metadata {
    const char *key;
    const char *value;
};

/* What a package holds. Type of model other than MLPROGRAM are recognised by name and refused by mls_model_load. */
struct mls_model {
    struct mls_package *package;    /* a reference of its own: constants point into it */
    int32_t spec_version;
    const char *type_name;          /* "mlProgram", "neuralNetwork", … */
    const struct mls_interface *interfaces; /* one per function, the default one first */
    size_t n_interfaces;
    const char *default_function;
    const struct mls_metadata *metadata; /* author, license, shortDescription, versionString and user-defined ones */
    size_t n_metadata;
    struct mls_program program;
    struct mls_arena *arena;        /* owner of everything above */
};

/* mls_model_load: reads the package's specification. Takes its own reference to the package. The caller frees. */
enum mls_status mls_model_load(struct mls_package *package, const struct mls_progress *progress,
                               struct mls_model **ret_model, struct mls_error *reterr);

/* mls_model_free: frees the model and drops its reference to the package; NULL is fine. */
void mls_model_free(struct mls_model *model);

/*
 * mls_model_compile: writes the model as a compiled folder: model.mil (MIL text), coremldata.bin (its description) and the
 * weight files. For reading and comparing: Apple's runtime is not known to accept it. The folder is whole or absent; USAGE
 * when `out_path` exists or the model is sealed, since a folder would hold its content in plain.
 */
enum mls_status mls_model_compile(const struct mls_model *model, const char *out_path, struct mls_error *reterr);

/* mls_model_function: index of the function called `name` (NULL: the default one), with its interface; or FUNCTION_NOT_FOUND. */
enum mls_status mls_model_function(const struct mls_model *model, const char *name, mls_function_id *ret_function,
                                   const struct mls_interface **ret_interface, struct mls_error *reterr);

/* mls_program_argument: the argument called `name`, or NULL. */
const struct mls_argument *mls_op_argument(const struct mls_op *op, const char *name);

/* Who uses each value: the operations users[first[v]] up to users[first[v + 1]], in order; one that uses it twice stands
 * there twice. Outputs of blocks are not among them. */
struct mls_users {
    mls_op_id *users;
    uint32_t *first;
};

/* mls_users_create: false when out of memory; the caller frees with mls_users_free, after failures too. */
bool mls_users_create(const struct mls_program *program, struct mls_users *ret_users);
void mls_users_free(struct mls_users *users);

/* mls_op_opset: the opset whose definition an operation of the program has. */
uint32_t mls_op_opset(const struct mls_program *program, const struct mls_op *op);

/* mls_system_for_spec / _opset: "iOS 16, macOS 13" for a specification version or opset; "unknown system" otherwise; static. */
const char *mls_system_for_spec(int32_t spec_version);
const char *mls_system_for_opset(uint32_t opset);

/* A sink of text; returning false stops the writer. */
struct mls_writer {
    void *user;
    bool (*write)(void *user, const char *text, size_t length_bytes);
};

/* mls_program_print: the program as MIL text (large constants as BLOBFILE or elided), for reading and comparing. */
bool mls_program_print(const struct mls_model *model, const struct mls_writer *writer);

/* mls_program_write: the same, complete: what mls_model_load reads again as the same program. Not safe for a terminal. */
bool mls_program_write(const struct mls_model *model, const struct mls_writer *writer);

/* mls_constant_format: the elements of a small constant ("[2, 2]", "\"valid\"", "0.1"), the type of a large one or of one
 * from a weight file, into text[size]; returns text. */
char *mls_constant_format(const struct mls_value *value, char *text, size_t size);
