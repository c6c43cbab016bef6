#include "app/attributes.h"

#include <stdio.h>
#include <string.h>

#include "profiler/text.h"

enum { VALUE_BYTES = 160, SMALL_ELEMENTS = 16 };

/* Bytes of the constants that an operation is made from. */
static uint64_t stored_bytes(const struct mls_program *program, const struct mls_op *op)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < op->n_arguments; i++)
        for (uint32_t k = 0; k < op->arguments[i].n_values; k++) {
            const struct mls_value *value = &program->values[op->arguments[i].values[k].i];
            bytes += value->constant ? value->constant->size_bytes : 0;
        }
    return bytes;
}

/* A weight: how it is stored, in how many bits an element. False when the value is no constant. */
static bool format_weight(const struct mls_program *program, const struct mls_value *value, char *text,
                          size_t size)
{
    char type[96], bytes[MLS_TEXT_BYTES];
    int64_t n = mls_type_elems(&value->type);
    const struct mls_op *producer =
        value->producer.i == MLS_NO_INDEX ? NULL : &program->ops[value->producer.i];
    bool compressed = producer && strncmp(producer->type, "constexpr_", 10) == 0;
    if (!compressed && !value->constant)
        return false;
    uint64_t stored = compressed ? stored_bytes(program, producer) : value->constant->size_bytes;
    mls_type_format(&value->type, type, sizeof type);
    mls_text_size(stored, bytes);
    snprintf(text, size, "%s, stored in %s%s%s", type, bytes, compressed ? " by " : "",
             compressed ? producer->type : "");
    size_t used = strlen(text);
    if (n > 0 && used < size)
        snprintf(text + used, size - used, ", %.3g bits an element", (double)stored * 8 / (double)n);
    return true;
}

static bool format_value(const struct mls_program *program, const struct mls_value *value, char *text,
                         size_t size)
{
    int64_t n = mls_type_elems(&value->type);
    if (value->constant && value->type.kind == MLS_KIND_TENSOR && n >= 0 && n <= SMALL_ELEMENTS) {
        mls_constant_format(value, text, size);
        return true;
    }
    return format_weight(program, value, text, size);
}

struct list {
    struct mls_arena *arena;
    struct mls_step_attribute *items; /* NULL: only counted */
    size_t n;
    bool failed;
};

static void add(struct list *list, uint32_t step, const char *name, const char *value)
{
    if (list->items) {
        char *copy = mls_arena_text(list->arena, value, strlen(value));
        list->failed = list->failed || !copy;
        list->items[list->n] = (struct mls_step_attribute){.step = step, .name = name, .value = copy};
    }
    list->n++;
}

static void walk(struct list *list, const struct mls_program *program, const struct mls_plan *plan)
{
    for (size_t i = 0; i < mls_plan_step_count(plan); i++) {
        const struct mls_op *op = &program->ops[mls_plan_step(plan, i)->op.i];
        for (uint32_t k = 0; k < op->n_arguments; k++) {
            char text[VALUE_BYTES];
            const struct mls_argument *argument = &op->arguments[k];
            if (argument->n_values == 1 && strcmp(argument->name, "name") != 0 &&
                format_value(program, &program->values[argument->values[0].i], text, sizeof text))
                add(list, (uint32_t)i, argument->name, text);
        }
    }
}

const struct mls_step_attribute *mls_attributes_make(const struct mls_model *model,
                                                     const struct mls_plan *plan, struct mls_arena *arena,
                                                     size_t *ret_n)
{
    struct list list = {.arena = arena};
    walk(&list, &model->program, plan);
    list.items = MLS_NEW_ARRAY(arena, list.n + 1, struct mls_step_attribute);
    list.n = 0;
    if (!list.items)
        return NULL;
    walk(&list, &model->program, plan);
    *ret_n = list.n;
    return list.failed ? NULL : list.items;
}
