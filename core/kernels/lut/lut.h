/*
 * lut.h: packed and sparse constants, and what they stand for. Bound by memory, so there is one C version of
 * each.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * mls_unpack_bits: elements [first, first + n) of an array of unsigned integers of 1 to 8 bits, packed
 * without gaps, first element in the lowest bits. Reads no byte that holds none of them.
 */
void mls_unpack_bits(const uint8_t *packed, unsigned bits, size_t first, size_t n, uint8_t *ret);

/* mls_pack_bits: n elements below 2^bits, one a byte, packed in that way; unused bits of the last byte are 0. */
void mls_pack_bits(const uint8_t *elements, unsigned bits, size_t n, uint8_t *ret_packed);

/* mls_pack_nibbles: n bytes of 0 … 15 as 4-bit elements; an odd last one leaves the high bits 0. */
void mls_pack_nibbles(const uint8_t *nibbles, size_t n, uint8_t *ret_packed);

/* mls_lookup: ret[i] = table[indices[i]] for elements of 1, 2 or 4 bytes. */
void mls_lookup(const uint8_t *indices, size_t n, const void *table, size_t elem_bytes, void *ret);

/* mls_count_bits: the set bits among bits [first, first + n) of a mask packed as above. */
size_t mls_count_bits(const uint8_t *mask, size_t first, size_t n);

/*
 * mls_expand_bits: element i of ret is the next of `values` where bit first + i of the mask is set, and 0
 * elsewhere; elements of 1, 2 or 4 bytes. Returns the number of values taken.
 */
size_t mls_expand_bits(const uint8_t *mask, size_t first, size_t n, const void *values, size_t elem_bytes,
                       void *ret);
