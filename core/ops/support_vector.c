/*
 * support_vector.c: support vector machines as LIBSVM defines them (Chang and Lin, ACM TIST 2011): one
 * decision for each pair of classes, votes, and probabilities by pairwise coupling (Wu, Lin and Weng, JMLR
 * 2004, method 2).
 */
#include <math.h>
#include <string.h>

#include "ops/op_family.h"
#include "ops/vectors.h"

enum { X, VECTORS, COEFFICIENTS, RHO, KERNEL, GAMMA, CONSTANT, DEGREE, LABELS, COUNTS, PROB_A, PROB_B };
enum { LINEAR, RBF, POLYNOMIAL, SIGMOID };

static enum mls_status check_vectors(const struct mls_op_call *call, int64_t n_rows, struct mls_error *reterr)
{
    const struct mls_type *vectors = &mls_op_in(call, VECTORS)->type;
    const struct mls_type *coefficients = &mls_op_in(call, COEFFICIENTS)->type;
    int64_t n = vector_length(call, X), kernel = mls_op_int(call, KERNEL, -1);
    if (vectors->rank != 2 || coefficients->rank != 2 || coefficients->dims[0] != n_rows ||
        coefficients->dims[1] != vectors->dims[0] || kernel < LINEAR || kernel > SIGMOID)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID,
                           "its vectors, coefficients and kernel do not go together");
    if (n >= 0 && n < vectors->dims[1])
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%lld features for vectors of %lld", (long long)n,
                           (long long)vectors->dims[1]);
    return MLS_OK;
}

static enum mls_status infer_regressor(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_vectors(call, 1, reterr);
    if (!status && constant_length(call, RHO) != 1)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has not one rho");
    return status ? status : vector_infer_numbers(call, 1, reterr);
}

static enum mls_status infer_classifier(const struct mls_op_call *call, struct mls_error *reterr)
{
    int64_t n = constant_length(call, LABELS), n_pairs = n * (n - 1) / 2, n_vectors = 0;
    if (n < 2 || n > INT16_MAX || constant_length(call, COUNTS) != n || constant_length(call, RHO) != n_pairs)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID,
                           "its labels, counts and rho do not go together");
    for (int64_t i = 0; i < n; i++) {
        int32_t count = constant_ints(call, COUNTS)[i];
        if (count < 0)
            return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "a class has %d vectors", count);
        n_vectors += count;
    }
    int64_t n_a = constant_length(call, PROB_A), n_b = constant_length(call, PROB_B);
    enum mls_status status = check_vectors(call, n - 1, reterr);
    if (!status &&
        (n_vectors != mls_op_in(call, VECTORS)->type.dims[0] || n_a != n_b || (n_a && n_a != n_pairs)))
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID,
                           "its counts or probabilities do not go together");
    return status ? status : labels_infer(call, LABELS, reterr);
}

/* ---- Kernels ------------------------------------------------------------------------------------------ */

/* x to the power of a whole number, by squaring, as LIBSVM does. */
static double power(double base, int64_t times)
{
    double result = 1;
    for (double square = base; times > 0; times /= 2, square *= square)
        if (times % 2)
            result *= square;
    return result;
}

/* The kernel of the features with vector `row`; features past its length meet zeros. */
static double kernel(const struct mls_op_call *call, int64_t row)
{
    const double *x = call->scratch;
    int64_t n = mls_op_in(call, VECTORS)->type.dims[1], n_features = vector_length(call, X);
    const double *vector = constant_doubles(call, VECTORS) + row * n;
    double gamma = mls_op_float(call, GAMMA, 0), constant = mls_op_float(call, CONSTANT, 0), sum = 0;
    if (mls_op_int(call, KERNEL, LINEAR) == RBF) {
        for (int64_t i = 0; i < n_features; i++) {
            double difference = x[i] - (i < n ? vector[i] : 0);
            sum += difference * difference;
        }
        return exp(-gamma * sum);
    }
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * vector[i];
    switch (mls_op_int(call, KERNEL, LINEAR)) {
    case POLYNOMIAL:
        return power(gamma * sum + constant, mls_op_int(call, DEGREE, 0));
    case SIGMOID:
        return tanh(gamma * sum + constant);
    default:
        return sum;
    }
}

