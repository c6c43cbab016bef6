#include <math.h>
#include <stdio.h>

#include "app/sweeper.h"
#include "view/panel.h"
#include "view/view.h"
#include "widget/graph.h"

#define COLUMN_LIST(X)                                                 \
    X(FRONT, "front", "pareto", "", TEXT, 1, 0, false)                 \
    X(LABEL, "label", "name", "setting", TEXT, 20, 0, true)            \
    X(SIZE, "size", NULL, "weights", BYTES, 8, 0, false)               \
    X(BITS, "bits", NULL, "bits", GFLOPS, 5, 2, false)                 \
    X(SNR, "snr", NULL, "SNR dB", GFLOPS, 7, 0, false)                 \
    X(TIME, "time", "p50", "p50", TIME_NS, 8, 0, false)                \
    X(RATIO, "ratio", NULL, "of plain", RATIO, 8, 1, false)            \
    X(MEMORY, "memory", NULL, "memory", BYTES, 8, 3, false)            \
    X(PREDICTED, "predicted", NULL, "predicted", TIME_NS, 9, 4, false) \
    X(STATE, "state", NULL, "state", TEXT, 20, 5, false)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {COLUMN_LIST(MLS_COLUMN_ROW)};

static size_t rows(const struct mls_view *view)
{
    return view->snapshot->sweep.n;
}

static const char *state_of(const struct mls_swept *swept)
{
    return swept->running         ? "running"
           : swept->result.done   ? swept->result.status ? swept->result.reason : ""
           : swept->result.status ? swept->result.reason
                                  : "waiting";
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct mls_swept *swept = &view->snapshot->sweep.settings[row];
    const struct mls_sweep_result *result = &swept->result;
    bool known = result->done && !result->status;
    *ret_datum = (struct mls_datum){.kind = known ? columns[column].kind : MLS_DATUM_NONE};
    switch ((enum column)column) {
    case COLUMN_FRONT:
        *ret_datum = (struct mls_datum){.kind = MLS_DATUM_TEXT, .text = known && result->pareto ? "*" : ""};
        return;
    case COLUMN_LABEL:
        *ret_datum = (struct mls_datum){.kind = MLS_DATUM_TEXT, .text = swept->label};
        return;
    case COLUMN_STATE:
        *ret_datum = (struct mls_datum){.kind = MLS_DATUM_TEXT, .text = state_of(swept)};
        return;
    case COLUMN_SIZE:
        ret_datum->number = (double)result->weights_bytes;
        return;
    case COLUMN_BITS:
        ret_datum->number = result->bits_per_weight;
        return;
    case COLUMN_SNR:
        ret_datum->kind = known && isfinite(result->outputs_snr_db) ? MLS_DATUM_GFLOPS : MLS_DATUM_NONE;
        ret_datum->number = result->outputs_snr_db;
        ret_datum->text = known ? "exact" : NULL;
        return;
    case COLUMN_TIME:
        ret_datum->number = (double)result->p50_ns;
        return;
    case COLUMN_RATIO:
        ret_datum->kind = known && result->plain_p50_ns ? MLS_DATUM_RATIO : MLS_DATUM_NONE;
        ret_datum->number = result->plain_p50_ns ? (double)result->p50_ns / (double)result->plain_p50_ns : 0;
        return;
    case COLUMN_MEMORY:
        ret_datum->number = (double)result->memory_bytes;
        return;
    default:
        ret_datum->kind = known && result->predicted_us > 0 ? MLS_DATUM_TIME_NS : MLS_DATUM_NONE;
        ret_datum->number = result->predicted_us * 1000;
    }
}

static enum mls_style style(const void *user, size_t row)
{
    const struct mls_view *view = user;
    const struct mls_swept *swept = &view->snapshot->sweep.settings[row];
    if (swept->running)
        return MLS_STYLE_STRONG;
    if (!swept->result.done)
        return MLS_STYLE_DIM;
    return swept->result.status ? MLS_STYLE_BAD : swept->result.pareto ? MLS_STYLE_GOOD : MLS_STYLE_NORMAL;
}

