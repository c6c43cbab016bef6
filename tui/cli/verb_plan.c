#include <jansson.h>
#include <stdlib.h>

#include "cli/annotate.h"
#include "cli/cli.h"
#include "cli/open.h"
#include "profiler/json.h"
#include "profiler/text.h"

struct work {
    const struct arguments *arguments;
    struct console *console;
    struct opened opened;
    enum mls_compute_units setting;
    const struct mls_placement_profile *hardware;
    struct mls_placement *placements[MLS_COMPUTE_UNITS_COUNT]; /* NULL: not asked for */
};

static enum mls_status place(struct work *work, struct mls_error *reterr)
{
    const struct mls_loaded *loaded = work->opened.loaded;
    bool one = arguments_has(work->arguments, OPTION_COMPUTE_UNITS);
    enum mls_status status = MLS_OK;
    for (enum mls_compute_units i = 0; !status && i < MLS_COMPUTE_UNITS_COUNT; i++)
        if (!one || i == work->setting)
            status = mls_placement_create(loaded->model, loaded->function, loaded->plan, work->hardware, i,
                                          &work->placements[i], reterr);
    return status;
}

static json_t *op_json(const struct mls_placed_op *op)
{
    json_t *supported = json_array(), *estimates = json_object(), *reasons = json_array();
    for (enum mls_unit i = 0; i < MLS_UNIT_COUNT; i++)
        if (op->supported & 1u << i)
            json_array_append_new(supported, json_string(mls_unit_name(i)));
    for (enum mls_backend i = 0; i < MLS_BACKEND_COUNT; i++)
        json_object_set_new(estimates, mls_backend_name(i),
                            op->estimate_us[i] < 0 ? json_null() : mls_json_number(op->estimate_us[i]));
    for (uint32_t i = 0; i < op->n_reasons; i++)
        json_array_append_new(reasons, mls_json_text(op->reasons[i]));
    return json_pack("{s:I, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:s}", "index", (json_int_t)op->index,
                     "name", mls_json_text(op->name), "type", mls_json_text(op->type), "supported", supported,
                     "preferred", mls_unit_name(op->preferred), "backend", mls_backend_name(op->backend),
                     "cost_share", mls_json_number(op->cost_share), "estimates_us", estimates, "reasons",
                     reasons, "confidence", mls_confidence_name(op->confidence));
}

static json_t *summary_json(const struct mls_placement *placement)
{
    json_t *units = json_object(), *longest = json_null();
    for (enum mls_unit i = 0; i < MLS_UNIT_COUNT; i++) {
        const struct mls_unit_total *total = &placement->totals[i];
        json_object_set_new(units, mls_unit_name(i),
                            json_pack("{s:I, s:o, s:o}", "ops", (json_int_t)total->n_ops, "cost_share",
                                      mls_json_number(total->cost_share), "estimate_us",
                                      mls_json_number(total->estimate_us)));
    }
    if (placement->n_segments) {
        const struct mls_placed_segment *segment = &placement->segments[placement->longest_segment];
        longest = json_pack("{s:s, s:I, s:I, s:I, s:o}", "unit", mls_unit_name(segment->unit), "first",
                            (json_int_t)segment->first, "last", (json_int_t)segment->last, "ops",
                            (json_int_t)(segment->last - segment->first + 1), "estimate_us",
                            mls_json_number(segment->estimate_us));
    }
    return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:s}", "units", units, "unit_switches",
                     (json_int_t)placement->n_switches, "segments", (json_int_t)placement->n_segments,
                     "longest_segment", longest, "ops_us", mls_json_number(placement->ops_us), "switching_us",
                     mls_json_number(placement->switching_us), "estimated_total_us",
                     mls_json_number(placement->total_us), "confidence",
                     mls_confidence_name(placement->confidence));
}

static void set_placement(json_t *object, const struct mls_placement *placement)
{
    json_t *ops = json_array();
    for (uint32_t i = 0; i < placement->n_ops; i++)
        json_array_append_new(ops, op_json(&placement->ops[i]));
    json_object_set_new(object, "compute_units", json_string(mls_compute_units_name(placement->setting)));
    json_object_set_new(object, "ops", ops);
    json_object_set_new(object, "summary", summary_json(placement));
}

static void write_json(struct work *work)
{
    struct mls_environment environment = mls_environment_read(cli_version(), cli_commit());
    json_t *root = json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "schema", "mlscope.plan", "version", 1,
                             "environment", mls_document_environment(&environment, work->opened.loaded, NULL),
                             "model", mls_document_model(work->opened.loaded), "profile",
                             mls_json_text(mls_placement_profile_name(work->hardware)), "profile_source",
                             mls_json_text(mls_placement_profile_source(work->hardware)));
    set_placement(root, work->placements[work->setting]);
    if (!arguments_has(work->arguments, OPTION_COMPUTE_UNITS)) {
        json_t *settings = json_array();
        for (enum mls_compute_units i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++) {
            json_t *setting = json_object();
            set_placement(setting, work->placements[i]);
            json_array_append_new(settings, setting);
        }
        json_object_set_new(root, "settings", settings);
    }
    mls_json_write(root, &work->console->out);
    json_decref(root);
}

