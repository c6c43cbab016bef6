/* matmul.c: products of matrices: matmul, einsum. */
#include <string.h>

#include "ops/fused.h"
#include "ops/coded.h"
#include "ops/product_coded.h"

/* ---- matmul ---- */

enum { M_X, M_Y, M_TRANSPOSE_X, M_TRANSPOSE_Y };

/* A side of a matmul, a vector promoted to a matrix. */
struct side {
    int64_t rows, cols; /* of the matrix, transposed if asked for */
    bool transposed;
    unsigned n_batch_dims;
    const int64_t *batch_dims;
};

static struct side side_of(const struct mls_op_call *call, unsigned param)
{
    const struct mls_type *type = &mls_op_in(call, param)->type;
    struct side side = {.batch_dims = type->dims};
    if (type->rank == 1) {
        side.rows = param == M_X ? 1 : type->dims[0];
        side.cols = param == M_X ? type->dims[0] : 1;
        return side;
    }
    side.n_batch_dims = type->rank - 2u;
    side.transposed = mls_op_bool(call, param == M_X ? M_TRANSPOSE_X : M_TRANSPOSE_Y, false);
    side.rows = type->dims[type->rank - 2 + side.transposed];
    side.cols = type->dims[type->rank - 1 - side.transposed];
    return side;
}

/* The type of the result: x and y may differ when one is a constant, and then the program says which it is.
 * Only a constant is converted from integers to floats or back. */
static enum mls_status result_dtype(const struct mls_op_call *call, enum mls_dtype *ret,
                                    struct mls_error *reterr)
{
    const struct mls_tensor *x = mls_op_in(call, M_X), *y = mls_op_in(call, M_Y);
    bool as_y = x->type.dtype != y->type.dtype && mls_op_out(call, 0)->type.dtype == y->type.dtype;
    if (mls_product_is_float(&x->type) != mls_product_is_float(&y->type) && !(as_y ? x : y)->data)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "a product of %s and %s is not supported",
                           mls_dtype_name(x->type.dtype), mls_dtype_name(y->type.dtype));
    *ret = as_y ? y->type.dtype : x->type.dtype;
    return MLS_OK;
}

static enum mls_status infer_matmul(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, M_X)->type, *y = &mls_op_in(call, M_Y)->type;
    struct mls_type type = {.kind = MLS_KIND_TENSOR, .rank = MLS_RANK_UNKNOWN};
    enum mls_status status = result_dtype(call, &type.dtype, reterr);
    if (status != MLS_OK)
        return status;
    if (!x->rank || !y->rank)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%s is a scalar", x->rank ? "y" : "x");
    if (x->rank == 1 && mls_op_bool(call, M_TRANSPOSE_X, false))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "transpose_x is true, but x has one dimension only");
    if (x->rank != MLS_RANK_UNKNOWN && y->rank != MLS_RANK_UNKNOWN) {
        struct side a = side_of(call, M_X), b = side_of(call, M_Y);
        struct mls_type a_batch = mls_type_tensor(x->dtype, a.n_batch_dims, x->dims);
        struct mls_type b_batch = mls_type_tensor(y->dtype, b.n_batch_dims, y->dims);
        struct mls_type batch = a_batch;
        if (mls_product_differ(a.cols, b.rows) || !mls_op_broadcast(&a_batch, &b_batch, &batch)) {
            char left[96], right[96];
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%s and %s%s%s cannot be multiplied",
                               mls_type_format(x, left, sizeof left), mls_type_format(y, right, sizeof right),
                               a.transposed ? ", x transposed" : "", b.transposed ? ", y transposed" : "");
        }
        type.rank = batch.rank;
        memcpy(type.dims, batch.dims, sizeof type.dims);
        if (x->rank > 1)
            type.dims[type.rank++] = a.rows;
        if (y->rank > 1)
            type.dims[type.rank++] = b.cols;
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* Distances between matrices of one side along the batch dimensions of the result. */
static void set_batch_strides(const struct side *side, unsigned n_batch_dims, size_t matrix_elems,
                              size_t ret[MLS_GEMM_BATCH_DIMS])
{
    size_t stride = matrix_elems;
    for (unsigned i = 0; i < side->n_batch_dims; i++) {
        int64_t dim = side->batch_dims[side->n_batch_dims - 1 - i];
        ret[n_batch_dims - 1 - i] = dim == 1 ? 0 : stride;
        stride *= (size_t)dim;
    }
}

