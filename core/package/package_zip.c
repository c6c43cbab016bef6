/*
 * A zip of a package, of a compiled model or of a bare .mlmodel. libzip reads the archive where it lies; the
 * members of the model are unpacked into one piece of memory, which is secret when the archive was sealed. What zlib
 * keeps while it unpacks, a window of the content among it, is secret too.
 */
#include "form.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

#include "base/checked.h"
#include "base/limits.h"
#include "secret.h"

/* Deflate cannot make more out of one byte: a match of 258 bytes takes two bits. What claims more lies. */
enum { DEFLATE_RATIO_MAX = 1032 };
/* What zlib takes to unpack: its state and a window of 32 KiB. */
enum { INFLATE_BYTES = 64 << 10, CHUNK_BYTES = 64 << 10 };
/* After so much, progress is told, and the archive's own pages are given back: beside its content they need no memory. */
enum { PART_BYTES = 16 << 20 };

struct member {
    const char *path; /* clean, in the entry arena */
    zip_uint64_t index;
    size_t size_bytes;
    uint32_t checksum;
    bool deflated;
    bool folder;
};

struct archive {
    struct mls_package *package;
    const struct package_source *source;
    zip_t *zip;
    struct member *members; /* owned */
    size_t n_members;
    const char *root;  /* path of the model: "" or a folder's, or that of a .mlmodel */
    bool root_is_file; /* the model is a bare .mlmodel */
    uint8_t *memory;   /* of all contents: that of `secret`, or a mapping of the package's */
    struct secret *secret;
    struct secret *work; /* of zlib, and then a chunk of packed bytes */
    size_t work_used;
    size_t done_bytes, total_bytes; /* of contents; that of the member at hand begins at done_bytes */
    bool cancelled;
    z_stream inflater;
    struct mls_error *reterr;
};

static enum mls_status refuse(const struct archive *archive, enum mls_status status, const char *member,
                              const char *reason)
{
    status = mls_fail(archive->reterr, status, "cannot open %s: member %.200s of the zip: %s",
                      archive->source->path, member, reason);
    mls_error_at(archive->reterr, member, -1);
    return status;
}

/* ---- Listing ------------------------------------------------------------------------------------------ */

static bool is_noise(const char *name)
{
    const char *slash = strrchr(name, '/');
    return !strncmp(name, "__MACOSX/", 9) || !strcmp(slash ? slash + 1 : name, ".DS_Store");
}

static bool is_link(zip_t *zip, zip_uint64_t index)
{
    zip_uint8_t system;
    zip_uint32_t attributes;
    return !zip_file_get_external_attributes(zip, index, 0, &system, &attributes) &&
           system == ZIP_OPSYS_UNIX && S_ISLNK(attributes >> 16);
}

static enum mls_status check_member(const struct archive *archive, const zip_stat_t *about)
{
    zip_uint64_t wanted = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_CRC;
    if ((about->valid & wanted) != wanted)
        return refuse(archive, MLS_ERR_PACKAGE_UNKNOWN, about->name, "its sizes are not stated");
    if (about->valid & ZIP_STAT_ENCRYPTION_METHOD && about->encryption_method != ZIP_EM_NONE)
        return refuse(archive, MLS_ERR_PACKAGE_NOT_YET, about->name,
                      "it is encrypted with a zip password, which is not supported; seal the package instead");
    if (about->comp_method != ZIP_CM_STORE && about->comp_method != ZIP_CM_DEFLATE)
        return refuse(archive, MLS_ERR_PACKAGE_NOT_YET, about->name,
                      "it is compressed by another method than deflate; zip it again");
    zip_uint64_t ratio = about->comp_method == ZIP_CM_STORE ? 1 : DEFLATE_RATIO_MAX;
    if (about->size / ratio > about->comp_size)
        return refuse(archive, MLS_ERR_PACKAGE_UNKNOWN, about->name,
                      "it claims to unpack to more than its bytes can hold");
    if (is_link(archive->zip, about->index))
        return refuse(archive, MLS_ERR_PACKAGE_UNKNOWN, about->name,
                      "it is a symbolic link, which a package must not hold");
    return MLS_OK;
}

