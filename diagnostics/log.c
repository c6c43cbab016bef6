/* log.c: findings from a pasted log. The texts are the patterns of the rules; causes stand before wrappers.
 */
#include <string.h>

#include "rule.h"

#define LOG_BYTES_MAX ((size_t)64 << 20)
enum {
    LINE_BYTES_MAX = 16384, /* of a line, for matching */
    SHOWN_BYTES_MAX = 400,  /* of a line, in evidence */
    NOT_UNDERSTOOD_MAX = 20
};
static const char ELLIPSIS[] = "…";

/* Words that an error line has; only for telling which lines no rule understood. */
static const char *const ERROR_WORDS[] = {"rror",      "ailed",         "ailure",     "xception", "fatal",
                                          "Fatal",     "FATAL",         "cannot",     "Cannot",   "unable",
                                          "Unable",    "not supported", "nsupported", "abort",    "SIG",
                                          "Traceback", "Terminating",   "denied"};

/* Whether a line holds the pattern: its pieces between the ellipses, in this order. */
static bool pattern_matches(const char *pattern, size_t pattern_bytes, const char *line, size_t line_bytes)
{
    const size_t ellipsis_bytes = sizeof(ELLIPSIS) - 1;
    const char *end = pattern + pattern_bytes;
    bool any = false;
    while (pattern < end) {
        const char *next = memmem(pattern, (size_t)(end - pattern), ELLIPSIS, ellipsis_bytes);
        size_t piece_bytes = (size_t)((next != NULL ? next : end) - pattern);
        if (piece_bytes > 0) {
            const char *found = memmem(line, line_bytes, pattern, piece_bytes);
            if (found == NULL)
                return false;
            line_bytes -= (size_t)(found - line) + piece_bytes;
            line = found + piece_bytes;
            any = true;
        }
        pattern = next != NULL ? next + ellipsis_bytes : end;
    }
    return any;
}

bool rule_pattern_matches(const char *patterns, const char *line, size_t length_bytes)
{
    while (*patterns != '\0') {
        size_t bytes = strcspn(patterns, "\n");
        if (pattern_matches(patterns, bytes, line, length_bytes))
            return true;
        patterns += bytes;
        patterns += *patterns == '\n' ? 1 : 0;
    }
    return false;
}

/* What was matched for one rule. */
struct log_hit {
    const char *line; /* first one, in the caller's text */
    size_t length_bytes;
    size_t number; /* from 1 */
    size_t n_lines;
};

struct log_scan {
    struct report_builder builder;
    struct log_hit *hits; /* one for each rule */
    const char **not_understood;
    size_t n_not_understood;
    size_t n_lines;
};

static bool looks_like_error(const char *line, size_t length_bytes)
{
    for (size_t i = 0; i < sizeof(ERROR_WORDS) / sizeof(ERROR_WORDS[0]); i++) {
        if (memmem(line, length_bytes, ERROR_WORDS[i], strlen(ERROR_WORDS[i])) != NULL)
            return true;
    }
    return false;
}

static const char *shown_line(struct mls_store *store, const char *line, size_t length_bytes)
{
    return mls_store_text(store, line, length_bytes < SHOWN_BYTES_MAX ? length_bytes : SHOWN_BYTES_MAX);
}

static bool scan_line(struct log_scan *scan, const char *line, size_t length_bytes)
{
    scan->n_lines++;
    if (length_bytes > 0 && line[length_bytes - 1] == '\r')
        length_bytes--;
    if (length_bytes > LINE_BYTES_MAX)
        length_bytes = LINE_BYTES_MAX;
    bool understood = false;
    const struct mls_rule *rule;
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++) {
        if (rule->patterns == NULL || !rule_pattern_matches(rule->patterns, line, length_bytes))
            continue;
        understood = true;
        struct log_hit *hit = &scan->hits[i];
        if (hit->n_lines++ == 0) {
            hit->line = line;
            hit->length_bytes = length_bytes;
            hit->number = scan->n_lines;
        }
    }
    if (understood || !looks_like_error(line, length_bytes))
        return true;
    if (scan->n_not_understood < NOT_UNDERSTOOD_MAX) {
        const char *shown = shown_line(scan->builder.store, line, length_bytes);
        const char *text = shown == NULL
                               ? NULL
                               : mls_store_printf(scan->builder.store, "line %zu: %s", scan->n_lines, shown);
        if (text == NULL)
            return false;
        scan->not_understood[scan->n_not_understood] = text;
    }
    scan->n_not_understood++;
    return true;
}

