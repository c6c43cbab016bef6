/* constexpr_lut.c: palettized constants: packed indices into lookup tables of numbers or vectors. */
#include <string.h>

#include "base/checked.h"
#include "kernels/lut/lut.h"
#include "ops/coded.h"
#include "ops/copy.h"
#include "ops/op_family.h"
#include "ops/scaling.h"

enum { INDICES, LUT, SHAPE };                     /* of opset 6 */
enum { VECTOR_AXIS = 2 };                         /* of opset 8 */
enum { S_MASK, S_INDICES, S_LUT, S_VECTOR_AXIS }; /* of constexpr_lut_to_sparse */

enum { BATCH = 1024 }; /* indices that are unpacked at a time */

/* The tables and the indices into them. */
struct palette {
    struct mls_blocks blocks; /* of the indices, in their dense form */
    const uint8_t *packed;
    unsigned bits;
    const char *tables;
    size_t elem_bytes;
    size_t n_vector; /* elements that an index stands for */
    size_t table_bytes;
    size_t n_inner; /* elements of the indices' dimensions after the vector axis: distance of a vector's
                       elements */
    unsigned axis;
};

/* The bits of an index into n entries; 0 when n is no power of two up to 256. */
static unsigned index_bits(int64_t n)
{
    for (unsigned bits = 1; bits <= 8; bits++)
        if (n == (int64_t)1 << bits)
            return bits;
    return 0;
}

/* ---- Dense indices ---- */

/* One element; a copy of a size that the compiler does not know is a call. */
static inline void copy_element(char *to, const char *from, size_t elem_bytes)
{
    if (elem_bytes == 2)
        memcpy(to, from, 2);
    else if (elem_bytes == 4)
        memcpy(to, from, 4);
    else
        *to = *from;
}

/* Indices [first, first + n) of one batch, which are all of it that uses the same table. */
static void look_up(const struct palette *palette, const uint8_t *indices, size_t first, size_t n,
                    const char *table, char *out)
{
    size_t elem_bytes = palette->elem_bytes;
    if (palette->n_vector == 1) {
        mls_lookup(indices, n, table, elem_bytes, out + first * elem_bytes);
        return;
    }
    size_t inner = first % palette->n_inner;
    size_t at = (first - inner) * palette->n_vector + inner;
    for (size_t i = 0; i < n; i++) {
        const char *vector = table + indices[i] * palette->n_vector * elem_bytes;
        for (size_t v = 0; v < palette->n_vector; v++)
            copy_element(out + (at + v * palette->n_inner) * elem_bytes, vector + v * elem_bytes, elem_bytes);
        at++;
        if (++inner == palette->n_inner) {
            inner = 0;
            at += (palette->n_vector - 1) * palette->n_inner;
        }
    }
}

struct dense_job {
    const struct palette *palette;
    char *out;
    size_t n;
};

static void dense_task(void *context, size_t task, uint32_t thread)
{
    (void)thread;
    const struct dense_job *job = context;
    const struct palette *palette = job->palette;
    uint8_t indices[BATCH];
    size_t first = task * MLS_SCALING_TASK_ELEMS;
    size_t end = job->n - first < MLS_SCALING_TASK_ELEMS ? job->n : first + MLS_SCALING_TASK_ELEMS;
    while (first < end) {
        size_t n = end - first < BATCH ? end - first : BATCH;
        mls_unpack_bits(palette->packed, palette->bits, first, n, indices);
        for (size_t done = 0; done < n;) {
            struct mls_blocks_run run =
                mls_blocks_run(&palette->blocks, (int64_t)(first + done), (int64_t)(first + n));
            size_t n_same = run.step ? 1 : (size_t)run.n;
            look_up(palette, indices + done, first + done, n_same,
                    palette->tables + (size_t)run.entry * palette->table_bytes, job->out);
            done += n_same;
        }
        first += n;
    }
}

static void run_dense(const struct palette *palette, int64_t n, struct mls_tensor *out, struct mls_pool *pool)
{
    struct dense_job job = {.palette = palette, .out = out->data, .n = (size_t)n};
    mls_pool_for(pool, (job.n + MLS_SCALING_TASK_ELEMS - 1) / MLS_SCALING_TASK_ELEMS, dense_task, &job);
}

/* ---- Opset 6: one table, indices as bytes ---- */

