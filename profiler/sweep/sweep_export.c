#include "profiler/sweep_export.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/json.h"
#include "profiler/text.h"

enum { CELL_BYTES = 192 };

/* ---- Cells, each a row of the table of columns ------------------------------------------------- */

struct cell {
    const struct mls_sweep_result *result;
    bool ascii;
    char *text; /* CELL_BYTES */
};

static void decibels(double snr_db, char *text)
{
    snprintf(text, CELL_BYTES, isinf(snr_db) ? "exact" : "%.2f", snr_db);
}

static void put_label(const struct cell *cell)
{
    snprintf(cell->text, CELL_BYTES, "%s", cell->result->setting->label);
}

static void put_package(const struct cell *cell)
{
    mls_text_size(cell->result->package_bytes, cell->text);
}

static void put_bits(const struct cell *cell)
{
    snprintf(cell->text, CELL_BYTES, "%.2f", cell->result->bits_per_weight);
}

static void put_memory(const struct cell *cell)
{
    mls_text_size(cell->result->memory_bytes, cell->text);
}

static void put_peak(const struct cell *cell)
{
    if (cell->result->peak_rss_bytes)
        mls_text_size(cell->result->peak_rss_bytes, cell->text);
}

static void put_weights_snr(const struct cell *cell)
{
    decibels(cell->result->weights_snr_db, cell->text);
}

static void put_outputs_snr(const struct cell *cell)
{
    decibels(cell->result->outputs_snr_db, cell->text);
}

static void put_accuracy(const struct cell *cell)
{
    if (!isnan(cell->result->accuracy))
        snprintf(cell->text, CELL_BYTES, "%.5f", cell->result->accuracy);
}

static void put_p50(const struct cell *cell)
{
    mls_text_duration(cell->result->p50_ns, cell->ascii, cell->text);
}

static void put_p99(const struct cell *cell)
{
    mls_text_duration(cell->result->p99_ns, cell->ascii, cell->text);
}

static void put_ratio(const struct cell *cell)
{
    if (cell->result->plain_p50_ns)
        snprintf(cell->text, CELL_BYTES, "%.2f",
                 (double)cell->result->p50_ns / (double)cell->result->plain_p50_ns);
}

static void put_predicted(const struct cell *cell)
{
    if (cell->result->predicted_us >= 0)
        mls_text_duration((uint64_t)(cell->result->predicted_us * 1000), cell->ascii, cell->text);
}

static void put_ane(const struct cell *cell)
{
    if (cell->result->predicted_us >= 0)
        mls_text_percent(cell->result->predicted_ane_share, cell->text);
}

static void put_suits(const struct cell *cell)
{
    snprintf(cell->text, CELL_BYTES, "%s", cell->result->suits ? cell->result->suits : "");
}

static void put_front(const struct cell *cell)
{
    snprintf(cell->text, CELL_BYTES, "%s", cell->result->pareto ? "*" : "");
}

static const struct {
    const char *title;
    bool right;
    void (*put)(const struct cell *cell);
} columns[] = {
    {"", false, put_front},
    {"setting", false, put_label},
    {"package", true, put_package},
    {"bits", true, put_bits},
    {"memory", true, put_memory},
    {"peak", true, put_peak},
    {"weights dB", true, put_weights_snr},
    {"outputs dB", true, put_outputs_snr},
    {"accuracy", true, put_accuracy},
    {"P50", true, put_p50},
    {"P99", true, put_p99},
    {"x plain", true, put_ratio},
    {"Apple (predicted)", true, put_predicted},
    {"ANE", true, put_ane},
    {"suits", false, put_suits},
};

enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void fill(size_t column, const struct mls_sweep_result *result, bool ascii, char *text)
{
    const struct cell cell = {result, ascii, text};
    text[0] = '\0';
    if (!result->status || column == 1)
        columns[column].put(&cell);
}

