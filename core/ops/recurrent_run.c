/* recurrent_run.c: execution of lstm, gru and rnn. States stay fp32 from step to step; outputs are rounded
 * once. */
#include "ops/recurrent.h"

#include <string.h>

#include "kernels/convert/convert.h"

/* Bytes of gates of inputs that are computed ahead of the steps that use them. */
enum { AHEAD_BYTES = 1 << 20 };

/* Everything that is known once the types are static, and where scratch lies. Scratch members are fp32. */
struct recurrent {
    const struct mls_cell_kind *kind;
    size_t steps, batch, inputs, hidden, directions;
    bool reverse, sequence, reset_after;
    bool together; /* both directions at once, each on one thread and in its own scratch */
    size_t rows;  /* of the weights: gates * hidden */
    size_t ahead; /* steps whose gates of inputs are computed together */
    size_t gates_elems, state_elems;
    size_t gemm_bytes;
    float *gates;    /* [ahead][batch][rows] */
    float *sums;     /* [batch][rows]: products with the state */
    float *h, *c;    /* [batch][hidden] */
    float *other;    /* [batch][hidden] */
    float *bias;     /* [rows]: of inputs */
    float *inner;    /* [rows]: of the state (gru) */
    float *peephole; /* [3][hidden] */
    uint8_t *gemm_scratch;
};

static struct mls_gemm input_gemm(const struct mls_op_call *call, const struct recurrent *r,
                                  unsigned direction, size_t n_steps)
{
    const struct mls_cell_packed *packed = call->packed;
    const struct mls_tensor *x = mls_cell_param(call, r->kind->x);
    return (struct mls_gemm){
        .m = n_steps * r->batch,
        .n = r->rows,
        .k = r->inputs,
        .a = {.form = MLS_GEMM_STRIDED, .dtype = x->type.dtype, .row_stride = r->inputs, .col_stride = 1},
        .b =
            packed ? packed->ih[direction] : mls_cell_weight(mls_cell_param(call, r->kind->ih[direction]), 0),
        .c = r->gates,
        .c_dtype = MLS_FP32,
        .c_stride = r->rows,
        .col_bias = r->bias};
}

static struct mls_gemm state_gemm(const struct mls_op_call *call, const struct recurrent *r,
                                  unsigned direction, unsigned part, const float *state)
{
    const struct mls_cell_packed *packed = call->packed;
    size_t n = r->rows / r->kind->parts;
    return (struct mls_gemm){
        .m = r->batch,
        .n = n,
        .k = r->hidden,
        .a = {.form = MLS_GEMM_STRIDED,
              .dtype = MLS_FP32,
              .data = state,
              .row_stride = r->hidden,
              .col_stride = 1},
        .b = packed ? packed->hh[direction][part]
                    : mls_cell_weight(mls_cell_param(call, r->kind->hh[direction]), part * n),
        .c = r->sums ? r->sums + part * n : NULL,
        .c_dtype = MLS_FP32,
        .c_stride = r->rows,
        .col_bias = r->inner ? r->inner + part * n : NULL};
}

