#include "export.h"

#include <stdlib.h>

#include "profiler/text.h"

enum { ROWS_MAX = 20 };

/* A cell: the bar that separates cells, and what Markdown would take for itself, are escaped. */
static bool write_cell(const struct mls_writer *writer, const char *text)
{
    char *safe = mls_text_safe(text, false);
    bool ok = safe && mls_write(writer, "| ");
    for (const char *at = safe; ok && *at; at++) {
        if (*at == '|' || *at == '\\' || *at == '`' || *at == '*' || *at == '_' || *at == '<')
            ok = mls_write(writer, "\\");
        ok = ok && writer->write(writer->user, at, 1);
    }
    free(safe);
    return ok && mls_write(writer, " ");
}

static bool write_row(const struct mls_writer *writer, const struct export_row *row)
{
    char mean[MLS_TEXT_BYTES], deviation[MLS_TEXT_BYTES], share[MLS_TEXT_BYTES];
    return mls_writef(writer, "| %u ", row->step->index) && write_cell(writer, row->step->name) &&
           write_cell(writer, row->step->type) &&
           mls_writef(writer, "| %s ± %s | %s |\n", mls_text_duration(row->stats.time.mean_ns, false, mean),
                      mls_text_duration(row->stats.time.std_ns, false, deviation),
                      mls_text_percent(row->stats.share, share));
}

bool export_markdown(const struct mls_document *document, const struct mls_writer *writer)
{
    struct export_rows rows;
    if (!export_walk(document, EXPORT_HOTTEST_FIRST, &rows))
        return false;
    const struct mls_loaded *loaded = document->loaded;
    struct mls_series_stats stats = mls_profile_predictions(document->profile);
    char mean[MLS_TEXT_BYTES], deviation[MLS_TEXT_BYTES], p50[MLS_TEXT_BYTES], p99[MLS_TEXT_BYTES];
    char peak[MLS_TEXT_BYTES];
    bool ok =
        mls_write(writer,
                  "| model | function | cpu | isa | threads | runs | latency | P50 | P99 | peak memory |\n"
                  "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n") &&
        write_cell(writer, mls_package_info(loaded->package)->path) &&
        write_cell(writer, loaded->interface->function) && write_cell(writer, document->environment->cpu) &&
        write_cell(writer, mls_isa_name(mls_session_isa(loaded->session))) &&
        mls_writef(writer, "| %u | %llu | %s ± %s | %s | %s | %s |\n\n", mls_session_threads(loaded->session),
                   (unsigned long long)stats.runs, mls_text_duration(stats.mean_ns, false, mean),
                   mls_text_duration(stats.std_ns, false, deviation),
                   mls_text_duration(stats.p50_ns, false, p50), mls_text_duration(stats.p99_ns, false, p99),
                   mls_text_size(document->memory.peak_rss_bytes, peak)) &&
        mls_write(writer, "| # | operation | type | time | share |\n| ---: | --- | --- | ---: | ---: |\n");
    for (size_t i = 0; ok && i < rows.n_rows && i < ROWS_MAX; i++)
        ok = write_row(writer, &rows.rows[i]);
    free(rows.rows);
    return ok;
}