static bool scan_text(struct log_scan *scan, const char *text, size_t length_bytes)
{
    const char *end = text + length_bytes;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline != NULL ? newline : end;
        if (!scan_line(scan, text, (size_t)(line_end - text)))
            return false;
        text = newline != NULL ? newline + 1 : end;
    }
    return true;
}

static bool add_findings(struct log_scan *scan, const struct mls_facts *facts, bool *ret_any_cause)
{
    const struct mls_rule *rule;
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++) {
        const struct log_hit *hit = &scan->hits[i];
        if (hit->n_lines == 0)
            continue;
        struct rule_case rule_case = report_case(&scan->builder, rule, facts, facts->interface);
        /* the log is of something that went wrong, whatever the rule says of a sound model */
        rule_case.finding.severity = MLS_SEVERITY_ERROR;
        rule_case.finding.matched_line = hit->number;
        rule_case.finding.matched_text = shown_line(scan->builder.store, hit->line, hit->length_bytes);
        if (rule_case.finding.matched_text == NULL)
            return false;
        rule_evidence(&rule_case, "line %zu: %s", hit->number, rule_case.finding.matched_text);
        if (hit->n_lines > 1)
            rule_evidence(&rule_case, "%zu more line%s the same", hit->n_lines - 1,
                          hit->n_lines == 2 ? " says" : "s say");
        if (rule->confirm != NULL)
            rule->confirm(&rule_case);
        *ret_any_cause = *ret_any_cause || !rule->wrapper;
        if (!report_add(&scan->builder, rule, &rule_case))
            return false;
    }
    return true;
}

static const char *summary_of(const struct log_scan *scan, bool any_cause)
{
    struct mls_store *store = scan->builder.store;
    size_t n = scan->builder.n_entries;
    if (n == 0)
        return mls_store_printf(
            store, "nothing recognised in %zu lines; %zu lines look like errors and match no rule",
            scan->n_lines, scan->n_not_understood);
    if (!any_cause)
        return mls_store_printf(
            store, "the log holds only a wrapper, a text that hides the cause: look at the lines before it");
    return mls_store_printf(
        store, "%zu rule%s recognised in %zu lines; %zu lines look like errors and match no rule", n,
        n == 1 ? "" : "s", scan->n_lines, scan->n_not_understood);
}

enum mls_status mls_diagnose_log(const char *text, size_t length_bytes, const struct mls_facts *facts,
                                 struct mls_report **ret_report, struct mls_error *reterr)
{
    static const struct mls_facts nothing = {0};

    if (length_bytes > LOG_BYTES_MAX)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot read the log: it has %zu bytes, more than %zu",
                        length_bytes, LOG_BYTES_MAX);
    struct log_scan scan = {0};
    bool any_cause = false;
    if (!report_begin(&scan.builder))
        goto out_of_memory;
    scan.hits = MLS_STORE_ARRAY(scan.builder.store, mls_rule_count(), struct log_hit);
    scan.not_understood = MLS_STORE_ARRAY(scan.builder.store, NOT_UNDERSTOOD_MAX, const char *);
    if (scan.hits == NULL || scan.not_understood == NULL || !scan_text(&scan, text, length_bytes) ||
        !add_findings(&scan, facts != NULL ? facts : &nothing, &any_cause))
        goto out_of_memory;
    struct mls_report *report = scan.builder.report;
    const struct mls_rule *rule;
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++)
        report->n_rules_applied += rule->patterns != NULL;
    report->n_lines = scan.n_lines;
    report->not_understood = scan.not_understood;
    report->n_not_understood =
        scan.n_not_understood < NOT_UNDERSTOOD_MAX ? scan.n_not_understood : NOT_UNDERSTOOD_MAX;
    report->summary = summary_of(&scan, any_cause);
    if (report->summary == NULL || !report_end(&scan.builder))
        goto out_of_memory;
    *ret_report = report;
    return MLS_OK;
out_of_memory:
    mls_store_free(scan.builder.store);
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the log: out of memory");
}
