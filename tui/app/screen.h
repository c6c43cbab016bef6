/* screen.h: the interactive screen on one model. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/settings.h"
#include "diagnostics/placement.h"
#include "profiler/recording.h"

/* What the screen needs. Everything is borrowed for the call; zeros are the defaults. */
struct mls_screen_options {
    const struct mls_loader_options *loader;
    struct mls_settings settings;
    struct mls_environment environment;
    struct mls_recording *recording; /* shown in place of a model; the screen frees it */
    const char *recording_path;
    const char *folder;                   /* no model yet: what lies below it is shown; or NULL */
    enum mls_compute_units compute_units; /* whose predicted units stand beside the operations */
    const char *config_path;              /* NULL: the usual one */
    const char *script_path; /* keys and commands from a file ("-": standard input), no terminal used; NULL:
                                interactive */
    unsigned batch_looks;    /* not 0: so many looks as text on standard output, no terminal used */
    unsigned batch_interval_ms;    /* between two of them */
    const atomic_bool *batch_stop; /* ends them early */
    uint16_t columns;              /* size of the screen of a script; 0: 80 x 24 */
    uint16_t rows;
    bool deterministic; /* scripts: measured numbers are replaced by fixed ones made from the plan's costs */
    bool ascii;         /* no characters outside ASCII */
    bool colorless;     /* whatever the terminal can do */
    bool no_mouse;
};

/*
 * mls_screen_main: shows the screen until the user leaves it, or plays the script. Restores the terminal on
 * every way out. Returns the exit code of CONTRACT.md; what goes wrong before the screen is up is printed on
 * standard error.
 */
int mls_screen_main(const struct mls_screen_options *options);

/* mls_screen_default_config: the configuration as it is without a file, on standard output; an exit code. */
int mls_screen_default_config(void);
