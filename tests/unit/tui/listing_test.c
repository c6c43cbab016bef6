#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_rows.h"
#include "widget/listing.h"

/* The rows in the order shown, as a string of digits. */
static const char *order(const struct mls_listing *list)
{
    static char text[16];
    for (size_t i = 0; i < list->n_order; i++)
        text[i] = (char)('0' + list->order[i]);
    text[list->n_order] = '\0';
    return text;
}

static struct mls_listing make(void)
{
    struct mls_listing list = {.sort_column = MLS_LISTING_RUN_ORDER};
    struct mls_rows rows = fake_rows_make();
    assert_true(mls_listing_update(&list, &rows));
    return list;
}

static void sort_by(struct mls_listing *list, int column)
{
    struct mls_rows rows = fake_rows_make();
    mls_listing_sort(list, &rows, column);
    assert_true(mls_listing_update(list, &rows));
}

static void ties_keep_run_order_and_unknown_stands_last(void **state)
{
    (void)state;
    struct mls_listing list = make();
    sort_by(&list, 1);
    assert_string_equal(order(&list), "02134");
    sort_by(&list, 1); /* the same column again turns it round */
    assert_string_equal(order(&list), "13204");
    mls_listing_done(&list);
}

static void texts_sort_from_a_to_z_first(void **state)
{
    (void)state;
    struct mls_listing list = make();
    sort_by(&list, 3);
    assert_string_equal(order(&list), "30214");
    mls_listing_done(&list);
}

static void the_selection_follows_its_row_only_when_asked(void **state)
{
    (void)state;
    struct mls_listing list = make();
    assert_true(mls_listing_select_row(&list, 2));
    list.follow = true;
    sort_by(&list, 1);
    assert_int_equal(list.selected_row, 2);
    assert_int_equal(list.selected, 1);
    list.follow = false;
    sort_by(&list, 4);
    assert_int_equal(list.selected, 0);
    mls_listing_done(&list);
}

static void filtering_keeps_a_valid_selection(void **state)
{
    (void)state;
    struct mls_listing list = make();
    struct mls_rows rows = fake_rows_make();
    mls_listing_move(&list, 100);
    assert_int_equal(list.selected_row, 4);
    assert_true(mls_filter_parse("type=conv", rows.columns, rows.n_columns, &list.filter, NULL));
    mls_listing_update(&list, &rows);
    assert_string_equal(order(&list), "02");
    assert_int_equal(list.selected_row, 2);
    assert_false(mls_listing_select_row(&list, 4));
    mls_listing_done(&list);
}

static void searching_goes_round_the_end(void **state)
{
    (void)state;
    struct mls_listing list = make();
    struct mls_rows rows = fake_rows_make();
    strcpy(list.search_text, "conv");
    assert_true(mls_listing_search(&list, &rows, 1, false));
    assert_int_equal(list.selected_row, 2);
    assert_true(mls_listing_search(&list, &rows, 1, false));
    assert_int_equal(list.selected_row, 0);
    assert_true(mls_listing_search(&list, &rows, -1, false));
    assert_int_equal(list.selected_row, 2);
    strcpy(list.search_text, "absent");
    assert_false(mls_listing_search(&list, &rows, 1, true));
    mls_listing_done(&list);
}

static void drawing_scrolls_to_the_selection(void **state)
{
    (void)state;
    struct mls_listing list = make();
    struct mls_rows rows = fake_rows_make();
    struct mls_grid grid = {.columns = 0};
    char text[512];
    assert_true(mls_grid_resize(&grid, 40, 3));
    mls_listing_move(&list, 3);
    mls_listing_draw(&list, &rows, &grid, mls_grid_rect(&grid), NULL, "");
    assert_int_equal(list.top, 2);
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_non_null(file);
    mls_grid_write(&grid, file);
    fclose(file);
    assert_string_equal(text, "   #     time  type      name\n"
                              "   2  1.00 ms  conv      Head\n"
                              "▸  3   500 µs  add       two words\n");
    mls_grid_done(&grid);
    mls_listing_done(&list);
}

static void drawing_survives_every_small_size(void **state)
{
    (void)state;
    struct mls_listing list = make();
    struct mls_rows rows = fake_rows_make();
    struct mls_grid grid = {.columns = 0};
    for (int columns = 1; columns < 60; columns++)
        for (int lines = 1; lines < 8; lines++) {
            assert_true(mls_grid_resize(&grid, columns, lines));
            mls_listing_draw(&list, &rows, &grid, mls_grid_rect(&grid), NULL, "");
        }
    mls_grid_done(&grid);
    mls_listing_done(&list);
}

/* 0 and 3 stand at the top, 1 and 2 under 0, 4 under 3. */
static size_t fake_parent(const void *user, size_t row)
{
    (void)user;
    static const size_t parents[] = {MLS_NO_ROW, 0, 0, MLS_NO_ROW, 3};
    return parents[row];
}

