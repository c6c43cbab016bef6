/* Compressed constants against a slow second implementation that unpacks bit by bit and counts indices by
 * dimension, and against the worked examples of the operations' definitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/op_case.h"

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

/* The value of bits [at, at + bits) of a byte array, lowest first. */
static unsigned bits_at(const uint8_t *bytes, size_t at, unsigned bits)
{
    unsigned value = 0;
    for (unsigned i = 0; i < bits; i++)
        value |= (unsigned)((bytes[(at + i) / 8] >> ((at + i) % 8)) & 1) << i;
    return value;
}

static int64_t product(unsigned rank, const int64_t *dims)
{
    int64_t n = 1;
    for (unsigned i = 0; i < rank; i++)
        n *= dims[i];
    return n;
}

/* The entry that element i of a tensor uses, dimension by dimension. */
static int64_t entry_of(unsigned rank, const int64_t *dims, const int64_t *entries, int64_t i)
{
    int64_t at[MLS_RANK_MAX], entry = 0;
    for (unsigned d = rank; d-- > 0;) {
        at[d] = i % dims[d];
        i /= dims[d];
    }
    for (unsigned d = 0; d < rank; d++)
        entry = entry * entries[d] + at[d] / (dims[d] / entries[d]);
    return entry;
}

/* A tensor of random bits, of any type. */
static struct mls_tensor *add_random_bits(struct op_case *c, const char *param, enum mls_dtype dtype,
                                          unsigned rank, const int64_t *dims)
{
    static uint8_t bytes[1 << 18];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)next_random();
    return op_case_tensor(c, param, dtype, rank, dims, bytes);
}

/* Small multiples of 1/8: exact in fp16. */
static struct mls_tensor *add_random_floats(struct op_case *c, const char *param, enum mls_dtype dtype,
                                            unsigned rank, const int64_t *dims)
{
    float values[1 << 12];
    for (int64_t i = 0; i < product(rank, dims); i++)
        values[i] = (float)((int)(next_random() % 127) - 63) / 8;
    return op_case_floats(c, param, dtype, rank, dims, values);
}

static void run(struct op_case *c, uint32_t threads)
{
    if (op_case_run(c, MLS_ISA_AVX2, threads) != MLS_OK)
        fail_msg("%s", c->error.text);
}

/* ---- Lookup tables ---- */

static void flat_lut(enum mls_dtype dtype, unsigned bits, int64_t n)
{
    struct op_case c;
    op_case_begin(&c, "constexpr_lut_to_dense", 6);
    const uint8_t *packed =
        add_random_bits(&c, "indices", MLS_UINT8, 1, (int64_t[]){(n * bits + 7) / 8})->data;
    const struct mls_tensor *lut = add_random_bits(&c, "lut", dtype, 1, (int64_t[]){(int64_t)1 << bits});
    op_case_tensor(&c, "shape", MLS_UINT32, 1, (int64_t[]){1}, (uint32_t[]){(uint32_t)n});
    run(&c, 2);
    size_t bytes = mls_dtype_bits(dtype) / 8;
    assert_int_equal(mls_type_elems(&c.outputs[0].type), n);
    for (size_t i = 0; i < (size_t)n; i++)
        assert_memory_equal((char *)c.outputs[0].data + i * bytes,
                            (const char *)lut->data + bits_at(packed, i * bits, bits) * bytes, bytes);
    op_case_end(&c);
}

static void test_flat_lut_of_every_width(void **state)
{
    (void)state;
    static const unsigned widths[] = {1, 2, 4, 6, 8};
    for (unsigned i = 0; i < 5; i++) {
        flat_lut(MLS_FP16, widths[i], 20011);
        flat_lut(MLS_FP32, widths[i], 13);
        flat_lut(MLS_INT8, widths[i], 1);
    }
}

