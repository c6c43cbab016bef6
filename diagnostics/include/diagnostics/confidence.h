/* confidence.h: how sure a statement is; placement and findings use the same three words. */
#pragma once

/* id, name in JSON. High: exact in published code or records; medium: a thread's finding; low: one report or
 * a guess. */
#define MLS_CONFIDENCE_LIST(X) \
    X(LOW, "low")              \
    X(MEDIUM, "medium")        \
    X(HIGH, "high")

enum mls_confidence {
#define X(id, name) MLS_CONFIDENCE_##id,
    MLS_CONFIDENCE_LIST(X)
#undef X
        MLS_CONFIDENCE_COUNT
};

/* mls_confidence_name: "low", "medium" or "high"; static. */
const char *mls_confidence_name(enum mls_confidence confidence);
