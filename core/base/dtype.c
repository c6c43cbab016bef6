#include "core/dtype.h"

#include <string.h>

#include "base/checked.h"

static const struct {
    const char *mil;
    const char *numpy;
    unsigned bits;
} dtypes[MLS_DTYPE_COUNT] = {
#define X(id, mil_name, numpy_name, n_bits) \
    [MLS_##id] = {.mil = mil_name, .numpy = numpy_name, .bits = n_bits},
    MLS_DTYPE_LIST(X)
#undef X
};

static enum mls_dtype known(enum mls_dtype dtype)
{
    return (unsigned)dtype < MLS_DTYPE_COUNT ? dtype : MLS_NONE;
}

const char *mls_dtype_name(enum mls_dtype dtype)
{
    return dtypes[known(dtype)].mil;
}

const char *mls_dtype_numpy_name(enum mls_dtype dtype)
{
    return dtypes[known(dtype)].numpy;
}

unsigned mls_dtype_bits(enum mls_dtype dtype)
{
    return dtypes[known(dtype)].bits;
}

size_t mls_dtype_bytes(enum mls_dtype dtype, size_t n_elems)
{
    unsigned bits = mls_dtype_bits(dtype);
    size_t total;
    if (bits >= 8)
        return mls_mul_size(n_elems, bits / 8, &total) ? total : SIZE_MAX;
    return mls_mul_size(n_elems, bits, &total) ? total / 8 + (total % 8 != 0) : SIZE_MAX;
}

enum mls_dtype mls_dtype_parse(const char *name)
{
    for (unsigned i = 1; i < MLS_DTYPE_COUNT; i++)
        if (!strcmp(name, dtypes[i].mil) || (dtypes[i].numpy && !strcmp(name, dtypes[i].numpy)))
            return (enum mls_dtype)i;
    return MLS_NONE;
}
