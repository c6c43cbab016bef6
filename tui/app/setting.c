#include "app/setting.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/state.h"
#include "profiler/sweep.h"

/* ---- Values
 * ----------------------------------------------------------------------------------------------------- */

static bool take_count(const char *value, unsigned long low, unsigned long high, unsigned long *ret_count)
{
    char *end;
    errno = 0;
    unsigned long count = strtoul(value, &end, 10);
    if (end == value || *end || errno || *value == '-' || count < low || count > high)
        return false;
    *ret_count = count;
    return true;
}

static bool take_number(const char *value, double high, double *ret_number)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end || !(number >= 0 && number <= high))
        return false;
    *ret_number = number;
    return true;
}

static bool take_switch(const char *value, bool *ret_on)
{
    bool on = strcmp(value, "on") == 0;
    if (!on && strcmp(value, "off") != 0)
        return false;
    *ret_on = on;
    return true;
}

static void put_switch(bool on, char *text, size_t size)
{
    snprintf(text, size, "%s", on ? "on" : "off");
}

/* ---- The model
 * -------------------------------------------------------------------------------------------------- */

static bool set_threads(struct mls_state *state, const char *rest, const char *value)
{
    unsigned long count;
    (void)rest;
    if (!take_count(value, 0, 1024, &count))
        return false;
    state->settings.threads = (uint32_t)count;
    return true;
}

static void get_threads(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%u",
             state->settings.threads ? state->settings.threads : state->snapshot->model.threads);
}

static bool set_cpu(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    enum mls_isa isa;
    bool best = strcmp(value, "best") == 0;
    if (!best && !mls_isa_parse(value, &isa))
        return false;
    state->settings.cpu_capped = !best;
    if (!best)
        state->settings.cpu = isa;
    return true;
}

static void get_cpu(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%s", state->settings.cpu_capped ? mls_isa_name(state->settings.cpu) : "best");
}

static bool set_function(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    if (strlen(value) >= sizeof state->settings.function)
        return false;
    snprintf(state->settings.function, sizeof state->settings.function, "%s", value);
    return true;
}

static void get_function(const struct mls_state *state, char *text, size_t size)
{
    const char *function = state->settings.function;
    if (!*function && state->snapshot->model.function)
        function = state->snapshot->model.function;
    snprintf(text, size, "%s", function);
}

static bool set_precision(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    bool high = strcmp(value, "high") == 0;
    if (!high && strcmp(value, "declared") != 0)
        return false;
    state->settings.precision = high ? MLS_PRECISION_HIGH : MLS_PRECISION_DECLARED;
    return true;
}

static void get_precision(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%s", state->settings.precision == MLS_PRECISION_HIGH ? "high" : "declared");
}

static bool set_fusion(struct mls_state *state, const char *rest, const char *value)
{
    bool on;
    (void)rest;
    if (!take_switch(value, &on))
        return false;
    state->settings.no_fusion = !on;
    return true;
}

static void get_fusion(const struct mls_state *state, char *text, size_t size)
{
    put_switch(!state->settings.no_fusion, text, size);
}

static bool set_seed(struct mls_state *state, const char *rest, const char *value)
{
    unsigned long seed;
    (void)rest;
    if (!take_count(value, 0, ULONG_MAX, &seed))
        return false;
    state->settings.random_seed = seed;
    return true;
}

static void get_seed(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%llu", (unsigned long long)state->settings.random_seed);
}

static bool set_concurrency(struct mls_state *state, const char *rest, const char *value)
{
    unsigned long count;
    (void)rest;
    if (!take_count(value, 1, 64, &count))
        return false;
    state->settings.concurrency = (uint32_t)count;
    return true;
}

static void get_concurrency(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%u", state->settings.concurrency ? state->settings.concurrency : 1);
}

static bool set_rate(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    return take_number(value, 1e6, &state->settings.rate_hz);
}

static void get_rate(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%g", state->settings.rate_hz);
}

static bool set_delay(struct mls_state *state, const char *rest, const char *value)
{
    unsigned long milliseconds;
    (void)rest;
    if (!take_count(value, 0, 3600000, &milliseconds))
        return false;
    state->settings.delay_ms = (uint32_t)milliseconds;
    return true;
}

