#include "app/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/setting.h"
#include "app/state.h"

enum { LINE_BYTES = 1024 };

bool mls_config_path(char *path, size_t size)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = -1;
    if (base && *base == '/')
        n = snprintf(path, size, "%s/mlscope/config", base);
    else if (home && *home)
        n = snprintf(path, size, "%s/.config/mlscope/config", home);
    return n > 0 && (size_t)n < size;
}

/* ---- Reading
 * ---------------------------------------------------------------------------------------------------- */

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

/* "NAME = VALUE" or "key.REQUEST = KEYS"; false when it is neither. */
static bool take_line(struct mls_state *state, char *line)
{
    char *equals = strchr(line, '=');
    if (!equals)
        return false;
    *equals = '\0';
    const char *name = trim(line);
    const char *value = trim(equals + 1);
    if (strncmp(name, "key.", 4) == 0) {
        enum mls_request request = mls_request_find(name + 4);
        return request != MLS_REQUEST_NONE && mls_keymap_bind(&state->keymap, request, value);
    }
    char text[LINE_BYTES];
    snprintf(text, sizeof text, "%s=%s", name, value);
    return mls_setting_set(state, text);
}

bool mls_config_load(struct mls_state *state, const char *path)
{
    char usual[MLS_PATH_BYTES], line[LINE_BYTES], wrong[MLS_MESSAGE_BYTES] = "";
    bool named = path != NULL;
    if (!named)
        path = mls_config_path(usual, sizeof usual) ? usual : NULL;
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!file)
        return !named;
    for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
        char *text = trim(line);
        if (!*text || *text == '#')
            continue;
        char before[48];
        snprintf(before, sizeof before, "%.40s", text);
        if (!take_line(state, text) && !*wrong)
            snprintf(wrong, sizeof wrong, "line %u of %.120s is not understood: %s", number, path, before);
    }
    fclose(file);
    state->message[0] = '\0';
    if (*wrong)
        mls_state_say(state, true, "%s", wrong);
    return true;
}

/* ---- Writing
 * ---------------------------------------------------------------------------------------------------- */

static void write_keys(const struct mls_state *state, FILE *file)
{
    struct mls_keymap defaults;
    char keys[128], usual[128];
    mls_keymap_default(&defaults);
    fprintf(file, "\n# Keys of requests, blanks between: key.NAME = KEYS\n");
    for (unsigned i = 0; i < MLS_REQUEST_COUNT; i++) {
        const struct mls_request_info *info = mls_request_info((enum mls_request)i);
        mls_keymap_keys(&state->keymap, (enum mls_request)i, keys, sizeof keys);
        mls_keymap_keys(&defaults, (enum mls_request)i, usual, sizeof usual);
        fprintf(file, "%skey.%s = %s\n", strcmp(keys, usual) == 0 ? "#" : "", info->name, keys);
    }
}

bool mls_config_write(const struct mls_state *state, FILE *file)
{
    char value[512];
    fprintf(file, "# Configuration of mlscope's screen. Lines that begin with # are comments.\n");
    for (size_t i = 0; i < mls_setting_count(); i++) {
        const struct mls_setting_row *row = mls_setting_at(i);
        if (!row->saved || !row->get)
            continue;
        row->get(state, value, sizeof value);
        fprintf(file, "\n# %s: %s\n%s = %s\n", row->help, row->values, row->name, value);
    }
    fprintf(file, "\n# Columns of the views, from left to right.\n");
    for (unsigned i = 0; i < MLS_VIEW_COUNT; i++) {
        const struct mls_view *view = &state->views[i];
        struct mls_rows rows = mls_view_rows(view);
        if (!rows.n_columns)
            continue;
        mls_listing_format_columns(&view->list, &rows, value, sizeof value);
        fprintf(file, "%scolumns.%s = %s\n", view->list.n_columns ? "" : "#", view->ops->title, value);
    }
    write_keys(state, file);
    return !ferror(file);
}

/* The folder of a file, and the one above it, as far as they are missing. */
static void make_folders(const char *path)
{
    char folder[MLS_PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder,
              0700); /* there already is as good; what is really wrong shows when the file is opened */
        *slash = '/';
    }
}

bool mls_config_save(struct mls_state *state, const char *path)
{
    char usual[MLS_PATH_BYTES];
    if (!*path && !mls_config_path(usual, sizeof usual)) {
        mls_state_say(state, true, "cannot save the configuration: HOME is not set");
        return false;
    }
    path = *path ? path : usual;
    if (path == usual)
        make_folders(path);
    FILE *file = fopen(path, "we");
    bool ok = file && mls_config_write(state, file);
    ok = file && fclose(file) == 0 && ok;
    if (ok)
        mls_state_say(state, false, "configuration saved to %.200s", path);
    else
        mls_state_say(state, true, "cannot write %.150s: %s", path, strerror(errno));
    return ok;
}
