/*
 * rule.h: a rule is one row. It can hold for three kinds of facts: the status or cause of a failure
 * (`statuses`, `cause`), recorded facts
 * (`assess`), and a line of a log (`patterns`). Ids are those of the list of symptoms and are never reused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diagnostics/engine.h"
#include "store.h"

/* Facts without which `assess` cannot be asked. */
enum rule_need {
    RULE_NEEDS_PACKAGE = 1,
    RULE_NEEDS_MODEL = 2, /* and its interface */
    RULE_NEEDS_PLAN = 4,
    RULE_NEEDS_MEASUREMENT = 8,
    RULE_NEEDS_PLACEMENT = 16,
    RULE_NEEDS_SETTINGS = 32,
    RULE_NEEDS_SURVEY = 64,
    RULE_NEEDS_WALK = 128,
    RULE_NEEDS_REFERENCE = 256, /* and its comparison */
    RULE_NEEDS_SYSTEM = 512
};

enum { RULE_STATUSES_MAX = 4 };

/* A rule being asked: the facts, and the finding as it grows. */
struct rule_case {
    const struct mls_facts *facts;
    const struct mls_interface *interface; /* of the facts, or the model's first; NULL without a model */
    struct mls_store *store;
    struct mls_finding finding; /* severity, confidence, gain, file and offset may be changed by `assess` */
    const char **evidence;
    size_t evidence_room;
    size_t evidence_left_out;
    mls_op_id *ops;
    size_t ops_room;
    bool out_of_memory;
};

struct mls_rule {
    const char *id;
    const char *title;
    enum mls_layer layer;
    enum mls_severity severity;
    enum mls_confidence confidence;
    bool wrapper; /* its text hides a cause: reported below the causes */
    const char *why;
    const char *fix;
    const char *source;
    const char *patterns; /* texts of logs, one on each line; … stands for anything */
    /* Failures that this rule explains, as far as no rule explains their cause; the rest is MLS_OK. */
    enum mls_status statuses[RULE_STATUSES_MAX];
    const char *titles[RULE_STATUSES_MAX]; /* of the finding, where one of them deserves its own; or NULL */
    enum mls_cause cause; /* a failure's cause that this rule explains; comes before statuses */
    unsigned needs;
    bool (*assess)(struct rule_case *rule_case); /* true when it holds; fills the evidence */
    /* With a log of the model: adds evidence to a finding that a pattern made. Whatever facts there are. */
    void (*confirm)(struct rule_case *rule_case);
    const char *beside; /* words: ids; advice that is shown where one of them was found, and needs no facts */
};

struct rule_family {
    const struct mls_rule *rules;
    size_t n_rules;
};

/* One table for each line of rules.def. */
#define X(name) extern const struct rule_family RULES_##name;
#include "rules.def"
#undef X

#define RULE_FAMILY(name) \
    const struct rule_family RULES_##name = {.rules = ROWS, .n_rules = sizeof(ROWS) / sizeof(ROWS[0])}

/*
 * Whether other programs had so much of the processors while it was measured that times say little about the model: its
 * threads waited for a processor for more than a twentieth of the time that they had one.
 */
static inline bool rule_was_disturbed(const struct mls_measurement *measured)
{
    enum { PART = 20 };
    const struct mls_growth *growth = &measured->growth;
    return growth->waits_known && growth->wait_ns > growth->cpu_ns / PART;
}

static inline double rule_megabytes(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

/* mls_rule_row: the full row behind mls_rule_at; NULL past the end. */
const struct mls_rule *mls_rule_row(size_t index);

/* rule_evidence: adds one line to the finding; lines past a limit are counted instead. */
void rule_evidence(struct rule_case *rule_case, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* rule_conclude: adds a last line, which is never left out. */
void rule_conclude(struct rule_case *rule_case, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * rule_gain: what mending would save, of `whole_ns` for a prediction. Decides the severity: a warning from 5
 * % and 50 us on, information below.
 */
void rule_gain(struct rule_case *rule_case, uint64_t gain_ns, uint64_t whole_ns);
/* place_gain: what it would save to have the affected operations on the Neural Engine, by the placement's
 * estimates; told as the last line, and with rule_gain. For rules that need the placement. */
void place_gain(struct rule_case *rule_case);
/* rule_confirm_runs_here: for wrappers: says whether the model of the log loads and runs here, and what in it
 * is known to bring the wrapper up. */
void rule_confirm_runs_here(struct rule_case *rule_case);
/* rule_affects: adds an operation to the finding. */
void rule_affects(struct rule_case *rule_case, mls_op_id op);

/* rule_pattern_matches: whether a line holds one of the patterns. */
bool rule_pattern_matches(const char *patterns, const char *line, size_t length_bytes);

/* report_begin, _add, _end: the parts that the two engines share. Each is false when out of memory. */
struct report_builder {
    struct mls_store *store;
    struct mls_report *report;
    struct report_entry {
        struct mls_finding finding;
        bool wrapper;
        size_t order; /* of adding: keeps equal findings in the order of the table */
    } * entries;
    size_t n_entries;
};
bool report_begin(struct report_builder *builder);
bool report_add(struct report_builder *builder, const struct mls_rule *rule, struct rule_case *rule_case);
bool report_end(struct report_builder *builder);
/* report_case: an empty finding of the rule. */
struct rule_case report_case(const struct report_builder *builder, const struct mls_rule *rule,
                             const struct mls_facts *facts, const struct mls_interface *interface);