static enum mls_status add_member(struct archive *archive, zip_uint64_t index, uint64_t *packed_bytes)
{
    zip_stat_t about;
    if (zip_stat_index(archive->zip, index, 0, &about) || !(about.valid & ZIP_STAT_NAME))
        return refuse(archive, MLS_ERR_PACKAGE_UNKNOWN, "?", zip_strerror(archive->zip));
    size_t length = strlen(about.name);
    if (is_noise(about.name))
        return MLS_OK;
    bool folder = length && about.name[length - 1] == '/';
    const char *path = strchr(about.name, '\\') ? NULL : package_clean_path(archive->package->entry_arena, about.name);
    if (!path)
        return refuse(archive, MLS_ERR_PACKAGE_UNKNOWN, about.name, "its name is no path inside a package");
    enum mls_status status = folder ? MLS_OK : check_member(archive, &about);
    if (status)
        return status;
    *packed_bytes += folder ? 0 : about.comp_size;
    if (*packed_bytes > archive->source->bytes.size_bytes)
        return refuse(archive, MLS_ERR_PACKAGE_UNKNOWN, about.name, "members overlap in the file");
    archive->members[archive->n_members++] = (struct member){.path = path,
                                                             .index = index,
                                                             .size_bytes = folder ? 0 : (size_t)about.size,
                                                             .checksum = about.crc,
                                                             .deflated = about.comp_method == ZIP_CM_DEFLATE,
                                                             .folder = folder};
    return MLS_OK;
}

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->path, ((const struct member *)b)->path);
}

/* All members, in order of path. */
static enum mls_status list_members(struct archive *archive)
{
    zip_int64_t n = zip_get_num_entries(archive->zip, 0);
    if (n > MLS_LIMIT_ENTRIES)
        return mls_fail(archive->reterr, MLS_ERR_LIMIT, "cannot open %s: it holds more than %d files",
                        archive->source->path, MLS_LIMIT_ENTRIES);
    archive->members = calloc((size_t)n + 1, sizeof *archive->members);
    if (!archive->members)
        return package_out_of_memory(archive->package, archive->reterr);
    uint64_t packed_bytes = 0;
    for (zip_int64_t i = 0; i < n; i++) {
        enum mls_status status = add_member(archive, (zip_uint64_t)i, &packed_bytes);
        if (status)
            return status;
    }
    qsort(archive->members, archive->n_members, sizeof *archive->members, compare_members);
    for (size_t i = 1; i < archive->n_members; i++)
        if (!compare_members(&archive->members[i - 1], &archive->members[i]))
            return refuse(archive, MLS_ERR_PACKAGE_UNKNOWN, archive->members[i].path, "it is there twice");
    return MLS_OK;
}

/* ---- The model in it ---------------------------------------------------------------------------------- */

/* Whether `path` is `root`, or lies in it. "" holds everything. */
static bool lies_in(const char *path, const char *root)
{
    size_t length = strlen(root);
    return !length || (!strncmp(path, root, length) && (!path[length] || path[length] == '/'));
}

/* The path of the model that a member gives away, or NULL: a package's folder, or a .mlmodel itself. */
static const char *telling_root(struct archive *archive, const struct member *member, bool *ret_is_file)
{
    static const char *const telling[] = {"Manifest.json", "coremldata.bin", "model.mil"};
    const char *slash = strrchr(member->path, '/'), *name = slash ? slash + 1 : member->path;
    *ret_is_file = false;
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++)
        if (!member->folder && !strcmp(name, telling[i]))
            return mls_arena_text(archive->package->entry_arena, member->path, slash ? (size_t)(slash - member->path) : 0);
    const char *extension = strrchr(name, '.');
    *ret_is_file = !member->folder && extension && !strcmp(extension, ".mlmodel");
    return *ret_is_file ? member->path : NULL;
}

/* Names of members that tell of other frameworks. */
static const struct {
    const char *end;
    const char *what; /* completes "it is …" */
} foreign[] = {
    {"data.pkl", "a PyTorch model or checkpoint"},   {"constants.pkl", "a PyTorch model or checkpoint"},
    {"model.weights.h5", "a Keras model"},           {"saved_model.pb", "a TensorFlow SavedModel"},
    {".npy", "a NumPy archive, not a model"},        {".onnx", "a zip of an ONNX model"},
    {".tflite", "a zip of a TensorFlow Lite model"}, {".gguf", "a zip of a GGUF model"},
    {".safetensors", "a zip of safetensors"},
};

