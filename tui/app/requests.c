#include "app/requests.h"

#include <stdio.h>
#include <string.h>

static const struct mls_request_info requests[MLS_REQUEST_COUNT] = {
#define X(id, name, keys, where, hint, help) [MLS_REQUEST_##id] = {name, keys, where, hint, help},
    MLS_REQUEST_LIST(X)
#undef X
};

const struct mls_request_info *mls_request_info(enum mls_request request)
{
    return &requests[request];
}

enum mls_request mls_request_find(const char *name)
{
    for (unsigned i = 0; i < MLS_REQUEST_COUNT; i++)
        if (strcmp(requests[i].name, name) == 0)
            return (enum mls_request)i;
    return MLS_REQUEST_NONE;
}

static enum mls_request find_exactly(const struct mls_keymap *keymap, mls_keycode key)
{
    for (size_t i = 0; i < keymap->n_bindings; i++)
        if (keymap->bindings[i].key == key)
            return keymap->bindings[i].request;
    return MLS_REQUEST_NONE;
}

/* Binds keys to a request; false when a name is no key, a key is taken, or there is no room. */
static bool bind_keys(struct mls_keymap *keymap, enum mls_request request, const char *names)
{
    const char *at = names;
    while (*at) {
        size_t length = strcspn(at, " ");
        mls_keycode key;
        if (!mls_key_parse_name(at, length, &key) || keymap->n_bindings == MLS_KEYMAP_MAX ||
            find_exactly(keymap, key) != MLS_REQUEST_NONE)
            return false;
        keymap->bindings[keymap->n_bindings++] = (struct mls_binding){.key = key, .request = request};
        at += length;
        at += strspn(at, " ");
    }
    return true;
}

bool mls_keymap_default(struct mls_keymap *ret_keymap)
{
    struct mls_keymap keymap = {.n_bindings = 0};
    for (unsigned i = 0; i < MLS_REQUEST_COUNT; i++)
        if (!bind_keys(&keymap, (enum mls_request)i, requests[i].keys))
            return false;
    *ret_keymap = keymap;
    return true;
}

/* Takes away what a key meant; with a request, all keys of it. */
static void unbind(struct mls_keymap *keymap, mls_keycode key, enum mls_request request)
{
    size_t n = 0;
    for (size_t i = 0; i < keymap->n_bindings; i++)
        if (keymap->bindings[i].key != key && keymap->bindings[i].request != request)
            keymap->bindings[n++] = keymap->bindings[i];
    keymap->n_bindings = n;
}

bool mls_keymap_bind(struct mls_keymap *keymap, enum mls_request request, const char *keys)
{
    struct mls_keymap changed = *keymap;
    unbind(&changed, 0, request);
    for (const char *at = keys; *at;) {
        mls_keycode key;
        size_t length = strcspn(at, " ");
        if (length && !mls_key_parse_name(at, length, &key))
            return false;
        if (length)
            unbind(&changed, key, MLS_REQUEST_NONE);
        at += length;
        at += strspn(at, " ");
    }
    if (!bind_keys(&changed, request, keys))
        return false;
    *keymap = changed;
    return true;
}

enum mls_request mls_keymap_find(const struct mls_keymap *keymap, mls_keycode key)
{
    enum mls_request request = find_exactly(keymap, key);
    if (request == MLS_REQUEST_NONE && key >= 'A' && key <= 'Z')
        request = find_exactly(keymap, key + ('a' - 'A'));
    return request;
}

char *mls_keymap_keys(const struct mls_keymap *keymap, enum mls_request request, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < keymap->n_bindings; i++) {
        if (keymap->bindings[i].request != request)
            continue;
        char name[MLS_KEY_NAME_BYTES];
        int n = snprintf(text + length, size - length, "%s%s", length ? " " : "",
                         mls_key_format(keymap->bindings[i].key, name));
        if (n < 0 || (size_t)n >= size - length)
            break;
        length += (size_t)n;
    }
    return text;
}
