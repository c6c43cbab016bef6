/*
 * mil_text.h: MIL text, as Core ML's compiler writes it into model.mil: the same program as the protobuf has,
 * and the same IR. Scalars are spelled `fp32(0x1p-1)` by newer compilers and `tensor<fp32, []>(0x1p-1)` by
 * older ones.
 */
#pragma once

#include "format/mil_lex.h"
#include "format/program.h"

struct mil_reader {
    struct program_reader program;
    struct mil_lexer lexer;
    struct mls_error *reterr;
};

/* mil_read_type: PROGRAM_INVALID when it is none, OP_UNSUPPORTED for tuples and element types that we lack.
 */
enum mls_status mil_read_type(struct mil_reader *reader, struct mls_type *ret_type);

/* mil_begins_type: whether a type stands here, rather than a name: a word and then '<' or '('. */
bool mil_begins_type(const struct mil_reader *reader);

/* mil_read_constant: a typed value, `type(content)`. The content of one in a weight file is left to blobs. */
enum mls_status mil_read_constant(struct mil_reader *reader, struct mls_type *ret_type,
                                  const struct mls_constant **ret_constant);

/* A function before its body is read. */
struct mil_function {
    const char *name;
    uint32_t opset;
    struct mil_lexer inputs;     /* at its '(' */
    struct mil_lexer attributes; /* at its '[', where it has one */
    bool has_attributes;
};

/* mil_read_program: functions `names` first, in this order, then the others by name. */
enum mls_status mil_read_program(struct mil_reader *reader, const char *const *names, size_t n_names,
                                 struct mls_program *ret_program);

/* mil_list_functions: the functions of the text, in its order. */
enum mls_status mil_list_functions(struct mil_reader *reader, struct mil_function **ret_functions,
                                   size_t *ret_n);

/* mil_derive_interfaces: gives the model one interface for each function of its program, as the text declares
 * it. */
enum mls_status mil_derive_interfaces(struct mil_reader *reader, struct mls_model *model);

/* mil_read_flexibility: the shapes that a function's FlexibleShapeInformation allows for one of its inputs.
 */
enum mls_status mil_read_flexibility(struct mil_reader *reader, const struct mil_function *function,
                                     struct mls_feature *feature);