static size_t n_matrices(const struct side *side)
{
    size_t n = 1;
    for (unsigned i = 0; i < side->n_batch_dims; i++)
        n *= (size_t)side->batch_dims[i];
    return n;
}

static struct mls_gemm_operand side_operand(const struct mls_tensor *tensor, const struct side *side)
{
    return side->transposed ? mls_product_operand(tensor, 1, (size_t)side->rows)
                            : mls_product_operand(tensor, (size_t)side->cols, 1);
}

static struct mls_gemm matmul_gemm(const struct mls_op_call *call)
{
    struct side a = side_of(call, M_X), b = side_of(call, M_Y);
    const struct mls_tensor *z = mls_op_out(call, 0);
    const struct mls_product_packed *packed = call->packed;
    struct mls_gemm gemm = {.m = (size_t)a.rows,
                            .n = (size_t)b.cols,
                            .k = (size_t)a.cols,
                            .a = side_operand(mls_op_in(call, M_X), &a),
                            .b = side_operand(mls_op_in(call, M_Y), &b),
                            .c = z->data,
                            .c_dtype = z->type.dtype,
                            .c_stride = (size_t)b.cols,
                            .epilogue = call->fused};
    size_t a_elems = gemm.m * gemm.k, b_elems = gemm.k * gemm.n;
    if (packed && !packed->panels && !packed->strips) {
        mls_product_use(packed, packed->side == MLS_GEMM_A ? &gemm.a : &gemm.b);
        *(packed->side == MLS_GEMM_A ? &a_elems : &b_elems) = packed->matrix_elems;
    }
    if (n_matrices(&b) == 1 && !a.transposed && gemm.a.form == MLS_GEMM_STRIDED) {
        gemm.m *= n_matrices(&a); /* matrices of x that lie one below the other are one */
        return gemm;
    }
    gemm.n_batch_dims = a.n_batch_dims > b.n_batch_dims ? a.n_batch_dims : b.n_batch_dims;
    size_t c_stride = gemm.m * gemm.n;
    for (unsigned i = gemm.n_batch_dims; i-- > 0;) {
        gemm.batch_dims[i] = (size_t)z->type.dims[i];
        gemm.c_batch_strides[i] = c_stride;
        c_stride *= gemm.batch_dims[i];
    }
    set_batch_strides(&a, gemm.n_batch_dims, a_elems, gemm.a.batch_strides);
    set_batch_strides(&b, gemm.n_batch_dims, b_elems, gemm.b.batch_strides);
    return gemm;
}

/* Rows of x, one below the other, by a constant matrix of fp16. */
static bool is_rows_by_matrix(const struct mls_op_call *call)
{
    struct side a = side_of(call, M_X);
    const struct mls_type *x = &mls_op_in(call, M_X)->type, *y = &mls_op_in(call, M_Y)->type;
    return y->rank == 2 && y->dtype == MLS_FP16 && mls_product_is_float(x) && mls_type_is_static(x) &&
           (!a.transposed || a.rows == 1);
}

static uint32_t pack_kind_matmul(const struct mls_op_call *call)
{
    if (!is_rows_by_matrix(call))
        return 0;
    int64_t k = side_of(call, M_X).cols;
    return k > 0 && mls_type_elems(&mls_op_in(call, M_X)->type) <= MLS_PRODUCT_FEW_ROWS * k;
}

static struct mls_matvec matmul_matvec(const struct mls_op_call *call, const struct mls_gemm *gemm,
                                       const struct mls_product_packed *packed)
{
    return (struct mls_matvec){.m = (size_t)mls_type_elems(&mls_op_in(call, M_X)->type) / gemm->k,
                               .x = gemm->a.data,
                               .x_dtype = mls_op_in(call, M_X)->type.dtype,
                               .exact = packed->exact,
                               .weights = packed->panels,
                               .y = gemm->c,
                               .y_dtype = gemm->c_dtype,
                               .epilogue = gemm->epilogue};
}

