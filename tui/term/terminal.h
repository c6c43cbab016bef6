/* terminal.h: the real terminal: opening, copying a grid to it, keys, and every way of leaving it. */
#pragma once

#include <stdbool.h>

#include "term/grid.h"
#include "term/keys.h"
#include "term/signals.h"

struct mls_terminal;

/*
 * mls_terminal_open: takes over the terminal of standard input and output. NULL with a sentence in
 * *ret_reason (static) when they are no terminal or its type is not known. `color`: use the terminal's
 * colours.
 */
struct mls_terminal *mls_terminal_open(bool color, const char **ret_reason);

/* mls_terminal_close: gives the terminal back as it was; NULL is fine. */
void mls_terminal_close(struct mls_terminal *terminal);

/* mls_terminal_size: the size of the terminal now. */
void mls_terminal_size(const struct mls_terminal *terminal, int *ret_columns, int *ret_rows);

/* mls_terminal_resized: takes over a new size; call when SIGWINCH came. */
void mls_terminal_resized(struct mls_terminal *terminal);

/* mls_terminal_show: copies what changed since the last call. Cursor at x, y; hidden when x is negative. */
void mls_terminal_show(struct mls_terminal *terminal, const struct mls_grid *grid, int cursor_x,
                       int cursor_y);

/* mls_terminal_redraw: the next mls_terminal_show draws everything. */
void mls_terminal_redraw(struct mls_terminal *terminal);

/* mls_terminal_set_theme: takes effect with the next mls_terminal_show; without colours every theme is MONO.
 */
void mls_terminal_set_theme(struct mls_terminal *terminal, enum mls_theme theme);

/* mls_terminal_set_mouse: whether clicks and the wheel come as MLS_KEY_MOUSE; off at first. */
void mls_terminal_set_mouse(struct mls_terminal *terminal, bool on);

/* mls_terminal_mouse: what the last MLS_KEY_MOUSE was. */
struct mls_mouse mls_terminal_mouse(const struct mls_terminal *terminal);

/* mls_terminal_copy: puts a text into the terminal's clipboard (OSC 52); false when it is too long. */
bool mls_terminal_copy(struct mls_terminal *terminal, const char *text);

/* mls_terminal_wait: sleeps until a key, a signal or the time-out; negative timeouts count as 0. */
void mls_terminal_wait(struct mls_terminal *terminal, int timeout_ms);

/* mls_terminal_key: the next key that was typed; false when there is none. */
bool mls_terminal_key(struct mls_terminal *terminal, mls_keycode *ret_key);

/* mls_terminal_lost: the terminal went away: nothing can be read from it any more. */
bool mls_terminal_lost(const struct mls_terminal *terminal);

/* mls_terminal_suspend: gives the terminal back, stops the process, and takes it over again when it goes on.
 */
void mls_terminal_suspend(struct mls_terminal *terminal);
