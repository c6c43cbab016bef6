/*
 * random.c: random numbers. Element i of an output is a function of the output's key and i alone, so that
 * results depend neither on threads nor on the machine. The key is the operation's own seed where it has one
 * (every execution gives the same numbers then), and otherwise the next of the prediction's.
 */
#include <math.h>

#include "base/fp16.h"
#include "base/mix.h"
#include "kernels/quant/quant.h"
#include "ops/elementwise.h"
#include "ops/op_family.h"

enum { SHAPE, FIRST, SECOND, NORMAL_SEED }; /* random_normal, random_uniform */
enum { BERNOULLI_SEED = 2 };                /* random_bernoulli: SHAPE, FIRST, seed */
enum { X, MODE, SIZE, CATEGORICAL_SEED };   /* random_categorical */

/* Number i of a key, in [0, 1): 53 bits. */
static double uniform(uint64_t key, uint64_t i)
{
    return (double)(mls_mix64(key + (i + 1) * MLS_MIX_STEP) >> 11) * 0x1p-53;
}

static uint64_t make_key(const struct mls_op_call *call, unsigned seed_param, const struct mls_op_env *env)
{
    int64_t seed = mls_op_int(call, seed_param, -1);
    if (seed >= 0)
        return mls_mix64((uint64_t)seed + MLS_MIX_STEP);
    *env->random_state += MLS_MIX_STEP;
    return mls_mix64(*env->random_state);
}

/* The quantile of the normal distribution to about 1e-9: rational approximations by P. J. Acklam. */
static double normal_quantile(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                               1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                               6.680131188771972e+01, -1.328068155288572e+01};
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                               -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                               3.754408661907416e+00};
    const double tail = 0.02425;
    if (p >= tail && p <= 1 - tail) {
        double q = p - 0.5, r = q * q;
        return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
               (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
    }
    double q = sqrt(-2 * log(p < tail ? p : 1 - p));
    double value = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
                   ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    return p < tail ? value : -value;
}

/* ---- Distributions of one or two numbers ---- */

/* The type: of the numbers that describe the distribution; without any, as the program declares. */
static enum mls_dtype number_dtype(const struct mls_op_call *call, unsigned n_numbers)
{
    for (unsigned i = FIRST; i < FIRST + n_numbers; i++)
        if (mls_op_given(call, i))
            return mls_op_in(call, i)->type.dtype;
    return mls_op_out(call, 0)->type.dtype == MLS_FP16 ? MLS_FP16 : MLS_FP32;
}

static enum mls_status infer_shape(const struct mls_op_call *call, unsigned n_numbers,
                                   struct mls_error *reterr)
{
    const struct mls_type *shape = &mls_op_in(call, SHAPE)->type;
    struct mls_type type = {.dtype = number_dtype(call, n_numbers), .rank = MLS_RANK_UNKNOWN};
    enum mls_status status = mls_check_scalars(call, FIRST, FIRST + n_numbers, reterr);
    if (status)
        return status;
    if (shape->rank != 1 && shape->rank != MLS_RANK_UNKNOWN)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "shape must be a vector");
    if (shape->rank == 1 && shape->dims[0] > MLS_RANK_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "shape has more than %d dimensions",
                           MLS_RANK_MAX);
    if (shape->rank == 1 && shape->dims[0] >= 0) {
        type.rank = (uint8_t)shape->dims[0];
        bool known = mls_op_ints(call, SHAPE, type.dims, MLS_RANK_MAX) >= 0;
        for (unsigned i = 0; i < type.rank; i++) {
            if (!known)
                type.dims[i] = MLS_DIM_UNKNOWN;
            else if (type.dims[i] < 0)
                return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "dimension %u of shape is %lld", i,
                                   (long long)type.dims[i]);
        }
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status infer_one(const struct mls_op_call *call, struct mls_error *reterr)
{
    return infer_shape(call, 1, reterr);
}

static enum mls_status infer_two(const struct mls_op_call *call, struct mls_error *reterr)
{
    return infer_shape(call, 2, reterr);
}

