#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/diagnose.h"
#include "profiler/text.h"

enum { LOSSES_MAX = 12, WORST_MAX = 8, CELL_BYTES = 48 };

/* The figures as people read them; names end in their unit. */
static const char *figure(const struct console *console, const char *name, double value, char *text)
{
    size_t length = strlen(name);
    if (!isfinite(value))
        return "-";
    if (length > 3 && !strcmp(name + length - 3, "_ns"))
        return mls_text_duration((uint64_t)value, console->ascii, text);
    if (length > 6 && !strcmp(name + length - 6, "_bytes"))
        return mls_text_size((uint64_t)value, text);
    return mls_text_count(value, text);
}

static const char *ratio(const struct mls_change *change, char *text)
{
    if (!isfinite(change->ratio))
        return "-";
    snprintf(text, CELL_BYTES, "%.3f", change->ratio);
    return text;
}

static const char *verdict(const struct mls_change *change)
{
    if (!isfinite(change->a) || !isfinite(change->b))
        return "-";
    if (change->significant)
        return change->b > change->a ? "more" : "less";
    return change->a == change->b ? "same" : "noise";
}

static void write_table(struct console *console, struct mls_table *table)
{
    if (table)
        mls_table_write(table, console->columns, console->color, &console->out);
    mls_table_free(table);
}

static void write_totals(struct console *console, const struct compared *compared)
{
    static const struct mls_column columns[] = {
        {"", false, 0}, {"A", true, 0}, {"B", true, 0}, {"B/A", true, 0}, {"difference", false, 0}};
    struct mls_table *table = mls_table_create(columns, sizeof columns / sizeof columns[0], console->ascii);
    for (size_t i = 0; table && i < compared->comparison->n_totals; i++) {
        const struct mls_change *change = &compared->comparison->totals[i];
        char a[CELL_BYTES], b[CELL_BYTES], text[CELL_BYTES];
        if (!isfinite(change->a) && !isfinite(change->b))
            continue;
        mls_table_cell(table, "%s", change->name);
        mls_table_cell(table, "%s", figure(console, change->name, change->a, a));
        mls_table_cell(table, "%s", figure(console, change->name, change->b, b));
        mls_table_cell(table, "%s", ratio(change, text));
        mls_table_cell(table, "%s", verdict(change));
    }
    write_table(console, table);
}

static void write_ops(struct console *console, const struct compared *compared, size_t top)
{
    static const struct mls_column columns[] = {
        {"type", false, 24}, {"operation", false, 48}, {"A", true, 0},       {"B", true, 0},
        {"B/A", true, 0},    {"difference", false, 0}, {"kernels", false, 0}};
    const struct mls_comparison *comparison = compared->comparison;
    size_t n = top && top < comparison->n_ops ? top : comparison->n_ops;
    console_printf(console,
                   "\nOperations: %zu matched, %zu only in A, %zu only in B; largest differences first\n",
                   comparison->n_matched, comparison->n_only_a, comparison->n_only_b);
    struct mls_table *table = mls_table_create(columns, sizeof columns / sizeof columns[0], console->ascii);
    for (size_t i = 0; table && i < n; i++) {
        const struct mls_op_change *op = &comparison->ops[i];
        const struct mls_side_op *a = op->a != MLS_NO_INDEX ? &comparison->a->ops[op->a] : NULL;
        const struct mls_side_op *b = op->b != MLS_NO_INDEX ? &comparison->b->ops[op->b] : NULL;
        char left[CELL_BYTES], right[CELL_BYTES], text[CELL_BYTES];
        mls_table_cell(table, "%s", (a ? a : b)->type);
        mls_table_cell(table, "%s", (a ? a : b)->name);
        mls_table_cell(table, "%s", figure(console, op->time.name, op->time.a, left));
        mls_table_cell(table, "%s", figure(console, op->time.name, op->time.b, right));
        mls_table_cell(table, "%s", ratio(&op->time, text));
        mls_table_cell(table, "%s", !a ? "only in B" : !b ? "only in A" : verdict(&op->time));
        const char *kernel_a = a && a->kernel ? a->kernel : "", *kernel_b = b && b->kernel ? b->kernel : "";
        bool same = !strcmp(kernel_a, kernel_b);
        mls_table_cell(table, "%s%s%s", kernel_a, same ? "" : " | ", same ? "" : kernel_b);
    }
    write_table(console, table);
}

