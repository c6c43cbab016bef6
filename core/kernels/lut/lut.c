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

/* Eight elements in the lowest 8 * bits bits, each to a byte of its own: halves, quarters, eighths. */
static inline uint64_t spread(uint64_t word, unsigned bits)
{
    const uint64_t halves = (UINT64_C(1) << (4 * bits)) - 1;
    const uint64_t quarters = ((UINT64_C(1) << (2 * bits)) - 1) * UINT64_C(0x0000000100000001);
    const uint64_t eighths = ((UINT64_C(1) << bits) - 1) * UINT64_C(0x0001000100010001);
    word = (word & halves) | ((word >> (4 * bits)) & halves) << 32;
    word = (word & quarters) | ((word >> (2 * bits)) & quarters) << 16;
    return (word & eighths) | ((word >> bits) & eighths) << 8;
}

/* One function a width, so that the compiler knows every shift. */
#define EACH_WIDTH(bits)                                                                   \
    static void unpack_groups_##bits(const uint8_t *packed, size_t n_groups, uint8_t *ret) \
    {                                                                                      \
        for (size_t i = 0; i < n_groups; i++) {                                            \
            uint64_t word = 0;                                                             \
            memcpy(&word, packed + i * (bits), (bits));                                    \
            word = spread(word, (bits));                                                   \
            memcpy(ret + i * GROUP, &word, GROUP);                                         \
        }                                                                                  \
    }

EACH_WIDTH(1)
EACH_WIDTH(2)
EACH_WIDTH(3)
EACH_WIDTH(4)
EACH_WIDTH(5)
EACH_WIDTH(6)
EACH_WIDTH(7)

/* Up to eight elements that lie in one group. */
static void unpack_part(const uint8_t *packed, unsigned bits, size_t first, size_t n, uint8_t *ret)
{
    size_t skip = first % GROUP;
    uint64_t word = load_bytes(packed + first / GROUP * bits, ((skip + n) * bits + 7) / 8) >> (skip * bits);
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint8_t)(word >> (i * bits) & ((1u << bits) - 1u));
}

void mls_unpack_bits(const uint8_t *packed, unsigned bits, size_t first, size_t n, uint8_t *ret)
{
    static void (*const unpack_groups[])(const uint8_t *, size_t, uint8_t *) = {NULL,
                                                                                unpack_groups_1,
                                                                                unpack_groups_2,
                                                                                unpack_groups_3,
                                                                                unpack_groups_4,
                                                                                unpack_groups_5,
                                                                                unpack_groups_6,
                                                                                unpack_groups_7};
    if (bits == 8) {
        if (n)
            memcpy(ret, packed + first, n);
        return;
    }
    size_t head = (GROUP - first % GROUP) % GROUP;
    if (head > n)
        head = n;
    if (head)
        unpack_part(packed, bits, first, head, ret);
    size_t n_groups = (n - head) / GROUP, tail = (n - head) % GROUP;
    if (n_groups)
        unpack_groups[bits](packed + (first + head) / GROUP * bits, n_groups, ret + head);
    if (tail)
        unpack_part(packed, bits, first + n - tail, tail, ret + n - tail);
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
    uint64_t word = 0;
    if (n_bytes >= 8)
        memcpy(&word, mask + first / 8, 8);
    else
        word = load_bytes(mask + first / 8, n_bytes);
    word >>= skip;
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

void mls_pack_bits(const uint8_t *elements, unsigned bits, size_t n, uint8_t *ret_packed)
{
    for (size_t i = 0; i < n; i += GROUP) {
        size_t part = n - i < GROUP ? n - i : GROUP;
        uint64_t word = 0;
        memcpy(&word, elements + i, part);
        /* neighbours move together: bytes, then pairs, then fours */
        word = (word & 0x00ff00ff00ff00ffu) | (word & 0xff00ff00ff00ff00u) >> (8 - bits);
        word = (word & 0x0000ffff0000ffffu) | (word & 0xffff0000ffff0000u) >> (16 - 2 * bits);
        word = (word & 0x00000000ffffffffu) | (word & 0xffffffff00000000u) >> (32 - 4 * bits);
        memcpy(ret_packed + i / GROUP * bits, &word, (part * bits + 7) / 8);
    }
}
