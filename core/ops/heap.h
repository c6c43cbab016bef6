/*
 * heap.h: memory for values whose size is not known when the plan is made: outputs of data-dependent
 * operations, lists. One heap per run; used by the predicting thread only. It counts, so that reports can
 * show what was not planned.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "core/tensor.h"

struct mls_heap {
    uint64_t live_bytes;
    uint64_t peak_bytes;
    uint64_t limit_bytes; /* 0: none */
};

/* mls_heap_alloc: size_bytes (at least 1) aligned to 64, or NULL beyond the limit or out of memory. */
void *mls_heap_alloc(struct mls_heap *heap, size_t size_bytes);
/* mls_heap_free: `size_bytes` as it was asked for; NULL is fine. */
void mls_heap_free(struct mls_heap *heap, void *memory, size_t size_bytes);

/* Lists: elements own their data (mls_heap_alloc of mls_type_bytes of their type). */
struct mls_list *mls_list_create(struct mls_heap *heap, int64_t length);
/* mls_list_resize: grows to `length` elements without data; false when out of memory. */
bool mls_list_resize(struct mls_heap *heap, struct mls_list *list, int64_t length);
/* mls_list_clone: a deep copy, or NULL. */
struct mls_list *mls_list_clone(struct mls_heap *heap, const struct mls_list *list);
/* mls_list_set: copies `value` into element `index` (0 <= index < length); false when out of memory. */
bool mls_list_set(struct mls_heap *heap, struct mls_list *list, int64_t index,
                  const struct mls_tensor *value);
void mls_list_free(struct mls_heap *heap, struct mls_list *list);
