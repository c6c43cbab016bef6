/* Pasted logs: each literal text is recognised, wrappers stand below causes, and nothing is guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule.h"

static struct mls_report *read_log(const char *text)
{
    struct mls_report *report = NULL;
    assert_int_equal(mls_diagnose_log(text, strlen(text), NULL, &report, NULL), MLS_OK);
    return report;
}

static const struct mls_finding *find(const struct mls_report *report, const char *id)
{
    for (size_t i = 0; i < report->n_findings; i++) {
        if (strcmp(report->findings[i].id, id) == 0)
            return &report->findings[i];
    }
    return NULL;
}

/* Copies the pattern at *at up to its end, with digits in place of each ellipsis, and moves *at behind it. */
static void take_pattern(const char **at, char *text, size_t size)
{
    size_t n = 0;
    while (**at != '\0' && **at != '\n' && n + 1 < size) {
        if (strncmp(*at, "…", strlen("…")) == 0) {
            text[n++] = '7';
            *at += strlen("…");
        } else {
            text[n++] = *(*at)++;
        }
    }
    text[n] = '\0';
    *at += **at == '\n';
}

static void every_pattern_is_recognised(void **state)
{
    (void)state;
    const struct mls_rule *rule;
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++) {
        for (const char *at = rule->patterns; at != NULL && *at != '\0';) {
            char line[512];
            char log[700];
            take_pattern(&at, line, sizeof(line));
            snprintf(log, sizeof(log), "2026-11-21 app[17] hello\n  %s (x)\n", line);
            struct mls_report *report = read_log(log);
            const struct mls_finding *finding = find(report, rule->id);
            if (finding == NULL)
                fail_msg("%s does not recognise: %s", rule->id, line);
            assert_int_equal(finding->matched_line, 2);
            mls_report_free(report);
        }
    }
}

static void an_innocent_log_gives_nothing(void **state)
{
    (void)state;
    struct mls_report *report = read_log("loading model\nloaded in 12 ms\nprediction 1 done\n");
    assert_int_equal(report->n_findings, 0);
    assert_int_equal(report->n_not_understood, 0);
    assert_int_equal(report->n_lines, 3);
    assert_non_null(strstr(report->summary, "nothing recognised in 3 lines"));
    mls_report_free(report);
}

static void causes_stand_before_wrappers(void **state)
{
    (void)state;
    struct mls_report *report =
        read_log("Failed to build the model execution plan using a model architecture file '/x/model.mil' "
                 "with error code: -14.\n"
                 "resources.bin missing at file:///x/com.apple.e5rt.e5bundlecache/y\n");
    assert_int_equal(report->n_findings, 2);
    assert_string_equal(report->findings[0].id, "LOAD036");
    assert_string_equal(report->findings[1].id, "LOAD031");
    mls_report_free(report);
}

static void a_wrapper_alone_is_called_one(void **state)
{
    (void)state;
    struct mls_report *report = read_log("Error computing NN outputs.\n");
    assert_string_equal(report->findings[0].id, "LOAD041");
    assert_non_null(strstr(report->summary, "only a wrapper"));
    mls_report_free(report);
}

static void repeated_lines_are_counted_once(void **state)
{
    (void)state;
    struct mls_report *report = read_log("a\nvalue type not convertible\nvalue type not convertible\r\n");
    assert_int_equal(report->n_findings, 1);
    assert_int_equal(report->findings[0].matched_line, 2);
    assert_string_equal(report->findings[0].evidence[1], "1 more line says the same");
    mls_report_free(report);
}

static void an_unknown_error_is_listed(void **state)
{
    (void)state;
    struct mls_report *report = read_log("fine\nError: the moon is in the wrong house\n");
    assert_int_equal(report->n_findings, 0);
    assert_int_equal(report->n_not_understood, 1);
    assert_string_equal(report->not_understood[0], "line 2: Error: the moon is in the wrong house");
    mls_report_free(report);
}

static void control_characters_do_not_come_through(void **state)
{
    (void)state;
    struct mls_report *report = read_log("\x1b[2J Error: \xff\xc2\x9b bad\n");
    assert_string_equal(report->not_understood[0], "line 1: ?[2J Error: ??? bad");
    mls_report_free(report);
}

static void an_empty_log_is_read(void **state)
{
    (void)state;
    struct mls_report *report = read_log("");
    assert_int_equal(report->n_lines, 0);
    mls_report_free(report);
}

static void any_bytes_are_read(void **state)
{
    (void)state;
    enum { N_BYTES = 20000 };
    char *bytes = malloc(N_BYTES);
    assert_non_null(bytes);
    uint32_t random = 1;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < N_BYTES; i++) {
            random = random * 1664525 + 1013904223;
            bytes[i] = (char)(random >> 24);
        }
        struct mls_report *report = NULL;
        assert_int_equal(mls_diagnose_log(bytes, N_BYTES, NULL, &report, NULL), MLS_OK);
        mls_report_free(report);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_is_recognised),
        cmocka_unit_test(an_innocent_log_gives_nothing),
        cmocka_unit_test(causes_stand_before_wrappers),
        cmocka_unit_test(a_wrapper_alone_is_called_one),
        cmocka_unit_test(repeated_lines_are_counted_once),
        cmocka_unit_test(an_unknown_error_is_listed),
        cmocka_unit_test(control_characters_do_not_come_through),
        cmocka_unit_test(an_empty_log_is_read),
        cmocka_unit_test(any_bytes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
