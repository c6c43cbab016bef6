/* sweep_export.h: a sweep as text for people and programs. One form is one row. */
#pragma once

#include "core/model.h"
#include "profiler/sweep.h"

/* mls_sweep_write_table: aligned columns; `width` as in mls_table_write. False when the writer stopped or
 * memory was short. */
bool mls_sweep_write_table(const struct mls_sweep *sweep, bool ascii, unsigned width, bool color,
                           const struct mls_writer *writer);
bool mls_sweep_write_csv(const struct mls_sweep *sweep, const struct mls_writer *writer);
bool mls_sweep_write_markdown(const struct mls_sweep *sweep, const struct mls_writer *writer);

/* mls_sweep_write_svg: package size against quality, the front as a line. */
bool mls_sweep_write_svg(const struct mls_sweep *sweep, const struct mls_writer *writer);

/* mls_sweep_json: the array `settings` of CONTRACT.md; NULL when out of memory; the caller drops the
 * reference. */
struct json_t *mls_sweep_json(const struct mls_sweep *sweep);
