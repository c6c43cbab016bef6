/*
 * script.h: keys and commands from a file, one a line or several side by side:
 *     # a comment
 *     wait loaded            until the model is ready, or has failed
 *     wait 20 predictions
 *     wait 100 ms
 *     2 j j Enter            key names and request names
 *     type conv              characters, one by one
 *     :save-screen FILE      any command line
 *     resize 100x30
 *     click 10 5             a click there; "wheel 10 5 up", "down"
 */
#pragma once

#include <stdbool.h>

#include "app/live.h"
#include "app/state.h"

/*
 * mls_script_play: plays a script ("-": standard input) until its end or a quit. False with the line number
 * and a reason in text[size] when a line cannot be done.
 */
bool mls_script_play(struct mls_state *state, struct mls_live *live, const char *path, char *text,
                     size_t size);
