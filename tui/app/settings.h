/* settings.h: how the model behind the screen runs, as far as it can be changed while it does. Plain data. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "profiler/loader.h"

enum { MLS_SETTINGS_NAMES = 8, MLS_SETTINGS_NAME_BYTES = 128, MLS_SETTINGS_FILE_BYTES = 512 };

struct mls_settings {
    char function[MLS_SETTINGS_NAME_BYTES]; /* "": the default one */
    uint32_t threads;                       /* 0: the cores available */
    bool cpu_capped;
    enum mls_isa cpu;
    enum mls_precision precision;
    bool no_fusion;
    uint64_t random_seed;
    uint32_t delay_ms;    /* pause after each prediction */
    double rate_hz;       /* predictions begin at this rate; 0: as fast as they can */
    uint32_t concurrency; /* predictions at the same time */
    struct mls_named_shape {
        char name[MLS_SETTINGS_NAME_BYTES];
        struct mls_shape shape;
    } shapes[MLS_SETTINGS_NAMES];
    size_t n_shapes;
    struct mls_named_file {
        char name[MLS_SETTINGS_NAME_BYTES];
        char file[MLS_SETTINGS_FILE_BYTES];
    } inputs[MLS_SETTINGS_NAMES];
    size_t n_inputs;   /* besides those of the command line */
    char compress[48]; /* label of a setting of the sweep, for all weights; "": as they are */
    struct mls_named_compression {
        char name[MLS_SETTINGS_NAME_BYTES]; /* of an operation */
        char label[48];
    } compressions[MLS_SETTINGS_NAMES];
    size_t n_compressions;
};
