#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"

enum { CHUNK_BYTES = 64 * 1024, ALIGN_MAX = 4096 };

/* From here on pages come from the system and go back to it: the allocator would keep what was freed, and clear it by hand. */
enum { MAPPED_BYTES = 256 * 1024 };

/* Of memory in large pages: address space is taken in these steps, memory only as it is touched. */
enum { LARGE_PAGE_BYTES = 2 << 20, LARGE_CHUNK_BYTES = 16 * LARGE_PAGE_BYTES, LARGE_ALIGN = 64 };

struct chunk {
    struct chunk *next;
    size_t size_bytes;
    size_t used_bytes;
    unsigned char *data;
    bool mapped; /* pages of its own */
};

struct mls_arena {
    struct chunk *chunks; /* the one in use first */
    struct chunk *large;  /* the same, in large pages */
    size_t limit_bytes;
    size_t used_bytes;
    bool secret;
};

struct mls_arena *mls_arena_create(size_t limit_bytes)
{
    struct mls_arena *arena = calloc(1, sizeof *arena);
    if (arena)
        arena->limit_bytes = limit_bytes ? limit_bytes : SIZE_MAX;
    return arena;
}

struct mls_arena *mls_arena_create_secret(size_t limit_bytes)
{
    struct mls_arena *arena = mls_arena_create(limit_bytes);
    if (arena)
        arena->secret = true;
    return arena;
}

struct mls_arena *mls_arena_create_beside(const struct mls_arena *other)
{
    return other->secret ? mls_arena_create_secret(0) : mls_arena_create(0);
}

/* Zeroed memory of a chunk; of pages that are not touched it costs nothing. */
static unsigned char *take_pages(const struct mls_arena *arena, size_t size_bytes, bool mapped)
{
    if (!mapped)
        return calloc(1, size_bytes);
    void *pages = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    if (arena->secret) {
        madvise(pages, size_bytes, MADV_DONTDUMP);
        mlock2(pages, size_bytes, MLOCK_ONFAULT); /* as far as the limit allows */
    }
    return pages;
}

/* The same, aligned to large pages, which the system is asked for. */
static unsigned char *take_large_pages(const struct mls_arena *arena, size_t size_bytes)
{
    size_t total;
    if (!mls_add_size(size_bytes, LARGE_PAGE_BYTES, &total))
        return NULL;
    unsigned char *start = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    size_t before = (size_t)(-(uintptr_t)start & (LARGE_PAGE_BYTES - 1));
    if (before)
        munmap(start, before);
    munmap(start + before + size_bytes, LARGE_PAGE_BYTES - before);
    madvise(start + before, size_bytes, MADV_HUGEPAGE);
    if (arena->secret) {
        madvise(start + before, size_bytes, MADV_DONTDUMP);
        mlock2(start + before, size_bytes, MLOCK_ONFAULT); /* as far as the limit allows */
    }
    return start + before;
}

static void give_pages(const struct mls_arena *arena, struct chunk *chunk)
{
    if (!chunk->mapped) {
        free(chunk->data);
        return;
    }
    if (arena->secret)
        explicit_bzero(chunk->data, chunk->used_bytes);
    munmap(chunk->data, chunk->size_bytes);
}

static void give_chunks(const struct mls_arena *arena, struct chunk *chunk)
{
    for (struct chunk *next; chunk; chunk = next) {
        next = chunk->next;
        give_pages(arena, chunk);
        free(chunk);
    }
}

void mls_arena_free(struct mls_arena *arena)
{
    if (!arena)
        return;
    give_chunks(arena, arena->chunks);
    give_chunks(arena, arena->large);
    free(arena);
}

/* A block of its own for a large request stands behind the chunk in use, which goes on being filled. */
static struct chunk *add_chunk(struct mls_arena *arena, size_t size_bytes)
{
    struct chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return NULL;
    chunk->size_bytes = size_bytes;
    chunk->mapped = arena->secret || size_bytes >= MAPPED_BYTES;
    chunk->data = take_pages(arena, size_bytes, chunk->mapped);
    if (!chunk->data) {
        free(chunk);
        return NULL;
    }
    if (arena->chunks && size_bytes > CHUNK_BYTES + ALIGN_MAX) {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
    } else {
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    return chunk;
}

static void *take(struct chunk *chunk, size_t size_bytes, size_t align)
{
    uintptr_t start = (uintptr_t)chunk->data + chunk->used_bytes;
    size_t padding = (size_t)(-start & (align - 1));
    size_t left = chunk->size_bytes - chunk->used_bytes;
    if (padding > left || size_bytes > left - padding)
        return NULL;
    chunk->used_bytes += padding + size_bytes;
    return chunk->data + (chunk->used_bytes - size_bytes);
}

void *mls_arena_alloc(struct mls_arena *arena, size_t size_bytes, size_t align)
{
    if (size_bytes > arena->limit_bytes - arena->used_bytes)
        return NULL;
    void *memory = arena->chunks ? take(arena->chunks, size_bytes, align) : NULL;
    if (!memory) {
        size_t wanted;
        if (!mls_add_size(size_bytes, align, &wanted))
            return NULL;
        struct chunk *chunk = add_chunk(arena, wanted > CHUNK_BYTES ? wanted : CHUNK_BYTES);
        memory = chunk ? take(chunk, size_bytes, align) : NULL;
    }
    if (memory)
        arena->used_bytes += size_bytes;
    return memory;
}

static struct chunk *add_large_chunk(struct mls_arena *arena, size_t size_bytes)
{
    struct chunk *chunk = calloc(1, sizeof *chunk);
    size_t wanted = size_bytes > LARGE_CHUNK_BYTES ? size_bytes : LARGE_CHUNK_BYTES;
    if (!chunk || !mls_align_up(wanted, LARGE_PAGE_BYTES, &wanted)) {
        free(chunk);
        return NULL;
    }
    *chunk = (struct chunk){.next = arena->large, .size_bytes = wanted, .mapped = true};
    chunk->data = take_large_pages(arena, wanted);
    if (!chunk->data) {
        free(chunk);
        return NULL;
    }
    arena->large = chunk;
    return chunk;
}

void *mls_arena_alloc_large(struct mls_arena *arena, size_t size_bytes)
{
    if (size_bytes > arena->limit_bytes - arena->used_bytes)
        return NULL;
    void *memory = arena->large ? take(arena->large, size_bytes, LARGE_ALIGN) : NULL;
    if (!memory) {
        struct chunk *chunk = add_large_chunk(arena, size_bytes);
        memory = chunk ? take(chunk, size_bytes, LARGE_ALIGN) : NULL;
    }
    if (memory)
        arena->used_bytes += size_bytes;
    return memory;
}

bool mls_arena_is_secret(const struct mls_arena *arena)
{
    return arena->secret;
}

void *mls_arena_array(struct mls_arena *arena, size_t n, size_t size_bytes, size_t align)
{
    size_t total;
    return mls_mul_size(n, size_bytes, &total) ? mls_arena_alloc(arena, total, align) : NULL;
}

char *mls_arena_text(struct mls_arena *arena, const char *text, size_t length_bytes)
{
    char *copy = length_bytes < SIZE_MAX ? mls_arena_alloc(arena, length_bytes + 1, 1) : NULL;
    if (copy && length_bytes)
        memcpy(copy, text, length_bytes);
    return copy;
}

char *mls_arena_printf(struct mls_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length >= 0 ? mls_arena_alloc(arena, (size_t)length + 1, 1) : NULL;
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}