bool mls_sweep_write_table(const struct mls_sweep *sweep, bool ascii, unsigned width, bool color,
                           const struct mls_writer *writer)
{
    struct mls_column titles[N_COLUMNS];
    for (size_t i = 0; i < N_COLUMNS; i++)
        titles[i] = (struct mls_column){.title = columns[i].title, .right = columns[i].right};
    struct mls_table *table = mls_table_create(titles, N_COLUMNS, ascii);
    if (!table)
        return false;
    for (size_t i = 0; i < sweep->n; i++) {
        const struct mls_sweep_result *result = &sweep->results[i];
        char text[CELL_BYTES];
        for (size_t j = 0; result->done && j < N_COLUMNS; j++) {
            fill(j, result, ascii, text);
            mls_table_cell(table, "%s", text);
        }
    }
    bool written = mls_table_write(table, width, color, writer);
    mls_table_free(table);
    for (size_t i = 0; written && i < sweep->n; i++)
        if (sweep->results[i].done && sweep->results[i].status)
            written =
                mls_writef(writer, "%s: %s\n", sweep->results[i].setting->label, sweep->results[i].reason);
    return written;
}

bool mls_sweep_write_markdown(const struct mls_sweep *sweep, const struct mls_writer *writer)
{
    bool ok = mls_write(writer, "|");
    for (size_t j = 0; ok && j < N_COLUMNS; j++)
        ok = mls_writef(writer, " %s |", columns[j].title);
    ok = ok && mls_write(writer, "\n|");
    for (size_t j = 0; ok && j < N_COLUMNS; j++)
        ok = mls_write(writer, columns[j].right ? " ---: |" : " --- |");
    ok = ok && mls_write(writer, "\n");
    for (size_t i = 0; ok && i < sweep->n; i++) {
        char text[CELL_BYTES];
        if (!sweep->results[i].done)
            continue;
        ok = mls_write(writer, "|");
        for (size_t j = 0; ok && j < N_COLUMNS; j++) {
            fill(j, &sweep->results[i], false, text);
            ok = mls_writef(writer, " %s |", text);
        }
        ok = ok && mls_write(writer, "\n");
    }
    return ok;
}

/* A number, or nothing where there is none. */
static bool put_number(const struct mls_writer *writer, double number)
{
    return isfinite(number) ? mls_writef(writer, ",%.9g", number) : mls_write(writer, ",");
}

