/*
 * Products of bytes: every instruction set against generic, bit by bit, over odd sizes, with memory that ends where the operands
 * end; generic against sums that are written out; and the greatest terms that are allowed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fp16.h"
#include "kernels/conv/conv16.h"

enum { LANES = MLS_DOT16_LANES, FOUR = MLS_DOT8_FOUR };

static uint32_t seed = 1;

static uint32_t draw(uint32_t low, uint32_t high)
{
    seed = seed * 1664525u + 1013904223u;
    return low + (seed >> 16) % (high - low + 1);
}

static void *bytes(size_t n)
{
    uint8_t *ret = malloc(n ? n : 1);
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint8_t)draw(0, 255);
    return ret;
}

static int32_t *integers(size_t n, int32_t size)
{
    int32_t *ret = malloc((n ? n : 1) * sizeof *ret);
    for (size_t i = 0; i < n; i++)
        ret[i] = (int32_t)draw(0, 2 * (uint32_t)size) - size;
    return ret;
}

static float *floats(size_t n, float size)
{
    float *ret = malloc((n ? n : 1) * sizeof *ret);
    for (size_t i = 0; i < n; i++)
        ret[i] = ((float)draw(0, 2000) / 1000 - 1) * size;
    return ret;
}

/* Numbers, ties and what is none. */
static uint16_t *halves(size_t n, const struct mls_dot8_rounding *rounding)
{
    static const uint16_t odd[] = {0x7c00, 0xfc00, 0x7e00, 0x7bff, 0xfbff, 0x0001, 0x8000};
    uint16_t *ret = malloc((n ? n : 1) * sizeof *ret);
    for (size_t i = 0; i < n; i++) {
        float tie = ((float)draw(0, 300) - 150 + 0.5f) * rounding->scale;
        uint32_t kind = draw(0, 9);
        ret[i] = kind == 0 ? odd[draw(0, 6)] : mls_fp32_to_fp16(kind < 4 ? tie : ((float)draw(0, 2000) - 1000) * 0.2f * rounding->scale);
    }
    return ret;
}

static struct mls_dot8_rounding draw_rounding(void)
{
    float scale = mls_fp16_to_fp32(mls_fp32_to_fp16((float)draw(1, 900) * 1e-4f));
    return mls_dot8_round(scale, (int32_t)draw(0, 100) - 50, true);
}

/* ISAs to compare with generic: those that have kernels of their own. */
static bool next_isa(unsigned *isa, struct mls_kernels *ret)
{
    while (++*isa < MLS_ISA_COUNT) {
        *ret = mls_kernels_pick((enum mls_isa) * isa);
        if (ret->dot8_isa == (enum mls_isa) * isa)
            return true;
    }
    return false;
}

static const struct mls_dot8_kernels *generic(void)
{
    return mls_kernels_pick(MLS_ISA_GENERIC).dot8;
}

static void lines_as_generic(void **state)
{
    (void)state;
    struct mls_kernels kernels;
    for (unsigned isa = MLS_ISA_GENERIC; next_isa(&isa, &kernels);)
        for (size_t n = 1; n < 200; n++) {
            struct mls_dot8_rounding rounding = draw_rounding();
            size_t filled = (n + FOUR - 1) / FOUR * FOUR;
            uint16_t *x = halves(n, &rounding);
            uint8_t *expected = bytes(filled), *found = bytes(filled);
            generic()->line(x, n, &rounding, expected);
            kernels.dot8->line(x, n, &rounding, found);
            assert_memory_equal(expected, found, filled);
            free(x), free(expected), free(found);
        }
}

/* Every fp16 number, by the definition of quantize in double. */
static void rounding_is_that_of_quantize(void **state)
{
    (void)state;
    for (unsigned isa = MLS_ISA_GENERIC; isa < MLS_ISA_COUNT; isa++) {
        struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
        const float scales[] = {0.03f, 1, 0.5f, 6e-8f, 3e-5f, 700};
        for (size_t s = 0; s < 6; s++) {
            struct mls_dot8_rounding rounding = mls_dot8_round(mls_fp16_to_fp32(mls_fp32_to_fp16(scales[s])), 7, false);
            for (uint32_t bits = 0; bits < 0x10000; bits += 4) {
                uint16_t x[4];
                uint8_t found[4];
                for (uint32_t i = 0; i < 4; i++)
                    x[i] = (uint16_t)(bits + i);
                kernels.dot8->line(x, 4, &rounding, found);
                for (uint32_t i = 0; i < 4; i++) {
                    double value = (double)mls_fp16_to_fp32(x[i]);
                    double q = isnan(value) ? 7 : fmin(fmax(nearbyint(value / (double)rounding.scale) + 7, 0), 255);
                    assert_int_equal(found[i], (int)q);
                }
            }
        }
    }
}

