/* product.c: what linear, matmul and einsum share. */
#include "ops/product.h"

#include "base/checked.h"
#include "kernels/convert/convert.h"
#include "kernels/fixed/fixed.h"

bool mls_product_is_float(const struct mls_type *type)
{
    return type->dtype == MLS_FP16 || type->dtype == MLS_FP32;
}

bool mls_product_differ(int64_t a, int64_t b)
{
    return a != b && a != MLS_DIM_UNKNOWN && b != MLS_DIM_UNKNOWN;
}

struct mls_gemm_operand mls_product_operand(const struct mls_tensor *tensor, size_t row_stride,
                                            size_t col_stride)
{
    return (struct mls_gemm_operand){.form = MLS_GEMM_STRIDED,
                                     .dtype = tensor->type.dtype,
                                     .data = tensor->data,
                                     .row_stride = row_stride,
                                     .col_stride = col_stride};
}

static enum mls_status pack_side(const struct mls_op_call *call, struct mls_op_env *env,
                                 struct mls_arena *arena, enum mls_gemm_side side,
                                 const struct mls_gemm_operand *source, size_t n_matrices, size_t extent,
                                 size_t k, const void **ret_packed, size_t *ret_packed_bytes)
{
    size_t elem_bytes = source->dtype == MLS_FP16 ? 2 : 4, bytes;
    size_t elems = mls_gemm_packed_elems(env->kernels->gemm, side, extent, k);
    struct mls_product_packed *packed = MLS_NEW(arena, struct mls_product_packed);
    uint8_t *panels =
        mls_mul_size(elems * elem_bytes, n_matrices, &bytes) ? mls_arena_alloc_large(arena, bytes) : NULL;
    if (!packed || !panels)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    for (size_t i = 0; i < n_matrices; i++)
        mls_gemm_pack(env->kernels->gemm, env->pool, side, source, i * extent * k, extent, k,
                      panels + i * elems * elem_bytes);
    *packed = (struct mls_product_packed){.side = side,
                                          .form = MLS_GEMM_PACKED,
                                          .dtype = source->dtype,
                                          .elems = panels,
                                          .matrix_elems = elems};
    *ret_packed = packed;
    *ret_packed_bytes = bytes;
    return MLS_OK;
}

/* Rows of a product from which on arithmetic costs more than reading the weights, and terms of a sum that
 * fill a good part of a block. */
enum { FIXED_MIN_ROWS = 16, FIXED_MIN_TERMS = 48 };

static bool wants_fixed(const struct mls_op_call *call, const struct mls_op_env *env,
                        const struct mls_gemm_operand *source, size_t extent, size_t k)
{
    const struct mls_type *result = &mls_op_out(call, 0)->type;
    int64_t rows = mls_type_is_static(result) && extent ? mls_type_elems(result) / (int64_t)extent : 0;
    return env->kernels->fixed->pays && source->dtype == MLS_FP16 && result->dtype == MLS_FP16 &&
           rows >= FIXED_MIN_ROWS && k >= FIXED_MIN_TERMS && mls_op_in(call, 0)->type.dtype == MLS_FP16;
}

/* As block fixed point; *ret_packed stays NULL when the weights are not finite. */
static enum mls_status pack_fixed(const struct mls_op_call *call, struct mls_op_env *env,
                                  struct mls_arena *arena, const struct mls_gemm_operand *source,
                                  size_t extent, size_t k, const void **ret_packed, size_t *ret_packed_bytes)
{
    size_t bytes = mls_fixed_bytes(env->kernels->fixed, extent, k);
    struct mls_product_packed *packed = MLS_NEW(arena, struct mls_product_packed);
    void *columns = bytes != SIZE_MAX ? mls_arena_alloc_large(arena, bytes) : NULL;
    if (!packed || !columns)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    if (!mls_fixed_pack(env->kernels, env->pool, source, extent, k, columns))
        return MLS_OK;
    *packed = (struct mls_product_packed){
        .side = MLS_GEMM_B, .form = MLS_GEMM_FIXED, .dtype = MLS_FP16, .elems = columns};
    *ret_packed = packed;
    *ret_packed_bytes = bytes;
    return MLS_OK;
}

/* The matrices of a constant of floats as int32, in the constant's own order. */
static enum mls_status pack_integers(const struct mls_op_call *call, struct mls_op_env *env,
                                     struct mls_arena *arena, enum mls_gemm_side side,
                                     const struct mls_tensor *tensor, size_t matrix_elems,
                                     const void **ret_packed, size_t *ret_packed_bytes)
{
    size_t n = (size_t)mls_type_elems(&tensor->type);
    struct mls_product_packed *packed = MLS_NEW(arena, struct mls_product_packed);
    int32_t *integers = mls_arena_array(arena, n, sizeof *integers, 64);
    if (!packed || !integers)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    mls_cast(tensor->type.dtype, tensor->data, MLS_INT32, integers, n);
    *packed = (struct mls_product_packed){.side = side,
                                          .form = MLS_GEMM_STRIDED,
                                          .dtype = MLS_INT32,
                                          .elems = integers,
                                          .matrix_elems = matrix_elems};
    *ret_packed = packed;
    *ret_packed_bytes = n * sizeof *integers;
    return MLS_OK;
}

enum mls_status mls_product_pack(const struct mls_op_call *call, struct mls_op_env *env,
                                 struct mls_arena *arena, enum mls_gemm_side side,
                                 const struct mls_tensor *tensor, struct mls_gemm_operand source,
                                 size_t n_matrices, size_t extent, size_t k, bool rows_of_terms,
                                 const void **ret_packed, size_t *ret_packed_bytes)
{
    bool floats = mls_product_is_float(&tensor->type);
    if (!mls_product_is_float(&mls_op_out(call, 0)->type))
        return floats
                   ? pack_integers(call, env, arena, side, tensor, extent * k, ret_packed, ret_packed_bytes)
                   : MLS_OK;
    struct mls_arena *working = NULL; /* as secret as the weights */
    if (!floats) {
        size_t n = (size_t)mls_type_elems(&tensor->type);
        working = mls_arena_create_beside(arena);
        float *converted = working ? mls_arena_array(working, n, sizeof *converted, 64) : NULL;
        if (!converted) {
            mls_arena_free(working);
            return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
        }
        mls_cast(tensor->type.dtype, tensor->data, MLS_FP32, converted, n);
        source.data = converted;
        source.dtype = MLS_FP32;
    }
    enum mls_status status = MLS_OK;
    if (side == MLS_GEMM_B && n_matrices == 1 && rows_of_terms && wants_fixed(call, env, &source, extent, k))
        status = pack_fixed(call, env, arena, &source, extent, k, ret_packed, ret_packed_bytes);
    if (!status && !*ret_packed)
        status =
            pack_side(call, env, arena, side, &source, n_matrices, extent, k, ret_packed, ret_packed_bytes);
    mls_arena_free(working);
    return status;
}

void mls_product_use(const struct mls_product_packed *packed, struct mls_gemm_operand *operand)
{
    operand->form = packed->form;
    operand->dtype = packed->dtype;
    operand->data = packed->elems;
}

enum mls_status mls_product_run(struct mls_op_call *call, struct mls_op_env *env, const struct mls_gemm *gemm,
                                void *scratch)
{
    mls_gemm_run(env->kernels, env->pool, gemm, scratch);
    if (gemm->b.form == MLS_GEMM_FIXED)
        call->kernel = env->kernels->fixed->name;
    else
        call->kernel =
            gemm->c_dtype == MLS_FP16 ? env->kernels->gemm->name_fp16 : env->kernels->gemm->name_fp32;
    return MLS_OK;
}