static enum mls_status run_regressor(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    double sum = -constant_doubles(call, RHO)[0];
    vector_read(call, X, call->scratch);
    for (int64_t i = 0; i < mls_op_in(call, VECTORS)->type.dims[0]; i++)
        sum += constant_doubles(call, COEFFICIENTS)[i] * kernel(call, i);
    *(double *)mls_op_out(call, 0)->data = sum;
    return MLS_OK;
}

/* ---- Classes ------------------------------------------------------------------------------------------ */

/* Scratch of a classifier. */
struct work {
    double *kernels;   /* one a vector */
    double *pairs;     /* n x n: probability of the first of two classes */
    double *scores;    /* n: votes, or probabilities */
    double *coupling;  /* n x n, of the coupling */
    double *projected; /* n */
};

static struct work work_in(const struct mls_op_call *call)
{
    size_t n = (size_t)constant_length(call, LABELS),
           n_vectors = (size_t)mls_op_in(call, VECTORS)->type.dims[0];
    double *at = (double *)call->scratch + vector_length(call, X);
    return (struct work){at, at + n_vectors, at + n_vectors + n * n, at + n_vectors + n * n + n,
                         at + n_vectors + 2 * n * n + n};
}

static size_t scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env)
{
    size_t n = (size_t)constant_length(call, LABELS),
           n_vectors = (size_t)mls_op_in(call, VECTORS)->type.dims[0];
    return vector_scratch(call, env) + (n_vectors + 2 * n * n + 2 * n) * sizeof(double);
}

/* The decision between classes i < j, whose vectors begin at start_i and start_j. */
static double decide(const struct mls_op_call *call, const double *kernels, size_t i, size_t j,
                     size_t start_i, size_t start_j)
{
    size_t n_vectors = (size_t)mls_op_in(call, VECTORS)->type.dims[0];
    const double *first = constant_doubles(call, COEFFICIENTS) + (j - 1) * n_vectors;
    const double *second = constant_doubles(call, COEFFICIENTS) + i * n_vectors;
    double sum = 0;
    for (size_t k = start_i; k < start_i + (size_t)constant_ints(call, COUNTS)[i]; k++)
        sum += first[k] * kernels[k];
    for (size_t k = start_j; k < start_j + (size_t)constant_ints(call, COUNTS)[j]; k++)
        sum += second[k] * kernels[k];
    return sum;
}

/* Platt's sigmoid, kept off 0 and 1. */
static double pair_probability(double decision, double a, double b)
{
    double z = decision * a + b, least = 1e-7;
    double probability = z >= 0 ? exp(-z) / (1 + exp(-z)) : 1 / (1 + exp(z));
    return fmin(fmax(probability, least), 1 - least);
}

/* Votes of all pairs, and where the model has them the probabilities. */
static void vote(const struct mls_op_call *call, const struct work *work, bool probable)
{
    size_t n = (size_t)constant_length(call, LABELS), pair = 0, start_i = 0;
    memset(work->scores, 0, n * sizeof *work->scores);
    for (size_t i = 0; i < n; i++) {
        size_t start_j = start_i + (size_t)constant_ints(call, COUNTS)[i];
        for (size_t j = i + 1; j < n; j++, pair++) {
            double decision =
                decide(call, work->kernels, i, j, start_i, start_j) - constant_doubles(call, RHO)[pair];
            work->scores[decision > 0 ? i : j]++;
            if (probable) {
                double p = pair_probability(decision, constant_doubles(call, PROB_A)[pair],
                                            constant_doubles(call, PROB_B)[pair]);
                work->pairs[i * n + j] = p;
                work->pairs[j * n + i] = 1 - p;
            }
            start_j += (size_t)constant_ints(call, COUNTS)[j];
        }
        start_i += (size_t)constant_ints(call, COUNTS)[i];
    }
}

/* The matrix of the coupling: q[t][t] = sum of r[j][t]^2, q[t][j] = -r[j][t] r[t][j]. */
static void fill_coupling(const struct work *work, size_t n)
{
    for (size_t t = 0; t < n; t++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) {
            if (j == t)
                continue;
            sum += work->pairs[j * n + t] * work->pairs[j * n + t];
            work->coupling[t * n + j] = -work->pairs[j * n + t] * work->pairs[t * n + j];
        }
        work->coupling[t * n + t] = sum;
    }
}

