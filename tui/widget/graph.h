/* graph.h: small drawings of numbers: sparklines, columns, bars. Braille where the grid may use it, else
 * ASCII. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "term/grid.h"

/*
 * mls_graph_line: numbers as an area, the newest at the right edge, scaled from 0 (or from `least`) to
 * `most`; when there are more numbers than columns the oldest are left out. Two numbers share a column in
 * braille. Height: rect.rows.
 */
void mls_graph_line(struct mls_grid *grid, struct mls_rect rect, enum mls_style style, const double *numbers,
                    size_t n_numbers, double least, double most);

/*
 * mls_graph_columns: all numbers over the width of the rectangle (each column shows the greatest of those
 * that fall on it), as solid columns of eighths of a cell, from 0 to `most`.
 */
void mls_graph_columns(struct mls_grid *grid, struct mls_rect rect, enum mls_style style,
                       const double *numbers, size_t n_numbers, double most);

/* One part of a stacked bar. */
struct mls_bar_part {
    double amount;
    enum mls_style style;
    uint32_t glyph; /* tells parts apart without colour */
};

/* mls_graph_bar: parts side by side over `columns`, in proportion to their sum or to `total` when that is
 * greater. */
void mls_graph_bar(struct mls_grid *grid, int x, int y, int columns, const struct mls_bar_part *parts,
                   size_t n_parts, double total);

/* mls_graph_share: a bar of eighths of a cell for a share of 0 to 1. */
void mls_graph_share(struct mls_grid *grid, int x, int y, int columns, double share);

/* mls_graph_progress: a bar filled to done/total. */
void mls_graph_progress(struct mls_grid *grid, int x, int y, int columns, double done, double total);

/* mls_graph_rule: a thin horizontal line with a title near its left end ("" for none). */
void mls_graph_rule(struct mls_grid *grid, int x, int y, int columns, const char *title);