static void get_delay(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%u", state->settings.delay_ms);
}

static bool set_shape(struct mls_state *state, const char *rest, const char *value)
{
    struct mls_settings *settings = &state->settings;
    struct mls_shape shape = {.rank = 0};
    for (const char *at = value; *at;) {
        char *end;
        long long dim = strtoll(at, &end, 10);
        if (end == at || dim < 0 || shape.rank == MLS_RANK_MAX || (*end && *end != 'x'))
            return false;
        shape.dims[shape.rank++] = dim;
        at = *end ? end + 1 : end;
    }
    size_t i = 0;
    while (i < settings->n_shapes && strcmp(settings->shapes[i].name, rest) != 0)
        i++;
    if (i == MLS_SETTINGS_NAMES || !*rest || strlen(rest) >= MLS_SETTINGS_NAME_BYTES)
        return false;
    snprintf(settings->shapes[i].name, sizeof settings->shapes[i].name, "%s", rest);
    settings->shapes[i].shape = shape;
    settings->n_shapes += i == settings->n_shapes;
    return true;
}

static void get_shape(const struct mls_state *state, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < state->settings.n_shapes && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "", state->settings.shapes[i].name);
}

/* "none" for plain weights. */
static bool is_compression(const char *value)
{
    struct mls_sweep_setting setting;
    return strcmp(value, "none") == 0 || mls_sweep_find(value, &setting);
}

static bool set_compress(struct mls_state *state, const char *rest, const char *value)
{
    struct mls_settings *settings = &state->settings;
    struct mls_sweep_setting setting;
    (void)rest;
    if (!is_compression(value))
        return false;
    bool plain = !mls_sweep_find(value, &setting) || (!setting.n_passes && !setting.mixed);
    memset(settings->compress, 0, sizeof settings->compress);
    snprintf(settings->compress, sizeof settings->compress, "%s", plain ? "" : value);
    return true;
}

static void get_compress(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%s", state->settings.compress[0] ? state->settings.compress : "none");
}

static bool is_operation(const struct mls_snapshot *snapshot, const char *name)
{
    size_t i = 0;
    while (i < snapshot->n_ops && (!snapshot->ops[i].name || strcmp(snapshot->ops[i].name, name) != 0))
        i++;
    return i < snapshot->n_ops;
}

/* An operation's own setting; "none" takes it away again. */
static bool set_compression(struct mls_state *state, const char *rest, const char *value)
{
    struct mls_settings *settings = &state->settings;
    struct mls_sweep_setting setting;
    size_t i = 0;
    while (i < settings->n_compressions && strcmp(settings->compressions[i].name, rest) != 0)
        i++;
    if (!is_compression(value) || !*rest || strlen(rest) >= MLS_SETTINGS_NAME_BYTES ||
        (mls_sweep_find(value, &setting) && setting.n_passes != 1))
        return false;
    if (strcmp(value, "none") == 0) {
        if (i == settings->n_compressions)
            return true;
        settings->compressions[i] = settings->compressions[--settings->n_compressions];
        memset(&settings->compressions[settings->n_compressions], 0, sizeof settings->compressions[0]);
        return true;
    }
    if (i == MLS_SETTINGS_NAMES || !is_operation(state->snapshot, rest))
        return false;
    memset(&settings->compressions[i], 0, sizeof settings->compressions[i]);
    snprintf(settings->compressions[i].name, sizeof settings->compressions[i].name, "%s", rest);
    snprintf(settings->compressions[i].label, sizeof settings->compressions[i].label, "%s", value);
    settings->n_compressions += i == settings->n_compressions;
    return true;
}

static void get_compression(const struct mls_state *state, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < state->settings.n_compressions && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "",
                                 state->settings.compressions[i].name);
}

static bool set_input(struct mls_state *state, const char *rest, const char *value)
{
    struct mls_settings *settings = &state->settings;
    size_t i = 0;
    while (i < settings->n_inputs && strcmp(settings->inputs[i].name, rest) != 0)
        i++;
    if (i == MLS_SETTINGS_NAMES || !*rest || strlen(rest) >= MLS_SETTINGS_NAME_BYTES ||
        strlen(value) >= MLS_SETTINGS_FILE_BYTES || !*value)
        return false;
    snprintf(settings->inputs[i].name, sizeof settings->inputs[i].name, "%s", rest);
    snprintf(settings->inputs[i].file, sizeof settings->inputs[i].file, "%s", value);
    settings->n_inputs += i == settings->n_inputs;
    return true;
}

