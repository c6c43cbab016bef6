#include "ops/product_coded.h"

#include "base/checked.h"

enum { STRIP_ROWS = 256 };

/* The values of compressed weights for a while, in memory as secret as the arena's: freed with *ret_working, also when it is
 * NULL, out of memory. */
static uint16_t *expand(const struct mls_op_env *env, const struct mls_arena *arena, const struct mls_coded *coded,
                        struct mls_arena **ret_working)
{
    size_t elems, bytes;
    *ret_working = mls_arena_create_beside(arena);
    if (!*ret_working || !mls_mul_size(coded->n, coded->k, &elems) || !mls_mul_size(elems, sizeof(uint16_t), &bytes))
        return NULL;
    uint16_t *halves = mls_arena_alloc(*ret_working, bytes, 64);
    if (halves)
        mls_coded_expand(env->kernels, env->pool, coded, &(struct mls_coded_part){0, coded->n, 0, coded->k}, halves);
    return halves;
}

static enum mls_status pack_panels(const struct mls_op_call *call, struct mls_op_env *env,
                                   struct mls_arena *arena, const struct mls_coded *coded, bool transposed,
                                   struct mls_product_packed *packed, size_t *ret_packed_bytes);

/* Panels of the values, where those of the codes would take longer. */
static enum mls_status pack_decoded(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                    const struct mls_coded *coded, bool transposed, struct mls_product_packed *packed,
                                    size_t *ret_packed_bytes)
{
    struct mls_coded values = {.n = coded->n,
                               .k = coded->k,
                               .kind = MLS_CODE_VALUES,
                               .bits = 16,
                               .code_rows = coded->n,
                               .code_cols = coded->k,
                               .n_tables = 1,
                               .n_vector = 1};
    struct mls_arena *working;
    const uint16_t *halves = expand(env, arena, coded, &working);
    values.codes_bytes = coded->n * coded->k * sizeof *halves;
    values.codes = halves;
    enum mls_status status = halves ? pack_panels(call, env, arena, &values, transposed, packed, ret_packed_bytes)
                                    : mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    mls_arena_free(working);
    return status;
}

static enum mls_status pack_panels(const struct mls_op_call *call, struct mls_op_env *env,
                                   struct mls_arena *arena, const struct mls_coded *coded, bool transposed,
                                   struct mls_product_packed *packed, size_t *ret_packed_bytes)
{
    struct mls_panels *panels = MLS_NEW(arena, struct mls_panels);
    if (!panels)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its weights");
    if (!mls_panels_plan(coded, transposed, panels))
        return MLS_OK;
    if (env->weights == MLS_WEIGHTS_AUTO && !mls_matvec_pays(env->kernels, panels))
        return pack_decoded(call, env, arena, coded, transposed, packed, ret_packed_bytes);
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
                                       struct mls_arena *arena, const struct mls_coded *coded,
                                       enum mls_gemm_side side, bool transposed, bool few,
                                       const struct mls_product_packed **ret_packed, size_t *ret_packed_bytes)
{
    struct mls_product_packed *packed = MLS_NEW(arena, struct mls_product_packed);
    if (!packed)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its weights");
    *packed = (struct mls_product_packed){
        .side = side, .dtype = MLS_FP16, .transposed = transposed, .exact = env->exact};
    enum mls_status status = MLS_OK;
    if (few)
        status = pack_panels(call, env, arena, coded, transposed, packed, ret_packed_bytes);
    else if (env->weights == MLS_WEIGHTS_COMPRESSED && !(transposed && side == MLS_GEMM_A))
        packed->strips = coded;
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
    struct mls_arena *working;
    struct mls_tensor expanded = {.type = weight->type};
    expanded.data = expand(env, arena, weight->coded, &working);
    enum mls_status status = expanded.data
                                 ? pack(call, env, arena, &expanded, ret_packed, ret_packed_bytes)
                                 : mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    mls_arena_free(working);
    return status;
}

/* Rows (A) or columns (B) of the result from `first` on. */
static struct mls_gemm strip_of(const struct mls_product_packed *packed, const struct mls_gemm *gemm, size_t first,
                                size_t *ret_moved)
{
    struct mls_gemm strip = *gemm;
    bool left = packed->side == MLS_GEMM_A;
    size_t *extent = left ? &strip.m : &strip.n;
    struct mls_gemm_operand *weights = left ? &strip.a : &strip.b;
    *extent = *extent - first < STRIP_ROWS ? *extent - first : STRIP_ROWS;
    *weights = (struct mls_gemm_operand){.form = MLS_GEMM_STRIDED, .dtype = MLS_FP16};
    weights->row_stride = left ? gemm->k : packed->transposed ? strip.n : 1;
    weights->col_stride = left || packed->transposed ? 1 : gemm->k;
    *ret_moved = left ? first * gemm->c_stride : first;
    strip.c = (uint8_t *)gemm->c + *ret_moved * (gemm->c_dtype == MLS_FP16 ? 2 : 4);
    if (gemm->col_bias && !left)
        strip.col_bias = gemm->col_bias + first;
    if (gemm->row_bias && left)
        strip.row_bias = gemm->row_bias + first;
    return strip;
}

static size_t strip_bytes(const struct mls_gemm *gemm)
{
    return (STRIP_ROWS * gemm->k * sizeof(uint16_t) + 63) / 64 * 64;
}

size_t mls_product_strips_bytes(const struct mls_op_env *env, const struct mls_product_packed *packed,
                                const struct mls_gemm *gemm)
{
    size_t moved;
    struct mls_gemm strip = strip_of(packed, gemm, 0, &moved);
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
    bool left = packed->side == MLS_GEMM_A;
    size_t extent = left ? gemm->m : gemm->n;
    for (size_t first = 0; !status && first < extent; first += STRIP_ROWS) {
        struct moved moved = {.inner = gemm->epilogue};
        struct mls_gemm strip = strip_of(packed, gemm, first, &moved.by_elems);
        size_t n = left ? strip.m : strip.n;
        struct mls_coded_part rows = {first, n, 0, gemm->k}, columns = {0, gemm->k, first, n};
        mls_coded_expand(env->kernels, env->pool, packed->strips, packed->transposed ? &columns : &rows, scratch);
        (left ? &strip.a : &strip.b)->data = scratch;
        struct mls_epilogue epilogue = {apply_moved, &moved};
        strip.epilogue = gemm->epilogue ? &epilogue : NULL;
        status = mls_product_run(call, env, &strip, (uint8_t *)scratch + strip_bytes(gemm));
    }
    return status;
}
