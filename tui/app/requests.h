/*
 * requests.h: everything that the screen can be asked to do, in one list: the enum, the names in scripts and
 * on the command line, the default keys, the hint bar and the help are all made from it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "term/keys.h"

/* Where a request means something: bits. */
enum mls_where {
    MLS_IN_ANY = 1u << 0,
    MLS_IN_LIST = 1u << 1, /* views with rows */
    MLS_IN_OPERATIONS = 1u << 2,
    MLS_IN_FINDINGS = 1u << 3,
    MLS_IN_PLACEMENT = 1u << 4,
    MLS_IN_DETAIL = 1u << 5, /* a detail pane is open */
    MLS_IN_TIMELINE = 1u << 6,
    MLS_IN_SETUP = 1u << 7,
    MLS_IN_MODELS = 1u << 10,
    MLS_IN_COMPRESSION = 1u << 11,
    MLS_IN_LOADING = 1u << 8, /* a load or another long action goes on */
    MLS_IN_LIVE = 1u << 9     /* a model runs; not with recordings */
};

/*
 * Columns: id, name, keys (names, blanks between), where, hint ("" keeps it out of the hint bar), help.
 * The order is that of the hint bar and of the help.
 */
#define MLS_REQUEST_LIST(X)                                                                                 \
    X(HELP, "help", "? F1", MLS_IN_ANY, "help", "this help")                                                \
    X(CLOSE, "close", "q", MLS_IN_ANY, "quit", "close the pane or the view on top; in the last one, quit")  \
    X(OPEN, "open", "Enter", MLS_IN_LIST, "detail",                                                         \
      "detail of the row; again: its operation, or the whole screen; a setting, a model: opens it")         \
    X(CANCEL, "cancel", "x", MLS_IN_LOADING, "cancel", "give up the load or the long action")               \
    X(HOTTEST, "hottest", "H", MLS_IN_OPERATIONS | MLS_IN_TIMELINE, "hottest",                              \
      "select the hottest operation (timeline: what took longer than mostly), then the next")             \
    X(TREE, "tree", "t F5", MLS_IN_OPERATIONS, "tree", "run order, or a tree by module with sums")          \
    X(BY_TYPE, "by-type", "b", MLS_IN_OPERATIONS, "by type", "rolled up by type of operation, and back")    \
    X(NEXT_SLOW, "next-slow", "s", MLS_IN_TIMELINE, "prediction",                                           \
      "next prediction; the first is the slowest")                                                          \
    X(SWEEP, "sweep", "p", MLS_IN_COMPRESSION, "sweep",                                                     \
      "compress the model in several ways, in the background")                                              \
    X(NEXT_SETTING, "next-setting", "c", MLS_IN_PLACEMENT, "setting", "next compute-unit setting")          \
    X(NEXT_ERROR, "next-error", "e", MLS_IN_FINDINGS, "error", "next error")                                \
    X(NEXT_WARNING, "next-warning", "w", MLS_IN_FINDINGS, "warning", "next warning")                        \
    X(FILTER, "filter", "\\ F4", MLS_IN_LIST, "filter", "show what matches: time>1ms type=conv name~text")  \
    X(SEARCH, "search", "/ F3", MLS_IN_LIST, "search", "find while typing; lower case matches both")        \
    X(SORT_MENU, "sort", "F6", MLS_IN_LIST, "sort", "choose the column to sort by")                         \
    X(MARK, "mark", "Space", MLS_IN_LIST, "mark", "mark the row, or not; marked rows get a line of sums")   \
    X(COLUMNS, "columns", "C", MLS_IN_LIST, "columns", "choose columns and their order")                    \
    X(FREEZE, "freeze", "Z", MLS_IN_ANY, "freeze", "stop the screen; recording goes on")                    \
    X(FOLLOW, "follow", "F", MLS_IN_LIST, "follow", "the selection stays on the operation, or on the line") \
    X(COMMAND, "command", ":", MLS_IN_ANY, "command", "command line")                                       \
    X(FULL, "full", "O", MLS_IN_DETAIL, "full", "the detail on the full screen, and back")                  \
    X(BACK, "back", "Esc", MLS_IN_ANY, "", "one step back: prompt, filter, detail, view; never quits")      \
    X(QUIT, "quit", "Q Ctrl-c F10", MLS_IN_ANY, "", "quit at once")                                         \
    X(UP, "up", "Up k", MLS_IN_ANY, "", "one line up")                                                      \
    X(DOWN, "down", "Down j", MLS_IN_ANY, "", "one line down")                                              \
    X(LEFT, "left", "Left h", MLS_IN_ANY, "", "pan to the left by half a page")                             \
    X(RIGHT, "right", "Right l", MLS_IN_ANY, "", "pan to the right by half a page")                         \
    X(PAGE_UP, "page-up", "PgUp Ctrl-b", MLS_IN_ANY, "", "one page up")                                     \
    X(PAGE_DOWN, "page-down", "PgDn Ctrl-f", MLS_IN_ANY, "", "one page down")                               \
    X(HALF_UP, "half-page-up", "Ctrl-u", MLS_IN_ANY, "", "half a page up")                                  \
    X(HALF_DOWN, "half-page-down", "Ctrl-d", MLS_IN_ANY, "", "half a page down")                            \
    X(FIRST, "first", "Home g", MLS_IN_ANY, "", "first line")                                               \
    X(LAST, "last", "End G", MLS_IN_ANY, "", "last line")                                                   \
    X(SEARCH_NEXT, "search-next", "n", MLS_IN_LIST, "", "next match")                                       \
    X(SEARCH_PREVIOUS, "search-previous", "N", MLS_IN_LIST, "", "previous match")                           \
    X(SORT_LEFT, "sort-left", "<", MLS_IN_LIST, "", "sort by the column to the left")                       \
    X(SORT_RIGHT, "sort-right", ">", MLS_IN_LIST, "", "sort by the column to the right")                    \
    X(SORT_INVERT, "sort-invert", "I", MLS_IN_LIST, "", "turn the order round")                             \
    X(UNMARK, "unmark-all", "U", MLS_IN_LIST, "", "take all marks away")                                    \
    X(COMPARE_MARKS, "compare-marks", "=", MLS_IN_LIST, "",                                                 \
      "two marked rows: their ratio in the sorted column")                                                  \
    X(LIMIT, "limit", "L", MLS_IN_OPERATIONS, "", "hide operations below 0.1, 0.5, 1, 5 %, or none")        \
    X(SHARES, "shares", "%", MLS_IN_LIST, "", "shares as bar and number, number, or bar")                   \
    X(EXPAND, "expand", "+", MLS_IN_OPERATIONS | MLS_IN_TIMELINE, "",                                       \
      "tree: open the row; timeline: zoom in")                                                              \
    X(COLLAPSE, "collapse", "-", MLS_IN_OPERATIONS | MLS_IN_TIMELINE, "",                                   \
      "tree: close the row; timeline: zoom out")                                                            \
    X(TOGGLE_ALL, "toggle-all", "*", MLS_IN_OPERATIONS | MLS_IN_TIMELINE, "",                               \
      "tree: close or open all rows; timeline: the whole")                                                  \
    X(PREVIOUS_ERROR, "previous-error", "E", MLS_IN_FINDINGS, "", "previous error")                         \
    X(PREVIOUS_WARNING, "previous-warning", "W", MLS_IN_FINDINGS, "", "previous warning")                   \
    X(PREVIOUS_SLOW, "previous-slow", "S", MLS_IN_TIMELINE, "", "previous prediction")                      \
    X(COPY, "copy", "y", MLS_IN_LIST, "", "copy the row to the terminal's clipboard")                       \
    X(RESET, "reset", "r", MLS_IN_LIVE, "", "statistics begin again")                                       \
    X(RECORD, "record", "R", MLS_IN_ANY, "", "write a recording into the working directory")                \
    X(REFRESH, "refresh", "d", MLS_IN_ANY, "", "time between two looks: 0.1, 0.25, 0.5, 1 or 2 s")          \
    X(BACKWARD, "backward", "[", MLS_IN_ANY, "", "back through the views visited")                          \
    X(FORWARD, "forward", "]", MLS_IN_ANY, "", "forward through the views visited")                         \
    X(NEXT_VIEW, "next-view", "Tab", MLS_IN_ANY, "", "next view")                                           \
    X(PREVIOUS_VIEW, "previous-view", "Shift-Tab", MLS_IN_ANY, "", "previous view")                         \
    X(OVERVIEW, "overview", "1", MLS_IN_ANY, "", "the model, its load and its latency")                     \
    X(OPERATIONS, "operations", "2", MLS_IN_ANY, "", "every operation, measured live")                      \
    X(HOT, "hot", "3", MLS_IN_ANY, "", "functions that the processor is in; opening it begins sampling")    \
    X(TIMELINE, "timeline", "4", MLS_IN_ANY, "", "single predictions over time, the slowest kept")          \
    X(MEMORY, "memory", "5", MLS_IN_ANY, "", "the arena over the steps of a prediction")                    \
    X(PLACEMENT, "placement", "6", MLS_IN_ANY, "", "predicted units for the four compute-unit settings")    \
    X(COMPRESSION, "compression", "7", MLS_IN_ANY, "", "ways to compress the model, side by side")          \
    X(FINDINGS, "findings", "8", MLS_IN_ANY, "", "what is wrong or slow, why, and the fix")                 \
    X(COMPARE, "compare", "9", MLS_IN_ANY, "", "what changed since the baseline, with its noise")           \
    X(MODELS, "models", "M", MLS_IN_ANY, "", "models and recordings below the folder, to open one")         \
    X(BASELINE, "baseline", "B", MLS_IN_ANY, "", "baseline: the statistics so far, or the model selected")   \
    X(LOG, "log", "0", MLS_IN_ANY, "", "what happened, and how the model did over the whole time")          \
    X(SETUP, "setup", "F2", MLS_IN_ANY, "", "settings of the model and the screen")                         \
    X(REDRAW, "redraw", "Ctrl-l", MLS_IN_ANY, "", "draw the whole screen again")                            \
    X(SUSPEND, "suspend", "Ctrl-z", MLS_IN_ANY, "", "back to the shell; fg returns")

