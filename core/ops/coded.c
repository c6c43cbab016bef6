#include "ops/coded.h"

#include <math.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/lut/lut.h"

/* Rows of as many terms as there are, in two dimensions; further ones are 1. */
static bool is_matrix(const struct mls_type *type)
{
    if (type->rank < 2 || type->rank > MLS_RANK_MAX || type->dims[0] < 1 || type->dims[1] < 1)
        return false;
    for (unsigned i = 2; i < type->rank; i++)
        if (type->dims[i] != 1)
            return false;
    return true;
}

static bool code_integers(const struct mls_tensor *data, struct mls_arena *arena, struct mls_coded *ret)
{
    bool is_signed = data->type.dtype == MLS_INT4;
    ret->codes = data->data;
    switch (data->type.dtype) {
    case MLS_INT8:
        ret->coding = MLS_CODING_INT8;
        return true;
    case MLS_UINT8:
        ret->coding = MLS_CODING_UINT8;
        return true;
    case MLS_INT4:
    case MLS_UINT4:
        break;
    default:
        return false;
    }
    float *table = mls_arena_array(arena, MLS_MATVEC_TABLE, sizeof *table, 64);
    if (!table)
        return false;
    for (int i = 0; i < MLS_MATVEC_TABLE; i++)
        table[i] = (float)(is_signed && i >= 8 ? i - 16 : i);
    ret->coding = MLS_CODING_TABLE4;
    ret->tables = table;
    ret->rows_per_table = ret->n;
    return true;
}

/* The element of a blocked parameter [r, c] that belongs to row and block of terms. */
static size_t entry_at(const struct mls_type *shape, size_t n, size_t row, size_t block)
{
    size_t rows = (size_t)shape->dims[0], cols = (size_t)shape->dims[1];
    return row / (n / rows) * cols + block;
}

bool mls_code_scaled(const struct mls_tensor *data, const struct mls_type *scale_shape,
                     const struct mls_tensor *scale, const struct mls_tensor *offset, struct mls_arena *arena,
                     struct mls_coded *ret_coded)
{
    if (!is_matrix(&data->type) || scale->type.dtype != MLS_FP16 || !is_matrix(scale_shape) || !data->data)
        return false;
    struct mls_coded coded = {.n = (size_t)data->type.dims[0], .k = (size_t)data->type.dims[1]};
    size_t rows = (size_t)scale_shape->dims[0], blocks = (size_t)scale_shape->dims[1];
    if (coded.n % rows || coded.k % blocks || !code_integers(data, arena, &coded))
        return false;
    coded.block = coded.k / blocks;
    coded.scales = scale->data;
    coded.bytes = mls_type_bytes(&data->type) + coded.n * blocks * sizeof(uint16_t);
    if (rows != coded.n) {
        uint16_t *scales = mls_arena_array(arena, coded.n * blocks, sizeof *scales, 64);
        for (size_t i = 0; scales && i < coded.n * blocks; i++)
            scales[i] =
                ((const uint16_t *)scale->data)[entry_at(scale_shape, coded.n, i / blocks, i % blocks)];
        coded.scales = scales;
    }
    if (offset) {
        float *shifts = mls_arena_array(arena, coded.n * blocks, sizeof *shifts, 64);
        for (size_t i = 0; shifts && i < coded.n * blocks; i++) {
            size_t at = mls_type_elems(&offset->type) == 1
                            ? 0
                            : entry_at(scale_shape, coded.n, i / blocks, i % blocks);
            shifts[i] = mls_fp16_to_fp32(coded.scales[i]) * (float)mls_tensor_float(offset, (int64_t)at);
        }
        coded.shifts = shifts;
        coded.bytes += coded.n * blocks * sizeof *shifts;
    }
    *ret_coded = coded;
    return coded.scales && (!offset || coded.shifts);
}

/* Codes of three bits, one in each half byte. */
static const void *spread_to_nibbles(const void *codes, size_t n, struct mls_arena *arena)
{
    enum { BATCH = 1024 };
    uint8_t *nibbles = mls_arena_array(arena, (n + 1) / 2, 1, 64), values[BATCH];
    for (size_t i = 0; nibbles && i < n; i += BATCH) {
        size_t part = n - i < BATCH ? n - i : BATCH;
        mls_unpack_bits(codes, 3, i, part, values);
        mls_pack_nibbles(values, part, nibbles + i / 2);
    }
    return nibbles;
}

bool mls_code_palette(const struct mls_type *dense, const void *codes, unsigned bits,
                      const struct mls_tensor *tables, int64_t n_tables, struct mls_arena *arena,
                      struct mls_coded *ret_coded)
{
    static const enum mls_coding codings[] = {
        [1] = MLS_CODING_TABLE1, [2] = MLS_CODING_TABLE2, [3] = MLS_CODING_TABLE4, [4] = MLS_CODING_TABLE4};
    if (!is_matrix(dense) || bits < 1 || bits > 4 || tables->type.dtype != MLS_FP16 ||
        dense->dims[0] % n_tables)
        return false;
    size_t n_entries = (size_t)1 << bits, n = (size_t)mls_type_elems(dense);
    struct mls_coded coded = {.coding = codings[bits],
                              .n = (size_t)dense->dims[0],
                              .k = (size_t)dense->dims[1],
                              .codes = bits == 3 ? spread_to_nibbles(codes, n, arena) : codes,
                              .rows_per_table = (size_t)(dense->dims[0] / n_tables),
                              .bytes = n * (bits == 3 ? 4 : bits) / 8};
    float *entries = mls_arena_array(arena, (size_t)n_tables * MLS_MATVEC_TABLE, sizeof *entries, 64);
    if (!entries || !coded.codes)
        return false;
    for (size_t i = 0; i < (size_t)n_tables * MLS_MATVEC_TABLE; i++) {
        size_t at = i / MLS_MATVEC_TABLE * n_entries + i % MLS_MATVEC_TABLE % n_entries;
        entries[i] = mls_fp16_to_fp32(((const uint16_t *)tables->data)[at]);
        if (!isfinite(entries[i])) /* zeros that fill up x would not hide it */
            return false;
    }
    coded.tables = entries;
    coded.bytes += (size_t)n_tables * MLS_MATVEC_TABLE * sizeof *entries;
    *ret_coded = coded;
    return true;
}
