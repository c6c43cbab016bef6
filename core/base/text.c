#include "base/text.h"

#include <stddef.h>

/* Bytes of the UTF-8 character at `at`: 1 … 4, 0 when it is invalid, -1 when the text ends inside it. */
static int character_bytes(const unsigned char *at)
{
    int n = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < n; i++) {
        if (!at[i])
            return -1;
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return n;
}

void mls_text_clean(char *text)
{
    unsigned char *at = (unsigned char *)text;
    while (*at) {
        int n = character_bytes(at);
        if (n < 0) {
            *at = 0;
            return;
        }
        /* C0 controls, DEL, and the C1 controls U+0080 … U+009F, which some terminals obey */
        if (n == 0 || *at < 0x20 || *at == 0x7f || (n == 2 && at[0] == 0xc2 && at[1] < 0xa0)) {
            at[0] = '?';
            n = 1;
        }
        at += n;
    }
}
