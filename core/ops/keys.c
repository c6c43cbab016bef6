#include "ops/keys.h"

#include <stdlib.h>
#include <string.h>

int key_compare(const struct mls_tensor *a, int64_t i, const struct mls_tensor *b, int64_t k)
{
    if (a->type.dtype == MLS_INT64) {
        int64_t left = ((const int64_t *)a->data)[i], right = ((const int64_t *)b->data)[k];
        return left < right ? -1 : left > right;
    }
    const struct mls_text *left = (const struct mls_text *)a->data + i,
                          *right = (const struct mls_text *)b->data + k;
    size_t shorter = left->length_bytes < right->length_bytes ? left->length_bytes : right->length_bytes;
    int order = shorter ? memcmp(left->bytes, right->bytes, shorter) : 0;
    if (order)
        return order;
    return left->length_bytes < right->length_bytes ? -1 : left->length_bytes > right->length_bytes;
}

static int compare_places(const void *a, const void *b, void *keys)
{
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    int order = key_compare(keys, left, keys, right);
    return order ? order : (left > right) - (left < right); /* of equal keys the first is found */
}

enum mls_status key_index_pack(const struct mls_op_call *call, unsigned param, struct mls_op_env *env,
                               struct mls_arena *arena, const void **ret_packed, size_t *ret_packed_bytes)
{
    struct mls_tensor *keys = MLS_NEW(arena, struct mls_tensor);
    struct key_index *index = MLS_NEW(arena, struct key_index);
    int64_t n = mls_type_elems(&mls_op_in(call, param)->type);
    int32_t *places = MLS_NEW_ARRAY(arena, (size_t)n, int32_t);
    if (!keys || !index || !places)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "out of memory");
    *keys = *mls_op_in(call, param);
    for (int32_t i = 0; i < n; i++)
        places[i] = i;
    if (n)
        qsort_r(places, (size_t)n, sizeof *places, compare_places, keys);
    *index = (struct key_index){.keys = keys, .places = places, .n = n};
    *ret_packed = index;
    *ret_packed_bytes = (size_t)n * sizeof *places;
    return MLS_OK;
}

int64_t key_find(const struct key_index *index, const struct mls_tensor *key, int64_t i)
{
    int64_t low = 0, high = index->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (key_compare(index->keys, index->places[middle], key, i) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == index->n || key_compare(index->keys, index->places[low], key, i))
        return -1;
    return index->places[low];
}
