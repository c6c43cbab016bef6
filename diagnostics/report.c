/* report.c: a finding as it grows, and the ranking of all of them. */
#include <stdlib.h>
#include <string.h>

#include "rule.h"

enum { EVIDENCE_MAX = 12 };

/* Doubles a list that is full; the old copy stays in the store until the report is freed. */
static void *grown(struct mls_store *store, const void *list, size_t n, size_t size_bytes, size_t *room)
{
    size_t wanted = *room == 0 ? 8 : *room * 2;
    void *copy = mls_store_array(store, wanted, size_bytes);
    if (copy == NULL)
        return NULL;
    if (n > 0)
        memcpy(copy, list, n * size_bytes);
    *room = wanted;
    return copy;
}

static void append_line(struct rule_case *rule_case, const char *text)
{
    struct mls_finding *finding = &rule_case->finding;
    if (finding->n_evidence == rule_case->evidence_room) {
        const char **copy = grown(rule_case->store, rule_case->evidence, finding->n_evidence, sizeof(*copy),
                                  &rule_case->evidence_room);
        if (copy != NULL)
            rule_case->evidence = copy;
    }
    if (text == NULL || finding->n_evidence == rule_case->evidence_room)
        rule_case->out_of_memory = true;
    else
        rule_case->evidence[finding->n_evidence++] = text;
}

void rule_evidence(struct rule_case *rule_case, const char *format, ...)
{
    if (rule_case->finding.n_evidence >= EVIDENCE_MAX) {
        rule_case->evidence_left_out++;
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    append_line(rule_case, mls_store_vprintf(rule_case->store, format, arguments));
    va_end(arguments);
}

/* Says how many lines were left out. */
static void close_evidence(struct rule_case *rule_case)
{
    if (rule_case->evidence_left_out > 0)
        append_line(rule_case,
                    mls_store_printf(rule_case->store, "and %zu more", rule_case->evidence_left_out));
    rule_case->evidence_left_out = 0;
}

void rule_conclude(struct rule_case *rule_case, const char *format, ...)
{
    close_evidence(rule_case);
    va_list arguments;
    va_start(arguments, format);
    append_line(rule_case, mls_store_vprintf(rule_case->store, format, arguments));
    va_end(arguments);
}

void rule_affects(struct rule_case *rule_case, mls_op_id op)
{
    if (rule_case->finding.n_ops == rule_case->ops_room) {
        mls_op_id *copy = grown(rule_case->store, rule_case->ops, rule_case->finding.n_ops, sizeof(*copy),
                                &rule_case->ops_room);
        if (copy == NULL) {
            rule_case->out_of_memory = true;
            return;
        }
        rule_case->ops = copy;
    }
    rule_case->ops[rule_case->finding.n_ops++] = op;
}

void rule_gain(struct rule_case *rule_case, uint64_t gain_ns, uint64_t whole_ns)
{
    enum { WARNING_NS = 50000, WARNING_PART = 20 };
    rule_case->finding.gain_ns = gain_ns;
    bool matters = gain_ns >= WARNING_NS && gain_ns >= whole_ns / WARNING_PART;
    rule_case->finding.severity = matters ? MLS_SEVERITY_WARNING : MLS_SEVERITY_INFO;
}

struct rule_case report_case(const struct report_builder *builder, const struct mls_rule *rule,
                             const struct mls_facts *facts, const struct mls_interface *interface)
{
    return (struct rule_case){.facts = facts,
                              .interface = interface,
                              .store = builder->store,
                              .finding = {.id = rule->id,
                                          .severity = rule->severity,
                                          .layer = rule->layer,
                                          .title = rule->title,
                                          .why = rule->why,
                                          .fix = rule->fix,
                                          .confidence = rule->confidence,
                                          .source = rule->source,
                                          .file = "",
                                          .byte_offset = -1,
                                          .matched_text = ""}};
}

bool report_begin(struct report_builder *builder)
{
    *builder = (struct report_builder){.store = mls_store_create()};
    if (builder->store == NULL)
        return false;
    builder->report = MLS_STORE_NEW(builder->store, struct mls_report);
    /* a rule gives at most one finding */
    builder->entries = MLS_STORE_ARRAY(builder->store, mls_rule_count(), struct report_entry);
    return builder->report != NULL && builder->entries != NULL;
}

bool report_add(struct report_builder *builder, const struct mls_rule *rule, struct rule_case *rule_case)
{
    close_evidence(rule_case);
    if (rule_case->out_of_memory)
        return false;
    rule_case->finding.evidence = rule_case->evidence;
    rule_case->finding.ops = rule_case->ops;
    builder->entries[builder->n_entries] = (struct report_entry){
        .finding = rule_case->finding, .wrapper = rule->wrapper, .order = builder->n_entries};
    builder->n_entries++;
    return true;
}

/* Errors first, causes before wrappers, larger gains first, surer ones first, then the order of the table. */
static int entry_compare(const void *a, const void *b)
{
    const struct report_entry *left = a;
    const struct report_entry *right = b;
    if (left->finding.severity != right->finding.severity)
        return left->finding.severity < right->finding.severity ? -1 : 1;
    if (left->wrapper != right->wrapper)
        return left->wrapper ? 1 : -1;
    if (left->finding.gain_ns != right->finding.gain_ns)
        return left->finding.gain_ns > right->finding.gain_ns ? -1 : 1;
    if (left->finding.confidence != right->finding.confidence)
        return left->finding.confidence > right->finding.confidence ? -1 : 1;
    return left->order < right->order ? -1 : 1;
}

bool report_end(struct report_builder *builder)
{
    struct mls_report *report = builder->report;
    if (builder->n_entries > 0)
        qsort(builder->entries, builder->n_entries, sizeof(*builder->entries), entry_compare);
    struct mls_finding *findings = MLS_STORE_ARRAY(builder->store, builder->n_entries, struct mls_finding);
    if (findings == NULL)
        return false;
    for (size_t i = 0; i < builder->n_entries; i++)
        findings[i] = builder->entries[i].finding;
    report->findings = findings;
    report->n_findings = builder->n_entries;
    report->n_rules = mls_rule_count();
    report->store = builder->store;
    return true;
}

void mls_report_free(struct mls_report *report)
{
    if (report != NULL)
        mls_store_free(report->store);
}
