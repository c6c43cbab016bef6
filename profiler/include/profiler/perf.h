/*
 * perf.h: the external program perf(1) beside a measurement: it samples stacks by frame pointers on our
 * clock, kernel functions included where the system allows, and its samples are joined to operations. Its
 * file holds addresses and names, never memory contents; still, nothing of the kind is written while sealed
 * content is open: the caller sees to that.
 */
#pragma once

#include "profiler/hot.h"
#include "profiler/profile.h"

struct mls_perf;

/* mls_perf_start: starts perf on this process, writing to `path`; returns when it samples. UNSUPPORTED when
 * there is no perf or it refuses, with its own words. The caller ends it with mls_perf_stop. */
enum mls_status mls_perf_start(double rate_hz, const char *path, struct mls_perf **ret_perf,
                               struct mls_error *reterr);

/*
 * mls_perf_stop: ends perf and joins what it saw to the events that `profile` kept for its trace. The samples
 * go into `hot`; NULL: they are not wanted. Frees `perf`.
 */
enum mls_status mls_perf_stop(struct mls_perf *perf, const struct mls_profile *profile, struct mls_hot *hot,
                              struct mls_error *reterr);
