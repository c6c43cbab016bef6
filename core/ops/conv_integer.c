/* conv_integer.c: weights of fp16 convolutions for products of 16-bit integers. */
#include <math.h>

#include "base/checked.h"
#include "kernels/convert/convert.h"
#include "ops/conv_weights.h"

/* Smaller products are not worth the conversion of the input. */
enum { TERMS_LEAST = 16, OUTPUTS_LEAST = 16 };

bool mls_conv16_suits(const struct mls_op_call *call, const struct mls_kernels *kernels, size_t m, size_t k)
{
    return kernels->dot16_isa > MLS_ISA_GENERIC && mls_op_out(call, 0)->type.dtype == MLS_FP16 &&
           m >= OUTPUTS_LEAST && k >= TERMS_LEAST;
}

/* The weights of one group as fp32. */
static const float *weights_of_group(const struct mls_op_env *env, const struct mls_tensor *weight,
                                     size_t group, size_t n, float *scratch)
{
    if (weight->type.dtype == MLS_FP32)
        return (const float *)weight->data + group * n;
    env->kernels->convert->fp16_to_fp32((const uint16_t *)weight->data + group * n, scratch, n);
    return scratch;
}

/* The bias, with zeros for rows that do not exist; false when one is not finite. */
static bool pack_bias(const struct mls_tensor *bias, size_t groups, size_t m, float *ret)
{
    for (size_t i = 0; bias && i < groups * m; i++) {
        float value = (float)mls_tensor_float(bias, (int64_t)i);
        if (!isfinite(value))
            return false;
        ret[i / m * mls_dot16_rows(m) + i % m] = value;
    }
    return true;
}

static bool allocate_matrix(struct mls_arena *arena, struct mls_dot16_matrix *matrix)
{
    size_t rows = mls_dot16_rows(matrix->m), elems;
    if (!mls_mul_size(rows, 2 * mls_dot16_pairs(matrix->k), &elems))
        return false;
    matrix->term_scales = mls_arena_array(arena, matrix->k, sizeof(float), 64);
    matrix->row_scales = mls_arena_array(arena, rows, sizeof(float), 64);
    matrix->panels = mls_arena_array(arena, elems, sizeof(int16_t), 64);
    return matrix->term_scales && matrix->row_scales && matrix->panels;
}

enum mls_status mls_conv16_pack(const struct mls_op_call *call, struct mls_op_env *env,
                                struct mls_arena *arena, const struct mls_tensor *weight, unsigned bias_param,
                                size_t groups, struct mls_conv_weights *packed, size_t *ret_bytes,
                                bool *ret_done)
{
    const struct mls_tensor *bias = mls_op_in(call, bias_param);
    size_t m = (size_t)weight->type.dims[0] / groups;
    size_t k = (size_t)mls_type_elems(&weight->type) / groups / m;
    *ret_done = false;
    if (bias && !bias->data)
        return MLS_OK;
    struct mls_arena *working = mls_arena_create_beside(arena);
    struct mls_dot16_matrix *matrices = MLS_NEW_ARRAY(arena, groups, struct mls_dot16_matrix);
    float *biases = mls_arena_array(arena, groups * mls_dot16_rows(m), sizeof(float), 64);
    float *scratch = working ? mls_arena_array(working, m * k, sizeof(float), 64) : NULL;
    bool memory = matrices && biases && scratch, good = memory && pack_bias(bias, groups, m, biases);
    for (size_t g = 0; good && g < groups; g++) {
        matrices[g] = (struct mls_dot16_matrix){.m = m, .k = k};
        memory = allocate_matrix(arena, &matrices[g]);
        good = memory && mls_dot16_pack(weights_of_group(env, weight, g, m * k, scratch), &matrices[g]);
    }
    mls_arena_free(working);
    if (!memory)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    if (!good)
        return MLS_OK;
    packed->matrices = matrices;
    packed->bias = biases;
    *ret_bytes = groups * mls_dot16_rows(m) * (2 * mls_dot16_pairs(k) * sizeof(int16_t) + 2 * sizeof(float));
    *ret_done = true;
    return MLS_OK;
}