static struct recurrent recurrent_of(const struct mls_op_call *call, const struct mls_op_env *env)
{
    const struct mls_cell_kind *kind = mls_cell_kind_of(call);
    const int64_t *x = mls_cell_param(call, kind->x)->type.dims;
    struct recurrent r = {.kind = kind,
                          .steps = (size_t)x[0],
                          .batch = (size_t)x[1],
                          .inputs = (size_t)x[2],
                          .hidden = (size_t)mls_cell_param(call, kind->hh[0])->type.dims[1],
                          .directions = 1,
                          .reverse = mls_op_text_is(call, (unsigned)kind->direction, "forward", "reverse"),
                          .sequence = mls_op_bool(call, (unsigned)kind->output_sequence, false),
                          .reset_after = kind->reset_after != MLS_CELL_NONE &&
                                         mls_op_bool(call, (unsigned)kind->reset_after, false)};
    if (mls_op_text_is(call, (unsigned)kind->direction, "forward", "bidirectional"))
        r.directions = 2;
    r.together = r.directions == 2 && mls_pool_threads(env->pool) > 1;
    r.rows = kind->gates * r.hidden;
    size_t step_bytes = r.batch * r.rows * sizeof(float);
    r.ahead = step_bytes && step_bytes < AHEAD_BYTES ? AHEAD_BYTES / step_bytes : 1;
    r.ahead = r.ahead < r.steps ? r.ahead : r.steps;
    r.gates_elems = (r.batch * r.rows + 15) / 16 * 16;
    r.state_elems = (r.batch * r.hidden + 15) / 16 * 16;
    for (unsigned d = 0; d < r.directions; d++) {
        uint32_t threads = r.together ? 1 : mls_pool_threads(env->pool);
        struct mls_gemm gemms[2] = {input_gemm(call, &r, d, r.ahead), state_gemm(call, &r, d, 0, NULL)};
        size_t bytes = mls_gemm_scratch_bytes(env->kernels, &gemms[0], threads);
        r.gemm_bytes = bytes > r.gemm_bytes ? bytes : r.gemm_bytes;
        bytes = mls_gemm_scratch_bytes(env->kernels, &gemms[1], threads);
        r.gemm_bytes = bytes > r.gemm_bytes ? bytes : r.gemm_bytes;
    }
    return r;
}

static size_t vector_elems(const struct recurrent *r)
{
    return (r->rows + 3 * r->hidden + 15) / 16 * 16;
}

/* Of one direction. */
static size_t direction_bytes(const struct recurrent *r)
{
    size_t elems = (r->ahead + 1) * r->gates_elems + 3 * r->state_elems + 3 * vector_elems(r);
    return elems * sizeof(float) + r->gemm_bytes;
}

size_t mls_cell_scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct recurrent r = recurrent_of(call, env);
    return (r.together ? r.directions : 1) * direction_bytes(&r);
}

static void place_scratch(struct recurrent *r, void *scratch)
{
    r->gates = scratch;
    r->sums = r->gates + r->ahead * r->gates_elems;
    r->h = r->sums + r->gates_elems;
    r->c = r->h + r->state_elems;
    r->other = r->c + r->state_elems;
    r->bias = r->other + r->state_elems;
    r->inner = r->bias + vector_elems(r);
    r->peephole = r->inner + vector_elems(r);
    r->gemm_scratch = (uint8_t *)(r->peephole + vector_elems(r));
}

/* A parameter as fp32, zeros when it was left out. */
static void load_vector(const struct mls_op_call *call, int param, size_t n, float *ret)
{
    const struct mls_tensor *tensor = mls_cell_param(call, param);
    for (size_t i = 0; i < n; i++)
        ret[i] = tensor ? (float)mls_tensor_float(tensor, (int64_t)i) : 0;
}

static void load_state(const struct mls_tensor *state, const struct recurrent *r, unsigned direction,
                       float *ret)
{
    for (size_t b = 0; b < r->batch; b++)
        for (size_t i = 0; i < r->hidden; i++)
            ret[b * r->hidden + i] =
                (float)mls_tensor_float(state, (int64_t)((b * r->directions + direction) * r->hidden + i));
}

/* Rows of a state to output `index`, at `step` of it. */
static void store_state(const struct mls_op_call *call, const struct mls_op_env *env,
                        const struct recurrent *r, unsigned direction, const float *state, unsigned index,
                        size_t step)
{
    struct mls_tensor *output = mls_op_out(call, index);
    for (size_t b = 0; b < r->batch; b++) {
        size_t at = ((step * r->batch + b) * r->directions + direction) * r->hidden;
        if (output->type.dtype == MLS_FP16)
            env->kernels->convert->fp32_to_fp16(state + b * r->hidden, (uint16_t *)output->data + at,
                                                r->hidden);
        else
            memcpy((float *)output->data + at, state + b * r->hidden, r->hidden * sizeof *state);
    }
}

/* The activations of a call. */
struct functions {
    const struct mls_unary_kernels *unary;
    const struct mls_cell_activation *recurrent, *cell, *output;
    float clip; /* negative: none */
};

static void apply(const struct functions *f, const struct mls_cell_activation *activation, float *values,
                  size_t n)
{
    f->unary->fp32[activation->function].run(values, values, n, &activation->params);
}

