/* Numbers and tables for people. */
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/text.h"

static void durations_carry_the_unit_that_fits(void **state)
{
    (void)state;
    char text[MLS_TEXT_BYTES];
    assert_string_equal(mls_text_duration(0, true, text), "0 ns");
    assert_string_equal(mls_text_duration(999, true, text), "999 ns");
    assert_string_equal(mls_text_duration(1000, true, text), "1.00 us");
    assert_string_equal(mls_text_duration(12345, false, text), "12.3 µs");
    assert_string_equal(mls_text_duration(999600, true, text), "1.00 ms");
    assert_string_equal(mls_text_duration(123456789, true, text), "123 ms");
    assert_string_equal(mls_text_duration(61000000000, true, text), "61.0 s");
}

static void sizes_are_in_powers_of_two(void **state)
{
    (void)state;
    char text[MLS_TEXT_BYTES];
    assert_string_equal(mls_text_size(0, text), "0 B");
    assert_string_equal(mls_text_size(1023, text), "1.00 KiB");
    assert_string_equal(mls_text_size(3 << 20, text), "3.00 MiB");
}

static void counts_are_in_powers_of_ten(void **state)
{
    (void)state;
    char text[MLS_TEXT_BYTES];
    assert_string_equal(mls_text_count(999, text), "999");
    assert_string_equal(mls_text_count(1500000, text), "1.50 M");
}

static void check_safe(const char *text, bool ascii, const char *expected)
{
    char *safe = mls_text_safe(text, ascii);
    assert_string_equal(safe, expected);
    free(safe);
}

static void strangers_text_becomes_safe(void **state)
{
    (void)state;
    check_safe("a\033[2Jb\n", false, "a?[2Jb?");
    check_safe("\xc3\xbc\xff", false, "\xc3\xbc?");
    check_safe("\xc3\xbc", true, "?");
    check_safe("\xed\xa0\x80", false, "???"); /* a surrogate */
    check_safe("\xc2\x9b", false, "??");      /* the control sequence introducer in one character */
    check_safe("cut \xe2\x82", false, "cut ??");
}

static bool append(void *user, const char *bytes, size_t length)
{
    strncat(user, bytes, length);
    return true;
}

static void columns_align_and_long_cells_are_cut(void **state)
{
    (void)state;
    static const struct mls_column columns[] = {
        {.title = "n", .right = true}, {.title = "name", .max_width = 6}, {.title = "x"}};
    struct mls_table *table = mls_table_create(columns, 3, false);
    mls_table_cell(table, "%d", 5);
    mls_table_cell(table, "%s", "münchen");
    mls_table_cell(table, "%s", "a");
    mls_table_cell(table, "%d", 12);
    mls_table_cell(table, "%s", "ok");
    mls_table_cell(table, "%s", "");
    char text[256] = "";
    const struct mls_writer writer = {.user = text, .write = append};
    assert_true(mls_table_write(table, 0, false, &writer));
    assert_string_equal(text, " n  name    x\n 5  münch…  a\n12  ok      \n");
    mls_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_carry_the_unit_that_fits),   cmocka_unit_test(sizes_are_in_powers_of_two),
        cmocka_unit_test(counts_are_in_powers_of_ten),          cmocka_unit_test(strangers_text_becomes_safe),
        cmocka_unit_test(columns_align_and_long_cells_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
