#include "rtfd.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/limits.h"

const char rtfd_magic[4] = {'r', 't', 'f', 'd'};
const char rtfd_key_attributes[] = ".";
const char rtfd_key_content[] = "..";
const char rtfd_key_name[] = "__@PreferredName@__";
const char rtfd_key_utf8_name[] = "__@UTF8PreferredName@__";

/* A name or a value in the file. Offsets count from the start of the file. */
struct slice {
    size_t at;
    size_t size_bytes;
};

struct child {
    struct slice name;
    struct slice node;
};

/* A dictionary taken apart. Owned: `children`. */
struct dictionary {
    struct child *children;
    size_t n_children;
};

struct reader {
    struct mls_package *package;
    struct mls_bytes bytes;
    struct mls_error *reterr;
};

/* A folder on the way down; the depth is limited, so the reader may recurse. */
struct folder {
    const char *path; /* "" for the root */
    unsigned depth;
};

static enum mls_status wrong(const struct reader *reader, size_t offset, const char *reason)
{
    enum mls_status status =
        mls_fail(reader->reterr, MLS_ERR_RTFD_INVALID, "cannot read %s as a flat RTFD: at byte %zu: %s",
                 reader->package->info.path, offset, reason);
    mls_error_hint(reader->reterr, "copy the file again, or serialize the FileWrapper again");
    mls_error_at(reader->reterr, NULL, (int64_t)offset);
    return status;
}

static struct mls_cursor cursor_in(const struct reader *reader, struct slice slice)
{
    return (struct mls_cursor){
        .base = reader->bytes.data, .size_bytes = slice.at + slice.size_bytes, .at = slice.at};
}

/* Sized bytes: length and content, or the padded form. A bad cursor says that they did not fit. */
static struct slice take_sized(struct mls_cursor *cursor)
{
    uint32_t length = mls_cursor_u32(cursor);
    if (length == RTFD_PADDED) {
        length = mls_cursor_u32(cursor);
        mls_cursor_take(cursor, mls_cursor_u32(cursor));
    }
    struct slice slice = {.at = cursor->at, .size_bytes = length};
    mls_cursor_take(cursor, length);
    return slice;
}

static bool name_is(const struct reader *reader, struct slice name, const char *text)
{
    return name.size_bytes == strlen(text) && !memcmp(reader->bytes.data + name.at, text, name.size_bytes);
}

static int compare_names(const void *a, const void *b, void *user)
{
    const struct reader *reader = user;
    const struct slice *left = &((const struct child *)a)->name, *right = &((const struct child *)b)->name;
    size_t shorter = left->size_bytes < right->size_bytes ? left->size_bytes : right->size_bytes;
    int order = memcmp(reader->bytes.data + left->at, reader->bytes.data + right->at, shorter);
    if (order)
        return order;
    return left->size_bytes < right->size_bytes ? -1 : left->size_bytes > right->size_bytes;
}

/* Takes a dictionary's body apart: count, keys, sizes, values, and nothing after them. Children are in order
 * of name. */
static enum mls_status take_dictionary(const struct reader *reader, struct slice body,
                                       struct dictionary *ret_dictionary)
{
    struct mls_cursor cursor = cursor_in(reader, body);
    size_t n = mls_cursor_u32(&cursor);
    /* a key and a size take 8 bytes at least */
    if (cursor.bad || n > mls_cursor_left(&cursor) / 8 || n > MLS_LIMIT_ENTRIES)
        return wrong(reader, body.at, "the number of entries cannot be right");
    struct child *children = calloc(n ? n : 1, sizeof *children);
    if (!children)
        return package_out_of_memory(reader->package, reader->reterr);
    enum mls_status status;
    for (size_t i = 0; i < n; i++)
        children[i].name = take_sized(&cursor);
    size_t sizes_at = cursor.at;
    for (size_t i = 0; i < n; i++)
        children[i].node.size_bytes = mls_cursor_u32(&cursor);
    for (size_t i = 0; i < n; i++) {
        children[i].node.at = cursor.at;
        mls_cursor_take(&cursor, children[i].node.size_bytes);
    }
    if (cursor.bad) {
        status = wrong(reader, sizes_at, "the entries are longer than what holds them");
        goto fail;
    }
    if (mls_cursor_left(&cursor)) {
        status = wrong(reader, cursor.at, "bytes are left over after the last entry");
        goto fail;
    }
    if (n)
        qsort_r(children, n, sizeof *children, compare_names, (void *)(uintptr_t)reader);
    for (size_t i = 1; i < n; i++)
        if (!compare_names(&children[i - 1], &children[i], (void *)(uintptr_t)reader)) {
            status = wrong(reader, children[i].name.at, "two entries have the same name");
            goto fail;
        }
    *ret_dictionary = (struct dictionary){children, n};
    return MLS_OK;
fail:
    free(children);
    return status;
}

