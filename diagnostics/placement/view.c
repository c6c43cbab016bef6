#include "placement/view.h"

#include <stdlib.h>
#include <string.h>

static int entry_compare(const void *a, const void *b)
{
    const struct shape_entry *left = a;
    const struct shape_entry *right = b;
    return strcmp(left->name, right->name);
}

static size_t plan_operand_count(const struct mls_plan *plan)
{
    size_t n = 0;
    for (size_t i = 0; i < mls_plan_step_count(plan); i++) {
        const struct mls_step *step = mls_plan_step(plan, i);
        n += (size_t)step->n_inputs + step->n_outputs + step->n_fused;
    }
    return n;
}

/* Values inside a fused step are never made, but have the shape of what the step makes: it works on its own
 * result. */
static size_t add_fused(const struct mls_program *program, const struct mls_step *step,
                        struct shape_entry *entries)
{
    size_t n = 0;
    for (uint32_t k = 0; k < step->n_fused && step->n_outputs == 1; k++) {
        const struct mls_op *op = &program->ops[step->fused[k].i];
        if (op->n_outputs == 1)
            entries[n++] =
                (struct shape_entry){program->values[op->outputs[0].i].name, &step->outputs[0].type};
    }
    return n;
}

static bool table_from_plan(const struct mls_program *program, const struct mls_plan *plan,
                            struct mls_store *store, struct shape_table *table)
{
    struct shape_entry *entries = MLS_STORE_ARRAY(store, plan_operand_count(plan), struct shape_entry);
    if (entries == NULL)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < mls_plan_step_count(plan); i++) {
        const struct mls_step *step = mls_plan_step(plan, i);
        for (uint32_t k = 0; k < step->n_inputs; k++)
            entries[n++] = (struct shape_entry){step->inputs[k].name, &step->inputs[k].type};
        for (uint32_t k = 0; k < step->n_outputs; k++)
            entries[n++] = (struct shape_entry){step->outputs[k].name, &step->outputs[k].type};
        n += step->n_fused > 1 ? add_fused(program, step, entries + n) : 0;
    }
    table->entries = entries;
    table->n = n;
    return true;
}

static bool table_from_interface(const struct mls_interface *interface, struct mls_store *store,
                                 struct shape_table *table)
{
    struct shape_entry *entries =
        MLS_STORE_ARRAY(store, interface->n_inputs + interface->n_outputs, struct shape_entry);
    if (entries == NULL)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < interface->n_inputs; i++) {
        /* an image's type is height x width x channels, which is not the shape of the program's value */
        if (interface->inputs[i].kind == MLS_FEATURE_TENSOR)
            entries[n++] = (struct shape_entry){interface->inputs[i].name, &interface->inputs[i].type};
    }
    for (size_t i = 0; i < interface->n_outputs; i++) {
        if (interface->outputs[i].kind == MLS_FEATURE_TENSOR)
            entries[n++] = (struct shape_entry){interface->outputs[i].name, &interface->outputs[i].type};
    }
    table->entries = entries;
    table->n = n;
    return true;
}

bool shape_table_create(const struct mls_model *model, mls_function_id function, const struct mls_plan *plan,
                        struct mls_store *store, struct shape_table *ret_table)
{
    struct shape_table table = {0};
    if (plan != NULL) {
        if (!table_from_plan(&model->program, plan, store, &table))
            return false;
    } else {
        const char *name = model->program.functions[function.i].name;
        for (size_t i = 0; i < model->n_interfaces; i++) {
            if (strcmp(model->interfaces[i].function, name) == 0 &&
                !table_from_interface(&model->interfaces[i], store, &table))
                return false;
        }
    }
    if (table.n > 0)
        qsort((void *)(uintptr_t)table.entries, table.n, sizeof(*table.entries), entry_compare);
    *ret_table = table;
    return true;
}

const struct mls_value *view_value(const struct op_view *view, const char *name, uint32_t index)
{
    const struct mls_argument *argument = mls_op_argument(view->op, name);
    if (argument == NULL || index >= argument->n_values)
        return NULL;
    return &view->program->values[argument->values[index].i];
}

