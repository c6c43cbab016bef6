/* sweep_advice.h: what a sweep says to do. The ids are those of the rules for compression (symptoms COMP). */
#pragma once

#include "profiler/sweep.h"

struct mls_sweep_advice {
    const char *id;
    const char *title;
    const char *fix;
    char evidence[320];
};

enum { MLS_SWEEP_ADVICE_MAX = 8 };

/*
 * mls_sweep_suits: the units of Apple hardware that a setting is for, by the technique that comes last: palettes the Neural
 * Engine, quantized weights the GPU, pruned ones the Neural Engine and the CPU (Apple's guide to optimisation: the rows F163 of
 * the features and PERF009 of the symptoms). Static.
 */
const char *mls_sweep_suits(const struct mls_sweep_setting *setting);

/* mls_sweep_advise: what holds, into ret_advice; returns how many. Texts other than the evidence are static. */
size_t mls_sweep_advise(const struct mls_sweep *sweep, struct mls_sweep_advice ret_advice[MLS_SWEEP_ADVICE_MAX]);