static struct mls_rows fake_tree(void)
{
    struct mls_rows rows = fake_rows_make();
    rows.parent = fake_parent;
    return rows;
}

static void a_tree_sorts_rows_of_one_parent(void **state)
{
    (void)state;
    struct mls_listing list = {.sort_column = MLS_LISTING_RUN_ORDER};
    struct mls_rows rows = fake_tree();
    assert_true(mls_listing_update(&list, &rows));
    assert_string_equal(order(&list), "01234");
    mls_listing_sort(&list, &rows, 1); /* time, largest first */
    assert_true(mls_listing_update(&list, &rows));
    assert_string_equal(order(&list), "02134");
    mls_listing_sort(&list, &rows, 1);
    assert_true(mls_listing_update(&list, &rows));
    assert_string_equal(order(&list), "34012");
    mls_listing_done(&list);
}

static void closed_rows_hide_what_stands_under_them(void **state)
{
    (void)state;
    struct mls_listing list = {.sort_column = MLS_LISTING_RUN_ORDER};
    struct mls_rows rows = fake_tree();
    assert_true(mls_listing_update(&list, &rows));
    mls_listing_toggle_all(&list, &rows);
    assert_string_equal(order(&list), "03");
    assert_true(mls_listing_set_closed(&list, &rows, false));
    assert_string_equal(order(&list), "0123");
    mls_listing_done(&list);
}

static void a_filter_keeps_the_parents_of_what_matches(void **state)
{
    (void)state;
    struct mls_listing list = {.sort_column = MLS_LISTING_RUN_ORDER};
    struct mls_rows rows = fake_tree();
    assert_true(mls_filter_parse("name~Head", rows.columns, rows.n_columns, &list.filter, NULL));
    assert_true(mls_listing_update(&list, &rows));
    assert_string_equal(order(&list), "02");
    mls_listing_done(&list);
}

static void marks_sum_up_and_count_a_tree_once(void **state)
{
    (void)state;
    struct mls_column columns[sizeof fake_columns / sizeof fake_columns[0]];
    memcpy(columns, fake_columns, sizeof columns);
    columns[1].sum = true;
    struct mls_listing list = {.sort_column = MLS_LISTING_RUN_ORDER};
    struct mls_rows rows = fake_rows_make();
    rows.columns = columns;
    assert_true(mls_listing_update(&list, &rows));
    mls_listing_mark(&list, &rows);
    mls_listing_move(&list, 2);
    mls_listing_mark(&list, &rows);
    assert_int_equal(list.n_marked, 2);
    assert_true(mls_listing_sum(&list, &rows, 1).number > 2.9e6 &&
                mls_listing_sum(&list, &rows, 1).number < 3.1e6);
    assert_int_equal(mls_listing_sum(&list, &rows, 2).kind, MLS_DATUM_NONE);
    mls_listing_unmark_all(&list);
    rows.parent = fake_parent;
    mls_listing_move(&list, -9);
    mls_listing_mark(&list, &rows);
    assert_int_equal(list.n_marked, 3);
    assert_true(mls_listing_sum(&list, &rows, 1).number < 2.1e6);
    mls_listing_done(&list);
}

static void columns_are_chosen_and_moved(void **state)
{
    (void)state;
    struct mls_listing list = make();
    struct mls_rows rows = fake_rows_make();
    char text[128];
    assert_true(mls_listing_set_columns(&list, &rows, "name, time"));
    assert_false(mls_listing_set_columns(&list, &rows, "name,nothing"));
    mls_listing_toggle_column(&list, &rows, 0);
    mls_listing_shift_column(&list, &rows, 0, -1);
    mls_listing_format_columns(&list, &rows, text, sizeof text);
    assert_string_equal(text, "name,#,time");
    mls_listing_toggle_column(&list, &rows, 0);
    mls_listing_toggle_column(&list, &rows, 1);
    mls_listing_toggle_column(&list, &rows, 4); /* the last one stays */
    mls_listing_format_columns(&list, &rows, text, sizeof text);
    assert_string_equal(text, "name");
    mls_listing_done(&list);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_sorts_rows_of_one_parent),
        cmocka_unit_test(closed_rows_hide_what_stands_under_them),
        cmocka_unit_test(a_filter_keeps_the_parents_of_what_matches),
        cmocka_unit_test(marks_sum_up_and_count_a_tree_once),
        cmocka_unit_test(columns_are_chosen_and_moved),
        cmocka_unit_test(ties_keep_run_order_and_unknown_stands_last),
        cmocka_unit_test(texts_sort_from_a_to_z_first),
        cmocka_unit_test(the_selection_follows_its_row_only_when_asked),
        cmocka_unit_test(filtering_keeps_a_valid_selection),
        cmocka_unit_test(searching_goes_round_the_end),
        cmocka_unit_test(drawing_scrolls_to_the_selection),
        cmocka_unit_test(drawing_survives_every_small_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
