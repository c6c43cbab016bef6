/* arena.h: memory with one lifetime. Everything taken from an arena is freed with it, at once. Not
 * thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mls_arena;

/* mls_arena_create: an empty arena that refuses to grow beyond limit_bytes (0: no limit); NULL when out of
 * memory. */
struct mls_arena *mls_arena_create(size_t limit_bytes);
/*
 * mls_arena_create_secret: the same for what was made from sealed content: left out of core dumps, locked in memory as far
 * as the limit allows, wiped when freed.
 */
struct mls_arena *mls_arena_create_secret(size_t limit_bytes);
/* mls_arena_create_beside: an empty arena without limit, as secret as `other`. */
struct mls_arena *mls_arena_create_beside(const struct mls_arena *other);
void mls_arena_free(struct mls_arena *arena);

/* mls_arena_alloc: zeroed bytes aligned to `align` (a power of two up to 4096), or NULL. size 0 gives a valid
 * pointer. */
void *mls_arena_alloc(struct mls_arena *arena, size_t size_bytes, size_t align);

/*
 * mls_arena_alloc_large: zeroed memory, aligned to 64 bytes, in large pages where the system has them: for what is
 * filled and read as a whole, such as weights, whose reading would otherwise wait for page tables. NULL as above.
 */
void *mls_arena_alloc_large(struct mls_arena *arena, size_t size_bytes);

/* mls_arena_is_secret: whether its memory is wiped when it is freed. */
bool mls_arena_is_secret(const struct mls_arena *arena);

/* mls_arena_array: n zeroed elements of size each, checked for overflow, or NULL. */
void *mls_arena_array(struct mls_arena *arena, size_t n, size_t size_bytes, size_t align);

/* mls_arena_text: a NUL-terminated copy of `length` bytes, or NULL. */
char *mls_arena_text(struct mls_arena *arena, const char *text, size_t length_bytes);

/* mls_arena_printf: formatted text, or NULL. */
char *mls_arena_printf(struct mls_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* MLS_NEW, MLS_NEW_ARRAY: typed forms. */
#define MLS_NEW(arena, type) ((type *)mls_arena_alloc((arena), sizeof(type), _Alignof(type)))
#define MLS_NEW_ARRAY(arena, n, type) ((type *)mls_arena_array((arena), (n), sizeof(type), _Alignof(type)))