static void get_input(const struct mls_state *state, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < state->settings.n_inputs && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "", state->settings.inputs[i].name);
}

static bool set_units(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    if (!mls_compute_units_parse(value, &state->wishes.units))
        return false;
    state->wishes.set_units = true;
    return true;
}

static void get_units(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%s", mls_compute_units_name(state->snapshot->setting));
}

/* ---- The screen
 * ------------------------------------------------------------------------------------------------- */

static bool set_refresh(struct mls_state *state, const char *rest, const char *value)
{
    unsigned long milliseconds;
    (void)rest;
    if (!take_count(value, 20, 10000, &milliseconds))
        return false;
    state->refresh_ms = (uint32_t)milliseconds;
    return true;
}

static void get_refresh(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%u", state->refresh_ms);
}

static bool set_theme(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    return mls_theme_parse(value, &state->theme);
}

static void get_theme(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%s", mls_theme_name(state->theme));
}

static bool set_graphs(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    bool blocks = strcmp(value, "blocks") == 0;
    if (!blocks && strcmp(value, "braille") != 0)
        return false;
    state->blocks = blocks;
    return true;
}

static void get_graphs(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%s", state->blocks ? "blocks" : "braille");
}

static bool set_ascii(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    return take_switch(value, &state->ascii);
}

static void get_ascii(const struct mls_state *state, char *text, size_t size)
{
    put_switch(state->ascii, text, size);
}

static bool set_mouse(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    return take_switch(value, &state->mouse);
}

static void get_mouse(const struct mls_state *state, char *text, size_t size)
{
    put_switch(state->mouse, text, size);
}

static bool set_hints(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    return take_switch(value, &state->hints);
}

static void get_hints(const struct mls_state *state, char *text, size_t size)
{
    put_switch(state->hints, text, size);
}

static bool set_limit(struct mls_state *state, const char *rest, const char *value)
{
    char number[32];
    double percent;
    (void)rest;
    snprintf(number, sizeof number, "%.*s", (int)strcspn(value, "%"), value);
    if (!take_number(number, 100, &percent))
        return false;
    state->views[MLS_VIEW_operations].list.limit = percent / 100;
    return true;
}

static void get_limit(const struct mls_state *state, char *text, size_t size)
{
    snprintf(text, size, "%g%%", state->views[MLS_VIEW_operations].list.limit * 100);
}

/* The view with this title, case ignored; "" is the current one. */
static struct mls_view *view_called(struct mls_state *state, const char *title)
{
    if (!*title)
        return mls_state_view(state);
    for (unsigned i = 0; i < MLS_VIEW_COUNT; i++)
        if (strcasecmp(state->views[i].ops->title, title) == 0)
            return &state->views[i];
    return NULL;
}

static bool set_columns(struct mls_state *state, const char *rest, const char *value)
{
    struct mls_view *view = view_called(state, rest);
    struct mls_rows rows = view ? mls_view_rows(view) : (struct mls_rows){.n_columns = 0};
    return rows.n_columns && mls_listing_set_columns(&view->list, &rows, value);
}

static bool set_current_columns(struct mls_state *state, const char *rest, const char *value)
{
    (void)rest;
    return set_columns(state, "", value);
}

static void get_columns(const struct mls_state *state, char *text, size_t size)
{
    const struct mls_view *view = &state->views[state->current];
    struct mls_rows rows = mls_view_rows(view);
    text[0] = '\0';
    if (rows.n_columns)
        mls_listing_format_columns(&view->list, &rows, text, size);
}

/* ---- The table
 * -------------------------------------------------------------------------------------------------- */

#define MLS_COMPRESSIONS "none, 8-bit, 6-bit, 4-bit, 4-bit grouped, int8 per channel, ..."

