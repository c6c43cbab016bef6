/*
 * history.h: how a model did over the whole time that it was watched, in bounded memory: when there is no
 * more room, two neighbouring points become one. And what happened meanwhile, as lines of a log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MLS_HISTORY_POINTS = 512, MLS_LOG_LINES = 256, MLS_LOG_TEXT_BYTES = 200 };

/* What happened in one stretch of time. */
struct mls_history_point {
    double at_s;     /* end of the stretch, since the start */
    double mean_ns;  /* of the predictions that ended in it; 0: none did */
    double worst_ns; /* the longest of them */
    uint64_t rss_bytes;
    uint64_t runs;
};

struct mls_history {
    struct mls_history_point points[MLS_HISTORY_POINTS];
    size_t n_points;
    double stretch_s; /* length of a stretch; doubles when the room is used up */
};

/* mls_history_add: takes in a point of any length; it joins the last one until the stretch is full. */
void mls_history_add(struct mls_history *history, const struct mls_history_point *point);

/* Kinds of log lines: id, word. */
#define MLS_LOG_KIND_LIST(X) \
    X(NOTE, "note")          \
    X(CHANGE, "change")      \
    X(WARNING, "warning")    \
    X(ERROR, "error")

enum mls_log_kind {
#define X(id, word) MLS_LOG_##id,
    MLS_LOG_KIND_LIST(X)
#undef X
        MLS_LOG_KIND_COUNT
};

const char *mls_log_kind_name(enum mls_log_kind kind);

struct mls_log_line {
    double at_s; /* since the start */
    enum mls_log_kind kind;
    char text[MLS_LOG_TEXT_BYTES];
};

/* The latest lines; the oldest go. */
struct mls_log {
    struct mls_log_line lines[MLS_LOG_LINES];
    size_t n_lines;
    uint64_t n_dropped;
};

void mls_log_add(struct mls_log *log, double at_s, enum mls_log_kind kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
