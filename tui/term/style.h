/* style.h: what a cell means. The theme turns meanings into colours; no meaning is told by colour alone. */
#pragma once

/*
 * One row a style: id, colour 0…7 of the terminal's palette or -1 for its own, attributes with colour,
 * attributes without. Attributes: B bold, D dim, R reverse, U underline. Backgrounds are left alone, so that
 * the same list reads on light and on dark terminals.
 */
#define MLS_STYLE_LIST(X)         \
    X(NORMAL, -1, "", "")         \
    X(DIM, -1, "D", "D")          \
    X(STRONG, -1, "B", "B")       \
    X(TITLE, 6, "B", "B")         \
    X(HEADER, -1, "BU", "BU")     \
    X(SELECTED, -1, "R", "R")     \
    X(TAB_CURRENT, 6, "BR", "BR") \
    X(KEY, 6, "B", "B")           \
    X(MATCH, 5, "BU", "BU")       \
    X(GOOD, 2, "", "")            \
    X(WARNING, 3, "B", "B")       \
    X(BAD, 1, "B", "BR")          \
    X(UNIT_CPU, 4, "B", "")       \
    X(UNIT_GPU, 5, "", "B")       \
    X(UNIT_ANE, 2, "", "U")       \
    X(BAR, 6, "", "")             \
    X(BAR_REST, -1, "D", "D")     \
    X(HEAT_LOW, -1, "", "")       \
    X(HEAT_MIDDLE, 3, "", "")     \
    X(HEAT_HIGH, 1, "B", "B")     \
    X(PART_1, 6, "", "")          \
    X(PART_2, 5, "", "")          \
    X(PART_3, 2, "", "")          \
    X(PART_4, 3, "", "")          \
    X(PROMPT, -1, "B", "B")

enum mls_style {
#define X(id, color, attributes, mono) MLS_STYLE_##id,
    MLS_STYLE_LIST(X)
#undef X
        MLS_STYLE_COUNT
};