static const char *decibels(bool compared, double snr_db, char *text)
{
    if (!compared)
        return "-";
    if (isinf(snr_db))
        return "equal";
    snprintf(text, CELL_BYTES, "%.1f dB", snr_db);
    return text;
}

static void write_outputs(struct console *console, const struct mls_walk *walk)
{
    static const struct mls_column columns[] = {{"output", false, 40},
                                                {"SNR", true, 0},
                                                {"cosine", true, 0},
                                                {"max error", true, 0},
                                                {"not finite A, B", true, 0}};
    struct mls_table *table = mls_table_create(columns, sizeof columns / sizeof columns[0], console->ascii);
    for (size_t i = 0; table && i < walk->n_outputs; i++) {
        const struct mls_walk_output *output = &walk->outputs[i];
        char text[CELL_BYTES];
        mls_table_cell(table, "%s", output->name);
        mls_table_cell(table, "%s", decibels(output->compared, output->snr_db, text));
        if (isfinite(output->cosine))
            mls_table_cell(table, "%.6f", output->cosine);
        else
            mls_table_cell(table, "-");
        mls_table_cell(table, "%.4g", output->max_error);
        mls_table_cell(table, "%llu, %llu", (unsigned long long)output->n_not_finite_a,
                       (unsigned long long)output->n_not_finite_b);
    }
    write_table(console, table);
}

static void write_walk_op(struct console *console, const struct mls_walk_op *op, const char *note)
{
    char text[CELL_BYTES], *name = mls_text_safe(op->name, console->ascii);
    console_printf(console, "  %-22s %-40s %10s  largest value %.4g | %.4g%s%s\n", op->type, name ? name : "",
                   decibels(op->compared, op->snr_db, text), op->max_a, op->max_b, *note ? "  " : "", note);
    free(name);
}

static void write_walk(struct console *console, const struct compared *compared)
{
    const struct mls_walk *walk = compared->walk;
    console_printf(console,
                   "\nValues: %zu operations compared on the same inputs (seed %llu where none were given), "
                   "A is the reference\n",
                   walk->n_compared, (unsigned long long)compared->random_seed);
    write_outputs(console, walk);
    if (walk->first == MLS_NO_INDEX)
        console_printf(console, "\nNo operation is below %.0f dB.\n", walk->limit_db);
    else {
        console_printf(console, "\nThe first operation below %.0f dB:\n", walk->limit_db);
        write_walk_op(console, &walk->ops[walk->first], "");
    }
    if (walk->n_worst && walk->first != MLS_NO_INDEX) {
        console_printf(console, "Those that add most of the error:\n");
        for (size_t i = 0; i < walk->n_worst && i < WORST_MAX; i++)
            write_walk_op(console, &walk->ops[walk->worst[i]], "");
    }
    if (!walk->n_keep)
        return;
    console_printf(console, "Keep in fp32, with what reads their values (%zu):\n", walk->n_keep);
    for (size_t i = 0; i < walk->n_keep && (console->verbose || i < LOSSES_MAX); i++)
        write_walk_op(console, &walk->ops[walk->keep[i].op], mls_walk_loss_text(walk->keep[i].loss));
}

void compare_write_text(struct console *console, const struct compared *compared, size_t top)
{
    char *a = mls_text_safe(compared->label_a, console->ascii);
    char *b = mls_text_safe(compared->label_b, console->ascii);
    console_printf(console, "A  %s\nB  %s\n\n", a ? a : "", b ? b : "");
    free(a);
    free(b);
    write_totals(console, compared);
    write_ops(console, compared, top);
    if (compared->walk)
        write_walk(console, compared);
    else if (*compared->walk_refused)
        console_printf(console, "\nValues were not compared: %s\n", compared->walk_refused);
    if (compared->report && compared->report->n_findings) {
        console_printf(console, "\n");
        diagnose_write_text(console, compared->report);
    }
}