static size_t scratch_matmul(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct mls_gemm gemm = matmul_gemm(call);
    const struct mls_product_packed *packed = call->packed;
    if (gemm.c_dtype == MLS_INT32)
        return 0;
    if (packed && packed->panels) {
        struct mls_matvec matvec = matmul_matvec(call, &gemm, packed);
        return mls_matvec_scratch_bytes(&matvec);
    }
    if (packed && packed->strips)
        return mls_product_strips_bytes(env, packed, &gemm);
    return mls_gemm_scratch_bytes(env->kernels, &gemm, mls_pool_threads(env->pool));
}

/* Panels of one side, a constant. */
static enum mls_status pack_side(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                 unsigned param, const struct mls_tensor *tensor, const void **ret_packed,
                                 size_t *ret_packed_bytes)
{
    struct side side = side_of(call, param);
    bool left = param == M_X;
    return mls_product_pack(call, env, arena, left ? MLS_GEMM_A : MLS_GEMM_B, tensor,
                            side_operand(tensor, &side), n_matrices(&side),
                            (size_t)(left ? side.rows : side.cols), (size_t)(left ? side.cols : side.rows),
                            !side_of(call, M_X).transposed, ret_packed, ret_packed_bytes);
}

static enum mls_status pack_right(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                  const struct mls_tensor *tensor, const void **ret_packed,
                                  size_t *ret_packed_bytes)
{
    return pack_side(call, env, arena, M_Y, tensor, ret_packed, ret_packed_bytes);
}

/* A right side that stays as it is stored. */
static enum mls_status pack_stored(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                   const void **ret_packed, size_t *ret_packed_bytes)
{
    const struct mls_tensor *y = mls_op_in(call, M_Y);
    struct mls_coded values;
    const struct mls_product_packed *packed = NULL;
    bool few = pack_kind_matmul(call) && mls_product_is_float(&mls_op_out(call, 0)->type);
    const struct mls_coded *coded = y->coded;
    if (!coded && few && mls_code_values(&y->type, y, &values))
        coded = &values;
    if (!coded || y->type.rank != 2)
        return MLS_OK;
    enum mls_status status = mls_product_pack_coded(call, env, arena, coded, MLS_GEMM_B,
                                                    !side_of(call, M_Y).transposed, few, &packed, ret_packed_bytes);
    *ret_packed = packed;
    return status;
}

/* The side that must be converted, or else the right side, when it is a constant, or else the left one. */
static enum mls_status pack_matmul(const struct mls_op_call *call, struct mls_op_env *env,
                                   struct mls_arena *arena, const void **ret_packed, size_t *ret_packed_bytes)
{
    bool floats = mls_product_is_float(&mls_op_out(call, 0)->type);
    const struct mls_tensor *y = mls_op_in(call, M_Y);
    unsigned param = y->data || y->coded ? M_Y : M_X;
    enum mls_status status = pack_stored(call, env, arena, ret_packed, ret_packed_bytes);
    if (status || *ret_packed)
        return status;
    if (y->coded)
        return mls_product_pack_expanded(call, env, arena, y, pack_right, ret_packed, ret_packed_bytes);
    if (mls_product_is_float(&mls_op_in(call, M_X)->type) != floats)
        param = M_X;
    const struct mls_tensor *tensor = mls_op_in(call, param);
    return tensor->data ? pack_side(call, env, arena, param, tensor, ret_packed, ret_packed_bytes) : MLS_OK;
}

static void matmul_int32(const struct mls_gemm *gemm)
{
    size_t n = 1;
    for (unsigned i = 0; i < gemm->n_batch_dims; i++)
        n *= gemm->batch_dims[i];
    for (size_t batch = 0; batch < n; batch++) {
        size_t a_at = 0, b_at = 0, left = batch;
        for (unsigned i = gemm->n_batch_dims; i-- > 0; left /= gemm->batch_dims[i]) {
            a_at += left % gemm->batch_dims[i] * gemm->a.batch_strides[i];
            b_at += left % gemm->batch_dims[i] * gemm->b.batch_strides[i];
        }
        mls_gemm_int32(gemm, a_at, b_at, (int32_t *)gemm->c + batch * gemm->m * gemm->n, NULL);
    }
}

