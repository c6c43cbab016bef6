#include "recording/sections.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOREIGN_MAX = 16 };

static const size_t arena_limit_bytes = (size_t)1 << 30;
static const off_t file_limit_bytes = (off_t)1 << 30;

/* A section that another room reads: its bytes are copied. */
struct foreign {
    char tag[SECTION_TAG_BYTES];
    const uint8_t *bytes;
    size_t size_bytes;
};

struct mls_recording {
    struct mls_arena *arena;
    struct mls_record record;
    struct foreign foreign[FOREIGN_MAX];
    size_t n_foreign;
    bool complete;
};

bool mls_recording_probe(const void *bytes, size_t size_bytes)
{
    return size_bytes >= sizeof recording_magic &&
           memcmp(bytes, recording_magic, sizeof recording_magic) == 0;
}

static bool keep_foreign(struct mls_recording *recording, const char *tag, struct mls_cursor payload)
{
    size_t at = 0;
    while (at < recording->n_foreign && memcmp(recording->foreign[at].tag, tag, SECTION_TAG_BYTES) != 0)
        at++;
    if (at == FOREIGN_MAX)
        return true; /* more kinds than any version writes: skipped as unknown ones are */
    uint8_t *copy = mls_arena_alloc(recording->arena, payload.size_bytes, 1);
    if (!copy)
        return false;
    memcpy(copy, payload.base, payload.size_bytes);
    struct foreign *foreign = &recording->foreign[at];
    memcpy(foreign->tag, tag, SECTION_TAG_BYTES);
    foreign->bytes = copy;
    foreign->size_bytes = payload.size_bytes;
    recording->n_foreign += at == recording->n_foreign;
    return true;
}

/* Where the last section of each kind stands; later ones replace earlier ones. */
struct place {
    const uint8_t *bytes;
    size_t size_bytes;
    size_t at; /* in the file */
};

static bool index_section(struct mls_recording *recording, const char *tag, struct place place,
                          struct place *places)
{
    for (size_t i = 0; i < SECTION_COUNT; i++)
        if (memcmp(section_at(i)->tag, tag, SECTION_TAG_BYTES) == 0) {
            places[i] = place;
            return true;
        }
    recording->complete = recording->complete || memcmp(tag, "DONE", SECTION_TAG_BYTES) == 0;
    return recording->complete ||
           keep_foreign(recording, tag, mls_cursor_over(place.bytes, place.size_bytes));
}

/* Bytes past what we know of a section are of a later version and are left alone. */
static enum mls_status take_sections(struct mls_recording *recording, struct mls_cursor *file,
                                     struct mls_error *reterr)
{
    const struct section_target target = {.arena = recording->arena, .record = &recording->record};
    struct place places[SECTION_COUNT] = {{NULL, 0, 0}};
    while (mls_cursor_left(file) >= SECTION_HEAD_BYTES && !recording->complete) {
        struct place place = {.at = file->at};
        const char *tag = (const char *)mls_cursor_take(file, SECTION_TAG_BYTES);
        mls_cursor_u32(file);
        uint64_t size = mls_cursor_u64(file);
        if (size > mls_cursor_left(file))
            break; /* the file ends early: what was whole is there */
        place.size_bytes = (size_t)size;
        place.bytes = mls_cursor_take(file, place.size_bytes);
        if (!index_section(recording, tag, place, places))
            return mls_fail(reterr, MLS_ERR_MEMORY, "cannot open the recording: out of memory");
    }
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (!places[i].bytes)
            continue;
        struct mls_cursor payload = mls_cursor_over(places[i].bytes, places[i].size_bytes);
        section_at(i)->take(&payload, &target);
        if (payload.bad)
            return mls_fail(reterr, MLS_ERR_SPEC_INVALID,
                            "cannot open the recording: section %s at byte %zu is wrong inside",
                            section_at(i)->tag, places[i].at);
    }
    return MLS_OK;
}

/* What sections said of each other holds now that all are there; a recording of a model that never ran has no
 * statistics. */
