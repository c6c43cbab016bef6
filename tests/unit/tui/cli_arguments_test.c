/* The command line as data. */
#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"

enum { WORDS_MAX = 16 };

/* Parses words that blanks separate. */
static enum mls_status parse(const char *line, struct arguments *arguments, struct mls_error *error)
{
    static char text[256];
    char *words[WORDS_MAX] = {0}, *rest = NULL;
    int n = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok_r(text, " ", &rest); word && n < WORDS_MAX - 1;
         word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    return arguments_parse(n, words, arguments, error);
}

static void refused(const char *line, const char *why, const char *hint)
{
    struct arguments arguments;
    struct mls_error error;
    assert_int_equal(parse(line, &arguments, &error), MLS_ERR_USAGE);
    assert_string_equal(error.text, why);
    assert_string_equal(error.hint, hint);
    arguments_free(&arguments);
}

static void values_come_after_a_blank_or_an_equals_sign(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(parse("mlscope profile --runs=5 m --warmup 7 -t3", &arguments, NULL), MLS_OK);
    assert_int_equal(arguments.verb, VERB_profile);
    assert_string_equal(arguments.operand, "m");
    assert_string_equal(arguments_text(&arguments, OPTION_RUNS), "5");
    assert_string_equal(arguments_text(&arguments, OPTION_WARMUP), "7");
    assert_string_equal(arguments_text(&arguments, OPTION_THREADS), "3");
    arguments_free(&arguments);
}

static void without_a_command_the_screen_opens_the_model(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(parse("mlscope some.mlpackage", &arguments, NULL), MLS_OK);
    assert_int_equal(arguments.verb, VERB_screen);
    assert_false(arguments.help);
    arguments_free(&arguments);
}

static void short_options_stand_together(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(parse("mlscope inspect -qj m", &arguments, NULL), MLS_OK);
    assert_true(arguments_has(&arguments, OPTION_QUIET));
    assert_true(arguments_has(&arguments, OPTION_JSON));
    arguments_free(&arguments);
}

static void after_two_dashes_nothing_is_an_option(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(parse("mlscope run -- --json", &arguments, NULL), MLS_OK);
    assert_string_equal(arguments.operand, "--json");
    arguments_free(&arguments);
}

static void repeatable_options_may_come_again(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(parse("mlscope run m --input a=1 --input b=2", &arguments, NULL), MLS_OK);
    assert_int_equal(arguments.n_given, 2);
    arguments_free(&arguments);
}

static void other_options_may_not(void **state)
{
    (void)state;
    refused("mlscope profile m --runs 1 --runs 2", "option --runs was given twice", "");
}

static void wrong_names_get_the_nearest_right_one(void **state)
{
    (void)state;
    refused("mlscope profile m --runz 5", "unknown option --runz", "did you mean --runs?");
    refused("mlscope profile m --warm 5", "unknown option --warm", "did you mean --warmup?");
    refused("mlscope profile m --zzzzzz", "unknown option --zzzzzz",
            "mlscope profile --help lists the options");
    refused("mlscope profle m", "unexpected argument 'm'", "did you mean mlscope profile?");
}

static void abbreviations_are_not_allowed(void **state)
{
    (void)state;
    refused("mlscope profile m --run 5", "unknown option --run", "did you mean --runs?");
}

static void options_belong_to_their_commands(void **state)
{
    (void)state;
    refused("mlscope run m --trace f", "option --trace does not belong to run",
            "mlscope run --help lists the options");
}

static void values_are_there_where_they_belong(void **state)
{
    (void)state;
    refused("mlscope run m --json=1", "option --json takes no value", "");
    refused("mlscope run m --input", "option --input needs a value", "give it as --input NAME=FILE");
}

static void numbers_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"-1", "x", "1.5", "99999999999999999999", "11", "+1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[64];
        struct arguments arguments;
        uint64_t value = 42;
        snprintf(line, sizeof line, "mlscope profile m --runs=%s", wrong[i]);
        assert_int_equal(parse(line, &arguments, NULL), MLS_OK);
        assert_int_equal(arguments_count(&arguments, OPTION_RUNS, 1, 10, &value, NULL), MLS_ERR_USAGE);
        assert_int_equal(value, 42);
        arguments_free(&arguments);
    }
}

static void seconds_are_numbers_that_are_not_negative(void **state)
{
    (void)state;
    static const char *const wrong[] = {"-1", "nan", "inf", "1s"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[64];
        struct arguments arguments;
        double value = 1;
        snprintf(line, sizeof line, "mlscope profile m --delay=%s", wrong[i]);
        assert_int_equal(parse(line, &arguments, NULL), MLS_OK);
        assert_int_equal(arguments_number(&arguments, OPTION_DELAY, &value, NULL), MLS_ERR_USAGE);
        arguments_free(&arguments);
    }
}

static void every_option_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        for (size_t j = i + 1; j < OPTION_COUNT; j++) {
            assert_string_not_equal(option_rows[i].name, option_rows[j].name);
            assert_true(!option_rows[i].letter || option_rows[i].letter != option_rows[j].letter);
        }
        assert_true(option_rows[i].help[0] && option_rows[i].verbs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_after_a_blank_or_an_equals_sign),
        cmocka_unit_test(without_a_command_the_screen_opens_the_model),
        cmocka_unit_test(short_options_stand_together),
        cmocka_unit_test(after_two_dashes_nothing_is_an_option),
        cmocka_unit_test(repeatable_options_may_come_again),
        cmocka_unit_test(other_options_may_not),
        cmocka_unit_test(wrong_names_get_the_nearest_right_one),
        cmocka_unit_test(abbreviations_are_not_allowed),
        cmocka_unit_test(options_belong_to_their_commands),
        cmocka_unit_test(values_are_there_where_they_belong),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(seconds_are_numbers_that_are_not_negative),
        cmocka_unit_test(every_option_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
