/*
 * form.h: what the forms of a package share. A form is a row of ops; package.c tries the rows in order.
 * Opening fills a struct mls_package that is private to one thread until mls_package_open returns it.
 */
#pragma once

#include <stdatomic.h>
#include <pthread.h>

#include "core/package.h"

#include "base/arena.h"

struct secret;

/* Alignment of weights that kernels ask for; blob records lie at multiples of it within a weight file. */
enum { PACKAGE_ALIGN_BYTES = 64 };
/* Texts of a package: paths, above all. */
#define PACKAGE_ARENA_BYTES_MAX ((size_t)128 << 20)

/* A mapped file, or anonymous memory that holds an aligned copy; unmapped with the package. */
struct package_mapping {
    struct package_mapping *next;
    void *data;
    size_t size_bytes;
    bool file_backed; /* clean pages of a file, which come back by themselves when they are dropped */
};

struct mls_package {
    atomic_uint references;
    struct mls_arena *arena;       /* what the package notes for itself */
    struct mls_arena *entry_arena; /* paths of entries: the same one, or a secret one for decrypted content */
    struct mls_package_entry *entries; /* owned; in order of path once sorted */
    size_t n_entries;
    size_t entry_capacity;
    const char **empty_folders; /* owned: folders without entries, which a manifest may name */
    size_t n_empty_folders;
    size_t empty_folder_capacity;
    size_t spec_index;          /* of the specification in `entries` */
    size_t blob_base_bytes;     /* length of the specification's folder in its path, '/' included */
    struct mls_bytes file;      /* the one file as it is on disk; empty for folders and assets */
    const char *preferred_name; /* "Name.mlpackage" */
    struct package_mapping *mappings;
    struct secret *secret; /* decrypted bytes, or NULL */
    struct mls_package *source; /* a reference to the package that entries are borrowed from, or NULL */
    struct mls_package_info info;
    pthread_mutex_t hash_mutex; /* guards sha256_hex */
    char sha256_hex[65];
};

/* What is being opened: a folder, a file, or the content of a sealed file. */
struct package_source {
    const char *path; /* as the user gave it, for messages */
    int fd;           /* of the file or folder; -1 for content of a sealed file */
    bool folder;
    bool content;                        /* decrypted, authenticated content of a sealed file */
    struct mls_bytes bytes;              /* a file's bytes, mapped read-only; empty for a folder */
    const struct mls_key *key;           /* or NULL */
    const struct mls_progress *progress; /* or NULL */
};

struct package_form {
    /* probe: whether the source has this form, by its first bytes and its name; must be cheap. */
    bool (*probe)(const struct package_source *source);
    /* open: fills entries, spec_index and info.form of an empty package. On failure the caller frees the
     * package. */
    enum mls_status (*open)(struct mls_package *package, const struct package_source *source,
                            struct mls_error *reterr);
};

extern const struct package_form package_form_folder;
extern const struct package_form package_form_foreign; /* recognises what is refused by name */
extern const struct package_form package_form_rtfd;
extern const struct package_form package_form_zip;
extern const struct package_form package_form_mil; /* MIL text alone: model.mil of a compiled model */
extern const struct package_form package_form_mlmodel;
extern const struct package_form package_form_sealed;

/* package_create: an empty package for `path` with one reference, or NULL. Freed by mls_package_release. */
struct mls_package *package_create(const char *path);

/* package_try_forms: opens the source as the first form whose probe takes it; SEAL_CONTENT when none does. */
enum mls_status package_try_forms(struct mls_package *package, const struct package_source *source,
                                  struct mls_error *reterr);

/* package_map_file: maps the open file read-only and hands the mapping to the package. `name` is for
 * messages. */
enum mls_status package_map_file(struct mls_package *package, int fd, const char *name,
                                 struct mls_bytes *ret_bytes, struct mls_error *reterr);

