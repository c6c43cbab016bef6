/* keys.h: keys as numbers: characters by their code point, control keys as 1…31, the others above the code
 * points. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t mls_keycode;

/* Keys that are no character: id, name in scripts and in the help. */
#define MLS_KEY_LIST(X)       \
    X(UP, "Up")               \
    X(DOWN, "Down")           \
    X(LEFT, "Left")           \
    X(RIGHT, "Right")         \
    X(PAGE_UP, "PgUp")        \
    X(PAGE_DOWN, "PgDn")      \
    X(HOME, "Home")           \
    X(END, "End")             \
    X(DELETE, "Delete")       \
    X(BACKSPACE, "Backspace") \
    X(SHIFT_TAB, "Shift-Tab") \
    X(MOUSE, "Mouse")         \
    X(F1, "F1")               \
    X(F2, "F2")               \
    X(F3, "F3")               \
    X(F4, "F4")               \
    X(F5, "F5")               \
    X(F6, "F6")               \
    X(F7, "F7")               \
    X(F8, "F8")               \
    X(F9, "F9")               \
    X(F10, "F10")             \
    X(F11, "F11")             \
    X(F12, "F12")

enum mls_special_key {
    MLS_KEY_FIRST = 0x110000,
#define X(id, name) MLS_KEY_##id,
    MLS_KEY_LIST(X)
#undef X
        MLS_KEY_LAST
};

/* What the mouse did, where. */
enum mls_mouse_action { MLS_MOUSE_CLICK, MLS_MOUSE_WHEEL_UP, MLS_MOUSE_WHEEL_DOWN };

struct mls_mouse {
    int x;
    int y;
    enum mls_mouse_action action;
};

enum { MLS_KEY_TAB = 9, MLS_KEY_ENTER = 10, MLS_KEY_ESC = 27, MLS_KEY_SPACE = 32 };

/* Control and a letter. */
#define MLS_KEY_CONTROL(letter) ((mls_keycode)((letter)&0x1f))

/* mls_key_parse_name: the key with this name ("q", "Ctrl-c", "PgUp", "Space"), not NUL-terminated; false when
 * there is none. */
bool mls_key_parse_name(const char *name, size_t length_bytes, mls_keycode *ret_key);

enum { MLS_KEY_NAME_BYTES = 16 };

/* mls_key_format: the key's name into name[MLS_KEY_NAME_BYTES]; returns name. */
char *mls_key_format(mls_keycode key, char *name);