static void check_planes(const struct mls_kernels *kernels)
{
    enum { ROWS = 5, COLS = 37, PLANES = 12 };
    struct mls_dot8_rounding rounding = draw_rounding();
    struct mls_dot16_line lines[ROWS];
    struct mls_dot8_block block = {.n_planes = FOUR * draw(1, 3), .lines = lines, .n_lines = ROWS, .step = draw(1, 3)};
    uint16_t *planes[PLANES];
    block.width = draw(1, (COLS - 1) / (uint32_t)block.step + 1);
    size_t to = 0;
    for (size_t l = 0; l < ROWS; l++, to += block.width) {
        size_t before = draw(0, (uint32_t)block.width), n = (COLS - 1) / block.step + 1;
        lines[l] = (struct mls_dot16_line){.at = (ptrdiff_t)(l * COLS) - (ptrdiff_t)(before * block.step), .first = before, .to = to};
        lines[l].end = before + n < block.width ? before + n : block.width;
    }
    for (size_t p = 0; p < block.n_planes; p++) {
        planes[p] = halves(ROWS * COLS, &rounding);
        block.planes[p] = draw(0, 5) ? planes[p] : NULL;
    }
    size_t stride = to + LANES, n = block.n_planes * stride;
    uint8_t *expected = bytes(n), *found = bytes(n);
    generic()->quantize(&block, &rounding, stride, expected);
    kernels->dot8->quantize(&block, &rounding, stride, found);
    for (size_t w = 0; w < block.n_planes / FOUR; w++)
        assert_memory_equal(expected + w * stride * FOUR, found + w * stride * FOUR, to * FOUR);
    for (size_t p = 0; p < block.n_planes; p++)
        free(planes[p]);
    free(expected), free(found);
}

static void planes_as_generic(void **state)
{
    (void)state;
    struct mls_kernels kernels;
    for (unsigned isa = MLS_ISA_GENERIC; next_isa(&isa, &kernels);)
        for (unsigned i = 0; i < 300; i++)
            check_planes(&kernels);
}

/* Places for all vectors; returns the length of a row of results. */
static size_t draw_places(struct mls_dot16_place *places, size_t vectors)
{
    size_t at = 0;
    for (size_t v = 0; v < vectors; v++) {
        places[v] = (struct mls_dot16_place){.at = at, .lanes = draw(0, 2) ? 0xffff : (uint16_t)draw(1, 0xffff)};
        at += (size_t)__builtin_popcount(places[v].lanes);
    }
    return at;
}

