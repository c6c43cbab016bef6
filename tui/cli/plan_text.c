#include <stdio.h>
#include <stdlib.h>

#include "cli/plan.h"
#include "profiler/text.h"

enum { COLUMNS_MAX = 16, REMEDIES_MAX = 12, DIFFERENCES_MAX = 8 };

/* Whether another setting is told beside the one in detail. */
static bool is_beside(const struct planned *planned, enum mls_compute_units setting)
{
    return setting != planned->setting && planned->placements[setting];
}

static char *microseconds(const struct console *console, double us, char *text)
{
    return mls_text_duration(us > 0 ? (uint64_t)(us * 1000 + 0.5) : 0, console->ascii, text);
}

static bool write_summary(struct console *console, const struct planned *planned)
{
    static const struct mls_column columns[] = {
        {.title = "compute units"},           {.title = "CPU", .right = true},
        {.title = "GPU", .right = true},      {.title = "ANE", .right = true},
        {.title = "CPU cost", .right = true}, {.title = "GPU cost", .right = true},
        {.title = "ANE cost", .right = true}, {.title = "switches", .right = true},
        {.title = "estimate", .right = true}, {.title = "confidence"}};
    struct mls_table *table = mls_table_create(columns, sizeof columns / sizeof columns[0], console->ascii);
    if (!table)
        return false;
    for (enum mls_compute_units i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++) {
        const struct mls_placement *placement = planned->placements[i];
        char text[MLS_TEXT_BYTES];
        if (!placement)
            continue;
        mls_table_cell(table, "%s", mls_compute_units_name(i));
        for (enum mls_unit j = 0; j < MLS_UNIT_COUNT; j++)
            mls_table_cell(table, "%u", placement->totals[j].n_ops);
        for (enum mls_unit j = 0; j < MLS_UNIT_COUNT; j++)
            mls_table_cell(table, "%s", mls_text_percent(placement->totals[j].cost_share, text));
        mls_table_cell(table, "%u", placement->n_switches);
        mls_table_cell(table, "%s", microseconds(console, placement->total_us, text));
        mls_table_cell(table, "%s", mls_confidence_name(placement->confidence));
    }
    bool ok = mls_table_write(table, console->columns, console->color, &console->out);
    mls_table_free(table);
    return ok;
}

static void add_op(const struct console *console, const struct planned *planned, struct mls_table *table,
                   const struct mls_placed_op *op)
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
    for (enum mls_compute_units i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        if (is_beside(planned, i))
            mls_table_cell(table, "%s", mls_unit_name(planned->placements[i]->ops[op->index].preferred));
    mls_table_cell(table, "%s", supported);
    mls_table_cell(table, "%s", microseconds(console, op->estimate_us[op->backend], text));
    mls_table_cell(table, "%s", mls_text_percent(op->cost_share, text));
    mls_table_cell(table, "%s", mls_confidence_name(op->confidence));
    mls_table_cell(table, "%s%s", op->n_reasons ? op->reasons[0] : "", op->n_reasons > 1 ? "; ..." : "");
}

