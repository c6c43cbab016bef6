#include "recording/sections.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/partial.h"

struct mls_record_writer {
    struct mls_partial partial;
    FILE *file; /* of a descriptor of its own */
    bool failed;
    bool redact;
};

const char recording_magic[8] = {'M', 'L', 'S', 'R', 'E', 'C', '\r', '\n'};

static const struct section_row rows[] = {
#define X(tag, measured, name) {tag, measured, put_##name, take_##name},
    SECTION_LIST(X)
#undef X
};

const struct section_row *section_at(size_t index)
{
    return &rows[index];
}

static enum mls_status fail_to_write(struct mls_record_writer *writer, struct mls_error *reterr)
{
    int reason = errno;
    writer->failed = true;
    return mls_fail(reterr, MLS_ERR_OUTPUT, "cannot write the recording %s: %s", writer->partial.path, strerror(reason));
}

static enum mls_status fail_for_memory(const char *path, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot write the recording %s: out of memory", path);
}

static bool put_head(struct mls_record_writer *writer)
{
    struct mls_bytes_out head = {.data = NULL};
    mls_put_bytes(&head, recording_magic, sizeof recording_magic);
    mls_put_u32(&head, RECORDING_VERSION);
    mls_put_u32(&head, 0);
    bool ok = !head.failed && fwrite(head.data, 1, head.size_bytes, writer->file) == head.size_bytes;
    free(head.data);
    return ok;
}

enum mls_status mls_record_create(const char *path, bool redact, struct mls_record_writer **ret_writer,
                                  struct mls_error *reterr)
{
    struct mls_record_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return fail_for_memory(path, reterr);
    enum mls_status status = mls_partial_open(path, 0600, &writer->partial, reterr);
    if (status) {
        free(writer);
        return status;
    }
    int fd = fcntl(writer->partial.fd, F_DUPFD_CLOEXEC, 0);
    writer->file = fd >= 0 ? fdopen(fd, "w") : NULL;
    writer->redact = redact;
    if (writer->file && put_head(writer)) {
        *ret_writer = writer;
        return MLS_OK;
    }
    status = fail_to_write(writer, reterr);
    if (writer->file)
        fclose(writer->file);
    else if (fd >= 0)
        close(fd);
    mls_partial_close(&writer->partial, false, NULL);
    free(writer);
    return status;
}

enum mls_status mls_record_put(struct mls_record_writer *writer, const struct mls_record_section *section,
                               struct mls_error *reterr)
{
    struct mls_bytes_out head = {.data = NULL};
    const struct mls_bytes_out *bytes = section->bytes;
    mls_put_bytes(&head, section->tag, SECTION_TAG_BYTES);
    mls_put_u32(&head, 0);
    mls_put_u64(&head, bytes->size_bytes);
    bool room = !head.failed && !bytes->failed;
    bool ok = room && fwrite(head.data, 1, head.size_bytes, writer->file) == head.size_bytes &&
              (!bytes->size_bytes ||
               fwrite(bytes->data, 1, bytes->size_bytes, writer->file) == bytes->size_bytes);
    free(head.data);
    if (!room) {
        writer->failed = true;
        return fail_for_memory(writer->partial.path, reterr);
    }
    return ok ? MLS_OK : fail_to_write(writer, reterr);
}

static enum mls_status put_all(struct mls_record_writer *writer, const struct mls_record *record,
                               bool measured, struct mls_error *reterr)
{
    const struct section_source source = {.record = record, .redact = writer->redact};
    enum mls_status status = MLS_OK;
    for (size_t i = 0; !status && i < SECTION_COUNT; i++) {
        struct mls_bytes_out bytes = {.data = NULL};
        struct mls_record_section section = {.bytes = &bytes};
        if (rows[i].measured != measured)
            continue;
        rows[i].put(&bytes, &source);
        memcpy(section.tag, rows[i].tag, SECTION_TAG_BYTES);
        status = mls_record_put(writer, &section, reterr);
        free(bytes.data);
    }
    return status;
}

enum mls_status mls_record_facts(struct mls_record_writer *writer, const struct mls_record *record,
                                 struct mls_error *reterr)
{
    return put_all(writer, record, false, reterr);
}

enum mls_status mls_record_measured(struct mls_record_writer *writer, const struct mls_record *record,
                                    struct mls_error *reterr)
{
    return put_all(writer, record, true, reterr);
}

enum mls_status mls_record_close(struct mls_record_writer *writer, struct mls_error *reterr)
{
    if (!writer)
        return MLS_OK;
    const struct mls_bytes_out nothing = {.data = NULL};
    enum mls_status status = mls_record_put(
        writer, &(struct mls_record_section){.tag = {'D', 'O', 'N', 'E'}, .bytes = &nothing}, reterr);
    if (fclose(writer->file) != 0 && !status)
        status = fail_to_write(writer, reterr);
    enum mls_status closed = mls_partial_close(&writer->partial, !writer->failed, reterr);
    free(writer);
    return status ? status : closed;
}
