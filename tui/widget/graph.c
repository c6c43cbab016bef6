#include "widget/graph.h"

#include <math.h>

/* Level of a number in 0…steps; anything above zero is at least 1, so that it is seen. */
static int level_of(double number, double least, double most, int steps)
{
    if (!(most > least) || !isfinite(number) || number <= least)
        return 0;
    int level = (int)((number - least) / (most - least) * steps + 0.5);
    return level < 1 ? 1 : level > steps ? steps : level;
}

/* A solid column of `level` eighths, bottom up. */
static void draw_column(struct mls_grid *grid, int x, struct mls_rect rect, enum mls_style style, int level)
{
    for (int row = 0; row < rect.rows; row++) {
        int part = level - row * 8;
        if (part > 0)
            mls_grid_put(grid, x, rect.y + rect.rows - 1 - row, style,
                         0x2580u + (part >= 8 ? 8u : (unsigned)part));
    }
}

/* Braille dots of one half of a cell, filled from the bottom to 0…4. */
static uint32_t braille_half(int level, unsigned side)
{
    static const uint8_t dots[2][4] = {{0x40, 0x04, 0x02, 0x01}, {0x80, 0x20, 0x10, 0x08}};
    uint32_t bits = 0;
    for (int i = 0; i < level && i < 4; i++)
        bits |= dots[side][i];
    return bits;
}

static void draw_braille(struct mls_grid *grid, struct mls_rect rect, enum mls_style style, int x,
                         const int level[2])
{
    for (int row = 0; row < rect.rows; row++) {
        uint32_t bits = braille_half(level[0] - row * 4, 0) | braille_half(level[1] - row * 4, 1);
        if (bits)
            mls_grid_put(grid, x, rect.y + rect.rows - 1 - row, style, 0x2800 + bits);
    }
}

void mls_graph_line(struct mls_grid *grid, struct mls_rect rect, enum mls_style style, const double *numbers,
                    size_t n_numbers, double least, double most)
{
    if (rect.columns <= 0 || rect.rows <= 0)
        return;
    size_t per_column = grid->ascii || grid->blocks ? 1 : 2;
    size_t room = (size_t)rect.columns * per_column;
    size_t skip = n_numbers > room ? n_numbers - room : 0;
    size_t n = n_numbers - skip;
    int first = rect.x + rect.columns - (int)((n + per_column - 1) / per_column);
    for (size_t i = 0; i < n; i += per_column) {
        int x = first + (int)(i / per_column);
        const double *at = numbers + skip + i;
        if (per_column == 1) {
            draw_column(grid, x, rect, style, level_of(*at, least, most, rect.rows * 8));
            continue;
        }
        int steps = rect.rows * 4;
        int levels[2] = {level_of(at[0], least, most, steps),
                         i + 1 < n ? level_of(at[1], least, most, steps) : 0};
        draw_braille(grid, rect, style, x, levels);
    }
}

void mls_graph_columns(struct mls_grid *grid, struct mls_rect rect, enum mls_style style,
                       const double *numbers, size_t n_numbers, double most)
{
    for (int column = 0; column < rect.columns && n_numbers; column++) {
        size_t begin = (size_t)column * n_numbers / (size_t)rect.columns;
        size_t end = ((size_t)column + 1) * n_numbers / (size_t)rect.columns;
        double greatest = numbers[begin];
        for (size_t i = begin + 1; i < end; i++)
            greatest = numbers[i] > greatest ? numbers[i] : greatest;
        draw_column(grid, rect.x + column, rect, style, level_of(greatest, 0, most, rect.rows * 8));
    }
}

void mls_graph_bar(struct mls_grid *grid, int x, int y, int columns, const struct mls_bar_part *parts,
                   size_t n_parts, double total)
{
    double sum = 0;
    for (size_t i = 0; i < n_parts; i++)
        sum += parts[i].amount > 0 ? parts[i].amount : 0;
    double whole = total > sum ? total : sum;
    double at = 0;
    int drawn = 0;
    for (size_t i = 0; i < n_parts && whole > 0; i++) {
        at += parts[i].amount > 0 ? parts[i].amount : 0;
        int end = (int)(at / whole * columns + 0.5);
        for (; drawn < end && drawn < columns; drawn++)
            mls_grid_put(grid, x + drawn, y, parts[i].style, parts[i].glyph);
    }
    for (; drawn < columns; drawn++)
        mls_grid_put(grid, x + drawn, y, MLS_STYLE_BAR_REST, 0x00b7);
}

void mls_graph_share(struct mls_grid *grid, int x, int y, int columns, double share)
{
    int eighths = (int)((share < 1 ? share : 1) * columns * 8 + 0.5);
    for (int i = 0; i < columns && eighths > 0; i++, eighths -= 8)
        mls_grid_put(grid, x + i, y, MLS_STYLE_BAR, eighths >= 8 ? 0x2588u : 0x2590u - (unsigned)eighths);
}

void mls_graph_progress(struct mls_grid *grid, int x, int y, int columns, double done, double total)
{
    struct mls_bar_part part = {
        .amount = done < total ? done : total, .style = MLS_STYLE_BAR, .glyph = 0x2588};
    mls_graph_bar(grid, x, y, columns, &part, 1, total > 0 ? total : 1);
}

void mls_graph_rule(struct mls_grid *grid, int x, int y, int columns, const char *title)
{
    mls_grid_fill(grid, (struct mls_rect){x, y, columns, 1}, MLS_STYLE_DIM, 0x2500);
    if (!*title)
        return;
    mls_grid_format(grid, x + 1, y, columns - 2, MLS_STYLE_TITLE, " %s ", title);
}