static bool ends_with(const char *path, const char *end)
{
    size_t length = strlen(path), end_length = strlen(end);
    return length >= end_length && !strcmp(path + length - end_length, end);
}

static enum mls_status no_model(const struct archive *archive)
{
    for (size_t i = 0; i < archive->n_members; i++)
        for (size_t k = 0; k < sizeof foreign / sizeof *foreign; k++)
            if (ends_with(archive->members[i].path, foreign[k].end)) {
                mls_fail(archive->reterr, MLS_ERR_OTHER_FORMAT, "cannot open %s: it is %s",
                         archive->source->path, foreign[k].what);
                mls_error_hint(archive->reterr, "convert the model to Core ML with coremltools first");
                return MLS_ERR_OTHER_FORMAT;
            }
    enum mls_status status = mls_fail(archive->reterr, MLS_ERR_PACKAGE_UNKNOWN,
                                      "cannot open %s: the zip holds no Core ML model", archive->source->path);
    if (archive->n_members)
        mls_error_hint(archive->reterr, "its first of %zu members is %.200s; zip the .mlpackage folder itself",
                       archive->n_members, archive->members[0].path);
    return status;
}

static enum mls_status two_models(const struct archive *archive, const char *first, const char *second)
{
    enum mls_status status =
        mls_fail(archive->reterr, MLS_ERR_PACKAGE_UNKNOWN,
                 "cannot open %s: the zip holds several models, among them \"%.100s\" and \"%.100s\"",
                 archive->source->path, first, second);
    mls_error_hint(archive->reterr, "unpack it and give one of them");
    return status;
}

/* Folders first, so that the specification inside a package does not count as a model of its own. */
static enum mls_status find_model(struct archive *archive)
{
    for (int files = 0; files <= 1; files++)
        for (size_t i = 0; i < archive->n_members; i++) {
            bool is_file;
            const char *root = telling_root(archive, &archive->members[i], &is_file);
            if (!root || is_file != files || (archive->root && lies_in(root, archive->root)))
                continue;
            if (archive->root && !(lies_in(archive->root, root) && !files))
                return two_models(archive, archive->root, root);
            archive->root = root;
            archive->root_is_file = is_file;
        }
    return archive->root ? MLS_OK : no_model(archive);
}

/* ---- Unpacking ---------------------------------------------------------------------------------------- */

static bool wanted(const struct archive *archive, const struct member *member)
{
    return lies_in(member->path, archive->root);
}

static enum mls_status count_bytes(const struct archive *archive, size_t *ret_bytes)
{
    size_t total = 0, memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < archive->n_members; i++) {
        const struct member *member = &archive->members[i];
        size_t aligned;
        if (!wanted(archive, member))
            continue;
        if (!mls_align_up(member->size_bytes, PACKAGE_ALIGN_BYTES, &aligned) ||
            !mls_add_size(total, aligned, &total) || total > MLS_LIMIT_FILE_BYTES || total > memory)
            return mls_fail(archive->reterr, MLS_ERR_LIMIT,
                            "cannot open %s: it unpacks to more than the memory of this machine (%zu bytes)",
                            archive->source->path, memory);
    }
    *ret_bytes = total;
    return MLS_OK;
}

/* Memory for all contents: secret when the archive is the content of a sealed file. */
static enum mls_status take_memory(struct archive *archive, size_t size_bytes)
{
    if (archive->source->content) {
        archive->secret = secret_create(size_bytes);
        if (!archive->secret)
            return package_out_of_memory(archive->package, archive->reterr);
        secret_hold_dumps(archive->secret);
        archive->memory = archive->secret->data;
        return MLS_OK;
    }
    return package_map_memory(archive->package, size_bytes, &archive->memory, archive->reterr);
}

static void *take_work(void *user, unsigned n, unsigned size)
{
    struct archive *archive = user;
    size_t bytes = ((size_t)n * size + 15) / 16 * 16;
    if (bytes > INFLATE_BYTES - archive->work_used)
        return NULL;
    archive->work_used += bytes;
    return archive->work->data + archive->work_used - bytes;
}

static void leave_work(void *user, void *memory) /* all of it goes at once */
{
    (void)user, (void)memory;
}

