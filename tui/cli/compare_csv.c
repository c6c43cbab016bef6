#include <math.h>

#include "cli/compare.h"
#include "profiler/text.h"

static void write_number(struct console *console, double number)
{
    if (isfinite(number))
        console_printf(console, ",%.9g", number);
    else
        console_printf(console, ",");
}

static void write_change(struct console *console, const char *scope, const char *op, const char *type,
                         const struct mls_change *change)
{
    console_printf(console, "%s,", scope);
    mls_write_csv(&console->out, op);
    console_printf(console, ",");
    mls_write_csv(&console->out, type);
    console_printf(console, ",%s", change->name);
    write_number(console, change->a);
    write_number(console, change->b);
    write_number(console, change->ratio);
    write_number(console, change->noise);
    console_printf(console, ",%d", change->significant);
}

/* What an operation does to the values, or empty fields. */
static void write_values(struct console *console, const struct mls_walk_op *op)
{
    write_number(console, op && op->compared ? op->snr_db : (double)NAN);
    write_number(console, op && op->compared ? op->added_error : (double)NAN);
    console_printf(console, "\n");
}

void compare_write_csv(struct console *console, const struct compared *compared)
{
    const struct mls_comparison *comparison = compared->comparison;
    console_printf(console, "scope,op,type,name,a,b,ratio,noise,larger_than_noise,snr_db,added_error\n");
    for (size_t i = 0; i < comparison->n_totals; i++) {
        write_change(console, "total", "", "", &comparison->totals[i]);
        write_values(console, NULL);
    }
    for (size_t i = 0; i < comparison->n_ops; i++) {
        const struct mls_op_change *op = &comparison->ops[i];
        const struct mls_side_op *side =
            op->a != MLS_NO_INDEX ? &comparison->a->ops[op->a] : &comparison->b->ops[op->b];
        write_change(console, "op", side->name, side->type, &op->time);
        write_values(console, NULL);
    }
    for (size_t i = 0; compared->walk && i < compared->walk->n_ops; i++) {
        const struct mls_walk_op *op = &compared->walk->ops[i];
        if (!op->compared)
            continue;
        console_printf(console, "value,");
        mls_write_csv(&console->out, op->name);
        console_printf(console, ",");
        mls_write_csv(&console->out, op->type);
        console_printf(console, ",max_abs");
        write_number(console, op->max_a);
        write_number(console, op->max_b);
        write_number(console, op->max_a > 0 ? op->max_b / op->max_a : (double)NAN);
        console_printf(console, ",,");
        write_values(console, op);
    }
}
