/*
 * The list of symptoms against the rules: every id has a rule that can decide it in the way that the list
 * says. With the environment variable MLS_SYMPTOMS_TABLE, the verdicts are written there as a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule.h"

enum { LINE_BYTES = 8192, CELLS = 7, SYMPTOMS = 135 };

/* "| LOAD001 | pkg | symptom | cause | decide | fix | source |" into cells; false when the line is none. */
static bool read_row(char *line, char *cells[CELLS])
{
    size_t n = 0;
    if (strncmp(line, "| ", 2) != 0)
        return false;
    for (char *at = line + 1, *bar; n < CELLS && (bar = strchr(at, '|')); at = bar + 1) {
        while (*at == ' ')
            at++;
        char *end = bar;
        while (end > at && end[-1] == ' ')
            end--;
        *end = '\0';
        cells[n++] = at;
    }
    size_t letters = n ? strspn(cells[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
    return n == CELLS && letters >= 3 && strlen(cells[0]) == letters + 3 &&
           isdigit((unsigned char)cells[0][letters]);
}

static const struct mls_rule *find_rule(const char *id)
{
    const struct mls_rule *rule;
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++)
        if (strcmp(rule->id, id) == 0)
            return rule;
    return NULL;
}

/* Ways of the list: from bytes (S), from a run (R), from a log (L), advice (A). */
static bool says(const char *decide, char way)
{
    for (const char *at = decide; *at; at++)
        if (*at == way && (at == decide || at[-1] == ' ' || at[-1] == '/') &&
            !isalnum((unsigned char)at[1]) && at[1] != ' ')
            return true;
    return false;
}

static void every_symptom_has_a_rule_that_can_decide_it(void **state)
{
    (void)state;
    const char *table_path = getenv("MLS_SYMPTOMS_TABLE");
    char line[LINE_BYTES], *cells[CELLS];
    FILE *list = fopen(MLS_SHARED "/reference/symptoms.md", "r");
    if (!list)
        skip();
    FILE *table = table_path ? fopen(table_path, "w") : NULL;
    unsigned n = 0, from_facts = 0, from_logs = 0, failed = 0;
    if (table)
        fprintf(table, "| id | list says | rule decides by | tested by | verdict |\n|---|---|---|---|---|\n");
    while (fgets(line, sizeof line, list)) {
        if (!read_row(line, cells))
            continue;
        const struct mls_rule *rule = find_rule(cells[0]);
        bool failure = rule && (rule->statuses[0] != MLS_OK || rule->cause != MLS_CAUSE_NONE);
        bool facts = rule && rule->assess, log = rule && rule->patterns, advice = rule && rule->beside;
        bool wants_facts = says(cells[4], 'S') || says(cells[4], 'R'), wants_log = says(cells[4], 'L');
        /* Any of the ways that the list names will do, and for wrappers a log beside a run; distinct values
         * (COMP006) matter only to who asked for `unique`. */
        bool good = rule && ((wants_facts && (facts || failure)) || (wants_log && log) ||
                             (says(cells[4], 'A') && (facts || log || advice)) ||
                             (log && (rule->confirm || strcmp(rule->id, "COMP006") == 0)));
        n++;
        from_facts += facts || failure;
        from_logs += log;
        failed += !good;
        if (!good)
            print_error("%s: the list decides it by \"%.60s\"\n", cells[0], cells[4]);
        if (table)
            fprintf(table, "| %s | %.1s%s%s | %s%s%s%s | %s%s | %s |\n", cells[0],
                    wants_facts ? "SR"
                    : wants_log ? "L"
                                : "A",
                    wants_facts && says(cells[4], 'R') ? " R" : "", wants_facts && wants_log ? " L" : "",
                    facts ? "facts " : "", failure ? "failure " : "", log ? "log " : "",
                    advice ? "advice" : "", facts || failure || advice ? "rules_test " : "",
                    log ? "log_test" : "", good ? "yes" : "NO");
    }
    fclose(list);
    if (table)
        fclose(table);
    print_message("%u symptoms: %u from facts or failures, %u from logs\n", n, from_facts, from_logs);
    assert_int_equal(failed, 0);
    assert_int_equal(n, SYMPTOMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_symptom_has_a_rule_that_can_decide_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
