/* spec.h: the specification, read. What protobuf-c looks like stays behind this header. */
#pragma once

#include "core/model.h"

/* The fields of the outermost message. Slices of the specification; data is NULL where one is absent. */
struct spec_envelope {
    int32_t version;       /* 0 when absent */
    uint32_t type_number;  /* field number of the model's type; 0 when absent */
    const char *type_name; /* "mlProgram", "neuralNetwork" …; NULL for numbers not known; static */
    struct mls_bytes description;
    struct mls_bytes content; /* of the field that says the type */
};

/* spec_read_envelope: SPEC_INVALID with the byte where it breaks. Nothing is unpacked. */
enum mls_status spec_read_envelope(struct mls_bytes spec, struct spec_envelope *ret_envelope,
                                   struct mls_error *reterr);

/* A constant whose content is in a weight file that has not been looked at yet. In the model's arena. */
struct spec_blob {
    struct mls_constant *constant; /* to be filled */
    struct mls_type type;
    const char *reference; /* "@model_path/weights/weight.bin" */
    uint64_t offset;       /* of the record */
    const char *function;
    const char *operation;
    const char *op_type;
    struct spec_blob *next; /* in order of the program */
};

/* What is to be done after spec_read. */
struct spec_blobs {
    struct spec_blob *first;
    uint32_t n;
};

/*
 * spec_read: fills interfaces, default function, metadata and program of a model, from its arena. limit_bytes
 * bounds the memory that protobuf-c takes meanwhile.
 */
enum mls_status spec_read(struct mls_bytes spec, const struct spec_envelope *envelope, size_t limit_bytes,
                          struct mls_model *model, struct spec_blobs *ret_blobs, struct mls_error *reterr);

/* spec_read_description: fills interfaces, default function and metadata alone; `description` lies in `file`.
 */
enum mls_status spec_read_description(struct mls_bytes file, struct mls_bytes description, size_t limit_bytes,
                                      struct mls_model *model, struct mls_error *reterr);

/*
 * interface_check: the rules that Core ML's own validator has for an interface: names, shapes, types by
 * specification version, states. SPEC_INTERFACE with the feature and the rule.
 */
enum mls_status interface_check(const struct mls_interface *interface, int32_t spec_version,
                                struct mls_error *reterr);

/* interface_list: the names of the functions, "a, b", as far as they fit into text[size]; returns text. */
char *interface_list(const struct mls_interface *interfaces, size_t n, char *text, size_t size);
