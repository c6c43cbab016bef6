#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view/panel.h"
#include "view/view.h"
#include "widget/graph.h"

enum { WIDE_COLUMNS = 140, ROOMY_COLUMNS = 90, TOP_MAX = 64, TYPES_MAX = 64 };

/* Which type each step has: made once for a plan, since steps lie all over the memory. */
struct overview {
    uint32_t generation;
    size_t n_steps;
    unsigned char *type_of; /* index into `types`; TYPES_MAX: one too many */
    const char *types[TYPES_MAX];
    unsigned n_types;
};

static unsigned find_type(struct overview *overview, const char *type)
{
    unsigned at = 0;
    while (at < overview->n_types && strcmp(overview->types[at], type) != 0)
        at++;
    if (at == overview->n_types && at < TYPES_MAX)
        overview->types[overview->n_types++] = type;
    return at;
}

static bool update(struct mls_view *view)
{
    struct overview *overview = view->private;
    const struct mls_snapshot *snapshot = view->snapshot;
    if (overview->generation == snapshot->generation && overview->n_steps == snapshot->n_steps)
        return true;
    free(overview->type_of);
    *overview = (struct overview){.type_of = malloc(snapshot->n_steps + 1)};
    if (!overview->type_of)
        return false;
    for (size_t step = 0; step < snapshot->n_steps; step++)
        overview->type_of[step] = (unsigned char)find_type(overview, mls_snapshot_step(snapshot, step)->type);
    overview->n_steps = snapshot->n_steps;
    overview->generation = snapshot->generation;
    return true;
}

static void close_view(struct mls_view *view)
{
    struct overview *overview = view->private;
    free(overview->type_of);
}

/* ---- While loading
 * ---------------------------------------------------------------------------------------------- */

static bool counts_bytes(enum mls_stage stage)
{
    return stage == MLS_STAGE_OPEN || stage == MLS_STAGE_DECRYPT || stage == MLS_STAGE_UNPACK;
}

static void draw_current_stage(const struct mls_snapshot *snapshot, struct mls_grid *grid, int x, int y,
                               int columns)
{
    const struct mls_loader_progress *progress = &snapshot->progress;
    char done[32], total[32], rate[32], elapsed[32];
    int bar = columns > 90 ? 40 : 20;
    double seconds = (double)snapshot->stage_elapsed_ns * 1e-9;
    mls_graph_progress(grid, x, y, bar, (double)progress->done, (double)progress->total);
    x += bar + 2;
    columns -= bar + 2;
    if (!progress->total) {
        mls_grid_text(grid, x, y, columns, MLS_STYLE_NORMAL,
                      mls_time_format((double)snapshot->stage_elapsed_ns, elapsed));
        return;
    }
    if (!counts_bytes(progress->stage)) {
        mls_grid_format(grid, x, y, columns, MLS_STYLE_NORMAL, "%llu of %llu  %s",
                        (unsigned long long)progress->done, (unsigned long long)progress->total,
                        mls_time_format((double)snapshot->stage_elapsed_ns, elapsed));
        return;
    }
    mls_grid_format(grid, x, y, columns, MLS_STYLE_NORMAL, "%s of %s  %s/s",
                    mls_bytes_format((double)progress->done, done),
                    mls_bytes_format((double)progress->total, total),
                    seconds > 0.001 ? mls_bytes_format((double)progress->done / seconds, rate) : "-");
}

static void draw_loading(const struct mls_snapshot *snapshot, struct mls_grid *grid, struct mls_rect rect)
{
    char elapsed[32];
    mls_panel_skip(&rect, 1);
    mls_panel_fact(grid, &rect, "Model", "%s", snapshot->path);
    mls_panel_fact(grid, &rect, "Loading", "%s",
                   mls_time_format((double)snapshot->progress.elapsed_ns, elapsed));
    mls_panel_skip(&rect, 1);
    for (unsigned i = 0; i < MLS_STAGE_COUNT && rect.rows > 0; i++) {
        bool current = i == (unsigned)snapshot->progress.stage;
        bool past = i < (unsigned)snapshot->progress.stage;
        mls_grid_put(grid, rect.x + 3, rect.y, past ? MLS_STYLE_GOOD : MLS_STYLE_TITLE,
                     past      ? 0x2713
                     : current ? 0x25b8
                               : ' ');
        mls_grid_text(grid, rect.x + 5, rect.y, 10, current ? MLS_STYLE_STRONG : MLS_STYLE_DIM,
                      mls_stage_name((enum mls_stage)i));
        if (current)
            draw_current_stage(snapshot, grid, rect.x + 17, rect.y, rect.columns - 18);
        mls_panel_skip(&rect, 1);
    }
}