static enum mls_status settle(struct mls_recording *recording, struct mls_error *reterr)
{
    struct mls_record *record = &recording->record;
    if (!record->model.path && !record->n_steps)
        return mls_fail(reterr, MLS_ERR_SPEC_INVALID,
                        "cannot open the recording: it ends before the first whole section");
    if (!record->stats)
        record->stats = mls_arena_array(recording->arena, record->n_steps, sizeof *record->stats, 16);
    for (size_t i = 0; i < record->n_attributes; i++)
        if (record->attributes[i].step >= record->n_steps)
            record->n_attributes = i;
    return record->stats ? MLS_OK
                         : mls_fail(reterr, MLS_ERR_MEMORY, "cannot open the recording: out of memory");
}

enum mls_status mls_recording_parse(const void *bytes, size_t size_bytes,
                                    struct mls_recording **ret_recording, struct mls_error *reterr)
{
    if (!mls_recording_probe(bytes, size_bytes))
        return mls_fail(reterr, MLS_ERR_OTHER_FORMAT, "cannot open the recording: the bytes are none");
    struct mls_cursor file = mls_cursor_over(bytes, size_bytes);
    mls_cursor_take(&file, sizeof recording_magic);
    uint32_t version = mls_cursor_u32(&file);
    mls_cursor_u32(&file);
    if (!file.bad && version != RECORDING_VERSION) {
        mls_fail(reterr, MLS_ERR_SPEC_VERSION,
                 "cannot open the recording: it has version %u, this mlscope knows %d", version,
                 RECORDING_VERSION);
        mls_error_hint(reterr, "open it with the mlscope that wrote it, or a later one");
        return MLS_ERR_SPEC_VERSION;
    }
    struct mls_recording *recording = calloc(1, sizeof *recording);
    if (recording)
        recording->arena = mls_arena_create(arena_limit_bytes);
    enum mls_status status =
        recording && recording->arena
            ? MLS_OK
            : mls_fail(reterr, MLS_ERR_MEMORY, "cannot open the recording: out of memory");
    if (!status)
        status = take_sections(recording, &file, reterr);
    if (!status)
        status = settle(recording, reterr);
    if (status)
        mls_recording_free(recording);
    else
        *ret_recording = recording;
    return status;
}

enum mls_status mls_recording_open(const char *path, struct mls_recording **ret_recording,
                                   struct mls_error *reterr)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) {
        int reason = errno;
        if (fd >= 0)
            close(fd);
        return mls_fail(reterr, reason == ENOENT ? MLS_ERR_NOT_FOUND : MLS_ERR_IO,
                        "cannot open the recording %s: %s", path, strerror(reason));
    }
    enum mls_status status = MLS_OK;
    size_t size = S_ISREG(about.st_mode) && about.st_size <= file_limit_bytes ? (size_t)about.st_size : 0;
    uint8_t *bytes = malloc(size ? size : 1);
    size_t have = 0;
    for (ssize_t n = 1; bytes && have < size && n > 0; have += n > 0 ? (size_t)n : 0)
        n = read(fd, bytes + have, size - have);
    close(fd);
    status = bytes ? mls_recording_parse(bytes, have, ret_recording, reterr)
                   : mls_fail(reterr, MLS_ERR_MEMORY, "cannot open the recording %s: out of memory", path);
    free(bytes);
    return status;
}

void mls_recording_free(struct mls_recording *recording)
{
    if (!recording)
        return;
    mls_arena_free(recording->arena);
    free(recording);
}

const struct mls_record *mls_recording_record(const struct mls_recording *recording)
{
    return &recording->record;
}

bool mls_recording_complete(const struct mls_recording *recording)
{
    return recording->complete;
}

struct mls_cursor mls_recording_section(const struct mls_recording *recording, const char tag[4])
{
    for (size_t i = 0; i < recording->n_foreign; i++)
        if (memcmp(recording->foreign[i].tag, tag, SECTION_TAG_BYTES) == 0)
            return mls_cursor_over(recording->foreign[i].bytes, recording->foreign[i].size_bytes);
    return mls_cursor_over(NULL, 0);
}

struct mls_arena *mls_recording_arena(const struct mls_recording *recording)
{
    return recording->arena;
}
