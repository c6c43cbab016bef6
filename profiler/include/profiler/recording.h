/*
 * recording.h: everything that the screen shows of a model, as plain data, and the file that keeps it
 * (RECORDING_FORMAT.md). A recording holds no weights and no tensors.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session.h"
#include "profiler/bytes.h"
#include "profiler/environment.h"
#include "profiler/history.h"
#include "profiler/loader.h"
#include "profiler/memory.h"
#include "profiler/profile.h"

/* What is known of a model besides its steps. Texts are NULL when not known. */
struct mls_record_model {
    const char *path; /* MODEL as given; in a file its last part */
    const char *form; /* NULL: the package could not be opened */
    const char *cipher;
    const char *lock_message; /* why decrypted bytes are not locked in memory */
    const char *function;     /* NULL: there is no program */
    const char *isa;          /* NULL: there is no session */
    const char *precision;
    bool sealed;
    bool redacted; /* names were replaced */
    uint64_t file_bytes;
    int32_t spec_version;
    uint32_t opset;
    uint32_t threads;
    uint32_t concurrency;
};

/* How messages name an operation of the model. */
struct mls_op_label {
    const char *type; /* NULL: not told (constants) */
    const char *name;
};

/* One constant argument of a step, as text: "strides", "[2, 2]". */
struct mls_step_attribute {
    uint32_t step;
    const char *name;
    const char *value;
};

/* One recording. Arrays are parallel where they say so. Live ones borrow everything from the screen. */
struct mls_record {
    struct mls_environment environment;
    struct mls_record_model model;
    struct mls_stage_time stages[MLS_STAGE_COUNT];
    uint64_t load_ns;
    const struct mls_step *const *steps;
    struct mls_step_stats *stats; /* parallel to steps */
    size_t n_steps;
    const struct mls_op_label *ops; /* by mls_op_id */
    size_t n_ops;
    const struct mls_buffer *const *buffers;
    size_t n_buffers;
    const struct mls_step_attribute *attributes; /* in order of step */
    size_t n_attributes;
    struct mls_memory_use memory;
    struct mls_roofline roofline;
    struct mls_series_stats predictions;
    struct mls_wall wall;
    double rate_hz;
    uint64_t lost;
    const double *recent_ns; /* the latest predictions, oldest first */
    size_t n_recent;
    const struct mls_kept_prediction *kept;
    size_t n_kept;
    const struct mls_history *history; /* or NULL */
    const struct mls_log *log;         /* or NULL */
};

/* ---- Writing
 * ------------------------------------------------------------------------------------------------ */

/* A section of another room: four characters and its bytes. */
struct mls_record_section {
    char tag[4];
    const struct mls_bytes_out *bytes;
};

struct mls_record_writer;

/*
 * mls_record_create: begins a file at `path`, which replaces one that is there once it is whole, readable by its owner alone. With
 * `redact`, names are replaced by numbers in everything that follows. OUTPUT when it cannot be written.
 */
enum mls_status mls_record_create(const char *path, bool redact, struct mls_record_writer **ret_writer,
                                  struct mls_error *reterr);

/* mls_record_facts: what does not change while the model runs. Once. */
enum mls_status mls_record_facts(struct mls_record_writer *writer, const struct mls_record *record,
                                 struct mls_error *reterr);

/* mls_record_measured: statistics, kept predictions, history and log as they are now; later ones replace
 * those before them when the file is read. */
enum mls_status mls_record_measured(struct mls_record_writer *writer, const struct mls_record *record,
                                    struct mls_error *reterr);

/* mls_record_put: a section that another room made. */
enum mls_status mls_record_put(struct mls_record_writer *writer, const struct mls_record_section *section,
                               struct mls_error *reterr);

/* mls_record_close: writes the end mark; the file takes its place, or is gone when anything of it failed. NULL is fine. */
enum mls_status mls_record_close(struct mls_record_writer *writer, struct mls_error *reterr);

/* ---- Reading
 * ------------------------------------------------------------------------------------------------ */

struct mls_recording;

/* mls_recording_probe: whether these first bytes are those of a recording. */
bool mls_recording_probe(const void *bytes, size_t size_bytes);

/*
 * mls_recording_parse: reads a recording from bytes, which may go afterwards. A file that ends early gives
 * what was whole. SPEC_VERSION for a newer version; SPEC_INVALID when there is no recording in it, or a
 * section is wrong inside. The caller frees.
 */
enum mls_status mls_recording_parse(const void *bytes, size_t size_bytes,
                                    struct mls_recording **ret_recording, struct mls_error *reterr);

/* mls_recording_open: the same from a file; OTHER_FORMAT when it is no recording. */
enum mls_status mls_recording_open(const char *path, struct mls_recording **ret_recording,
                                   struct mls_error *reterr);

void mls_recording_free(struct mls_recording *recording);

/* mls_recording_record: what was read; owned by the recording. */
const struct mls_record *mls_recording_record(const struct mls_recording *recording);

/* mls_recording_complete: whether the end mark was there. */
bool mls_recording_complete(const struct mls_recording *recording);

/* mls_recording_section: the bytes of the last section with this tag that we do not read ourselves; a cursor
 * over nothing when there is none. */
struct mls_cursor mls_recording_section(const struct mls_recording *recording, const char tag[4]);

/* mls_recording_arena: where readers of other sections put what they read; freed with the recording. */
struct mls_arena *mls_recording_arena(const struct mls_recording *recording);
