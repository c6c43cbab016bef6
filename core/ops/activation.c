/*
 * activation.c: activation functions. Each counts as one operation per element, elementary functions
 * included. softmax is in softmax.c.
 */
#include "ops/elementwise.h"
#include "ops/op_family.h"

/* Functions without parameters: id, name. */
#define PLAIN_LIST(X)     \
    X(HARD_SWISH, pass_hard_swish) /* no operation of MIL: core/pass makes it */ \
    X(RELU, relu)         \
    X(RELU6, relu6)       \
    X(SIGMOID, sigmoid)   \
    X(SILU, silu)         \
    X(SOFTPLUS, softplus) \
    X(SOFTSIGN, softsign)

/* Functions with alpha: id, name. */
#define ALPHA_LIST(X)         \
    X(ELU, elu)               \
    X(LEAKY_RELU, leaky_relu) \
    X(THRESHOLDED_RELU, thresholded_relu)

/* Functions with alpha and beta: id, name. */
#define ALPHA_BETA_LIST(X)        \
    X(CLAMPED_RELU, clamped_relu) \
    X(LINEAR, linear_activation)  \
    X(SCALED_TANH, scaled_tanh)   \
    X(SIGMOID_HARD, sigmoid_hard)

/* alpha and beta where the row has them. */
static struct mls_unary_params params_of(const struct mls_op_call *call)
{
    struct mls_unary_params params = {0};
    if (call->row->params[1].name)
        params.alpha = (float)mls_op_float(call, 1, 0);
    if (call->row->params[1].name && call->row->params[2].name)
        params.beta = (float)mls_op_float(call, 2, 0);
    return params;
}

#define FUNCTIONS(id, name) MLS_UNARY_ROW_FUNCTIONS(name, MLS_UNARY_##id, params_of(call))
PLAIN_LIST(FUNCTIONS)
ALPHA_LIST(FUNCTIONS)
ALPHA_BETA_LIST(FUNCTIONS)

static enum mls_status infer_alpha(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = mls_check_scalars(call, 1, 1, reterr);
    return status == MLS_OK ? mls_infer_same(call, reterr) : status;
}

static enum mls_status infer_alpha_beta(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = mls_check_scalars(call, 1, 2, reterr);
    return status == MLS_OK ? mls_infer_same(call, reterr) : status;
}

/* The modes of gelu; the first is the default. */
static const struct {
    const char *name;
    enum mls_unary function;
} gelu_modes[] = {{"EXACT", MLS_UNARY_GELU},
                  {"TANH_APPROXIMATION", MLS_UNARY_GELU_TANH},
                  {"SIGMOID_APPROXIMATION", MLS_UNARY_GELU_SIGMOID}};
enum { N_GELU_MODES = sizeof gelu_modes / sizeof gelu_modes[0] };

static unsigned gelu_mode(const struct mls_op_call *call)
{
    unsigned mode = 0;
    while (mode < N_GELU_MODES && !mls_op_text_is(call, 1, gelu_modes[0].name, gelu_modes[mode].name))
        mode++;
    return mode;
}

static enum mls_status infer_gelu(const struct mls_op_call *call, struct mls_error *reterr)
{
    if (gelu_mode(call) == N_GELU_MODES)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "parameter \"mode\" is none of EXACT, TANH_APPROXIMATION, SIGMOID_APPROXIMATION");
    return mls_infer_same(call, reterr);
}

MLS_UNARY_ROW_FUNCTIONS(gelu, gelu_modes[gelu_mode(call)].function, {0})

/* ---- One parameter per channel: prelu, softplus_parametric
 * ------------------------------------------------------ */

static enum mls_status check_channels(const struct mls_op_call *call, unsigned param,
                                      struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, 0)->type, *value = &mls_op_in(call, param)->type;
    if (x->rank == MLS_RANK_UNKNOWN)
        return MLS_OK;
    bool fits = value->rank == 1 && (x->dims[1] == MLS_DIM_UNKNOWN || x->dims[1] == value->dims[0]);
    if (!fits) {
        char text[96], other[96];
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "parameter \"%s\" must have one number per channel of x %s, not shape %s",
                           call->row->params[param].name, mls_type_format(x, text, sizeof text),
                           mls_shape_format(value, other, sizeof other));
    }
    return MLS_OK;
}

static enum mls_status infer_channels(const struct mls_op_call *call, unsigned rank_max,
                                      struct mls_error *reterr)
{
    unsigned rank = mls_op_in(call, 0)->type.rank;
    if (rank != MLS_RANK_UNKNOWN && (rank < 3 || rank > rank_max))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have 3 to %u dimensions, not %u", rank_max,
                           rank);
    for (unsigned i = 1; call->row->params[i].name; i++) {
        enum mls_status status = check_channels(call, i, reterr);
        if (status != MLS_OK)
            return status;
    }
    return mls_infer_same(call, reterr);
}

static enum mls_status infer_prelu(const struct mls_op_call *call, struct mls_error *reterr)
{
    return infer_channels(call, 5, reterr);
}

static enum mls_status infer_softplus_parametric(const struct mls_op_call *call, struct mls_error *reterr)
{
    return infer_channels(call, MLS_RANK_MAX, reterr);
}

struct channel_job {
    const struct mls_op_call *call;
    mls_unary_run *run;
    const char *x;
    char *y;
    size_t elem_bytes;
    size_t channels;
    size_t row_elems; /* elements of one channel of one sample */
    size_t n_rows;
    size_t rows_per_task;
};

