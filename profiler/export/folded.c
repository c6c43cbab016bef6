#include "export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/text.h"

/* A frame's name must not hold what separates frames and lines, nor what flame graphs draw as markup. */
static bool write_frame(const struct mls_writer *writer, const char *text, size_t length)
{
    char *copy = strndup(text, length);
    char *safe = copy ? mls_text_safe(copy, false) : NULL;
    free(copy);
    if (!safe)
        return false;
    for (char *at = safe; *at; at++)
        *at = *at == ';' ? ':' : *at == '<' ? '(' : *at == '>' ? ')' : *at;
    bool ok = mls_write(writer, *safe ? safe : "-");
    free(safe);
    return ok;
}

/* The blocks of the path: what stands before "/name", cut at the slashes. Its first part is the function. */
static bool write_blocks(const struct mls_writer *writer, const struct mls_step *step)
{
    size_t length = strlen(step->path), name = strlen(step->name);
    if (length > name && !strcmp(step->path + length - name, step->name))
        length -= name + 1;
    const char *at = step->path, *end = step->path + length;
    bool ok = true;
    while (ok && at < end) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t part = (size_t)((slash ? slash : end) - at);
        ok = (!part || (write_frame(writer, at, part) && mls_write(writer, ";")));
        at += part + 1;
    }
    return ok;
}

bool export_folded(const struct mls_document *document, const struct mls_writer *writer)
{
    struct export_rows rows;
    if (!export_walk(document, EXPORT_RUN_ORDER, &rows))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < rows.n_rows; i++) {
        const struct export_row *row = &rows.rows[i];
        uint64_t total_ns = row->stats.time.mean_ns * row->stats.time.runs;
        if (!total_ns)
            continue;
        ok = write_blocks(writer, row->step) &&
             write_frame(writer, row->step->type, strlen(row->step->type)) && mls_write(writer, ";") &&
             write_frame(writer, row->step->name, strlen(row->step->name)) &&
             mls_writef(writer, " %" PRIu64 "\n", total_ns);
    }
    free(rows.rows);
    return ok;
}
