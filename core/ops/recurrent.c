/* recurrent.c: rows, inference and packing of lstm, gru and rnn. */
#include "ops/recurrent.h"

#include <string.h>

#include "ops/op_family.h"

static const struct mls_cell_kind lstm_kind = {.cell = MLS_CELL_LSTM,
                                               .kernel_fp16 = "lstm_fp16",
                                               .kernel_fp32 = "lstm_fp32",
                                               .gates = 4,
                                               .parts = 1,
                                               .x = 0,
                                               .h = 1,
                                               .c = 2,
                                               .ih = {3, 7},
                                               .hh = {4, 8},
                                               .bias = {5, 9},
                                               .peephole = {6, 10},
                                               .direction = 11,
                                               .output_sequence = 12,
                                               .recurrent_activation = 13,
                                               .cell_activation = 14,
                                               .activation = 15,
                                               .clip = 16,
                                               .reset_after = MLS_CELL_NONE,
                                               .input_bias = MLS_CELL_NONE};

/* reset_after and input_bias came with opset 8: the older kind does not have them. */
#define GRU_KIND(reset_after_param, input_bias_param)                                                       \
    {                                                                                                       \
        .cell = MLS_CELL_GRU, .kernel_fp16 = "gru_fp16", .kernel_fp32 = "gru_fp32", .gates = 3, .parts = 3, \
        .x = 0, .h = 1, .c = MLS_CELL_NONE, .ih = {2, MLS_CELL_NONE}, .hh = {3, MLS_CELL_NONE},             \
        .bias = {4, MLS_CELL_NONE}, .peephole = {MLS_CELL_NONE, MLS_CELL_NONE}, .direction = 5,             \
        .output_sequence = 6, .recurrent_activation = 7, .cell_activation = MLS_CELL_NONE, .activation = 8, \
        .clip = MLS_CELL_NONE, .reset_after = (reset_after_param), .input_bias = (input_bias_param)         \
    }
static const struct mls_cell_kind gru_kind_5 = GRU_KIND(MLS_CELL_NONE, MLS_CELL_NONE);
static const struct mls_cell_kind gru_kind_8 = GRU_KIND(9, 10);

static const struct mls_cell_kind rnn_kind = {.cell = MLS_CELL_RNN,
                                              .kernel_fp16 = "rnn_fp16",
                                              .kernel_fp32 = "rnn_fp32",
                                              .gates = 1,
                                              .parts = 1,
                                              .x = 0,
                                              .h = 1,
                                              .c = MLS_CELL_NONE,
                                              .ih = {2, MLS_CELL_NONE},
                                              .hh = {3, MLS_CELL_NONE},
                                              .bias = {4, MLS_CELL_NONE},
                                              .peephole = {MLS_CELL_NONE, MLS_CELL_NONE},
                                              .direction = 5,
                                              .output_sequence = 6,
                                              .recurrent_activation = MLS_CELL_NONE,
                                              .cell_activation = MLS_CELL_NONE,
                                              .activation = 7,
                                              .clip = MLS_CELL_NONE,
                                              .reset_after = MLS_CELL_NONE,
                                              .input_bias = MLS_CELL_NONE};

const struct mls_cell_kind *mls_cell_kind_of(const struct mls_op_call *call)
{
    if (!strcmp(call->row->name, "lstm"))
        return &lstm_kind;
    if (!strcmp(call->row->name, "rnn"))
        return &rnn_kind;
    return call->row->since >= 8 ? &gru_kind_8 : &gru_kind_5;
}

static const struct mls_cell_activation activations[] = {
    {"tanh", MLS_UNARY_TANH, {0, 0, 0}},
    {"sigmoid", MLS_UNARY_SIGMOID, {0, 0, 0}},
    {"relu", MLS_UNARY_RELU, {0, 0, 0}},
    {"linear", MLS_UNARY_LINEAR, {1, 0, 0}},
    {"hard_sigmoid", MLS_UNARY_SIGMOID_HARD, {0.2f, 0.5f, 0}},
    {"sigmoid_hard", MLS_UNARY_SIGMOID_HARD, {0.2f, 0.5f, 0}},
    {"scaled_tanh", MLS_UNARY_SCALED_TANH, {1, 1, 0}},
    {"nn_scaled_tanh", MLS_UNARY_SCALED_TANH, {1.7159f, 2.0f / 3, 0}}, /* of layers of networks */
};

