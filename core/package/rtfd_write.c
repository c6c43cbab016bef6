/* Writes a package as a flat RTFD: the same bytes for the same files, big contents aligned so that they are
 * used in place. */
#include "rtfd.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum {
    NONE = -1,
    MODE_FILE = 0644,
    MODE_FOLDER = 0755,
    PADDED_PREFIX_BYTES = 12 /* the mark, the length, the padding's length */
};

/* A node of the tree. Children of one parent are linked in order of name. */
struct node {
    const char *name; /* not NUL-terminated */
    size_t name_bytes;
    struct mls_bytes bytes; /* files */
    bool folder;
    uint32_t padding_bytes; /* files: of the padded form; 0 for the plain one */
    size_t size_bytes;      /* of the node, its type word included */
    int64_t first_child;
    int64_t last_child;
    int64_t next;
    uint32_t n_children;
};

struct rtfd_plan {
    struct node *nodes; /* the root first */
    size_t n_nodes;
    size_t capacity;
    const char *name; /* preferred one */
    char *plain_name; /* the same with '_' for what is not ASCII */
    size_t total_bytes;
};

/* ---- The tree ----------------------------------------------------------------------------------------- */

static int64_t add_node(struct rtfd_plan *plan, int64_t parent, struct node node)
{
    if (plan->n_nodes == plan->capacity) {
        size_t wanted = plan->capacity ? plan->capacity * 2 : 16;
        struct node *grown = reallocarray(plan->nodes, wanted, sizeof *grown);
        if (!grown)
            return NONE;
        plan->nodes = grown;
        plan->capacity = wanted;
    }
    int64_t index = (int64_t)plan->n_nodes++;
    node.first_child = node.last_child = node.next = NONE;
    plan->nodes[index] = node;
    if (parent == NONE)
        return index;
    struct node *above = &plan->nodes[parent];
    if (above->last_child == NONE)
        above->first_child = index;
    else
        plan->nodes[above->last_child].next = index;
    above->last_child = index;
    above->n_children++;
    return index;
}

/* Adds an entry below the root, with its folders. Entries come in order of path, so a folder is the last
 * child if it exists. */
static bool add_entry(struct rtfd_plan *plan, const struct mls_package_entry *entry)
{
    int64_t parent = 0;
    const char *at = entry->path;
    for (const char *slash; (slash = strchr(at, '/')) != NULL; at = slash + 1) {
        size_t name_bytes = (size_t)(slash - at);
        int64_t last = plan->nodes[parent].last_child;
        bool exists = last != NONE && plan->nodes[last].folder &&
                      plan->nodes[last].name_bytes == name_bytes &&
                      !memcmp(plan->nodes[last].name, at, name_bytes);
        parent = exists ? last
                        : add_node(plan, parent,
                                   (struct node){.name = at, .name_bytes = name_bytes, .folder = true});
        if (parent == NONE)
            return false;
    }
    return add_node(plan, parent,
                    (struct node){.name = at, .name_bytes = strlen(at), .bytes = entry->bytes}) != NONE;
}

/* ---- Sizes -------------------------------------------------------------------------------------------- */

static size_t sized(size_t length_bytes)
{
    return 4 + length_bytes;
}

/* Body of a folder's attributes: count, and for each child its name, its size word and its record. */
static size_t attributes_body_bytes(const struct rtfd_plan *plan, const struct node *folder)
{
    size_t size = 4;
    for (int64_t i = folder->first_child; i != NONE; i = plan->nodes[i].next)
        size += sized(plan->nodes[i].name_bytes) + 4 + RTFD_RECORD_BYTES;
    return size;
}

static size_t name_bytes(const struct rtfd_plan *plan)
{
    return strlen(plan->name);
}

/* Entries of a folder that are no files: its attributes, and at the root the two names. */
static uint32_t n_extra(int64_t index)
{
    return index == 0 ? 3 : 1;
}

/* Where the values of a folder start, counted from its own start. */
static size_t folder_head_bytes(const struct rtfd_plan *plan, int64_t index)
{
    const struct node *folder = &plan->nodes[index];
    size_t size = 4 + 4 + 4 * (size_t)(folder->n_children + n_extra(index));
    for (int64_t i = folder->first_child; i != NONE; i = plan->nodes[i].next)
        size += sized(plan->nodes[i].name_bytes);
    size += sized(strlen(rtfd_key_attributes));
    if (index == 0)
        size += sized(strlen(rtfd_key_name)) + sized(strlen(rtfd_key_utf8_name));
    return size;
}

