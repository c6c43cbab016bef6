/* reshape.h: what a new input shape costs, where the model's description allows more than one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "profiler/loader.h"

enum { MLS_RESHAPE_TEXT_BYTES = 256 };

/* Times of one shape that the session had no plan for. */
struct mls_reshape_cost {
    bool measured;                       /* false: the shapes are fixed, or no other shape could be planned */
    char shapes[MLS_RESHAPE_TEXT_BYTES]; /* "x 1x3x320x320, y 7", cut where it is longer */
    uint64_t plan_ns;                    /* shapes, fusion, layout of memory */
    uint64_t prepare_ns;                 /* memory and inputs of a run */
    uint64_t first_ns;                   /* the first prediction */
    uint64_t next_ns;                    /* the one after it: what the shape costs from then on */
};

/*
 * mls_reshape_measure: chooses other shapes (a listed one, or the smallest of a range, else one larger),
 * plans for them and predicts twice on random inputs. Not while something else is measured. Failures leave
 * `measured` false: a model need not work with every shape that its description allows.
 */
struct mls_reshape_cost mls_reshape_measure(const struct mls_loader *loader);
