/*
 * product_coded.h: products with constant weights that stay compressed: by panels where there are few rows
 * (kernels/matvec), and otherwise a strip of the weights at a time, decompressed into scratch memory.
 */
#pragma once

#include "kernels/matvec/matvec.h"
#include "ops/product.h"

/* Products of so few rows take as long as reading the weights. */
enum { MLS_PRODUCT_FEW_ROWS = MLS_MATVEC_ROWS };

/*
 * mls_product_pack_coded: panels of weights [n][k] (transposed: [k][n]) when there are `few` rows, or, when weights are
 * to stay compressed, strips; a transposed A has none. *ret_packed stays NULL where neither fits: then they have to be
 * decompressed.
 */
enum mls_status mls_product_pack_coded(const struct mls_op_call *call, struct mls_op_env *env,
                                       struct mls_arena *arena, const struct mls_coded *coded,
                                       enum mls_gemm_side side, bool transposed, bool few,
                                       const struct mls_product_packed **ret_packed, size_t *ret_packed_bytes);

/*
 * mls_product_pack_expanded: calls `pack` with a constant that is decompressed for as long as that takes, if it is
 * compressed at all.
 */
typedef enum mls_status mls_product_pack_dense(const struct mls_op_call *call, struct mls_op_env *env,
                                               struct mls_arena *arena, const struct mls_tensor *weight,
                                               const void **ret_packed, size_t *ret_packed_bytes);
enum mls_status mls_product_pack_expanded(const struct mls_op_call *call, struct mls_op_env *env,
                                          struct mls_arena *arena, const struct mls_tensor *weight,
                                          mls_product_pack_dense *pack, const void **ret_packed,
                                          size_t *ret_packed_bytes);

/*
 * mls_product_strips_bytes, _run: a product whose weights, the side of `gemm` that was packed (without data), are made
 * of `strips`.
 */
size_t mls_product_strips_bytes(const struct mls_op_env *env, const struct mls_product_packed *packed,
                                const struct mls_gemm *gemm);
enum mls_status mls_product_strips_run(struct mls_op_call *call, struct mls_op_env *env,
                                       const struct mls_product_packed *packed, const struct mls_gemm *gemm,
                                       void *scratch);