/* The payload of a data node; it must fill the node. */
static enum mls_status take_data(const struct reader *reader, struct slice node, struct slice *ret_data)
{
    struct mls_cursor cursor = cursor_in(reader, node);
    uint32_t type = mls_cursor_u32(&cursor);
    struct slice data = take_sized(&cursor);
    if (!cursor.bad && type != RTFD_NODE_DATA)
        return wrong(reader, node.at, "a file's content is not of type 1");
    if (cursor.bad || mls_cursor_left(&cursor))
        return wrong(reader, node.at, "an entry's size is not what its content uses");
    *ret_data = data;
    return MLS_OK;
}

static enum mls_status check_name(const struct reader *reader, struct slice name)
{
    const uint8_t *text = reader->bytes.data + name.at;
    if (!name.size_bytes)
        return wrong(reader, name.at, "a name is empty");
    if (name_is(reader, name, ".."))
        return wrong(reader, name.at, "an entry below the root is called \"..\"");
    if (memchr(text, '/', name.size_bytes) || memchr(text, '\0', name.size_bytes))
        return wrong(reader, name.at, "a name holds '/' or a zero byte");
    return MLS_OK;
}

/* The attributes of a folder's children: only whether one is a symbolic link matters here. */
static enum mls_status check_attributes(const struct reader *reader, struct slice node)
{
    struct slice body;
    struct dictionary records;
    enum mls_status status = take_data(reader, node, &body);
    if (!status)
        status = take_dictionary(reader, body, &records);
    if (status)
        return status;
    for (size_t i = 0; i < records.n_children && !status; i++) {
        const struct child *record = &records.children[i];
        if (record->node.size_bytes != RTFD_RECORD_BYTES) {
            status = wrong(reader, record->node.at, "an attribute record does not have 16 bytes");
            break;
        }
        struct mls_cursor cursor = cursor_in(reader, record->node);
        mls_cursor_take(&cursor, 8);
        if (mls_cursor_u32(&cursor) & RTFD_FLAG_LINK)
            status =
                wrong(reader, record->node.at, "an entry is a symbolic link, which a package must not hold");
    }
    free(records.children);
    return status;
}

static const char *join(const struct reader *reader, const struct folder *folder, struct slice name)
{
    size_t folder_bytes = strlen(folder->path);
    if (folder_bytes + 1 + name.size_bytes > MLS_LIMIT_PATH_BYTES)
        return NULL;
    return mls_arena_printf(reader->package->entry_arena, "%s%s%.*s", folder->path, folder_bytes ? "/" : "",
                            (int)name.size_bytes, (const char *)reader->bytes.data + name.at);
}

static enum mls_status read_folder(const struct reader *reader, struct slice body,
                                   const struct folder *folder);

static enum mls_status read_child(const struct reader *reader, const struct child *child,
                                  const struct folder *folder)
{
    enum mls_status status = check_name(reader, child->name);
    if (status)
        return status;
    const char *path = join(reader, folder, child->name);
    if (!path)
        return wrong(reader, child->name.at, "a path is too long");
    struct mls_cursor cursor = cursor_in(reader, child->node);
    uint32_t type = mls_cursor_u32(&cursor);
    if (cursor.bad)
        return wrong(reader, child->node.at, "an entry is too short for a node");
    if (type == RTFD_NODE_DICTIONARY) {
        struct folder below = {.path = path, .depth = folder->depth + 1};
        return read_folder(reader, (struct slice){cursor.at, mls_cursor_left(&cursor)}, &below);
    }
    struct slice data;
    status = take_data(reader, child->node, &data);
    if (status)
        return status;
    return package_add_entry(reader->package, path,
                             (struct mls_bytes){reader->bytes.data + data.at, data.size_bytes},
                             reader->reterr);
}

/* The name that the wrapper would be saved under. It is only shown, so a bad one is no reason to refuse. */
static enum mls_status read_preferred_name(const struct reader *reader, struct slice node)
{
    struct slice name;
    enum mls_status status = take_data(reader, node, &name);
    if (status || check_name(reader, name))
        return status;
    const char *text = mls_arena_text(reader->package->entry_arena,
                                      (const char *)reader->bytes.data + name.at, name.size_bytes);
    if (!text)
        return package_out_of_memory(reader->package, reader->reterr);
    reader->package->preferred_name = text;
    return MLS_OK;
}

