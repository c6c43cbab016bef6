/*
 * twins.h: a model against itself in fp32, operation by operation: whether values that look lost are so
 * because of the precision. Both twins are loads of their own, without fusion; worth their time only for what
 * mls_survey_is_suspect names.
 */
#pragma once

#include <stdatomic.h>

#include "profiler/loader.h"
#include "profiler/walk.h"

struct mls_twins;

/* mls_twins_create: two loads as `options` say, one of them in fp32. Nothing is read yet; what the options
 * borrow, and `stop` (see struct mls_walk_options), are borrowed until mls_twins_free. NULL when out of
 * memory. */
struct mls_twins *mls_twins_create(const struct mls_loader_options *options, const atomic_bool *stop);

/* mls_twins_walk: loads both, runs both, compares: A is the one in fp32. Takes its time; once for each pair.
 * The loads are gone when it returns. The caller frees the walk. */
enum mls_status mls_twins_walk(struct mls_twins *twins, struct mls_walk **ret_walk, struct mls_error *reterr);

/* mls_twins_cancel: makes a load end soon; with `stop` set, mls_twins_walk as well. From any thread. */
void mls_twins_cancel(struct mls_twins *twins);

/* mls_twins_free: NULL is fine. */
void mls_twins_free(struct mls_twins *twins);