static const struct mls_setting_row rows[] = {
    {"threads", "a number, 0 for the cores available", "compute threads", false, true, set_threads,
     get_threads},
    {"cpu", "best, generic, avx2, avx512, ...", "highest instruction set", false, true, set_cpu, get_cpu},
    {"function", "a name, nothing for the default", "function of the model", false, true, set_function,
     get_function},
    {"shape.", "1x3x224x224", "shape of a flexible input: shape.NAME=", false, true, set_shape, get_shape},
    {"input.", "a .npy, .json, PNG or JPEG file", "content of an input: input.NAME=", false, true, set_input,
     get_input},
    {"compress", MLS_COMPRESSIONS, "weights of the whole model, as in the sweep", false, true, set_compress,
     get_compress},
    {"compress.", MLS_COMPRESSIONS, "weights of one operation: compress.NAME=", false, true, set_compression,
     get_compression},
    {"seed", "a number", "inputs that are not given are drawn with it", false, true, set_seed, get_seed},
    {"precision", "declared, high", "high: fp32 throughout", false, true, set_precision, get_precision},
    {"fusion", "on, off", "steps that execute several operations", false, true, set_fusion, get_fusion},
    {"concurrency", "1 to 64", "predictions at the same time", false, true, set_concurrency, get_concurrency},
    {"rate", "a second, 0 as fast as they can", "predictions begin at this rate", false, true, set_rate,
     get_rate},
    {"delay", "milliseconds", "pause after each prediction", false, true, set_delay, get_delay},
    {"units", "all, cpuOnly, cpuAndGPU, cpuAndNeuralEngine", "whose predicted placement is shown", true,
     false, set_units, get_units},
    {"refresh", "milliseconds, 20 to 10000", "between two looks at the model", true, false, set_refresh,
     get_refresh},
    {"theme", MLS_THEME_NAMES, "colours", true, false, set_theme, get_theme},
    {"graphs", "braille, blocks", "glyphs of graphs", true, false, set_graphs, get_graphs},
    {"ascii", "on, off", "no characters outside ASCII", true, false, set_ascii, get_ascii},
    {"mouse", "on, off", "clicks and the wheel", true, false, set_mouse, get_mouse},
    {"hints", "on, off", "keys in the bottom line", true, false, set_hints, get_hints},
    {"limit", "a percentage", "smaller operations are hidden", true, false, set_limit, get_limit},
    {"columns", "keys, commas between", "columns of the view that is shown", false, false,
     set_current_columns, get_columns},
    {"columns.", "keys, commas between", "columns of a view: columns.VIEW=", false, false, set_columns, NULL},
};

size_t mls_setting_count(void)
{
    return sizeof rows / sizeof rows[0];
}

const struct mls_setting_row *mls_setting_at(size_t index)
{
    return &rows[index];
}

/* The row for a name; *ret_rest is what follows the dot. */
static const struct mls_setting_row *find(const char *name, size_t length, size_t *ret_rest)
{
    for (size_t i = 0; i < mls_setting_count(); i++) {
        size_t own = strlen(rows[i].name);
        bool dotted = rows[i].name[own - 1] == '.';
        if ((dotted ? length > own : length == own) && strncmp(name, rows[i].name, own) == 0) {
            *ret_rest = own;
            return &rows[i];
        }
    }
    return NULL;
}

bool mls_setting_set(struct mls_state *state, const char *text)
{
    char rest[MLS_SETTINGS_NAME_BYTES] = "";
    size_t length = strcspn(text, "="), at = 0;
    const struct mls_setting_row *row = find(text, length, &at);
    if (!row) {
        mls_state_say(state, true, "cannot set %.*s: there is no such setting (F2 lists them)", (int)length,
                      text);
        return false;
    }
    snprintf(rest, sizeof rest, "%.*s", (int)(length - at), text + at);
    struct mls_settings before = state->settings;
    if (row->restart && state->snapshot->recording) {
        mls_state_say(state, true, "cannot set %s: this is a recording, no model runs", row->name);
        return false;
    }
    if (text[length] != '=' || !row->set(state, rest, text + length + 1)) {
        mls_state_say(state, true, "cannot set %.*s: %s is expected", (int)length, text, row->values);
        return false;
    }
    if (row->restart && memcmp(&before, &state->settings, sizeof before) != 0) {
        state->wishes.restart = true;
        snprintf(state->wishes.why, sizeof state->wishes.why, "%.190s", text);
    }
    return true;
}
