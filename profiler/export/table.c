#include "export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/text.h"

struct view {
    const struct mls_document *document;
    const struct mls_table_style *style;
    const struct mls_writer *writer;
};

static bool write_heading(const struct view *view)
{
    const struct mls_loaded *loaded = view->document->loaded;
    const struct mls_package_info *info = mls_package_info(loaded->package);
    const struct mls_environment *environment = view->document->environment;
    char weights[MLS_TEXT_BYTES], load[MLS_TEXT_BYTES];
    char *path = mls_text_safe(info->path, view->style->ascii);
    char *function = mls_text_safe(loaded->interface->function, view->style->ascii);
    bool ok =
        path && function &&
        mls_writef(view->writer, "%s%s%s  %s%s, function %s, %zu steps, weights %s\n",
                   view->style->color ? "\033[1m" : "", path, view->style->color ? "\033[0m" : "",
                   info->sealed ? "sealed " : "", mls_form_name(info->form), function,
                   mls_plan_step_count(loaded->plan),
                   mls_text_size(view->document->memory.plan.weights_bytes, weights)) &&
        mls_writef(view->writer, "%s, %s, %u threads\n", environment->cpu,
                   mls_isa_name(mls_session_isa(loaded->session)), mls_session_threads(loaded->session)) &&
        mls_writef(view->writer, "load %s:", mls_text_duration(loaded->total_ns, view->style->ascii, load));
    free(path);
    free(function);
    for (enum mls_stage i = 0; ok && i < MLS_STAGE_COUNT; i++)
        if (loaded->stages[i].entered)
            ok = mls_writef(view->writer, " %s %s", mls_stage_name(i),
                            mls_text_duration(loaded->stages[i].ns, view->style->ascii, load));
    return ok && mls_write(view->writer, "\n\n");
}

static void add_rate(struct mls_table *table, double rate)
{
    if (isfinite(rate) && rate > 0)
        mls_table_cell(table, "%.*f", rate < 0.1 ? 3 : rate < 10 ? 2 : rate < 100 ? 1 : 0, rate);
    else
        mls_table_cell(table, "%s", "");
}

static void add_duration(const struct view *view, struct mls_table *table, bool known, uint64_t ns)
{
    char text[MLS_TEXT_BYTES];
    mls_table_cell(table, "%s", known ? mls_text_duration(ns, view->style->ascii, text) : "");
}

static void add_operation(const struct view *view, struct mls_table *table, const struct export_row *row)
{
    const struct mls_step *step = row->step;
    const struct mls_series_stats *time = &row->stats.time;
    bool ran = time->runs > 0;
    char text[MLS_RANK_MAX * 21 + MLS_TEXT_BYTES];
    mls_table_cell(table, "%u", step->index);
    mls_table_cell(table, "%*s%s", (int)(step->depth < 8 ? step->depth : 8), "", step->name);
    mls_table_cell(table, "%s", step->type);
    mls_table_cell(table, "%s",
                   step->n_outputs ? mls_shape_format(&step->outputs[0].type, text, sizeof text) : "");
    mls_table_cell(table, "%llu", (unsigned long long)time->runs);
    add_duration(view, table, ran, time->mean_ns);
    add_duration(view, table, ran, time->p50_ns);
    add_duration(view, table, ran, time->p99_ns);
    mls_table_cell(table, "%s", mls_text_percent(row->stats.share, text));
    mls_table_cell(table, "%s", mls_text_percent(row->cum_share, text));
    add_rate(table, row->stats.gflops);
    add_rate(table, row->stats.gbytes_per_s);
    const char *bound = mls_bound_name(row->stats.bound);
    mls_table_cell(table, "%s", bound ? bound : "");
    mls_table_cell(table, "%s", row->kernel ? row->kernel : "");
}

