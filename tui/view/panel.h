/* panel.h: blocks of text that grow downwards; what views share. */
#pragma once

#include "app/snapshot.h"
#include "term/grid.h"

/* mls_panel_rule: a line with a title; takes it from the top of the rectangle. */
void mls_panel_rule(struct mls_grid *grid, struct mls_rect *rect, const char *title);

/* mls_panel_fact: a label and a formatted value on one line; takes it from the top. Nothing when there is no
 * room. */
void mls_panel_fact(struct mls_grid *grid, struct mls_rect *rect, const char *label, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* mls_panel_text: text over as many lines as it needs, indented; takes them from the top. */
void mls_panel_text(struct mls_grid *grid, struct mls_rect *rect, int indent, enum mls_style style,
                    const char *text);

/* mls_panel_skip: takes lines from the top. */
void mls_panel_skip(struct mls_rect *rect, int lines);

/* mls_panel_units: one line: bar and legend of the cost by unit. */
void mls_panel_units(struct mls_grid *grid, struct mls_rect *rect, const char *label,
                     const struct mls_placement *placement);

/* mls_panel_unit_style, _glyph: how a unit is drawn everywhere; told apart by the glyph too. */
enum mls_style mls_panel_unit_style(enum mls_unit unit);
uint32_t mls_panel_unit_glyph(enum mls_unit unit);

enum { MLS_PANEL_LABEL_COLUMNS = 11 };