static char *microseconds(const struct console *console, double us, char *text)
{
    return mls_text_duration(us > 0 ? (uint64_t)(us * 1000 + 0.5) : 0, console->ascii, text);
}

static bool write_summary(const struct work *work)
{
    static const struct mls_column columns[] = {
        {.title = "compute units"},           {.title = "CPU", .right = true},
        {.title = "GPU", .right = true},      {.title = "ANE", .right = true},
        {.title = "CPU cost", .right = true}, {.title = "GPU cost", .right = true},
        {.title = "ANE cost", .right = true}, {.title = "switches", .right = true},
        {.title = "estimate", .right = true}, {.title = "confidence"}};
    struct mls_table *table =
        mls_table_create(columns, sizeof columns / sizeof columns[0], work->console->ascii);
    if (!table)
        return false;
    for (enum mls_compute_units i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++) {
        const struct mls_placement *placement = work->placements[i];
        char text[MLS_TEXT_BYTES];
        if (!placement)
            continue;
        mls_table_cell(table, "%s", mls_compute_units_name(i));
        for (enum mls_unit j = 0; j < MLS_UNIT_COUNT; j++)
            mls_table_cell(table, "%u", placement->totals[j].n_ops);
        for (enum mls_unit j = 0; j < MLS_UNIT_COUNT; j++)
            mls_table_cell(table, "%s", mls_text_percent(placement->totals[j].cost_share, text));
        mls_table_cell(table, "%u", placement->n_switches);
        mls_table_cell(table, "%s", microseconds(work->console, placement->total_us, text));
        mls_table_cell(table, "%s", mls_confidence_name(placement->confidence));
    }
    bool ok = mls_table_write(table, work->console->columns, work->console->color, &work->console->out);
    mls_table_free(table);
    return ok;
}

static void add_op(const struct work *work, struct mls_table *table, const struct mls_placed_op *op)
{
    char text[MLS_TEXT_BYTES], supported[32] = "";
    size_t used = 0;
    for (enum mls_unit i = 0; i < MLS_UNIT_COUNT; i++)
        if (op->supported & 1u << i)
            used += (size_t)snprintf(supported + used, sizeof supported - used, "%s%s", used ? " " : "",
                                     mls_unit_name(i));
    mls_table_cell(table, "%u", op->index);
    mls_table_cell(table, "%s", op->name);
    mls_table_cell(table, "%s", op->type);
    mls_table_cell(table, "%s", mls_unit_name(op->preferred));
    mls_table_cell(table, "%s", supported);
    mls_table_cell(table, "%s", microseconds(work->console, op->estimate_us[op->backend], text));
    mls_table_cell(table, "%s", mls_text_percent(op->cost_share, text));
    mls_table_cell(table, "%s", mls_confidence_name(op->confidence));
    mls_table_cell(table, "%s%s", op->n_reasons ? op->reasons[0] : "", op->n_reasons > 1 ? "; ..." : "");
}

static bool write_ops(const struct work *work, const struct mls_placement *placement)
{
    static const struct mls_column columns[] = {{.title = "#", .right = true},
                                                {.title = "operation", .max_width = 44},
                                                {.title = "type", .max_width = 28},
                                                {.title = "unit"},
                                                {.title = "supported"},
                                                {.title = "estimate", .right = true},
                                                {.title = "cost", .right = true},
                                                {.title = "confidence"},
                                                {.title = "reason", .max_width = 100}};
    struct mls_table *table =
        mls_table_create(columns, sizeof columns / sizeof columns[0], work->console->ascii);
    if (!table)
        return false;
    for (uint32_t i = 0; i < placement->n_ops; i++)
        add_op(work, table, &placement->ops[i]);
    console_printf(work->console, "\n%s\n", mls_compute_units_name(placement->setting));
    bool ok = mls_table_write(table, work->console->columns, work->console->color, &work->console->out);
    mls_table_free(table);
    return ok;
}

static void write_tables(struct work *work)
{
    console_printf(work->console, "predicted for %s: %s\n\n", mls_placement_profile_name(work->hardware),
                   mls_placement_profile_source(work->hardware));
    if (write_summary(work) && !work->console->quiet)
        write_ops(work, work->placements[work->setting]);
}

int verb_plan(const struct arguments *arguments, struct console *console)
{
    struct work work = {.arguments = arguments, .console = console};
    struct mls_error error;
    enum mls_status status = annotate_setting(arguments, &work.setting, &work.hardware, &error);
    if (!status)
        status = open_options(arguments, &work.opened, &error);
    if (!status) {
        status = open_model(&work.opened, MLS_LOAD_PLAN, &error);
        /* What this program cannot run itself can still be placed: the program is known. */
        if (status && work.opened.loaded && work.opened.loaded->interface) {
            console_note(console, "this machine cannot run the model: %s", error.text);
            status = MLS_OK;
        }
    }
    if (!status)
        status = place(&work, &error);
    if (!status && console->json)
        write_json(&work);
    else if (!status)
        write_tables(&work);
    for (size_t i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        mls_placement_free(work.placements[i]);
    open_close(&work.opened);
    return status ? console_error(&error) : 0;
}