static bool write_operations(const struct view *view, const struct export_rows *rows)
{
    static const struct mls_column columns[] = {{.title = "#", .right = true},
                                                {.title = "operation", .max_width = 48},
                                                {.title = "type", .max_width = 24},
                                                {.title = "output", .max_width = 28},
                                                {.title = "runs", .right = true},
                                                {.title = "mean", .right = true},
                                                {.title = "P50", .right = true},
                                                {.title = "P99", .right = true},
                                                {.title = "share", .right = true},
                                                {.title = "cum", .right = true},
                                                {.title = "GFLOP/s", .right = true},
                                                {.title = "GB/s", .right = true},
                                                {.title = "bound"},
                                                {.title = "kernel", .max_width = 32}};
    struct mls_table *table =
        mls_table_create(columns, sizeof columns / sizeof columns[0], view->style->ascii);
    if (!table)
        return false;
    size_t n = rows->n_rows;
    if (view->style->max_rows && n > view->style->max_rows)
        n = view->style->max_rows;
    for (size_t i = 0; i < n; i++)
        add_operation(view, table, &rows->rows[i]);
    bool ok = mls_table_write(table, view->style->columns, view->style->color, view->writer);
    if (ok && n < rows->n_rows)
        ok = mls_writef(view->writer, "%s %zu more (--top 0 shows all)\n", view->style->ascii ? "..." : "…",
                        rows->n_rows - n);
    mls_table_free(table);
    return ok;
}

struct type_sum {
    const char *type;
    size_t n_steps;
    uint64_t runs;
    double total_ns;
    double share;
};

static int by_share(const void *a, const void *b)
{
    const struct type_sum *x = a, *y = b;
    if (x->share != y->share)
        return x->share > y->share ? -1 : 1;
    return strcmp(x->type, y->type);
}

static size_t sum_types(const struct export_rows *rows, struct type_sum *sums)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct export_row *row = &rows->rows[i];
        size_t j = 0;
        while (j < n && strcmp(sums[j].type, row->step->type) != 0)
            j++;
        if (j == n)
            sums[n++] = (struct type_sum){.type = row->step->type};
        sums[j].n_steps++;
        sums[j].runs += row->stats.time.runs;
        sums[j].total_ns += (double)row->stats.time.mean_ns * (double)row->stats.time.runs;
        sums[j].share += row->stats.share;
    }
    qsort(sums, n, sizeof *sums, by_share);
    return n;
}

static bool write_types(const struct view *view, const struct export_rows *rows)
{
    static const struct mls_column columns[] = {{.title = "type"},
                                                {.title = "count", .right = true},
                                                {.title = "per prediction", .right = true},
                                                {.title = "share", .right = true},
                                                {.title = "cum", .right = true}};
    struct type_sum *sums = calloc(rows->n_rows ? rows->n_rows : 1, sizeof *sums);
    struct mls_table *table =
        mls_table_create(columns, sizeof columns / sizeof columns[0], view->style->ascii);
    bool ok = sums && table;
    size_t n = ok ? sum_types(rows, sums) : 0;
    uint64_t runs = mls_profile_predictions(view->document->profile).runs;
    double cum = 0;
    for (size_t i = 0; i < n; i++) {
        char text[MLS_TEXT_BYTES];
        cum += sums[i].share;
        mls_table_cell(table, "%s", sums[i].type);
        mls_table_cell(table, "%zu", sums[i].n_steps);
        add_duration(view, table, runs > 0, runs ? (uint64_t)(sums[i].total_ns / (double)runs) : 0);
        mls_table_cell(table, "%s", mls_text_percent(sums[i].share, text));
        mls_table_cell(table, "%s", mls_text_percent(cum < 1 ? cum : 1, text));
    }
    ok = ok && mls_write(view->writer, "\n") &&
         mls_table_write(table, view->style->columns, view->style->color, view->writer);
    mls_table_free(table);
    free(sums);
    return ok;
}

enum { HOT_STEPS_MAX = 10, HOT_FUNCTIONS_MAX = 4 };