static enum mls_status run_matmul(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_gemm gemm = matmul_gemm(call);
    const struct mls_tensor *x = mls_op_in(call, M_X), *y = mls_op_in(call, M_Y);
    if (!mls_type_elems(&mls_op_out(call, 0)->type))
        return MLS_OK;
    if (mls_product_is_float(&x->type) != mls_product_is_float(&y->type) && !call->packed)
        return mls_op_fail(call, env->error, MLS_ERR_INTERNAL, "its constant was not converted");
    if (gemm.c_dtype == MLS_INT32) {
        matmul_int32(&gemm);
        call->kernel = "gemm_int32__generic";
        return MLS_OK;
    }
    const struct mls_product_packed *packed = call->packed;
    if (packed && packed->panels) {
        struct mls_matvec matvec = matmul_matvec(call, &gemm, packed);
        mls_matvec_run(env->kernels, env->pool, &matvec, call->scratch, &call->kernel);
        return MLS_OK;
    }
    if (packed && packed->strips)
        return mls_product_strips_run(call, env, packed, &gemm, call->scratch);
    struct mls_fused_left left;
    mls_fused_into_product(env->kernels, &gemm, &left);
    return mls_product_run(call, env, &gemm, call->scratch);
}

static uint64_t flops_matmul(const struct mls_op_call *call)
{
    return mls_flops_elementwise(call) * 2 * (uint64_t)side_of(call, M_X).cols;
}

/* ---- einsum: "nchw,nwhu->nchu", "chw,whr->chr" ---- */

enum { E_VALUES, E_EQUATION };

/* Whether the equation is `pattern` with other letters. */
static bool equation_is(const struct mls_op_call *call, const char *pattern)
{
    const struct mls_tensor *equation = mls_op_in(call, E_EQUATION);
    const struct mls_text *text = equation->data;
    size_t length = strlen(pattern);
    if (mls_type_elems(&equation->type) != 1 || text->length_bytes != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool letter = pattern[i] >= 'a' && pattern[i] <= 'z';
        if (!letter && text->bytes[i] != pattern[i])
            return false;
        for (size_t j = 0; letter && j < length; j++)
            if ((pattern[j] == pattern[i]) != (text->bytes[j] == text->bytes[i]))
                return false;
    }
    return true;
}

/* One of two dimensions that are equal or of which one is 1; false when they do not fit. */
static bool broadcast_dim(int64_t a, int64_t b, int64_t *ret)
{
    *ret = a == 1 || (a == MLS_DIM_UNKNOWN && b > 1) ? b : a;
    return a == 1 || b == 1 || !mls_product_differ(a, b);
}

