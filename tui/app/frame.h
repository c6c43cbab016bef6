/* frame.h: the whole screen: title, tabs, the view with its list and detail, hints or prompt. */
#pragma once

#include "app/state.h"
#include "term/grid.h"

/* Where the cursor stands; x is negative when it is hidden. */
struct mls_cursor_place {
    int x;
    int y;
};

/* mls_frame_draw: draws the state over the whole grid. Lists scroll so that their selection is seen. */
void mls_frame_draw(struct mls_state *state, struct mls_grid *grid, struct mls_cursor_place *ret_cursor);