typedef double sample(uint64_t key, uint64_t i, double first, double second);

static double sample_bernoulli(uint64_t key, uint64_t i, double probability, double unused)
{
    (void)unused;
    return uniform(key, i) < probability;
}

static double sample_uniform(uint64_t key, uint64_t i, double low, double high)
{
    return low + uniform(key, i) * (high - low);
}

static double sample_normal(uint64_t key, uint64_t i, double mean, double deviation)
{
    return mean + deviation * normal_quantile(uniform(key, i) + 0x1p-54); /* neither 0 nor 1 */
}

struct fill_job {
    const struct mls_convert_kernels *convert;
    sample *draw;
    uint64_t key;
    double first;
    double second;
    float limit; /* the greatest value that may come out; INFINITY: any */
    enum mls_dtype dtype;
    void *out;
};

static void fill_chunk(void *context, size_t first, size_t n)
{
    const struct fill_job *job = context;
    float values[MLS_QUANT_BATCH];
    for (size_t done = 0; done < n; done += MLS_QUANT_BATCH) {
        size_t part = n - done < MLS_QUANT_BATCH ? n - done : MLS_QUANT_BATCH;
        for (size_t i = 0; i < part; i++) {
            float value = (float)job->draw(job->key, first + done + i, job->first, job->second);
            values[i] = value >= job->limit ? job->limit : value;
        }
        mls_store_floats(job->convert, values, part, job->dtype, job->out, first + done);
    }
}

static enum mls_status fill(struct mls_op_call *call, struct mls_op_env *env, const struct fill_job *settings,
                            unsigned seed_param)
{
    struct mls_tensor *out = mls_op_out(call, 0);
    struct fill_job job = *settings;
    job.convert = env->kernels->convert;
    job.key = make_key(call, seed_param, env);
    job.dtype = out->type.dtype;
    job.out = out->data;
    mls_chunks_for(env->pool, (size_t)mls_type_elems(&out->type), fill_chunk, &job);
    return MLS_OK;
}

static enum mls_status run_bernoulli(struct mls_op_call *call, struct mls_op_env *env)
{
    return fill(call, env,
                &(struct fill_job){
                    .draw = sample_bernoulli, .first = mls_op_float(call, FIRST, 0.5), .limit = INFINITY},
                BERNOULLI_SEED);
}

/* The greatest number of the type below `high`: samples round to it, never to `high`. */
static float below(double high, enum mls_dtype dtype)
{
    float step = (float)high;
    if (dtype != MLS_FP16)
        return nextafterf(step, -INFINITY);
    uint16_t bits = mls_fp32_to_fp16(step);
    if ((bits & 0x7fff) == 0)
        bits = 0x8001;
    else
        bits = (uint16_t)(bits & 0x8000 ? bits + 1 : bits - 1);
    return mls_fp16_to_fp32(bits);
}

static enum mls_status run_uniform(struct mls_op_call *call, struct mls_op_env *env)
{
    double low = mls_op_float(call, FIRST, 0), high = mls_op_float(call, SECOND, 1);
    float limit = high > low ? below(high, mls_op_out(call, 0)->type.dtype) : INFINITY;
    return fill(call, env,
                &(struct fill_job){.draw = sample_uniform, .first = low, .second = high, .limit = limit},
                NORMAL_SEED);
}

static enum mls_status run_normal(struct mls_op_call *call, struct mls_op_env *env)
{
    return fill(call, env,
                &(struct fill_job){.draw = sample_normal,
                                   .first = mls_op_float(call, FIRST, 0),
                                   .second = mls_op_float(call, SECOND, 1),
                                   .limit = INFINITY},
                NORMAL_SEED);
}

/* ---- random_categorical ---- */