/* Probabilities of n classes from those of pairs. */
static void couple(const struct work *work, size_t n)
{
    double *p = work->scores, *qp = work->projected;
    const double *q = work->coupling;
    fill_coupling(work, n);
    for (size_t t = 0; t < n; t++)
        p[t] = 1.0 / (double)n;
    for (size_t round = 0; round < (n > 100 ? n : 100); round++) {
        double pqp = 0, error = 0;
        for (size_t t = 0; t < n; t++) {
            qp[t] = 0;
            for (size_t j = 0; j < n; j++)
                qp[t] += q[t * n + j] * p[j];
            pqp += p[t] * qp[t];
        }
        for (size_t t = 0; t < n; t++)
            error = fmax(error, fabs(qp[t] - pqp));
        if (error < 0.005 / (double)n)
            break;
        for (size_t t = 0; t < n; t++) {
            double step = (pqp - qp[t]) / q[t * n + t];
            p[t] += step;
            pqp = (pqp + step * (step * q[t * n + t] + 2 * qp[t])) / (1 + step) / (1 + step);
            for (size_t j = 0; j < n; j++) {
                qp[j] = (qp[j] + step * q[t * n + j]) / (1 + step);
                p[j] /= 1 + step;
            }
        }
    }
}

static enum mls_status run_classifier(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    size_t n = (size_t)constant_length(call, LABELS);
    struct work work = work_in(call);
    bool probable = constant_length(call, PROB_A) > 0;
    vector_read(call, X, call->scratch);
    for (int64_t i = 0; i < mls_op_in(call, VECTORS)->type.dims[0]; i++)
        work.kernels[i] = kernel(call, i);
    vote(call, &work, probable);
    if (probable && n == 2) {
        work.scores[0] = work.pairs[1];
        work.scores[1] = work.pairs[2];
    } else if (probable) {
        couple(&work, n);
    }
    labels_put(call, LABELS, labels_best(work.scores, n), work.scores);
    return MLS_OK;
}

static uint64_t flops_kernels(const struct mls_op_call *call)
{
    return 2 * (uint64_t)(constant_length(call, VECTORS) + constant_length(call, COEFFICIENTS));
}

#define DOUBLES(name, flags)                                        \
    {                                                               \
        name, MLS_DTYPE_BIT(MLS_FP64), MLS_PARAM_CONST | (flags), 0 \
    }
#define PARAMS                                                                            \
    [X] = {"x", MLS_T_FEATURE, MLS_PARAM_VARIADIC, 0}, [VECTORS] = DOUBLES("vectors", 0), \
    [COEFFICIENTS] = DOUBLES("coefficients", 0), [RHO] = DOUBLES("rho", 0),               \
    [KERNEL] = {"kernel", MLS_T_I32, MLS_PARAM_CONST, 0}, [GAMMA] = DOUBLES("gamma", 0),  \
    [CONSTANT] = DOUBLES("constant", 0), [DEGREE] = {"degree", MLS_T_I32, MLS_PARAM_CONST, 0}

static const struct mls_op_row rows[] = {
    {.name = "support_vector_regressor",
     .since = 5,
     .params = {PARAMS},
     .infer = infer_regressor,
     .flops = flops_kernels,
     .scratch_bytes = vector_scratch,
     .run = run_regressor},
    {.name = "support_vector_classifier",
     .since = 5,
     .flags = MLS_OP_OUTPUTS,
     .params =
         {PARAMS, [LABELS] = {"labels", MLS_T_LABEL, MLS_PARAM_CONST, 0},
          [COUNTS] = {"counts", MLS_T_I32, MLS_PARAM_CONST, 0},
          [PROB_A] = DOUBLES("prob_a", MLS_PARAM_OPTIONAL), [PROB_B] = DOUBLES("prob_b", MLS_PARAM_OPTIONAL)},
     .infer = infer_classifier,
     .flops = flops_kernels,
     .scratch_bytes = scratch_bytes,
     .run = run_classifier},
};

MLS_OP_FAMILY_DEFINE(support_vector, rows);
