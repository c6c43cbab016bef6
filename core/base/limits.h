/* limits.h: every limit on what a file may ask of us, in one place. */
#pragma once

enum {
    MLS_LIMIT_ENTRIES = 1 << 16, /* files in a package */
    MLS_LIMIT_PATH_BYTES = 4096, /* a path in a package */
    MLS_LIMIT_FOLDER_DEPTH = 32, /* nesting of folders in a package */
    MLS_LIMIT_MANIFEST_BYTES = 1 << 20,
    MLS_LIMIT_MANIFEST_ITEMS = 1 << 10,
    MLS_LIMIT_BLOCK_DEPTH = 64, /* nesting of blocks in a program */
    MLS_LIMIT_OPS = 1 << 20,    /* operations in a program */
    MLS_LIMIT_VALUES = 1 << 23,
    MLS_LIMIT_FUNCTIONS = 1 << 10,
    MLS_LIMIT_LOOP_STEPS = 1 << 24, /* iterations of one while_loop */
    MLS_LIMIT_LOOP_SWAPS = 16,       /* variables of one while_loop that take another's value */
    MLS_LIMIT_LIST_LENGTH = 1 << 24,
    MLS_LIMIT_PLANS = 8,   /* plans kept by a session, one per shape; then the one unused longest goes */
    MLS_LIMIT_AT_ONCE = 3, /* predictions of a session that run at once, unless its options say otherwise */
    MLS_LIMIT_IMAGE_SIDE = 1 << 15,
    MLS_LIMIT_THREADS = 256
};
#define MLS_LIMIT_SPEC_BYTES ((size_t)2 << 30) /* protobuf's own limit */
#define MLS_LIMIT_FILE_BYTES ((size_t)64 << 30)
