/* grid.h: the screen as data: what is drawn is drawn here, and is then copied to a terminal or written to a
 * file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "term/style.h"

struct mls_cell {
    uint32_t character; /* 0: the right half of a wide character */
    uint8_t style;      /* enum mls_style */
};

/* A screen of cells; free with mls_grid_done. */
struct mls_grid {
    int columns;
    int rows;
    bool blocks; /* graphs of blocks instead of braille */
    bool ascii;  /* characters outside ASCII are replaced as they are written */
    struct mls_cell *cells;
};

/* A part of a grid, in cells; may lie partly outside. */
struct mls_rect {
    int x;
    int y;
    int columns;
    int rows;
};

enum { MLS_GRID_SIDE_MAX = 2000 };

/* mls_grid_resize: sets the size (clamped to 1…MLS_GRID_SIDE_MAX) and blanks the cells; false when there is
 * no memory. */
bool mls_grid_resize(struct mls_grid *grid, int columns, int rows);
void mls_grid_done(struct mls_grid *grid);
void mls_grid_clear(struct mls_grid *grid);

struct mls_rect mls_grid_rect(const struct mls_grid *grid);

/* mls_grid_put: one character; returns its columns. Outside of the grid nothing happens. */
int mls_grid_put(struct mls_grid *grid, int x, int y, enum mls_style style, uint32_t character);

/*
 * mls_grid_text: text in at most `columns` columns, shortened with an ellipsis at its end when it is longer.
 * Harmful characters are replaced. Returns the columns used.
 */
int mls_grid_text(struct mls_grid *grid, int x, int y, int columns, enum mls_style style, const char *text);

/* mls_grid_right: as mls_grid_text, against the right edge of the field. */
void mls_grid_right(struct mls_grid *grid, int x, int y, int columns, enum mls_style style, const char *text);

/* mls_grid_format: printf into the grid; at most 1 KiB. Returns the columns used. */
int mls_grid_format(struct mls_grid *grid, int x, int y, int columns, enum mls_style style,
                    const char *format, ...) __attribute__((format(printf, 6, 7)));

/* mls_grid_wrap: text over several lines of the rectangle, broken at spaces; returns the lines that it needs.
 */
int mls_grid_wrap(struct mls_grid *grid, struct mls_rect rect, enum mls_style style, const char *text);

/* mls_grid_fill: the same character over a rectangle. */
void mls_grid_fill(struct mls_grid *grid, struct mls_rect rect, enum mls_style style, uint32_t character);

/* mls_grid_restyle: changes the style of what is drawn already. */
void mls_grid_restyle(struct mls_grid *grid, struct mls_rect rect, enum mls_style style);

/* mls_grid_write: the characters as UTF-8 lines without blanks at their ends. False on a write error. */
bool mls_grid_write(const struct mls_grid *grid, FILE *file);

/* mls_grid_write_svg: the same as a picture, in the colours of a theme on dark ground. False on a write
 * error. */
bool mls_grid_write_svg(const struct mls_grid *grid, enum mls_theme theme, FILE *file);