static void check_panel(const struct mls_kernels *kernels, bool first, bool last)
{
    enum { ROWS = 20, ROWS_UP = 24, WIDTH = MLS_DOT16_VECTORS * LANES, ELEMENTS = 3, WORDS = 40 };
    struct mls_dot16_place places[MLS_DOT16_VECTORS];
    size_t offsets[ELEMENTS] = {draw(0, 40), draw(0, 40), draw(0, 40)};
    struct mls_dot8_panel panel = {.n_elements = draw(1, ELEMENTS), .n_words = draw(1, WORDS), .offsets = offsets, .first = first,
                                   .last = last,
                                   .results = {.n_rows = draw(1, ROWS), .vectors = draw(1, MLS_DOT16_VECTORS), .places = places,
                                               .low = draw(0, 1) ? 0 : -INFINITY, .high = draw(0, 1) ? 6 : INFINITY}};
    struct mls_dot16_results *to = &panel.results;
    size_t row = draw_places(places, to->vectors), n = (to->n_rows - 1) * (row + 2) + row;
    panel.a_stride = panel.n_elements * panel.n_words * MLS_DOT16_ROWS * FOUR;
    panel.b_stride = to->vectors * LANES + 40;
    to->y_stride = row + 2;
    int8_t *a = bytes(panel.a_stride * ROWS_UP / MLS_DOT16_ROWS), *ones = bytes(panel.n_elements * panel.n_words * FOUR);
    uint8_t *b = bytes(panel.n_words * panel.b_stride * FOUR);
    int32_t *starts = integers(ROWS_UP, 100000), *zeros = integers(ROWS_UP, 128), *before = integers(ROWS_UP * WIDTH, 1 << 20);
    float *scales = floats(ROWS_UP, 1e-4f), *bias = floats(ROWS_UP, 4);
    uint16_t *added = malloc((n + 1) * sizeof *added), *y[2];
    for (size_t i = 0; i < n; i++)
        added[i] = mls_fp32_to_fp16((float)draw(0, 100) / 16);
    int32_t *sums[2], inputs[2][WIDTH];
    panel.a = a, panel.b = b, panel.ones = ones, panel.starts = starts, panel.zeros = draw(0, 1) ? zeros : NULL;
    to->row_scales = scales, to->bias = bias, to->added = draw(0, 1) ? added : NULL;
    for (int i = 0; i < 2; i++) {
        panel.sums = sums[i] = malloc(ROWS_UP * WIDTH * sizeof(int32_t));
        panel.inputs = inputs[i];
        to->y = y[i] = malloc((n + 1) * sizeof(uint16_t));
        memcpy(sums[i], before, ROWS_UP * WIDTH * sizeof(int32_t));
        memcpy(inputs[i], before, sizeof inputs[i]);
        memset(y[i], 0x55, n * sizeof(uint16_t));
        (i ? kernels->dot8 : generic())->multiply(&panel);
    }
    assert_memory_equal(y[0], y[1], n * sizeof(uint16_t));
    assert_memory_equal(sums[0], sums[1], mls_dot16_rows(to->n_rows) * to->vectors * LANES * sizeof(int32_t));
    if (panel.zeros)
        assert_memory_equal(inputs[0], inputs[1], to->vectors * LANES * sizeof(int32_t));
    free(a), free(ones), free(b), free(starts), free(zeros), free(before), free(scales), free(bias), free(added);
    free(sums[0]), free(sums[1]), free(y[0]), free(y[1]);
}

static void panels_as_generic(void **state)
{
    (void)state;
    struct mls_kernels kernels;
    for (unsigned isa = MLS_ISA_GENERIC; next_isa(&isa, &kernels);)
        for (unsigned i = 0; i < 800; i++)
            check_panel(&kernels, i & 1, i & 2);
}

static void check_tile(const struct mls_kernels *kernels)
{
    struct mls_dot8_tile tile = {.n_rows = draw(1, MLS_DOT8_ROWS), .vectors = draw(1, MLS_DOT8_VECTORS), .n_words = draw(1, 50)};
    size_t width = tile.vectors * LANES;
    tile.n_cols = width - draw(0, LANES - 1);
    tile.a_stride = (tile.n_words + draw(0, 3)) * FOUR;
    tile.y_stride = tile.n_cols + draw(0, 5);
    size_t n = (tile.n_rows - 1) * tile.y_stride + tile.n_cols;
    uint8_t *a = bytes((tile.n_rows - 1) * tile.a_stride + tile.n_words * FOUR);
    int8_t *b = bytes(tile.n_words * width * FOUR);
    int32_t *starts = integers(width, 100000), *zeros = integers(width, 128), *inputs = integers(tile.n_rows, 10000);
    float *scales = floats(width, 1e-4f), *bias = floats(width, 4);
    uint16_t *y[2];
    tile.a = a, tile.b = b, tile.starts = starts, tile.inputs = inputs, tile.scales = scales, tile.bias = bias;
    tile.zeros = draw(0, 1) ? zeros : NULL;
    for (int i = 0; i < 2; i++) {
        tile.y = y[i] = malloc(n * sizeof(uint16_t));
        memset(y[i], 0x55, n * sizeof(uint16_t));
        (i ? kernels->dot8 : generic())->tile(&tile);
    }
    assert_memory_equal(y[0], y[1], n * sizeof(uint16_t));
    free(a), free(b), free(starts), free(zeros), free(inputs), free(scales), free(bias), free(y[0]), free(y[1]);
}