bool mls_sweep_write_csv(const struct mls_sweep *sweep, const struct mls_writer *writer)
{
    bool ok = mls_write(
        writer, "setting,method,package_bytes,weights_bytes,bits_per_weight,memory_bytes,peak_rss_bytes,"
                "weights_snr_db,outputs_snr_db,accuracy,runs,p50_ns,p99_ns,plain_p50_ns,compress_ns,"
                "predicted_us,predicted_ane_share,suits,pareto\n");
    for (size_t i = 0; ok && i < sweep->n; i++) {
        const struct mls_sweep_result *result = &sweep->results[i];
        char method[CELL_BYTES];
        if (!result->done || result->status)
            continue;
        bool predicted = result->predicted_us >= 0;
        ok = mls_writef(writer, "\"%s\",\"%s\",%llu,%llu,%.6g,%llu,%llu", result->setting->label,
                        mls_sweep_method(result->setting, method, sizeof method),
                        (unsigned long long)result->package_bytes, (unsigned long long)result->weights_bytes,
                        result->bits_per_weight, (unsigned long long)result->memory_bytes,
                        (unsigned long long)result->peak_rss_bytes) &&
             put_number(writer, result->weights_snr_db) && put_number(writer, result->outputs_snr_db) &&
             put_number(writer, result->accuracy) &&
             mls_writef(writer, ",%llu,%llu,%llu,%llu,%llu", (unsigned long long)result->runs,
                        (unsigned long long)result->p50_ns, (unsigned long long)result->p99_ns,
                        (unsigned long long)result->plain_p50_ns, (unsigned long long)result->compress_ns) &&
             put_number(writer, predicted ? result->predicted_us : (double)NAN) &&
             put_number(writer, predicted ? result->predicted_ane_share : (double)NAN) &&
             mls_writef(writer, ",%s,%s\n", result->suits ? result->suits : "", result->pareto ? "true" : "false");
    }
    return ok;
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static json_t *result_json(const struct mls_sweep_result *result)
{
    char method[CELL_BYTES];
    mls_sweep_method(result->setting, method, sizeof method);
    if (result->status)
        return json_pack("{s:o, s:o, s:o}", "label", mls_json_text(result->setting->label), "method",
                         mls_json_text(method), "failed", mls_json_text(result->reason));
    json_t *predicted =
        result->predicted_us < 0
            ? json_null()
            : json_pack("{s:o, s:o, s:o}", "estimated_total_us", mls_json_number(result->predicted_us),
                        "neural_engine_share", mls_json_number(result->predicted_ane_share), "suits",
                        mls_json_text(result->suits));
    return json_pack(
        "{s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:b}", "label",
        mls_json_text(result->setting->label), "method", mls_json_text(method), "package_bytes",
        (json_int_t)result->package_bytes, "weights_bytes", (json_int_t)result->weights_bytes,
        "bits_per_weight", mls_json_number(result->bits_per_weight), "weights_snr_db",
        mls_json_number(result->weights_snr_db), "outputs_snr_db", mls_json_number(result->outputs_snr_db),
        "accuracy", mls_json_number(result->accuracy), "p50_ns", (json_int_t)result->p50_ns, "p99_ns",
        (json_int_t)result->p99_ns, "plain_p50_ns", (json_int_t)result->plain_p50_ns, "runs",
        (json_int_t)result->runs, "peak_rss_bytes", (json_int_t)result->peak_rss_bytes, "memory_bytes",
        (json_int_t)result->memory_bytes, "compress_seconds",
        mls_json_number((double)result->compress_ns / 1e9), "predicted", predicted, "pareto",
        (int)result->pareto);
}

json_t *mls_sweep_json(const struct mls_sweep *sweep)
{
    json_t *settings = json_array();
    for (size_t i = 0; i < sweep->n; i++)
        if (sweep->results[i].done)
            json_array_append_new(settings, result_json(&sweep->results[i]));
    return settings;
}

/* ---- A plot ----------------------------------------------------------------------------------- */

enum {
    PLOT_WIDTH = 760,
    PLOT_HEIGHT = 460,
    MARGIN_LEFT = 70,
    MARGIN_RIGHT = 150,
    MARGIN_TOP = 30,
    MARGIN_BOTTOM = 50,
    TICKS = 5
};
#define BEST_DB 90.0 /* where exact outputs are drawn */

struct plot {
    const struct mls_sweep *sweep;
    const struct mls_writer *writer;
    double largest_bytes;
    double low, high; /* of the quality */
    bool accuracy;
};

static double quality_of(const struct plot *plot, const struct mls_sweep_result *result)
{
    double quality = plot->accuracy ? result->accuracy : result->outputs_snr_db;
    return isinf(quality) ? BEST_DB : quality;
}

static double x_of(const struct plot *plot, double bytes)
{
    return MARGIN_LEFT + bytes / plot->largest_bytes * (PLOT_WIDTH - MARGIN_LEFT - MARGIN_RIGHT);
}

static double y_of(const struct plot *plot, double quality)
{
    return PLOT_HEIGHT - MARGIN_BOTTOM -
           (quality - plot->low) / (plot->high - plot->low) * (PLOT_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM);
}

static bool drawn(const struct mls_sweep_result *result)
{
    return result->done && !result->status;
}

static struct plot plot_of(const struct mls_sweep *sweep, const struct mls_writer *writer)
{
    struct plot plot = {.sweep = sweep,
                        .writer = writer,
                        .low = (double)INFINITY,
                        .high = -(double)INFINITY,
                        .accuracy = !isnan(sweep->accuracy),
                        .largest_bytes = 1};
    for (size_t i = 0; i < sweep->n; i++) {
        if (!drawn(&sweep->results[i]))
            continue;
        double quality = quality_of(&plot, &sweep->results[i]),
               bytes = (double)sweep->results[i].package_bytes;
        plot.low = quality < plot.low ? quality : plot.low;
        plot.high = quality > plot.high ? quality : plot.high;
        plot.largest_bytes = bytes > plot.largest_bytes ? bytes : plot.largest_bytes;
    }
    if (!(plot.high > plot.low)) {
        plot.low = isfinite(plot.low) ? plot.low - 1 : 0;
        plot.high = plot.low + 2;
    }
    return plot;
}

static bool draw_axes(const struct plot *plot)
{
    bool ok = mls_writef(
        plot->writer,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
        "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        PLOT_WIDTH, PLOT_HEIGHT);
    for (int i = 0; ok && i <= TICKS; i++) {
        double share = (double)i / TICKS, quality = plot->low + share * (plot->high - plot->low);
        double bytes = share * plot->largest_bytes;
        char size[MLS_TEXT_BYTES];
        ok = mls_writef(plot->writer,
                        "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>"
                        "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>"
                        "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                        MARGIN_LEFT, y_of(plot, quality), PLOT_WIDTH - MARGIN_RIGHT, y_of(plot, quality),
                        MARGIN_LEFT - 6, y_of(plot, quality) + 4, quality, x_of(plot, bytes),
                        PLOT_HEIGHT - MARGIN_BOTTOM + 18, mls_text_size((uint64_t)bytes, size));
    }
    return ok && mls_writef(plot->writer,
                            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">package</text>"
                            "<text x=\"%d\" y=\"%d\">%s</text>\n",
                            (PLOT_WIDTH - MARGIN_RIGHT + MARGIN_LEFT) / 2, PLOT_HEIGHT - 12, MARGIN_LEFT, 18,
                            plot->accuracy ? "accuracy" : "SNR of the outputs (dB)");
}

static int smaller_first(const void *a, const void *b)
{
    const struct mls_sweep_result *x = *(const struct mls_sweep_result *const *)a,
                                  *y = *(const struct mls_sweep_result *const *)b;
    return x->package_bytes != y->package_bytes ? (x->package_bytes < y->package_bytes ? -1 : 1)
                                                : (x > y) - (x < y);
}

static bool draw_front(const struct plot *plot)
{
    const struct mls_sweep_result **front = calloc(plot->sweep->n + 1, sizeof *front);
    size_t n = 0;
    for (size_t i = 0; front && i < plot->sweep->n; i++)
        if (plot->sweep->results[i].pareto)
            front[n++] = &plot->sweep->results[i];
    bool ok = front && mls_write(plot->writer, "<polyline fill=\"none\" stroke=\"#1f77b4\" points=\"");
    if (ok)
        qsort(front, n, sizeof *front, smaller_first);
    for (size_t i = 0; ok && i < n; i++)
        ok = mls_writef(plot->writer, "%.1f,%.1f ", x_of(plot, (double)front[i]->package_bytes),
                        y_of(plot, quality_of(plot, front[i])));
    free(front);
    return ok && mls_write(plot->writer, "\"/>\n");
}

bool mls_sweep_write_svg(const struct mls_sweep *sweep, const struct mls_writer *writer)
{
    struct plot plot = plot_of(sweep, writer);
    bool ok = draw_axes(&plot) && draw_front(&plot);
    for (size_t i = 0; ok && i < sweep->n; i++) {
        const struct mls_sweep_result *result = &sweep->results[i];
        if (!drawn(result))
            continue;
        double x = x_of(&plot, (double)result->package_bytes), y = y_of(&plot, quality_of(&plot, result));
        ok = mls_writef(
            writer,
            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/><text x=\"%.1f\" y=\"%.1f\">%s</text>\n", x,
            y, result->pareto ? "#1f77b4" : "#999", x + 7, y + 4, result->setting->label);
    }
    return ok && mls_write(writer, "</svg>\n");
}