/* package_map_memory: zeroed, aligned, writable memory of the package's. */
enum mls_status package_map_memory(struct mls_package *package, size_t size_bytes, uint8_t **ret_memory,
                                   struct mls_error *reterr);

/* package_map_copy: an aligned copy of `bytes` in anonymous memory of the package's. */
enum mls_status package_map_copy(struct mls_package *package, struct mls_bytes bytes,
                                 struct mls_bytes *ret_bytes, struct mls_error *reterr);

/* package_add_entry: adds a file; `path` must live in the entry arena or longer. Checks the number of
 * entries. */
enum mls_status package_add_entry(struct mls_package *package, const char *path, struct mls_bytes bytes,
                                  struct mls_error *reterr);

/* package_add_empty_folder: remembers a folder without content; `path` as above. */
enum mls_status package_add_empty_folder(struct mls_package *package, const char *path,
                                         struct mls_error *reterr);

/* package_sort_entries: puts the entries in order of path. */
void package_sort_entries(struct mls_package *package);

/* package_find_entry: index of the entry at exactly `path`, or SIZE_MAX. Entries must be sorted. */
size_t package_find_entry(const struct mls_package *package, const char *path);

/* package_set_spec: makes entry `index` the specification; refuses Git LFS pointers and empty files in its
 * place. */
enum mls_status package_set_spec(struct mls_package *package, size_t index, struct mls_error *reterr);

/* package_set_spec_from_folder: sorts the entries and finds the specification among them: the one that
 * Manifest.json names, or the model.mil of a compiled model. */
enum mls_status package_set_spec_from_folder(struct mls_package *package, struct mls_error *reterr);

/* package_is_compiled: whether the entries, which must be sorted, are those of a compiled model. */
bool package_is_compiled(const struct mls_package *package);

/* package_set_spec_compiled: makes model.mil the specification. Refuses by name what is encrypted by Apple,
 * and compiled models of other types than ML Programs. */
enum mls_status package_set_spec_compiled(struct mls_package *package, struct mls_error *reterr);

/* package_refuse_lfs_pointer: GIT_LFS_POINTER when `bytes` is a pointer file; MLS_OK otherwise. */
enum mls_status package_refuse_lfs_pointer(const char *name, struct mls_bytes bytes,
                                           struct mls_error *reterr);

/*
 * package_clean_path: `path` without "." segments into the arena; NULL when it is absolute, climbs with "..",
 * has an empty segment or is too long or empty.
 */
const char *package_clean_path(struct mls_arena *arena, const char *path);

/* package_out_of_memory: fails with MEMORY. */
enum mls_status package_out_of_memory(const struct mls_package *package, struct mls_error *reterr);

/* package_refuse_without_manifest: says by the names of its files what a folder without Manifest.json is;
 * never MLS_OK. */
enum mls_status package_refuse_without_manifest(const struct mls_package *package, struct mls_error *reterr);

/* package_refuse_encrypted: APPLE_ENCRYPTED. */
enum mls_status package_refuse_encrypted(const struct mls_package *package, struct mls_error *reterr);

/* package_weights_entry: index of the largest entry that is not the specification, or SIZE_MAX when there is
 * none. */
size_t package_weights_entry(const struct mls_package *package);

/* package_copy_unaligned_weights: gives that entry an aligned copy where it lies unaligned in the file. */
enum mls_status package_copy_unaligned_weights(struct mls_package *package, struct mls_error *reterr);

/* package_open_bytes: opens bytes that the caller keeps, as mls_package_open does a file of that name. For
 * tests. */
enum mls_status package_open_bytes(const char *name, struct mls_bytes bytes,
                                   const struct mls_package_options *options,
                                   struct mls_package **ret_package, struct mls_error *reterr);

/* package_cancelled: fails with CANCELLED. */
enum mls_status package_cancelled(const char *path, struct mls_error *reterr);

/* package_mlmodel_walk: whether the bytes are, from first to last, top-level fields of a Core ML
 * specification. */
bool package_mlmodel_walk(struct mls_bytes bytes);