/* ---- Panels
 * ----------------------------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    return path + begin;
}

static void draw_model(const struct mls_snapshot *snapshot, struct mls_grid *grid, struct mls_rect *rect)
{
    const struct mls_record_model *model = &snapshot->model;
    char bytes[32];
    if (model->form)
        mls_panel_fact(grid, rect, "Model", "%s · %s%s%s · %s", base_name(snapshot->path), model->form,
                       model->sealed ? " · sealed " : "", model->cipher ? model->cipher : "",
                       mls_bytes_format((double)model->file_bytes, bytes));
    else
        mls_panel_fact(grid, rect, "Model", "%s", snapshot->path ? snapshot->path : "-");
    if (model->lock_message)
        mls_panel_fact(grid, rect, "", "decrypted bytes are not locked in memory: %s", model->lock_message);
    if (!model->spec_version)
        return;
    mls_panel_fact(grid, rect, "", "specification %d (%s) · CoreML%u · function %s", model->spec_version,
                   mls_system_for_spec(model->spec_version), model->opset,
                   model->function ? model->function : "-");
    if (model->isa)
        mls_panel_fact(grid, rect, "Runs", "%zu operations · %s · %u thread%s · %s precision%s",
                       snapshot->n_steps, model->isa, model->threads, model->threads == 1 ? "" : "s",
                       model->precision ? model->precision : "declared",
                       model->concurrency > 1 ? " · several at once" : "");
    if (snapshot->recording)
        mls_panel_fact(
            grid, rect, "Recorded", "%s · mlscope %s · %s, %u cores%s%s", snapshot->environment.date_utc,
            snapshot->environment.tool_version, snapshot->environment.cpu, snapshot->environment.cores,
            model->redacted ? " · names replaced" : "", snapshot->incomplete ? " · the file ends early" : "");
}

static const enum mls_style load_styles[] = {MLS_STYLE_PART_1, MLS_STYLE_PART_2, MLS_STYLE_PART_3,
                                             MLS_STYLE_PART_4};
static const uint32_t load_glyphs[] = {0x2588, 0x2592, 0x2593, 0x2591};

/* Names and times of the stages, in lines of the rectangle; on low screens only those that matter, on one
 * line. */
static void draw_stages(const struct mls_snapshot *snapshot, struct mls_grid *grid, struct mls_rect *rect,
                        bool low)
{
    int x = rect->x + 1 + MLS_PANEL_LABEL_COLUMNS, end = rect->x + rect->columns - 1;
    size_t n = 0;
    for (unsigned i = 0; i < MLS_STAGE_COUNT; i++) {
        char time[32];
        uint64_t ns = snapshot->stages[i].ns;
        const char *name = mls_stage_name((enum mls_stage)i);
        size_t part = n % 4;
        n += ns > 0;
        if (!ns || (low && ns < snapshot->load_ns / 8))
            continue;
        mls_time_format((double)ns, time);
        if (x + (int)strlen(name) + 12 > end) {
            if (low)
                break;
            mls_panel_skip(rect, 1);
            x = rect->x + 1 + MLS_PANEL_LABEL_COLUMNS;
        }
        if (rect->rows <= 0)
            break;
        mls_grid_put(grid, x, rect->y, load_styles[part], load_glyphs[part]);
        x += 4 + mls_grid_format(grid, x + 2, rect->y, end - x - 2, MLS_STYLE_NORMAL, "%s %s", name, time);
    }
    mls_panel_skip(rect, 1);
}

static void draw_load(const struct mls_snapshot *snapshot, struct mls_grid *grid, struct mls_rect *rect,
                      bool low)
{
    struct mls_bar_part parts[MLS_STAGE_COUNT];
    char time[32];
    size_t n = 0;
    if (!snapshot->load_ns || rect->rows <= 0)
        return;
    for (unsigned i = 0; i < MLS_STAGE_COUNT; i++)
        if (snapshot->stages[i].ns) {
            parts[n] = (struct mls_bar_part){.amount = (double)snapshot->stages[i].ns,
                                             .style = load_styles[n % 4],
                                             .glyph = load_glyphs[n % 4]};
            n++;
        }
    mls_grid_text(grid, rect->x + 1, rect->y, MLS_PANEL_LABEL_COLUMNS - 1, MLS_STYLE_DIM, "Load");
    int x = rect->x + 1 + MLS_PANEL_LABEL_COLUMNS;
    int bar = rect->columns - MLS_PANEL_LABEL_COLUMNS - 12;
    mls_graph_bar(grid, x, rect->y, bar, parts, n, 0);
    mls_grid_right(grid, x + bar + 1, rect->y, 9, MLS_STYLE_STRONG,
                   mls_time_format((double)snapshot->load_ns, time));
    mls_panel_skip(rect, 1);
    draw_stages(snapshot, grid, rect, low);
}