static enum mls_status infer_flat(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *lut = &mls_op_in(call, LUT)->type;
    struct mls_type type = {.dtype = lut->dtype};
    unsigned bits = lut->rank == 1 ? index_bits(lut->dims[0]) : 0;
    if (!bits)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "lut must be a vector of 2, 4, 16, 64 or 256 entries");
    int n = mls_op_ints(call, SHAPE, type.dims, MLS_RANK_MAX);
    type.rank = (uint8_t)(n < 0 ? 0 : n);
    size_t n_bits;
    if (n < 0 || mls_type_elems(&type) < 1 || mls_type_bytes(&type) == SIZE_MAX ||
        !mls_mul_size((size_t)mls_type_elems(&type), bits, &n_bits))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "shape is not a supported shape");
    int64_t given = mls_type_elems(&mls_op_in(call, INDICES)->type);
    size_t needed = n_bits / 8 + (n_bits % 8 != 0);
    if ((size_t)given != needed)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "indices has %lld bytes; the shape and indices of %u bits need %zu",
                           (long long)given, bits, needed);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_flat(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *lut = mls_op_in(call, LUT);
    struct mls_tensor *out = mls_op_out(call, 0);
    int64_t n = mls_type_elems(&out->type);
    struct palette palette = {
        .blocks = {.rank = 1, .dims = {n}, .sizes = {n}, .strides = {1}, .n_entries = 1},
        .packed = mls_op_in(call, INDICES)->data,
        .bits = index_bits(lut->type.dims[0]),
        .tables = lut->data,
        .elem_bytes = mls_elem_bytes(lut),
        .n_vector = 1,
        .n_inner = 1};
    run_dense(&palette, n, out, env->pool);
    call->kernel = "lut_to_dense";
    return MLS_OK;
}

static bool code_flat(const struct mls_op_call *call, struct mls_arena *arena, struct mls_coded *ret_coded)
{
    (void)arena;
    const struct mls_tensor *lut = mls_op_in(call, LUT);
    struct mls_code_indices indices = {.indices = mls_op_in(call, INDICES)->data,
                                       .bits = index_bits(lut->type.dims[0]),
                                       .tables = lut,
                                       .table_rows = 1,
                                       .table_cols = 1,
                                       .n_vector = 1};
    return mls_code_indices(&mls_op_out(call, 0)->type, &indices, ret_coded);
}

/* ---- Opset 8: tables by blocks, and vectors ---- */

/* Checks what both operations share; `dense` is the type of the indices' dense form. */
static enum mls_status solve(const struct mls_op_call *call, const struct mls_type *dense, unsigned indices,
                             unsigned vector_axis, struct palette *ret_palette, struct mls_error *reterr)
{
    const struct mls_tensor *packed = mls_op_in(call, indices), *lut = mls_op_in(call, indices + 1);
    unsigned rank = dense->rank;
    struct palette palette = {.packed = packed->data,
                              .bits = mls_dtype_bits(packed->type.dtype),
                              .tables = lut->data,
                              .elem_bytes = mls_elem_bytes(lut)};
    char text[96];
    if (lut->type.rank > MLS_RANK_MAX || lut->type.rank != rank + 2 ||
        !mls_blocks_solve(dense, lut->type.dims, &palette.blocks))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "lut %s does not divide indices of rank %u",
                           mls_type_format(&lut->type, text, sizeof text), rank);
    int64_t n_entries = lut->type.dims[rank], n_vector = lut->type.dims[rank + 1];
    if (index_bits(n_entries) != palette.bits)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "lut has %lld entries for indices of type %s",
                           (long long)n_entries, mls_dtype_name(packed->type.dtype));
    if (n_vector < 1 || (n_vector > 1 && !mls_op_given(call, vector_axis)))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "vectors of %lld elements need vector_axis",
                           (long long)n_vector);
    int64_t axis = mls_op_int(call, vector_axis, -1);
    if (!mls_op_axis(axis, rank, &palette.axis))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "vector_axis %lld lies outside rank %u",
                           (long long)axis, rank);
    palette.n_vector = (size_t)n_vector;
    palette.n_inner = (size_t)mls_dims_product(dense, palette.axis + 1, rank);
    palette.table_bytes = (size_t)(n_entries * n_vector) * palette.elem_bytes;
    *ret_palette = palette;
    return MLS_OK;
}

/* The type of `dense` with a vector in place of every index; false when it is too large. */
static bool expand(const struct palette *palette, const struct mls_type *dense, enum mls_dtype dtype,
                   struct mls_type *ret_type)
{
    struct mls_type type = *dense;
    type.dtype = dtype;
    if (!mls_mul_i64(type.dims[palette->axis], (int64_t)palette->n_vector, &type.dims[palette->axis]) ||
        mls_type_bytes(&type) == SIZE_MAX)
        return false;
    *ret_type = type;
    return true;
}