static void block_lut(enum mls_dtype indices, unsigned rank, const int64_t *dims, const int64_t *tables,
                      int64_t n_vector, unsigned axis)
{
    struct op_case c;
    int64_t lut_dims[MLS_RANK_MAX], inner = product(rank - axis - 1, dims + axis + 1);
    unsigned bits = mls_dtype_bits(indices);
    memcpy(lut_dims, tables, rank * sizeof *tables);
    lut_dims[rank] = (int64_t)1 << bits;
    lut_dims[rank + 1] = n_vector;
    op_case_begin(&c, "constexpr_lut_to_dense", 8);
    const uint8_t *packed = add_random_bits(&c, "indices", indices, rank, dims)->data;
    const uint16_t *lut = add_random_bits(&c, "lut", MLS_FP16, rank + 2, lut_dims)->data;
    if (n_vector > 1)
        op_case_int(&c, "vector_axis", (int32_t)axis - (int32_t)rank);
    run(&c, 2);
    const uint16_t *out = c.outputs[0].data;
    for (int64_t i = 0; i < product(rank, dims); i++)
        for (int64_t v = 0; v < n_vector; v++) {
            int64_t entry = entry_of(rank, dims, tables, i);
            int64_t index = bits_at(packed, (size_t)i * bits, bits);
            int64_t to = i / inner * inner * n_vector + v * inner + i % inner;
            assert_int_equal(out[to], lut[((entry << bits) + index) * n_vector + v]);
        }
    op_case_end(&c);
}

static void test_block_lut_of_every_width(void **state)
{
    (void)state;
    static const enum mls_dtype types[] = {MLS_UINT1, MLS_UINT2, MLS_UINT3, MLS_UINT4, MLS_UINT6, MLS_UINT8};
    for (unsigned i = 0; i < 6; i++) {
        block_lut(types[i], 4, (int64_t[]){6, 5, 3, 3}, (int64_t[]){3, 1, 1, 1}, 1, 0);
        block_lut(types[i], 2, (int64_t[]){5, 12}, (int64_t[]){1, 3}, 1, 0);
        block_lut(types[i], 2, (int64_t[]){3, 7}, (int64_t[]){1, 7}, 1, 0);
        block_lut(types[i], 3, (int64_t[]){2, 6, 5}, (int64_t[]){1, 3, 1}, 3, 0);
        block_lut(types[i], 3, (int64_t[]){2, 6, 5}, (int64_t[]){2, 3, 1}, 2, 1);
        block_lut(types[i], 3, (int64_t[]){2, 6, 5}, (int64_t[]){1, 1, 5}, 4, 2);
    }
    block_lut(MLS_UINT4, 2, (int64_t[]){37, 1501}, (int64_t[]){37, 19}, 1, 0);
}

/* Case 1 of the definition's examples. */
static void test_two_tables_example(void **state)
{
    (void)state;
    static const float lut[] = {1, 5, 9, 13, 2, 10, 18, 26};
    static const float expected[] = {9, 13, 13, 1, 5, 1, 26, 2, 18, 10, 2, 26};
    /* [2, 3, 3, 0, 1, 0, 3, 0, 2, 1, 0, 3] in two bits each */
    static const uint8_t indices[] = {0x3e, 0x31, 0xc6};
    struct op_case c;
    op_case_begin(&c, "constexpr_lut_to_dense", 8);
    op_case_tensor(&c, "indices", MLS_UINT2, 2, (int64_t[]){6, 2}, indices);
    op_case_floats(&c, "lut", MLS_FP16, 4, (int64_t[]){2, 1, 4, 1}, lut);
    run(&c, 1);
    for (int i = 0; i < 12; i++)
        assert_true(op_case_get(&c, 0, i) == (double)expected[i]);
    op_case_end(&c);
}

/* The definition's example of sparse vectors along axis 0. */
static void test_lut_to_sparse_example(void **state)
{
    (void)state;
    /* rows 110000, 110001, 011010, 000100, six bits each */
    static const uint8_t mask[] = {0xc3, 0x68, 0x21};
    static const uint8_t indices[] = {0x36, 0x01}; /* 0 1 1 0 1 1 0 0 1 */
    static const uint8_t expected_mask[] = {0xc3, 0x30, 0x8e, 0x96, 0x85, 0x20};
    static const float expected[] = {2,    3, 2.5f, 3.5f, 3,    2,    3,    3.5f, 2.5f,
                                     3.5f, 3, 2,    2,    3.5f, 2.5f, 2.5f, 3,    3.5f};
    struct op_case c;
    op_case_begin(&c, "constexpr_lut_to_sparse", 8);
    c.n_outputs = 2;
    op_case_tensor(&c, "indices_mask", MLS_UINT1, 2, (int64_t[]){4, 6}, mask);
    op_case_tensor(&c, "indices_nonzero_data", MLS_UINT1, 1, (int64_t[]){9}, indices);
    op_case_floats(&c, "lut", MLS_FP16, 4, (int64_t[]){1, 1, 2, 2}, (float[]){2, 2.5f, 3, 3.5f});
    op_case_int(&c, "vector_axis", 0);
    run(&c, 1);
    assert_int_equal(c.outputs[0].type.dims[0], 8);
    assert_memory_equal(c.outputs[0].data, expected_mask, sizeof expected_mask);
    assert_int_equal(c.outputs[1].type.dims[0], 18);
    for (int i = 0; i < 18; i++)
        assert_true(op_case_get(&c, 1, i) == (double)expected[i]);
    op_case_end(&c);
}

