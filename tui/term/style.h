/* style.h: what a cell means. Themes turn meanings into colours; no meaning is told by colour alone. */
#pragma once

#include <stdbool.h>

/*
 * One row a style: id; colours 0…7 of the terminal's own palette on dark and on light ground; colours of the
 * palette of 256, lively and safe for the colour-blind (after Okabe and Ito); 24 bits; -1 is the terminal's
 * own. Attributes with colour, and without. Attributes: B bold, D dim, R reverse, U underline. Backgrounds
 * are left alone.
 */
#define MLS_STYLE_LIST(X)                              \
    X(NORMAL, -1, -1, -1, -1, -1, "", "")              \
    X(DIM, -1, -1, -1, -1, -1, "D", "D")               \
    X(STRONG, -1, -1, -1, -1, -1, "B", "B")            \
    X(TITLE, 6, 4, 80, 74, 0x5fd7d7, "B", "B")         \
    X(HEADER, -1, -1, -1, -1, -1, "BU", "BU")          \
    X(SELECTED, -1, -1, -1, -1, -1, "R", "R")          \
    X(TAB_CURRENT, 6, 4, 80, 74, 0x5fd7d7, "BR", "BR") \
    X(KEY, 6, 4, 80, 74, 0x5fd7d7, "B", "B")           \
    X(MATCH, 5, 5, 207, 175, 0xff5fff, "BU", "BU")     \
    X(GOOD, 2, 2, 114, 36, 0x87d787, "", "")           \
    X(WARNING, 3, 5, 221, 208, 0xffd75f, "B", "B")     \
    X(BAD, 1, 1, 203, 166, 0xff5f5f, "B", "BR")        \
    X(UNIT_CPU, 4, 4, 75, 74, 0x5fafff, "B", "")       \
    X(UNIT_GPU, 5, 5, 177, 175, 0xd787ff, "", "B")     \
    X(UNIT_ANE, 2, 2, 114, 36, 0x87d787, "", "U")      \
    X(BAR, 6, 4, 73, 74, 0x5fafaf, "", "")             \
    X(BAR_REST, -1, -1, 240, 240, 0x585858, "D", "D")  \
    X(HEAT_LOW, -1, -1, -1, -1, -1, "", "")            \
    X(HEAT_MIDDLE, 3, 5, 221, 220, 0xffd75f, "", "")   \
    X(HEAT_HIGH, 1, 1, 209, 202, 0xff875f, "B", "B")   \
    X(PART_1, 6, 4, 73, 74, 0x5fafaf, "", "")          \
    X(PART_2, 5, 5, 176, 175, 0xd787d7, "", "")        \
    X(PART_3, 2, 2, 108, 36, 0x87af87, "", "")         \
    X(PART_4, 3, 1, 179, 208, 0xd7af5f, "", "")        \
    X(PROMPT, -1, -1, -1, -1, -1, "B", "B")

enum mls_style {
#define X(id, dark, light, many, safe, rgb, attributes, mono) MLS_STYLE_##id,
    MLS_STYLE_LIST(X)
#undef X
        MLS_STYLE_COUNT
};

/* Themes: id, name. AUTO takes the best of what the terminal has, and MONO with NO_COLOR. */
#define MLS_THEME_LIST(X)      \
    X(AUTO, "auto")            \
    X(DARK, "dark")            \
    X(LIGHT, "light")          \
    X(MANY, "256")             \
    X(TRUE_COLOR, "truecolor") \
    X(SAFE, "colorblind")      \
    X(MONO, "mono")

#define MLS_THEME_NAMES "auto, dark, light, 256, truecolor, colorblind, mono"

enum mls_theme {
#define X(id, name) MLS_THEME_##id,
    MLS_THEME_LIST(X)
#undef X
        MLS_THEME_COUNT
};

const char *mls_theme_name(enum mls_theme theme);
bool mls_theme_parse(const char *name, enum mls_theme *ret_theme);

/* What a style looks like in a theme: a colour in the theme's own numbers, or -1; attributes as letters. */
struct mls_look {
    int color;
    const char *attributes;
};
struct mls_look mls_theme_look(enum mls_theme theme, enum mls_style style);
