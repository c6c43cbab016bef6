/* program.h: what the readers of a program share, whether it comes as protobuf or as MIL text. */
#pragma once

#include "core/model.h"
#include "format/spec.h"
#include "ir/build.h"

/* The reading of one program. Texts and results go into the arena, which is the model's. */
struct program_reader {
    struct mls_arena *arena;
    struct ir_builder *builder;
    const char *function;  /* being read */
    const char *operation; /* being read, or "" */
    const char *op_type;   /* its type */
    struct spec_blobs blobs;
    struct spec_blob **blobs_end; /* program_begin sets it */
};

/* program_begin: nothing is being read yet, and nothing lies in weight files. */
void program_begin(struct program_reader *reader);

/* program_error_place: adds to an error what was being read. */
void program_error_place(const struct program_reader *reader, struct mls_error *error);

/* program_no_memory: the model's arena did not give. */
enum mls_status program_no_memory(struct mls_error *reterr);

/* program_is_operand: whether an attribute is an argument: operations that decompress constants carried theirs so before
 * CoreML8. */
bool program_is_operand(const char *op_type, const char *attribute);

/* program_op_type: "gather" for "ios16.gather"; points into `type`. */
const char *program_op_type(const char *type);

/* program_set_arguments: sorts them and gives them to the operation; PROGRAM_INVALID when one is there twice. */
enum mls_status program_set_arguments(struct mls_argument *arguments, size_t n, struct mls_op *op,
                                      struct mls_error *reterr);

/* program_defer_blob: notes that the content of a constant lies in a weight file. `reference` must live in the arena. */
enum mls_status program_defer_blob(struct program_reader *reader, const struct mls_type *type, const char *reference,
                                   uint64_t offset, struct mls_constant *constant, struct mls_error *reterr);

/* program_attach_constant: makes the one output of a "const" known; its declared type must be that of the content. */
enum mls_status program_attach_constant(const struct program_reader *reader, const struct mls_op *op,
                                        const struct mls_type *type, const struct mls_constant *constant,
                                        struct mls_error *reterr);

/* A function and its place in the order wanted. */
struct program_function {
    const char *name;
    const void *source; /* the reader's own */
    size_t rank;
};

/* program_order_functions: functions `names` first, in this order, then the others by name. PROGRAM_INVALID when two have
 * one name. */
enum mls_status program_order_functions(struct program_function *functions, size_t n, const char *const *names,
                                        size_t n_names, struct mls_error *reterr);
