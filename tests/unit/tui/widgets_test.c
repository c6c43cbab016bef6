#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "widget/datum.h"
#include "widget/graph.h"
#include "widget/prompt.h"

static const char *text_of(const struct mls_grid *grid)
{
    static char text[1024];
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_non_null(file);
    mls_grid_write(grid, file);
    fclose(file);
    return text;
}

static const double numbers[] = {0, 1, 2, 3, 4, 8};

static void braille_shows_two_numbers_a_column(void **state)
{
    (void)state;
    struct mls_grid grid = {.columns = 0};
    assert_true(mls_grid_resize(&grid, 5, 1));
    mls_graph_line(&grid, mls_grid_rect(&grid), MLS_STYLE_BAR, numbers, 6, 0, 8);
    assert_string_equal(text_of(&grid), "  ⢀⣠⣼\n");
    mls_grid_done(&grid);
}

static void ascii_shows_one_number_a_column(void **state)
{
    (void)state;
    struct mls_grid grid = {.ascii = true};
    assert_true(mls_grid_resize(&grid, 7, 1));
    mls_graph_line(&grid, mls_grid_rect(&grid), MLS_STYLE_BAR, numbers, 6, 0, 8);
    assert_string_equal(text_of(&grid), "  _.:-#\n");
    mls_grid_done(&grid);
}

static void the_oldest_numbers_are_left_out(void **state)
{
    (void)state;
    struct mls_grid grid = {.ascii = true};
    assert_true(mls_grid_resize(&grid, 2, 1));
    mls_graph_line(&grid, mls_grid_rect(&grid), MLS_STYLE_BAR, numbers, 6, 0, 8);
    assert_string_equal(text_of(&grid), "-#\n");
    mls_grid_done(&grid);
}

static void columns_grow_over_lines(void **state)
{
    (void)state;
    struct mls_grid grid = {.columns = 0};
    assert_true(mls_grid_resize(&grid, 3, 2));
    mls_graph_columns(&grid, mls_grid_rect(&grid), MLS_STYLE_BAR, (const double[]){1, 12, 16}, 3, 16);
    assert_string_equal(text_of(&grid), " ▄█\n▁██\n");
    mls_grid_done(&grid);
}

static void nothing_to_scale_by_draws_nothing(void **state)
{
    (void)state;
    struct mls_grid grid = {.columns = 0};
    assert_true(mls_grid_resize(&grid, 3, 1));
    mls_graph_columns(&grid, mls_grid_rect(&grid), MLS_STYLE_BAR, (const double[]){0, 0}, 2, 0);
    mls_graph_line(&grid, mls_grid_rect(&grid), MLS_STYLE_BAR,
                   (const double[]){(double)NAN, (double)INFINITY}, 2, 0, 5);
    mls_graph_columns(&grid, mls_grid_rect(&grid), MLS_STYLE_BAR, numbers, 0, 5);
    assert_string_equal(text_of(&grid), "\n");
    mls_grid_done(&grid);
}

static void parts_of_a_bar_fill_it(void **state)
{
    (void)state;
    struct mls_grid grid = {.columns = 0};
    const struct mls_bar_part parts[] = {
        {1, MLS_STYLE_PART_1, 'a'}, {2, MLS_STYLE_PART_2, 'b'}, {1, MLS_STYLE_PART_3, 'c'}};
    assert_true(mls_grid_resize(&grid, 8, 1));
    mls_graph_bar(&grid, 0, 0, 8, parts, 3, 0);
    assert_string_equal(text_of(&grid), "aabbbbcc\n");
    mls_graph_bar(&grid, 0, 0, 8, parts, 3, 8);
    assert_string_equal(text_of(&grid), "abbc····\n");
    mls_grid_done(&grid);
}

static void times_have_three_digits_and_a_unit(void **state)
{
    (void)state;
    char text[MLS_DATUM_TEXT_BYTES];
    const struct {
        double ns;
        const char *text;
    } times[] = {{0, "0 ns"},        {999, "999 ns"}, {999.6, "1.00 µs"}, {1234, "1.23 µs"},
                 {12345, "12.3 µs"}, {5e8, "500 ms"}, {1.5e9, "1.50 s"},  {1e13, "10000 s"}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)

        assert_string_equal(mls_time_format(times[i].ns, text), times[i].text);
    assert_string_equal(mls_bytes_format(1048576, text), "1.00 MiB");
    assert_string_equal(mls_share_format(0.0001, text), "<0.1 %");
    assert_string_equal(mls_share_format(0, text), "0.0 %");
    assert_string_equal(mls_time_format((double)NAN, text), "-");
}

static void prompts_edit_whole_characters(void **state)
{
    (void)state;
    struct mls_prompt prompt;
    mls_prompt_set(&prompt, "aµ");
    assert_true(mls_prompt_key(&prompt, MLS_KEY_BACKSPACE));
    assert_string_equal(prompt.text, "a");
    mls_prompt_key(&prompt, 0x5c64);
    mls_prompt_key(&prompt, MLS_KEY_LEFT);
    mls_prompt_key(&prompt, 'b');
    assert_string_equal(prompt.text, "ab層");
    mls_prompt_key(&prompt, MLS_KEY_END);
    mls_prompt_key(&prompt, MLS_KEY_CONTROL('w'));
    assert_string_equal(prompt.text, "");
    mls_prompt_key(&prompt, MLS_KEY_BACKSPACE);
    mls_prompt_key(&prompt, MLS_KEY_DELETE);
    assert_false(mls_prompt_key(&prompt, MLS_KEY_F1));
    assert_int_equal(prompt.length_bytes, 0);
}

static void prompts_stop_when_they_are_full(void **state)
{
    (void)state;
    struct mls_prompt prompt;
    mls_prompt_set(&prompt, "");
    for (int i = 0; i < 1000; i++)
        mls_prompt_key(&prompt, 0x5c64);
    assert_int_equal(prompt.length_bytes, (MLS_PROMPT_BYTES - 1) / 3 * 3);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(braille_shows_two_numbers_a_column),
        cmocka_unit_test(ascii_shows_one_number_a_column),
        cmocka_unit_test(the_oldest_numbers_are_left_out),
        cmocka_unit_test(columns_grow_over_lines),
        cmocka_unit_test(nothing_to_scale_by_draws_nothing),
        cmocka_unit_test(parts_of_a_bar_fill_it),
        cmocka_unit_test(times_have_three_digits_and_a_unit),
        cmocka_unit_test(prompts_edit_whole_characters),
        cmocka_unit_test(prompts_stop_when_they_are_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
