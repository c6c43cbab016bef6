/* names.h: texts, each once, numbered in order of first occurrence. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names {
    char **texts; /* owned */
    size_t n;
    size_t capacity;
    uint32_t *slots; /* 1 + number; open addressing */
    size_t n_slots;
};

/* names_number: the number of `text`, which is copied when it is new. False when out of memory. */
bool names_number(struct names *names, const char *text, uint32_t *ret_number);
void names_done(struct names *names);
