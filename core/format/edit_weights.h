/* edit_weights.h: the weight file of an edited program. Only edit*.c files include it. */
#pragma once

#include "core/package.h"
#include "format/blob.h"
#include "format/pb_write.h"

/* The name by which programs refer to the new file: the one that coremltools gives. */
extern char edit_weights_reference[];

/* A record of the new file. */
struct edit_record {
    struct blob_record record;
    uint64_t offset;
};

struct edit_weights {
    struct mls_package *package;
    struct mls_arena *arena;
    const struct pb_pending_list *pending;
    struct edit_record *records;
    size_t n_records;
    size_t capacity;
    uint32_t *slots; /* by hash of the content: index of a record + 1, 0 for none */
    size_t n_slots;  /* a power of two */
    size_t size_bytes;
};

/* edit_weights_lay_out: gives every weight of the program its place, those of the same content the same, and
 * writes the places into the program. */
enum mls_status edit_weights_lay_out(struct edit_weights *weights, const Pb__Program *program,
                                     struct mls_error *reterr);

/* edit_weights_write: the file, in memory of `keep`; no bytes when there are no weights. */
enum mls_status edit_weights_write(const struct edit_weights *weights, struct mls_arena *keep,
                                   struct mls_bytes *ret_file, struct mls_error *reterr);
