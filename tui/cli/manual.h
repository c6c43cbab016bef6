/* manual.h: the manual page and the shells' completions, made from the tables of commands, options, keys and
 * settings. */
#pragma once

#include "cli/console.h"

/* manual_page: mlscope(1) as roff. */
void manual_page(struct console *console);

/* manual_completion: for "bash", "zsh" or "fish"; USAGE for others. */
enum mls_status manual_completion(struct console *console, const char *shell, struct mls_error *reterr);
