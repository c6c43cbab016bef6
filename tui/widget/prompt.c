#include "widget/prompt.h"

#include <stdio.h>
#include <string.h>

#include "term/text.h"

void mls_prompt_set(struct mls_prompt *prompt, const char *text)
{
    snprintf(prompt->text, sizeof prompt->text, "%s", text);
    prompt->length_bytes = strlen(prompt->text);
    prompt->cursor = prompt->length_bytes;
}

static size_t before(const struct mls_prompt *prompt, size_t at)
{
    while (at > 0 && ((unsigned char)prompt->text[--at] & 0xc0) == 0x80)
        continue;
    return at;
}

static size_t after(const struct mls_prompt *prompt, size_t at)
{
    if (at < prompt->length_bytes)
        at++;
    while (at < prompt->length_bytes && ((unsigned char)prompt->text[at] & 0xc0) == 0x80)
        at++;
    return at;
}

static void erase(struct mls_prompt *prompt, size_t begin, size_t end)
{
    memmove(prompt->text + begin, prompt->text + end, prompt->length_bytes - end + 1);
    prompt->length_bytes -= end - begin;
    prompt->cursor = begin;
}

static size_t word_begin(const struct mls_prompt *prompt)
{
    size_t at = prompt->cursor;
    while (at > 0 && prompt->text[at - 1] == ' ')
        at--;
    while (at > 0 && prompt->text[at - 1] != ' ')
        at--;
    return at;
}

static void insert(struct mls_prompt *prompt, uint32_t character)
{
    char bytes[4];
    unsigned n = mls_char_encode(character, bytes);
    if (prompt->length_bytes + n >= sizeof prompt->text)
        return;
    memmove(prompt->text + prompt->cursor + n, prompt->text + prompt->cursor,
            prompt->length_bytes - prompt->cursor + 1);
    memcpy(prompt->text + prompt->cursor, bytes, n);
    prompt->length_bytes += n;
    prompt->cursor += n;
}

bool mls_prompt_key(struct mls_prompt *prompt, mls_keycode key)
{
    switch (key) {
    case MLS_KEY_BACKSPACE:
    case MLS_KEY_CONTROL('h'):
        erase(prompt, before(prompt, prompt->cursor), prompt->cursor);
        return true;
    case MLS_KEY_DELETE:
        erase(prompt, prompt->cursor, after(prompt, prompt->cursor));
        return true;
    case MLS_KEY_LEFT:
        prompt->cursor = before(prompt, prompt->cursor);
        return true;
    case MLS_KEY_RIGHT:
        prompt->cursor = after(prompt, prompt->cursor);
        return true;
    case MLS_KEY_HOME:
    case MLS_KEY_CONTROL('a'):
        prompt->cursor = 0;
        return true;
    case MLS_KEY_END:
    case MLS_KEY_CONTROL('e'):
        prompt->cursor = prompt->length_bytes;
        return true;
    case MLS_KEY_CONTROL('k'):
        erase(prompt, prompt->cursor, prompt->length_bytes);
        return true;
    case MLS_KEY_CONTROL('u'):
        erase(prompt, 0, prompt->cursor);
        return true;
    case MLS_KEY_CONTROL('w'):
        erase(prompt, word_begin(prompt), prompt->cursor);
        return true;
    default:
        if (key < MLS_KEY_SPACE || key == 0x7f || key >= MLS_KEY_FIRST)
            return false;
        insert(prompt, key);
        return true;
    }
}
