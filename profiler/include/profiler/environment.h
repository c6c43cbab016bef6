/* environment.h: on which machine, by which program and when something was measured. */
#pragma once

#include <stdint.h>

enum { MLS_ENVIRONMENT_TEXT_BYTES = 128 };

/* Texts are "" when not known. */
struct mls_environment {
    const char *tool_version;                /* as given */
    const char *commit;                      /* as given */
    const char *cpu;                         /* static */
    const char *isa;                         /* best instruction set of the machine; static */
    uint32_t cores;                          /* processors that this process may use */
    char kernel[MLS_ENVIRONMENT_TEXT_BYTES]; /* "Linux 6.1.0-18-amd64" */
    char governor[MLS_ENVIRONMENT_TEXT_BYTES];
    const char *clock; /* "tsc" or "CLOCK_MONOTONIC"; static */
    char date_utc[32]; /* "2026-01-31T12:00:00Z" */
};

/* mls_environment_read: the machine now. Borrows the two texts. */
struct mls_environment mls_environment_read(const char *tool_version, const char *commit);