static enum mls_status infer_einsum(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_arg *values = &call->args[E_VALUES];
    if (values->n != 2)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "it takes 2 values, not %u", values->n);
    const struct mls_type *x = &values->values[0]->type, *y = &values->values[1]->type;
    struct mls_type type = *x;
    bool four = equation_is(call, "nchw,nwhu->nchu");
    if (!four && !equation_is(call, "chw,whr->chr"))
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                           "MIL knows the equations nchw,nwhu->nchu and chw,whr->chr only");
    if (x->dtype != y->dtype)
        return mls_op_fail(call, reterr, MLS_ERR_OP_TYPE, "the values have the types %s and %s",
                           mls_dtype_name(x->dtype), mls_dtype_name(y->dtype));
    unsigned rank = four ? 4 : 3;
    if ((x->rank != rank && x->rank != MLS_RANK_UNKNOWN) || (y->rank != rank && y->rank != MLS_RANK_UNKNOWN))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the values must have rank %u", rank);
    type.rank = MLS_RANK_UNKNOWN;
    if (x->rank == rank && y->rank == rank) {
        type.rank = (uint8_t)rank;
        type.dims[rank - 1] = y->dims[rank - 1];
        if (mls_product_differ(x->dims[rank - 1], y->dims[rank - 3]) ||
            !broadcast_dim(x->dims[rank - 2], y->dims[rank - 2], &type.dims[rank - 2]) ||
            (four && !broadcast_dim(x->dims[0], y->dims[0], &type.dims[0]))) {
            char left[96], right[96];
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%s and %s do not fit the equation",
                               mls_type_format(x, left, sizeof left),
                               mls_type_format(y, right, sizeof right));
        }
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static struct mls_gemm einsum_gemm(const struct mls_op_call *call)
{
    const struct mls_tensor *x = call->args[E_VALUES].values[0], *y = call->args[E_VALUES].values[1];
    const struct mls_tensor *z = mls_op_out(call, 0);
    unsigned rank = z->type.rank;
    const int64_t *x_dims = x->type.dims + rank - 3, *y_dims = y->type.dims + rank - 3;
    const int64_t *z_dims = z->type.dims + rank - 3;
    size_t x_row = (size_t)(x_dims[1] * x_dims[2]), y_row = (size_t)(y_dims[1] * y_dims[2]);
    size_t z_row = (size_t)(z_dims[1] * z_dims[2]);
    bool four = rank == 4;
    struct mls_gemm gemm = {.m = (size_t)x_dims[0],
                            .n = (size_t)y_dims[2],
                            .k = (size_t)x_dims[2],
                            .a = mls_product_operand(x, x_row, 1),
                            .b = mls_product_operand(y, y_row, 1),
                            .n_batch_dims = 2,
                            .batch_dims = {four ? (size_t)z->type.dims[0] : 1, (size_t)z_dims[1]},
                            .c = z->data,
                            .c_dtype = z->type.dtype,
                            .c_stride = z_row,
                            .c_batch_strides = {(size_t)x_dims[0] * z_row, (size_t)z_dims[2]},
                            .epilogue = call->fused};
    gemm.a.batch_strides[0] = four && x->type.dims[0] > 1 ? (size_t)x_dims[0] * x_row : 0;
    gemm.b.batch_strides[0] = four && y->type.dims[0] > 1 ? (size_t)y_dims[0] * y_row : 0;
    gemm.a.batch_strides[1] = x_dims[1] > 1 ? gemm.k : 0;
    gemm.b.batch_strides[1] = y_dims[1] > 1 ? gemm.n : 0;
    return gemm;
}

static size_t scratch_einsum(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct mls_gemm gemm = einsum_gemm(call);
    return mls_gemm_scratch_bytes(env->kernels, &gemm, mls_pool_threads(env->pool));
}

static enum mls_status run_einsum(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_gemm gemm = einsum_gemm(call);
    if (!mls_type_elems(&mls_op_out(call, 0)->type))
        return MLS_OK;
    struct mls_fused_left left;
    mls_fused_into_product(env->kernels, &gemm, &left);
    return mls_product_run(call, env, &gemm, call->scratch);
}

static uint64_t flops_einsum(const struct mls_op_call *call)
{
    const struct mls_type *x = &mls_op_in(call, E_VALUES)->type;
    return mls_flops_elementwise(call) * 2 * (uint64_t)x->dims[x->rank - 1];
}

#define MATMUL_ROW(opset, y_domain)                                                                         \
    {                                                                                                       \
        .name = "matmul", .since = opset, .flags = MLS_OP_EPILOGUE,                                         \
        .params = {[M_X] = {"x", MLS_T_PRODUCT, 0, 'T'},                                                    \
                   [M_Y] = {"y", MLS_T_PRODUCT, MLS_PARAM_CODED, y_domain},                                               \
                   [M_TRANSPOSE_X] = {"transpose_x", MLS_T_BOOL, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},  \
                   [M_TRANSPOSE_Y] = {"transpose_y", MLS_T_BOOL, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}}, \
        .infer = infer_matmul, .flops = flops_matmul, .scratch_bytes = scratch_matmul, .pack = pack_matmul, \
        .pack_kind = pack_kind_matmul, .run = run_matmul                                                    \
    }

static const struct mls_op_row rows[] = {
    MATMUL_ROW(5, 'T'),
    MATMUL_ROW(7, 'U'),
    {.name = "einsum",
     .since = 5,
     .flags = MLS_OP_EPILOGUE,
     .params = {[E_VALUES] = {"values", MLS_T_FLOAT, MLS_PARAM_VARIADIC, 0},
                [E_EQUATION] = {"equation", MLS_T_TEXT, MLS_PARAM_CONST, 0}},
     .infer = infer_einsum,
     .flops = flops_einsum,
     .scratch_bytes = scratch_einsum,
     .run = run_einsum},
};

MLS_OP_FAMILY_DEFINE(matmul, rows);
