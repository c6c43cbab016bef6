#include <stdlib.h>
#include <string.h>

#include "cli/inspect.h"
#include "core/pass.h"
#include "profiler/text.h"

enum { WEIGHTS_SHOWN = 20 };

/* How far the shape may vary: "1…8" by dimension, or the number of allowed shapes. */
static void add_flexibility(struct mls_table *table, const struct mls_feature *feature, bool ascii)
{
    char text[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < feature->n_ranges && used < sizeof text; i++) {
        const struct mls_range *range = &feature->ranges[i];
        const char *separator = i ? " x " : "", *dots = ascii ? ".." : "…";
        if (range->lower == range->upper)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld", separator,
                                     (long long)range->lower);
        else if (range->upper < 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld%s", separator,
                                     (long long)range->lower, dots);
        else
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld%s%lld", separator,
                                     (long long)range->lower, dots, (long long)range->upper);
    }
    if (feature->n_enumerated)
        snprintf(text, sizeof text, "one of %zu shapes", feature->n_enumerated);
    mls_table_cell(table, "%s", text);
}

static void add_features(struct mls_table *table, const char *role, const struct mls_feature *features,
                         size_t n, bool ascii)
{
    for (size_t i = 0; i < n; i++) {
        const struct mls_feature *feature = &features[i];
        char type[96];
        mls_table_cell(table, "%s", role);
        mls_table_cell(table, "%s%s", feature->name, feature->optional ? " (optional)" : "");
        mls_table_cell(table, "%s%s%s", mls_feature_kind_name(feature->kind),
                       feature->kind == MLS_FEATURE_IMAGE ? " " : "",
                       feature->kind == MLS_FEATURE_IMAGE ? inspect_color_name(feature->color) : "");
        mls_table_cell(table, "%s", mls_type_format(&feature->type, type, sizeof type));
        add_flexibility(table, feature, ascii);
    }
}

static bool write_interface(const struct mls_interface *interface, struct console *console)
{
    static const struct mls_column columns[] = {{.title = ""},
                                                {.title = "name", .max_width = 48},
                                                {.title = "kind"},
                                                {.title = "type"},
                                                {.title = "flexible"}};
    struct mls_table *table = mls_table_create(columns, sizeof columns / sizeof columns[0], console->ascii);
    if (!table)
        return false;
    add_features(table, "input", interface->inputs, interface->n_inputs, console->ascii);
    add_features(table, "output", interface->outputs, interface->n_outputs, console->ascii);
    add_features(table, "state", interface->states, interface->n_states, console->ascii);
    bool ok = mls_table_write(table, console->columns, console->color, &console->out);
    mls_table_free(table);
    return ok;
}

static bool write_counts(const struct inspected *inspected, struct console *console)
{
    char *line = NULL;
    bool ok = mls_writef(&console->out, "\n%u operations:", inspected->n_ops);
    for (size_t i = 0; ok && i < inspected->n_counts; i++) {
        free(line);
        line = mls_text_safe(inspected->counts[i].type, console->ascii);
        ok = line && mls_writef(&console->out, "%s %u %s", i ? "," : "", inspected->counts[i].n, line);
    }
    free(line);
    return ok && mls_write(&console->out, "\n");
}

static int largest_first(const void *a, const void *b)
{
    const struct weight *const *x = a, *const *y = b;
    if ((*x)->bytes != (*y)->bytes)
        return (*x)->bytes > (*y)->bytes ? -1 : 1;
    return *x < *y ? -1 : *x > *y;
}

static void add_weight(struct mls_table *table, const struct mls_program *program,
                       const struct weight *weight)
{
    char text[96];
    int64_t elems = mls_type_elems(&weight->type);
    mls_table_cell(table, "%s", weight->name);
    mls_table_cell(table, "%s", mls_type_format(&weight->type, text, sizeof text));
    mls_table_cell(table, "%s", mls_text_size(weight->bytes, text));
    mls_table_cell(table, "%.*f", 2, elems > 0 ? (double)weight->bytes * 8 / (double)elems : 0.0);
    mls_table_cell(table, "%s", weight->stored_as);
    mls_table_cell(table, "%s%s", weight->n_users ? program->ops[weight->users[0].i].name : "",
                   weight->n_users > 1 ? ", ..." : "");
}

