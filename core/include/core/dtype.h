/* dtype.h: element types of tensors, by their names in MIL and in NumPy. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * One row an element type: id, MIL name, NumPy name (NULL where NumPy has none), bits.
 * Sub-byte types are packed, first element in the lowest bits, as in weight blobs.
 * BOOL is one byte, 0 or 1. TEXT elements are struct mls_text.
 */
#define MLS_DTYPE_LIST(X)                    \
    X(NONE, "none", NULL, 0)                 \
    X(FP16, "fp16", "float16", 16)           \
    X(FP32, "fp32", "float32", 32)           \
    X(FP64, "fp64", "float64", 64)           \
    X(BF16, "bf16", NULL, 16)                \
    X(INT4, "int4", NULL, 4)                 \
    X(INT8, "int8", "int8", 8)               \
    X(INT16, "int16", "int16", 16)           \
    X(INT32, "int32", "int32", 32)           \
    X(INT64, "int64", "int64", 64)           \
    X(UINT1, "uint1", NULL, 1)               \
    X(UINT2, "uint2", NULL, 2)               \
    X(UINT3, "uint3", NULL, 3)               \
    X(UINT4, "uint4", NULL, 4)               \
    X(UINT6, "uint6", NULL, 6)               \
    X(UINT8, "uint8", "uint8", 8)            \
    X(UINT16, "uint16", "uint16", 16)        \
    X(UINT32, "uint32", "uint32", 32)        \
    X(UINT64, "uint64", "uint64", 64)        \
    X(BOOL, "bool", "bool", 8)               \
    X(TEXT, "string", NULL, 128)

enum mls_dtype {
#define X(id, mil, numpy, bits) MLS_##id,
    MLS_DTYPE_LIST(X)
#undef X
        MLS_DTYPE_COUNT
};

/* A string element: UTF-8, not NUL-terminated; the bytes are borrowed from the tensor's owner. */
struct mls_text {
    const char *bytes;
    size_t length_bytes;
};

/* A set of element types: bit i stands for enum value i. */
typedef uint32_t mls_dtype_set;
#define MLS_DTYPE_BIT(id) ((mls_dtype_set)1u << (unsigned)(id))

/* mls_dtype_name: the MIL name ("fp16"); static. Any value is safe: unknown ones give "none". */
const char *mls_dtype_name(enum mls_dtype dtype);

/* mls_dtype_numpy_name: NumPy's name ("float16"), or NULL where NumPy has no such type; static. */
const char *mls_dtype_numpy_name(enum mls_dtype dtype);

/* mls_dtype_bits: bits of one element; 0 for NONE and unknown values. */
unsigned mls_dtype_bits(enum mls_dtype dtype);

/* mls_dtype_bytes: bytes that n_elems packed elements take, rounded up; SIZE_MAX when that overflows. */
size_t mls_dtype_bytes(enum mls_dtype dtype, size_t n_elems);

/* mls_dtype_parse: the type with this MIL or NumPy name, or MLS_NONE. */
enum mls_dtype mls_dtype_parse(const char *name);
