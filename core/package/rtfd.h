/*
 * rtfd.h: the flat RTFD, which is what NSFileWrapper.serializedRepresentation gives: a folder as one run of
 * bytes. All numbers are little-endian u32. A file is "rtfd", 0, and one node; a node is a type and a
 * payload; a dictionary is count, keys, sizes of the values, values.
 */
#pragma once

#include "form.h"

enum {
    RTFD_HEADER_BYTES = 8,
    RTFD_NODE_DATA = 1,
    RTFD_NODE_DICTIONARY = 3,
    RTFD_RECORD_BYTES = 16, /* attributes of one child: mtime, mode, flags, wrapped */
    RTFD_FLAG_FOLDER = 1,
    RTFD_FLAG_LINK = 4,
    RTFD_PAGE_BYTES = 16384 /* big contents start at a multiple of it, as Apple silicon does */
};
/* In the place of a length: length, padding and zero bytes follow, so that the content can be aligned. */
#define RTFD_PADDED 0x80000000u

extern const char rtfd_magic[4];
extern const char rtfd_key_attributes[]; /* "." */
extern const char rtfd_key_content[];    /* ".." */
extern const char rtfd_key_name[];       /* "__@PreferredName@__" */
extern const char rtfd_key_utf8_name[];  /* "__@UTF8PreferredName@__" */

/* rtfd_parse: adds the files in `bytes` to the package; they are views of it. Entries are left unsorted. */
enum mls_status rtfd_parse(struct mls_package *package, struct mls_bytes bytes, struct mls_error *reterr);

/* Where the writer's bytes go; returning false stops it. */
struct rtfd_sink {
    void *user;
    bool (*write)(void *user, const void *bytes, size_t size_bytes);
};

/* A package laid out to be written. */
struct rtfd_plan;

/* rtfd_plan_create: lays the package out; LIMIT when it would reach 2 GiB. Borrows the package. */
enum mls_status rtfd_plan_create(const struct mls_package *package, struct rtfd_plan **ret_plan,
                                 struct mls_error *reterr);
size_t rtfd_plan_bytes(const struct rtfd_plan *plan);
/* rtfd_plan_write: writes exactly rtfd_plan_bytes; false when the sink stopped it. */
bool rtfd_plan_write(const struct rtfd_plan *plan, const struct rtfd_sink *sink);
void rtfd_plan_free(struct rtfd_plan *plan);
