/*
 * setting.h: everything that `:set NAME=VALUE`, the setup view and the configuration file can change, one row
 * each. Those of the model ask for a restart of it; those of the screen act at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct mls_state;

struct mls_setting_row {
    const char *name;   /* one that ends in '.' is followed by a name of the user's: "shape." */
    const char *values; /* what may follow the '=' */
    const char *help;
    bool saved;   /* in the configuration file */
    bool restart; /* the model is loaded anew */
    /* set: `rest` is what follows the dot; false when the value is wrong. */
    bool (*set)(struct mls_state *state, const char *rest, const char *value);
    /* get: the value as text; "" when there is none. */
    void (*get)(const struct mls_state *state, char *text, size_t size);
};

size_t mls_setting_count(void);
const struct mls_setting_row *mls_setting_at(size_t index);

/* mls_setting_set: "NAME=VALUE"; false with a message in the state when it does not fit. */
bool mls_setting_set(struct mls_state *state, const char *text);
