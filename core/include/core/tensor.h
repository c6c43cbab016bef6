/* tensor.h: types and tensors, as programs declare them and operations see them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"

enum {
    MLS_RANK_MAX = 8,        /* dimensions that we store; operations say what they take */
    MLS_RANK_UNKNOWN = 0xff, /* rank not known before the run */
    MLS_DIM_UNKNOWN = -1     /* dimension not known before the run */
};

enum mls_kind {
    MLS_KIND_TENSOR,
    MLS_KIND_LIST,       /* of tensors; dtype, rank and dims are those of an element */
    MLS_KIND_DICTIONARY, /* class label to number: values are a rank-1 tensor, keys stand beside it */
    MLS_KIND_STATE,      /* a tensor that lives across predictions */
    MLS_KIND_TUPLE       /* only ever produced and taken apart by the format reader */
};

struct mls_type {
    enum mls_kind kind;
    enum mls_dtype dtype;
    uint8_t rank;                 /* 0 for a scalar, or MLS_RANK_UNKNOWN */
    int64_t dims[MLS_RANK_MAX];   /* >= 0, or MLS_DIM_UNKNOWN; those past rank are 0 */
    int64_t list_length;          /* lists: length, or MLS_DIM_UNKNOWN; otherwise 0 */
    enum mls_dtype key_dtype;     /* dictionaries: MLS_TEXT or MLS_INT64; otherwise MLS_NONE */
};

struct mls_list;
struct mls_coded;

/* A value: type and content. Contiguous, row-major, little-endian. Who owns `data` is said where the tensor is made. */
struct mls_tensor {
    struct mls_type type;
    void *data;                    /* NULL: not known yet, or no elements */
    struct mls_list *list;         /* lists only */
    const struct mls_coded *coded; /* a constant that is used as it is stored, compressed: then data is NULL */
    const struct mls_tensor *keys; /* dictionaries only: rank 1, dtype TEXT or INT64, borrowed */
};

/* A list: `length` elements, each with its own data. */
struct mls_list {
    int64_t length;
    int64_t capacity;
    struct mls_tensor *elements;
};

/* mls_type_tensor: a tensor type. dims may be NULL for rank 0. */
struct mls_type mls_type_tensor(enum mls_dtype dtype, unsigned rank, const int64_t *dims);

/* mls_type_is_static: rank and all dimensions are known (for lists: of an element, and the length). */
bool mls_type_is_static(const struct mls_type *type);

/* mls_type_equal: same kind, dtype, rank and dims. */
bool mls_type_equal(const struct mls_type *a, const struct mls_type *b);

/* mls_type_elems: product of the dims, 1 for a scalar; -1 when not static or when it overflows int64_t. */
int64_t mls_type_elems(const struct mls_type *type);

/* mls_type_bytes: bytes of the elements; SIZE_MAX when not static or when it overflows. */
size_t mls_type_bytes(const struct mls_type *type);

/* mls_type_format: "fp16[1,3,224,224]", "?" for unknown dims, into text[size]; returns text. */
char *mls_type_format(const struct mls_type *type, char *text, size_t size);

/* mls_shape_format: "1x3x224x224" ("scalar" for rank 0, "?" for unknown), into text[size]; returns text. */
char *mls_shape_format(const struct mls_type *type, char *text, size_t size);
