#include <math.h>
#include <stdio.h>
#include <string.h>

#include "profiler/compare.h"
#include "view/panel.h"
#include "view/view.h"

#define COLUMN_LIST(X)                                                  \
    X(CHANGE, "change", "ratio", "change", RATIO, 8, 0, false, false)   \
    X(FLAG, "flag", NULL, "", TEXT, 6, 0, false, false)                 \
    X(DIFFERENCE, "difference", NULL, "by", TIME_NS, 9, 0, false, true) \
    X(BEFORE, "before", NULL, "before", TIME_NS, 8, 1, false, true)     \
    X(NOW, "now", "time", "now", TIME_NS, 8, 0, false, true)            \
    X(NOISE, "noise", NULL, "noise", TIME_NS, 8, 3, false, false)       \
    X(SNR, "snr", "accuracy", "values", DECIBEL, 9, 2, false, false)    \
    X(TYPE, "type", NULL, "type", TEXT, 12, 2, false, false)            \
    X(NAME, "name", NULL, "name", TEXT, 16, 0, true, false)             \
    X(KERNELS, "kernels", NULL, "kernels", TEXT, 40, 4, false, false)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {
#define X(id, key, alias, title, kind, width, rank, flexible, sum) \
    {key, alias, title, MLS_DATUM_##kind, width, rank, flexible, false, false, sum},
    COLUMN_LIST(X)
#undef X
};

static size_t rows(const struct mls_view *view)
{
    return view->snapshot->comparison ? view->snapshot->comparison->n_ops : 0;
}

static const char *flag_of(const struct mls_op_change *change)
{
    if (change->a == MLS_NO_INDEX)
        return "new";
    if (change->b == MLS_NO_INDEX)
        return "gone";
    return !change->time.significant ? "" : change->time.b > change->time.a ? "slower" : "faster";
}

static struct mls_datum time_of(double ns)
{
    return (struct mls_datum){.kind = isnan(ns) ? MLS_DATUM_NONE : MLS_DATUM_TIME_NS, .number = ns};
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct mls_comparison *comparison = view->snapshot->comparison;
    const struct mls_op_change *change = &comparison->ops[row];
    const struct mls_side_op *a = change->a == MLS_NO_INDEX ? NULL : &comparison->a->ops[change->a];
    const struct mls_side_op *b = change->b == MLS_NO_INDEX ? NULL : &comparison->b->ops[change->b];
    const struct mls_side_op *either = b ? b : a;
    *ret_datum = (struct mls_datum){.kind = columns[column].kind};
    switch ((enum column)column) {
    case COLUMN_CHANGE:
        ret_datum->kind = isnan(change->time.ratio) ? MLS_DATUM_NONE : MLS_DATUM_RATIO;
        ret_datum->number = change->time.ratio;
        return;
    case COLUMN_FLAG:
        ret_datum->text = flag_of(change);
        return;
    case COLUMN_DIFFERENCE:
        *ret_datum = time_of(change->difference_ns);
        return;
    case COLUMN_BEFORE:
        *ret_datum = time_of(change->time.a);
        return;
    case COLUMN_NOW:
        *ret_datum = time_of(change->time.b);
        return;
    case COLUMN_NOISE:
        *ret_datum = time_of(isfinite(change->time.noise) ? change->time.noise : (double)NAN);
        return;
    case COLUMN_SNR: {
        const double *snr_db = view->snapshot->dueled ? view->snapshot->duel.snr_db : NULL;
        bool known = snr_db && !isnan(snr_db[row]);
        ret_datum->kind = known ? MLS_DATUM_DECIBEL : MLS_DATUM_NONE;
        ret_datum->number = known ? snr_db[row] : 0;
        return;
    }
    case COLUMN_TYPE:
        ret_datum->text = either->type;
        return;
    case COLUMN_NAME:
        ret_datum->text = either->name;
        return;
    default:
        ret_datum->text = either->kernel ? either->kernel : "";
    }
}

static enum mls_style style(const void *user, size_t row)
{
    const struct mls_view *view = user;
    const struct mls_op_change *change = &view->snapshot->comparison->ops[row];
    if (change->a == MLS_NO_INDEX || change->b == MLS_NO_INDEX)
        return MLS_STYLE_TITLE;
    if (!change->time.significant)
        return MLS_STYLE_DIM;
    return change->time.b > change->time.a ? MLS_STYLE_BAD : MLS_STYLE_GOOD;
}

/* What ends in a unit is shown with it: "p50_ns" is p50. */
static void format_total(const struct mls_change *total, char *text, size_t size)
{
    static const struct {
        const char *suffix;
        char *(*format)(double number, char *text);
    } units[] = {{"_ns", mls_time_format}, {"_bytes", mls_bytes_format}, {"", mls_count_format}};
    char a[32], b[32];
    size_t length = strlen(total->name), unit = 0, suffix;
    while ((suffix = strlen(units[unit].suffix)) > length ||
           strcmp(total->name + length - suffix, units[unit].suffix) != 0)
        unit++;
    snprintf(text, size, "%.*s %s → %s (%.2f ×%s)", (int)(length - suffix), total->name,
             units[unit].format(total->a, a), units[unit].format(total->b, b), total->ratio,
             total->significant ? "" : ", within noise");
    for (size_t i = 0; i < length - suffix; i++)
        text[i] = text[i] == '_' ? ' ' : text[i];
}

/* Where the two stand that run in turns, and what their values say. */
static void draw_duel(const struct mls_duel_view *duel, struct mls_grid *grid, struct mls_rect *rect)
{
    const struct mls_walk *walk = duel->walk;
    if (duel->error[0])
        mls_panel_text(grid, rect, 0, MLS_STYLE_BAD, duel->error);
    else if (duel->busy)
        mls_panel_fact(grid, rect, "In turns", "%llu rounds, %.0f %%; the model pauses meanwhile",
                       (unsigned long long)duel->n_rounds, duel->share * 100);
    if (duel->walk_error[0])
        mls_panel_fact(grid, rect, "Values", "%s", duel->walk_error);
    if (!walk)
        return;
    size_t worst = 0;
    for (size_t i = 1; i < walk->n_outputs; i++)
        worst = walk->outputs[i].compared && !(walk->outputs[i].snr_db >= walk->outputs[worst].snr_db) ? i : worst;
    struct mls_datum snr = {.kind = walk->n_outputs && walk->outputs[worst].compared ? MLS_DATUM_DECIBEL : MLS_DATUM_NONE,
                            .number = walk->n_outputs ? walk->outputs[worst].snr_db : 0};
    char text[MLS_DATUM_TEXT_BYTES];
    char parted[160] = "";
    if (walk->first != MLS_NO_INDEX)
        snprintf(parted, sizeof parted, "below %.0f dB first: %s %.100s", walk->limit_db, walk->ops[walk->first].type,
                 walk->ops[walk->first].name);
    else
        snprintf(parted, sizeof parted, "no operation below %.0f dB", walk->limit_db);
    mls_panel_fact(grid, rect, "Values", "output %s %s  ·  %s", walk->n_outputs ? walk->outputs[worst].name : "",
                   mls_datum_format(&snr, text), parted);
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    const struct mls_comparison *comparison = view->snapshot->comparison;
    int top = rect.y;
    if (view->snapshot->dueled && !comparison) {
        if (!view->snapshot->duel.error[0] && !view->snapshot->duel.n_rounds)
            mls_panel_text(grid, &rect, 0, MLS_STYLE_DIM, "both models are being loaded");
        draw_duel(&view->snapshot->duel, grid, &rect);
        return rect.rows + rect.y - top;
    }
    if (!comparison) {
        mls_panel_text(
            grid, &rect, 0, MLS_STYLE_DIM,
            "B takes the statistics so far as the baseline; what changes from then on is shown here. "
            ":compare FILE compares with a recording (mlscope record) or a stored profile (mlscope profile --json). "
            ":compare MODEL runs another model in turns with this one, and :compare threads=1 (or another setting) this "
            "one with itself; then values are compared as well.");
        return rect.rows + rect.y - top; /* no empty list below */
    }
    mls_panel_fact(grid, &rect, "Before", "%s  ·  %llu predictions", comparison->a->label,
                   (unsigned long long)comparison->a->runs);
    mls_panel_fact(grid, &rect, "Now",
                   "%s  ·  %llu predictions  ·  %zu operations in both, %zu gone, %zu new",
                   comparison->b->label, (unsigned long long)comparison->b->runs, comparison->n_matched,
                   comparison->n_only_a, comparison->n_only_b);
    if (view->snapshot->dueled)
        draw_duel(&view->snapshot->duel, grid, &rect);
    for (size_t i = 0; i < comparison->n_totals && rect.y - top < 8; i++) {
        char text[160];
        const struct mls_change *total = &comparison->totals[i];
        if (isnan(total->ratio) || (i > 0 && total->ratio > 0.999 && total->ratio < 1.001))
            continue;
        format_total(total, text, sizeof text);
        if (rect.rows > 0)
            mls_grid_text(grid, rect.x + 1 + MLS_PANEL_LABEL_COLUMNS, rect.y,
                          rect.columns - 2 - MLS_PANEL_LABEL_COLUMNS,
                          !total->significant   ? MLS_STYLE_DIM
                          : total->b > total->a ? MLS_STYLE_BAD
                                                : MLS_STYLE_GOOD,
                          text);
        mls_panel_skip(&rect, 1);
    }
    mls_panel_skip(&rect, 1);
    return rect.y - top;
}

/* That of the model that runs here and has the same name. */
static bool op(const struct mls_view *view, size_t row, mls_op_id *ret_op)
{
    const struct mls_comparison *comparison = view->snapshot->comparison;
    uint32_t b = comparison ? comparison->ops[row].b : MLS_NO_INDEX;
    for (size_t i = 0; b != MLS_NO_INDEX && i < view->snapshot->n_steps; i++) {
        const struct mls_step *step = mls_snapshot_step(view->snapshot, i);
        if (strcmp(step->name, comparison->b->ops[b].name) != 0)
            continue;
        *ret_op = step->op;
        return true;
    }
    return false;
}

const struct mls_view_ops mls_view_compare = {
    .title = "Compare",
    .request = MLS_REQUEST_COMPARE,
    .where = MLS_IN_LIST,
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = MLS_LISTING_RUN_ORDER,
    .rows = rows,
    .cell = cell,
    .style = style,
    .draw = draw,
    .op = op,
};
