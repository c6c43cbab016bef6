/* export.h: a profile in the formats that other programs read. Each exporter is a row; all walk the same
 * document. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/model.h"
#include "profiler/counters.h"
#include "profiler/environment.h"
#include "profiler/hot.h"
#include "profiler/loader.h"
#include "profiler/memory.h"
#include "profiler/profile.h"
#include "profiler/reshape.h"

struct json_t; /* jansson */

/* What is said about a step beyond what was measured; NULL members: not known. */
struct mls_step_note {
    const char *predicted_unit;
    const char *unit_confidence;
    const char *const *reasons;
    size_t n_reasons;
};

/* Everything that an exporter may write. All of it is borrowed. */
struct mls_document {
    const struct mls_environment *environment;
    const struct mls_loaded *loaded;
    const struct mls_profile *profile;
    struct mls_hot *hot;     /* sampled stacks, or NULL */
    const char *folded_base; /* earlier folded stacks: those written now become differential; or NULL */
    const struct mls_counters *counters; /* counted for each step, or NULL */
    struct mls_memory_use memory;
    struct mls_reshape_cost reshape;
    enum mls_reshape reshape_hint;
    uint64_t random_seed;
    const char *flags;                 /* the command line, or NULL */
    const struct mls_step_note *notes; /* parallel to the plan's steps, or NULL */
    const struct json_t *findings;     /* array, or NULL */
};

/* How the table for people looks. */
struct mls_table_style {
    bool ascii;
    bool color;
    bool run_order;   /* instead of hottest first */
    size_t max_rows;  /* 0: all */
    unsigned columns; /* width to keep to; 0: as wide as needed */
};

struct mls_exporter {
    const char *name; /* "json": also the option `--json` */
    const char *help;
    bool (*write)(const struct mls_document *document, const struct mls_writer *writer);
};

/* mls_exporter_count, mls_exporter_at, mls_exporter_find: the table of exporters. */
size_t mls_exporter_count(void);
const struct mls_exporter *mls_exporter_at(size_t index);
const struct mls_exporter *mls_exporter_find(const char *name);

/* mls_exporter_write: writes the document; MEMORY or OUTPUT when that fails. */
enum mls_status mls_exporter_write(const struct mls_exporter *exporter, const struct mls_document *document,
                                   const struct mls_writer *writer, struct mls_error *reterr);

/* mls_export_table: the table for people. False when the writer stopped. */
bool mls_export_table(const struct mls_document *document, const struct mls_table_style *style,
                      const struct mls_writer *writer);
