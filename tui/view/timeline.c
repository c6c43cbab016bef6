#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view/operation.h"
#include "view/panel.h"
#include "view/view.h"
#include "widget/graph.h"

#define COLUMN_LIST(X)                                               \
    X(START, "start", NULL, "start", TIME_NS, 8, 0, false, false)    \
    X(TIME, "time", NULL, "time", TIME_NS, 8, 0, false, false)       \
    X(SHARE, "share", NULL, "share", SHARE, 7, 3, false, true)       \
    X(RATIO, "ratio", "slower", "of p50", RATIO, 8, 2, false, false) \
    X(THREADS, "threads", "busy", "threads", RATIO, 8, 5, false, false) \
    X(GAP, "gap", NULL, "gap", TIME_NS, 8, 4, false, false)          \
    X(INDEX, "#", "index", "#", COUNT, 5, 1, false, false)           \
    X(TYPE, "type", NULL, "type", TEXT, 12, 0, false, false)         \
    X(NAME, "name", NULL, "name", TEXT, 16, 0, true, false)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {
#define X(id, key, alias, title, kind, width, rank, flexible, bar) \
    {key, alias, title, MLS_DATUM_##kind, width, rank, flexible, bar, false, COLUMN_##id == COLUMN_TIME},
    COLUMN_LIST(X)
#undef X
};

enum { THREADS_MAX = 256 };

/* Which part of a prediction is seen, in nanoseconds from its begin. */
struct window {
    double begin_ns, ns;
};

struct timeline {
    size_t lane;       /* the prediction whose operations stand in the list */
    double zoom;       /* 1: a whole prediction */
    double center;     /* of the window, as a part of the whole */
    uint32_t *by_time; /* events of that prediction in order of their begin */
    float *n_busy;     /* threads at work in each of its events, on average; 0: not known */
    size_t n;
    size_t capacity;
    size_t hottest;              /* how many were looked at already */
    double busy_ns[THREADS_MAX]; /* of each thread in that prediction */
    uint32_t n_threads;          /* that had a part in it; 0: not recorded */
};

static const struct mls_kept_prediction *shown(const struct mls_view *view)
{
    const struct timeline *timeline = view->private;
    const struct mls_snapshot *snapshot = view->snapshot;
    return timeline->lane < snapshot->n_kept ? &snapshot->kept[timeline->lane] : NULL;
}

static double longest_ns(const struct mls_snapshot *snapshot)
{
    double ns = 1;
    for (size_t i = 0; i < snapshot->n_kept; i++)
        ns = (double)snapshot->kept[i].ns > ns ? (double)snapshot->kept[i].ns : ns;
    return ns;
}

static bool make_room(struct timeline *timeline, size_t n)
{
    if (n <= timeline->capacity)
        return true;
    uint32_t *by_time = realloc(timeline->by_time, n * sizeof *by_time);
    if (by_time)
        timeline->by_time = by_time;
    float *n_busy = realloc(timeline->n_busy, n * sizeof *n_busy);
    if (n_busy)
        timeline->n_busy = n_busy;
    if (!by_time || !n_busy)
        return false;
    timeline->capacity = n;
    return true;
}

/* The event that a part of a thread belongs to: that of its step that it lies in, from `from` on; or n_events. */
static size_t find_event(const struct mls_kept_prediction *kept, const struct mls_kept_thread *part, size_t from)
{
    for (size_t i = from; i < kept->n_events; i++) {
        const struct mls_kept_event *event = &kept->events[i];
        if (event->step == part->step && part->begin_ns < event->begin_ns + event->ns)
            return i;
    }
    return kept->n_events;
}

/* The parts of each thread come in the order of the events that they belong to. What has none, the predicting thread did
 * alone, which is thread 0. */
static void add_up_threads(struct timeline *timeline, const struct mls_snapshot *snapshot,
                           const struct mls_kept_prediction *kept)
{
    size_t at = 0;
    memset(timeline->busy_ns, 0, sizeof timeline->busy_ns);
    memset(timeline->n_busy, 0, kept->n_events * sizeof *timeline->n_busy);
    timeline->n_threads = 0;
    for (size_t i = 0; i < kept->n_threads; i++) {
        const struct mls_kept_thread *part = &kept->threads[i];
        size_t event = find_event(kept, part, i && kept->threads[i - 1].thread == part->thread ? at : 0);
        if (event == kept->n_events || part->thread >= THREADS_MAX)
            continue;
        at = event;
        timeline->n_busy[event] += (float)part->ns;
        timeline->busy_ns[part->thread] += (double)part->ns;
        if (part->thread >= timeline->n_threads)
            timeline->n_threads = part->thread + 1;
    }
    for (size_t i = 0; i < kept->n_events; i++) {
        const struct mls_kept_event *event = &kept->events[i];
        if (mls_snapshot_step(snapshot, event->step)->control)
            continue;
        if (timeline->n_busy[i] <= 0) {
            timeline->n_busy[i] = (float)event->ns;
            timeline->busy_ns[0] += (double)event->ns;
        }
        timeline->n_busy[i] = event->ns ? timeline->n_busy[i] / (float)event->ns : 0;
    }
}

/* Control steps are reported after what they ran: the list wants the order in which things began. */
static bool update(struct mls_view *view)
{
    struct timeline *timeline = view->private;
    if (timeline->zoom < 1) {
        timeline->zoom = 1;
        timeline->center = 0.5;
    }
    if (timeline->lane >= view->snapshot->n_kept)
        timeline->lane = 0;
    const struct mls_kept_prediction *kept = shown(view);
    timeline->n = timeline->n_threads = 0;
    if (!kept)
        return true;
    if (!make_room(timeline, kept->n_events))
        return false;
    timeline->n = kept->n_events;
    add_up_threads(timeline, view->snapshot, kept);
    for (uint32_t i = 0; i < timeline->n; i++) { /* nearly sorted already: insertion is cheap */
        size_t at = i;
        while (at > 0 && kept->events[timeline->by_time[at - 1]].begin_ns > kept->events[i].begin_ns) {
            timeline->by_time[at] = timeline->by_time[at - 1];
            at--;
        }
        timeline->by_time[at] = i;
    }
    return true;
}

static void close_view(struct mls_view *view)
{
    struct timeline *timeline = view->private;
    free(timeline->by_time);
    free(timeline->n_busy);
}

static size_t rows(const struct mls_view *view)
{
    const struct timeline *timeline = view->private;
    const struct mls_kept_prediction *kept = shown(view);
    return kept && timeline->n == kept->n_events ? timeline->n : 0;
}

static const struct mls_kept_event *event_at(const struct mls_view *view, size_t row)
{
    const struct timeline *timeline = view->private;
    return &shown(view)->events[timeline->by_time[row]];
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct mls_kept_event *event = event_at(view, row);
    const struct mls_step *step = mls_snapshot_step(view->snapshot, event->step);
    uint64_t p50_ns = view->snapshot->steps[event->step].time.p50_ns;
    *ret_datum = (struct mls_datum){.kind = columns[column].kind};
    switch ((enum column)column) {
    case COLUMN_INDEX:
        ret_datum->number = event->step;
        return;
    case COLUMN_START:
        ret_datum->number = (double)event->begin_ns;
        return;
    case COLUMN_TIME:
        ret_datum->number = (double)event->ns;
        return;
    case COLUMN_SHARE:
        ret_datum->number = shown(view)->ns ? (double)event->ns / (double)shown(view)->ns : 0;
        return;
    case COLUMN_RATIO: /* a control step's own statistics leave out what it ran */
        ret_datum->kind = p50_ns && !step->control ? MLS_DATUM_RATIO : MLS_DATUM_NONE;
        ret_datum->number = p50_ns ? (double)event->ns / (double)p50_ns : 0;
        return;
    case COLUMN_THREADS: {
        const struct timeline *timeline = view->private;
        float n_busy = timeline->n_busy[timeline->by_time[row]];
        ret_datum->kind = timeline->n_threads && n_busy > 0 ? MLS_DATUM_RATIO : MLS_DATUM_NONE;
        ret_datum->number = (double)n_busy;
        return;
    }
    case COLUMN_GAP: {
        const struct mls_kept_event *before = row ? event_at(view, row - 1) : NULL;
        uint64_t end_ns = before ? before->begin_ns + before->ns : 0;
        ret_datum->kind = event->begin_ns >= end_ns ? MLS_DATUM_TIME_NS : MLS_DATUM_NONE;
        ret_datum->number = (double)(event->begin_ns - end_ns);
        return;
    }
    case COLUMN_TYPE:
        ret_datum->text = step->type;
        return;
    default:
        ret_datum->text = step->name;
    }
}

/* Slower than it mostly is: that is what one looks for here. */
static enum mls_style style(const void *user, size_t row)
{
    struct mls_datum ratio;
    struct mls_datum share;
    cell(user, row, COLUMN_RATIO, &ratio);
    cell(user, row, COLUMN_SHARE, &share);
    if (ratio.kind == MLS_DATUM_NONE || share.number < 0.002)
        return MLS_STYLE_HEAT_LOW;
    return ratio.number >= 3     ? MLS_STYLE_HEAT_HIGH
           : ratio.number >= 1.5 ? MLS_STYLE_HEAT_MIDDLE
                                 : MLS_STYLE_HEAT_LOW;
}

/* ---- Keys
 * ------------------------------------------------------------------------------------------------------- */

static struct window window_of(const struct mls_view *view)
{
    const struct timeline *timeline = view->private;
    double whole_ns = longest_ns(view->snapshot);
    struct window window = {.ns = whole_ns / timeline->zoom};
    window.begin_ns = timeline->center * whole_ns - window.ns / 2;
    if (window.begin_ns > whole_ns - window.ns)
        window.begin_ns = whole_ns - window.ns;
    if (window.begin_ns < 0)
        window.begin_ns = 0;
    return window;
}

static void zoom(struct mls_view *view, double factor)
{
    struct timeline *timeline = view->private;
    const double most = 4096;
    if (view->list.n_order && rows(view)) { /* around the selected operation */
        const struct mls_kept_event *event = event_at(view, view->list.selected_row);
        timeline->center = ((double)event->begin_ns + (double)event->ns / 2) / longest_ns(view->snapshot);
    }
    timeline->zoom *= factor;
    timeline->zoom = timeline->zoom < 1 ? 1 : timeline->zoom > most ? most : timeline->zoom;
}

static void pan(struct timeline *timeline, double parts)
{
    timeline->center += parts / timeline->zoom;
    timeline->center = timeline->center < 0 ? 0 : timeline->center > 1 ? 1 : timeline->center;
}

/* How much longer than mostly an event took. */
static double excess_ns(const struct mls_view *view, size_t row)
{
    const struct mls_kept_event *event = event_at(view, row);
    uint64_t p50_ns = view->snapshot->steps[event->step].time.p50_ns;
    return mls_snapshot_step(view->snapshot, event->step)->control || !p50_ns ? 0
                                                                             : (double)event->ns - (double)p50_ns;
}

/* The event with the n-th largest excess. */
static void select_slowed(struct mls_view *view, size_t n)
{
    double below_ns = (double)INFINITY;
    size_t found = 0, n_rows = rows(view);
    for (size_t k = 0; k <= n; k++) {
        size_t best = n_rows;
        for (size_t row = 0; row < n_rows; row++)
            if (excess_ns(view, row) < below_ns && (best == n_rows || excess_ns(view, row) > excess_ns(view, best)))
                best = row;
        if (best == n_rows)
            break;
        found = best;
        below_ns = excess_ns(view, best);
    }
    if (n_rows)
        mls_listing_select_row(&view->list, found);
}

static bool perform(struct mls_view *view, enum mls_request request)
{
    enum { SLOWED_MAX = 64 };
    struct timeline *timeline = view->private;
    size_t n = view->snapshot->n_kept;
    if (request != MLS_REQUEST_HOTTEST)
        timeline->hottest = 0;
    switch (request) {
    case MLS_REQUEST_HOTTEST:
        select_slowed(view, timeline->hottest++ % SLOWED_MAX);
        return true;
    case MLS_REQUEST_EXPAND:
        zoom(view, 2);
        return true;
    case MLS_REQUEST_COLLAPSE:
        zoom(view, 0.5);
        return true;
    case MLS_REQUEST_TOGGLE_ALL:
        timeline->zoom = 1;
        return true;
    case MLS_REQUEST_LEFT:
    case MLS_REQUEST_RIGHT:
        pan(timeline, request == MLS_REQUEST_LEFT ? -0.5 : 0.5);
        return true;
    case MLS_REQUEST_NEXT_SLOW:
    case MLS_REQUEST_PREVIOUS_SLOW:
        if (n)
            timeline->lane = (timeline->lane + (request == MLS_REQUEST_NEXT_SLOW ? 1 : n - 1)) % n;
        return true;
    default:
        return false;
    }
}

/* ---- Drawing
 * ---------------------------------------------------------------------------------------------------- */

enum { LABEL_COLUMNS = 24, PARTS = 4 };

static enum mls_style part_style(size_t step)
{
    static const enum mls_style part_styles[PARTS] = {MLS_STYLE_PART_1, MLS_STYLE_PART_2, MLS_STYLE_PART_3,
                                                      MLS_STYLE_PART_4};
    return part_styles[step % PARTS];
}

static uint32_t part_glyph(size_t step)
{
    static const uint32_t glyphs[PARTS] = {0x2588, 0x2592, 0x2593, 0x2591};
    return glyphs[step % PARTS];
}

/* A type of operation has the same colour and glyph everywhere. */
static size_t type_number(const char *type)
{
    size_t sum = 0;
    for (; *type; type++)
        sum = sum * 31 + (unsigned char)*type;
    return sum;
}

/* Where something is drawn: a line, and what of a prediction it shows. */
struct lane {
    struct mls_grid *grid;
    struct mls_rect line;
    struct window window;
    size_t marked_step;
};

static void draw_part(const struct lane *lane, const struct mls_step *step, size_t index, uint64_t begin_ns,
                      uint64_t ns)
{
    const struct mls_rect *line = &lane->line;
    double per_column_ns = lane->window.ns / line->columns;
    double from = ((double)begin_ns - lane->window.begin_ns) / per_column_ns;
    double to = ((double)(begin_ns + ns) - lane->window.begin_ns) / per_column_ns;
    if (to <= 0 || from >= line->columns)
        return;
    int first = (int)(from < 0 ? 0 : from + 0.5), last = (int)(to > line->columns ? line->columns : to + 0.5);
    bool marked = index == lane->marked_step;
    if (marked && last <= first)
        last = first + 1; /* what is selected is always seen */
    if (last <= first)
        return;
    size_t type = type_number(step->type);
    for (int x = first; x < last && x < line->columns;
         x++) /* wide ones end in a half, to tell neighbours apart */
        mls_grid_put(lane->grid, line->x + x, line->y, marked ? MLS_STYLE_SELECTED : part_style(type),
                     x + 1 == last && last - first > 2 ? 0x258c : part_glyph(type));
    if (last - first > (int)strlen(step->type) + 1)
        mls_grid_text(lane->grid, line->x + first, line->y, last - first,
                      marked ? MLS_STYLE_SELECTED : MLS_STYLE_STRONG, step->type);
}

/* One prediction: each column in the manner of the operation that fills most of it; nothing between them. */
static void draw_lane(const struct mls_snapshot *snapshot, const struct mls_kept_prediction *kept,
                      const struct lane *lane)
{
    for (size_t i = 0; i < kept->n_events; i++) {
        const struct mls_kept_event *event = &kept->events[i];
        const struct mls_step *step = mls_snapshot_step(snapshot, event->step);
        if (!step->control)
            draw_part(lane, step, event->step, event->begin_ns, event->ns);
    }
}

/* What the other threads did of the prediction in the list, one line each, and how much of it each was at work. */
static int draw_threads(const struct mls_view *view, struct lane lane, int x, int lines)
{
    const struct timeline *timeline = view->private;
    const struct mls_kept_prediction *kept = shown(view);
    int used = 0;
    for (uint32_t thread = 0; timeline->n_threads > 1 && thread < timeline->n_threads && used < lines; thread++) {
        char share[32];
        double part = kept->ns ? timeline->busy_ns[thread] / (double)kept->ns : 0;
        lane.line.y++;
        used++;
        mls_grid_format(lane.grid, x + 3, lane.line.y, 11, MLS_STYLE_DIM, "thread %u", thread);
        mls_grid_right(lane.grid, x + 14, lane.line.y, 9, MLS_STYLE_DIM, mls_share_format(part, share));
        for (size_t i = 0; thread && i < kept->n_threads; i++)
            if (kept->threads[i].thread == thread)
                draw_part(&lane, mls_snapshot_step(view->snapshot, kept->threads[i].step), kept->threads[i].step,
                          kept->threads[i].begin_ns, kept->threads[i].ns);
        if (!thread)
            draw_lane(view->snapshot, kept, &lane);
    }
    return used;
}

static void draw_axis(struct window window, struct mls_grid *grid, struct mls_rect line)
{
    int ticks = line.columns / 16;
    for (int i = 0; i <= ticks && ticks > 0; i++) {
        char time[32];
        int x = i * line.columns / ticks;
        mls_time_format(window.begin_ns + window.ns * i / ticks, time);
        if (i == ticks)
            mls_grid_right(grid, line.x + line.columns - 12, line.y, 12, MLS_STYLE_DIM, time);
        else
            mls_grid_format(grid, line.x + x, line.y, 14, MLS_STYLE_DIM, "│%s", time);
    }
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    const struct mls_snapshot *snapshot = view->snapshot;
    const struct timeline *timeline = view->private;
    int top = rect.y;
    if (!snapshot->n_kept)
        return 0;
    struct window window = window_of(view);
    size_t selected =
        rows(view) && view->list.n_order ? event_at(view, view->list.selected_row)->step : SIZE_MAX;
    struct lane lane = {.grid = grid,
                        .line = {rect.x + LABEL_COLUMNS, rect.y, rect.columns - LABEL_COLUMNS - 1, 1},
                        .window = window,
                        .marked_step = selected};
    struct mls_rect *bar = &lane.line;
    mls_grid_format(grid, rect.x + 1, rect.y, LABEL_COLUMNS - 2, MLS_STYLE_DIM, "prediction");
    draw_axis(window, grid, *bar);
    size_t lanes = rect.rows >= 30 ? snapshot->n_kept : snapshot->n_kept < 4 ? snapshot->n_kept : 4;
    size_t first = timeline->lane >= lanes ? timeline->lane - lanes + 1 : 0;
    for (size_t i = first; i < first + lanes; i++) {
        const struct mls_kept_prediction *kept = &snapshot->kept[i];
        char time[32];
        bar->y++;
        bool here = i == timeline->lane;
        mls_grid_put(grid, rect.x, bar->y, MLS_STYLE_KEY, here ? 0x25b8 : ' ');
        mls_grid_format(grid, rect.x + 1, bar->y, 13, i == 0 ? MLS_STYLE_WARNING : MLS_STYLE_NORMAL, "%s%llu",
                        i == 0 ? "slowest " : "#", (unsigned long long)kept->number);
        mls_grid_right(grid, rect.x + 14, bar->y, 9, here ? MLS_STYLE_STRONG : MLS_STYLE_NORMAL,
                       mls_time_format((double)kept->ns, time));
        draw_lane(snapshot, kept, &lane);
        if (here)
            bar->y += draw_threads(view, lane, rect.x, rect.rows >= 30 ? 16 : 4);
    }
    return bar->y + 2 - top;
}

static int detail(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect, size_t row)
{
    return mls_operation_draw(view->snapshot, event_at(view, row)->step, grid, rect);
}

static bool op(const struct mls_view *view, size_t row, mls_op_id *ret_op)
{
    *ret_op = mls_snapshot_step(view->snapshot, event_at(view, row)->step)->op;
    return true;
}

const struct mls_view_ops mls_view_timeline = {
    .title = "Timeline",
    .request = MLS_REQUEST_TIMELINE,
    .where = MLS_IN_LIST | MLS_IN_TIMELINE,
    .private_size = sizeof(struct timeline),
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = MLS_LISTING_RUN_ORDER,
    .update = update,
    .close = close_view,
    .rows = rows,
    .cell = cell,
    .style = style,
    .perform = perform,
    .draw = draw,
    .detail = detail,
    .op = op,
};