/* Bits of a mask that are set; also puts them all in order of their places into ret. */
static int64_t set_bits(const uint8_t *mask, int64_t n, int64_t *ret)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (bits_at(mask, (size_t)i, 1))
            ret[count++] = i;
    return count;
}

static void test_lut_to_sparse_of_scalars(void **state)
{
    (void)state;
    static const int64_t dims[] = {9, 250}, tables[] = {3, 2};
    int64_t places[9 * 250];
    struct op_case c;
    op_case_begin(&c, "constexpr_lut_to_sparse", 8);
    c.n_outputs = 2;
    const struct mls_tensor *mask = add_random_bits(&c, "indices_mask", MLS_UINT1, 2, dims);
    int64_t n = set_bits(mask->data, 9 * 250, places);
    const uint8_t *packed = add_random_bits(&c, "indices_nonzero_data", MLS_UINT3, 1, &n)->data;
    const uint32_t *lut =
        add_random_bits(&c, "lut", MLS_FP32, 4, (int64_t[]){tables[0], tables[1], 8, 1})->data;
    run(&c, 2);
    assert_memory_equal(c.outputs[0].data, mask->data, mls_type_bytes(&mask->type));
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(((const uint32_t *)c.outputs[1].data)[i],
                         lut[entry_of(2, dims, tables, places[i]) * 8 + bits_at(packed, (size_t)i * 3, 3)]);
    op_case_end(&c);
}

static void test_lut_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "constexpr_lut_to_dense", 8);
    add_random_bits(&c, "indices", MLS_UINT4, 2, (int64_t[]){4, 4});
    add_random_bits(&c, "lut", MLS_FP16, 4, (int64_t[]){1, 1, 8, 1});
    assert_int_equal(op_case_infer(&c, true), MLS_ERR_OP_SHAPE);
    op_case_end(&c);
    op_case_begin(&c, "constexpr_lut_to_dense", 8);
    add_random_bits(&c, "indices", MLS_UINT4, 2, (int64_t[]){4, 4});
    add_random_bits(&c, "lut", MLS_FP16, 4, (int64_t[]){3, 1, 16, 1});
    assert_int_equal(op_case_infer(&c, true), MLS_ERR_OP_SHAPE);
    op_case_end(&c);
    op_case_begin(&c, "constexpr_lut_to_dense", 6);
    add_random_bits(&c, "indices", MLS_UINT8, 1, (int64_t[]){4});
    add_random_bits(&c, "lut", MLS_FP16, 1, (int64_t[]){16});
    op_case_tensor(&c, "shape", MLS_UINT32, 1, (int64_t[]){1}, (uint32_t[]){9});
    assert_int_equal(op_case_infer(&c, true), MLS_ERR_OP_SHAPE);
    op_case_end(&c);
}

/* ---- Scales ---- */

static double element_of(const struct mls_tensor *tensor, int64_t i)
{
    return mls_tensor_float(tensor, i);
}

static void blockwise(enum mls_dtype data, enum mls_dtype scale, enum mls_dtype offset, unsigned rank,
                      const int64_t *dims, const int64_t *entries)
{
    struct op_case c;
    bool is_float = data == MLS_FP16 || data == MLS_FP32;
    op_case_begin(&c, "constexpr_blockwise_shift_scale", 8);
    const struct mls_tensor *d = is_float ? add_random_floats(&c, "data", data, rank, dims)
                                          : add_random_bits(&c, "data", data, rank, dims);
    const struct mls_tensor *s = add_random_floats(&c, "scale", scale, rank, entries), *o = NULL;
    if (offset == MLS_FP16 || offset == MLS_FP32)
        o = add_random_floats(&c, "offset", offset, rank, entries);
    else if (offset != MLS_NONE)
        o = add_random_bits(&c, "offset", offset, rank, entries);
    run(&c, 3);
    assert_int_equal(c.outputs[0].type.dtype, scale);
    for (int64_t i = 0; i < product(rank, dims); i++) {
        int64_t entry = entry_of(rank, dims, entries, i);
        double expected = element_of(s, entry) * (element_of(d, i) - (o ? element_of(o, entry) : 0));
        if (scale == MLS_FP16)
            expected = (double)mls_fp16_to_fp32(mls_fp32_to_fp16((float)expected));
        assert_true(op_case_get(&c, 0, i) == expected);
    }
    op_case_end(&c);
}