static enum mls_status infer_blocks(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *indices = &mls_op_in(call, INDICES)->type;
    struct palette palette;
    struct mls_type type;
    enum mls_status status = solve(call, indices, INDICES, VECTOR_AXIS, &palette, reterr);
    if (status)
        return status;
    if (!expand(&palette, indices, mls_op_in(call, LUT)->type.dtype, &type))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the result is too large");
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_blocks(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_type *indices = &mls_op_in(call, INDICES)->type;
    struct palette palette;
    enum mls_status status = solve(call, indices, INDICES, VECTOR_AXIS, &palette, env->error);
    if (status)
        return status;
    run_dense(&palette, mls_type_elems(indices), mls_op_out(call, 0), env->pool);
    call->kernel = palette.n_vector > 1 ? "lut_to_dense_vector" : "lut_to_dense";
    return MLS_OK;
}

/* `dense` is the type of the indices' dense form. */
static bool code_tables(const struct mls_op_call *call, const struct mls_type *dense, unsigned indices,
                        unsigned vector_axis, struct mls_coded *ret_coded)
{
    const struct mls_tensor *packed = mls_op_in(call, indices), *lut = mls_op_in(call, indices + 1);
    unsigned rank = dense->rank, axis = 0;
    if (rank < 2 || !packed->data || !mls_op_axis(mls_op_int(call, vector_axis, 0), rank, &axis))
        return false;
    for (unsigned i = 2; i < rank; i++)
        if (lut->type.dims[i] != 1)
            return false;
    struct mls_code_indices codes = {.indices = packed->data,
                                     .bits = mls_dtype_bits(packed->type.dtype),
                                     .tables = lut,
                                     .table_rows = lut->type.dims[0],
                                     .table_cols = lut->type.dims[1],
                                     .n_vector = lut->type.dims[rank + 1],
                                     .vector_axis = axis};
    return mls_code_indices(dense, &codes, ret_coded);
}

static bool code_blocks(const struct mls_op_call *call, struct mls_arena *arena, struct mls_coded *ret_coded)
{
    (void)arena;
    return code_tables(call, &mls_op_in(call, INDICES)->type, INDICES, VECTOR_AXIS, ret_coded);
}

/* ---- Sparse indices ---- */

static enum mls_status infer_sparse(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_tensor *mask = mls_op_in(call, S_MASK), *indices = mls_op_in(call, S_INDICES);
    struct palette palette;
    struct mls_type type;
    enum mls_status status = solve(call, &mask->type, S_INDICES, S_VECTOR_AXIS, &palette, reterr);
    if (status)
        return status;
    size_t n_set = mls_count_bits(mask->data, 0, (size_t)mls_type_elems(&mask->type));
    if (indices->type.rank != 1 || (size_t)indices->type.dims[0] != n_set)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "indices_nonzero_data has not the %zu elements of the mask", n_set);
    if (call->n_outputs != 2)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has %u outputs, not 2",
                           call->n_outputs);
    if (!expand(&palette, &mask->type, MLS_UINT1, &type) || mls_type_elems(&type) > INT64_MAX / 8)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the result is too large");
    mls_op_out(call, 0)->type = type;
    mls_op_out(call, 1)->type = mls_type_tensor(mls_op_in(call, S_LUT)->type.dtype, 1,
                                                (int64_t[]){(int64_t)(n_set * palette.n_vector)});
    return MLS_OK;
}

/* Values of the set ones among dense indices [first, end), of which the first is value `at`: element `v` of
 * each vector. Returns the end of what it wrote. */
static char *sparse_row(const struct palette *palette, const uint8_t *mask, size_t first, size_t end,
                        size_t at, size_t v, char *out)
{
    size_t entry_bytes = palette->n_vector * palette->elem_bytes;
    uint8_t indices[BATCH];
    while (first < end) {
        struct mls_blocks_run run = mls_blocks_run(&palette->blocks, (int64_t)first,
                                                   (int64_t)(end - first < BATCH ? end : first + BATCH));
        size_t n = run.step ? 1 : (size_t)run.n, n_values = mls_count_bits(mask, first, n);
        const char *table = palette->tables + (size_t)run.entry * palette->table_bytes;
        mls_unpack_bits(palette->packed, palette->bits, at, n_values, indices);
        if (palette->n_vector == 1)
            mls_lookup(indices, n_values, table, entry_bytes, out);
        else
            for (size_t i = 0; i < n_values; i++)
                copy_element(out + i * palette->elem_bytes,
                             table + indices[i] * entry_bytes + v * palette->elem_bytes, palette->elem_bytes);
        out += n_values * palette->elem_bytes;
        at += n_values;
        first += n;
    }
    return out;
}