static void tiles_as_generic(void **state)
{
    (void)state;
    struct mls_kernels kernels;
    for (unsigned isa = MLS_ISA_GENERIC; next_isa(&isa, &kernels);)
        for (unsigned i = 0; i < 800; i++)
            check_tile(&kernels);
}

/* ---- Whole products, against sums of what the codes stand for ---- */

/* The greatest terms that there can be: unsigned inputs and weights at one end, zero points at the other. */
static void check_extremes(const struct mls_kernels *kernels, size_t k, bool inputs_high, bool weights_high)
{
    struct mls_arena *arena = mls_arena_create(0);
    uint8_t *codes = malloc(k);
    uint16_t one = mls_fp32_to_fp16(1.0f / 65536), offset = mls_fp32_to_fp16(weights_high ? 0 : 255), y;
    uint16_t *x = malloc(k * sizeof *x);
    memset(codes, weights_high ? 255 : 0, k);
    struct mls_coded coded = {.n = 1, .k = k, .kind = MLS_CODE_INTEGERS, .bits = 8, .codes = codes, .codes_bytes = k, .code_rows = 1,
                              .code_cols = k, .n_tables = 1, .n_vector = 1, .scales = &one, .offsets = &offset, .scale_rows = 1,
                              .scale_cols = 1};
    for (size_t i = 0; i < k; i++)
        x[i] = mls_fp32_to_fp16(inputs_high ? 1000 : -1000);
    struct mls_dot8_columns columns = {.n = 1, .k = k, .rounding = mls_dot8_round(1, inputs_high ? 0 : 255, false)};
    size_t size_bytes;
    assert_true(mls_dot8_suits(&coded, false, k));
    assert_true(mls_dot8_columns_pack(NULL, &coded, false, arena, &columns, &size_bytes));
    struct mls_dot8_product product = {.m = 1, .x = x, .weights = &columns, .y = &y};
    void *scratch = aligned_alloc(64, mls_dot8_product_scratch_bytes(&product));
    mls_dot8_product_run(kernels, NULL, &product, scratch);
    float expected = (float)k * 65025 / 65536 * (inputs_high == weights_high ? 1 : -1);
    assert_int_equal(y, mls_fp32_to_fp16(expected));
    free(scratch), free(codes), free(x);
    mls_arena_free(arena);
}

static void sums_do_not_overflow(void **state)
{
    (void)state;
    for (unsigned isa = MLS_ISA_GENERIC; isa < MLS_ISA_COUNT; isa++) {
        struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
        for (unsigned i = 0; i < 4; i++)
            check_extremes(&kernels, MLS_DOT8_TERMS, i & 1, i & 2);
    }
}

static void longer_sums_do_not_suit(void **state)
{
    (void)state;
    struct mls_coded coded = {.kind = MLS_CODE_INTEGERS, .bits = 8};
    assert_true(mls_dot8_suits(&coded, false, MLS_DOT8_TERMS));
    assert_false(mls_dot8_suits(&coded, false, MLS_DOT8_TERMS + 1));
}

static void offsets_between_integers_do_not_suit(void **state)
{
    (void)state;
    uint16_t scale = mls_fp32_to_fp16(1), offset = mls_fp32_to_fp16(0.5f);
    struct mls_coded coded = {.kind = MLS_CODE_INTEGERS, .bits = 8, .scales = &scale, .scale_rows = 1, .scale_cols = 1};
    assert_true(mls_dot8_suits(&coded, false, 8));
    coded.offsets = &offset;
    assert_false(mls_dot8_suits(&coded, false, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_as_generic),
                                       cmocka_unit_test(rounding_is_that_of_quantize),
                                       cmocka_unit_test(planes_as_generic),
                                       cmocka_unit_test(panels_as_generic),
                                       cmocka_unit_test(tiles_as_generic),
                                       cmocka_unit_test(sums_do_not_overflow),
                                       cmocka_unit_test(longer_sums_do_not_suit),
                                       cmocka_unit_test(offsets_between_integers_do_not_suit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
