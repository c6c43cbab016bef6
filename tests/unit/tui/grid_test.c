#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "term/grid.h"

/* The screen as text; static, until the next call. */
static const char *text_of(const struct mls_grid *grid)
{
    static char text[4096];
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_non_null(file);
    assert_true(mls_grid_write(grid, file));
    fclose(file);
    return text;
}

static struct mls_grid make(int columns, int rows)
{
    struct mls_grid grid = {.columns = 0};
    assert_true(mls_grid_resize(&grid, columns, rows));
    return grid;
}

static void long_text_ends_in_an_ellipsis(void **state)
{
    (void)state;
    struct mls_grid grid = make(10, 1);
    assert_int_equal(mls_grid_text(&grid, 1, 0, 5, MLS_STYLE_NORMAL, "abcdefgh"), 5);
    assert_string_equal(text_of(&grid), " abcd…\n");
    mls_grid_done(&grid);
}

static void text_that_fits_is_left_alone(void **state)
{
    (void)state;
    struct mls_grid grid = make(10, 1);
    mls_grid_text(&grid, 0, 0, 5, MLS_STYLE_NORMAL, "abcde");
    assert_string_equal(text_of(&grid), "abcde\n");
    mls_grid_done(&grid);
}

static void a_wide_character_is_never_cut_in_half(void **state)
{
    (void)state;
    struct mls_grid grid = make(4, 1);
    mls_grid_text(&grid, 0, 0, 4, MLS_STYLE_NORMAL, "a層層層");
    assert_string_equal(text_of(&grid), "a層…\n");
    mls_grid_clear(&grid);
    mls_grid_put(&grid, 3, 0, MLS_STYLE_NORMAL, 0x5c64);
    assert_string_equal(text_of(&grid), "\n");
    mls_grid_done(&grid);
}

static void drawing_outside_changes_nothing(void **state)
{
    (void)state;
    struct mls_grid grid = make(3, 2);
    mls_grid_put(&grid, -1, 0, MLS_STYLE_NORMAL, 'x');
    mls_grid_put(&grid, 3, 0, MLS_STYLE_NORMAL, 'x');
    mls_grid_text(&grid, 0, 2, 3, MLS_STYLE_NORMAL, "xxx");
    mls_grid_fill(&grid, (struct mls_rect){-5, -5, 4, 4}, MLS_STYLE_NORMAL, 'x');
    mls_grid_restyle(&grid, (struct mls_rect){2, 1, 9, 9}, MLS_STYLE_BAD);
    assert_string_equal(text_of(&grid), "\n\n");
    mls_grid_done(&grid);
}

static void wrapping_breaks_at_blanks_and_counts_lines(void **state)
{
    (void)state;
    struct mls_grid grid = make(8, 3);
    struct mls_rect rect = mls_grid_rect(&grid);
    assert_int_equal(mls_grid_wrap(&grid, rect, MLS_STYLE_NORMAL, "one two three abcdefghijk"), 4);
    assert_string_equal(text_of(&grid), "one two\nthree\nabcdefgh\n");
    mls_grid_done(&grid);
}

static void ascii_grids_hold_ascii_only(void **state)
{
    (void)state;
    struct mls_grid grid = make(12, 1);
    grid.ascii = true;
    mls_grid_text(&grid, 0, 0, 12, MLS_STYLE_NORMAL, "1 µs ▸ 層 █");
    assert_string_equal(text_of(&grid), "1 us > ? #\n");
    mls_grid_done(&grid);
}

static void right_alignment_ends_at_the_edge(void **state)
{
    (void)state;
    struct mls_grid grid = make(8, 1);
    mls_grid_right(&grid, 0, 0, 8, MLS_STYLE_NORMAL, "1.2 µs");
    assert_string_equal(text_of(&grid), "  1.2 µs\n");
    mls_grid_done(&grid);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_text_ends_in_an_ellipsis),
        cmocka_unit_test(text_that_fits_is_left_alone),
        cmocka_unit_test(a_wide_character_is_never_cut_in_half),
        cmocka_unit_test(drawing_outside_changes_nothing),
        cmocka_unit_test(wrapping_breaks_at_blanks_and_counts_lines),
        cmocka_unit_test(ascii_grids_hold_ascii_only),
        cmocka_unit_test(right_alignment_ends_at_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