/* A wrapper of a single file: its bytes stand under "..". */
static enum mls_status read_single_file(const struct reader *reader, struct slice node)
{
    struct slice data;
    enum mls_status status = take_data(reader, node, &data);
    if (status)
        return status;
    return package_add_entry(reader->package, "model.mlmodel",
                             (struct mls_bytes){reader->bytes.data + data.at, data.size_bytes},
                             reader->reterr);
}

static enum mls_status read_entry(const struct reader *reader, const struct child *child,
                                  const struct folder *folder, bool *ret_is_file)
{
    bool root = folder->depth == 0;
    *ret_is_file = false;
    if (name_is(reader, child->name, rtfd_key_attributes))
        return check_attributes(reader, child->node);
    if (root && name_is(reader, child->name, rtfd_key_utf8_name))
        return read_preferred_name(reader, child->node);
    if (root && name_is(reader, child->name, rtfd_key_name)) {
        struct slice unused;
        return take_data(reader, child->node, &unused);
    }
    *ret_is_file = true;
    if (root && name_is(reader, child->name, rtfd_key_content))
        return read_single_file(reader, child->node);
    return read_child(reader, child, folder);
}

static enum mls_status read_folder(const struct reader *reader, struct slice body,
                                   const struct folder *folder)
{
    if (folder->depth >= MLS_LIMIT_FOLDER_DEPTH)
        return wrong(reader, body.at, "folders are nested too deep");
    struct dictionary dictionary;
    enum mls_status status = take_dictionary(reader, body, &dictionary);
    if (status)
        return status;
    size_t n_files = 0;
    bool single = false;
    for (size_t i = 0; i < dictionary.n_children && !status; i++) {
        bool is_file;
        status = read_entry(reader, &dictionary.children[i], folder, &is_file);
        n_files += is_file;
        single = single || name_is(reader, dictionary.children[i].name, rtfd_key_content);
    }
    if (!status && single && n_files > 1)
        status = wrong(reader, body.at, "the wrapper of a single file has other entries");
    free(dictionary.children);
    if (!status && !n_files && folder->depth)
        status = package_add_empty_folder(reader->package, folder->path, reader->reterr);
    return status;
}

enum mls_status rtfd_parse(struct mls_package *package, struct mls_bytes bytes, struct mls_error *reterr)
{
    struct reader reader = {.package = package, .bytes = bytes, .reterr = reterr};
    struct mls_cursor cursor = mls_cursor_over(bytes.data, bytes.size_bytes);
    const uint8_t *magic = mls_cursor_take(&cursor, sizeof rtfd_magic);
    uint32_t reserved = mls_cursor_u32(&cursor);
    uint32_t type = mls_cursor_u32(&cursor);
    if (cursor.bad || memcmp(magic, rtfd_magic, sizeof rtfd_magic))
        return wrong(&reader, 0, "it is shorter than a header, or does not begin with \"rtfd\"");
    if (reserved)
        return wrong(&reader, 4, "the word after \"rtfd\" is not 0: an unknown version");
    if (type != RTFD_NODE_DICTIONARY)
        return wrong(&reader, RTFD_HEADER_BYTES, "the root is not a dictionary");
    struct folder root = {.path = ""};
    return read_folder(&reader, (struct slice){cursor.at, mls_cursor_left(&cursor)}, &root);
}

static bool rtfd_probe(const struct package_source *source)
{
    return source->bytes.size_bytes >= sizeof rtfd_magic &&
           !memcmp(source->bytes.data, rtfd_magic, sizeof rtfd_magic);
}

static enum mls_status rtfd_open(struct mls_package *package, const struct package_source *source,
                                 struct mls_error *reterr)
{
    size_t size_bytes = source->bytes.size_bytes;
    package->info.form = MLS_FORM_FLAT_RTFD;
    if (!mls_progress_at(source->progress, MLS_STAGE_UNPACK, 0, size_bytes))
        return package_cancelled(source->path, reterr);
    enum mls_status status = rtfd_parse(package, source->bytes, reterr);
    if (status)
        return status;
    bool single = package->n_entries == 1 && !strcmp(package->entries[0].path, "model.mlmodel") &&
                  package_mlmodel_walk(package->entries[0].bytes);
    status = single ? package_set_spec(package, 0, reterr) : package_set_spec_from_folder(package, reterr);
    if (!status && !source->content)
        status = package_copy_unaligned_weights(package, reterr);
    if (!status && !mls_progress_at(source->progress, MLS_STAGE_UNPACK, size_bytes, size_bytes))
        status = package_cancelled(source->path, reterr);
    return status;
}

const struct package_form package_form_rtfd = {.probe = rtfd_probe, .open = rtfd_open};