static void test_blockwise_of_every_type(void **state)
{
    (void)state;
    static const enum mls_dtype types[] = {MLS_INT4, MLS_UINT4, MLS_INT8, MLS_UINT8, MLS_FP16, MLS_FP32};
    for (unsigned i = 0; i < 6; i++) {
        blockwise(types[i], MLS_FP16, MLS_NONE, 4, (int64_t[]){8, 3, 3, 3}, (int64_t[]){8, 1, 1, 1});
        blockwise(types[i], MLS_FP32, types[i], 2, (int64_t[]){7, 96}, (int64_t[]){7, 3});
        blockwise(types[i], MLS_FP16, MLS_FP16, 2, (int64_t[]){9, 33}, (int64_t[]){3, 33});
        blockwise(types[i], MLS_FP32, MLS_FP32, 3, (int64_t[]){4, 5, 6}, (int64_t[]){1, 5, 1});
        blockwise(types[i], MLS_FP16, types[i], 3, (int64_t[]){4, 6, 10}, (int64_t[]){2, 3, 5});
    }
    blockwise(MLS_INT4, MLS_FP16, MLS_INT4, 2, (int64_t[]){60, 1024}, (int64_t[]){60, 32});
}

static void test_sparse_blockwise_example(void **state)
{
    (void)state;
    static const uint8_t mask[] = {0x73, 0x3c}; /* 1100 1110 0011 1100 */
    static const float expected[] = {9, 18, 2, 4, 6, 9, 12, 7, 14};
    struct op_case c;
    op_case_begin(&c, "constexpr_sparse_blockwise_shift_scale", 8);
    c.n_outputs = 2;
    op_case_tensor(&c, "data_mask", MLS_UINT1, 2, (int64_t[]){4, 4}, mask);
    op_case_tensor(&c, "nonzero_data", MLS_INT8, 1, (int64_t[]){9}, (int8_t[]){10, 11, 3, 4, 5, 6, 7, 8, 9});
    op_case_floats(&c, "scale", MLS_FP32, 2, (int64_t[]){1, 4}, (float[]){1, 2, 3, 4});
    op_case_tensor(&c, "offset", MLS_INT8, 2, (int64_t[]){1, 4}, (int8_t[]){1, 2, 3, 4});
    run(&c, 1);
    assert_memory_equal(c.outputs[0].data, mask, sizeof mask);
    for (int i = 0; i < 9; i++)
        assert_true(op_case_get(&c, 1, i) == (double)expected[i]);
    op_case_end(&c);
}

static void test_sparse_blockwise_over_tasks(void **state)
{
    (void)state;
    static const int64_t dims[] = {30, 1200}, entries[] = {30, 12};
    static int64_t places[30 * 1200];
    struct op_case c;
    op_case_begin(&c, "constexpr_sparse_blockwise_shift_scale", 8);
    c.n_outputs = 2;
    const struct mls_tensor *mask = add_random_bits(&c, "data_mask", MLS_UINT1, 2, dims);
    int64_t n = set_bits(mask->data, 30 * 1200, places);
    const struct mls_tensor *data = add_random_bits(&c, "nonzero_data", MLS_UINT4, 1, &n);
    const struct mls_tensor *scale = add_random_floats(&c, "scale", MLS_FP32, 2, entries);
    run(&c, 3);
    for (int64_t i = 0; i < n; i++)
        assert_true(op_case_get(&c, 1, i) ==
                    element_of(scale, entry_of(2, dims, entries, places[i])) * element_of(data, i));
    op_case_end(&c);
}

static void affine(bool scale_by_axis, bool zero_by_axis)
{
    static const int64_t dims[] = {3, 5, 4}, entries[] = {1, 5, 1}, n_axis = 5;
    struct op_case c;
    op_case_begin(&c, "constexpr_affine_dequantize", 6);
    const struct mls_tensor *data = add_random_bits(&c, "quantized_data", MLS_UINT8, 3, dims);
    const struct mls_tensor *zero = add_random_bits(&c, "zero_point", MLS_UINT8, zero_by_axis, &n_axis);
    const struct mls_tensor *scale = add_random_floats(&c, "scale", MLS_FP32, scale_by_axis, &n_axis);
    op_case_int(&c, "axis", -2);
    run(&c, 1);
    for (int64_t i = 0; i < 60; i++) {
        int64_t entry = entry_of(3, dims, entries, i);
        assert_true(op_case_get(&c, 0, i) ==
                    element_of(scale, scale_by_axis ? entry : 0) *
                        (element_of(data, i) - element_of(zero, zero_by_axis ? entry : 0)));
    }
    op_case_end(&c);
}

