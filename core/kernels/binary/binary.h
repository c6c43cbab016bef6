/* binary.h: functions of two numbers, elementwise over rows; broadcasting over more than a row is the
 * caller's. */
#pragma once

#include <stddef.h>

/*
 * One row a function with a result of the operands' type: id, name. Floats: as NumPy does, NaN through maxima
 * and minima. int32: sums and products wrap; real_div truncates the quotient, saturated; division by 0 gives
 * 0 for floor_div and mod; floor_div and mod follow the sign of the divisor; negative powers truncate 1 /
 * x^|y|, saturated.
 */
#define MLS_BINARY_ARITHMETIC_LIST(X) \
    X(ADD, add)                       \
    X(FLOOR_DIV, floor_div)           \
    X(MAXIMUM, maximum)               \
    X(MINIMUM, minimum)               \
    X(MOD, mod)                       \
    X(MUL, mul)                       \
    X(POW, pow)                       \
    X(REAL_DIV, real_div)             \
    X(SUB, sub)

/* One row a comparison: id, name, C operator. The result is BOOL. */
#define MLS_BINARY_COMPARISON_LIST(X)   \
    X(EQUAL, equal, ==)                 \
    X(GREATER, greater, >)              \
    X(GREATER_EQUAL, greater_equal, >=) \
    X(LESS, less, <)                    \
    X(LESS_EQUAL, less_equal, <=)       \
    X(NOT_EQUAL, not_equal, !=)

/* One row a function of two BOOLs: id, name, C operator. */
#define MLS_BINARY_LOGICAL_LIST(X) \
    X(LOGICAL_AND, logical_and, &) \
    X(LOGICAL_OR, logical_or, |)   \
    X(LOGICAL_XOR, logical_xor, ^)

enum mls_binary {
#define X(id, ...) MLS_BINARY_##id,
    MLS_BINARY_ARITHMETIC_LIST(X) MLS_BINARY_COMPARISON_LIST(X) MLS_BINARY_LOGICAL_LIST(X)
#undef X
        MLS_BINARY_COUNT
};

/* Which operand is one number for the whole row. */
enum mls_binary_form { MLS_BINARY_ROWS, MLS_BINARY_X_SCALAR, MLS_BINARY_Y_SCALAR };

/* n results to z, which is an operand of the same element size or overlaps none. */
typedef void mls_binary_run(const void *x, const void *y, void *z, size_t n, enum mls_binary_form form);

struct mls_binary_kernel {
    mls_binary_run *run; /* NULL: the function does not take this type */
    const char *name;    /* "add_fp16__avx2"; static */
};

struct mls_binary_kernels {
    struct mls_binary_kernel fp16[MLS_BINARY_COUNT];
    struct mls_binary_kernel fp32[MLS_BINARY_COUNT];
};

/* Integers and truth values are not worth an instruction set of their own. */
extern const struct mls_binary_kernel mls_binary_int32[MLS_BINARY_COUNT];
extern const struct mls_binary_kernel mls_binary_bool[MLS_BINARY_COUNT];
