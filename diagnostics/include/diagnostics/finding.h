/* finding.h: what a diagnosis says. A finding is data; screen, text and JSON show the same one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/model.h"
#include "diagnostics/confidence.h"

/* Severities, worst first: id, name in JSON. Error: it does not load or run, or gives wrong numbers. */
#define MLS_SEVERITY_LIST(X) \
    X(ERROR, "error")        \
    X(WARNING, "warning")    \
    X(INFO, "info")

enum mls_severity {
#define X(id, name) MLS_SEVERITY_##id,
    MLS_SEVERITY_LIST(X)
#undef X
        MLS_SEVERITY_COUNT
};

/* Where the trouble lies: id, name in JSON. */
#define MLS_LAYER_LIST(X)    \
    X(PACKAGE, "package")    \
    X(BLOB, "blob")          \
    X(SPEC, "specification") \
    X(MIL, "program")        \
    X(PLAN, "plan")          \
    X(RUN, "run")            \
    X(ENVIRONMENT, "environment")

enum mls_layer {
#define X(id, name) MLS_LAYER_##id,
    MLS_LAYER_LIST(X)
#undef X
        MLS_LAYER_COUNT
};

const char *mls_severity_name(enum mls_severity severity);
const char *mls_layer_name(enum mls_layer layer);

/* One finding. Texts are UTF-8 without control characters; what is borrowed lives as long as the report. */
struct mls_finding {
    const char *id; /* "LOAD012": stable, never reused */
    enum mls_severity severity;
    enum mls_layer layer;
    const char *title;
    const char *const *evidence; /* lines with numbers, names and places */
    size_t n_evidence;
    const char *why;
    const char *fix;
    enum mls_confidence confidence;
    const char *source;
    const mls_op_id *ops; /* affected operations of the model */
    size_t n_ops;
    uint64_t gain_ns;         /* estimated gain for one prediction, 0 when not estimated */
    const char *file;         /* file or package entry, or "" */
    int64_t byte_offset;      /* in `file`, or -1 */
    const char *matched_text; /* the log's line, or "" */
    size_t matched_line;      /* its number from 1, or 0 */
};

/* Ranked findings: errors first, causes before wrappers, larger gains first. */
struct mls_report {
    const struct mls_finding *findings;
    size_t n_findings;
    const char *summary;    /* one sentence, also when nothing was found */
    size_t n_rules;         /* rules that exist */
    size_t n_rules_applied; /* rules for which the facts were there */
    size_t n_lines;         /* logs: lines read */
    const char *const
        *not_understood; /* logs: lines that look like an error and match no rule: "line 12: text" */
    size_t n_not_understood;
    struct mls_store *store; /* owner of everything above */
};

/* mls_report_free: NULL is fine. */
void mls_report_free(struct mls_report *report);
