#include "compress/target.h"

#include <string.h>

enum { ELEMS_MIN = 10 }; /* what coremltools leaves in the specification is no weight */

/* ---- Axes, as coremltools' select_input_output_channel_axis has them --------------------------- */

static bool true_constant(const struct mls_program *program, const struct mls_op *op, const char *name)
{
    const struct mls_argument *argument = mls_op_argument(op, name);
    const struct mls_constant *constant =
        argument && argument->n_values ? program->values[argument->values[0].i].constant : NULL;
    return constant && constant->size_bytes && *(const uint8_t *)constant->data;
}

static int64_t int_constant(const struct mls_program *program, const struct mls_op *op, const char *name,
                            int64_t otherwise)
{
    const struct mls_argument *argument = mls_op_argument(op, name);
    const struct mls_value *value =
        argument && argument->n_values ? &program->values[argument->values[0].i] : NULL;
    int32_t number;
    if (!value || !value->constant || value->type.dtype != MLS_INT32 ||
        value->constant->size_bytes < sizeof number)
        return otherwise;
    memcpy(&number, value->constant->data, sizeof number);
    return number;
}

static bool takes_as(const struct mls_op *op, const char *name, mls_value_id value)
{
    const struct mls_argument *argument = mls_op_argument(op, name);
    return argument && argument->n_values == 1 && argument->values[0].i == value.i;
}

struct axes {
    unsigned input;
    unsigned output;
};

static struct axes axes_of(const struct mls_program *program, const struct mls_op *op, mls_value_id value)
{
    unsigned rank = program->values[value.i].type.rank;
    if (!strcmp(op->type, "conv_transpose"))
        return (struct axes){0, 1};
    if (strcmp(op->type, "matmul") || rank < 2)
        return (struct axes){1, 0};
    bool y = takes_as(op, "y", value);
    bool transposed = true_constant(program, op, y ? "transpose_y" : "transpose_x");
    bool last_is_output = y ? !transposed : transposed;
    return last_is_output ? (struct axes){rank - 2, rank - 1} : (struct axes){rank - 1, rank - 2};
}

static void read_users(const struct mls_program *program, const struct mls_users *users,
                       struct target *target)
{
    uint32_t first = users->first[target->value.i], end = users->first[target->value.i + 1];
    target->axes_known = target->work.structured = true;
    target->work.channels_divisor = 1;
    for (uint32_t i = first; i < end; i++) {
        const struct mls_op *op = &program->ops[users->users[i].i];
        struct axes axes = axes_of(program, op, target->value);
        if (i == first) {
            target->work.input_axis = axes.input;
            target->work.output_axis = axes.output;
        }
        target->axes_known &=
            axes.input == target->work.input_axis && axes.output == target->work.output_axis;
        bool conv = !strcmp(op->type, "conv");
        target->work.structured &=
            (conv || !strcmp(op->type, "linear")) && takes_as(op, "weight", target->value);
        int64_t groups =
            conv || !strcmp(op->type, "conv_transpose") ? int_constant(program, op, "groups", 1) : 1;
        if (groups > target->work.channels_divisor && axes.output == 0)
            target->work.channels_divisor = groups;
    }
}

/* ---- Which ----------------------------------------------------------------------------------- */

static bool is_constexpr(const struct mls_op *op)
{
    return !strncmp(op->type, "constexpr_", 10);
}

/* Whether every user only makes another weight of it. */
static bool is_part(const struct mls_program *program, const struct mls_users *users, mls_value_id value)
{
    uint32_t first = users->first[value.i], end = users->first[value.i + 1];
    for (uint32_t i = first; i < end; i++)
        if (!is_constexpr(&program->ops[users->users[i].i]))
            return false;
    return end > first;
}

static const char *reason_to_skip(const struct mls_program *program, const struct mls_users *users,
                                  const struct target *target)
{
    const struct mls_type *type = &program->values[target->value.i].type;
    if (type->dtype != MLS_FP16 && type->dtype != MLS_FP32)
        return "its elements are no fp16 or fp32";
    if (users->first[target->value.i] == users->first[target->value.i + 1])
        return "no operation uses it";
    if (target->compressed)
        return NULL;
    if (type->rank < 2)
        return "it is a vector";
    for (uint32_t i = users->first[target->value.i]; i < users->first[target->value.i + 1]; i++)
        if (is_constexpr(&program->ops[users->users[i].i]))
            return "it is part of a compressed weight";
    return target->axes_known ? NULL : "operations that use it have different channel axes";
}

