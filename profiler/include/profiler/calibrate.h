/* calibrate.h: what goes into the operations with weights, over the samples of a calibration. */
#pragma once

#include <stdatomic.h>

#include "core/compress.h"
#include "core/samples.h"
#include "profiler/loader.h"

/*
 * mls_calibrate: runs the samples through the model that was loaded, one step for each operation, and sums up
 * the inputs of linear and conv. Where an input called a mask says so, rows that it leaves out do not count.
 * The caller frees.
 */
enum mls_status mls_calibrate(const struct mls_loaded *loaded, const struct mls_samples *samples,
                              const atomic_bool *stop, struct mls_calibration **ret_calibration,
                              struct mls_error *reterr);
void mls_calibration_free(struct mls_calibration *calibration);