static void test_affine_takes_numbers_and_vectors(void **state)
{
    (void)state;
    affine(false, false);
    affine(true, false);
    affine(false, true);
    affine(true, true);
}

/* ---- Zeros left out, halves ---- */

static void sparse(uint32_t opset, enum mls_dtype dtype, int64_t n_dense)
{
    static int64_t places[40000];
    struct op_case c;
    op_case_begin(&c, "constexpr_sparse_to_dense", opset);
    struct mls_tensor *mask = add_random_bits(&c, "mask", opset == 6 ? MLS_UINT8 : MLS_UINT1, 1,
                                              (int64_t[]){opset == 6 ? (n_dense + 7) / 8 : n_dense});
    int64_t n = set_bits(mask->data, n_dense, places);
    const struct mls_tensor *values = add_random_bits(&c, "nonzero_data", dtype, 1, &n);
    if (opset == 6)
        op_case_tensor(&c, "shape", MLS_UINT32, 1, (int64_t[]){1}, (uint32_t[]){(uint32_t)n_dense});
    run(&c, 3);
    unsigned bits = mls_dtype_bits(dtype);
    for (int64_t i = 0, at = 0; i < n_dense; i++) {
        bool is_set = at < n && places[at] == i;
        for (unsigned part = 0; part < bits; part += 4)
            assert_int_equal(bits_at(c.outputs[0].data, (size_t)i * bits + part, 4),
                             is_set ? bits_at(values->data, (size_t)at * bits + part, 4) : 0);
        at += is_set;
    }
    op_case_end(&c);
}

static void test_sparse_to_dense_of_every_type(void **state)
{
    (void)state;
    static const enum mls_dtype types[] = {MLS_INT8, MLS_UINT8, MLS_FP16, MLS_FP32, MLS_INT4, MLS_UINT4};
    for (unsigned i = 0; i < 6; i++) {
        if (i < 4)
            sparse(6, types[i], 1003);
        sparse(8, types[i], 7);
        sparse(8, types[i], 40000 - 3);
    }
}

static void test_mask_and_values_must_agree(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "constexpr_sparse_to_dense", 8);
    op_case_tensor(&c, "mask", MLS_UINT1, 1, (int64_t[]){8}, (uint8_t[]){0x0f});
    add_random_bits(&c, "nonzero_data", MLS_FP16, 1, (int64_t[]){3});
    assert_int_equal(op_case_infer(&c, true), MLS_ERR_OP_SHAPE);
    op_case_end(&c);
}

static void test_cast(void **state)
{
    (void)state;
    for (uint32_t opset = 6; opset <= 8; opset += 2) {
        struct op_case c;
        op_case_begin(&c, "constexpr_cast", opset);
        op_case_floats(&c, "source_val", MLS_FP16, 1, (int64_t[]){3}, (float[]){1.5f, -2, 65504});
        op_case_text(&c, "output_dtype", "fp32");
        run(&c, 1);
        assert_int_equal(c.outputs[0].type.dtype, MLS_FP32);
        assert_true(op_case_get(&c, 0, 2) == 65504);
        op_case_end(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat_lut_of_every_width),
        cmocka_unit_test(test_block_lut_of_every_width),
        cmocka_unit_test(test_two_tables_example),
        cmocka_unit_test(test_lut_to_sparse_example),
        cmocka_unit_test(test_lut_to_sparse_of_scalars),
        cmocka_unit_test(test_lut_that_does_not_fit_is_refused),
        cmocka_unit_test(test_blockwise_of_every_type),
        cmocka_unit_test(test_sparse_blockwise_example),
        cmocka_unit_test(test_sparse_blockwise_over_tasks),
        cmocka_unit_test(test_affine_takes_numbers_and_vectors),
        cmocka_unit_test(test_sparse_to_dense_of_every_type),
        cmocka_unit_test(test_mask_and_values_must_agree),
        cmocka_unit_test(test_cast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
