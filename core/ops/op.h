/*
 * op.h: the contract of an operation. One operation of one opset is one row in one table (<family>.c): its
 * parameters, shape inference, cost, weight packing and execution. The planner and the executor know
 * operations only through rows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/pool.h"
#include "core/op.h"
#include "core/session.h"
#include "core/status.h"
#include "core/tensor.h"
#include "kernels/kernels.h"
#include "ops/heap.h"

/* Sets of element types for parameters. */
#define MLS_T_FLOAT (MLS_DTYPE_BIT(MLS_FP16) | MLS_DTYPE_BIT(MLS_FP32))
#define MLS_T_I32 MLS_DTYPE_BIT(MLS_INT32)
#define MLS_T_BOOL MLS_DTYPE_BIT(MLS_BOOL)
#define MLS_T_TEXT MLS_DTYPE_BIT(MLS_TEXT)
#define MLS_T_INTS                                                                   \
    (MLS_DTYPE_BIT(MLS_INT8) | MLS_DTYPE_BIT(MLS_UINT8) | MLS_DTYPE_BIT(MLS_INT16) | \
     MLS_DTYPE_BIT(MLS_UINT16) | MLS_DTYPE_BIT(MLS_INT32) | MLS_DTYPE_BIT(MLS_UINT32))
#define MLS_T_NUMBER (MLS_T_FLOAT | MLS_T_INTS)
#define MLS_T_ANY (~(mls_dtype_set)0)

enum mls_op_param_flags {
    MLS_PARAM_OPTIONAL = 1u << 0, /* may be left out */
    MLS_PARAM_CONST = 1u << 1,    /* must be known at load */
    MLS_PARAM_VARIADIC = 1u << 2, /* one or more values ("values" of concat) */
    MLS_PARAM_LIST = 1u << 3,     /* takes a list, not a tensor */
    MLS_PARAM_STATE = 1u << 4,    /* takes a state */
    MLS_PARAM_CODED = 1u << 5 /* takes a constant without data, in its compressed form (mls_tensor.coded) */
};

/* A parameter of an operation. `domain`: parameters with the same letter must have the same element type; 0:
 * free. */
struct mls_op_param {
    const char *name;
    mls_dtype_set types;
    uint8_t flags;
    char domain;
};

enum { MLS_OP_PARAMS_MAX = 17 }; /* of lstm */

enum mls_op_flags {
    MLS_OP_VIEW = 1u << 0, /* output 0 has the bytes of parameter 0: the planner may alias them; run copies if
                              they differ */
    MLS_OP_INPLACE = 1u << 1,   /* output 0 may lie exactly on any input of the same size in bytes */
    MLS_OP_CONSTEXPR = 1u << 2, /* decompresses a constant */
    MLS_OP_CONTROL = 1u << 3,   /* the executor itself runs its blocks; `run` is absent */
    MLS_OP_CONST = 1u << 4,     /* "const" */
    MLS_OP_ALLOCATES =
        1u << 5, /* output shapes depend on values: `run` allocates outputs by mls_op_allocate */
    MLS_OP_STATEFUL = 1u << 6,    /* never folded: random numbers, states */
    MLS_OP_ALIAS_STATE = 1u << 7, /* read_state, write_state: the executor hands state memory as `data` */
    MLS_OP_TYPE_ONLY =
        1u << 9, /* outputs tell of the inputs' types, not of their content: known once these are */
    MLS_OP_SCALAR_DECLARED =
        1u << 10,             /* coremltools declares a scalar where only an unbroadcast operand is one */
    MLS_OP_OUTPUTS = 1u << 11, /* not always one output: `infer` checks how many */
    MLS_OP_EPILOGUE = 1u << 8 /* `run` applies call->fused to output 0, if it is of floats; never with VIEW or
                                 INPLACE */
};

/*
 * The values of one parameter. `n` is 0 when it was left out. `dies` : nobody reads values[0] after this
 * execution, so a list may be taken over instead of copied.
 */
struct mls_arg {
    struct mls_tensor **values;
    uint32_t n;
    bool dies;
};

struct mls_epilogue;
struct mls_fused_op;
struct mls_coded;

enum { MLS_PACK_KINDS = 2 };

/* One use of an operation. The same struct serves inference, cost, packing and running. */
struct mls_op_call {
    const struct mls_op_row *row;
    const char *function; /* for errors */
    const char *name;     /* for errors */
    uint32_t opset;       /* of the program */
    struct mls_arg *args; /* indexed as row->params */
    struct mls_tensor **outputs;
    uint32_t n_outputs;
    const void *packed; /* what `pack` made, or NULL */
    void *scratch;      /* scratch_bytes() bytes aligned to 64 while `run` runs; undefined content */
    const char *kernel; /* set by `run`: name of the kernel that did it, static, or NULL */
    const struct mls_epilogue *fused; /* what to do to output 0 besides (EPILOGUE rows), or NULL */
};

/* What packing and running may use. `error` is never NULL. */
struct mls_op_env {
    bool exact; /* packing: high precision was asked for, nothing is to be traded for speed */
    const struct mls_kernels *kernels;
    struct mls_pool *pool;
    struct mls_heap *heap;    /* for values of unplanned size: outputs of ALLOCATES rows, lists */
    enum mls_weights weights; /* while packing: how compressed constants are used */
    uint64_t *random_state;   /* of this run; seeded reproducibly */
    struct mls_error *error;
};

struct mls_op_row {
    const char *name;
    uint32_t since; /* opset of this definition: 5 … 9 */
    uint32_t flags;
    struct mls_op_param params[MLS_OP_PARAMS_MAX]; /* ended by a NULL name */

