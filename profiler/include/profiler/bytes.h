/*
 * bytes.h: numbers and texts as bytes, little-endian, for recordings. Writing sticks to its first failure;
 * reading goes through a cursor, which does so too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/cursor.h"

/* Bytes being written; free `data`. `failed`: out of memory, what was put since is not there. */
struct mls_bytes_out {
    uint8_t *data;
    size_t size_bytes;
    size_t capacity;
    bool failed;
};

void mls_put_bytes(struct mls_bytes_out *out, const void *bytes, size_t size_bytes);
void mls_put_u8(struct mls_bytes_out *out, unsigned value);
void mls_put_u32(struct mls_bytes_out *out, uint32_t value);
void mls_put_u64(struct mls_bytes_out *out, uint64_t value);
void mls_put_f64(struct mls_bytes_out *out, double value);

/* mls_put_text: length and bytes; NULL is kept apart from "". */
void mls_put_text(struct mls_bytes_out *out, const char *text);

uint8_t mls_take_u8(struct mls_cursor *cursor);
double mls_take_f64(struct mls_cursor *cursor);

/* mls_take_text: a copy in the arena; NULL for NULL, and when the cursor is bad. */
const char *mls_take_text(struct mls_cursor *cursor, struct mls_arena *arena);

/* mls_take_count: how many elements of at least `least_bytes` each follow; 0 with a bad cursor when so many
 * cannot. */
uint32_t mls_take_count(struct mls_cursor *cursor, size_t least_bytes);

/* mls_take_array: zeroed room for n elements; with a bad cursor, or no memory, NULL and a bad cursor. */
void *mls_take_array(struct mls_cursor *cursor, struct mls_arena *arena, size_t n, size_t size_bytes);