/* Size from left to right, nearness to the model from bottom to top; numbers are rows, stars are on the
 * front. */
static void draw_front(const struct mls_sweep_view *sweep, struct mls_grid *grid, struct mls_rect rect,
                       size_t selected)
{
    double most_bytes = 1, most_db = 1;
    for (size_t i = 0; i < sweep->n; i++) {
        const struct mls_sweep_result *result = &sweep->settings[i].result;
        if (!result->done || result->status)
            continue;
        most_bytes = (double)result->weights_bytes > most_bytes ? (double)result->weights_bytes : most_bytes;
        if (isfinite(result->outputs_snr_db) && result->outputs_snr_db > most_db)
            most_db = result->outputs_snr_db;
    }
    for (int y = 0; y < rect.rows; y++)
        mls_grid_put(grid, rect.x, rect.y + y, MLS_STYLE_DIM, 0x2502);
    mls_grid_fill(grid, (struct mls_rect){rect.x, rect.y + rect.rows, rect.columns, 1}, MLS_STYLE_DIM,
                  0x2500);
    for (size_t i = 0; i < sweep->n; i++) {
        const struct mls_sweep_result *result = &sweep->settings[i].result;
        if (!result->done || result->status)
            continue;
        double db = isfinite(result->outputs_snr_db) ? result->outputs_snr_db : most_db;
        db = db < 0 ? 0 : db;
        int x = rect.x + 1 + (int)((double)result->weights_bytes / most_bytes * (rect.columns - 4));
        int y = rect.y + rect.rows - 1 - (int)(db / most_db * (rect.rows - 1));
        enum mls_style point = i == selected    ? MLS_STYLE_SELECTED
                               : result->pareto ? MLS_STYLE_GOOD
                                                : MLS_STYLE_DIM;
        mls_grid_format(grid, x, y, 3, point, "%s%zu", result->pareto ? "*" : "", i);
    }
    char size[32];
    mls_grid_format(grid, rect.x + 2, rect.y, 24, MLS_STYLE_DIM, "%.3g dB of the outputs", most_db);
    mls_grid_right(grid, rect.x + rect.columns - 24, rect.y + rect.rows + 1, 24, MLS_STYLE_DIM,
                   mls_bytes_format(most_bytes, size));
    mls_grid_text(grid, rect.x, rect.y + rect.rows + 1, 30, MLS_STYLE_DIM, "0, bytes of the weights");
}

static void draw_progress(const struct mls_sweep_view *sweep, struct mls_grid *grid, struct mls_rect *rect)
{
    char left[32];
    double done = (double)sweep->at + sweep->share;
    mls_grid_text(grid, rect->x + 1, rect->y, MLS_PANEL_LABEL_COLUMNS, MLS_STYLE_DIM, "Sweep");
    mls_graph_progress(grid, rect->x + 1 + MLS_PANEL_LABEL_COLUMNS, rect->y, 30, sweep->busy ? done : 1,
                       sweep->busy ? (double)sweep->n : 1);
    mls_grid_format(grid, rect->x + MLS_PANEL_LABEL_COLUMNS + 33, rect->y,
                    rect->columns - MLS_PANEL_LABEL_COLUMNS - 34,
                    sweep->error[0] ? MLS_STYLE_BAD : MLS_STYLE_NORMAL, "%s%s%s",
                    sweep->error[0]  ? sweep->error
                    : !sweep->busy   ? "done; * is on the front: none is both smaller and nearer to the model"
                    : sweep->left_ns ? "left: "
                                     : "running; x cancels",
                    sweep->busy && sweep->left_ns ? mls_time_format((double)sweep->left_ns, left) : "",
                    sweep->busy && sweep->left_ns ? ", x cancels" : "");
    mls_panel_skip(rect, 2);
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    const struct mls_snapshot *snapshot = view->snapshot;
    int top = rect.y;
    if (!snapshot->sweep.n) {
        mls_panel_text(
            grid, &rect, 0, MLS_STYLE_DIM,
            snapshot->recording
                ? "a recording cannot be compressed"
                : "p begins a sweep: the model is compressed in several ways in the background, and size, "
                  "nearness of the outputs, time and memory of each stand side by side. Enter on one of them "
                  "opens the model compressed that way.");
        return rect.rows + rect.y - top; /* no empty list below */
    }
    draw_progress(&snapshot->sweep, grid, &rect);
    if (rect.rows >= 26) {
        struct mls_rect graph = {rect.x + 1, rect.y, rect.columns - 2, rect.rows / 3};
        draw_front(&snapshot->sweep, grid, graph, view->list.n_order ? view->list.selected_row : SIZE_MAX);
        mls_panel_skip(&rect, graph.rows + 3);
    }
    return rect.y - top;
}

