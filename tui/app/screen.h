/* screen.h: the interactive screen on one model. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "diagnostics/placement.h"

struct mls_loader_options; /* profiler/loader.h: what to open and how to run it, inputs and seed included */

/* When to use colour: id, name on the command line. AUTO: on a terminal, unless NO_COLOR is set and not
 * empty. */
#define MLS_SCREEN_COLOR_LIST(X) \
    X(AUTO, "auto")              \
    X(ALWAYS, "always")          \
    X(NEVER, "never")

enum mls_screen_color {
#define X(id, name) MLS_SCREEN_COLOR_##id,
    MLS_SCREEN_COLOR_LIST(X)
#undef X
        MLS_SCREEN_COLOR_COUNT
};

/* What the screen needs. Everything is borrowed for the call; zeros are the defaults. */
struct mls_screen_options {
    const struct mls_loader_options *loader;
    enum mls_compute_units compute_units; /* whose predicted units stand beside the operations */
    uint32_t delay_ms;                    /* pause between predictions */
    const char *script_path; /* keys and commands from a file ("-": standard input), no terminal used; NULL:
                                interactive */
    uint16_t columns;        /* size of the screen of a script; 0: 80 x 24 */
    uint16_t rows;
    bool deterministic; /* scripts: measured numbers are replaced by fixed ones made from the plan's costs */
    bool ascii;         /* no characters outside ASCII */
    enum mls_screen_color color;
};

/*
 * mls_screen_main: shows the screen until the user leaves it, or plays the script. Restores the terminal on
 * every way out. Returns the exit code of CONTRACT.md; what goes wrong before the screen is up is printed on
 * standard error.
 */
int mls_screen_main(const struct mls_screen_options *options);
