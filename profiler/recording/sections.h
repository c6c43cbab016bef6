/* sections.h: the sections of a recording, one row each: how it is written and how it is read. */
#pragma once

#include "profiler/recording.h"

enum { SECTION_TAG_BYTES = 4, SECTION_HEAD_BYTES = 16, FILE_HEAD_BYTES = 16, RECORDING_VERSION = 1 };

extern const char recording_magic[8];

/* What writing a section needs to know. */
struct section_source {
    const struct mls_record *record;
    bool redact;
};

/* What reading fills. */
struct section_target {
    struct mls_arena *arena;
    struct mls_record *record;
};

struct section_row {
    const char *tag;
    bool measured; /* changes while the model runs */
    void (*put)(struct mls_bytes_out *out, const struct section_source *source);
    void (*take)(struct mls_cursor *cursor, const struct section_target *target);
};

/* section_at: index below SECTION_COUNT. */
const struct section_row *section_at(size_t index);

/* put_name: a name, or with redaction "kind_index". */
void put_name(struct mls_bytes_out *out, const struct section_source *source, const char *name,
              const char *kind, size_t index);

/* The rows' functions: facts in facts.c, what is measured in measured.c. */
#define SECTION_LIST(X)           \
    X("ENVR", false, environment) \
    X("MODL", false, model)       \
    X("LOAD", false, load)        \
    X("STEP", false, steps)       \
    X("OPER", false, ops)         \
    X("BUFR", false, buffers)     \
    X("ATTR", false, attributes)  \
    X("MEMO", true, memory)       \
    X("STAT", true, statistics)   \
    X("RCNT", true, recent)       \
    X("KEPT", true, kept)         \
    X("THRD", true, threads)      \
    X("HIST", true, history)      \
    X("LOGL", true, log)

enum {
#define X(tag, measured, name) SECTION_##name,
    SECTION_LIST(X)
#undef X
        SECTION_COUNT
};

#define X(tag, measured, name)                                                       \
    void put_##name(struct mls_bytes_out *out, const struct section_source *source); \
    void take_##name(struct mls_cursor *cursor, const struct section_target *target);
SECTION_LIST(X)
#undef X