static bool write_weights(const struct inspected *inspected, struct console *console)
{
    static const struct mls_column columns[] = {
        {.title = "weight", .max_width = 48}, {.title = "type"},      {.title = "stored", .right = true},
        {.title = "bits", .right = true},     {.title = "stored as"}, {.title = "used by", .max_width = 40}};
    size_t n = inspected->weights.n, shown = console->verbose || n < WEIGHTS_SHOWN ? n : WEIGHTS_SHOWN;
    const struct weight **order = calloc(n ? n : 1, sizeof *order);
    struct mls_table *table = mls_table_create(columns, sizeof columns / sizeof columns[0], console->ascii);
    bool ok = order && table;
    for (size_t i = 0; ok && i < n; i++)
        order[i] = &inspected->weights.list[i];
    if (ok)
        qsort(order, n, sizeof(struct weight *), largest_first);
    for (size_t i = 0; ok && i < shown; i++)
        add_weight(table, &inspected->loaded->model->program, order[i]);
    ok = ok && mls_write(&console->out, "\n") &&
         mls_table_write(table, console->columns, console->color, &console->out);
    if (ok && shown < n)
        ok = mls_writef(&console->out, "%s %zu more (--verbose shows all)\n", console->ascii ? "..." : "…",
                        n - shown);
    mls_table_free(table);
    free(order);
    return ok;
}

/* Layers of networks are of the specification's version: an opset is what ML Programs have. */
static bool write_versions(const struct mls_model *model, const struct mls_function *function,
                           struct console *console)
{
    const char *system = mls_system_for_spec(model->spec_version);
    if (strcmp(model->type_name, "mlProgram") != 0)
        return mls_writef(&console->out, "specification %d (%s), %s\n", model->spec_version, system,
                          model->type_name);
    return mls_writef(&console->out, "specification %d (%s), opset CoreML%u (%s)\n", model->spec_version, system,
                      function->opset, mls_system_for_opset(function->opset));
}

static bool write_heading(const struct inspected *inspected, struct console *console)
{
    const struct mls_loaded *loaded = inspected->loaded;
    const struct mls_model *model = loaded->model;
    const struct mls_package_info *info = mls_package_info(loaded->package);
    const struct mls_function *function = &model->program.functions[loaded->function.i];
    char size[MLS_TEXT_BYTES], parameters[MLS_TEXT_BYTES], weights[MLS_TEXT_BYTES], flops[MLS_TEXT_BYTES];
    char work[MLS_TEXT_BYTES + 32];
    snprintf(work, sizeof work, "%sflop", mls_text_count((double)inspected->flops, flops));
    char *path = mls_text_safe(info->path, console->ascii);
    char *name = mls_text_safe(function->name, console->ascii);
    bool ok = path && name &&
              mls_writef(&console->out, "%s%s%s  %s%s, %s\n", console->color ? "\033[1m" : "", path,
                         console->color ? "\033[0m" : "", info->sealed ? "sealed " : "",
                         mls_form_name(info->form), mls_text_size(info->file_bytes, size)) &&
              write_versions(model, function, console) &&
              mls_writef(&console->out, "function %s of %u: %s parameters, weights %s, %s\n\n", name,
                         model->program.n_functions,
                         mls_text_count((double)inspected->weights.parameters, parameters),
                         mls_text_size(inspected->weights.bytes, weights),
                         inspected->flops_known ? work : "work not known before the run");
    free(path);
    free(name);
    return ok;
}

bool inspect_write_passes(const struct mls_plan *plan, struct console *console)
{
    static const struct mls_column columns[] = {
        {.title = "pass"}, {.title = "operations", .right = true}, {.title = "bits"}, {.title = "what it does"}};
    struct mls_table *table = mls_table_create(columns, sizeof columns / sizeof columns[0], console->ascii);
    if (!table)
        return false;
    for (uint32_t i = 0; i < mls_pass_count(); i++) {
        mls_table_cell(table, "%s", mls_pass_name(i));
        mls_table_cell(table, "%u", mls_plan_pass_touched(plan, i));
        mls_table_cell(table, "%s", mls_pass_keeps_bits(i) ? "same" : "fewer roundings");
        mls_table_cell(table, "%s", mls_pass_description(i));
    }
    bool ok = mls_table_write(table, console->columns, console->color, &console->out);
    mls_table_free(table);
    return ok;
}

void inspect_write_text(const struct inspected *inspected, struct console *console)
{
    bool ok = write_heading(inspected, console) && write_interface(inspected->loaded->interface, console) &&
              write_counts(inspected, console);
    if (ok && inspected->weights.n)
        write_weights(inspected, console);
}
