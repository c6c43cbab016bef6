#include "diagnostics/engine.h"

#include <string.h>

#include "graph.h"
#include "rule.h"

static unsigned known_facts(const struct mls_facts *facts, const struct mls_interface *interface)
{
    unsigned known = 0;
    known |= facts->package != NULL ? RULE_NEEDS_PACKAGE : 0;
    known |= facts->model != NULL && interface != NULL ? RULE_NEEDS_MODEL : 0;
    known |= facts->plan != NULL ? RULE_NEEDS_PLAN : 0;
    known |= facts->measurement != NULL ? RULE_NEEDS_MEASUREMENT : 0;
    known |= facts->placement != NULL ? RULE_NEEDS_PLACEMENT : 0;
    known |= facts->settings != NULL ? RULE_NEEDS_SETTINGS : 0;
    known |= facts->survey != NULL ? RULE_NEEDS_SURVEY : 0;
    known |= facts->walk != NULL ? RULE_NEEDS_WALK : 0;
    known |= facts->reference != NULL && facts->comparison != NULL ? RULE_NEEDS_REFERENCE : 0;
    known |= facts->system_version > 0 ? RULE_NEEDS_SYSTEM : 0;
    return known;
}

/* The row that explains a failure: the one of its cause, else the first one of its status; NULL: none. */
static const struct mls_rule *find_explanation(const struct mls_error *error)
{
    const struct mls_rule *rule;
    for (size_t i = 0; error->cause != MLS_CAUSE_NONE && (rule = mls_rule_row(i)) != NULL; i++) {
        if (rule->cause == error->cause)
            return rule;
    }
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++) {
        for (size_t k = 0; k < RULE_STATUSES_MAX && rule->statuses[k] != MLS_OK; k++) {
            if (rule->statuses[k] == error->status)
                return rule;
        }
    }
    return NULL;
}

/* What the failure's own status says is said first. */
static void title_of_error(struct rule_case *rule_case, const struct mls_rule *rule, enum mls_status status)
{
    for (size_t k = 0; k < RULE_STATUSES_MAX && rule->statuses[k] != MLS_OK; k++) {
        if (rule->statuses[k] == status && rule->titles[k] != NULL)
            rule_case->finding.title = rule->titles[k];
    }
}

static void evidence_of_error(struct rule_case *rule_case, const struct mls_error *error)
{
    rule_evidence(rule_case, "%s", error->text);
    if (error->operation[0] != '\0')
        rule_evidence(rule_case, "operation \"%s\"%s%s%s", error->operation,
                      error->function[0] != '\0' ? " of function \"" : "", error->function,
                      error->function[0] != '\0' ? "\"" : "");
    if (error->file[0] != '\0' && error->byte_offset >= 0)
        rule_evidence(rule_case, "%s, byte %lld", error->file, (long long)error->byte_offset);
    else if (error->file[0] != '\0')
        rule_evidence(rule_case, "%s", error->file);
    if (error->hint[0] != '\0')
        rule_evidence(rule_case, "hint: %s", error->hint);
    rule_case->finding.severity = MLS_SEVERITY_ERROR;
    rule_case->finding.confidence = MLS_CONFIDENCE_HIGH;
    rule_case->finding.file = error->file;
    rule_case->finding.byte_offset = error->byte_offset;
}

/* The texts of the error belong to the caller: the report keeps its own copy of the file's name. */
static bool keep_file(struct rule_case *rule_case)
{
    const char *file = rule_case->finding.file;
    rule_case->finding.file = mls_store_text(rule_case->store, file, strlen(file));
    return rule_case->finding.file != NULL;
}

static bool executes_any(const struct mls_step *step, const bool *wanted)
{
    for (uint32_t i = 0; i < step->n_fused; i++) {
        if (wanted[step->fused[i].i])
            return true;
    }
    return false;
}

/* Says what the affected operations took when the model was run here. Control steps span others: not counted.
 */
static bool add_measured_share(struct rule_case *rule_case)
{
    const struct mls_facts *facts = rule_case->facts;
    const struct mls_measurement *measured = facts->measurement;
    if (rule_case->finding.n_ops == 0 || measured == NULL || measured->step_ns == NULL ||
        facts->plan == NULL || facts->model == NULL)
        return true;
    bool *affected = MLS_STORE_ARRAY(rule_case->store, facts->model->program.n_ops, bool);
    if (affected == NULL)
        return false;
    for (size_t i = 0; i < rule_case->finding.n_ops; i++)
        affected[rule_case->ops[i].i] = true;
    uint64_t all_ns = 0;
    uint64_t affected_ns = 0;
    size_t n_steps = mls_plan_step_count(facts->plan);
    for (size_t i = 0; i < n_steps && i < measured->n_steps; i++) {
        const struct mls_step *step = mls_plan_step(facts->plan, i);
        all_ns += step->control ? 0 : measured->step_ns[i];
        affected_ns += !step->control && executes_any(step, affected) ? measured->step_ns[i] : 0;
    }
    if (affected_ns > 0)
        rule_conclude(
            rule_case, "measured on this machine's CPU: these operations take %.1f us of %.1f us, %.0f %%",
            (double)affected_ns / 1e3, (double)all_ns / 1e3, 100.0 * (double)affected_ns / (double)all_ns);
    return true;
}