static void lay_file(struct node *file, size_t position)
{
    file->padding_bytes = 0;
    file->size_bytes = 4 + sized(file->bytes.size_bytes);
    if (file->bytes.size_bytes < RTFD_PAGE_BYTES)
        return;
    size_t start = position + 4 + PADDED_PREFIX_BYTES;
    file->padding_bytes = (uint32_t)(RTFD_PAGE_BYTES - start % RTFD_PAGE_BYTES);
    file->size_bytes = 4 + PADDED_PREFIX_BYTES + file->padding_bytes + file->bytes.size_bytes;
}

/* Sets the sizes of a node and of all below it, given its place in the file. Depth is that of the package,
 * thus limited. */
static size_t lay(struct rtfd_plan *plan, int64_t index, size_t position)
{
    struct node *node = &plan->nodes[index];
    if (!node->folder) {
        lay_file(node, position);
        return node->size_bytes;
    }
    size_t at = position + folder_head_bytes(plan, index);
    for (int64_t i = node->first_child; i != NONE; i = plan->nodes[i].next)
        at += lay(plan, i, at);
    at += 4 + sized(attributes_body_bytes(plan, node));
    if (index == 0)
        at += 2 * (4 + sized(name_bytes(plan)));
    node->size_bytes = at - position;
    return node->size_bytes;
}

static enum mls_status too_big(const struct mls_package *package, size_t size_bytes, struct mls_error *reterr)
{
    enum mls_status status = mls_fail(
        reterr, MLS_ERR_LIMIT, "cannot seal %s: it has %zu bytes, and a flat RTFD ends at 2 GiB (2147483648)",
        package->info.path, size_bytes);
    mls_error_hint(reterr, "compress the model, or split it in two");
    return status;
}

static char *ascii_name(const char *name)
{
    char *plain = strdup(name);
    for (char *at = plain; at && *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '_';
    return plain;
}

enum mls_status rtfd_plan_create(const struct mls_package *package, struct rtfd_plan **ret_plan,
                                 struct mls_error *reterr)
{
    size_t content_bytes = 0;
    for (size_t i = 0; i < package->n_entries; i++) {
        const char *path = package->entries[i].path;
        if (!strcmp(path, rtfd_key_name) || !strcmp(path, rtfd_key_utf8_name))
            return mls_fail(reterr, MLS_ERR_RTFD_INVALID,
                            "cannot seal %s: a flat RTFD keeps the name %s for itself", package->info.path,
                            path);
        content_bytes +=
            package->entries[i].bytes.size_bytes; /* the package's limits keep the sum from overflowing */
        if (content_bytes >= RTFD_PADDED)
            return too_big(package, content_bytes, reterr);
    }
    struct rtfd_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return package_out_of_memory(package, reterr);
    enum mls_status status;
    plan->name = package->preferred_name;
    plan->plain_name = ascii_name(plan->name);
    bool built = plan->plain_name && add_node(plan, NONE, (struct node){.name = "", .folder = true}) != NONE;
    for (size_t i = 0; built && i < package->n_entries; i++)
        built = add_entry(plan, &package->entries[i]);
    if (!built) {
        status = package_out_of_memory(package, reterr);
        goto fail;
    }
    plan->total_bytes = RTFD_HEADER_BYTES + lay(plan, 0, RTFD_HEADER_BYTES);
    if (plan->total_bytes >= RTFD_PADDED) {
        status = too_big(package, plan->total_bytes, reterr);
        goto fail;
    }
    *ret_plan = plan;
    return MLS_OK;
fail:
    rtfd_plan_free(plan);
    return status;
}

size_t rtfd_plan_bytes(const struct rtfd_plan *plan)
{
    return plan->total_bytes;
}

void rtfd_plan_free(struct rtfd_plan *plan)
{
    if (!plan)
        return;
    free(plan->nodes);
    free(plan->plain_name);
    free(plan);
}

/* ---- Writing ------------------------------------------------------------------------------------------ */

static bool put(const struct rtfd_sink *sink, const void *bytes, size_t size_bytes)
{
    return !size_bytes || sink->write(sink->user, bytes, size_bytes);
}

/* All numbers of a layout are below 2 GiB, which rtfd_plan_create made sure of. */
static bool put_u32(const struct rtfd_sink *sink, size_t value)
{
    uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                        (uint8_t)(value >> 24)};
    return put(sink, bytes, sizeof bytes);
}

