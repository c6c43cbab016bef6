#include "term/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "term/text.h"

struct named_key {
    mls_keycode key;
    const char *name;
};

static const struct named_key named_keys[] = {
#define X(id, name) {MLS_KEY_##id, name},
    MLS_KEY_LIST(X)
#undef X
        {MLS_KEY_TAB, "Tab"},
    {MLS_KEY_ENTER, "Enter"},
    {MLS_KEY_ESC, "Esc"},
    {MLS_KEY_SPACE, "Space"},
};

enum { N_NAMED_KEYS = sizeof named_keys / sizeof named_keys[0] };

bool mls_key_parse_name(const char *name, size_t length_bytes, mls_keycode *ret_key)
{
    for (size_t i = 0; i < N_NAMED_KEYS; i++)
        if (strlen(named_keys[i].name) == length_bytes &&
            strncasecmp(named_keys[i].name, name, length_bytes) == 0) {
            *ret_key = named_keys[i].key;
            return true;
        }
    if (length_bytes == 6 && strncasecmp(name, "Ctrl-", 5) == 0 && isalpha((unsigned char)name[5])) {
        *ret_key = MLS_KEY_CONTROL((unsigned char)name[5]);
        return true;
    }
    char text[8] = "";
    if (length_bytes == 0 || length_bytes > 4)
        return false;
    memcpy(text, name, length_bytes);
    const char *at = text;
    uint32_t character = mls_text_next(&at);
    if (at != text + length_bytes || character <= ' ')
        return false;
    *ret_key = character;
    return true;
}

char *mls_key_format(mls_keycode key, char *name)
{
    for (size_t i = 0; i < N_NAMED_KEYS; i++)
        if (named_keys[i].key == key) {
            snprintf(name, MLS_KEY_NAME_BYTES, "%s", named_keys[i].name);
            return name;
        }
    if (key < 32) {
        snprintf(name, MLS_KEY_NAME_BYTES, "Ctrl-%c", (char)(key | 0x60));
        return name;
    }
    char bytes[4];
    unsigned n = mls_char_encode(key, bytes);
    snprintf(name, MLS_KEY_NAME_BYTES, "%.*s", (int)n, bytes);
    return name;
}
