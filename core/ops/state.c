/*
 * state.c: reading and writing what lives across predictions. The executor hands the state's memory as the
 * data of parameter "input"; order is the program's, as with every other operation.
 */
#include "ops/copy.h"
#include "ops/op_family.h"

enum { STATE, DATA };

/* The type of the tensor that a state holds. */
static struct mls_type content_type(const struct mls_type *state)
{
    struct mls_type type = *state;
    type.kind = MLS_KIND_TENSOR;
    return type;
}

static enum mls_status infer_read_state(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *state = &mls_op_in(call, STATE)->type;
    if (!mls_type_is_static(state))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the shape of the state is not fixed");
    if (!call->n_outputs)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has no output");
    mls_op_out(call, 0)->type = content_type(state);
    return MLS_OK;
}

static enum mls_status run_read_state(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_tensor *out = mls_op_out(call, 0);
    mls_copy_bytes(out->data, mls_op_in(call, STATE)->data, mls_type_bytes(&out->type), env);
    return MLS_OK;
}

static enum mls_status type_fails(const struct mls_op_call *call, enum mls_status status,
                                  struct mls_error *reterr)
{
    char value[96], held[96];
    return mls_op_fail(call, reterr, status, "%s cannot be written to a %s",
                       mls_type_format(&mls_op_in(call, DATA)->type, value, sizeof value),
                       mls_type_format(&mls_op_in(call, STATE)->type, held, sizeof held));
}

static enum mls_status infer_write_state(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *state = &mls_op_in(call, STATE)->type, *data = &mls_op_in(call, DATA)->type;
    struct mls_type content = content_type(state);
    if (!mls_type_is_static(state))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the shape of the state is not fixed");
    if (data->dtype != content.dtype || (mls_type_is_static(data) && !mls_type_equal(data, &content)))
        return type_fails(call, MLS_ERR_OP_SHAPE, reterr);
    return MLS_OK;
}

static enum mls_status run_write_state(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *state = mls_op_in(call, STATE), *data = mls_op_in(call, DATA);
    struct mls_type content = content_type(&state->type);
    if (!mls_type_equal(&data->type, &content)) /* of a shape that was not known when the plan was made */
        return type_fails(call, MLS_ERR_RUN_SHAPE, env->error);
    mls_copy_bytes(state->data, data->data, mls_type_bytes(&content), env);
    return MLS_OK;
}

#define STATE_PARAM [STATE] = {"input", MLS_T_ANY, MLS_PARAM_STATE, 0}

static const struct mls_op_row rows[] = {
    {.name = "read_state",
     .since = 8,
     .flags = MLS_OP_ALIAS_STATE,
     .params = {STATE_PARAM},
     .infer = infer_read_state,
     .run = run_read_state},
    {.name = "write_state",
     .since = 8,
     .flags = MLS_OP_ALIAS_STATE,
     .params = {STATE_PARAM, [DATA] = {"data", MLS_T_NUMBER | MLS_T_BOOL, 0, 0}},
     .infer = infer_write_state,
     .run = run_write_state},
};

MLS_OP_FAMILY_DEFINE(state, rows);