    /*
     * Sets the types of the outputs, which arrive holding what the program declares. Inputs' dims may be
     * unknown; their `data` is NULL unless the value is known. Unknown results stay MLS_DIM_UNKNOWN. Checks
     * everything that `run` relies on: after OK with static types, running is memory-safe for any content,
     * except for what RUN_* statuses report. Called once at plan time, and again before each execution when
     * shapes are dynamic.
     */
    enum mls_status (*infer)(const struct mls_op_call *call, struct mls_error *reterr);

    /* Floating-point or integer operations of one execution. Absent: none (data movement). Static types only.
     */
    uint64_t (*flops)(const struct mls_op_call *call);

    /* Bytes of scratch that `run` needs. Absent: none. Static types only. */
    size_t (*scratch_bytes)(const struct mls_op_call *call, const struct mls_op_env *env);

    /*
     * Makes another layout of constant operands, once for a session, with memory from `arena` (lives as long
     * as the session). May leave *ret_packed NULL: not needed. The shape of the others may tell what is
     * best, but what was packed serves every shape; it is kept apart for each pack_kind.
     */
    enum mls_status (*pack)(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                            const void **ret_packed, size_t *ret_packed_bytes);

    /* Which of MLS_PACK_KINDS layouts of its constants this use wants, by its shapes. Absent: 0. */
    uint32_t (*pack_kind)(const struct mls_op_call *call);

    /*
     * CONSTEXPR rows: describes the result in its stored form, for kernels that take it so; memory from
     * `arena` where something has to be made. False: it can only be computed. Absent: the same.
     */
    bool (*code)(const struct mls_op_call *call, struct mls_arena *arena, struct mls_coded *ret_coded);

    /*
     * Says how to do this operation in place on ranges of parameter `param`, which has the type of output 0,
     * so that the step that computes that parameter can do it too. Absent or false: it cannot be done so.
     * Static types only; only constants have data. *ret_fused borrows the tensors of the call.
     */
    bool (*fuse)(const struct mls_op_call *call, const struct mls_kernels *kernels, unsigned param,
                 struct mls_fused_op *ret_fused);

    /*
     * Whether output 0 is nothing but elements of parameter 0 that follow each other, from *ret_first_elem on, which its
     * constants say: then it need not be computed. Absent: it is not. Static types only; only constants have data.
     */
    bool (*part)(const struct mls_op_call *call, uint64_t *ret_first_elem);

    /* Computes the outputs. All inputs have data (or no elements); outputs have memory unless ALLOCATES. */
    enum mls_status (*run)(struct mls_op_call *call, struct mls_op_env *env);
};

/* A family: the rows of one file. Listed in families.def. */
struct mls_op_family {
    const struct mls_op_row *rows;
    uint32_t n_rows;
};

/* ---- Help for rows (op_help.c)
 * ---------------------------------------------------------------------------------- */

/* mls_op_fail: an error that names function, operation and its type. */
enum mls_status mls_op_fail(const struct mls_op_call *call, struct mls_error *reterr, enum mls_status status,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

/* mls_op_given: whether parameter `param` was given. */
static inline bool mls_op_given(const struct mls_op_call *call, unsigned param)
{
    return call->args[param].n != 0;
}

/* mls_op_in: the first value of a parameter, or NULL when it was left out. */
static inline struct mls_tensor *mls_op_in(const struct mls_op_call *call, unsigned param)
{
    return call->args[param].n ? call->args[param].values[0] : NULL;
}

static inline struct mls_tensor *mls_op_out(const struct mls_op_call *call, unsigned index)
{
    return call->outputs[index];
}

/* mls_op_int, _bool, _float: a scalar (or the first element) of a parameter whose data is known; otherwise
 * `otherwise`. */
int64_t mls_op_int(const struct mls_op_call *call, unsigned param, int64_t otherwise);
bool mls_op_bool(const struct mls_op_call *call, unsigned param, bool otherwise);
double mls_op_float(const struct mls_op_call *call, unsigned param, double otherwise);

/* mls_op_text: whether a string parameter equals `text`; `otherwise` stands for a parameter left out. */
bool mls_op_text_is(const struct mls_op_call *call, unsigned param, const char *otherwise, const char *text);

/*
 * mls_op_ints: the integers of a parameter into ret[max]. Returns their number; 0 when it was left out; -1
 * when they are not known yet, are no integers, or are more than max.
 */
int mls_op_ints(const struct mls_op_call *call, unsigned param, int64_t *ret, unsigned max);

/* mls_op_axis: normalises a possibly negative axis; false when it lies outside the rank. */
bool mls_op_axis(int64_t axis, unsigned rank, unsigned *ret_axis);

/* mls_tensor_int, mls_tensor_float: element `index` of a tensor with known data, whatever its dtype (floats
 * truncate). */
int64_t mls_tensor_int(const struct mls_tensor *tensor, int64_t index);
double mls_tensor_float(const struct mls_tensor *tensor, int64_t index);

/* mls_op_broadcast: NumPy's broadcast of two types into ret dims and rank; false when they do not fit.
 * Unknown stays unknown. */
bool mls_op_broadcast(const struct mls_type *a, const struct mls_type *b, struct mls_type *ret);

/* mls_op_allocate: memory from the heap for an output whose type is now static (ALLOCATES rows). */
enum mls_status mls_op_allocate(struct mls_op_call *call, struct mls_op_env *env, unsigned output);

/* Inference used by many rows. */
enum mls_status mls_infer_same(const struct mls_op_call *call,
                               struct mls_error *reterr); /* out 0 = type of param 0 */
enum mls_status mls_infer_broadcast(const struct mls_op_call *call,
                                    struct mls_error *reterr); /* params 0 and 1, dtype of param 0 */

/* Flops used by many rows: one per output element. */
uint64_t mls_flops_elementwise(const struct mls_op_call *call);
