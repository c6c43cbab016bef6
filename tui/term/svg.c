#include <stdlib.h>

#include "term/grid.h"
#include "term/text.h"

enum { CELL_WIDTH = 8, CELL_HEIGHT = 17, BASELINE = 13, MARGIN = 10 };

static const unsigned ground_rgb = 0x1c1c1c, text_rgb = 0xd0d0d0, dim_rgb = 0x808080;

/* Colours of the palettes as 24 bits: the first sixteen, the cube and the greys of 256. */
static unsigned palette_rgb(int color)
{
    static const unsigned first[] = {0x000000, 0xcd5c5c, 0x87af5f, 0xd7af5f, 0x5f87d7, 0xaf87d7,
                                     0x5fafaf, 0xd0d0d0, 0x606060, 0xff8787, 0xafd787, 0xffd787,
                                     0x87afff, 0xd7afff, 0x87d7d7, 0xffffff};
    static const unsigned levels[] = {0, 95, 135, 175, 215, 255};
    if (color < 16)
        return first[color];
    if (color >= 232)
        return 0x010101u * (unsigned)(8 + (color - 232) * 10);
    unsigned cube = (unsigned)color - 16;
    return levels[cube / 36] << 16 | levels[cube / 6 % 6] << 8 | levels[cube % 6];
}

struct look {
    unsigned front, back;
    bool bold, underline, filled;
};

static struct look look_of(enum mls_theme theme, enum mls_style style)
{
    struct mls_look from = mls_theme_look(theme, style);
    struct look look = {.front = text_rgb, .back = ground_rgb};
    if (from.color >= 0)
        look.front = theme == MLS_THEME_TRUE_COLOR ? (unsigned)from.color : palette_rgb(from.color);
    for (const char *letter = from.attributes; *letter; letter++) {
        look.bold = look.bold || *letter == 'B';
        look.underline = look.underline || *letter == 'U';
        if (*letter == 'D' && from.color < 0)
            look.front = dim_rgb;
        if (*letter == 'R') {
            look.back = look.front;
            look.front = ground_rgb;
            look.filled = true;
        }
    }
    return look;
}

static void write_character(FILE *file, uint32_t character)
{
    char bytes[4];
    if (character == '&' || character == '<')
        fprintf(file, "&#%u;", (unsigned)character);
    else
        fwrite(bytes, 1, mls_char_encode(character, bytes), file);
}

/* A run of cells of one style. Its length is fixed, so that columns stand under each other in any font. */
static void write_run(const struct mls_grid *grid, enum mls_theme theme, FILE *file, int y, int first,
                      int end)
{
    const struct mls_cell *cells = &grid->cells[(size_t)y * (size_t)grid->columns];
    struct look look = look_of(theme, (enum mls_style)cells[first].style);
    int x = MARGIN + first * CELL_WIDTH, top = MARGIN + y * CELL_HEIGHT;
    bool blank = true;
    for (int i = first; i < end; i++)
        blank = blank && cells[i].character == ' ';
    if (look.filled)
        fprintf(file, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#%06x\"/>\n", x, top,
                (end - first) * CELL_WIDTH, CELL_HEIGHT, look.back);
    if (blank && !look.underline)
        return;
    fprintf(file, "<text x=\"%d\" y=\"%d\" textLength=\"%d\" fill=\"#%06x\"%s%s>", x, top + BASELINE,
            (end - first) * CELL_WIDTH, look.front, look.bold ? " font-weight=\"bold\"" : "",
            look.underline ? " text-decoration=\"underline\"" : "");
    for (int i = first; i < end; i++)
        if (cells[i].character)
            write_character(file, cells[i].character);
    fputs("</text>\n", file);
}

bool mls_grid_write_svg(const struct mls_grid *grid, enum mls_theme theme, FILE *file)
{
    int width = grid->columns * CELL_WIDTH + 2 * MARGIN, height = grid->rows * CELL_HEIGHT + 2 * MARGIN;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
            "<rect width=\"100%%\" height=\"100%%\" rx=\"6\" fill=\"#%06x\"/>\n"
            "<g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"13\" "
            "xml:space=\"preserve\">\n",
            width, height, width, height, ground_rgb);
    theme = theme == MLS_THEME_AUTO ? MLS_THEME_MANY : theme;
    for (int y = 0; y < grid->rows; y++)
        for (int first = 0, end = 0; first < grid->columns; first = end) {
            const struct mls_cell *cells = &grid->cells[(size_t)y * (size_t)grid->columns];
            while (end < grid->columns && cells[end].style == cells[first].style)
                end++;
            write_run(grid, theme, file, y, first, end);
        }
    fputs("</g>\n</svg>\n", file);
    return !ferror(file);
}