/* Log-spaced classes from the fastest to the slowest of the recent predictions. */
static size_t histogram(const struct mls_snapshot *snapshot, double *counts, size_t n_classes,
                        double *ret_least, double *ret_most)
{
    double least = snapshot->recent_ns[0], most = snapshot->recent_ns[0];
    for (size_t i = 0; i < snapshot->n_recent; i++) {
        least = snapshot->recent_ns[i] < least ? snapshot->recent_ns[i] : least;
        most = snapshot->recent_ns[i] > most ? snapshot->recent_ns[i] : most;
    }
    memset(counts, 0, n_classes * sizeof *counts);
    size_t greatest = 0;
    for (size_t i = 0; i < snapshot->n_recent; i++) {
        double at = most > least ? (snapshot->recent_ns[i] - least) / (most - least) : 0;
        size_t class = (size_t)(at * (double)(n_classes - 1) + 0.5);
        counts[class] += 1;
        greatest = counts[class] > counts[greatest] ? class : greatest;
    }
    *ret_least = least;
    *ret_most = most;
    return greatest;
}

enum { HISTOGRAM_CLASSES = 32 };

static void draw_graphs(const struct mls_snapshot *snapshot, struct mls_grid *grid, struct mls_rect rect)
{
    double counts[HISTOGRAM_CLASSES], least, most;
    char from[32], to[32];
    if (!snapshot->n_recent || rect.columns < 20)
        return;
    size_t greatest = histogram(snapshot, counts, HISTOGRAM_CLASSES, &least, &most);
    int right = rect.columns >= 52 ? HISTOGRAM_CLASSES / 2 + 4 : 0;
    struct mls_rect line = {rect.x, rect.y, rect.columns - (right ? right + 3 : 0), rect.rows - 1};
    double floor = least - (most - least) * 0.15;
    mls_graph_line(grid, line, MLS_STYLE_BAR, snapshot->recent_ns, snapshot->n_recent, floor > 0 ? floor : 0,
                   most);
    mls_grid_format(grid, rect.x, rect.y + rect.rows - 1, line.columns, MLS_STYLE_DIM, "latest %zu: %s … %s",
                    snapshot->n_recent, mls_time_format(least, from), mls_time_format(most, to));
    if (!right)
        return;
    struct mls_rect bars = {line.x + line.columns + 3, rect.y, right, rect.rows - 1};
    mls_graph_columns(grid, bars, MLS_STYLE_PART_3, counts, HISTOGRAM_CLASSES, counts[greatest]);
    mls_grid_text(grid, bars.x, rect.y + rect.rows - 1, right / 2, MLS_STYLE_DIM, from);
    mls_grid_right(grid, bars.x + right / 2, rect.y + rect.rows - 1, right - right / 2, MLS_STYLE_DIM, to);
}

static void draw_latency(const struct mls_snapshot *snapshot, struct mls_grid *grid, struct mls_rect *rect,
                         int rows)
{
    const struct mls_series_stats *time = &snapshot->predictions;
    const struct {
        const char *label;
        uint64_t ns;
    } numbers[] = {{"now", time->last_ns},  {"p50", time->p50_ns},     {"p90", time->p90_ns},
                   {"p99", time->p99_ns},   {"first", time->first_ns}, {"min", time->min_ns},
                   {"mean", time->mean_ns}, {"std", time->std_ns}};
    char title[128], text[32];
    snprintf(title, sizeof title, "Latency  %.*f/s  %llu prediction%s%s", snapshot->rate_hz < 10 ? 2 : 0,
             snapshot->rate_hz, (unsigned long long)time->runs, time->runs == 1 ? "" : "s",
             snapshot->lost ? "  some events lost" : "");
    mls_panel_rule(grid, rect, title);
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0] && time->has_first; i++) {
        int x = rect->x + 1 + (int)(i / 4) * 16;
        int y = rect->y + (int)(i % 4);
        bool known =
            time->runs || numbers[i].ns == time->first_ns; /* there is a first before there are runs */
        if ((int)(i % 4) >= rect->rows || !known)
            continue;
        mls_grid_text(grid, x, y, 5, MLS_STYLE_DIM, numbers[i].label);
        mls_grid_right(grid, x + 5, y, 8, i == 0 ? MLS_STYLE_STRONG : MLS_STYLE_NORMAL,
                       mls_time_format((double)numbers[i].ns, text));
    }
    int height = rows < rect->rows ? rows : rect->rows;
    if (height >= 2)
        draw_graphs(snapshot, grid, (struct mls_rect){rect->x + 34, rect->y, rect->columns - 35, height});
    mls_panel_skip(rect, rows);
}

