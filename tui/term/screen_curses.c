#include "term/terminal.h"

#include <curses.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "term/turn.h"

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
    int pairs[MLS_STYLE_COUNT];
    enum mls_theme theme;
    bool mouse;
    struct mls_mouse last_mouse;
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

/* The best that this terminal can do. */
static enum mls_theme choose_theme(const struct mls_terminal *terminal)
{
    const char *ground = getenv("COLORFGBG"); /* "15;0": foreground, background */
    const char *background = ground ? strrchr(ground, ';') : NULL;
    if (!terminal->color)
        return MLS_THEME_MONO;
    if (COLORS >= 1 << 24)
        return MLS_THEME_TRUE_COLOR;
    if (background && (strcmp(background, ";15") == 0 || strcmp(background, ";7") == 0))
        return MLS_THEME_LIGHT;
    return COLORS >= 256 ? MLS_THEME_MANY : MLS_THEME_DARK;
}

/* A theme that needs more colours than there are becomes the one of eight. */
static enum mls_theme possible(enum mls_theme theme)
{
    if (theme == MLS_THEME_TRUE_COLOR && COLORS < 1 << 24)
        theme = MLS_THEME_MANY;
    return (theme == MLS_THEME_MANY || theme == MLS_THEME_SAFE) && COLORS < 256 ? MLS_THEME_DARK : theme;
}

void mls_terminal_set_theme(struct mls_terminal *terminal, enum mls_theme theme)
{
    if (theme == terminal->theme)
        return;
    terminal->theme = theme;
    terminal->redraw = true;
    if (theme == MLS_THEME_AUTO)
        theme = choose_theme(terminal);
    theme = terminal->color ? possible(theme) : MLS_THEME_MONO;
    for (int i = 0; i < MLS_STYLE_COUNT; i++) {
        struct mls_look look = mls_theme_look(theme, (enum mls_style)i);
        terminal->attributes[i] = attributes_of(look.attributes);
        terminal->pairs[i] = 0;
        if (look.color >= 0 && init_extended_pair(i + 1, look.color, -1) == OK)
            terminal->pairs[i] = i + 1;
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
    mls_turn_soon();
    terminal->signal_fd = mls_signals_arm(&modes, restore);
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    terminal->color = color && has_colors() && start_color() == OK;
    if (terminal->color)
        use_default_colors();
    terminal->theme = MLS_THEME_COUNT; /* none yet */
    mls_terminal_set_theme(terminal, MLS_THEME_AUTO);
    return terminal;
}

void mls_terminal_close(struct mls_terminal *terminal)
{
    if (!terminal)
        return;
    mls_terminal_set_mouse(terminal, false);
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
    int pair = terminal->pairs[cell.style];
    setcchar(&character, text, terminal->attributes[cell.style], 0, &pair);
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

void mls_terminal_set_mouse(struct mls_terminal *terminal, bool on)
{
    if (on == terminal->mouse)
        return;
    terminal->mouse = on;
    mousemask(on ? BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED |
                       BUTTON5_PRESSED
                 : 0,
              NULL);
    mouseinterval(0);
}

struct mls_mouse mls_terminal_mouse(const struct mls_terminal *terminal)
{
    return terminal->last_mouse;
}

static bool take_mouse(struct mls_terminal *terminal)
{
    MEVENT event;
    if (getmouse(&event) != OK)
        return false;
    terminal->last_mouse =
        (struct mls_mouse){.x = event.x,
                           .y = event.y,
                           .action = event.bstate & BUTTON4_PRESSED   ? MLS_MOUSE_WHEEL_UP
                                     : event.bstate & BUTTON5_PRESSED ? MLS_MOUSE_WHEEL_DOWN
                                                                      : MLS_MOUSE_CLICK};
    return (event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED |
                            BUTTON5_PRESSED)) != 0;
}

/* The terminal's own clipboard: OSC 52, base64. The screen library must not see it. */
bool mls_terminal_copy(struct mls_terminal *terminal, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { COPY_BYTES_MAX = 74994 }; /* what terminals take at most */
    size_t length = strlen(text);
    char *sequence = length <= COPY_BYTES_MAX ? malloc(length / 3 * 4 + 32) : NULL;
    (void)terminal;
    if (!sequence)
        return false;
    size_t used = (size_t)sprintf(sequence, "\033]52;c;");
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i < 3 ? length - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < left ? (unsigned char)text[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            sequence[used++] = k <= left ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    sequence[used++] = '\a';
    size_t sent = 0;
    for (ssize_t n; sent < used && (n = write(STDOUT_FILENO, sequence + sent, used - sent)) > 0;)
        sent += (size_t)n;
    free(sequence);
    return sent == used;
}

bool mls_terminal_key(struct mls_terminal *terminal, mls_keycode *ret_key)
{
    wint_t code;
    for (;;) {
        int kind = get_wch(&code);
        if (kind == ERR)
            return false;
        if (kind != KEY_CODE_YES) {
            *ret_key = code == '\r' ? MLS_KEY_ENTER : code == 0x7f ? MLS_KEY_BACKSPACE : (mls_keycode)code;
            return true;
        }
        if (code == KEY_MOUSE) {
            if (!take_mouse(terminal))
                continue;
            *ret_key = MLS_KEY_MOUSE;
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
    bool mouse = terminal->mouse;
    mls_terminal_set_mouse(terminal, false);
    curs_set(1);
    def_prog_mode();
    endwin();
    mls_signals_stop_process();
    reset_prog_mode();
    curs_set(0);
    mls_terminal_set_mouse(terminal, mouse);
    mls_terminal_resized(terminal);
}
