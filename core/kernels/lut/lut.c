#include "kernels/lut/lut.h"

#include <string.h>

/* Eight elements of `bits` bits are `bits` whole bytes. */
enum { GROUP = 8 };

static uint64_t load_bytes(const uint8_t *bytes, size_t n)
{
    uint64_t word = 0;
    memcpy(&word, bytes, n);
    return word;
}

void mls_unpack_bits(const uint8_t *packed, unsigned bits, size_t first, size_t n, uint8_t *ret)
{
    const uint8_t mask = (uint8_t)((1u << bits) - 1u);
    if (bits == 8) {
        memcpy(ret, packed + first, n);
        return;
    }
    size_t i = 0;
    while (i < n) {
        size_t at = first + i, skip = at % GROUP;
        size_t taken = n - i < GROUP - skip ? n - i : GROUP - skip;
        size_t n_bytes = ((skip + taken) * bits + 7) / 8;
        uint64_t word = load_bytes(packed + at / GROUP * bits, n_bytes) >> (skip * bits);
        if (taken == GROUP) {
            for (size_t k = 0; k < GROUP; k++)
                ret[i + k] = (uint8_t)(word >> (k * bits)) & mask;
        } else {
            for (size_t k = 0; k < taken; k++)
                ret[i + k] = (uint8_t)(word >> (k * bits)) & mask;
        }
        i += taken;
    }
}

void mls_pack_nibbles(const uint8_t *nibbles, size_t n, uint8_t *ret_packed)
{
    for (size_t i = 0; i < n / 2; i++)
        ret_packed[i] = (uint8_t)((nibbles[2 * i] & 15u) | (unsigned)nibbles[2 * i + 1] << 4);
    if (n % 2)
        ret_packed[n / 2] = nibbles[n - 1] & 15u;
}

/* Bits [first, first + n) of a mask, n <= 64, lowest first. Reads no byte that holds none of them. */
static uint64_t load_mask(const uint8_t *mask, size_t first, size_t n)
{
    size_t skip = first % 8, n_bytes = (skip + n + 7) / 8;
    uint64_t word = load_bytes(mask + first / 8, n_bytes < 8 ? n_bytes : 8) >> skip;
    if (n_bytes > 8)
        word |= (uint64_t)mask[first / 8 + 8] << (64 - skip);
    return n < 64 ? word & ((UINT64_C(1) << n) - 1) : word;
}

size_t mls_count_bits(const uint8_t *mask, size_t first, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i += 64)
        count += (size_t)__builtin_popcountll(load_mask(mask, first + i, n - i < 64 ? n - i : 64));
    return count;
}

#define EACH_TYPE(name, type)                                                                               \
    static void lookup_##name(const uint8_t *indices, size_t n, const type *table, type *ret)               \
    {                                                                                                       \
        for (size_t i = 0; i < n; i++)                                                                      \
            ret[i] = table[indices[i]];                                                                     \
    }                                                                                                       \
    static size_t expand_##name(const uint8_t *mask, size_t first, size_t n, const type *values, type *ret) \
    {                                                                                                       \
        size_t taken = 0;                                                                                   \
        memset(ret, 0, n * sizeof *ret);                                                                    \
        for (size_t i = 0; i < n; i += 64)                                                                  \
            for (uint64_t word = load_mask(mask, first + i, n - i < 64 ? n - i : 64); word;                 \
                 word &= word - 1)                                                                          \
                ret[i + (size_t)__builtin_ctzll(word)] = values[taken++];                                   \
        return taken;                                                                                       \
    }

EACH_TYPE(8, uint8_t)
EACH_TYPE(16, uint16_t)
EACH_TYPE(32, uint32_t)

void mls_lookup(const uint8_t *indices, size_t n, const void *table, size_t elem_bytes, void *ret)
{
    if (elem_bytes == 1)
        lookup_8(indices, n, table, ret);
    else if (elem_bytes == 2)
        lookup_16(indices, n, table, ret);
    else
        lookup_32(indices, n, table, ret);
}

size_t mls_expand_bits(const uint8_t *mask, size_t first, size_t n, const void *values, size_t elem_bytes,
                       void *ret)
{
    if (elem_bytes == 1)
        return expand_8(mask, first, n, values, ret);
    if (elem_bytes == 2)
        return expand_16(mask, first, n, values, ret);
    return expand_32(mask, first, n, values, ret);
}
