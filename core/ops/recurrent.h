/* recurrent.h: what rows and execution of recurrent cells (lstm, gru, rnn) share. */
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/unary/unary.h"
#include "ops/op.h"

enum mls_cell { MLS_CELL_LSTM, MLS_CELL_GRU, MLS_CELL_RNN };
enum { MLS_CELL_DIRECTIONS = 2, MLS_CELL_PARTS = 3, MLS_CELL_NONE = -1 };

/* A kind of cell, and where its parameters stand in its row; MLS_CELL_NONE where it has no such parameter. */
struct mls_cell_kind {
    enum mls_cell cell;
    const char *kernel_fp16, *kernel_fp32;
    unsigned gates; /* blocks of rows of its weights */
    unsigned parts; /* products with the state in each step: gru multiplies each gate by itself */
    int x, h, c;
    int ih[MLS_CELL_DIRECTIONS], hh[MLS_CELL_DIRECTIONS], bias[MLS_CELL_DIRECTIONS],
        peephole[MLS_CELL_DIRECTIONS];
    int direction, output_sequence, recurrent_activation, cell_activation, activation, clip;
    int reset_after, input_bias;
};

const struct mls_cell_kind *mls_cell_kind_of(const struct mls_op_call *call);

/* An activation as MIL names it, with the constants that Core ML gives it; scaled_tanh is tanh. */
struct mls_cell_activation {
    const char *name;
    enum mls_unary function;
    struct mls_unary_params params;
};

/* mls_cell_activation_of: what a parameter names; NULL when it names none or is MLS_CELL_NONE. */
const struct mls_cell_activation *mls_cell_activation_of(const struct mls_op_call *call, int param,
                                                         const char *otherwise);

/* mls_cell_param: the value of a parameter, or NULL when it was left out or is MLS_CELL_NONE. */
static inline const struct mls_tensor *mls_cell_param(const struct mls_op_call *call, int param)
{
    return param == MLS_CELL_NONE ? NULL : mls_op_in(call, (unsigned)param);
}

/* Panels of the weights. Arena of the session. */
struct mls_cell_packed {
    struct mls_gemm_operand ih[MLS_CELL_DIRECTIONS];
    struct mls_gemm_operand hh[MLS_CELL_DIRECTIONS][MLS_CELL_PARTS];
};

/* mls_cell_weight: a weight as matrix B; its columns are the weight's rows from `first` on. */
struct mls_gemm_operand mls_cell_weight(const struct mls_tensor *weight, size_t first);

/* Members of the rows. */
size_t mls_cell_scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env);
enum mls_status mls_cell_run(struct mls_op_call *call, struct mls_op_env *env);
