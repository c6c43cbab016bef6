#include "profiler/history.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double first_stretch_s = 1;

static struct mls_history_point join(const struct mls_history_point *a, const struct mls_history_point *b)
{
    struct mls_history_point both = {.at_s = b->at_s, .rss_bytes = b->rss_bytes, .runs = a->runs + b->runs};
    if (a->rss_bytes > b->rss_bytes)
        both.rss_bytes = a->rss_bytes;
    if (both.runs)
        both.mean_ns = (a->mean_ns * (double)a->runs + b->mean_ns * (double)b->runs) / (double)both.runs;
    both.worst_ns = a->worst_ns > b->worst_ns ? a->worst_ns : b->worst_ns;
    return both;
}

static void halve(struct mls_history *history)
{
    for (size_t i = 0; i + 1 < history->n_points; i += 2)
        history->points[i / 2] = join(&history->points[i], &history->points[i + 1]);
    history->n_points /= 2;
    history->stretch_s *= 2;
}

void mls_history_add(struct mls_history *history, const struct mls_history_point *point)
{
    if (history->stretch_s <= 0)
        history->stretch_s = first_stretch_s;
    size_t n = history->n_points;
    double begin_s = n > 1 ? history->points[n - 2].at_s : 0;
    if (n && point->at_s - begin_s <= history->stretch_s * 1.05) {
        history->points[n - 1] = join(&history->points[n - 1], point);
        return;
    }
    if (n == MLS_HISTORY_POINTS)
        halve(history);
    history->points[history->n_points++] = *point;
}

const char *mls_log_kind_name(enum mls_log_kind kind)
{
    static const char *const names[] = {
#define X(id, word) [MLS_LOG_##id] = word,
        MLS_LOG_KIND_LIST(X)
#undef X
    };
    return (unsigned)kind < MLS_LOG_KIND_COUNT ? names[kind] : "note";
}

void mls_log_add(struct mls_log *log, double at_s, enum mls_log_kind kind, const char *format, ...)
{
    if (log->n_lines == MLS_LOG_LINES) {
        memmove(log->lines, log->lines + 1, (MLS_LOG_LINES - 1) * sizeof *log->lines);
        log->n_lines--;
        log->n_dropped++;
    }
    struct mls_log_line *line = &log->lines[log->n_lines++];
    line->at_s = at_s;
    line->kind = kind;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
}
