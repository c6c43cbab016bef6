/* symbols.h: names of the functions of this process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct symbols;

/* symbols_create: an empty cache; the caller frees. NULL when out of memory. */
struct symbols *symbols_create(void);
void symbols_free(struct symbols *symbols);

/*
 * symbols_name: the function that holds `address`, without the suffixes of the compiler's copies;
 * "library+0x12a0" where the file has no name for it. Lives as long as the cache. NULL when out of memory.
 */
const char *symbols_name(struct symbols *symbols, uintptr_t address);

/* symbols_add: an address that stands for a name which somebody else found: symbols_name gives the name back.
 * False when out of memory. */
bool symbols_add(struct symbols *symbols, const char *name, uintptr_t *ret_address);
