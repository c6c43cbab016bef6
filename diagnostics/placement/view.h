/*
 * view.h: one operation as the rules see it: shapes resolved, operands by name, amounts as doubles, so that
 * no product of hostile dimensions overflows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session.h"
#include "store.h"

/* Shapes that the program leaves open, as a plan or the default shapes of the interface give them. */
struct shape_table {
    const struct shape_entry {
        const char *name;
        const struct mls_type *type;
    } * entries; /* in order of name */
    size_t n;
};

/* shape_table_create: from the plan, else from the interface of the function; false when out of memory. */
bool shape_table_create(const struct mls_model *model, mls_function_id function, const struct mls_plan *plan,
                        struct mls_store *store, struct shape_table *ret_table);

struct op_view {
    const struct mls_program *program;
    const struct shape_table *shapes;
    const struct mls_op *op;
    bool is_network; /* of layers: the system chooses the precision that it computes in */
};

enum { VIEW_INTS_MAX = 16 };

/* view_value: value `index` of the argument called `name`, or NULL. */
const struct mls_value *view_value(const struct op_view *view, const char *name, uint32_t index);
/* view_output: the operation's output `index`, or NULL. */
const struct mls_value *view_output(const struct op_view *view, uint32_t index);
/* view_constant: whether the value is known from the file (compressed weights included). */
bool view_constant(const struct op_view *view, const struct mls_value *value);
/* view_type: its type with the shapes of the table filled in. */
struct mls_type view_type(const struct op_view *view, const struct mls_value *value);
/* view_elems, view_bytes: 0 for NULL; a dimension that stays unknown counts as one, as in the records. */
double view_elems(const struct op_view *view, const struct mls_value *value);
double view_bytes(const struct op_view *view, const struct mls_value *value);
/* view_ints: the integers of a constant argument; false when it is absent, not constant or too long. */
bool view_ints(const struct op_view *view, const char *name, int64_t ret_ints[VIEW_INTS_MAX], size_t *ret_n);
/* view_true: whether a constant boolean argument is there and true. */
bool view_true(const struct op_view *view, const char *name);

/* view_next: visits every operand of the operation, then its outputs; start with a zeroed place. NULL at the
 * end. */
struct view_place {
    uint32_t argument;
    uint32_t value;
    uint32_t output;
};
const struct mls_value *view_next(const struct op_view *view, struct view_place *place);
