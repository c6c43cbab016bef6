#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_run.h"
#include "profiler/recording.h"

static const struct mls_buffer fake_buffer = {
    .name = "secret_buffer", .offset_bytes = 64, .size_bytes = 128, .last_step = 3};

/* A recording of the fake plan. Static: it is compared with after it was read back. */
static struct mls_record fake_record(void)
{
    static const struct mls_step *steps[FAKE_STEPS];
    static struct mls_step_stats stats[FAKE_STEPS];
    static const struct mls_buffer *const buffers[] = {&fake_buffer};
    static const struct mls_op_label ops[] = {{"conv", "secret_conv"}, {NULL, NULL}, {"add", "secret_add"}};
    static const struct mls_step_attribute attributes[] = {
        {.step = 2, .name = "mode", .value = "\"secret\""}};
    static const double recent_ns[] = {10, 20, 30};
    static const struct mls_kept_event events[] = {{.step = 0, .begin_ns = 1, .ns = 2},
                                                   {.step = 3, .begin_ns = 4, .ns = 5}};
    static const struct mls_kept_thread threads[] = {{.step = 0, .thread = 1, .begin_ns = 1, .ns = 2}};
    static const struct mls_kept_prediction kept[] = {
        {.number = 7, .ns = 9, .events = events, .n_events = 2, .threads = threads, .n_threads = 1}};
    static struct mls_history history;
    static struct mls_log log;
    history = (struct mls_history){.n_points = 0};
    log = (struct mls_log){.n_lines = 0};
    mls_history_add(&history, &(struct mls_history_point){.at_s = 1, .mean_ns = 5, .runs = 3});
    mls_log_add(&log, 0.5, MLS_LOG_CHANGE, "secret threads=%d", 2);
    for (size_t i = 0; i < FAKE_STEPS; i++) {
        steps[i] = &fake_steps[i];
        stats[i] =
            (struct mls_step_stats){.time = {.runs = i, .p99_ns = 99 + i}, .share = 0.25, .gflops = 1.5};
    }
    return (struct mls_record){.environment = {.tool_version = "1.2",
                                               .commit = "",
                                               .cpu = "a processor",
                                               .isa = "avx2",
                                               .cores = 2,
                                               .kernel = "Linux 6",
                                               .date_utc = "today"},
                               .model = {.path = "/secret/folder/secret.mlpackage",
                                         .form = "mlpackage",
                                         .function = "main",
                                         .spec_version = 7,
                                         .threads = 2},
                               .load_ns = 5,
                               .stages = {[MLS_STAGE_PARSE] = {.entered = true, .ns = 5}},
                               .steps = steps,
                               .stats = stats,
                               .n_steps = FAKE_STEPS,
                               .ops = ops,
                               .n_ops = 3,
                               .buffers = buffers,
                               .n_buffers = 1,
                               .attributes = attributes,
                               .n_attributes = 1,
                               .predictions = {.runs = 12, .p50_ns = 34},
                               .wall = {1, 2, 3, 4},
                               .rate_hz = 2.5,
                               .recent_ns = recent_ns,
                               .n_recent = 3,
                               .kept = kept,
                               .n_kept = 1,
                               .history = &history,
                               .log = &log};
}

/* Writes a recording and gives its bytes; the caller frees. */
static uint8_t *write_fake(bool redact, size_t *ret_size)
{
    char path[] = "/tmp/mlscope-recording-XXXXXX";
    struct mls_record record = fake_record();
    struct mls_record_writer *writer;
    close(mkstemp(path));
    assert_int_equal(mls_record_create(path, redact, &writer, NULL), MLS_OK);
    assert_int_equal(mls_record_facts(writer, &record, NULL), MLS_OK);
    record.predictions.runs = 1; /* replaced by the second time */
    assert_int_equal(mls_record_measured(writer, &record, NULL), MLS_OK);
    record.predictions.runs = 12;
    assert_int_equal(mls_record_measured(writer, &record, NULL), MLS_OK);
    struct mls_bytes_out other = {.data = NULL};
    mls_put_text(&other, "of another room");
    assert_int_equal(
        mls_record_put(writer, &(struct mls_record_section){.tag = {'O', 'T', 'H', 'R'}, .bytes = &other},
                       NULL),
        MLS_OK);
    free(other.data);
    assert_int_equal(mls_record_close(writer, NULL), MLS_OK);
    FILE *file = fopen(path, "r");
    uint8_t *bytes = malloc(1 << 16);
    *ret_size = fread(bytes, 1, 1 << 16, file);
    fclose(file);
    remove(path);
    return bytes;
}

