#include "derive.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "form.h"

static const char manifest_path[] = "Manifest.json";
static const char standard_spec_path[] = "Data/com.apple.CoreML/model.mlmodel";
static const char standard_weights_path[] = "Data/com.apple.CoreML/weights/weight.bin";

/* ---- A manifest --------------------------------------------------------------------------------------- */

static void make_identifier(char *ret_text)
{
    uint8_t bytes[16] = {0};
    if (getentropy(bytes, sizeof bytes) < 0)
        memset(bytes, 0x5a, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4 of RFC 4122 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    static const char digits[] = "0123456789ABCDEF";
    for (unsigned i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *ret_text++ = '-';
        *ret_text++ = digits[bytes[i] >> 4];
        *ret_text++ = digits[bytes[i] & 15];
    }
    *ret_text = '\0';
}

static json_t *item(const char *name, const char *path, const char *description)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "author", "com.apple.CoreML", "description", description, "name",
                     name, "path", path);
}

/* The manifest of the standard layout; no data when out of memory. */
static struct mls_bytes make_manifest(struct mls_arena *arena)
{
    char model[40], weights[40];
    make_identifier(model);
    do
        make_identifier(weights);
    while (!strcmp(model, weights) && ++weights[0]);
    json_t *entries = json_object();
    json_object_set_new(
        entries, model,
        item("model.mlmodel", "com.apple.CoreML/model.mlmodel", "CoreML Model Specification"));
    json_object_set_new(entries, weights,
                        item("weights", "com.apple.CoreML/weights", "CoreML Model Weights"));
    json_t *root = json_pack("{s:s, s:o, s:s}", "fileFormatVersion", "1.0.0", "itemInfoEntries", entries,
                             "rootModelIdentifier", model);
    char *text = root ? json_dumps(root, JSON_INDENT(4)) : NULL;
    json_decref(root);
    struct mls_bytes bytes = {NULL, 0};
    if (text) {
        bytes.size_bytes = strlen(text);
        bytes.data = (const uint8_t *)mls_arena_text(arena, text, bytes.size_bytes);
    }
    free(text);
    return bytes;
}

/* ---- Entries ------------------------------------------------------------------------------------------ */

static const char *weights_path_of(const struct mls_package *source, struct mls_arena *arena)
{
    const char *spec = source->entries[source->spec_index].path;
    return mls_arena_printf(arena, "%.*sweights/weight.bin", (int)source->blob_base_bytes, spec);
}

static bool is_dropped(const char *path, const char *const *dropped, size_t n_dropped)
{
    for (size_t i = 0; i < n_dropped; i++)
        if (!strcmp(path, dropped[i]))
            return true;
    return false;
}

/* Everything of the source but what is replaced. */
static enum mls_status copy_entries(struct mls_package *package, const char *weights_path,
                                    const char *const *dropped, size_t n_dropped, struct mls_error *reterr)
{
    const struct mls_package *source = package->source;
    enum mls_status status = MLS_OK;
    for (size_t i = 0; !status && i < source->n_entries; i++) {
        const struct mls_package_entry *entry = &source->entries[i];
        if (i != source->spec_index && strcmp(entry->path, weights_path) &&
            !is_dropped(entry->path, dropped, n_dropped))
            status = package_add_entry(package, entry->path, entry->bytes, reterr);
    }
    for (size_t i = 0; !status && i < source->n_empty_folders; i++)
        status = package_add_empty_folder(package, source->empty_folders[i], reterr);
    return status;
}

static enum mls_status fill(struct mls_package *package, struct mls_bytes spec, struct mls_bytes weights,
                            const char *const *dropped, size_t n_dropped, struct mls_error *reterr)
{
    const struct mls_package *source = package->source;
    const char *spec_path = source->entries[source->spec_index].path;
    const char *weights_path = weights_path_of(source, package->entry_arena);
    if (!weights_path)
        return package_out_of_memory(package, reterr);
    bool known = package_find_entry(source, manifest_path) != SIZE_MAX &&
                 (!weights.data || package_find_entry(source, weights_path) != SIZE_MAX);
    enum mls_status status = MLS_OK;
    if (known) {
        status = copy_entries(package, weights_path, dropped, n_dropped, reterr);
    } else {
        struct mls_bytes manifest = make_manifest(package->entry_arena);
        if (!manifest.data)
            return package_out_of_memory(package, reterr);
        spec_path = standard_spec_path;
        weights_path = standard_weights_path;
        status = package_add_entry(package, manifest_path, manifest, reterr);
    }
    if (!status)
        status = package_add_entry(package, spec_path, spec, reterr);
    if (!status && weights.data)
        status = package_add_entry(package, weights_path, weights, reterr);
    if (status)
        return status;
    package_sort_entries(package);
    for (size_t i = 0; i < package->n_entries; i++)
        package->info.file_bytes += package->entries[i].bytes.size_bytes;
    return package_set_spec(package, package_find_entry(package, spec_path), reterr);
}

enum mls_status package_derive(struct mls_package *source, struct mls_bytes spec, struct mls_bytes weights,
                               const char *const *dropped, size_t n_dropped, struct mls_arena *arena,
                               struct mls_package **ret_package, struct mls_error *reterr)
{
    struct mls_package *package = package_create(source->info.path);
    if (!package) {
        mls_arena_free(arena);
        return package_out_of_memory(source, reterr);
    }
    package->entry_arena = arena;
    package->source = mls_package_retain(source);
    package->preferred_name = source->preferred_name;
    package->info.form = MLS_FORM_FOLDER;
    package->info.sealed = source->info.sealed;
    package->info.cipher = source->info.cipher;
    package->info.memory_locked = source->info.memory_locked;
    package->info.lock_message = source->info.lock_message;
    enum mls_status status = fill(package, spec, weights, dropped, n_dropped, reterr);
    if (status)
        mls_package_release(package);
    else
        *ret_package = package;
    return status;
}
