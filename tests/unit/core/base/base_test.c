/* base_test.c: the small pieces that every other part relies on. */
#include "support/test.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/cursor.h"
#include "base/fp16.h"
#include "base/text.h"
#include "core/clock.h"
#include "core/dtype.h"
#include "core/status.h"
#include "core/tensor.h"

static void cursor_never_reads_past_its_end(void **state)
{
    (void)state;
    static const uint8_t bytes[5] = {1, 2, 3, 4, 5};
    struct mls_cursor cursor = mls_cursor_over(bytes, sizeof bytes);
    assert_int_equal(mls_cursor_u32(&cursor), 0x04030201);
    assert_int_equal(mls_cursor_u32(&cursor), 0);
    assert_true(cursor.bad);
    assert_null(mls_cursor_take(&cursor, 1));
    assert_int_equal(mls_cursor_left(&cursor), 0);
}

static void cursor_refuses_a_length_that_would_wrap(void **state)
{
    (void)state;
    static const uint8_t bytes[8];
    struct mls_cursor cursor = mls_cursor_over(bytes, sizeof bytes);
    mls_cursor_u32(&cursor);
    assert_null(mls_cursor_take(&cursor, SIZE_MAX));
    assert_true(cursor.bad);
}

static void checked_sizes_say_when_they_overflow(void **state)
{
    (void)state;
    size_t size = 7;
    assert_false(mls_mul_size(SIZE_MAX, 2, &size));
    assert_false(mls_add_size(SIZE_MAX, 1, &size));
    assert_false(mls_align_up(SIZE_MAX - 3, 64, &size));
    assert_int_equal(size, 7);
    assert_true(mls_align_up(65, 64, &size));
    assert_int_equal(size, 128);
}

static void every_half_survives_the_way_to_float_and_back(void **state)
{
    (void)state;
    for (uint32_t half = 0; half <= UINT16_MAX; half++) {
        float wide = mls_fp16_to_fp32((uint16_t)half);
        uint16_t back = mls_fp32_to_fp16(wide);
        if (isnan(wide))
            assert_true((back & 0x7c00) == 0x7c00 && (back & 0x3ff));
        else
            assert_int_equal(back, half);
    }
}

static void floats_round_to_the_nearest_even_half(void **state)
{
    (void)state;
    static const struct {
        float value;
        uint16_t half;
    } cases[] = {
        {65504.0f, 0x7bff},   {65519.996f, 0x7bff}, {65520.0f, 0x7c00}, {1e30f, 0x7c00},
        {-1e30f, 0xfc00},     {0x1p-24f, 0x0001},   {0x1p-25f, 0x0000}, {0x1.8p-25f, 0x0001},
        {0x1.002p0f, 0x3c00}, {0x1.006p0f, 0x3c02}, {-0.0f, 0x8000},    {0x1.ff8p-15f, 0x03ff},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(mls_fp32_to_fp16(cases[i].value), cases[i].half);
}

static void arena_aligns_zeroes_and_keeps_its_limit(void **state)
{
    (void)state;
    struct mls_arena *arena = mls_arena_create(1 << 20);
    for (size_t align = 1; align <= 4096; align *= 2) {
        unsigned char *memory = mls_arena_alloc(arena, 100, align);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % align, 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, 100);
    }
    assert_non_null(mls_arena_alloc(arena, 500000, 64));
    assert_null(mls_arena_alloc(arena, 600000, 64));
    assert_null(mls_arena_array(arena, SIZE_MAX, 2, 1));
    assert_string_equal(mls_arena_printf(arena, "%s-%d", "text", 7), "text-7");
    mls_arena_free(arena);
}

static void packed_types_take_whole_bytes(void **state)
{
    (void)state;
    assert_int_equal(mls_dtype_bytes(MLS_UINT3, 3), 2);
    assert_int_equal(mls_dtype_bytes(MLS_INT4, 5), 3);
    assert_int_equal(mls_dtype_bytes(MLS_FP16, 5), 10);
    assert_true(mls_dtype_bytes(MLS_FP64, SIZE_MAX / 2) == SIZE_MAX);
    assert_int_equal(mls_dtype_parse("float16"), MLS_FP16);
    assert_int_equal(mls_dtype_parse("fp16"), MLS_FP16);
    assert_int_equal(mls_dtype_parse("half"), MLS_NONE);
}

