#include "store.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STORE_TEXT_BYTES_MAX = 4096 };

/* One allocation; `bytes` is aligned as the header is. */
struct store_block {
    struct store_block *next;
    max_align_t bytes[];
};

struct mls_store {
    struct store_block *blocks;
};

struct mls_store *mls_store_create(void)
{
    return calloc(1, sizeof(struct mls_store));
}

void mls_store_free(struct mls_store *store)
{
    if (store == NULL)
        return;
    for (struct store_block *block = store->blocks; block != NULL;) {
        struct store_block *next = block->next;
        free(block);
        block = next;
    }
    free(store);
}

void *mls_store_array(struct mls_store *store, size_t n, size_t size_bytes)
{
    size_t payload;
    if (__builtin_mul_overflow(n, size_bytes, &payload) || payload > SIZE_MAX - sizeof(struct store_block))
        return NULL;
    struct store_block *block = calloc(1, sizeof(struct store_block) + payload);
    if (block == NULL)
        return NULL;
    block->next = store->blocks;
    store->blocks = block;
    return block->bytes;
}

/* Length of the UTF-8 sequence at `text`, or 0 when it is none; overlong forms and surrogates are none. */
static size_t sequence_length(const unsigned char *text, size_t available)
{
    static const struct {
        unsigned char low, high, second_low, second_high;
        size_t length;
    } forms[] = {
        {0x20, 0x7e, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].low || text[0] > forms[i].high || forms[i].length > available)
            continue;
        if (forms[i].length > 1 && (text[1] < forms[i].second_low || text[1] > forms[i].second_high))
            continue;
        for (size_t k = 2; k < forms[i].length; k++) {
            if ((text[k] & 0xc0) != 0x80)
                return 0;
        }
        /* C1 controls, U+0080 to U+009F, move terminals as escapes do */
        if (text[0] == 0xc2 && text[1] < 0xa0)
            return 0;
        return forms[i].length;
    }
    return 0;
}

char *mls_store_text(struct mls_store *store, const char *text, size_t length_bytes)
{
    char *copy = mls_store_array(store, length_bytes + 1, 1);
    if (copy == NULL)
        return NULL;
    for (size_t at = 0; at < length_bytes;) {
        size_t length = sequence_length((const unsigned char *)text + at, length_bytes - at);
        if (length == 0) {
            copy[at++] = '?';
            continue;
        }
        memcpy(copy + at, text + at, length);
        at += length;
    }
    return copy;
}

char *mls_store_vprintf(struct mls_store *store, const char *format, va_list arguments)
{
    char text[STORE_TEXT_BYTES_MAX];
    int length = vsnprintf(text, sizeof(text), format, arguments);
    if (length < 0)
        return NULL;
    return mls_store_text(store, text, strlen(text));
}

char *mls_store_printf(struct mls_store *store, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = mls_store_vprintf(store, format, arguments);
    va_end(arguments);
    return text;
}
