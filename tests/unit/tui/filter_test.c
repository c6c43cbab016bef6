#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_rows.h"
#include "widget/filter.h"

/* Which of the five rows match, as a string of digits; "!" for an expression that is wrong. */
static const char *matches(const char *expression)
{
    static char text[16];
    struct mls_rows rows = fake_rows_make();
    struct mls_filter filter;
    if (!mls_filter_parse(expression, rows.columns, rows.n_columns, &filter, NULL))
        return "!";
    size_t n = 0;
    for (size_t row = 0; row < rows.n_rows; row++)
        if (mls_filter_matches(&filter, &rows, row))
            text[n++] = (char)('0' + row);
    text[n] = '\0';
    return text;
}

static void nothing_matches_everything(void **state)
{
    (void)state;
    assert_string_equal(matches(""), "01234");
    assert_string_equal(matches("   "), "01234");
}

static void numbers_know_their_units(void **state)
{
    (void)state;
    assert_string_equal(matches("time>=1ms"), "02");
    assert_string_equal(matches("time>999us"), "02");
    assert_string_equal(matches("mean<600us"), "13");
    assert_string_equal(matches("time=500000"), "13");
    assert_string_equal(matches("share>=25%"), "02");
    assert_string_equal(matches("size>=1MiB"), "2");
    assert_string_equal(matches("#=3"), "3");
}

static void texts_compare_without_case(void **state)
{
    (void)state;
    assert_string_equal(matches("type=CONV"), "02");
    assert_string_equal(matches("type!=conv"), "134");
    assert_string_equal(matches("name~stem"), "01");
    assert_string_equal(matches("name!~E"), "3");
    assert_string_equal(matches("name~head"), "2");
}

static void plain_text_looks_into_every_text(void **state)
{
    (void)state;
    assert_string_equal(matches("conv"), "02");
    assert_string_equal(matches("Conv"), "");
    assert_string_equal(matches("\"two words\""), "3");
    assert_string_equal(matches("'two words'"), "3");
}

static void terms_combine(void **state)
{
    (void)state;
    assert_string_equal(matches("type=conv time>1ms"), "0");
    assert_string_equal(matches("type=conv and time>1ms"), "0");
    assert_string_equal(matches("type=relu or type=add"), "13");
    assert_string_equal(matches("type=conv time>1ms or type=add"), "03");
    assert_string_equal(matches("type=conv (time>1ms or name=head)"), "02");
    assert_string_equal(matches("!type=conv"), "134");
    assert_string_equal(matches("not (type=conv or add)"), "14");
    assert_string_equal(matches("!!conv"), "02");
}

static void unknown_values_match_no_comparison(void **state)
{
    (void)state;
    assert_string_equal(matches("time>=0"), "0123");
    assert_string_equal(matches("time!=1ms"), "0134");
}

static void wrong_expressions_say_where(void **state)
{
    (void)state;
    const struct {
        const char *expression;
        size_t position;
    } wrong[] = {{"tme>1ms", 0},  {"type=conv time>1parsec", 15},
                 {"time>", 5},    {"(conv", 0},
                 {"conv)", 4},    {"name=\"open", 5},
                 {"conv or", 7},  {"time>x", 5},
                 {"share>1ms", 6}};
    struct mls_rows rows = fake_rows_make();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct mls_filter filter = {.n_nodes = 7};
        struct mls_filter_error error = {0};
        assert_false(mls_filter_parse(wrong[i].expression, rows.columns, rows.n_columns, &filter, &error));
        assert_int_equal(error.position, wrong[i].position);
        assert_non_null(error.reason);
        assert_int_equal(filter.n_nodes, 7);
    }
}

static void depth_and_length_have_limits(void **state)
{
    (void)state;
    char deep[200], wide[600];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_string_equal(matches(deep), "!");
    memset(deep, '!', sizeof deep - 1);
    assert_string_equal(matches(deep), "!");
    for (size_t i = 0; i + 2 < sizeof wide; i += 2)
        memcpy(wide + i, "a ", 3);
    assert_string_equal(matches(wide), "!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_matches_everything),
        cmocka_unit_test(numbers_know_their_units),
        cmocka_unit_test(texts_compare_without_case),
        cmocka_unit_test(plain_text_looks_into_every_text),
        cmocka_unit_test(terms_combine),
        cmocka_unit_test(unknown_values_match_no_comparison),
        cmocka_unit_test(wrong_expressions_say_where),
        cmocka_unit_test(depth_and_length_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