static void draw_wall(const struct mls_snapshot *snapshot, struct mls_grid *grid, struct mls_rect *rect)
{
    const struct mls_wall *wall = &snapshot->wall;
    char a[32], b[32], c[32], d[32], e[32];
    if (!snapshot->predictions.runs)
        return;
    mls_time_format((double)(wall->ops_ns + wall->dispatch_ns + wall->hooks_ns + wall->other_ns), a);
    bool roomy = rect->columns >= ROOMY_COLUMNS; /* else the total is the mean above */
    mls_panel_fact(grid, rect, "Wall", "%s%sops %s + dispatch %s + hooks %s + other %s", roomy ? a : "",
                   roomy ? " = " : "", mls_time_format((double)wall->ops_ns, b),
                   mls_time_format((double)wall->dispatch_ns, c), mls_time_format((double)wall->hooks_ns, d),
                   mls_time_format((double)wall->other_ns, e));
}

static void draw_memory(const struct mls_snapshot *snapshot, struct mls_grid *grid, struct mls_rect *rect)
{
    const struct mls_memory_use *memory = &snapshot->memory;
    char a[32], b[32], c[32], d[32], e[32];
    if (!snapshot->n_steps)
        return;
    mls_bytes_format((double)memory->peak_rss_bytes, e);
    bool roomy = rect->columns >= ROOMY_COLUMNS;
    mls_panel_fact(grid, rect, "Memory", "weights %s + %s packed · arena %s · RSS %s%s%s",
                   mls_bytes_format((double)memory->plan.weights_bytes, a),
                   mls_bytes_format((double)memory->plan.packed_bytes, b),
                   mls_bytes_format((double)memory->plan.arena_bytes, c),
                   mls_bytes_format((double)memory->rss_bytes, d), roomy ? ", peak " : "", roomy ? e : "");
}

static void draw_top(const struct mls_snapshot *snapshot, struct mls_grid *grid, struct mls_rect *rect,
                     int lines)
{
    size_t hottest[TOP_MAX];
    size_t n =
        mls_snapshot_hottest(snapshot, hottest, lines < TOP_MAX ? (size_t)(lines > 0 ? lines : 0) : TOP_MAX);
    if (!n)
        return;
    mls_panel_rule(grid, rect, "Top operations");
    for (size_t i = 0; i < n && rect->rows > 0; i++) {
        const struct mls_step *step = mls_snapshot_step(snapshot, hottest[i]);
        const struct mls_step_stats *stats = &snapshot->steps[hottest[i]];
        char share[32], time[32];
        mls_graph_share(grid, rect->x + 1, rect->y, 10, stats->share);
        mls_grid_right(grid, rect->x + 12, rect->y, 7, MLS_STYLE_NORMAL,
                       mls_share_format(stats->share, share));
        mls_grid_right(grid, rect->x + 20, rect->y, 8, MLS_STYLE_NORMAL,
                       mls_time_format((double)stats->mean_per_prediction_ns, time));
        mls_grid_text(grid, rect->x + 30, rect->y, 14, MLS_STYLE_TITLE, step->type);
        mls_grid_text(grid, rect->x + 46, rect->y, rect->columns - 47, MLS_STYLE_NORMAL, step->name);
        mls_panel_skip(rect, 1);
    }
}

/* Shares summed by type of operation, the largest first. */
struct type_sum {
    const char *type;
    unsigned n_steps;
    double share;
};

static int compare_types(const void *left, const void *right)
{
    const struct type_sum *a = left;
    const struct type_sum *b = right;
    return (a->share < b->share) - (a->share > b->share);
}

