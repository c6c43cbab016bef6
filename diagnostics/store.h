/* store.h: memory of one report or placement: everything taken from it is freed with it. Not thread-safe. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct mls_store;

/* mls_store_create: an empty store, or NULL. */
struct mls_store *mls_store_create(void);
/* mls_store_free: NULL is fine. */
void mls_store_free(struct mls_store *store);

/* mls_store_array: n zeroed elements of size_bytes each, aligned for any type; NULL on overflow or out of
 * memory. */
void *mls_store_array(struct mls_store *store, size_t n, size_t size_bytes);

/* mls_store_text: a NUL-terminated copy with control characters and broken UTF-8 replaced by '?', or NULL. */
char *mls_store_text(struct mls_store *store, const char *text, size_t length_bytes);

/* mls_store_printf, _vprintf: formatted text, cleaned in the same way, or NULL. */
char *mls_store_printf(struct mls_store *store, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *mls_store_vprintf(struct mls_store *store, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#define MLS_STORE_NEW(store, type) ((type *)mls_store_array((store), 1, sizeof(type)))
#define MLS_STORE_ARRAY(store, n, type) ((type *)mls_store_array((store), (n), sizeof(type)))
