/*
 * samples.h: many predictions' inputs in one .npz, and what they should give. An array called after an input has the
 * samples along its first dimension: of one more dimension than the input, or of as many when the input's first one is 1;
 * images as samples x height x width, x channels at the end, or as the program takes them.
 * An array called after an output, or "labels", is what is expected: class numbers, or vectors to be near to.
 */
#pragma once

#include "core/session.h"

struct mls_samples;

/* mls_samples_open: reads the archive for a function's interface. INPUT_INVALID when arrays do not fit. */
enum mls_status mls_samples_open(const struct mls_interface *interface, const char *path,
                                 struct mls_samples **ret_samples, struct mls_error *reterr);
void mls_samples_free(struct mls_samples *samples);

size_t mls_samples_count(const struct mls_samples *samples);

/* mls_samples_fill: the inputs that the archive has; the others are drawn from the seed. */
enum mls_status mls_samples_fill(const struct mls_samples *samples, size_t index, uint64_t seed, struct mls_run *run,
                                 struct mls_error *reterr);

/* What a sample should give. */
struct mls_expected {
    size_t output;         /* of the interface; SIZE_MAX: the first one that has as many classes */
    bool is_class;
    int64_t class_index;
    const float *vector;   /* n elements */
    size_t n;
};

/* mls_samples_expected: false when the archive does not say. */
bool mls_samples_expected(const struct mls_samples *samples, size_t index, struct mls_expected *ret_expected);
