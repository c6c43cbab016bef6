/* linear_model.c: generalised linear models: rows of weights, an offset each, and a link function. */
#include <math.h>

#include "ops/op_family.h"
#include "ops/vectors.h"

enum { X, WEIGHTS, OFFSETS, LINK, LABELS, ONE_VS_REST };
enum { IDENTITY, LOGIT, PROBIT };

static double link_of(int64_t link, double value)
{
    if (link == LOGIT)
        return 1 / (1 + exp(-value));
    return link == PROBIT ? erfc(-value * M_SQRT1_2) / 2 : value;
}

static enum mls_status check_weights(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *weights = &mls_op_in(call, WEIGHTS)->type;
    int64_t n = vector_length(call, X), link = mls_op_int(call, LINK, -1);
    if (weights->rank != 2 || weights->dims[0] < 1 || constant_length(call, OFFSETS) != weights->dims[0] ||
        link < IDENTITY || link > PROBIT)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID,
                           "its weights, offsets and link do not go together");
    if (n >= 0 && n != weights->dims[1])
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%lld features for %lld weights", (long long)n,
                           (long long)weights->dims[1]);
    return MLS_OK;
}

static enum mls_status infer_regressor(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_weights(call, reterr);
    return status ? status : vector_infer_numbers(call, mls_op_in(call, WEIGHTS)->type.dims[0], reterr);
}

static enum mls_status infer_classifier(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_weights(call, reterr);
    if (status)
        return status;
    int64_t n_rows = mls_op_in(call, WEIGHTS)->type.dims[0], n_labels = constant_length(call, LABELS);
    bool binary = n_rows == 1 && n_labels == 2;
    bool rest = mls_op_bool(call, ONE_VS_REST, false);
    bool softmax = !rest && n_rows == n_labels - 1 && mls_op_int(call, LINK, 0) == LOGIT;
    if (!binary && !softmax && !(rest && n_rows == n_labels))
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                           "%lld rows of weights for %lld labels, %s, with this link are not supported",
                           (long long)n_rows, (long long)n_labels,
                           rest ? "one against the rest" : "against a reference class");
    return labels_infer(call, LABELS, reterr);
}

/* What each row gives, before the link. */
static void evaluate(const struct mls_op_call *call, double *out)
{
    const double *x = call->scratch, *weights = constant_doubles(call, WEIGHTS);
    const struct mls_type *type = &mls_op_in(call, WEIGHTS)->type;
    for (int64_t row = 0; row < type->dims[0]; row++) {
        double sum = constant_doubles(call, OFFSETS)[row];
        for (int64_t i = 0; i < type->dims[1]; i++)
            sum += weights[row * type->dims[1] + i] * x[i];
        out[row] = sum;
    }
}

static enum mls_status run_regressor(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    double *out = mls_op_out(call, 0)->data;
    vector_read(call, X, call->scratch);
    evaluate(call, out);
    for (int64_t i = 0; i < constant_length(call, OFFSETS); i++)
        out[i] = link_of(mls_op_int(call, LINK, 0), out[i]);
    return MLS_OK;
}

static size_t scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env)
{
    return vector_scratch(call, env) + ((size_t)constant_length(call, LABELS) + 1) * sizeof(double);
}

static enum mls_status run_classifier(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    size_t n_rows = (size_t)mls_op_in(call, WEIGHTS)->type.dims[0],
           n_labels = (size_t)constant_length(call, LABELS);
    int64_t link = mls_op_int(call, LINK, 0);
    double *scores = (double *)call->scratch + vector_length(call, X);
    vector_read(call, X, call->scratch);
    if (n_rows == n_labels) { /* each against the rest */
        double sum = 0;
        evaluate(call, scores);
        for (size_t i = 0; i < n_labels; i++)
            sum += scores[i] = link_of(link, scores[i]);
        for (size_t i = 0; i < n_labels; i++)
            scores[i] /= sum;
    } else if (n_rows == 1) {
        evaluate(call, scores + 1);
        scores[1] = link_of(link, scores[1]);
        scores[0] = 1 - scores[1];
    } else { /* against the first label, whose score is 0 */
        evaluate(call, scores + 1);
        scores[0] = 0;
        vector_softmax(scores, n_labels);
    }
    labels_put(call, LABELS, labels_best(scores, n_labels), scores);
    return MLS_OK;
}

static uint64_t flops_linear(const struct mls_op_call *call)
{
    return 2 * (uint64_t)constant_length(call, WEIGHTS);
}

#define PARAMS                                                            \
    [X] = {"x", MLS_T_FEATURE, MLS_PARAM_VARIADIC, 0},                    \
    [WEIGHTS] = {"weights", MLS_DTYPE_BIT(MLS_FP64), MLS_PARAM_CONST, 0}, \
    [OFFSETS] = {"offsets", MLS_DTYPE_BIT(MLS_FP64), MLS_PARAM_CONST, 0}, \
    [LINK] = {"link", MLS_T_I32, MLS_PARAM_CONST, 0}

static const struct mls_op_row rows[] = {
    {.name = "glm_regressor",
     .since = 5,
     .params = {PARAMS},
     .infer = infer_regressor,
     .flops = flops_linear,
     .scratch_bytes = vector_scratch,
     .run = run_regressor},
    {.name = "glm_classifier",
     .since = 5,
     .flags = MLS_OP_OUTPUTS,
     .params = {PARAMS, [LABELS] = {"labels", MLS_T_LABEL, MLS_PARAM_CONST, 0},
                [ONE_VS_REST] = {"one_vs_rest", MLS_T_BOOL, MLS_PARAM_CONST, 0}},
     .infer = infer_classifier,
     .flops = flops_linear,
     .scratch_bytes = scratch_bytes,
     .run = run_classifier},
};

MLS_OP_FAMILY_DEFINE(linear_model, rows);
