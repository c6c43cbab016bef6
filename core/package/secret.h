/*
 * secret.h: memory for what must not leave the process: keys and decrypted packages. Private and anonymous,
 * locked as far as the limit allows, left out of core dumps and of child processes, wiped before it is given
 * back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret {
    uint8_t *data;
    size_t size_bytes;
    size_t locked_bytes;    /* from the start; size_bytes when all of it is locked */
    char lock_message[200]; /* why not all of it is, or "" */
    size_t mapped_bytes;
    bool holds_dumps;
};

/* secret_create: zeroed memory, aligned to the page; NULL when out of memory. The caller calls secret_free.
 */
struct secret *secret_create(size_t size_bytes);

/* secret_hold_dumps: makes the process not dumpable until this secret is freed. Thread-safe. */
void secret_hold_dumps(struct secret *secret);

/* secret_seal_writes: makes the memory read-only until it is freed. */
void secret_seal_writes(struct secret *secret);

/* secret_free: wipes and unmaps; NULL is fine. */
void secret_free(struct secret *secret);

/* secret_wipe: overwrites memory so that the compiler cannot leave it out. */
void secret_wipe(void *memory, size_t size_bytes);