const struct mls_value *view_output(const struct op_view *view, uint32_t index)
{
    return index < view->op->n_outputs ? &view->program->values[view->op->outputs[index].i] : NULL;
}

bool view_constant(const struct op_view *view, const struct mls_value *value)
{
    if (value->constant != NULL)
        return true;
    if (value->producer.i == MLS_NO_INDEX)
        return false;
    const char *type = view->program->ops[value->producer.i].type;
    return strcmp(type, "const") == 0 || strncmp(type, "constexpr_", strlen("constexpr_")) == 0;
}

struct mls_type view_type(const struct op_view *view, const struct mls_value *value)
{
    if (mls_type_is_static(&value->type) || view->shapes->n == 0)
        return value->type;
    struct shape_entry key = {.name = value->name};
    const struct shape_entry *found =
        bsearch(&key, view->shapes->entries, view->shapes->n, sizeof(key), entry_compare);
    if (found == NULL || found->type->kind != value->type.kind)
        return value->type;
    struct mls_type type = *found->type;
    type.dtype = value->type.dtype;
    return type;
}

double view_elems(const struct op_view *view, const struct mls_value *value)
{
    if (value == NULL)
        return 0;
    struct mls_type type = view_type(view, value);
    double elems = 1;
    for (unsigned i = 0; type.rank != MLS_RANK_UNKNOWN && i < type.rank; i++)
        elems *= type.dims[i] == MLS_DIM_UNKNOWN ? 1.0 : (double)type.dims[i];
    return elems;
}

double view_bytes(const struct op_view *view, const struct mls_value *value)
{
    if (value == NULL || value->type.dtype == MLS_TEXT)
        return 0;
    return view_elems(view, value) * mls_dtype_bits(value->type.dtype) / 8;
}

/* Element `index` of a constant as an integer; false for other types and past its end. */
static bool constant_int(const struct mls_value *value, size_t index, int64_t *ret_int)
{
    size_t size = mls_dtype_bits(value->type.dtype) / 8;
    if (size == 0 || size > sizeof(int64_t) || index >= value->constant->size_bytes / size)
        return false;
    const unsigned char *at = (const unsigned char *)value->constant->data + index * size;
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)at[i] << (8 * i);
    switch (value->type.dtype) {
    case MLS_INT8:
        *ret_int = (int8_t)bits;
        return true;
    case MLS_INT16:
        *ret_int = (int16_t)bits;
        return true;
    case MLS_INT32:
        *ret_int = (int32_t)bits;
        return true;
    case MLS_BOOL:
    case MLS_UINT8:
    case MLS_UINT16:
    case MLS_UINT32:
    case MLS_INT64:
        *ret_int = (int64_t)bits;
        return true;
    default:
        return false;
    }
}

bool view_ints(const struct op_view *view, const char *name, int64_t ret_ints[VIEW_INTS_MAX], size_t *ret_n)
{
    const struct mls_value *value = view_value(view, name, 0);
    if (value == NULL || value->constant == NULL || value->constant->data == NULL)
        return false;
    int64_t n = mls_type_elems(&value->type);
    if (n < 0 || n > VIEW_INTS_MAX)
        return false;
    int64_t ints[VIEW_INTS_MAX] = {0};
    for (size_t i = 0; i < (size_t)n; i++) {
        if (!constant_int(value, i, &ints[i]))
            return false;
    }
    memcpy(ret_ints, ints, sizeof(ints));
    *ret_n = (size_t)n;
    return true;
}

bool view_true(const struct op_view *view, const char *name)
{
    int64_t ints[VIEW_INTS_MAX];
    size_t n;
    return view_ints(view, name, ints, &n) && n == 1 && ints[0] != 0;
}

const struct mls_value *view_next(const struct op_view *view, struct view_place *place)
{
    while (place->argument < view->op->n_arguments) {
        const struct mls_argument *argument = &view->op->arguments[place->argument];
        if (place->value < argument->n_values)
            return &view->program->values[argument->values[place->value++].i];
        place->argument++;
        place->value = 0;
    }
    return view_output(view, place->output++);
}