static bool begin_inflater(struct archive *archive)
{
    archive->work = secret_create(INFLATE_BYTES + CHUNK_BYTES);
    archive->inflater = (z_stream){.zalloc = take_work, .zfree = leave_work, .opaque = archive};
    return archive->work && inflateInit2(&archive->inflater, -MAX_WBITS) == Z_OK;
}

/* After each part of a member; false when loading was cancelled. */
static bool part_done(struct archive *archive, size_t member_bytes)
{
    const struct package_source *source = archive->source;
    if (!source->content)
        mls_package_done_with(archive->package, source->bytes.data, source->bytes.size_bytes);
    archive->cancelled = !mls_progress_at(source->progress, MLS_STAGE_UNPACK, archive->done_bytes + member_bytes,
                                          archive->total_bytes + 1);
    return !archive->cancelled;
}

static bool copy_member(struct archive *archive, zip_file_t *file, const struct member *member, uint8_t *out)
{
    size_t done = 0;
    while (done < member->size_bytes) {
        size_t left = member->size_bytes - done, part = left < PART_BYTES ? left : PART_BYTES;
        zip_int64_t n = zip_fread(file, out + done, part);
        if (n <= 0 || !part_done(archive, done + (size_t)n))
            return false;
        done += (size_t)n;
    }
    return zip_fread(file, archive->work->data, 1) == 0;
}

/* Packed bytes of a member to exactly its content. */
static bool inflate_member(struct archive *archive, zip_file_t *file, const struct member *member, uint8_t *out)
{
    z_stream *stream = &archive->inflater;
    uint8_t *chunk = archive->work->data + INFLATE_BYTES;
    size_t left = member->size_bytes, told = 0;
    int state = inflateReset(stream);
    for (stream->avail_in = 0, stream->avail_out = 0, stream->next_out = out; state == Z_OK;) {
        if (!stream->avail_in) {
            zip_int64_t n = zip_fread(file, chunk, CHUNK_BYTES);
            if (n < 0)
                return false;
            stream->next_in = chunk; /* none left: then inflate says so */
            stream->avail_in = (unsigned)n;
        }
        if (!stream->avail_out && left) {
            stream->avail_out = left < UINT_MAX ? (unsigned)left : UINT_MAX;
            left -= stream->avail_out;
        }
        state = inflate(stream, Z_NO_FLUSH);
        size_t done = (size_t)(stream->next_out - out);
        if (done - told < PART_BYTES)
            continue;
        told = done;
        if (!part_done(archive, done))
            return false;
    }
    return state == Z_STREAM_END && !left && !stream->avail_out && !stream->avail_in &&
           zip_fread(file, chunk, 1) == 0;
}

/* The content, and no more and no less, with the checksum that the archive states. libzip gives the packed bytes. */
static enum mls_status unpack_member(struct archive *archive, const struct member *member, uint8_t *out)
{
    zip_file_t *file = zip_fopen_index(archive->zip, member->index, ZIP_FL_COMPRESSED);
    if (!file)
        return refuse(archive, MLS_ERR_PACKAGE_UNKNOWN, member->path, zip_strerror(archive->zip));
    bool whole = member->deflated ? inflate_member(archive, file, member, out)
                                  : copy_member(archive, file, member, out);
    zip_fclose(file);
    if (archive->cancelled)
        return package_cancelled(archive->source->path, archive->reterr);
    if (whole && crc32_z(0, out, member->size_bytes) == member->checksum)
        return MLS_OK;
    enum mls_status status =
        refuse(archive, MLS_ERR_PACKAGE_UNKNOWN, member->path, "its bytes are damaged or cut");
    mls_error_hint(archive->reterr, "copy or download the zip again");
    return status;
}

/* The path of a member within the model. */
static const char *path_in_model(const struct archive *archive, const struct member *member)
{
    if (archive->root_is_file)
        return "model.mlmodel";
    size_t length = strlen(archive->root);
    return member->path + length + (length != 0);
}

