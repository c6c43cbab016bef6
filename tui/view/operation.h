/* operation.h: everything about one operation, as a pane. */
#pragma once

#include "app/snapshot.h"
#include "term/grid.h"

/* mls_operation_draw: the pane of a step; returns the lines that it needs. */
int mls_operation_draw(const struct mls_snapshot *snapshot, size_t step, struct mls_grid *grid,
                       struct mls_rect rect);
