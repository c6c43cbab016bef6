#include "format/program.h"

#include <stdlib.h>
#include <string.h>

void program_begin(struct program_reader *reader)
{
    reader->function = "";
    reader->operation = "";
    reader->op_type = "";
    reader->blobs = (struct spec_blobs){0};
    reader->blobs_end = &reader->blobs.first;
}

void program_error_place(const struct program_reader *reader, struct mls_error *error)
{
    mls_error_within(error, reader->function, reader->op_type, reader->operation);
}

enum mls_status program_no_memory(struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_LIMIT,
                    "cannot read the program: it unpacks to far more than its size, or memory ran out");
}

bool program_is_operand(const char *op_type, const char *attribute)
{
    return strncmp(op_type, "constexpr_", 10) == 0 && strcmp(attribute, "name") != 0;
}

const char *program_op_type(const char *type)
{
    const char *point = strchr(type, '.');
    return strncmp(type, "ios", 3) == 0 && point && point[1] ? point + 1 : type;
}

static int compare_arguments(const void *a, const void *b)
{
    return strcmp(((const struct mls_argument *)a)->name, ((const struct mls_argument *)b)->name);
}

enum mls_status program_set_arguments(struct mls_argument *arguments, size_t n, struct mls_op *op,
                                      struct mls_error *reterr)
{
    if (n)
        qsort(arguments, n, sizeof *arguments, compare_arguments);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(arguments[i - 1].name, arguments[i].name) == 0)
            return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                            "cannot read the program: argument %s is given twice", arguments[i].name);
    }
    op->arguments = arguments;
    op->n_arguments = (uint32_t)n;
    return MLS_OK;
}

enum mls_status program_defer_blob(struct program_reader *reader, const struct mls_type *type, const char *reference,
                                   uint64_t offset, struct mls_constant *constant, struct mls_error *reterr)
{
    if (type->kind != MLS_KIND_TENSOR || !mls_type_is_static(type) || mls_type_bytes(type) == SIZE_MAX ||
        type->dtype == MLS_TEXT)
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read a constant: only a tensor of numbers, of known shape, can lie in a weight file");
    struct spec_blob *blob = MLS_NEW(reader->arena, struct spec_blob);
    if (!blob || !reference)
        return program_no_memory(reterr);
    *blob = (struct spec_blob){.constant = constant,
                               .type = *type,
                               .reference = reference,
                               .offset = offset,
                               .function = reader->function,
                               .operation = reader->operation,
                               .op_type = reader->op_type};
    *reader->blobs_end = blob;
    reader->blobs_end = &blob->next;
    reader->blobs.n++;
    return MLS_OK;
}

enum mls_status program_attach_constant(const struct program_reader *reader, const struct mls_op *op,
                                        const struct mls_type *type, const struct mls_constant *constant,
                                        struct mls_error *reterr)
{
    if (!constant || op->n_outputs != 1)
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read the program: a const has one attribute val and one output");
    struct mls_value *output = ir_value_at(reader->builder, op->outputs[0]);
    if (!mls_type_equal(&output->type, type)) {
        char declared[96], found[96];
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read the program: a const is declared as %s and holds %s",
                        mls_type_format(&output->type, declared, sizeof declared),
                        mls_type_format(type, found, sizeof found));
    }
    output->type = *type; /* the same, but for the length of a list */
    output->constant = constant;
    return MLS_OK;
}

static int compare_functions(const void *a, const void *b)
{
    const struct program_function *left = a, *right = b;
    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    return strcmp(left->name, right->name);
}

enum mls_status program_order_functions(struct program_function *functions, size_t n, const char *const *names,
                                        size_t n_names, struct mls_error *reterr)
{
    for (size_t i = 0; i < n; i++) {
        functions[i].rank = n_names;
        for (size_t k = 0; k < n_names; k++)
            if (strcmp(names[k], functions[i].name) == 0)
                functions[i].rank = k;
    }
    if (n)
        qsort(functions, n, sizeof *functions, compare_functions);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(functions[i - 1].name, functions[i].name) == 0)
            return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                            "cannot read the program: function %s is defined twice", functions[i].name);
    }
    return MLS_OK;
}