bool targets_find(const struct mls_program *program, const struct mls_users *users, struct mls_arena *arena,
                  struct targets *ret_targets)
{
    struct targets targets = {.list = MLS_NEW_ARRAY(arena, program->n_ops, struct target)};
    if (!targets.list)
        return false;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        bool plain = !strcmp(op->type, "const");
        if (op->n_outputs == 0 || (!plain && !is_constexpr(op)))
            continue;
        mls_value_id value = op->outputs[op->n_outputs - 1];
        const struct mls_type *type = &program->values[value.i].type;
        if (type->kind != MLS_KIND_TENSOR || type->dtype == MLS_TEXT || mls_type_elems(type) < ELEMS_MIN ||
            is_part(program, users, value))
            continue;
        struct target *target = &targets.list[targets.n++];
        *target = (struct target){.op = {i}, .value = value, .user = {MLS_NO_INDEX}, .job = SIZE_MAX};
        if (users->first[value.i] < users->first[value.i + 1])
            target->user = users->users[users->first[value.i]];
        read_users(program, users, target);
        target->compressed = !plain;
        target->skipped_because = reason_to_skip(program, users, target);
    }
    *ret_targets = targets;
    return true;
}

/* ---- Settings: by name of the constant, else of every user by name, type, or for all ------------ */

static const struct mls_compress_rule *find_rule(const struct mls_compress_pass *pass,
                                                 enum mls_compress_scope scope, const char *key)
{
    for (size_t i = pass->n_rules; i-- > 0;)
        if (pass->rules[i].scope == scope && (scope == MLS_SCOPE_GLOBAL || !strcmp(pass->rules[i].key, key)))
            return &pass->rules[i];
    return NULL;
}

static const struct mls_compress_rule *rule_of_user(const struct mls_compress_pass *pass,
                                                    const struct mls_op *op)
{
    const struct mls_compress_rule *rule = find_rule(pass, MLS_SCOPE_OP_NAME, op->name);
    if (!rule)
        rule = find_rule(pass, MLS_SCOPE_OP_TYPE, op->type);
    return rule ? rule : find_rule(pass, MLS_SCOPE_GLOBAL, NULL);
}

static bool same_rule(const struct mls_compress_rule *a, const struct mls_compress_rule *b)
{
    if (!a || !b || a->leave || b->leave)
        return (!a || a->leave) == (!b || b->leave);
    return !memcmp(&a->setting, &b->setting, sizeof a->setting);
}

enum mls_status target_setting(const struct mls_program *program, const struct mls_users *users,
                               const struct target *target, const struct mls_compress_pass *pass,
                               const struct mls_compress_rule **ret_rule, struct mls_error *reterr)
{
    const char *name = program->ops[target->op.i].name;
    const struct mls_compress_rule *rule = find_rule(pass, MLS_SCOPE_OP_NAME, name);
    uint32_t first = users->first[target->value.i], end = users->first[target->value.i + 1];
    for (uint32_t i = first; !rule && i < end; i++) {
        const struct mls_op *op = &program->ops[users->users[i].i],
                            *one = &program->ops[users->users[first].i];
        const struct mls_compress_rule *found = rule_of_user(pass, op);
        if (!same_rule(found, rule_of_user(pass, one))) {
            mls_fail(
                reterr, MLS_ERR_USAGE,
                "cannot compress weight '%s': operations '%s' and '%s' share it and have different settings",
                name, one->name, op->name);
            mls_error_hint(reterr, "give the weight a setting of its own by its name");
            return MLS_ERR_USAGE;
        }
    }
    if (!rule && end > first)
        rule = rule_of_user(pass, &program->ops[users->users[first].i]);
    *ret_rule = rule && !rule->leave ? rule : NULL;
    return MLS_OK;
}
