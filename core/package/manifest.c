#include "manifest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

static const char file_name[] = "Manifest.json";

static enum mls_status invalid(struct mls_error *reterr, const char *key, const char *reason)
{
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_MANIFEST_INVALID, "cannot read Manifest.json: key %s: %s", key, reason);
    mls_error_hint(reterr, "save the package again with the tool that made it");
    mls_error_at(reterr, file_name, -1);
    return status;
}

static enum mls_status version_wrong(struct mls_error *reterr, const char *version, const char *reason)
{
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_MANIFEST_VERSION,
                 "cannot read Manifest.json: fileFormatVersion is \"%.64s\": %s", version, reason);
    mls_error_hint(reterr, "the accepted version is 1.0.0; save the package with a tool that writes it");
    mls_error_at(reterr, file_name, -1);
    return status;
}

/* The rules and their order are those of coremltools' ModelPackage.cpp. */
static enum mls_status check_version(const char *version, struct mls_error *reterr)
{
    unsigned long parts[3];
    const char *at = version;
    for (int i = 0; i < 3; i++) {
        if (*at == '-')
            return version_wrong(reterr, version, "it uses a negative number");
        if (!isdigit((unsigned char)*at))
            return version_wrong(reterr, version, "it is not of the form major.minor.patch");
        char *end;
        parts[i] = strtoul(at, &end, 10);
        if (*end != (i < 2 ? '.' : '\0'))
            return version_wrong(reterr, version, "it is not of the form major.minor.patch");
        at = end + 1;
    }
    if (parts[0] != 1 || parts[1] || parts[2])
        return version_wrong(reterr, version, "only 1.0.0 is known");
    return MLS_OK;
}

static enum mls_status check_item(const char *identifier, const json_t *item, struct mls_error *reterr)
{
    static const char *const keys[] = {"path", "name", "author", "description"};
    char place[320];
    snprintf(place, sizeof place, "itemInfoEntries/%.128s", identifier);
    if (!json_is_object(item))
        return invalid(reterr, place, "it is not an object");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *value = json_object_get(item, keys[i]);
        snprintf(place, sizeof place, "itemInfoEntries/%.128s/%s", identifier, keys[i]);
        if (!value)
            return invalid(reterr, place, "it is missing");
        if (!json_is_string(value))
            return invalid(reterr, place, "it is not a string");
    }
    return MLS_OK;
}

static enum mls_status read_items(struct manifest *manifest, struct mls_error *reterr)
{
    json_t *entries = json_object_get(manifest->document, "itemInfoEntries");
    if (!entries)
        return invalid(reterr, "itemInfoEntries", "it is missing");
    if (!json_is_object(entries))
        return invalid(reterr, "itemInfoEntries", "it is not an object");
    size_t n = json_object_size(entries);
    if (n > MLS_LIMIT_MANIFEST_ITEMS)
        return mls_fail(reterr, MLS_ERR_LIMIT,
                        "cannot read Manifest.json: it lists %zu items, at most %d are read", n,
                        MLS_LIMIT_MANIFEST_ITEMS);
    manifest->items = calloc(n ? n : 1, sizeof *manifest->items);
    if (!manifest->items)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read Manifest.json: out of memory");
    const char *identifier;
    json_t *item;
    json_object_foreach(entries, identifier, item)
    {
        enum mls_status status = check_item(identifier, item, reterr);
        if (status)
            return status;
        manifest->items[manifest->n_items++] =
            (struct manifest_item){identifier, json_string_value(json_object_get(item, "path"))};
    }
    return MLS_OK;
}

static enum mls_status find_root(struct manifest *manifest, struct mls_error *reterr)
{
    const json_t *root = json_object_get(manifest->document, "rootModelIdentifier");
    if (!root)
        return invalid(reterr, "rootModelIdentifier", "it is missing");
    if (!json_is_string(root))
        return invalid(reterr, "rootModelIdentifier", "it is not a string");
    for (size_t i = 0; i < manifest->n_items; i++)
        if (!strcmp(manifest->items[i].identifier, json_string_value(root))) {
            manifest->root = i;
            return MLS_OK;
        }
    return invalid(reterr, "rootModelIdentifier", "itemInfoEntries has no item with this identifier");
}

static enum mls_status check_document(struct manifest *manifest, struct mls_error *reterr)
{
    if (!json_is_object(manifest->document))
        return invalid(reterr, "(top level)", "it is not an object");
    const json_t *version = json_object_get(manifest->document, "fileFormatVersion");
    if (!version)
        return invalid(reterr, "fileFormatVersion", "it is missing");
    if (!json_is_string(version))
        return invalid(reterr, "fileFormatVersion", "it is not a string");
    enum mls_status status = check_version(json_string_value(version), reterr);
    if (!status)
        status = read_items(manifest, reterr);
    return status ? status : find_root(manifest, reterr);
}

enum mls_status manifest_parse(struct mls_bytes text, struct manifest *ret_manifest, struct mls_error *reterr)
{
    if (text.size_bytes > MLS_LIMIT_MANIFEST_BYTES)
        return mls_fail(reterr, MLS_ERR_LIMIT,
                        "cannot read Manifest.json: it has %zu bytes, at most %d are read", text.size_bytes,
                        MLS_LIMIT_MANIFEST_BYTES);
    struct manifest manifest = {0};
    json_error_t error;
    manifest.document = json_loadb((const char *)text.data, text.size_bytes,
                                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    enum mls_status status;
    if (!manifest.document) {
        status = mls_fail(reterr, MLS_ERR_MANIFEST_INVALID,
                          "cannot read Manifest.json: it is not JSON: line %d: %s", error.line, error.text);
        mls_error_at(reterr, file_name, error.position);
        return status;
    }
    status = check_document(&manifest, reterr);
    if (status) {
        manifest_done(&manifest);
        return status;
    }
    *ret_manifest = manifest;
    return MLS_OK;
}

void manifest_done(struct manifest *manifest)
{
    free(manifest->items);
    json_decref(manifest->document);
    *manifest = (struct manifest){0};
}
