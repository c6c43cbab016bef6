#include "view/panel.h"

#include <stdarg.h>
#include <stdio.h>

#include "widget/datum.h"
#include "widget/graph.h"

void mls_panel_skip(struct mls_rect *rect, int lines)
{
    rect->y += lines;
    rect->rows -= lines;
}

void mls_panel_rule(struct mls_grid *grid, struct mls_rect *rect, const char *title)
{
    if (rect->rows > 0)
        mls_graph_rule(grid, rect->x, rect->y, rect->columns, title);
    mls_panel_skip(rect, 1);
}

void mls_panel_fact(struct mls_grid *grid, struct mls_rect *rect, const char *label, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (rect->rows > 0) {
        mls_grid_text(grid, rect->x + 1, rect->y, MLS_PANEL_LABEL_COLUMNS - 1, MLS_STYLE_DIM, label);
        mls_grid_text(grid, rect->x + 1 + MLS_PANEL_LABEL_COLUMNS, rect->y,
                      rect->columns - 2 - MLS_PANEL_LABEL_COLUMNS, MLS_STYLE_NORMAL, text);
    }
    mls_panel_skip(rect, 1);
}

void mls_panel_text(struct mls_grid *grid, struct mls_rect *rect, int indent, enum mls_style style,
                    const char *text)
{
    struct mls_rect inner = {rect->x + 1 + indent, rect->y, rect->columns - 2 - indent,
                             rect->rows > 0 ? rect->rows : 0};
    mls_panel_skip(rect, mls_grid_wrap(grid, inner, style, text));
}

enum mls_style mls_panel_unit_style(enum mls_unit unit)
{
    static const enum mls_style unit_styles[MLS_UNIT_COUNT] = {[MLS_UNIT_CPU] = MLS_STYLE_UNIT_CPU,
                                                               [MLS_UNIT_GPU] = MLS_STYLE_UNIT_GPU,
                                                               [MLS_UNIT_ANE] = MLS_STYLE_UNIT_ANE};
    return unit_styles[unit];
}

uint32_t mls_panel_unit_glyph(enum mls_unit unit)
{
    static const uint32_t glyphs[MLS_UNIT_COUNT] = {
        [MLS_UNIT_CPU] = 0x2591, [MLS_UNIT_GPU] = 0x2593, [MLS_UNIT_ANE] = 0x2588};
    return glyphs[unit];
}

void mls_panel_units(struct mls_grid *grid, struct mls_rect *rect, const char *label,
                     const struct mls_placement *placement)
{
    static const enum mls_unit order[] = {MLS_UNIT_ANE, MLS_UNIT_GPU, MLS_UNIT_CPU};
    struct mls_bar_part parts[MLS_UNIT_COUNT];
    if (!placement) {
        mls_panel_fact(grid, rect, label, "no prediction for this model");
        return;
    }
    int x = rect->x + 1 + MLS_PANEL_LABEL_COLUMNS;
    int bar = rect->columns >= 100 ? 30 : 16;
    for (unsigned i = 0; i < MLS_UNIT_COUNT; i++)
        parts[i] = (struct mls_bar_part){.amount = placement->totals[order[i]].cost_share,
                                         .style = mls_panel_unit_style(order[i]),
                                         .glyph = mls_panel_unit_glyph(order[i])};
    mls_grid_text(grid, rect->x + 1, rect->y, MLS_PANEL_LABEL_COLUMNS - 1, MLS_STYLE_DIM, label);
    mls_graph_bar(grid, x, rect->y, bar, parts, MLS_UNIT_COUNT, 1);
    x += bar + 2;
    for (unsigned i = 0; i < MLS_UNIT_COUNT; i++) {
        char share[MLS_DATUM_TEXT_BYTES];
        const struct mls_unit_total *total = &placement->totals[order[i]];
        if (!total->n_ops)
            continue;
        x += mls_grid_put(grid, x, rect->y, parts[i].style, parts[i].glyph) + 1;
        x += 2 + mls_grid_format(grid, x, rect->y, rect->x + rect->columns - x, MLS_STYLE_NORMAL,
                                 "%s %s (%u)", mls_unit_name(order[i]),
                                 mls_share_format(total->cost_share, share), total->n_ops);
    }
    mls_grid_format(grid, x, rect->y, rect->x + rect->columns - x, MLS_STYLE_DIM, "%u switch%s",
                    placement->n_switches, placement->n_switches == 1 ? "" : "es");
    mls_panel_skip(rect, 1);
}