static void draw_weight(const struct mls_swept_weight *weight, struct mls_grid *grid, struct mls_rect *rect)
{
    char bytes[32], db[32] = "exact";
    if (rect->rows > 0) {
        if (isfinite(weight->outputs_snr_db))
            snprintf(db, sizeof db, "%s%.1f dB", weight->measured ? "" : "~", weight->outputs_snr_db);
        mls_grid_right(grid, rect->x + 1, rect->y, 9, MLS_STYLE_NORMAL, db);
        mls_grid_right(grid, rect->x + 11, rect->y, 9, MLS_STYLE_DIM,
                       mls_bytes_format((double)weight->bytes, bytes));
        mls_grid_format(grid, rect->x + 22, rect->y, 6, MLS_STYLE_NORMAL, weight->nbits ? "%u bit" : "plain",
                        weight->nbits);
        mls_grid_text(grid, rect->x + 29, rect->y, 10, MLS_STYLE_TITLE, weight->type);
        mls_grid_text(grid, rect->x + 40, rect->y, rect->columns - 41, MLS_STYLE_NORMAL, weight->name);
    }
    mls_panel_skip(rect, 1);
}

/* The setting, and which operations suffer most when their weights lose bits. */
static int detail(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect, size_t row)
{
    const struct mls_sweep_view *sweep = &view->snapshot->sweep;
    const struct mls_swept *swept = &sweep->settings[row];
    const struct mls_sweep_result *result = &swept->result;
    char bytes[32], ns[32], db[32] = "unchanged";
    int top = rect.y;
    if (isfinite(result->weights_snr_db))
        snprintf(db, sizeof db, "at %.3g dB", result->weights_snr_db);
    mls_panel_rule(grid, &rect, swept->label);
    if (result->done && result->status)
        mls_panel_text(grid, &rect, 0, MLS_STYLE_BAD, result->reason);
    else if (result->done)
        mls_panel_fact(grid, &rect, "weights", "%s as a package · elements %s · compressed in %s",
                       mls_bytes_format((double)result->package_bytes, bytes), db,
                       mls_time_format((double)result->compress_ns, ns));
    if (!sweep->n_weights) {
        mls_panel_fact(grid, &rect, "operations", "%s",
                       sweep->busy ? "how sensitive each is, the last setting measures"
                                   : "how sensitive each is was not measured");
        return rect.y - top;
    }
    if (rect.rows > 0)
        mls_grid_text(grid, rect.x + 1, rect.y, rect.columns - 2, MLS_STYLE_DIM,
                      "  outputs    weight  mixed  operation: alone at 4 bits, the most sensitive first");
    mls_panel_skip(&rect, 1);
    for (size_t i = 0; i < sweep->n_weights; i++)
        draw_weight(&sweep->weights[i], grid, &rect);
    return rect.y - top;
}

const struct mls_view_ops mls_view_compression = {
    .title = "Compression",
    .request = MLS_REQUEST_COMPRESSION,
    .where = MLS_IN_LIST | MLS_IN_COMPRESSION,
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = MLS_LISTING_RUN_ORDER,
    .rows = rows,
    .cell = cell,
    .style = style,
    .draw = draw,
    .detail = detail,
    .detail_open = true,
};
