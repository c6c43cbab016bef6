/* side_record.h: sides made from recordings. */
#pragma once

#include "profiler/compare.h"

/* side_create: a side with room for its operations, all zero; NULL when out of memory. */
struct mls_side *side_create(size_t n_ops, struct mls_side_op **ret_ops);

/* side_from_recording: from a file that `record` wrote. Borrows `path`. */
enum mls_status side_from_recording(const char *path, struct mls_side **ret_side, struct mls_error *reterr);
