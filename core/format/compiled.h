/* compiled.h: a compiled model: MIL text, and the description in the coremldata.bin beside it. */
#pragma once

#include "core/model.h"
#include "format/spec.h"

/* Layout of a compiled ML Program's coremldata.bin, as far as it is known: a head, the description's length
 * and bytes (the protobuf message ModelDescription), and 16 bytes that begin with the number of the model's
 * type again. */
enum {
    COMPILED_HEAD_BYTES = 75,
    COMPILED_VERSION_OFFSET = 43,
    COMPILED_TAIL_BYTES = 16,
    COMPILED_ML_PROGRAM = 502
};
extern const unsigned char compiled_head[COMPILED_HEAD_BYTES];

/* compiled_is_text: whether a specification is MIL text rather than protobuf. */
bool compiled_is_text(struct mls_bytes spec);

/* compiled_description: the description beside the MIL text of a package; no bytes where there is none. */
struct mls_bytes compiled_description(const struct mls_package *package);

/*
 * compiled_read: fills interfaces, metadata and program of a model, from its arena, and its specification
 * version. Without a description in the package, interfaces are those of the functions, the default function
 * first. limit_bytes bounds the memory that the description unpacks to.
 */
enum mls_status compiled_read(struct mls_bytes text, size_t limit_bytes, struct mls_model *model,
                              struct spec_blobs *ret_blobs, struct mls_error *reterr);
