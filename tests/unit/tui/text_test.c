#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "term/text.h"

static void assert_characters(const char *text, const uint32_t *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(mls_text_next(&text), expected[i]);
    assert_int_equal(mls_text_next(&text), 0);
}

static void control_characters_become_question_marks(void **state)
{
    (void)state;
    assert_characters("a\033[2J\x7f", (const uint32_t[]){'a', '?', '[', '2', 'J', '?'}, 6);
    assert_characters("\xc2\x9b", (const uint32_t[]){'?'}, 1); /* the one-byte CSI */
}

static void bytes_that_are_no_utf8_become_question_marks(void **state)
{
    (void)state;
    assert_characters("\xff\xc0\xafz", (const uint32_t[]){'?', '?', '?', 'z'}, 4);
    assert_characters("\xed\xa0\x80", (const uint32_t[]){'?'}, 1);     /* a surrogate */
    assert_characters("\xf4\x90\x80\x80", (const uint32_t[]){'?'}, 1); /* above the last code point */
    assert_characters("\xe2\x82", (const uint32_t[]){'?', '?'}, 2);    /* cut at the end */
}

static void direction_overrides_become_question_marks(void **state)
{
    (void)state;
    assert_characters("a\u202eb\u2066", (const uint32_t[]){'a', '?', 'b', '?'}, 4);
}

static void wide_characters_take_two_columns(void **state)
{
    (void)state;
    assert_int_equal(mls_text_columns("ab"), 2);
    assert_int_equal(mls_text_columns("µs"), 2);
    assert_int_equal(mls_text_columns("層x"), 3);
    assert_int_equal(mls_text_columns("e\u0301"), 1);
}

static void encoding_undoes_decoding(void **state)
{
    (void)state;
    const uint32_t characters[] = {'a', 0xb5, 0x20ac, 0x1f600};
    for (size_t i = 0; i < 4; i++) {
        char bytes[5] = "";
        const char *at = bytes;
        mls_char_encode(characters[i], bytes);
        assert_int_equal(mls_text_next(&at), characters[i]);
    }
}

static void ascii_stand_ins_are_ascii(void **state)
{
    (void)state;
    assert_int_equal(mls_char_ascii(0x2588), '#');
    assert_int_equal(mls_char_ascii(0x5c64), '?');
    for (uint32_t character = 0x80; character < 0x3000; character++)
        assert_in_range(mls_char_ascii(character), 0x20, 0x7e);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(bytes_that_are_no_utf8_become_question_marks),
        cmocka_unit_test(direction_overrides_become_question_marks),
        cmocka_unit_test(wide_characters_take_two_columns),
        cmocka_unit_test(encoding_undoes_decoding),
        cmocka_unit_test(ascii_stand_ins_are_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
