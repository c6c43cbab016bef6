/*
 * edit.h: changes a specification and writes it again with its weights. What is not changed stays as it is,
 * fields that we do not know included. All weights of the result lie in one weight file, each record once,
 * however many constants refer to it.
 */
#pragma once

#include "base/arena.h"
#include "core/model.h"

enum { EDIT_OPERANDS_MAX = 6, EDIT_RESULTS_MAX = 2 };

/* An operand of a new operation: the value called `value`, or a constant of its own. */
struct edit_operand {
    const char *name;     /* of the parameter */
    const char *value;    /* or NULL */
    struct mls_type type; /* of the constant, a tensor of numbers */
    const void *data;     /* borrowed until spec_edit_finish; the same pointer is stored once */
    bool is_text;         /* data is a NUL-terminated string instead */
};

struct edit_result {
    const char *name;
    struct mls_type type;
};

/* A new operation. Its type decides how constants are attached: those of constexpr operations before opset 8
 * are attributes, that of "const" is its attribute val, others are inputs. */
struct edit_op {
    const char *type;
    const char *name;
    struct edit_operand operands[EDIT_OPERANDS_MAX];
    unsigned n_operands;
    struct edit_result results[EDIT_RESULTS_MAX];
    unsigned n_results;
};

struct spec_edit;

/* spec_edit_open: reads the specification of the model's package; the model must be the one that was loaded
 * from it. Memory comes from an arena as secret as the model's. */
enum mls_status spec_edit_open(const struct mls_model *model, struct spec_edit **ret_edit,
                               struct mls_error *reterr);
void spec_edit_free(struct spec_edit *edit);

/* spec_edit_raise: every function to at least this opset, and the specification version that it needs. */
enum mls_status spec_edit_raise(struct spec_edit *edit, uint32_t opset, struct mls_error *reterr);

/* spec_edit_replace: `ops`, copied but for their data, stand where the operation stood. Once for each
 * operation; n 0 removes it. */
enum mls_status spec_edit_replace(struct spec_edit *edit, mls_op_id op, const struct edit_op *ops, size_t n,
                                  struct mls_error *reterr);

/* spec_edit_insert: `ops` stand before the operation. Once for each operation, not together with replace. */
enum mls_status spec_edit_insert(struct spec_edit *edit, mls_op_id op, const struct edit_op *ops, size_t n,
                                 struct mls_error *reterr);

/* spec_edit_rebind: the first value of an argument of the operation becomes the value called `value`. */
enum mls_status spec_edit_rebind(struct spec_edit *edit, mls_op_id op, const char *argument,
                                 const char *value, struct mls_error *reterr);

/* What an edit gives: bytes of the arena of the edit. */
struct edit_output {
    struct mls_bytes spec;
    struct mls_bytes weights;      /* the weight file; no bytes when nothing refers to one */
    const char *weights_reference; /* "@model_path/weights/weight.bin" */
    uint32_t opset;                /* the highest of its functions */
    int32_t spec_version;
};

/*
 * spec_edit_finish: the new specification and weight file. Constants that nobody uses any more are left out.
 * `keep` owns the weights' bytes and the specification's.
 */
enum mls_status spec_edit_finish(struct spec_edit *edit, struct mls_arena *keep,
                                 struct edit_output *ret_output, struct mls_error *reterr);