static bool write_ops(struct console *console, const struct planned *planned)
{
    const struct mls_placement *placement = planned->placements[planned->setting];
    struct mls_column columns[COLUMNS_MAX] = {{.title = "#", .right = true},
                                              {.title = "operation", .max_width = 44},
                                              {.title = "type", .max_width = 28},
                                              {.title = mls_compute_units_name(planned->setting)}};
    size_t n = 4;
    for (enum mls_compute_units i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        if (is_beside(planned, i))
            columns[n++] = (struct mls_column){.title = mls_compute_units_name(i)};
    columns[n++] = (struct mls_column){.title = "supported"};
    columns[n++] = (struct mls_column){.title = "estimate", .right = true};
    columns[n++] = (struct mls_column){.title = "cost", .right = true};
    columns[n++] = (struct mls_column){.title = "confidence"};
    columns[n++] = (struct mls_column){.title = "reason", .max_width = 100};
    struct mls_table *table = mls_table_create(columns, n, console->ascii);
    if (!table)
        return false;
    for (uint32_t i = 0; i < placement->n_ops; i++)
        add_op(console, planned, table, &placement->ops[i]);
    console_printf(console, "\n");
    bool ok = mls_table_write(table, console->columns, console->color, &console->out);
    mls_table_free(table);
    return ok;
}

/* "conv conv_3", or "conv_3 ... conv_9". */
static void write_run(struct console *console, const struct mls_placement *placement, const uint32_t *ops,
                      uint32_t n)
{
    const struct mls_placed_op *first = &placement->ops[ops[0]], *last = &placement->ops[ops[n - 1]];
    char *from = mls_text_safe(first->name, console->ascii), *to = mls_text_safe(last->name, console->ascii);
    if (n == 1)
        console_printf(console, "%s %s", first->type, from ? from : "");
    else
        console_printf(console, "%s ... %s", from ? from : "", to ? to : "");
    free(from);
    free(to);
}

static void write_remedies(struct console *console, const struct planned *planned)
{
    const struct mls_placement *placement = planned->placements[planned->setting];
    const struct mls_placement_remedies *remedies = planned->remedies[planned->setting];
    char text[MLS_TEXT_BYTES], total[MLS_TEXT_BYTES];
    if (!remedies || !remedies->n_remedies)
        return;
    console_printf(
        console, "\nWhat it would take to have more on the Neural Engine (%s of %s with all of it):\n",
        microseconds(console, remedies->total_us, text), microseconds(console, placement->total_us, total));
    for (uint32_t i = 0; i < remedies->n_remedies && (console->verbose || i < REMEDIES_MAX); i++) {
        const struct mls_placement_remedy *remedy = &remedies->remedies[i];
        console_printf(console, "  %8s  ", microseconds(console, remedy->gain_us, text));
        if (remedy->n_ops > 1)
            console_printf(console, "%u %s: ", remedy->n_ops,
                           remedy->segment ? "neighbours" : placement->ops[remedy->ops[0]].type);
        write_run(console, placement, remedy->ops, remedy->n_ops);
        console_printf(console, ": %s (confidence %s)\n",
                       remedy->change ? remedy->change : "no single change is known",
                       mls_confidence_name(remedy->confidence));
    }
}

static void write_differences(struct console *console, const struct planned *planned)
{
    const struct mls_placement *told = planned->placements[planned->setting];
    struct mls_placement_difference *runs = calloc(told->n_ops ? told->n_ops : 1, sizeof *runs);
    for (enum mls_compute_units i = 0; runs && i < MLS_COMPUTE_UNITS_COUNT; i++) {
        if (!is_beside(planned, i))
            continue;
        uint32_t n = mls_placement_differences(told, planned->placements[i], runs), n_ops = 0;
        for (uint32_t k = 0; k < n; k++)
            n_ops += runs[k].last - runs[k].first + 1;
        if (!n)
            console_printf(console, "\n%s places every operation as %s does.\n", mls_compute_units_name(i),
                           mls_compute_units_name(planned->setting));
        else
            console_printf(console, "\n%s places %u of %u operations elsewhere:\n", mls_compute_units_name(i),
                           n_ops, told->n_ops);
        for (uint32_t k = 0; k < n && (console->verbose || k < DIFFERENCES_MAX); k++) {
            const uint32_t ends[2] = {runs[k].first, runs[k].last};
            console_printf(console, "  %s -> %s  ", mls_unit_name(runs[k].a), mls_unit_name(runs[k].b));
            write_run(console, told, ends, ends[0] == ends[1] ? 1 : 2);
            console_printf(console, "\n");
        }
    }
    free(runs);
}

void plan_write_text(struct console *console, const struct planned *planned)
{
    console_printf(console, "predicted for %s: %s\n\n", mls_placement_profile_name(planned->hardware),
                   mls_placement_profile_source(planned->hardware));
    if (!write_summary(console, planned) || console->quiet || !write_ops(console, planned))
        return;
    write_differences(console, planned);
    write_remedies(console, planned);
}