static void run_channels(void *context, size_t task, uint32_t thread)
{
    const struct channel_job *job = context;
    (void)thread;
    size_t first = task * job->rows_per_task;
    size_t last = first + job->rows_per_task < job->n_rows ? first + job->rows_per_task : job->n_rows;
    bool has_beta = job->call->row->params[2].name;
    for (size_t row = first; row < last; row++) {
        int64_t channel = (int64_t)(row % job->channels);
        struct mls_unary_params params = {.alpha = (float)mls_tensor_float(mls_op_in(job->call, 1), channel)};
        if (has_beta)
            params.beta = (float)mls_tensor_float(mls_op_in(job->call, 2), channel);
        size_t offset = row * job->row_elems * job->elem_bytes;
        job->run(job->x + offset, job->y + offset, job->row_elems, &params);
    }
}

static enum mls_status run_by_channel(struct mls_op_call *call, struct mls_op_env *env,
                                      enum mls_unary function)
{
    const struct mls_tensor *x = mls_op_in(call, 0);
    const struct mls_unary_kernel *kernel = mls_unary_find(env->kernels, function, x->type.dtype);
    struct channel_job job = {.call = call,
                              .run = kernel->run,
                              .x = x->data,
                              .y = mls_op_out(call, 0)->data,
                              .elem_bytes = mls_dtype_bits(x->type.dtype) / 8,
                              .channels = (size_t)x->type.dims[1],
                              .row_elems = 1};
    call->kernel = kernel->name;
    size_t n = (size_t)mls_type_elems(&x->type);
    if (!n)
        return MLS_OK;
    for (unsigned i = 2; i < x->type.rank; i++)
        job.row_elems *= (size_t)x->type.dims[i];
    job.n_rows = n / job.row_elems;
    job.rows_per_task = job.row_elems < MLS_CHUNK_ELEMS ? MLS_CHUNK_ELEMS / job.row_elems : 1;
    mls_pool_for(env->pool, (job.n_rows + job.rows_per_task - 1) / job.rows_per_task, run_channels, &job);
    return MLS_OK;
}

static enum mls_status run_prelu(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_by_channel(call, env, MLS_UNARY_LEAKY_RELU);
}

static enum mls_status run_softplus_parametric(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_by_channel(call, env, MLS_UNARY_SOFTPLUS_PARAMETRIC);
}

/* ---- Rows: opset 7 lets alpha and beta have another type than x
 * -------------------------------------------------- */

#define X_PARAM                  \
    {                            \
        "x", MLS_T_FLOAT, 0, 'T' \
    }
#define ALPHA_PARAM(letter)                             \
    {                                                   \
        "alpha", MLS_T_FLOAT, MLS_PARAM_CONST, (letter) \
    }
#define BETA_PARAM(letter)                             \
    {                                                  \
        "beta", MLS_T_FLOAT, MLS_PARAM_CONST, (letter) \
    }

#define PLAIN(id, op)                \
    {.name = #op,                    \
     .since = 5,                     \
     .flags = MLS_OP_INPLACE,        \
     .params = {X_PARAM},            \
     .infer = mls_infer_same,        \
     .flops = mls_flops_elementwise, \
     .fuse = fuse_##op,              \
     .run = run_##op},

#define ALPHA(op, opset, letter, inference, fuse_of) \
    {.name = #op,                                    \
     .since = (opset),                               \
     .flags = MLS_OP_INPLACE,                        \
     .params = {X_PARAM, ALPHA_PARAM(letter)},       \
     .infer = (inference),                           \
     .flops = mls_flops_elementwise,                 \
     .fuse = (fuse_of),                              \
     .run = run_##op},
#define ALPHA_ROWS(id, op) ALPHA(op, 5, 'T', infer_alpha, fuse_##op) ALPHA(op, 7, 'U', infer_alpha, fuse_##op)

#define ALPHA_BETA(op, opset, letter, inference, fuse_of)          \
    {.name = #op,                                                  \
     .since = (opset),                                             \
     .flags = MLS_OP_INPLACE,                                      \
     .params = {X_PARAM, ALPHA_PARAM(letter), BETA_PARAM(letter)}, \
     .infer = (inference),                                         \
     .flops = mls_flops_elementwise,                               \
     .fuse = (fuse_of),                                            \
     .run = run_##op},
#define ALPHA_BETA_ROWS(id, op)                         \
    ALPHA_BETA(op, 5, 'T', infer_alpha_beta, fuse_##op) \
    ALPHA_BETA(op, 7, 'U', infer_alpha_beta, fuse_##op)

static const struct mls_op_row rows[] = {
    PLAIN_LIST(PLAIN) ALPHA_LIST(ALPHA_ROWS) ALPHA_BETA_LIST(ALPHA_BETA_ROWS)
        ALPHA(prelu, 5, 'T', infer_prelu, NULL) ALPHA(prelu, 7, 'U', infer_prelu, NULL)
            ALPHA_BETA(softplus_parametric, 5, 'T', infer_softplus_parametric, NULL)
                ALPHA_BETA(softplus_parametric, 7, 'U', infer_softplus_parametric, NULL){
                    .name = "gelu",
                    .since = 5,
                    .flags = MLS_OP_INPLACE,
                    .params = {X_PARAM, {"mode", MLS_T_TEXT, MLS_PARAM_OPTIONAL | MLS_PARAM_CONST, 0}},
                    .infer = infer_gelu,
                    .flops = mls_flops_elementwise,
                    .fuse = fuse_gelu,
                    .run = run_gelu},
};

MLS_OP_FAMILY_DEFINE(activation, rows);