static enum mls_status infer_categorical(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, X)->type;
    int64_t size = mls_op_int(call, SIZE, 1);
    if (type.rank == 0)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have a dimension of categories");
    if (size < 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "size is %lld", (long long)size);
    if (!mls_op_text_is(call, MODE, "logits", "logits") && !mls_op_text_is(call, MODE, "logits", "probs"))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "mode is neither logits nor probs");
    if (type.rank != MLS_RANK_UNKNOWN) {
        if (type.dims[type.rank - 1] == 0)
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x has no categories");
        type.dims[type.rank - 1] = size;
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* The weight of category i of a row: its probability, up to a factor. */
static double weight(const struct mls_tensor *x, int64_t at, bool logits, double greatest)
{
    double value = mls_tensor_float(x, at);
    if (logits)
        value = exp(value - greatest);
    return value > 0 ? value : 0;
}

static double greatest_of(const struct mls_tensor *x, int64_t first, int64_t n)
{
    double greatest = -HUGE_VAL;
    for (int64_t i = 0; i < n; i++)
        greatest = fmax(greatest, mls_tensor_float(x, first + i));
    return greatest;
}

static enum mls_status run_categorical(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct mls_tensor *out = mls_op_out(call, 0);
    bool logits = mls_op_text_is(call, MODE, "logits", "logits");
    int64_t n = x->type.dims[x->type.rank - 1], size = out->type.dims[out->type.rank - 1];
    uint64_t key = make_key(call, CATEGORICAL_SEED, env);
    if (n == 0) /* it was not known when the plan was made */
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "x has no categories");
    for (int64_t i = 0, n_samples = mls_type_elems(&out->type); i < n_samples; i++) {
        int64_t first = i / size * n, chosen = 0;
        double greatest = logits ? greatest_of(x, first, n) : 0, total = 0, sum = 0;
        for (int64_t k = 0; k < n; k++)
            total += weight(x, first + k, logits, greatest);
        double wanted = uniform(key, (uint64_t)i) * total;
        for (int64_t k = 0; k < n; k++) {
            double share = weight(x, first + k, logits, greatest);
            sum += share;
            if (share > 0)
                chosen = k;
            if (share > 0 && sum > wanted)
                break;
        }
        float value = (float)chosen;
        mls_store_floats(env->kernels->convert, &value, 1, out->type.dtype, out->data, (size_t)i);
    }
    return MLS_OK;
}

#define OPTION(at, name, types, domain) [at] = {name, types, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, domain}

static const struct mls_op_row rows[] = {
    {.name = "random_bernoulli",
     .since = 5,
     .flags = MLS_OP_STATEFUL,
     .params = {[SHAPE] = {"shape", MLS_T_I32, 0, 0},
                OPTION(FIRST, "prob", MLS_T_FLOAT, 0),
                OPTION(BERNOULLI_SEED, "seed", MLS_T_I32, 0)},
     .infer = infer_one,
     .run = run_bernoulli},
    {.name = "random_categorical",
     .since = 5,
     .flags = MLS_OP_STATEFUL,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 0},
                OPTION(MODE, "mode", MLS_T_TEXT, 0),
                OPTION(SIZE, "size", MLS_T_I32, 0),
                OPTION(CATEGORICAL_SEED, "seed", MLS_T_I32, 0)},
     .infer = infer_categorical,
     .run = run_categorical},
    {.name = "random_normal",
     .since = 5,
     .flags = MLS_OP_STATEFUL,
     .params = {[SHAPE] = {"shape", MLS_T_I32, 0, 0},
                OPTION(FIRST, "mean", MLS_T_FLOAT, 'T'),
                OPTION(SECOND, "stddev", MLS_T_FLOAT, 'T'),
                OPTION(NORMAL_SEED, "seed", MLS_T_I32, 0)},
     .infer = infer_two,
     .run = run_normal},
    {.name = "random_uniform",
     .since = 5,
     .flags = MLS_OP_STATEFUL,
     .params = {[SHAPE] = {"shape", MLS_T_I32, 0, 0},
                OPTION(FIRST, "low", MLS_T_FLOAT, 'T'),
                OPTION(SECOND, "high", MLS_T_FLOAT, 'T'),
                OPTION(NORMAL_SEED, "seed", MLS_T_I32, 0)},
     .infer = infer_two,
     .run = run_uniform},
};

MLS_OP_FAMILY_DEFINE(random, rows);