/* Bits [first, first + n) of the mask, repeated n_vector times, from bit first * n_vector of `ret` on. */
static void repeat_bits(const uint8_t *mask, size_t first, size_t n, size_t n_vector, uint8_t *ret)
{
    for (size_t v = 0; v < n_vector; v++)
        for (size_t i = 0; i < n; i++) {
            size_t to = first * n_vector + v * n + i, from = first + i;
            ret[to / 8] |= (uint8_t)(((mask[from / 8] >> (from % 8)) & 1u) << (to % 8));
        }
}

static enum mls_status run_sparse(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *mask = mls_op_in(call, S_MASK);
    struct mls_tensor *out_mask = mls_op_out(call, 0);
    struct palette palette;
    enum mls_status status = solve(call, &mask->type, S_INDICES, S_VECTOR_AXIS, &palette, env->error);
    if (status)
        return status;
    size_t n = (size_t)mls_type_elems(&mask->type), n_row = palette.n_vector > 1 ? palette.n_inner : n;
    char *out = mls_op_out(call, 1)->data;
    if (palette.n_vector == 1)
        mls_copy_bytes(out_mask->data, mask->data, mls_type_bytes(&mask->type), env);
    else
        memset(out_mask->data, 0, mls_type_bytes(&out_mask->type));
    for (size_t first = 0, at = 0; first < n; first += n_row) {
        for (size_t v = 0; v < palette.n_vector; v++)
            out = sparse_row(&palette, mask->data, first, first + n_row, at, v, out);
        at += mls_count_bits(mask->data, first, n_row);
        if (palette.n_vector > 1)
            repeat_bits(mask->data, first, n_row, palette.n_vector, out_mask->data);
    }
    call->kernel = "lut_to_sparse";
    return MLS_OK;
}

/* Both outputs together; the first, the mask, is that of the input: not repeated for vectors. */
static bool code_sparse(const struct mls_op_call *call, struct mls_arena *arena, struct mls_coded *ret_coded)
{
    const struct mls_tensor *mask = mls_op_in(call, S_MASK);
    return code_tables(call, &mask->type, S_INDICES, S_VECTOR_AXIS, ret_coded) && ret_coded->n_vector == 1 &&
           mls_code_mask(mask->data, arena, ret_coded);
}

#define T_LUT (MLS_T_FLOAT | MLS_T_BYTES)
#define T_INDEX                                                                       \
    (MLS_DTYPE_BIT(MLS_UINT1) | MLS_DTYPE_BIT(MLS_UINT2) | MLS_DTYPE_BIT(MLS_UINT3) | \
     MLS_DTYPE_BIT(MLS_UINT4) | MLS_DTYPE_BIT(MLS_UINT6) | MLS_DTYPE_BIT(MLS_UINT8))
#define AXIS_PARAM                                                        \
    {                                                                     \
        "vector_axis", MLS_T_I32, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0 \
    }

static const struct mls_op_row rows[] = {
    {.name = "constexpr_lut_to_dense",
     .since = 6,
     .flags = MLS_OP_CONSTEXPR,
     .params = {[INDICES] = {"indices", MLS_DTYPE_BIT(MLS_UINT8), MLS_PARAM_CONST, 0},
                [LUT] = {"lut", T_LUT, MLS_PARAM_CONST, 0},
                [SHAPE] = {"shape", MLS_DTYPE_BIT(MLS_UINT32), MLS_PARAM_CONST, 0}},
     .infer = infer_flat,
     .code = code_flat,
     .run = run_flat},
    {.name = "constexpr_lut_to_dense",
     .since = 8,
     .flags = MLS_OP_CONSTEXPR,
     .params = {[INDICES] = {"indices", T_INDEX, MLS_PARAM_CONST, 0},
                [LUT] = {"lut", T_LUT, MLS_PARAM_CONST, 0},
                [VECTOR_AXIS] = AXIS_PARAM},
     .infer = infer_blocks,
     .code = code_blocks,
     .run = run_blocks},
    {.name = "constexpr_lut_to_sparse",
     .since = 8,
     .flags = MLS_OP_CONSTEXPR | MLS_OP_OUTPUTS,
     .params = {[S_MASK] = {"indices_mask", MLS_DTYPE_BIT(MLS_UINT1), MLS_PARAM_CONST, 0},
                [S_INDICES] = {"indices_nonzero_data", T_INDEX, MLS_PARAM_CONST, 0},
                [S_LUT] = {"lut", T_LUT, MLS_PARAM_CONST, 0},
                [S_VECTOR_AXIS] = AXIS_PARAM},
     .infer = infer_sparse,
     .code = code_sparse,
     .run = run_sparse},
};

MLS_OP_FAMILY_DEFINE(constexpr_lut, rows);
