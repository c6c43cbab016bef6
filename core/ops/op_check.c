#include "ops/op_check.h"

#include <stdio.h>
#include <string.h>

unsigned mls_op_param_count(const struct mls_op_row *row)
{
    unsigned n = 0;
    while (n < MLS_OP_PARAMS_MAX && row->params[n].name)
        n++;
    return n;
}

int mls_op_param_index(const struct mls_op_row *row, const char *name)
{
    for (unsigned i = 0; i < MLS_OP_PARAMS_MAX && row->params[i].name; i++)
        if (!strcmp(row->params[i].name, name))
            return (int)i;
    return -1;
}

/* The names of a set of types, "fp16, fp32". */
static const char *types_text(mls_dtype_set types, char *text, size_t size)
{
    size_t at = 0;
    text[0] = 0;
    for (unsigned i = 0; i < MLS_DTYPE_COUNT; i++) {
        if (!(types & MLS_DTYPE_BIT(i)))
            continue;
        int n = snprintf(text + at, size - at, "%s%s", at ? ", " : "", mls_dtype_name((enum mls_dtype)i));
        if (n < 0 || (size_t)n >= size - at)
            break;
        at += (size_t)n;
    }
    return text;
}

static enum mls_status check_kind(const struct mls_op_param *param, const struct mls_tensor *value,
                                  const struct mls_op_call *call, struct mls_error *reterr)
{
    if (param->types == MLS_T_ANY && !(param->flags & (MLS_PARAM_LIST | MLS_PARAM_STATE)))
        return MLS_OK;
    enum mls_kind wanted = param->flags & MLS_PARAM_LIST    ? MLS_KIND_LIST
                           : param->flags & MLS_PARAM_STATE ? MLS_KIND_STATE
                                                            : MLS_KIND_TENSOR;
    static const char *const names[] = {[MLS_KIND_TENSOR] = "tensor",
                                        [MLS_KIND_LIST] = "list",
                                        [MLS_KIND_DICTIONARY] = "dictionary",
                                        [MLS_KIND_STATE] = "state",
                                        [MLS_KIND_TUPLE] = "tuple"};
    if (value->type.kind != wanted)
        return mls_op_fail(call, reterr, MLS_ERR_OP_TYPE, "parameter \"%s\" takes a %s, not a %s",
                           param->name, names[wanted], names[value->type.kind]);
    return MLS_OK;
}

static enum mls_status check_value(const struct mls_op_param *param, const struct mls_tensor *value,
                                   const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_kind(param, value, call, reterr);
    if (status != MLS_OK)
        return status;
    if (!(param->types & MLS_DTYPE_BIT(value->type.dtype))) {
        char allowed[160];
        return mls_op_fail(call, reterr, MLS_ERR_OP_TYPE, "parameter \"%s\" is %s; opset %u takes %s",
                           param->name, mls_dtype_name(value->type.dtype), call->opset,
                           types_text(param->types, allowed, sizeof allowed));
    }
    bool needs_data = value->type.kind == MLS_KIND_TENSOR && mls_type_elems(&value->type) != 0;
    bool known = value->data || (value->coded && param->flags & MLS_PARAM_CODED);
    if ((param->flags & MLS_PARAM_CONST) && needs_data && !known)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "parameter \"%s\" must be a constant, but it is computed", param->name);
    return MLS_OK;
}

/* Parameters with the same letter have one element type; compared with the first one that was given. */
static enum mls_status check_domain(const struct mls_op_row *row, unsigned index,
                                    const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_op_param *param = &row->params[index];
    if (!param->domain || !call->args[index].n)
        return MLS_OK;
    enum mls_dtype dtype = call->args[index].values[0]->type.dtype;
    for (unsigned i = 0; i < index; i++) {
        if (row->params[i].domain != param->domain || !call->args[i].n)
            continue;
        enum mls_dtype other = call->args[i].values[0]->type.dtype;
        if (other != dtype)
            return mls_op_fail(call, reterr, MLS_ERR_OP_TYPE,
                               "parameters \"%s\" (%s) and \"%s\" (%s) must have the same type in opset %u",
                               row->params[i].name, mls_dtype_name(other), param->name, mls_dtype_name(dtype),
                               call->opset);
        return MLS_OK;
    }
    return MLS_OK;
}

enum mls_status mls_op_check_params(const struct mls_op_row *row, const struct mls_op_call *call,
                                    struct mls_error *reterr)
{
    unsigned n_params = mls_op_param_count(row);
    for (unsigned i = 0; i < n_params; i++) {
        const struct mls_op_param *param = &row->params[i];
        const struct mls_arg *arg = &call->args[i];
        if (!arg->n && !(param->flags & MLS_PARAM_OPTIONAL))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "parameter \"%s\" is missing", param->name);
        if (arg->n > 1 && !(param->flags & MLS_PARAM_VARIADIC))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "parameter \"%s\" takes one value, not %u",
                               param->name, arg->n);
        for (uint32_t v = 0; v < arg->n; v++) {
            enum mls_status status = check_value(param, arg->values[v], call, reterr);
            if (status != MLS_OK)
                return status;
        }
        enum mls_status status = check_domain(row, i, call, reterr);
        if (status != MLS_OK)
            return status;
    }
    bool stores = row->flags & MLS_OP_ALIAS_STATE && !call->n_outputs; /* write_state has none */
    if (call->n_outputs != 1 && !stores && !(call->n_outputs && row->flags & MLS_OP_OUTPUTS))
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it cannot have %u outputs", call->n_outputs);
    return MLS_OK;
}