static bool put_sized(const struct rtfd_sink *sink, const void *bytes, size_t size_bytes)
{
    return put_u32(sink, size_bytes) && put(sink, bytes, size_bytes);
}

static bool put_text(const struct rtfd_sink *sink, const char *text)
{
    return put_sized(sink, text, strlen(text));
}

static bool write_file(const struct rtfd_sink *sink, const struct node *file)
{
    static const uint8_t zeros[RTFD_PAGE_BYTES];
    if (!put_u32(sink, RTFD_NODE_DATA))
        return false;
    if (!file->padding_bytes)
        return put_sized(sink, file->bytes.data, file->bytes.size_bytes);
    return put_u32(sink, RTFD_PADDED) && put_u32(sink, file->bytes.size_bytes) &&
           put_u32(sink, file->padding_bytes) && put(sink, zeros, file->padding_bytes) &&
           put(sink, file->bytes.data, file->bytes.size_bytes);
}

static bool write_names(const struct rtfd_plan *plan, const struct rtfd_sink *sink, const struct node *folder)
{
    for (int64_t i = folder->first_child; i != NONE; i = plan->nodes[i].next)
        if (!put_sized(sink, plan->nodes[i].name, plan->nodes[i].name_bytes))
            return false;
    return true;
}

/* Times are left at 0, so that the same files give the same bytes. */
static bool write_attributes(const struct rtfd_plan *plan, const struct rtfd_sink *sink,
                             const struct node *folder)
{
    bool good = put_u32(sink, RTFD_NODE_DATA) && put_u32(sink, attributes_body_bytes(plan, folder)) &&
                put_u32(sink, folder->n_children) && write_names(plan, sink, folder);
    for (uint32_t i = 0; good && i < folder->n_children; i++)
        good = put_u32(sink, RTFD_RECORD_BYTES);
    for (int64_t i = folder->first_child; good && i != NONE; i = plan->nodes[i].next) {
        bool is_folder = plan->nodes[i].folder;
        good = put_u32(sink, 0) && put_u32(sink, is_folder ? MODE_FOLDER : MODE_FILE) &&
               put_u32(sink, is_folder ? RTFD_FLAG_FOLDER : 0) && put_u32(sink, 0);
    }
    return good;
}

static bool write_head(const struct rtfd_plan *plan, const struct rtfd_sink *sink, int64_t index)
{
    const struct node *folder = &plan->nodes[index];
    bool good = put_u32(sink, RTFD_NODE_DICTIONARY) && put_u32(sink, folder->n_children + n_extra(index)) &&
                write_names(plan, sink, folder) && put_text(sink, rtfd_key_attributes);
    if (good && index == 0)
        good = put_text(sink, rtfd_key_name) && put_text(sink, rtfd_key_utf8_name);
    for (int64_t i = folder->first_child; good && i != NONE; i = plan->nodes[i].next)
        good = put_u32(sink, plan->nodes[i].size_bytes);
    good = good && put_u32(sink, 4 + sized(attributes_body_bytes(plan, folder)));
    if (good && index == 0)
        good = put_u32(sink, 4 + sized(name_bytes(plan))) && put_u32(sink, 4 + sized(name_bytes(plan)));
    return good;
}

static bool write_node(const struct rtfd_plan *plan, const struct rtfd_sink *sink, int64_t index)
{
    const struct node *node = &plan->nodes[index];
    if (!node->folder)
        return write_file(sink, node);
    bool good = write_head(plan, sink, index);
    for (int64_t i = node->first_child; good && i != NONE; i = plan->nodes[i].next)
        good = write_node(plan, sink, i);
    good = good && write_attributes(plan, sink, node);
    if (good && index == 0)
        good = put_u32(sink, RTFD_NODE_DATA) && put_text(sink, plan->plain_name) &&
               put_u32(sink, RTFD_NODE_DATA) && put_text(sink, plan->name);
    return good;
}

bool rtfd_plan_write(const struct rtfd_plan *plan, const struct rtfd_sink *sink)
{
    return put(sink, rtfd_magic, sizeof rtfd_magic) && put_u32(sink, 0) && write_node(plan, sink, 0);
}