enum mls_request {
#define X(id, name, keys, where, hint, help) MLS_REQUEST_##id,
    MLS_REQUEST_LIST(X)
#undef X
        MLS_REQUEST_COUNT,
    MLS_REQUEST_NONE = MLS_REQUEST_COUNT
};

struct mls_request_info {
    const char *name;
    const char *keys;
    uint32_t where;
    const char *hint;
    const char *help;
};

/* mls_request_info: the row of a request; static. */
const struct mls_request_info *mls_request_info(enum mls_request request);

/* mls_request_find: the request with this name, or MLS_REQUEST_NONE. */
enum mls_request mls_request_find(const char *name);

/* mls_command_name: of the commands that are no requests; NULL past the last. */
const char *mls_command_name(size_t index);

enum { MLS_KEYMAP_MAX = 128 };

/* Which key asks for what. Plain data: a configuration file may change it later. */
struct mls_keymap {
    struct mls_binding {
        mls_keycode key;
        enum mls_request request;
    } bindings[MLS_KEYMAP_MAX];
    size_t n_bindings;
};

/* mls_keymap_default: the keys of the list; false when the list names an unknown key, the same key twice, or
 * too many. */
bool mls_keymap_default(struct mls_keymap *ret_keymap);

/* mls_keymap_bind: gives a request other keys (names, blanks between; "" for none), taking them from whom
 * they belonged to; false, and nothing changes, when a name is no key. */
bool mls_keymap_bind(struct mls_keymap *keymap, enum mls_request request, const char *keys);

/* mls_keymap_find: what a key asks for, or MLS_REQUEST_NONE. Upper case acts as lower case where the former
 * is free. */
enum mls_request mls_keymap_find(const struct mls_keymap *keymap, mls_keycode key);

/* mls_keymap_keys: the names of a request's keys, blanks between, into text[size]; returns text. */
char *mls_keymap_keys(const struct mls_keymap *keymap, enum mls_request request, char *text, size_t size);
