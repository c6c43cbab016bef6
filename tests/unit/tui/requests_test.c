#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/requests.h"

static void every_key_is_known_and_bound_once(void **state)
{
    (void)state;
    struct mls_keymap keymap;
    assert_true(mls_keymap_default(&keymap)); /* refuses unknown and doubled keys */
    for (size_t i = 0; i < keymap.n_bindings; i++)
        assert_int_equal(mls_keymap_find(&keymap, keymap.bindings[i].key), keymap.bindings[i].request);
}

static void every_request_has_a_name_of_its_own_a_key_and_help(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MLS_REQUEST_COUNT; i++) {
        const struct mls_request_info *info = mls_request_info((enum mls_request)i);
        assert_int_equal(mls_request_find(info->name), i);
        assert_true(info->keys[0] && info->help[0] && info->where);
    }
    assert_int_equal(mls_request_find("no-such-request"), MLS_REQUEST_NONE);
}

static void names_of_keys_read_back(void **state)
{
    (void)state;
    struct mls_keymap keymap;
    char name[MLS_KEY_NAME_BYTES];
    assert_true(mls_keymap_default(&keymap));
    for (size_t i = 0; i < keymap.n_bindings; i++) {
        mls_keycode key;
        mls_key_format(keymap.bindings[i].key, name);
        assert_true(mls_key_parse_name(name, strlen(name), &key));
        assert_int_equal(key, keymap.bindings[i].key);
    }
}

static void words_are_no_keys(void **state)
{
    (void)state;
    mls_keycode key;
    assert_false(mls_key_parse_name("down", 0, &key));
    assert_false(mls_key_parse_name("qq", 2, &key));
    assert_false(mls_key_parse_name("Ctrl-1", 6, &key));
    assert_false(mls_key_parse_name("\xff", 1, &key) && key != '?');
    assert_true(mls_key_parse_name("µ", strlen("µ"), &key));
    assert_int_equal(key, 0xb5);
}

static void upper_case_acts_as_lower_case_where_it_is_free(void **state)
{
    (void)state;
    struct mls_keymap keymap;
    assert_true(mls_keymap_default(&keymap));
    assert_int_equal(mls_keymap_find(&keymap, 'J'), MLS_REQUEST_DOWN);
    assert_int_equal(mls_keymap_find(&keymap, 'G'), MLS_REQUEST_LAST);
    assert_int_equal(mls_keymap_find(&keymap, 0x20ac), MLS_REQUEST_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_known_and_bound_once),
        cmocka_unit_test(every_request_has_a_name_of_its_own_a_key_and_help),
        cmocka_unit_test(names_of_keys_read_back),
        cmocka_unit_test(words_are_no_keys),
        cmocka_unit_test(upper_case_acts_as_lower_case_where_it_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
