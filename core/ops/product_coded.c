#include "ops/product_coded.h"

#include <stdlib.h>

enum { STRIP_ROWS = 256 };

static enum mls_status pack_panels(const struct mls_op_call *call, struct mls_op_env *env,
                                   struct mls_arena *arena, const struct mls_coded *coded, bool transposed,
                                   struct mls_product_packed *packed, size_t *ret_packed_bytes)
{
    struct mls_panels *panels = MLS_NEW(arena, struct mls_panels);
    if (!panels)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its weights");
    if (!mls_panels_plan(coded, transposed, panels))
        return MLS_OK;
    enum mls_status status = mls_panels_pack(env->kernels, env->pool, coded, transposed, arena, panels);
    if (status == MLS_ERR_MEMORY)
        return mls_op_fail(call, env->error, status, "no memory for its packed weights");
    if (status != MLS_OK) /* numbers that are not finite */
        return MLS_OK;
    packed->panels = panels;
    *ret_packed_bytes = panels->bytes;
    return MLS_OK;
}

enum mls_status mls_product_pack_coded(const struct mls_op_call *call, struct mls_op_env *env,
                                       struct mls_arena *arena, const struct mls_coded *coded, bool transposed,
                                       bool few, const void **ret_packed, size_t *ret_packed_bytes)
{
    struct mls_product_packed *packed = MLS_NEW(arena, struct mls_product_packed);
    if (!packed)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its weights");
    *packed = (struct mls_product_packed){.side = MLS_GEMM_B, .dtype = MLS_FP16, .exact = env->exact};
    enum mls_status status = MLS_OK;
    if (few)
        status = pack_panels(call, env, arena, coded, transposed, packed, ret_packed_bytes);
    else if (env->weights == MLS_WEIGHTS_COMPRESSED)
        packed->strips = coded;
    packed->transposed = transposed;
    if (!status && (packed->panels || packed->strips))
        *ret_packed = packed;
    return status;
}

enum mls_status mls_product_pack_expanded(const struct mls_op_call *call, struct mls_op_env *env,
                                          struct mls_arena *arena, const struct mls_tensor *weight,
                                          mls_product_pack_dense *pack, const void **ret_packed,
                                          size_t *ret_packed_bytes)
{
    if (weight->data)
        return pack(call, env, arena, weight, ret_packed, ret_packed_bytes);
    const struct mls_coded *coded = weight->coded;
    struct mls_tensor expanded = {.type = weight->type};
    size_t bytes = mls_type_bytes(&weight->type);
    uint16_t *halves = bytes != SIZE_MAX ? malloc(bytes) : NULL;
    if (!halves)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    mls_coded_expand(env->kernels, env->pool, coded, &(struct mls_coded_part){0, coded->n, 0, coded->k}, halves);
    expanded.data = halves;
    enum mls_status status = pack(call, env, arena, &expanded, ret_packed, ret_packed_bytes);
    free(halves);
    return status;
}

static struct mls_gemm strip_of(const struct mls_gemm *gemm, size_t first)
{
    struct mls_gemm strip = *gemm;
    strip.n = gemm->n - first < STRIP_ROWS ? gemm->n - first : STRIP_ROWS;
    strip.b.form = MLS_GEMM_STRIDED;
    strip.b.dtype = MLS_FP16;
    strip.c = (uint8_t *)gemm->c + first * (gemm->c_dtype == MLS_FP16 ? 2 : 4);
    strip.col_bias = gemm->col_bias ? gemm->col_bias + first : NULL;
    return strip;
}

static size_t strip_bytes(const struct mls_gemm *gemm)
{
    return (STRIP_ROWS * gemm->k * sizeof(uint16_t) + 63) / 64 * 64;
}

size_t mls_product_strips_bytes(const struct mls_op_env *env, const struct mls_gemm *gemm)
{
    struct mls_gemm strip = strip_of(gemm, 0);
    return strip_bytes(gemm) + mls_gemm_scratch_bytes(env->kernels, &strip, mls_pool_threads(env->pool));
}

/* Elements of a strip of the output are elements of the whole one further on. */
struct moved {
    const struct mls_epilogue *inner;
    size_t by_elems;
};

static void apply_moved(const void *context, void *values, size_t first_elem, size_t n)
{
    const struct moved *moved = context;
    moved->inner->apply(moved->inner->context, values, first_elem + moved->by_elems, n);
}

enum mls_status mls_product_strips_run(struct mls_op_call *call, struct mls_op_env *env,
                                       const struct mls_product_packed *packed, const struct mls_gemm *gemm,
                                       void *scratch)
{
    enum mls_status status = MLS_OK;
    for (size_t first = 0; !status && first < gemm->n; first += STRIP_ROWS) {
        struct mls_gemm strip = strip_of(gemm, first);
        struct mls_coded_part rows = {first, strip.n, 0, gemm->k}, columns = {0, gemm->k, first, strip.n};
        mls_coded_expand(env->kernels, env->pool, packed->strips, packed->transposed ? &columns : &rows, scratch);
        strip.b.data = scratch;
        strip.b.row_stride = packed->transposed ? strip.n : 1;
        strip.b.col_stride = packed->transposed ? 1 : gemm->k;
        struct moved moved = {gemm->epilogue, first};
        struct mls_epilogue epilogue = {apply_moved, &moved};
        strip.epilogue = gemm->epilogue ? &epilogue : NULL;
        status = mls_product_run(call, env, &strip, (uint8_t *)scratch + strip_bytes(gemm));
    }
    return status;
}