/* Gates in the order input, forget, output, cell. The clip is that of the cell's state, as in Core ML. */
static void lstm_row(const struct recurrent *r, const struct functions *f, float *gates, float *h, float *c)
{
    size_t n = r->hidden;
    const float *p = r->peephole;
    float *in = gates, *forget = gates + n, *out = gates + 2 * n, *cell = gates + 3 * n;
    for (size_t i = 0; i < n; i++) {
        in[i] += p[i] * c[i];
        forget[i] += p[n + i] * c[i];
    }
    apply(f, f->recurrent, in, 2 * n);
    apply(f, f->cell, cell, n);
    for (size_t i = 0; i < n; i++) {
        float state = forget[i] * c[i] + in[i] * cell[i];
        if (f->clip >= 0)
            state = state > f->clip ? f->clip : state < -f->clip ? -f->clip : state;
        c[i] = h[i] = state;
        out[i] += p[2 * n + i] * state;
    }
    apply(f, f->recurrent, out, n);
    apply(f, f->output, h, n);
    for (size_t i = 0; i < n; i++)
        h[i] *= out[i];
}

static void multiply(const struct mls_op_call *call, const struct mls_op_env *env, const struct recurrent *r,
                     unsigned direction, unsigned part, const float *state, bool last_first)
{
    struct mls_gemm gemm = state_gemm(call, r, direction, part, state);
    gemm.last_first = last_first;
    mls_gemm_run(env->kernels, env->pool, &gemm, r->gemm_scratch);
}

static void add(float *values, const float *terms, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] += terms[i];
}

/* Gates in the order reset, output, update. */
static void gru_step(const struct mls_op_call *call, const struct mls_op_env *env, const struct recurrent *r,
                     const struct functions *f, float *gates)
{
    enum { RESET, OUTPUT, UPDATE };
    size_t n = r->hidden;
    multiply(call, env, r, 0, RESET, r->h, false);
    multiply(call, env, r, 0, UPDATE, r->h, false);
    if (r->reset_after)
        multiply(call, env, r, 0, OUTPUT, r->h, false);
    for (size_t b = 0; b < r->batch; b++) {
        float *row = gates + b * r->rows, *sums = r->sums + b * r->rows;
        add(row, sums, n);
        add(row + UPDATE * n, sums + UPDATE * n, n);
        apply(f, f->recurrent, row, n);
        apply(f, f->recurrent, row + UPDATE * n, n);
        for (size_t i = 0; i < n; i++)
            r->other[b * n + i] = row[i] * r->h[b * n + i];
    }
    if (!r->reset_after)
        multiply(call, env, r, 0, OUTPUT, r->other, false);
    for (size_t b = 0; b < r->batch; b++) {
        float *row = gates + b * r->rows, *sums = r->sums + b * r->rows + OUTPUT * n, *h = r->h + b * n;
        float *output = row + OUTPUT * n, *update = row + UPDATE * n;
        for (size_t i = 0; i < n; i++)
            output[i] += r->reset_after ? row[i] * sums[i] : sums[i];
        apply(f, f->output, output, n);
        for (size_t i = 0; i < n; i++)
            h[i] = (1 - update[i]) * output[i] + update[i] * h[i];
    }
}

/* odd: every other step goes through the weights the other way round. */
static void run_step(const struct mls_op_call *call, const struct mls_op_env *env, const struct recurrent *r,
                     const struct functions *f, unsigned direction, bool odd, float *gates)
{
    if (r->kind->cell == MLS_CELL_GRU) {
        gru_step(call, env, r, f, gates);
        return;
    }
    multiply(call, env, r, direction, 0, r->h, odd);
    add(gates, r->sums, r->batch * r->rows);
    if (r->kind->cell == MLS_CELL_RNN) {
        apply(f, f->output, gates, r->batch * r->rows);
        memcpy(r->h, gates, r->batch * r->rows * sizeof *gates);
        return;
    }
    for (size_t b = 0; b < r->batch; b++)
        lstm_row(r, f, gates + b * r->rows, r->h + b * r->hidden, r->c + b * r->hidden);
}

