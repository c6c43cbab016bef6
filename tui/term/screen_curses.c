#include "term/terminal.h"

#include <curses.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { RESTORE_BYTES = 256 };

struct mls_terminal {
    SCREEN *screen;
    struct termios modes; /* as they were */
    bool color;
    bool lost;
    bool redraw;
    int signal_fd;
    struct mls_grid shown; /* what the terminal shows */
    attr_t attributes[MLS_STYLE_COUNT];
    short pairs[MLS_STYLE_COUNT];
};

static const struct {
    short color;
    const char *attributes;
    const char *mono;
} styles[MLS_STYLE_COUNT] = {
#define X(id, color, attributes, mono) [MLS_STYLE_##id] = {color, attributes, mono},
    MLS_STYLE_LIST(X)
#undef X
};

static attr_t attributes_of(const char *letters)
{
    attr_t attributes = A_NORMAL;
    for (; *letters; letters++)
        attributes |= *letters == 'B'   ? A_BOLD
                      : *letters == 'D' ? A_DIM
                      : *letters == 'R' ? A_REVERSE
                                        : A_UNDERLINE;
    return attributes;
}

static void set_styles(struct mls_terminal *terminal, bool color)
{
    terminal->color = color && has_colors() && start_color() == OK;
    if (terminal->color)
        use_default_colors();
    for (short i = 0; i < MLS_STYLE_COUNT; i++) {
        terminal->attributes[i] = attributes_of(terminal->color ? styles[i].attributes : styles[i].mono);
        if (terminal->color && styles[i].color >= 0 && init_pair((short)(i + 1), styles[i].color, -1) == OK)
            terminal->pairs[i] = (short)(i + 1);
    }
}

/* The sequences that a crash writes: attributes off, cursor shown, main screen. Those with padding are left
 * out. */
static void restore_sequence(char *text)
{
    static const char *const names[] = {"sgr0", "cnorm", "rmkx", "rmcup"};
    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *sequence = tigetstr(names[i]);
        if (sequence && sequence != (char *)-1 && !strstr(sequence, "$<") &&
            strlen(text) + strlen(sequence) < RESTORE_BYTES)
            strcat(text, sequence);
    }
}

struct mls_terminal *mls_terminal_open(bool color, const char **ret_reason)
{
    struct termios modes;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &modes) != 0) {
        *ret_reason = "standard input and output are no terminal";
        return NULL;
    }
    struct mls_terminal *terminal = calloc(1, sizeof *terminal);
    if (!terminal) {
        *ret_reason = "out of memory";
        return NULL;
    }
    terminal->modes = modes;
    terminal->redraw = true;
    terminal->screen = newterm(NULL, stdout, stdin);
    if (!terminal->screen) {
        free(terminal);
        *ret_reason = "the terminal type in TERM is not known here";
        return NULL;
    }
    char restore[RESTORE_BYTES];
    restore_sequence(restore);
    terminal->signal_fd = mls_signals_arm(&modes, restore);
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    set_styles(terminal, color);
    return terminal;
}

void mls_terminal_close(struct mls_terminal *terminal)
{
    if (!terminal)
        return;
    curs_set(1);
    endwin();
    delscreen(terminal->screen);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->modes);
    mls_signals_disarm();
    mls_grid_done(&terminal->shown);
    free(terminal);
}

void mls_terminal_size(const struct mls_terminal *terminal, int *ret_columns, int *ret_rows)
{
    (void)terminal;
    *ret_columns = COLS;
    *ret_rows = LINES;
}

void mls_terminal_resized(struct mls_terminal *terminal)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
    terminal->redraw = true;
}

void mls_terminal_redraw(struct mls_terminal *terminal)
{
    terminal->redraw = true;
}

static void show_cell(const struct mls_terminal *terminal, int x, int y, struct mls_cell cell)
{
    wchar_t text[2] = {(wchar_t)cell.character, L'\0'};
    cchar_t character;
    setcchar(&character, text, terminal->attributes[cell.style], terminal->pairs[cell.style], NULL);
    mvadd_wch(y, x, &character);
}

void mls_terminal_show(struct mls_terminal *terminal, const struct mls_grid *grid, int cursor_x, int cursor_y)
{
    if (terminal->shown.columns != grid->columns || terminal->shown.rows != grid->rows) {
        if (!mls_grid_resize(&terminal->shown, grid->columns, grid->rows))
            return;
        terminal->redraw = true;
    }
    if (terminal->redraw)
        clear();
    for (int y = 0; y < grid->rows; y++)
        for (int x = 0; x < grid->columns; x++) {
            size_t i = (size_t)y * (size_t)grid->columns + (size_t)x;
            struct mls_cell cell = grid->cells[i];
            struct mls_cell *old = &terminal->shown.cells[i];
            if (!terminal->redraw && cell.character == old->character && cell.style == old->style)
                continue;
            *old = cell;
            if (cell.character != 0)
                show_cell(terminal, x, y, cell);
        }
    terminal->redraw = false;
    curs_set(cursor_x >= 0);
    if (cursor_x >= 0)
        move(cursor_y, cursor_x);
    refresh();
}

void mls_terminal_wait(struct mls_terminal *terminal, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = terminal->signal_fd, .events = POLLIN}};
    if (poll(fds, 2, timeout_ms < 0 ? 0 : timeout_ms) > 0 && fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        terminal->lost = true;
}

bool mls_terminal_lost(const struct mls_terminal *terminal)
{
    return terminal->lost;
}

static const struct {
    int code;
    mls_keycode key;
} curses_keys[] = {
    {KEY_UP, MLS_KEY_UP},
    {KEY_DOWN, MLS_KEY_DOWN},
    {KEY_LEFT, MLS_KEY_LEFT},
    {KEY_RIGHT, MLS_KEY_RIGHT},
    {KEY_PPAGE, MLS_KEY_PAGE_UP},
    {KEY_NPAGE, MLS_KEY_PAGE_DOWN},
    {KEY_HOME, MLS_KEY_HOME},
    {KEY_END, MLS_KEY_END},
    {KEY_DC, MLS_KEY_DELETE},
    {KEY_ENTER, MLS_KEY_ENTER},
    {KEY_BACKSPACE, MLS_KEY_BACKSPACE},
    {KEY_BTAB, MLS_KEY_SHIFT_TAB},
};

bool mls_terminal_key(struct mls_terminal *terminal, mls_keycode *ret_key)
{
    wint_t code;
    (void)terminal;
    for (;;) {
        int kind = get_wch(&code);
        if (kind == ERR)
            return false;
        if (kind != KEY_CODE_YES) {
            *ret_key = code == '\r' ? MLS_KEY_ENTER : code == 0x7f ? MLS_KEY_BACKSPACE : (mls_keycode)code;
            return true;
        }
        if (code > KEY_F0 && code <= KEY_F(12)) {
            *ret_key = MLS_KEY_F1 + (mls_keycode)(code - KEY_F(1));
            return true;
        }
        for (size_t i = 0; i < sizeof curses_keys / sizeof curses_keys[0]; i++)
            if ((wint_t)curses_keys[i].code == code) {
                *ret_key = curses_keys[i].key;
                return true;
            }
    }
}

void mls_terminal_suspend(struct mls_terminal *terminal)
{
    curs_set(1);
    def_prog_mode();
    endwin();
    mls_signals_stop_process();
    reset_prog_mode();
    curs_set(0);
    mls_terminal_resized(terminal);
}
