#include "ops/coded.h"

#include <math.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/lut/lut.h"

/* Two dimensions or more: all but the first are the columns of a matrix. */
static bool is_matrix(const struct mls_type *type)
{
    bool ok = type->rank >= 2 && type->rank <= MLS_RANK_MAX;
    for (unsigned i = 0; ok && i < type->rank; i++)
        ok = type->dims[i] >= 1;
    return ok;
}

static size_t columns_of(const struct mls_type *type)
{
    return (size_t)(mls_type_elems(type) / type->dims[0]);
}

/* Whether blocks of columns are blocks of the second dimension. */
static bool are_blocks(const struct mls_type *type)
{
    return is_matrix(type) && columns_of(type) == (size_t)type->dims[1];
}

static struct mls_coded matrix_of(const struct mls_type *dense, enum mls_code_kind kind, unsigned bits,
                                  const void *codes)
{
    size_t n = (size_t)dense->dims[0], k = columns_of(dense);
    return (struct mls_coded){.n = n,
                              .k = k,
                              .kind = kind,
                              .bits = bits,
                              .codes = codes,
                              .codes_bytes = (n * k * bits + 7) / 8,
                              .code_rows = n,
                              .code_cols = k,
                              .n_tables = 1,
                              .n_vector = 1};
}

bool mls_code_values(const struct mls_type *dense, const struct mls_tensor *values, struct mls_coded *ret_coded)
{
    if (!is_matrix(dense) || values->type.dtype != MLS_FP16 || !values->data)
        return false;
    *ret_coded = matrix_of(dense, MLS_CODE_VALUES, 16, values->data);
    return true;
}

bool mls_code_integers(const struct mls_type *dense, const struct mls_tensor *data, struct mls_coded *ret_coded)
{
    enum mls_dtype dtype = data->type.dtype;
    bool is_signed = dtype == MLS_INT8 || dtype == MLS_INT4;
    if (!is_matrix(dense) || !data->data || !(is_signed || dtype == MLS_UINT8 || dtype == MLS_UINT4))
        return false;
    *ret_coded = matrix_of(dense, MLS_CODE_INTEGERS, mls_dtype_bits(dtype), data->data);
    ret_coded->is_signed = is_signed;
    return true;
}

/* Numbers as fp16; false when one is not finite, or not exactly such a number. */
static bool as_halves(const struct mls_tensor *numbers, size_t n, uint16_t *ret)
{
    bool one = mls_type_elems(&numbers->type) == 1, exact = true;
    for (size_t i = 0; i < n; i++) {
        float value = (float)mls_tensor_float(numbers, one ? 0 : (int64_t)i);
        ret[i] = mls_fp32_to_fp16(value);
        exact &= isfinite(value) && mls_fp16_to_fp32(ret[i]) == value;
    }
    return exact;
}

static bool all_zeros(const uint16_t *halves, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (halves[i] & 0x7fff)
            return false;
    return true;
}

bool mls_code_scale(const struct mls_type *blocks, const struct mls_tensor *scale, const struct mls_tensor *offset,
                    struct mls_arena *arena, struct mls_coded *coded)
{
    if (coded->scales || scale->type.dtype != MLS_FP16 || !are_blocks(blocks))
        return false;
    size_t rows = (size_t)blocks->dims[0], cols = (size_t)blocks->dims[1], n = rows * cols;
    if (coded->n % rows || coded->k % cols)
        return false;
    uint16_t *offsets = offset ? mls_arena_array(arena, n, sizeof *offsets, 64) : NULL;
    if (offset && (!offsets || !as_halves(offset, n, offsets)))
        return false;
    coded->scales = scale->data;
    coded->offsets = offset && !all_zeros(offsets, n) ? offsets : NULL;
    coded->scale_rows = rows;
    coded->scale_cols = cols;
    return true;
}

bool mls_code_indices(const struct mls_type *dense, const struct mls_code_indices *indices,
                      struct mls_coded *ret_coded)
{
    const struct mls_tensor *tables = indices->tables;
    bool across = indices->vector_axis == 1 && indices->n_vector > 1;
    enum mls_dtype dtype = tables->type.dtype;
    if (!is_matrix(dense) || (dtype != MLS_FP16 && dtype != MLS_INT8 && dtype != MLS_UINT8) ||
        (indices->table_rows > 1 && indices->table_cols > 1) || indices->vector_axis > 1 ||
        (across && columns_of(dense) != (size_t)dense->dims[1]) ||
        indices->n_vector > MLS_CODED_VECTOR_MAX)
        return false;
    struct mls_coded coded = matrix_of(dense, MLS_CODE_INDICES, indices->bits, indices->indices);
    coded.table_dtype = dtype;
    coded.tables = tables->data;
    coded.n_tables = (size_t)(indices->table_rows * indices->table_cols);
    coded.table_cols = indices->table_cols > 1;
    coded.n_vector = (size_t)indices->n_vector;
    coded.vector_rows = !across;
    *(across ? &coded.k : &coded.n) *= coded.n_vector;
    *ret_coded = coded;
    return true;
}

bool mls_code_mask(const uint8_t *mask, struct mls_arena *arena, struct mls_coded *coded)
{
    size_t *starts = mls_arena_array(arena, coded->code_rows, sizeof *starts, 64), n = 0;
    if (!starts)
        return false;
    for (size_t row = 0; row < coded->code_rows; row++) {
        starts[row] = n;
        n += mls_count_bits(mask, row * coded->code_cols, coded->code_cols);
    }
    coded->mask = mask;
    coded->row_starts = starts;
    coded->codes_bytes = (n * coded->bits + 7) / 8;
    return true;
}
