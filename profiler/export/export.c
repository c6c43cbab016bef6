#include "export.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const struct mls_exporter exporters[] = {
#define X(name_, help_) {.name = #name_, .help = help_, .write = export_##name_},
#include "exporters.def"
#undef X
};

size_t mls_exporter_count(void)
{
    return sizeof exporters / sizeof exporters[0];
}

const struct mls_exporter *mls_exporter_at(size_t index)
{
    return &exporters[index];
}

const struct mls_exporter *mls_exporter_find(const char *name)
{
    for (size_t i = 0; i < mls_exporter_count(); i++)
        if (!strcmp(exporters[i].name, name))
            return &exporters[i];
    return NULL;
}

enum mls_status mls_exporter_write(const struct mls_exporter *exporter, const struct mls_document *document,
                                   const struct mls_writer *writer, struct mls_error *reterr)
{
    if (exporter->write(document, writer))
        return MLS_OK;
    return mls_fail(reterr, MLS_ERR_OUTPUT, "cannot write the profile as %s: the output does not take it",
                    exporter->name);
}

static int hottest_first(const void *a, const void *b)
{
    const struct export_row *x = a, *y = b;
    if (x->stats.share > y->stats.share)
        return -1;
    if (x->stats.share < y->stats.share)
        return 1;
    return x->step->index < y->step->index ? -1 : x->step->index > y->step->index;
}

bool export_walk(const struct mls_document *document, enum export_order order, struct export_rows *ret_rows)
{
    static const struct mls_step_note nothing;
    size_t n = mls_profile_step_count(document->profile);
    struct export_row *rows = calloc(n ? n : 1, sizeof *rows);
    if (!rows)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct mls_step *step = mls_plan_step(mls_profile_plan(document->profile), i);
        rows[i] = (struct export_row){.step = step,
                                      .stats = mls_profile_step(document->profile, i),
                                      .note = document->notes ? &document->notes[i] : &nothing,
                                      .kernel = atomic_load_explicit(&step->kernel, memory_order_relaxed)};
    }
    if (order == EXPORT_HOTTEST_FIRST)
        qsort(rows, n, sizeof *rows, hottest_first);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += rows[i].stats.share;
        rows[i].cum_share = sum < 1 ? sum : 1;
    }
    *ret_rows = (struct export_rows){.rows = rows, .n_rows = n};
    return true;
}

bool export_cost_known(const struct mls_step *step)
{
    return !step->dynamic && !step->control;
}

const char *export_fused_name(const struct mls_document *document, const struct mls_step *step, uint32_t i)
{
    return document->loaded->model->program.ops[step->fused[i].i].name;
}
