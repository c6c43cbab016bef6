#include "term/grid.h"

#include <stdarg.h>
#include <stdlib.h>

#include "term/text.h"

static int clamp_side(int side)
{
    return side < 1 ? 1 : side > MLS_GRID_SIDE_MAX ? MLS_GRID_SIDE_MAX : side;
}

bool mls_grid_resize(struct mls_grid *grid, int columns, int rows)
{
    columns = clamp_side(columns);
    rows = clamp_side(rows);
    struct mls_cell *cells = realloc(grid->cells, sizeof *cells * (size_t)columns * (size_t)rows);
    if (!cells)
        return false;
    grid->cells = cells;
    grid->columns = columns;
    grid->rows = rows;
    mls_grid_clear(grid);
    return true;
}

void mls_grid_done(struct mls_grid *grid)
{
    free(grid->cells);
    grid->cells = NULL;
    grid->columns = 0;
    grid->rows = 0;
}

void mls_grid_clear(struct mls_grid *grid)
{
    size_t n = (size_t)grid->columns * (size_t)grid->rows;
    for (size_t i = 0; i < n; i++)
        grid->cells[i] = (struct mls_cell){.character = ' ', .style = MLS_STYLE_NORMAL};
}

struct mls_rect mls_grid_rect(const struct mls_grid *grid)
{
    return (struct mls_rect){.columns = grid->columns, .rows = grid->rows};
}

static struct mls_cell *cell_at(struct mls_grid *grid, int x, int y)
{
    if (x < 0 || y < 0 || x >= grid->columns || y >= grid->rows)
        return NULL;
    return &grid->cells[(size_t)y * (size_t)grid->columns + (size_t)x];
}

int mls_grid_put(struct mls_grid *grid, int x, int y, enum mls_style style, uint32_t character)
{
    if (grid->ascii)
        character = mls_char_ascii(character);
    int columns = (int)mls_char_columns(character);
    struct mls_cell *cell = cell_at(grid, x, y);
    if (!cell || columns == 0)
        return columns;
    if (columns == 2) {
        struct mls_cell *right = cell_at(grid, x + 1, y);
        if (!right) {
            *cell = (struct mls_cell){.character = ' ', .style = (uint8_t)style};
            return columns;
        }
        *right = (struct mls_cell){.character = 0, .style = (uint8_t)style};
    }
    *cell = (struct mls_cell){.character = character, .style = (uint8_t)style};
    return columns;
}

int mls_grid_text(struct mls_grid *grid, int x, int y, int columns, enum mls_style style, const char *text)
{
    if (columns <= 0)
        return 0;
    bool shorten = mls_text_columns(text) > (unsigned)columns;
    int limit = shorten ? columns - 1 : columns;
    int used = 0;
    for (uint32_t character; (character = mls_text_next(&text)) != 0;) {
        int width = (int)mls_char_columns(character);
        if (used + width > limit)
            break;
        used += mls_grid_put(grid, x + used, y, style, character);
    }
    if (shorten)
        used += mls_grid_put(grid, x + used, y, style, 0x2026);
    return used;
}

void mls_grid_right(struct mls_grid *grid, int x, int y, int columns, enum mls_style style, const char *text)
{
    int width = (int)mls_text_columns(text);
    int left = width < columns ? columns - width : 0;
    mls_grid_text(grid, x + left, y, columns - left, style, text);
}

int mls_grid_format(struct mls_grid *grid, int x, int y, int columns, enum mls_style style,
                    const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return mls_grid_text(grid, x, y, columns, style, text);
}

/* The end of the line that starts at `text` and fits `columns`; breaks at the last blank if there is one. */
static const char *line_end(const char *text, int columns)
{
    const char *at = text;
    const char *blank = NULL;
    int used = 0;
    for (;;) {
        const char *here = at;
        uint32_t character = mls_text_next(&at);
        if (character == 0)
            return here;
        if (character == ' ')
            blank = here;
        used += (int)mls_char_columns(character);
        if (used > columns)
            return blank && blank > text ? blank : here > text ? here : at;
    }
}

int mls_grid_wrap(struct mls_grid *grid, struct mls_rect rect, enum mls_style style, const char *text)
{
    int line = 0;
    if (rect.columns <= 0)
        return 0;
    while (*text) {
        const char *end = line_end(text, rect.columns);
        int used = 0;
        while (text < end) {
            uint32_t character = mls_text_next(&text);
            int width = (int)mls_char_columns(character);
            if (line < rect.rows)
                mls_grid_put(grid, rect.x + used, rect.y + line, style, character);
            used += width;
        }
        while (*text == ' ')
            text++;
        line++;
    }
    return line;
}

void mls_grid_fill(struct mls_grid *grid, struct mls_rect rect, enum mls_style style, uint32_t character)
{
    for (int y = rect.y; y < rect.y + rect.rows; y++)
        for (int x = rect.x; x < rect.x + rect.columns; x++)
            mls_grid_put(grid, x, y, style, character);
}

void mls_grid_restyle(struct mls_grid *grid, struct mls_rect rect, enum mls_style style)
{
    for (int y = rect.y; y < rect.y + rect.rows; y++)
        for (int x = rect.x; x < rect.x + rect.columns; x++) {
            struct mls_cell *cell = cell_at(grid, x, y);
            if (cell)
                cell->style = (uint8_t)style;
        }
}

bool mls_grid_write(const struct mls_grid *grid, FILE *file)
{
    for (int y = 0; y < grid->rows; y++) {
        const struct mls_cell *row = grid->cells + (size_t)y * (size_t)grid->columns;
        int end = grid->columns;
        while (end > 0 && row[end - 1].character == ' ')
            end--;
        for (int x = 0; x < end; x++) {
            char bytes[4];
            if (row[x].character != 0)
                fwrite(bytes, 1, mls_char_encode(row[x].character, bytes), file);
        }
        fputc('\n', file);
    }
    return !ferror(file);
}
