/* inspect.h: what `inspect` knows of a model, for its two forms of output. */
#pragma once

#include "cli/console.h"
#include "cli/weights.h"
#include "profiler/loader.h"

struct op_count {
    const char *type;
    uint32_t n;
};

struct inspected {
    const struct mls_loaded *loaded;
    struct weights weights;
    struct op_count *counts; /* most frequent first; constants are no operations */
    size_t n_counts;
    uint32_t n_ops;
    bool flops_known; /* every operation's shapes are known before the run */
    uint64_t flops;   /* of one prediction; loops count once */
};

void inspect_write_json(const struct inspected *inspected, struct console *console);
void inspect_write_text(const struct inspected *inspected, struct console *console);

/* inspect_write_passes: the table of passes, with the operations that each touched. False when out of memory. */
bool inspect_write_passes(const struct mls_plan *plan, struct console *console);

/* inspect_count_ops: operations of a function, constants not. */
uint32_t inspect_count_ops(const struct mls_program *program, uint32_t function);

/* inspect_color_name: "rgb", ...; static. */
const char *inspect_color_name(enum mls_color color);