/* The functions inside the operations that take most. */
static bool write_hot(const struct view *view, const struct export_rows *rows)
{
    static const struct mls_column columns[] = {{.title = "operation", .max_width = 40},
                                                {.title = "function", .max_width = 48},
                                                {.title = "samples", .right = true},
                                                {.title = "own CPU", .right = true},
                                                {.title = "of all", .right = true}};
    struct mls_hot *hot = view->document->hot;
    if (!hot)
        return true;
    struct mls_hot_totals totals = mls_hot_totals(hot);
    struct mls_table *table =
        mls_table_create(columns, sizeof columns / sizeof columns[0], view->style->ascii);
    if (!table)
        return false;
    for (size_t i = 0, shown = 0; i < rows->n_rows && shown < HOT_STEPS_MAX; i++) {
        struct mls_hot_function functions[HOT_FUNCTIONS_MAX];
        size_t n = mls_hot_functions(hot, rows->rows[i].step->index, functions, HOT_FUNCTIONS_MAX);
        shown += n > 0;
        for (size_t j = 0; j < n && j < HOT_FUNCTIONS_MAX && functions[j].samples; j++) {
            char text[MLS_TEXT_BYTES];
            mls_table_cell(table, "%s", j ? "" : rows->rows[i].step->name);
            mls_table_cell(table, "%s", functions[j].name);
            mls_table_cell(table, "%llu", (unsigned long long)functions[j].samples);
            add_duration(view, table, true, functions[j].self_ns);
            mls_table_cell(table, "%s",
                           mls_text_percent((double)functions[j].self_ns /
                                                (double)(totals.in_steps_ns ? totals.in_steps_ns : 1),
                                            text));
        }
    }
    char own[MLS_TEXT_BYTES], between[MLS_TEXT_BYTES];
    bool ascii = view->style->ascii;
    bool ok = mls_write(view->writer, "\n") &&
              mls_table_write(table, view->style->columns, view->style->color, view->writer) &&
              mls_writef(view->writer, "%llu stacks (%s), %s between operations",
                         (unsigned long long)totals.samples, totals.source,
                         mls_text_duration(totals.between_ns, ascii, between));
    if (ok && totals.own_ns)
        ok = mls_writef(view->writer, ", taking them cost %s", mls_text_duration(totals.own_ns, ascii, own));
    if (ok && totals.ambiguous_ns)
        ok = mls_writef(view->writer, "; %s on threads that several predictions share: nobody's",
                        mls_text_duration(totals.ambiguous_ns, ascii, own));
    if (ok && totals.lost)
        ok = mls_writef(view->writer, "; %llu stacks were lost", (unsigned long long)totals.lost);
    mls_table_free(table);
    return ok && mls_write(view->writer, "\n");
}

/* Means of one execution, for the operations that take most. */
static bool write_counters(const struct view *view, const struct export_rows *rows)
{
    const struct mls_counters *counters = view->document->counters;
    if (!counters)
        return true;
    struct mls_column columns[1 + MLS_COUNTER_COUNT] = {{.title = "operation", .max_width = 40}};
    for (enum mls_counter i = 0; i < MLS_COUNTER_COUNT; i++)
        columns[1 + i] = (struct mls_column){.title = mls_counter_heading(i), .right = true};
    struct mls_table *table = mls_table_create(columns, 1 + MLS_COUNTER_COUNT, view->style->ascii);
    if (!table)
        return false;
    for (size_t i = 0; i < rows->n_rows && i < HOT_STEPS_MAX; i++) {
        const struct export_row *row = &rows->rows[i];
        mls_table_cell(table, "%s", row->step->name);
        for (enum mls_counter j = 0; j < MLS_COUNTER_COUNT; j++) {
            if (mls_counters_missing(counters, j) || !row->stats.time.runs)
                mls_table_cell(table, "%s", "n/a");
            else if (j == MLS_COUNTER_CPU_NS)
                add_duration(view, table, true,
                             mls_counters_sum(counters, row->step->index, j) / row->stats.time.runs);
            else
                mls_table_cell(table, "%.4g",
                               (double)mls_counters_sum(counters, row->step->index, j) /
                                   (double)row->stats.time.runs);
        }
    }
    bool ok = mls_write(view->writer, "\n") &&
              mls_table_write(table, view->style->columns, view->style->color, view->writer) &&
              mls_write(view->writer,
                        "counted in user mode on all threads, from the end of the operation before\n");
    for (enum mls_counter i = 0; ok && i < MLS_COUNTER_COUNT; i++)
        if (mls_counters_missing(counters, i))
            ok = mls_writef(view->writer, "%s: n/a: %s\n", mls_counter_name(i),
                            mls_counters_missing(counters, i));
    mls_table_free(table);
    return ok;
}

static bool write_latency(const struct view *view)
{
    const struct mls_profile *profile = view->document->profile;
    struct mls_series_stats stats = mls_profile_predictions(profile);
    const struct {
        const char *name;
        uint64_t ns;
    } figures[] = {{"mean", stats.mean_ns}, {"std", stats.std_ns},    {"min", stats.min_ns},
                   {"P50", stats.p50_ns},   {"P90", stats.p90_ns},    {"P99", stats.p99_ns},
                   {"max", stats.max_ns},   {"first", stats.first_ns}};
    bool ok = mls_writef(view->writer, "\n%llu predictions, %llu warm-up:", (unsigned long long)stats.runs,
                         (unsigned long long)mls_profile_warmup(profile));
    char text[MLS_TEXT_BYTES];
    for (size_t i = 0; ok && i < sizeof figures / sizeof figures[0]; i++)
        ok = mls_writef(view->writer, "%s %s %s", i ? "," : "", figures[i].name,
                        mls_text_duration(figures[i].ns, view->style->ascii, text));
    return ok && mls_writef(view->writer, "; %.1f a second\n", mls_profile_rate(profile));
}

