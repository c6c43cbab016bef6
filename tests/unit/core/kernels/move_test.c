/* Transposes of every instruction set against the generic ones, strided moves against plain loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/move/move.h"

static void fill(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 131 + i / 251);
}

/* Source rows have `gap` bytes between them; the target is exactly as large as it must be. */
static void check_transpose(enum mls_isa isa, size_t elem, size_t rows, size_t cols, size_t gap)
{
    struct mls_kernels generic = mls_kernels_pick(MLS_ISA_GENERIC), kernels = mls_kernels_pick(isa);
    size_t stride = cols * elem + gap, source_bytes = (rows - 1) * stride + cols * elem,
           bytes = rows * cols * elem;
    uint8_t *source = malloc(source_bytes), *wanted = calloc(1, bytes), *got = calloc(1, bytes);
    fill(source, source_bytes);
    generic.move->transpose[elem].run(source, (ptrdiff_t)stride, wanted, (ptrdiff_t)(rows * elem), rows,
                                      cols);
    kernels.move->transpose[elem].run(source, (ptrdiff_t)stride, got, (ptrdiff_t)(rows * elem), rows, cols);
    assert_memory_equal(got, wanted, bytes);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            assert_memory_equal(wanted + (c * rows + r) * elem, source + r * stride + c * elem, elem);
    free(source);
    free(wanted);
    free(got);
}

static void test_transposes_agree(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 31, 33, 64, 65, 130};
    enum { N = sizeof sizes / sizeof sizes[0] };
    for (int isa = 0; isa < MLS_ISA_COUNT; isa++) {
        if (!mls_cpu_has((enum mls_isa)isa))
            continue;
        for (size_t elem = 1; elem <= MLS_MOVE_TRANSPOSE_BYTES; elem *= 2)
            for (size_t r = 0; r < N; r++)
                for (size_t c = 0; c < N; c++)
                    check_transpose((enum mls_isa)isa, elem, sizes[r], sizes[c], (r + c) % 3);
    }
}

/* Rows a whole number of pages apart have a way of their own. */
static void test_transposes_agree_on_pages(void **state)
{
    (void)state;
    enum { PAGE = 4096 };
    for (int isa = 0; isa < MLS_ISA_COUNT; isa++) {
        if (!mls_cpu_has((enum mls_isa)isa))
            continue;
        for (size_t elem = 1; elem <= MLS_MOVE_TRANSPOSE_BYTES; elem *= 2) {
            check_transpose((enum mls_isa)isa, elem, 133, 150, PAGE - 150 * elem);
            check_transpose((enum mls_isa)isa, elem, PAGE / elem, 70, 0);
        }
    }
}

static void test_transpose_takes_negative_strides(void **state)
{
    (void)state;
    uint16_t source[16 * 24], got[24 * 16];
    fill((uint8_t *)source, sizeof source);
    for (int isa = 0; isa < MLS_ISA_COUNT; isa++) {
        if (!mls_cpu_has((enum mls_isa)isa))
            continue;
        struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
        kernels.move->transpose[2].run(source + 15 * 24, -24 * 2, got, 16 * 2, 16, 24);
        for (size_t r = 0; r < 16; r++)
            for (size_t c = 0; c < 24; c++)
                assert_int_equal(got[c * 16 + r], source[(15 - r) * 24 + c]);
    }
}

static void test_strided_moves_every_element_size(void **state)
{
    (void)state;
    for (size_t elem = 1; elem <= 16; elem *= 2) {
        enum { OUTER = 5, INNER = 7 };
        uint8_t source[OUTER * INNER * 2 * 16], target[OUTER * INNER * 16];
        fill(source, sizeof source);
        struct mls_move_block block = {.n_outer = OUTER,
                                       .n_inner = INNER,
                                       .source_outer = (ptrdiff_t)(INNER * 2 * elem),
                                       .source_inner = (ptrdiff_t)(2 * elem),
                                       .target_outer = (ptrdiff_t)elem,
                                       .target_inner = (ptrdiff_t)(OUTER * elem)};
        mls_move_strided(source, target, &block, elem);
        for (size_t o = 0; o < OUTER; o++)
            for (size_t i = 0; i < INNER; i++)
                assert_memory_equal(target + (i * OUTER + o) * elem, source + (o * INNER + i) * 2 * elem,
                                    elem);
        block.source_inner = 0;
        mls_move_strided(source, target, &block, elem);
        for (size_t o = 0; o < OUTER; o++)
            for (size_t i = 0; i < INNER; i++)
                assert_memory_equal(target + (i * OUTER + o) * elem, source + o * INNER * 2 * elem, elem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transposes_agree),
        cmocka_unit_test(test_transposes_agree_on_pages),
        cmocka_unit_test(test_transpose_takes_negative_strides),
        cmocka_unit_test(test_strided_moves_every_element_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