const struct mls_cell_activation *mls_cell_activation_of(const struct mls_op_call *call, int param,
                                                         const char *otherwise)
{
    for (size_t i = 0; param != MLS_CELL_NONE && i < sizeof activations / sizeof activations[0]; i++)
        if (mls_op_text_is(call, (unsigned)param, otherwise, activations[i].name))
            return &activations[i];
    return NULL;
}

static bool differ(int64_t a, int64_t b)
{
    return a != b && a != MLS_DIM_UNKNOWN && b != MLS_DIM_UNKNOWN;
}

/* Checks that a parameter, when given, has these dimensions. */
static enum mls_status check_dims(const struct mls_op_call *call, int param, unsigned rank, int64_t first,
                                  int64_t second, struct mls_error *reterr)
{
    const struct mls_tensor *tensor = mls_cell_param(call, param);
    if (!tensor || tensor->type.rank == MLS_RANK_UNKNOWN)
        return MLS_OK;
    const struct mls_type *type = &tensor->type;
    if (type->rank == rank && !differ(type->dims[0], first) && (rank == 1 || !differ(type->dims[1], second)))
        return MLS_OK;
    int64_t dims[2] = {first, second};
    struct mls_type wanted = mls_type_tensor(type->dtype, rank, dims);
    char text[96], other[96];
    return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "parameter \"%s\" is %s; it must be %s",
                       call->row->params[param].name, mls_type_format(type, text, sizeof text),
                       mls_type_format(&wanted, other, sizeof other));
}

/*
 * Checks an initial state. One that was computed may have more rows than the batch: converted packed
 * sequences make it as long as the longest one, and Core ML reads the first rows.
 */
static enum mls_status check_state(const struct mls_op_call *call, int param, int64_t batch, int64_t hidden,
                                   struct mls_error *reterr)
{
    const struct mls_tensor *state = mls_cell_param(call, param);
    bool longer = state && state->data && state->type.rank == 2 && batch >= 0 && state->type.dims[0] > batch;
    return check_dims(call, param, 2, longer ? state->type.dims[0] : batch, hidden, reterr);
}

static enum mls_status check_texts(const struct mls_op_call *call, const struct mls_cell_kind *kind,
                                   unsigned *ret_directions, struct mls_error *reterr)
{
    bool both = mls_op_text_is(call, (unsigned)kind->direction, "forward", "bidirectional");
    if (!mls_op_text_is(call, (unsigned)kind->direction, "forward", "forward") &&
        !mls_op_text_is(call, (unsigned)kind->direction, "forward", "reverse") &&
        !(both && kind->cell == MLS_CELL_LSTM))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "parameter \"direction\" must be forward%s",
                           kind->cell == MLS_CELL_LSTM ? ", reverse or bidirectional" : " or reverse");
    const int params[] = {kind->recurrent_activation, kind->cell_activation, kind->activation};
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++)
        if (params[i] != MLS_CELL_NONE && !mls_cell_activation_of(call, params[i], "tanh"))
            return mls_op_fail(
                call, reterr, MLS_ERR_OP_ARGUMENT,
                "parameter \"%s\" must be tanh, scaled_tanh, sigmoid, hard_sigmoid, relu or linear",
                call->row->params[params[i]].name);
    *ret_directions = both ? 2 : 1;
    return MLS_OK;
}

static enum mls_status check_weights(const struct mls_op_call *call, const struct mls_cell_kind *kind,
                                     unsigned direction, int64_t inputs, int64_t hidden,
                                     struct mls_error *reterr)
{
    int64_t rows = (int64_t)kind->gates * hidden;
    if (!mls_cell_param(call, kind->ih[direction]) || !mls_cell_param(call, kind->hh[direction]))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "direction bidirectional needs weights for both ways");
    enum mls_status status = check_dims(call, kind->ih[direction], 2, rows, inputs, reterr);
    if (status == MLS_OK)
        status = check_dims(call, kind->hh[direction], 2, rows, hidden, reterr);
    if (status == MLS_OK)
        status = check_dims(call, kind->bias[direction], 1, rows, 0, reterr);
    if (status == MLS_OK)
        status = check_dims(call, kind->peephole[direction], 1, 3 * hidden, 0, reterr);
    return status;
}