static bool write_wall(const struct view *view)
{
    struct mls_wall wall = mls_profile_wall(view->document->profile);
    uint64_t mean_ns = mls_profile_predictions(view->document->profile).mean_ns;
    char mean[MLS_TEXT_BYTES], ops[MLS_TEXT_BYTES], dispatch[MLS_TEXT_BYTES], hooks[MLS_TEXT_BYTES];
    char other[MLS_TEXT_BYTES];
    bool ascii = view->style->ascii;
    return mls_writef(view->writer, "wall %s = operations %s + dispatch %s + hooks %s + other %s\n",
                      mls_text_duration(mean_ns, ascii, mean), mls_text_duration(wall.ops_ns, ascii, ops),
                      mls_text_duration(wall.dispatch_ns, ascii, dispatch),
                      mls_text_duration(wall.hooks_ns, ascii, hooks),
                      mls_text_duration(wall.other_ns, ascii, other));
}

static bool write_memory(const struct view *view)
{
    const struct mls_memory_use *use = &view->document->memory;
    const struct {
        const char *name;
        uint64_t bytes;
    } figures[] = {{"weights", use->plan.weights_bytes},
                   {"packed", use->plan.packed_bytes},
                   {"arena", use->plan.arena_bytes},
                   {"planned peak", use->plan.planned_peak_bytes},
                   {"lower bound", use->plan.lower_bound_bytes},
                   {"scratch", use->plan.scratch_bytes},
                   {"peak resident", use->peak_rss_bytes}};
    bool ok = mls_write(view->writer, "memory");
    char text[MLS_TEXT_BYTES];
    for (size_t i = 0; ok && i < sizeof figures / sizeof figures[0]; i++)
        ok = mls_writef(view->writer, "%s %s %s", i ? "," : ":", figures[i].name,
                        mls_text_size(figures[i].bytes, text));
    if (ok && use->runs)
        ok = mls_writef(view->writer, "; %u prediction%s at once, %s each", use->runs,
                        use->runs == 1 ? "" : "s", mls_text_size(use->run_bytes, text));
    ok = ok && mls_write(view->writer, "\n");
    uint64_t lost = mls_profile_lost(view->document->profile);
    if (ok && lost)
        ok = mls_writef(view->writer,
                        "%llu events were lost: the figures of operations stand on fewer predictions\n",
                        (unsigned long long)lost);
    return ok;
}

/* What another shape would cost, where there may be one. */
static bool write_reshape(const struct view *view)
{
    const struct mls_reshape_cost *cost = &view->document->reshape;
    char plan[MLS_TEXT_BYTES], prepare[MLS_TEXT_BYTES], first[MLS_TEXT_BYTES], next[MLS_TEXT_BYTES];
    bool ascii = view->style->ascii;
    char *shapes = mls_text_safe(cost->shapes, ascii);
    bool ok = shapes &&
              (!cost->measured ||
               mls_writef(view->writer, "new shape %s: plan %s, prepare %s, first prediction %s, then %s\n",
                          shapes, mls_text_duration(cost->plan_ns, ascii, plan),
                          mls_text_duration(cost->prepare_ns, ascii, prepare),
                          mls_text_duration(cost->first_ns, ascii, first),
                          mls_text_duration(cost->next_ns, ascii, next)));
    free(shapes);
    return ok;
}

bool mls_export_table(const struct mls_document *document, const struct mls_table_style *style,
                      const struct mls_writer *writer)
{
    const struct view view = {.document = document, .style = style, .writer = writer};
    struct export_rows rows;
    if (!export_walk(document, style->run_order ? EXPORT_RUN_ORDER : EXPORT_HOTTEST_FIRST, &rows))
        return false;
    bool ok = write_heading(&view) && write_operations(&view, &rows) && write_types(&view, &rows) &&
              write_hot(&view, &rows) && write_counters(&view, &rows) && write_latency(&view) &&
              write_wall(&view) && write_memory(&view) && write_reshape(&view);
    free(rows.rows);
    return ok;
}
