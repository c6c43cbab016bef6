/* load_options.h: what a loader is to do, from the command line and the settings of the screen. */
#pragma once

#include "app/settings.h"
#include "profiler/sweep.h"

/* The options, and what they point to. Not to be moved once made. */
struct load_options {
    struct mls_loader_options options;
    char *path;
    struct mls_settings settings; /* names of shapes and inputs are read from here */
    struct mls_shape_argument *shapes;
    struct mls_input_argument *inputs;
    struct mls_sweep_setting compress;
    struct mls_sweep_setting compressions[MLS_SETTINGS_NAMES];
    struct mls_compress_rule rules[MLS_SETTINGS_NAMES];
};

/* load_options_make: settings win over `base`, which is what the command line says: borrowed until _done, but for its path.
 * Settings are copied. False when out of memory; _done is due then, too. */
bool load_options_make(struct load_options *load, const struct mls_loader_options *base,
                       const struct mls_settings *settings);
void load_options_done(struct load_options *load);
