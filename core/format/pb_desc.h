/* pb_desc.h: readers of a model's description. Only pb_*.c files include it. */
#pragma once

#include "core/model.h"
#include "model.pb-c.h"

/* pb_read_description: interfaces (the default function's first), default function and metadata, in the
 * model's arena. */
enum mls_status pb_read_description(const Pb__ModelDescription *message, struct mls_model *model,
                                    struct mls_error *reterr);
