#include "term/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* Length of the sequence that a lead byte announces, and the least value that it may encode; 0: no lead byte.
 */
static unsigned sequence_length(unsigned char lead, uint32_t *ret_bits, uint32_t *ret_least)
{
    if (lead >= 0xc2 && lead <= 0xdf) {
        *ret_bits = lead & 0x1fu;
        *ret_least = 0x80;
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        *ret_bits = lead & 0x0fu;
        *ret_least = 0x800;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *ret_bits = lead & 0x07u;
        *ret_least = 0x10000;
        return 4;
    }
    return 0;
}

static bool is_harmful(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
           (character >= 0xd800 && character < 0xe000) || character > 0x10ffff ||
           (character >= 0x200e && character <= 0x200f) || (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

uint32_t mls_text_next(const char **at)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    if (bytes[0] == 0)
        return 0;
    if (bytes[0] < 0x80) {
        *at += 1;
        return is_harmful(bytes[0]) ? MLS_CHAR_REPLACEMENT : bytes[0];
    }
    uint32_t character = 0;
    uint32_t least = 0;
    unsigned length = sequence_length(bytes[0], &character, &least);
    for (unsigned i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0u) != 0x80u) { /* also the NUL */
            length = 0;
            break;
        }
        character = character << 6 | (bytes[i] & 0x3fu);
    }
    if (length == 0 || character < least || is_harmful(character)) {
        *at += length ? length : 1;
        return MLS_CHAR_REPLACEMENT;
    }
    *at += length;
    return character;
}

unsigned mls_char_columns(uint32_t character)
{
    if (character < 0x80)
        return 1;
    int columns = wcwidth((wchar_t)character);
    return columns < 0 ? 1 : (unsigned)columns;
}

unsigned mls_text_columns(const char *text)
{
    unsigned columns = 0;
    for (uint32_t character; (character = mls_text_next(&text)) != 0;)
        columns += mls_char_columns(character);
    return columns;
}

unsigned mls_char_encode(uint32_t character, char ret_bytes[4])
{
    if (character < 0x80) {
        ret_bytes[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        ret_bytes[0] = (char)(0xc0 | character >> 6);
        ret_bytes[1] = (char)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        ret_bytes[0] = (char)(0xe0 | character >> 12);
        ret_bytes[1] = (char)(0x80 | (character >> 6 & 0x3f));
        ret_bytes[2] = (char)(0x80 | (character & 0x3f));
        return 3;
    }
    ret_bytes[0] = (char)(0xf0 | (character >> 18 & 0x07));
    ret_bytes[1] = (char)(0x80 | (character >> 12 & 0x3f));
    ret_bytes[2] = (char)(0x80 | (character >> 6 & 0x3f));
    ret_bytes[3] = (char)(0x80 | (character & 0x3f));
    return 4;
}

/* Our own glyphs and what stands for them; every glyph that the screen draws has a row. */
static const struct {
    uint32_t glyph;
    char ascii;
} ascii_glyphs[] = {
    {0x00b5, 'u'}, {0x00b7, '-'}, {0x00d7, 'x'}, {0x2014, '-'}, {0x2026, '~'}, {0x2190, '<'}, {0x2191, '^'},
    {0x2192, '>'}, {0x2193, 'v'}, {0x2265, '>'}, {0x2500, '-'}, {0x2502, '|'}, {0x2514, '`'}, {0x251c, '|'},
    {0x252c, '+'}, {0x2534, '+'}, {0x2581, '_'}, {0x2582, '.'}, {0x2583, ':'}, {0x2584, '-'}, {0x2585, '='},
    {0x2586, '+'}, {0x2587, '*'}, {0x2588, '#'}, {0x2589, '#'}, {0x258a, '#'}, {0x258b, '='}, {0x258c, '='},
    {0x258d, '-'}, {0x258e, '-'}, {0x258f, '.'}, {0x2591, '.'}, {0x2592, ':'}, {0x2593, '%'}, {0x25b2, '^'},
    {0x25b6, '>'}, {0x25b8, '>'}, {0x25bc, 'v'}, {0x25cb, 'o'}, {0x25cf, '*'}, {0x2248, '~'}, {0x2264, '<'},
    {0x2713, '+'}, {0x2717, 'x'}, {0x276f, '>'}, {0x2016, '='}, {0x2571, '/'},
};

uint32_t mls_char_ascii(uint32_t character)
{
    if (character < 0x80)
        return character;
    for (size_t i = 0; i < sizeof ascii_glyphs / sizeof ascii_glyphs[0]; i++)
        if (ascii_glyphs[i].glyph == character)
            return (uint32_t)ascii_glyphs[i].ascii;
    return MLS_CHAR_REPLACEMENT;
}
