/* pass.h: the table of passes. A pass is one row of passes.def and one file. */
#pragma once

#include "core/pass.h"
#include "pass/piece.h"

enum pass_id {
#define X(id, name, run, optional, keeps_bits, description) PASS_##id,
#include "pass/passes.def"
#undef X
    PASS_COUNT
};

/* A pass over a piece: the number of operations that it touched. What goes wrong stands in piece->out_of_memory; the piece
 * is sound whatever a pass did not finish. */
typedef uint32_t pass_run(struct piece *piece);

struct pass_row {
    const char *name;
    pass_run *run; /* NULL: the planner does it on the way */
    bool optional;
    bool keeps_bits;
    const char *description;
};

extern const struct pass_row pass_table[PASS_COUNT];

/* pass_run_all: every pass over a piece that is not in `off` (bits by number); adds to touched[PASS_COUNT]. */
void pass_run_all(struct piece *piece, uint64_t off, uint32_t *touched);

pass_run pass_casts, pass_moves, pass_attention, pass_activations, pass_scales, pass_pads, pass_bytes, pass_elementwise;