static void draw_types(const struct mls_view *view, struct mls_grid *grid, struct mls_rect *rect)
{
    const struct mls_snapshot *snapshot = view->snapshot;
    const struct overview *overview = view->private;
    struct type_sum sums[TYPES_MAX];
    size_t n = overview->n_types;
    if (rect->rows < 4 || !snapshot->predictions.runs)
        return;
    for (size_t i = 0; i < n; i++)
        sums[i] = (struct type_sum){.type = overview->types[i]};
    for (size_t step = 0; step < overview->n_steps && step < snapshot->n_steps; step++) {
        unsigned type = overview->type_of[step];
        if (type >= n)
            continue;
        sums[type].n_steps++;
        sums[type].share += snapshot->steps[step].share;
    }
    qsort(sums, n, sizeof *sums, compare_types);
    mls_panel_rule(grid, rect, "By type");
    for (size_t i = 0; i < n && rect->rows > 0; i++) {
        char share[32];
        mls_graph_share(grid, rect->x + 1, rect->y, 30, sums[i].share);
        mls_grid_right(grid, rect->x + 32, rect->y, 7, MLS_STYLE_NORMAL,
                       mls_share_format(sums[i].share, share));
        mls_grid_format(grid, rect->x + 40, rect->y, 5, MLS_STYLE_DIM, "%4u", sums[i].n_steps);
        mls_grid_text(grid, rect->x + 46, rect->y, rect->columns - 47, MLS_STYLE_TITLE, sums[i].type);
        mls_panel_skip(rect, 1);
    }
}

static void draw_findings(const struct mls_snapshot *snapshot, struct mls_grid *grid, struct mls_rect *rect)
{
    char title[64];
    const struct mls_report *report = snapshot->report;
    if (!report || rect->rows < 2)
        return;
    snprintf(title, sizeof title, "Findings  %zu", report->n_findings);
    mls_panel_rule(grid, rect, title);
    if (!report->n_findings)
        mls_panel_text(grid, rect, 0, MLS_STYLE_DIM, report->summary);
    for (size_t i = 0; i < report->n_findings && rect->rows > 0; i++) {
        const struct mls_finding *finding = &report->findings[i];
        enum mls_style style = finding->severity == MLS_SEVERITY_ERROR     ? MLS_STYLE_BAD
                               : finding->severity == MLS_SEVERITY_WARNING ? MLS_STYLE_WARNING
                                                                           : MLS_STYLE_DIM;
        mls_grid_text(grid, rect->x + 1, rect->y, 8, style, mls_severity_name(finding->severity));
        mls_grid_text(grid, rect->x + 10, rect->y, 9, MLS_STYLE_DIM, finding->id);
        mls_grid_text(grid, rect->x + 20, rect->y, rect->columns - 21, MLS_STYLE_NORMAL, finding->title);
        mls_panel_skip(rect, 1);
    }
}

/* Lines that findings may take: all of them up to four on a low screen. */
static int findings_lines(const struct mls_snapshot *snapshot, int rows)
{
    int n = snapshot->report ? (int)snapshot->report->n_findings : 0;
    int most = rows < 30 ? 3 : 12;
    return 1 + (n < 1 ? 1 : n > most ? most : n);
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    const struct mls_snapshot *snapshot = view->snapshot;
    if (snapshot->phase == MLS_PHASE_LOADING) {
        draw_loading(snapshot, grid, rect);
        return rect.rows;
    }
    bool wide = rect.columns >= WIDE_COLUMNS;
    struct mls_rect left = {rect.x, rect.y, wide ? rect.columns / 2 - 1 : rect.columns, rect.rows};
    struct mls_rect right = {rect.x + left.columns + 2, rect.y, rect.columns - left.columns - 2, rect.rows};
    draw_model(snapshot, grid, &left);
    draw_load(snapshot, grid, &left, rect.rows < 30);
    if (snapshot->phase != MLS_PHASE_FAILED || snapshot->predictions.runs)
        draw_latency(snapshot, grid, &left, rect.rows >= 40 ? 16 : 4);
    draw_wall(snapshot, grid, &left);
    draw_memory(snapshot, grid, &left);
    if (snapshot->n_steps)
        mls_panel_units(grid, &left, "Placement", mls_snapshot_placement(snapshot));
    if (wide)
        draw_types(view, grid, &left);
    struct mls_rect *rest = wide ? &right : &left;
    int lines = rest->rows - 1 - findings_lines(snapshot, rect.rows);
    draw_top(snapshot, grid, rest, lines);
    draw_findings(snapshot, grid, rest);
    return rect.rows;
}

const struct mls_view_ops mls_view_overview = {
    .title = "Overview",
    .request = MLS_REQUEST_OVERVIEW,
    .private_size = sizeof(struct overview),
    .sort_column = MLS_LISTING_RUN_ORDER,
    .update = update,
    .close = close_view,
    .draw = draw,
};
