/* config.h: the configuration file: settings of the screen, columns of views, and keys. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct mls_state;

/* mls_config_path: `$XDG_CONFIG_HOME/mlscope/config`, else `~/.config/mlscope/config`, into path[size]; false
 * when neither is known. */
bool mls_config_path(char *path, size_t size);

/* mls_config_load: reads a file; NULL is the usual one, which may be missing. What it does not know is said
 * in the state's message, with the line's number, and left alone. False only when a file that was named
 * cannot be read. */
bool mls_config_load(struct mls_state *state, const char *path);

/* mls_config_save: writes the settings as they are now; "" is the usual file. */
bool mls_config_save(struct mls_state *state, const char *path);

/* mls_config_write: the settings as they are now, as a file with comments. */
bool mls_config_write(const struct mls_state *state, FILE *file);