static void types_count_elements_and_say_when_they_cannot(void **state)
{
    (void)state;
    struct mls_type type = mls_type_tensor(MLS_FP16, 3, (int64_t[]){2, 0, INT64_MAX});
    assert_int_equal(mls_type_elems(&type), 0);
    type.dims[1] = 3;
    assert_int_equal(mls_type_elems(&type), -1);
    type.dims[2] = MLS_DIM_UNKNOWN;
    assert_false(mls_type_is_static(&type));
    char text[64];
    assert_string_equal(mls_type_format(&type, text, sizeof text), "fp16[2,3,?]");
    assert_string_equal(mls_shape_format(&type, text, sizeof text), "2x3x?");
}

static void error_texts_hold_no_control_characters(void **state)
{
    (void)state;
    struct mls_error error;
    assert_int_equal(mls_fail(&error, MLS_ERR_IO, "cannot open \x1b[31m%s\n", "x\xff\xc2\x9b"), MLS_ERR_IO);
    assert_string_equal(error.text, "cannot open ?[31mx????");
    assert_int_equal(mls_fail(NULL, MLS_ERR_IO, "unread"), MLS_ERR_IO);
}

static void clean_text_drops_a_cut_character(void **state)
{
    (void)state;
    char text[] = "a\xc3\xa9\xe2\x82";
    mls_text_clean(text);
    assert_string_equal(text, "a\xc3\xa9");
}

static void statuses_have_the_exit_codes_of_the_contract(void **state)
{
    (void)state;
    assert_int_equal(mls_status_exit_code(MLS_OK), 0);
    assert_int_equal(mls_status_exit_code(MLS_ERR_GATE), 1);
    assert_int_equal(mls_status_exit_code(MLS_ERR_USAGE), 2);
    assert_int_equal(mls_status_exit_code(MLS_ERR_BLOB_MISSING), 3);
    assert_int_equal(mls_status_exit_code(MLS_ERR_INTERNAL), 4);
    assert_int_equal(mls_status_exit_code(MLS_ERR_CANCELLED), 5);
    assert_int_equal(mls_status_exit_code((enum mls_status)9999), 4);
}

/* The difference between both clocks, from the quietest of many readings: a busy machine stops us anywhere.
 */
static uint64_t clock_difference_ns(const struct mls_clock *clock)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 1000; i++) {
        uint64_t before = mls_clock_ns(), ticks = mls_clock_to_ns(clock, mls_clock_ticks()),
                 after = mls_clock_ns();
        uint64_t off = ticks < before ? before - ticks : ticks > after ? ticks - after : 0;
        if (off < best)
            best = off;
    }
    return best;
}

static void ticks_follow_the_monotonic_clock(void **state)
{
    (void)state;
    const struct mls_clock *clock = mls_clock_get();
    assert_true(clock_difference_ns(clock) < 1000000);
    uint64_t deadline = mls_clock_ns() + 20000000;
    while (mls_clock_ns() < deadline)
        ;
    assert_true(clock_difference_ns(clock) < 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_never_reads_past_its_end),
        cmocka_unit_test(cursor_refuses_a_length_that_would_wrap),
        cmocka_unit_test(checked_sizes_say_when_they_overflow),
        cmocka_unit_test(every_half_survives_the_way_to_float_and_back),
        cmocka_unit_test(floats_round_to_the_nearest_even_half),
        cmocka_unit_test(arena_aligns_zeroes_and_keeps_its_limit),
        cmocka_unit_test(packed_types_take_whole_bytes),
        cmocka_unit_test(types_count_elements_and_say_when_they_cannot),
        cmocka_unit_test(error_texts_hold_no_control_characters),
        cmocka_unit_test(clean_text_drops_a_cut_character),
        cmocka_unit_test(statuses_have_the_exit_codes_of_the_contract),
        cmocka_unit_test(ticks_follow_the_monotonic_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