static void what_was_written_reads_back(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = write_fake(false, &size);
    struct mls_recording *recording;
    assert_int_equal(mls_recording_parse(bytes, size, &recording, NULL), MLS_OK);
    free(bytes);
    const struct mls_record *record = mls_recording_record(recording);
    assert_true(mls_recording_complete(recording));
    assert_string_equal(record->model.path, "secret.mlpackage");
    assert_null(record->model.cipher);
    assert_string_equal(record->environment.kernel, "Linux 6");
    assert_int_equal(record->stages[MLS_STAGE_PARSE].ns, 5);
    assert_int_equal(record->n_steps, FAKE_STEPS);
    assert_string_equal(record->steps[2]->path, "main/loop.body/add");
    assert_true(mls_type_equal(&record->steps[0]->outputs[0].type, &fake_operand.type));
    assert_int_equal(record->steps[0]->n_fused, 2);
    assert_string_equal(record->ops[2].name, "secret_add");
    assert_null(record->ops[1].name);
    assert_int_equal(record->buffers[0]->size_bytes, 128);
    assert_string_equal(record->attributes[0].value, "\"secret\"");
    assert_int_equal(record->predictions.runs, 12);
    assert_int_equal(record->stats[3].time.p99_ns, 102);
    assert_int_equal(record->wall.other_ns, 4);
    assert_int_equal(record->n_recent, 3);
    assert_int_equal(record->kept[0].events[1].step, 3);
    assert_int_equal(record->kept[0].n_threads, 1);
    assert_int_equal(record->kept[0].threads[0].thread, 1);
    assert_int_equal(record->kept[0].threads[0].ns, 2);
    assert_int_equal(record->history->points[0].runs, 3);
    assert_string_equal(record->log->lines[0].text, "secret threads=2");
    struct mls_cursor other = mls_recording_section(recording, "OTHR");
    assert_string_equal(mls_take_text(&other, mls_recording_arena(recording)), "of another room");
    mls_recording_free(recording);
}

static void redacted_recordings_hold_no_name(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = write_fake(true, &size);
    assert_null(memmem(bytes, size, "secret", 6));
    assert_null(memmem(bytes, size, "main", 4));
    struct mls_recording *recording;
    assert_int_equal(mls_recording_parse(bytes, size, &recording, NULL), MLS_OK);
    const struct mls_record *record = mls_recording_record(recording);
    assert_true(record->model.redacted);
    assert_string_equal(record->steps[0]->type, "conv");
    assert_string_equal(record->steps[0]->name, "op_0");
    mls_recording_free(recording);
    free(bytes);
}

/* Cut anywhere, it opens as far as it goes or is refused; it is never called complete. */
static void a_truncated_file_opens_as_far_as_it_goes(void **state)
{
    (void)state;
    size_t size, opened = 0;
    uint8_t *bytes = write_fake(false, &size);
    for (size_t length = 0; length < size; length++) {
        uint8_t *copy = malloc(length + 1);
        memcpy(copy, bytes, length);
        struct mls_recording *recording;
        if (mls_recording_parse(copy, length, &recording, NULL) == MLS_OK) {
            opened++;
            assert_false(mls_recording_complete(recording));
            mls_recording_free(recording);
        }
        free(copy);
    }
    assert_true(opened > size / 2);
    free(bytes);
}

static void a_changed_byte_is_refused_or_read_without_harm(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = write_fake(false, &size);
    for (size_t i = 0; i < size; i++)
        for (unsigned change = 1; change < 256; change += 84) {
            bytes[i] = (uint8_t)(bytes[i] ^ change);
            struct mls_recording *recording;
            if (mls_recording_parse(bytes, size, &recording, NULL) == MLS_OK)
                mls_recording_free(recording);
            bytes[i] = (uint8_t)(bytes[i] ^ change);
        }
    free(bytes);
}

static void later_versions_and_other_files_are_refused(void **state)
{
    (void)state;
    size_t size;
    struct mls_error error;
    struct mls_recording *recording;
    uint8_t *bytes = write_fake(false, &size);
    bytes[8] = 2;
    assert_int_equal(mls_recording_parse(bytes, size, &recording, &error), MLS_ERR_SPEC_VERSION);
    assert_non_null(strstr(error.text, "version 2"));
    assert_int_equal(mls_recording_parse("hello", 5, &recording, &error), MLS_ERR_OTHER_FORMAT);
    assert_int_equal(mls_recording_open("/nonexistent", &recording, &error), MLS_ERR_NOT_FOUND);
    free(bytes);
}

static void history_stays_bounded_and_keeps_sums(void **state)
{
    (void)state;
    struct mls_history history = {.n_points = 0};
    uint64_t runs = 0;
    for (unsigned i = 1; i <= 86400; i++) /* a day of seconds */
        mls_history_add(
            &history, &(struct mls_history_point){.at_s = i, .mean_ns = 2, .worst_ns = i % 1000, .runs = 10});
    assert_true(history.n_points > MLS_HISTORY_POINTS / 4);
    for (size_t i = 0; i < history.n_points; i++) {
        runs += history.points[i].runs;
        assert_true(history.points[i].mean_ns > 1.99 && history.points[i].mean_ns < 2.01);
        assert_true(i == 0 || history.points[i].at_s > history.points[i - 1].at_s);
    }
    assert_int_equal(runs, 864000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_reads_back),
        cmocka_unit_test(redacted_recordings_hold_no_name),
        cmocka_unit_test(a_truncated_file_opens_as_far_as_it_goes),
        cmocka_unit_test(a_changed_byte_is_refused_or_read_without_harm),
        cmocka_unit_test(later_versions_and_other_files_are_refused),
        cmocka_unit_test(history_stays_bounded_and_keeps_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