static enum mls_status infer_recurrent(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_cell_kind *kind = mls_cell_kind_of(call);
    const struct mls_type *x = &mls_cell_param(call, kind->x)->type,
                          *hh = &mls_cell_param(call, kind->hh[0])->type;
    unsigned directions = 1;
    enum mls_status status = check_texts(call, kind, &directions, reterr);
    if (status != MLS_OK)
        return status;
    if (hh->rank != 2 || hh->dims[1] < 1 || hh->dims[1] > INT32_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "weight_hh must have rank 2 and columns");
    if (x->rank != 3 && x->rank != MLS_RANK_UNKNOWN)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x has rank %u; it must be 3", x->rank);
    bool known = x->rank == 3;
    int64_t steps = known ? x->dims[0] : MLS_DIM_UNKNOWN, batch = known ? x->dims[1] : MLS_DIM_UNKNOWN;
    int64_t inputs = known ? x->dims[2] : MLS_DIM_UNKNOWN, hidden = hh->dims[1];
    int64_t states = (int64_t)directions * hidden;
    if (!steps)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x has no steps");
    for (unsigned d = 0; d < directions && status == MLS_OK; d++)
        status = check_weights(call, kind, d, inputs, hidden, reterr);
    if (status == MLS_OK)
        status = check_state(call, kind->h, batch, states, reterr);
    if (status == MLS_OK)
        status = check_state(call, kind->c, batch, states, reterr);
    if (status == MLS_OK)
        status = check_dims(call, kind->input_bias, 1, (int64_t)kind->gates * hidden, 0, reterr);
    if (status != MLS_OK)
        return status;
    unsigned n_outputs = kind->cell == MLS_CELL_LSTM ? 3 : 2;
    if (call->n_outputs != n_outputs)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has %u outputs, not %u",
                           call->n_outputs, n_outputs);
    bool sequence = mls_op_bool(call, (unsigned)kind->output_sequence, false);
    call->outputs[0]->type = mls_type_tensor(x->dtype, 3, (int64_t[]){sequence ? steps : 1, batch, states});
    for (unsigned i = 1; i < n_outputs; i++)
        call->outputs[i]->type = mls_type_tensor(x->dtype, 2, (int64_t[]){batch, states});
    return MLS_OK;
}

struct mls_gemm_operand mls_cell_weight(const struct mls_tensor *weight, size_t first)
{
    size_t k = (size_t)weight->type.dims[1], elem_bytes = weight->type.dtype == MLS_FP16 ? 2 : 4;
    return (struct mls_gemm_operand){
        .form = MLS_GEMM_STRIDED,
        .dtype = weight->type.dtype,
        .data = weight->data ? (const uint8_t *)weight->data + first * k * elem_bytes : NULL,
        .row_stride = 1,
        .col_stride = k};
}

static enum mls_status pack_weight(const struct mls_op_call *call, struct mls_op_env *env,
                                   struct mls_arena *arena, struct mls_gemm_operand *operand, size_t n,
                                   size_t k, size_t *bytes)
{
    size_t elems = mls_gemm_packed_elems(env->kernels->gemm, MLS_GEMM_B, n, k);
    size_t panel_bytes = elems * (operand->dtype == MLS_FP16 ? 2 : 4);
    void *panels = mls_arena_alloc_large(arena, panel_bytes);
    if (!panels)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    mls_gemm_pack(env->kernels->gemm, env->pool, MLS_GEMM_B, operand, 0, n, k, panels);
    operand->form = MLS_GEMM_PACKED;
    operand->data = panels;
    *bytes += panel_bytes;
    return MLS_OK;
}

static enum mls_status pack_recurrent(const struct mls_op_call *call, struct mls_op_env *env,
                                      struct mls_arena *arena, const void **ret_packed,
                                      size_t *ret_packed_bytes)
{
    const struct mls_cell_kind *kind = mls_cell_kind_of(call);
    struct mls_cell_packed *packed = MLS_NEW(arena, struct mls_cell_packed);
    size_t bytes = 0;
    if (!packed)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    for (unsigned d = 0; d < MLS_CELL_DIRECTIONS; d++) {
        const struct mls_tensor *ih = mls_cell_param(call, kind->ih[d]),
                                *hh = mls_cell_param(call, kind->hh[d]);
        if (!ih || !hh || (d && !mls_op_text_is(call, (unsigned)kind->direction, "forward", "bidirectional")))
            break;
        if (!ih->data || !hh->data)
            return MLS_OK; /* without elements */
        size_t rows = (size_t)hh->type.dims[0], n = rows / kind->parts;
        packed->ih[d] = mls_cell_weight(ih, 0);
        enum mls_status status =
            pack_weight(call, env, arena, &packed->ih[d], rows, (size_t)ih->type.dims[1], &bytes);
        for (unsigned part = 0; part < kind->parts && status == MLS_OK; part++) {
            packed->hh[d][part] = mls_cell_weight(hh, part * n);
            status = pack_weight(call, env, arena, &packed->hh[d][part], n, (size_t)hh->type.dims[1], &bytes);
        }
        if (status != MLS_OK)
            return status;
    }
    *ret_packed = packed;
    *ret_packed_bytes = bytes;
    return MLS_OK;
}

