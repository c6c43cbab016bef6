#include "export.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/text.h"

/* One row a column, in the fixed order of the first 25; what is added later goes to the end. */
/* clang-format off */
#define CSV_COLUMN_LIST(X)                                                                          \
    X(op_index) X(function) X(path) X(type) X(name) X(runs) X(min_ns) X(p50_ns) X(p90_ns)           \
    X(p99_ns) X(mean_ns) X(std_ns) X(first_ns) X(share) X(cum_share) X(flops) X(bytes_read)         \
    X(bytes_written) X(peak_bytes_after) X(in_shapes) X(out_shapes) X(dtype) X(predicted_unit)      \
    X(unit_confidence) X(reasons) X(kernel) X(start_ns) X(gflops) X(gbytes_per_s) X(bound)          \
    X(unit) X(fused)
/* clang-format on */

struct cell {
    const struct mls_document *document;
    const struct export_row *row;
    const struct mls_writer *writer;
};

static bool write_text(const struct cell *cell, const char *text)
{
    return mls_write_csv(cell->writer, text ? text : "");
}

static bool write_integer(const struct cell *cell, bool known, uint64_t value)
{
    return !known || mls_writef(cell->writer, "%" PRIu64, value);
}

static bool write_real(const struct cell *cell, double value)
{
    return !isfinite(value) || mls_writef(cell->writer, "%.9g", value);
}

static bool write_shapes(const struct cell *cell, const struct mls_step_operand *operands, uint32_t n)
{
    char text[MLS_RANK_MAX * 21 + 1];
    bool ok = true;
    for (uint32_t i = 0; ok && i < n; i++)
        ok = mls_writef(cell->writer, "%s%s", i ? ";" : "",
                        mls_shape_format(&operands[i].type, text, sizeof text));
    return ok;
}

/* Texts in one field, joined by ';'. */
static bool write_list(const struct cell *cell, size_t n,
                       const char *(*at)(const struct cell *cell, size_t i))
{
    size_t length = 1;
    for (size_t i = 0; i < n; i++)
        length += strlen(at(cell, i)) + 1;
    char *joined = calloc(length, 1);
    if (!joined)
        return false;
    for (size_t i = 0, used = 0; i < n; i++) {
        size_t bytes = strlen(at(cell, i));
        if (i)
            joined[used++] = ';';
        memcpy(joined + used, at(cell, i), bytes);
        used += bytes;
    }
    bool ok = write_text(cell, joined);
    free(joined);
    return ok;
}

static const char *reason_at(const struct cell *cell, size_t i)
{
    return cell->row->note->reasons[i];
}

static const char *fused_at(const struct cell *cell, size_t i)
{
    return export_fused_name(cell->document, cell->row->step, (uint32_t)i);
}

#define TEXT_COLUMN(name, text)                        \
    static bool column_##name(const struct cell *cell) \
    {                                                  \
        return write_text(cell, text);                 \
    }
#define INTEGER_COLUMN(name, known, value)             \
    static bool column_##name(const struct cell *cell) \
    {                                                  \
        return write_integer(cell, known, value);      \
    }
#define REAL_COLUMN(name, value)                       \
    static bool column_##name(const struct cell *cell) \
    {                                                  \
        return write_real(cell, value);                \
    }

#define RAN (cell->row->stats.time.runs > 0)
#define COST_KNOWN export_cost_known(cell->row->step)

INTEGER_COLUMN(op_index, true, cell->row->step->index)
TEXT_COLUMN(function, cell->row->step->function)
TEXT_COLUMN(path, cell->row->step->path)
TEXT_COLUMN(type, cell->row->step->type)
TEXT_COLUMN(name, cell->row->step->name)
INTEGER_COLUMN(runs, true, cell->row->stats.time.runs)
INTEGER_COLUMN(min_ns, RAN, cell->row->stats.time.min_ns)
INTEGER_COLUMN(p50_ns, RAN, cell->row->stats.time.p50_ns)
INTEGER_COLUMN(p90_ns, RAN, cell->row->stats.time.p90_ns)
INTEGER_COLUMN(p99_ns, RAN, cell->row->stats.time.p99_ns)
INTEGER_COLUMN(mean_ns, RAN, cell->row->stats.time.mean_ns)
INTEGER_COLUMN(std_ns, RAN, cell->row->stats.time.std_ns)
INTEGER_COLUMN(first_ns, cell->row->stats.time.has_first, cell->row->stats.time.first_ns)
REAL_COLUMN(share, cell->row->stats.share)
REAL_COLUMN(cum_share, cell->row->cum_share)
INTEGER_COLUMN(flops, COST_KNOWN, cell->row->step->cost.flops)
INTEGER_COLUMN(bytes_read, COST_KNOWN, cell->row->step->cost.bytes_read)
INTEGER_COLUMN(bytes_written, COST_KNOWN, cell->row->step->cost.bytes_written)
INTEGER_COLUMN(peak_bytes_after, true, cell->row->step->live_bytes_after)
TEXT_COLUMN(dtype, cell->row->step->n_outputs ? mls_dtype_name(cell->row->step->outputs[0].type.dtype) : "")
TEXT_COLUMN(predicted_unit, cell->row->note->predicted_unit)
TEXT_COLUMN(unit_confidence, cell->row->note->unit_confidence)
TEXT_COLUMN(kernel, cell->row->kernel)
INTEGER_COLUMN(start_ns, RAN, cell->row->stats.start_ns)
REAL_COLUMN(gflops, cell->row->stats.gflops)
REAL_COLUMN(gbytes_per_s, cell->row->stats.gbytes_per_s)
TEXT_COLUMN(bound, mls_bound_name(cell->row->stats.bound))
TEXT_COLUMN(unit, "CPU")

static bool column_in_shapes(const struct cell *cell)
{
    return write_shapes(cell, cell->row->step->inputs, cell->row->step->n_inputs);
}

static bool column_out_shapes(const struct cell *cell)
{
    return write_shapes(cell, cell->row->step->outputs, cell->row->step->n_outputs);
}

static bool column_reasons(const struct cell *cell)
{
    return write_list(cell, cell->row->note->n_reasons, reason_at);
}

static bool column_fused(const struct cell *cell)
{
    return write_list(cell, cell->row->step->n_fused, fused_at);
}

static const struct {
    const char *name;
    bool (*write)(const struct cell *cell);
} columns[] = {
#define X(name_) {.name = #name_, .write = column_##name_},
    CSV_COLUMN_LIST(X)
#undef X
};

bool export_csv(const struct mls_document *document, const struct mls_writer *writer)
{
    struct export_rows rows;
    if (!export_walk(document, EXPORT_RUN_ORDER, &rows))
        return false;
    bool ok = true;
    const size_t n_columns = sizeof columns / sizeof columns[0];
    for (size_t j = 0; ok && j < n_columns; j++)
        ok = mls_writef(writer, "%s%s", j ? "," : "", columns[j].name);
    ok = ok && mls_write(writer, "\n");
    for (size_t i = 0; ok && i < rows.n_rows; i++) {
        const struct cell cell = {.document = document, .row = &rows.rows[i], .writer = writer};
        for (size_t j = 0; ok && j < n_columns; j++)
            ok = (!j || mls_write(writer, ",")) && columns[j].write(&cell);
        ok = ok && mls_write(writer, "\n");
    }
    free(rows.rows);
    return ok;
}