static bool ask_rules(struct report_builder *builder, const struct mls_facts *facts,
                      const struct mls_interface *interface)
{
    unsigned known = known_facts(facts, interface);
    bool failed = facts->error != NULL && facts->error->status != MLS_OK;
    const struct mls_rule *explanation = failed ? find_explanation(facts->error) : NULL;
    const struct mls_rule *rule;
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++) {
        struct rule_case rule_case = report_case(builder, rule, facts, interface);
        bool holds = false;
        bool can_assess = rule->assess != NULL && (rule->needs & ~known) == 0;
        if (facts->comparison_only && (rule->needs & (RULE_NEEDS_WALK | RULE_NEEDS_REFERENCE)) == 0)
            continue;
        bool explains = rule->statuses[0] != MLS_OK || rule->cause != MLS_CAUSE_NONE;
        if (can_assess || (explains && failed))
            builder->report->n_rules_applied++;
        if (rule == explanation) {
            title_of_error(&rule_case, rule, facts->error->status);
            evidence_of_error(&rule_case, facts->error);
            holds = true;
        } else if (can_assess) {
            holds = rule->assess(&rule_case);
        }
        if (holds && (!keep_file(&rule_case) || !add_measured_share(&rule_case) ||
                      !report_add(builder, rule, &rule_case)))
            return false;
    }
    return true;
}

/* Advice that nobody can check, where a neighbour was found. */
static bool give_advice(struct report_builder *builder, const struct mls_facts *facts,
                        const struct mls_interface *interface)
{
    const struct mls_rule *rule;
    size_t n_found = builder->n_entries;
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++) {
        for (size_t k = 0; rule->beside != NULL && k < n_found; k++) {
            const char *neighbour = builder->entries[k].finding.id;
            if (!graph_has_word(rule->beside, neighbour))
                continue;
            struct rule_case rule_case = report_case(builder, rule, facts, interface);
            rule_evidence(&rule_case, "it belongs to %s; it cannot be seen from here", neighbour);
            if (!report_add(builder, rule, &rule_case))
                return false;
            break;
        }
    }
    return true;
}

static const char *summary_of(const struct report_builder *builder, const struct mls_facts *facts)
{
    size_t counts[MLS_SEVERITY_COUNT] = {0};
    for (size_t i = 0; i < builder->n_entries; i++)
        counts[builder->entries[i].finding.severity]++;
    const struct mls_report *report = builder->report;
    if (builder->n_entries == 0 && facts->error != NULL && facts->error->status != MLS_OK)
        return mls_store_printf(builder->store, "no rule explains this failure: %s", facts->error->text);
    if (builder->n_entries == 0)
        return mls_store_printf(builder->store,
                                "nothing found: %zu of %zu rules could be checked and none holds",
                                report->n_rules_applied, mls_rule_count());
    return mls_store_printf(builder->store, "%zu error%s, %zu warning%s, %zu note%s from %zu rules checked",
                            counts[MLS_SEVERITY_ERROR], counts[MLS_SEVERITY_ERROR] == 1 ? "" : "s",
                            counts[MLS_SEVERITY_WARNING], counts[MLS_SEVERITY_WARNING] == 1 ? "" : "s",
                            counts[MLS_SEVERITY_INFO], counts[MLS_SEVERITY_INFO] == 1 ? "" : "s",
                            report->n_rules_applied);
}

enum mls_status mls_diagnose(const struct mls_facts *facts, struct mls_report **ret_report,
                             struct mls_error *reterr)
{
    const struct mls_interface *interface = facts->interface;
    if (interface == NULL && facts->model != NULL && facts->model->n_interfaces > 0)
        interface = &facts->model->interfaces[0];
    struct report_builder builder;
    if (!report_begin(&builder) || !ask_rules(&builder, facts, interface) ||
        !give_advice(&builder, facts, interface))
        goto out_of_memory;
    builder.report->summary = summary_of(&builder, facts);
    if (builder.report->summary == NULL || !report_end(&builder))
        goto out_of_memory;
    *ret_report = builder.report;
    return MLS_OK;
out_of_memory:
    mls_store_free(builder.store);
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot diagnose: out of memory");
}