static enum mls_status unpack(struct archive *archive, size_t total_bytes)
{
    archive->total_bytes = total_bytes;
    if (!begin_inflater(archive))
        return package_out_of_memory(archive->package, archive->reterr);
    for (size_t i = 0; i < archive->n_members; i++) {
        const struct member *member = &archive->members[i];
        if (!wanted(archive, member) || member->folder)
            continue;
        if (!mls_progress_at(archive->source->progress, MLS_STAGE_UNPACK, archive->done_bytes, total_bytes + 1))
            return package_cancelled(archive->source->path, archive->reterr);
        struct mls_bytes bytes = {archive->memory + archive->done_bytes, member->size_bytes};
        enum mls_status status = unpack_member(archive, member, archive->memory + archive->done_bytes);
        if (!status)
            status = package_add_entry(archive->package, path_in_model(archive, member), bytes, archive->reterr);
        if (status)
            return status;
        /* was counted before */
        mls_align_up(archive->done_bytes + member->size_bytes, PACKAGE_ALIGN_BYTES, &archive->done_bytes);
    }
    return MLS_OK;
}

/* Members are in order of path: what lies in a folder follows it, but for names that go on with a lower byte than '/'. */
static bool holds_nothing(const struct archive *archive, size_t folder)
{
    for (size_t i = folder + 1; i < archive->n_members; i++) {
        const char *path = archive->members[i].path, *above = archive->members[folder].path;
        if (strncmp(path, above, strlen(above)))
            return true;
        if (path[strlen(above)] == '/')
            return false;
    }
    return true;
}

static enum mls_status add_empty_folders(struct archive *archive)
{
    for (size_t i = 0; i < archive->n_members; i++) {
        const struct member *member = &archive->members[i];
        if (!member->folder || !wanted(archive, member) || !holds_nothing(archive, i))
            continue;
        enum mls_status status =
            package_add_empty_folder(archive->package, path_in_model(archive, member), archive->reterr);
        if (status)
            return status;
    }
    return MLS_OK;
}

static enum mls_status read_archive(struct archive *archive)
{
    size_t size_bytes = 0;
    enum mls_status status = list_members(archive);
    if (!status)
        status = find_model(archive);
    if (!status)
        status = count_bytes(archive, &size_bytes);
    if (!status)
        status = take_memory(archive, size_bytes);
    if (!status)
        status = unpack(archive, size_bytes);
    if (!status)
        status = add_empty_folders(archive);
    if (!status && !mls_progress_at(archive->source->progress, MLS_STAGE_UNPACK, size_bytes + 1, size_bytes + 1))
        status = package_cancelled(archive->source->path, archive->reterr);
    if (status)
        return status;
    if (archive->root_is_file)
        return package_set_spec(archive->package, 0, archive->reterr);
    return package_set_spec_from_folder(archive->package, archive->reterr);
}

static bool zip_probe(const struct package_source *source)
{
    return source->bytes.size_bytes >= 4 &&
           (!memcmp(source->bytes.data, "PK\3\4", 4) || !memcmp(source->bytes.data, "PK\5\6", 4));
}

/* The archive itself need not stay once its members are unpacked: a sealed one is wiped. */
static void keep_secret(struct archive *archive)
{
    struct mls_package *package = archive->package;
    mls_package_done_with(package, archive->source->bytes.data, archive->source->bytes.size_bytes);
    if (!archive->secret)
        return;
    secret_free(package->secret);
    package->secret = archive->secret;
    package->info.memory_locked = !package->secret->lock_message[0];
    package->info.lock_message = package->secret->lock_message;
}

static enum mls_status zip_form_open(struct mls_package *package, const struct package_source *source,
                                     struct mls_error *reterr)
{
    struct archive archive = {.package = package, .source = source, .reterr = reterr};
    zip_error_t error;
    zip_error_init(&error);
    package->info.form = MLS_FORM_ZIP;
    zip_source_t *bytes = zip_source_buffer_create(source->bytes.data, source->bytes.size_bytes, 0, &error);
    archive.zip = bytes ? zip_open_from_source(bytes, ZIP_RDONLY, &error) : NULL;
    enum mls_status status;
    if (archive.zip) {
        status = read_archive(&archive);
        zip_discard(archive.zip);
    } else {
        zip_source_free(bytes);
        status = mls_fail(reterr, MLS_ERR_PACKAGE_UNKNOWN, "cannot open %s as a zip: %s", source->path,
                          zip_error_strerror(&error));
        mls_error_hint(reterr, "the file may be cut: copy or download it again");
    }
    zip_error_fini(&error);
    free(archive.members);
    secret_free(archive.work);
    if (status)
        secret_free(archive.secret);
    else
        keep_secret(&archive);
    return status;
}

const struct package_form package_form_zip = {.probe = zip_probe, .open = zip_form_open};
