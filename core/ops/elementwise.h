/* elementwise.h: splitting elementwise work over the pool, and checks that elementwise rows share. */
#pragma once

#include "kernels/unary/unary.h"
#include "ops/fused.h"

/* Elements of one task: small tensors stay on the calling thread, and results do not depend on the number of
 * threads. */
enum { MLS_CHUNK_ELEMS = 1 << 14 };

/* Elements [first, first + n). */
typedef void mls_chunk_run(void *context, size_t first, size_t n);

/* mls_chunks_for: runs [0, n) in chunks of MLS_CHUNK_ELEMS. */
void mls_chunks_for(struct mls_pool *pool, size_t n, mls_chunk_run *run, void *context);

/* mls_unary_find: the kernel of a function for a type (fp16, fp32, int32), or NULL. */
const struct mls_unary_kernel *mls_unary_find(const struct mls_kernels *kernels, enum mls_unary function,
                                              enum mls_dtype dtype);

/* mls_unary_apply: output 0 from parameter 0, which has the same type. Sets call->kernel. */
enum mls_status mls_unary_apply(struct mls_op_call *call, struct mls_op_env *env, enum mls_unary function,
                                const struct mls_unary_params *params);

/* mls_unary_fuse: the same for a step to take over; false where mls_unary_apply would fail. */
bool mls_unary_fuse(const struct mls_op_call *call, const struct mls_kernels *kernels,
                    enum mls_unary function, const struct mls_unary_params *params,
                    struct mls_fused_op *ret_fused);

/*
 * MLS_UNARY_ROW_FUNCTIONS: run_<name> and fuse_<name> of a row whose function and parameters are these
 * expressions of `call`.
 */
#define MLS_UNARY_ROW_FUNCTIONS(name, function, parameters)                                    \
    static enum mls_status run_##name(struct mls_op_call *call, struct mls_op_env *env)        \
    {                                                                                          \
        struct mls_unary_params params = parameters;                                           \
        return mls_unary_apply(call, env, function, &params);                                  \
    }                                                                                          \
    static bool fuse_##name(const struct mls_op_call *call, const struct mls_kernels *kernels, \
                            unsigned param, struct mls_fused_op *ret_fused)                    \
    {                                                                                          \
        struct mls_unary_params params = parameters;                                           \
        return param == 0 && mls_unary_fuse(call, kernels, function, &params, ret_fused);      \
    }

/* mls_check_scalars: that each of the parameters [first, last] is left out or is one number. */
enum mls_status mls_check_scalars(const struct mls_op_call *call, unsigned first, unsigned last,
                                  struct mls_error *reterr);
