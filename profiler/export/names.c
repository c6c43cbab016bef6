#include "names.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

static uint32_t *slot_of(const struct names *names, const char *text)
{
    size_t i = (size_t)hash_of(text) & (names->n_slots - 1);
    while (names->slots[i] && strcmp(names->texts[names->slots[i] - 1], text) != 0)
        i = (i + 1) & (names->n_slots - 1);
    return &names->slots[i];
}

static bool grow(struct names *names)
{
    size_t capacity = names->capacity ? 2 * names->capacity : 64;
    char **texts = reallocarray(names->texts, capacity, sizeof *texts);
    if (texts)
        names->texts = texts;
    uint32_t *slots = calloc(2 * capacity, sizeof *slots);
    if (!texts || !slots) {
        free(slots);
        return false;
    }
    free(names->slots);
    names->slots = slots;
    names->n_slots = 2 * capacity;
    names->capacity = capacity;
    for (size_t i = 0; i < names->n; i++)
        *slot_of(names, names->texts[i]) = (uint32_t)i + 1;
    return true;
}

bool names_number(struct names *names, const char *text, uint32_t *ret_number)
{
    if (names->n == names->capacity && !grow(names))
        return false;
    uint32_t *slot = slot_of(names, text);
    if (!*slot) {
        char *copy = strdup(text);
        if (!copy)
            return false;
        names->texts[names->n++] = copy;
        *slot = (uint32_t)names->n;
    }
    *ret_number = *slot - 1;
    return true;
}

void names_done(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->texts[i]);
    free(names->texts);
    free(names->slots);
    *names = (struct names){0};
}