/* Biases of inputs and of the state: apart only where reset_after multiplies the second. */
static void load_biases(const struct mls_op_call *call, const struct recurrent *r, unsigned direction)
{
    load_vector(call, r->kind->bias[direction], r->rows, r->reset_after ? r->inner : r->bias);
    load_vector(call, r->kind->input_bias, r->rows, r->reset_after ? r->bias : r->inner);
    load_vector(call, r->kind->peephole[direction], 3 * r->hidden, r->peephole);
}

/* The sequence of direction "reverse" is in the order of computation; that of a bidirectional cell's second
 * half is in the order of x. */
static void run_direction(const struct mls_op_call *call, const struct mls_op_env *env,
                          const struct recurrent *r, const struct functions *f, unsigned direction)
{
    const struct mls_tensor *x = mls_cell_param(call, r->kind->x), *c = mls_cell_param(call, r->kind->c);
    bool backward = direction == 1 || r->reverse;
    size_t step_bytes = r->batch * r->inputs * (x->type.dtype == MLS_FP16 ? 2 : 4);
    load_biases(call, r, direction);
    load_state(mls_cell_param(call, r->kind->h), r, direction, r->h);
    if (c)
        load_state(c, r, direction, r->c);
    for (size_t done = 0; done < r->steps;) {
        size_t n = r->steps - done < r->ahead ? r->steps - done : r->ahead;
        size_t first = backward ? r->steps - done - n : done;
        struct mls_gemm gemm = input_gemm(call, r, direction, n);
        gemm.a.data = (const uint8_t *)x->data + first * step_bytes;
        mls_gemm_run(env->kernels, env->pool, &gemm, r->gemm_scratch);
        for (size_t i = 0; i < n; i++) {
            size_t at = backward ? n - 1 - i : i;
            run_step(call, env, r, f, direction, i % 2, r->gates + at * r->batch * r->rows);
            if (r->sequence)
                store_state(call, env, r, direction, r->h, 0, r->reverse ? done + i : first + at);
        }
        done += n;
    }
    if (!r->sequence)
        store_state(call, env, r, direction, r->h, 0, 0);
    store_state(call, env, r, direction, r->h, 1, 0);
    if (c)
        store_state(call, env, r, direction, r->c, 2, 0);
}

struct direction_job {
    const struct mls_op_call *call;
    const struct mls_op_env *env;
    const struct recurrent *recurrent;
    const struct functions *functions;
};

static void direction_task(void *context, size_t index, uint32_t thread)
{
    const struct direction_job *job = context;
    struct recurrent r = *job->recurrent;
    struct mls_op_env env = *job->env;
    (void)thread;
    if (r.together) /* this task is all of the direction */
        env.pool = NULL;
    place_scratch(&r, (uint8_t *)job->call->scratch + (r.together ? index * direction_bytes(&r) : 0));
    run_direction(job->call, &env, &r, job->functions, (unsigned)index);
}

enum mls_status mls_cell_run(struct mls_op_call *call, struct mls_op_env *env)
{
    if (!mls_type_elems(&mls_op_out(call, 1)->type))
        return MLS_OK;
    struct recurrent r = recurrent_of(call, env);
    const struct mls_cell_kind *kind = r.kind;
    struct functions f = {
        .unary = env->kernels->unary,
        .recurrent = mls_cell_activation_of(call, kind->recurrent_activation, "sigmoid"),
        .cell = mls_cell_activation_of(call, kind->cell_activation, "tanh"),
        .output = mls_cell_activation_of(call, kind->activation, "tanh"),
        .clip = kind->clip == MLS_CELL_NONE ? -1 : (float)mls_op_float(call, (unsigned)kind->clip, -1)};
    struct direction_job job = {.call = call, .env = env, .recurrent = &r, .functions = &f};
    if (r.together)
        mls_pool_for(env->pool, r.directions, direction_task, &job);
    for (unsigned d = 0; d < r.directions && !r.together; d++)
        direction_task(&job, d, 0);
    call->kernel = mls_op_out(call, 0)->type.dtype == MLS_FP16 ? kind->kernel_fp16 : kind->kernel_fp32;
    return MLS_OK;
}
