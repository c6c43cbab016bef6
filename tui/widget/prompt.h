/* prompt.h: one line of text being typed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "term/keys.h"

enum { MLS_PROMPT_BYTES = 256 };

struct mls_prompt {
    char text[MLS_PROMPT_BYTES]; /* UTF-8 */
    size_t length_bytes;
    size_t cursor; /* byte, on a character's edge */
};

void mls_prompt_set(struct mls_prompt *prompt, const char *text);

/* mls_prompt_key: edits by a key: characters, Backspace, Delete, arrows, Home, End, Ctrl-a -e -k -u -w;
 * false: not for it. */
bool mls_prompt_key(struct mls_prompt *prompt, mls_keycode key);
