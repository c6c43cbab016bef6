#include "core/tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

struct mls_type mls_type_tensor(enum mls_dtype dtype, unsigned rank, const int64_t *dims)
{
    struct mls_type type = {.kind = MLS_KIND_TENSOR, .dtype = dtype, .rank = (uint8_t)rank};
    for (unsigned i = 0; i < rank && i < MLS_RANK_MAX; i++)
        type.dims[i] = dims[i];
    return type;
}

bool mls_type_is_static(const struct mls_type *type)
{
    if (type->rank > MLS_RANK_MAX)
        return false;
    for (unsigned i = 0; i < type->rank; i++)
        if (type->dims[i] < 0)
            return false;
    return type->kind != MLS_KIND_LIST || type->list_length >= 0;
}

bool mls_type_equal(const struct mls_type *a, const struct mls_type *b)
{
    if (a->kind != b->kind || a->dtype != b->dtype || a->rank != b->rank)
        return false;
    unsigned rank = a->rank <= MLS_RANK_MAX ? a->rank : 0;
    return !memcmp(a->dims, b->dims, rank * sizeof a->dims[0]);
}

int64_t mls_type_elems(const struct mls_type *type)
{
    if (type->rank > MLS_RANK_MAX)
        return -1;
    int64_t elems = 1;
    bool empty = false;
    for (unsigned i = 0; i < type->rank; i++) {
        if (type->dims[i] < 0)
            return -1;
        empty |= type->dims[i] == 0;
    }
    if (empty)
        return 0;
    for (unsigned i = 0; i < type->rank; i++)
        if (!mls_mul_i64(elems, type->dims[i], &elems))
            return -1;
    return elems;
}

size_t mls_type_bytes(const struct mls_type *type)
{
    int64_t elems = mls_type_elems(type);
    return elems < 0 ? SIZE_MAX : mls_dtype_bytes(type->dtype, (size_t)elems);
}

static void format_dims(const struct mls_type *type, char separator, char *text, size_t size)
{
    size_t at = 0;
    for (unsigned i = 0; i < type->rank && at < size; i++) {
        char prefix[2] = {i ? separator : '\0', '\0'};
        int n = type->dims[i] < 0 ? snprintf(text + at, size - at, "%s?", prefix)
                                  : snprintf(text + at, size - at, "%s%" PRId64, prefix, type->dims[i]);
        at += n > 0 ? (size_t)n : 0;
    }
}

char *mls_type_format(const struct mls_type *type, char *text, size_t size)
{
    char dims[MLS_RANK_MAX * 21] = "?";
    if (type->rank <= MLS_RANK_MAX) {
        dims[0] = '\0';
        format_dims(type, ',', dims, sizeof dims);
    }
    const char *kind = type->kind == MLS_KIND_LIST         ? "list "
                       : type->kind == MLS_KIND_STATE      ? "state "
                       : type->kind == MLS_KIND_DICTIONARY ? "dictionary "
                                                           : "";
    snprintf(text, size, "%s%s[%s]", kind, mls_dtype_name(type->dtype), dims);
    return text;
}

char *mls_shape_format(const struct mls_type *type, char *text, size_t size)
{
    if (type->rank > MLS_RANK_MAX)
        snprintf(text, size, "?");
    else if (type->rank == 0)
        snprintf(text, size, "scalar");
    else
        format_dims(type, 'x', text, size);
    return text;
}