/* Two for each weight and step, and about ten for each gate. */
static uint64_t flops_recurrent(const struct mls_op_call *call)
{
    const struct mls_cell_kind *kind = mls_cell_kind_of(call);
    const int64_t *x = mls_cell_param(call, kind->x)->type.dims;
    const struct mls_type *states = &mls_op_out(call, 1)->type;
    uint64_t rows = (uint64_t)states->dims[1] * kind->gates; /* of all directions */
    uint64_t hidden = (uint64_t)mls_cell_param(call, kind->hh[0])->type.dims[1];
    return (uint64_t)x[0] * (uint64_t)x[1] * rows * (2 * ((uint64_t)x[2] + hidden) + 10);
}

#define OPTIONAL_CONST (MLS_PARAM_CONST | MLS_PARAM_OPTIONAL)
#define WEIGHT(name, types)               \
    {                                     \
        name, types, MLS_PARAM_CONST, 'T' \
    }
#define EXTRA(name, types)               \
    {                                    \
        name, types, OPTIONAL_CONST, 'T' \
    }
#define TEXT(name)                          \
    {                                       \
        name, MLS_T_TEXT, OPTIONAL_CONST, 0 \
    }
#define FLAG(name)                          \
    {                                       \
        name, MLS_T_BOOL, OPTIONAL_CONST, 0 \
    }
#define RUN                                                                                          \
    .flags = MLS_OP_OUTPUTS, .infer = infer_recurrent, .flops = flops_recurrent,                     \
    .scratch_bytes = mls_cell_scratch_bytes, .pack = pack_recurrent, .run = mls_cell_run

#define LSTM_ROW(opset, types)                     \
    {                                              \
        .name = "lstm", .since = opset,            \
        .params = {{"x", types, 0, 'T'},           \
                   {"initial_h", types, 0, 'T'},   \
                   {"initial_c", types, 0, 'T'},   \
                   WEIGHT("weight_ih", types),     \
                   WEIGHT("weight_hh", types),     \
                   EXTRA("bias", types),           \
                   EXTRA("peephole", types),       \
                   EXTRA("weight_ih_back", types), \
                   EXTRA("weight_hh_back", types), \
                   EXTRA("bias_back", types),      \
                   EXTRA("peephole_back", types),  \
                   TEXT("direction"),              \
                   FLAG("output_sequence"),        \
                   TEXT("recurrent_activation"),   \
                   TEXT("cell_activation"),        \
                   TEXT("activation"),             \
                   EXTRA("clip", types)},          \
        RUN                                        \
    }
#define GRU_PARAMS(types)                                                                             \
    {"x", types, 0, 'T'}, {"initial_h", types, 0, 'T'}, WEIGHT("weight_ih", types),                   \
        WEIGHT("weight_hh", types), EXTRA("bias", types), TEXT("direction"), FLAG("output_sequence"), \
        TEXT("recurrent_activation"), TEXT("activation")
#define RNN_ROW(opset, types)                                                                               \
    {                                                                                                       \
        .name = "rnn", .since = opset, .params = {{"x", types, 0, 'T'},       {"initial_h", types, 0, 'T'}, \
                                                  WEIGHT("weight_ih", types), WEIGHT("weight_hh", types),   \
                                                  EXTRA("bias", types),       TEXT("direction"),            \
                                                  FLAG("output_sequence"),    TEXT("activation")},          \
        RUN                                                                                                 \
    }

static const struct mls_op_row rows[] = {
    LSTM_ROW(5, MLS_DTYPE_BIT(MLS_FP32)),
    LSTM_ROW(7, MLS_T_FLOAT),
    {.name = "gru", .since = 5, .params = {GRU_PARAMS(MLS_DTYPE_BIT(MLS_FP32))}, RUN},
    {.name = "gru", .since = 7, .params = {GRU_PARAMS(MLS_T_FLOAT)}, RUN},
    {.name = "gru",
     .since = 8,
     .params = {GRU_PARAMS(MLS_T_FLOAT), FLAG("reset_after"), EXTRA("input_bias", MLS_T_FLOAT)},
     RUN},
    RNN_ROW(5, MLS_DTYPE_BIT(MLS_FP32)),
    RNN_ROW(7, MLS_T_FLOAT),
};

MLS_OP_FAMILY_DEFINE(recurrent, rows);
