#include "ops/heap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"

enum { HEAP_ALIGN = 64 };

/* What an allocation of size_bytes counts and takes; false on overflow. */
static bool padded(size_t size_bytes, size_t *ret_bytes)
{
    return mls_align_up(size_bytes ? size_bytes : 1, HEAP_ALIGN, ret_bytes);
}

void *mls_heap_alloc(struct mls_heap *heap, size_t size_bytes)
{
    size_t bytes;
    if (!padded(size_bytes, &bytes))
        return NULL;
    if (heap->limit_bytes && (bytes > heap->limit_bytes || heap->live_bytes > heap->limit_bytes - bytes))
        return NULL;
    void *memory = aligned_alloc(HEAP_ALIGN, bytes);
    if (!memory)
        return NULL;
    heap->live_bytes += bytes;
    if (heap->live_bytes > heap->peak_bytes)
        heap->peak_bytes = heap->live_bytes;
    return memory;
}

void mls_heap_free(struct mls_heap *heap, void *memory, size_t size_bytes)
{
    size_t bytes;
    if (!memory || !padded(size_bytes, &bytes))
        return;
    heap->live_bytes -= bytes;
    free(memory);
}

struct mls_list *mls_list_create(struct mls_heap *heap, int64_t length)
{
    struct mls_list *list = mls_heap_alloc(heap, sizeof *list);
    if (!list)
        return NULL;
    *list = (struct mls_list){0};
    if (!mls_list_resize(heap, list, length)) {
        mls_list_free(heap, list);
        return NULL;
    }
    return list;
}

bool mls_list_resize(struct mls_heap *heap, struct mls_list *list, int64_t length)
{
    if (length > MLS_LIMIT_LIST_LENGTH)
        return false;
    if (length > list->capacity) {
        int64_t capacity = list->capacity ? list->capacity * 2 : 8;
        if (capacity < length)
            capacity = length;
        struct mls_tensor *elements = mls_heap_alloc(heap, (size_t)capacity * sizeof *elements);
        if (!elements)
            return false;
        if (list->length)
            memcpy(elements, list->elements, (size_t)list->length * sizeof *elements);
        mls_heap_free(heap, list->elements, (size_t)list->capacity * sizeof *elements);
        list->elements = elements;
        list->capacity = capacity;
    }
    for (int64_t i = list->length; i < length; i++)
        list->elements[i] = (struct mls_tensor){0};
    if (length > list->length)
        list->length = length;
    return true;
}

/* Sizes of element data follow from their types: mls_list_set only stores static ones. */
static void free_element(struct mls_heap *heap, struct mls_tensor *element)
{
    if (element->data)
        mls_heap_free(heap, element->data, mls_type_bytes(&element->type));
    *element = (struct mls_tensor){0};
}

bool mls_list_set(struct mls_heap *heap, struct mls_list *list, int64_t index, const struct mls_tensor *value)
{
    struct mls_tensor *element = &list->elements[index];
    size_t bytes = mls_type_bytes(&value->type);
    if (bytes == SIZE_MAX)
        return false;
    if (element->data && mls_type_bytes(&element->type) == bytes) {
        element->type = value->type;
    } else {
        void *data = mls_heap_alloc(heap, bytes);
        if (!data)
            return false;
        free_element(heap, element);
        *element = (struct mls_tensor){.type = value->type, .data = data};
    }
    if (bytes)
        memcpy(element->data, value->data, bytes);
    return true;
}

struct mls_list *mls_list_clone(struct mls_heap *heap, const struct mls_list *list)
{
    struct mls_list *clone = mls_list_create(heap, list->length);
    if (!clone)
        return NULL;
    for (int64_t i = 0; i < list->length; i++) {
        const struct mls_tensor *element = &list->elements[i];
        if (element->data && !mls_list_set(heap, clone, i, element)) {
            mls_list_free(heap, clone);
            return NULL;
        }
    }
    return clone;
}

void mls_list_free(struct mls_heap *heap, struct mls_list *list)
{
    if (!list)
        return;
    for (int64_t i = 0; i < list->length; i++)
        free_element(heap, &list->elements[i]);
    mls_heap_free(heap, list->elements, (size_t)list->capacity * sizeof list->elements[0]);
    mls_heap_free(heap, list, sizeof *list);
}
