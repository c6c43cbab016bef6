/* Exporters: what they write is parsed again, with names that try to break each format. */
#include "support/test.h"

#include <jansson.h>
#include <stdlib.h>
#include <zlib.h>

#include "fake_run.h"
#include "pprof.pb-c.h"
#include "profiler/export.h"

enum mls_isa mls_session_isa(const struct mls_session *session)
{
    (void)session;
    return MLS_ISA_GENERIC;
}

uint32_t mls_session_threads(const struct mls_session *session)
{
    (void)session;
    return 1;
}

struct text {
    char *bytes;
    size_t length;
};

static bool append(void *user, const char *bytes, size_t length)
{
    struct text *text = user;
    text->bytes = realloc(text->bytes, text->length + length + 1);
    assert_non_null(text->bytes);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
    return true;
}

static bool refuse(void *user, const char *bytes, size_t length)
{
    (void)user;
    (void)bytes;
    (void)length;
    return false;
}

static const struct mls_op ops[] = {{.type = "conv", .name = "a,\"b\""}, {.type = "relu", .name = "r\xff\n"}};
static struct mls_model model = {.program = {.ops = ops, .n_ops = 2}};

/* One prediction, exported. */
static struct text export_as(const char *name, enum mls_status expected)
{
    struct mls_run run = {.now = mls_clock_ticks()};
    fake_add(&run, 0, 1000, 11000);
    fake_add(&run, 2, 13000, 15000);
    fake_add(&run, 3, 15000, 18000);
    fake_add(&run, 1, 12000, 20000);
    run.time = (struct mls_run_time){
        .end_ticks = fake_ticks(30000), .ops_ticks = fake_ticks(15000), .dispatch_ticks = fake_ticks(15000)};
    struct mls_recorder *recorder = mls_recorder_create(0);
    struct mls_profile *profile;
    const struct mls_profile_options options = {.max_trace_events = 100};
    assert_int_equal(mls_profile_create(NULL, &options, &profile, NULL), MLS_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mls_recorder_predict(recorder, &run, i > 0, NULL, NULL), MLS_OK);
    mls_profile_collect(profile, recorder);
    struct mls_loaded loaded = {.model = &model, .function = {MLS_NO_INDEX}};
    loaded.stages[MLS_STAGE_OPEN] = (struct mls_stage_time){.entered = true, .ns = 7};
    static const char *const reasons[] = {"too \"wide\"", "x;y"};
    const struct mls_step_note notes[FAKE_STEPS] = {
        {.predicted_unit = "ANE", .unit_confidence = "low", .reasons = reasons, .n_reasons = 2}};
    struct mls_environment environment = mls_environment_read("1", "");
    const struct mls_document document = {
        .environment = &environment, .loaded = &loaded, .profile = profile, .notes = notes};
    struct text text = {0};
    const struct mls_writer writer = {.user = &text, .write = expected ? refuse : append};
    assert_int_equal(mls_exporter_write(mls_exporter_find(name), &document, &writer, NULL), expected);
    mls_profile_free(profile);
    mls_recorder_free(recorder);
    return text;
}

static json_t *parse(const char *name)
{
    struct text text = export_as(name, MLS_OK);
    json_error_t error;
    json_t *root = json_loads(text.bytes, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("line %d: %s", error.line, error.text);
    free(text.bytes);
    return root;
}

static void json_has_the_parts_of_the_contract(void **state)
{
    (void)state;
    json_t *root = parse("json");
    assert_string_equal(json_string_value(json_object_get(root, "schema")), "mlscope.profile");
    static const char *const parts[] = {"environment", "model",  "load", "predict",
                                        "wall",        "memory", "ops",  "findings"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        assert_non_null(json_object_get(root, parts[i]));
    const json_t *op = json_array_get(json_object_get(root, "ops"), 0);
    static const char *const keys[] = {
        "index",    "function", "path",    "type",       "name",           "kernel",          "runs",
        "first_ns", "min_ns",   "p50_ns",  "p90_ns",     "p99_ns",         "mean_ns",         "std_ns",
        "share",    "start_ns", "flops",   "bytes_read", "bytes_written",  "gflops",          "gbytes_per_s",
        "bound",    "inputs",   "outputs", "unit",       "predicted_unit", "unit_confidence", "reasons",
        "fused"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_non_null(json_object_get(op, keys[i]));
    assert_string_equal(json_string_value(json_object_get(op, "name")), "a,\"b\"");
    assert_int_equal(json_integer_value(json_object_get(op, "runs")), 2);
    json_decref(root);
}

static void json_writes_null_for_what_is_not_known(void **state)
{
    (void)state;
    json_t *root = parse("json");
    const json_t *control = json_array_get(json_object_get(root, "ops"), 1);
    assert_true(json_is_null(json_object_get(control, "flops")));
    assert_true(json_is_null(json_object_get(control, "gflops")));
    assert_true(json_is_null(json_object_get(control, "predicted_unit")));
    assert_true(json_is_null(json_object_get(json_object_get(root, "model"), "path")));
    json_decref(root);
}

static void json_replaces_bytes_that_are_no_utf8(void **state)
{
    (void)state;
    json_t *root = parse("json");
    const json_t *fused = json_object_get(json_array_get(json_object_get(root, "ops"), 0), "fused");
    assert_string_equal(json_string_value(json_array_get(fused, 1)), "r??");
    json_decref(root);
}

static void csv_begins_with_the_fixed_columns(void **state)
{
    (void)state;
    static const char header[] = "op_index,function,path,type,name,runs,min_ns,p50_ns,p90_ns,p99_ns,mean_ns,"
                                 "std_ns,first_ns,share,cum_share,flops,"
                                 "bytes_read,bytes_written,peak_bytes_after,in_shapes,out_shapes,dtype,"
                                 "predicted_unit,unit_confidence,reasons,kernel,"
                                 "start_ns,gflops,gbytes_per_s,bound,unit,fused\n";
    struct text text = export_as("csv", MLS_OK);
    assert_memory_equal(text.bytes, header, sizeof header - 1);
    free(text.bytes);
}

static void csv_quotes_what_needs_it(void **state)
{
    (void)state;
    struct text text = export_as("csv", MLS_OK);
    assert_non_null(strstr(text.bytes, "conv,\"a,\"\"b\"\"\",2,"));
    assert_non_null(strstr(text.bytes, ",2x3,2x3,fp16,ANE,low,\"too \"\"wide\"\";x;y\","));
    size_t lines = 0;
    for (const char *at = text.bytes; *at; at++)
        lines += *at == '\n';
    assert_int_equal(lines, 1 + FAKE_STEPS);
    free(text.bytes);
}

static void folded_stacks_hold_no_separators_in_frames(void **state)
{
    (void)state;
    struct text text = export_as("folded", MLS_OK);
    assert_non_null(strstr(text.bytes, "main;conv;a,\"b\" "));
    assert_non_null(strstr(text.bytes, "main;loop.body;mul;x:y(z) "));
    free(text.bytes);
}

static void speedscope_weights_are_as_many_as_samples(void **state)
{
    (void)state;
    json_t *root = parse("speedscope");
    const json_t *profile = json_array_get(json_object_get(root, "profiles"), 0);
    const json_t *samples = json_object_get(profile, "samples");
    const json_t *weights = json_object_get(profile, "weights");
    size_t n_frames = json_array_size(json_object_get(json_object_get(root, "shared"), "frames"));
    assert_int_equal(json_array_size(samples), FAKE_STEPS);
    assert_int_equal(json_array_size(weights), FAKE_STEPS);
    json_int_t sum = 0;
    for (size_t i = 0; i < FAKE_STEPS; i++) {
        const json_t *sample = json_array_get(samples, i);
        for (size_t j = 0; j < json_array_size(sample); j++)
            assert_in_range(json_integer_value(json_array_get(sample, j)), 0, n_frames - 1);
        sum += json_integer_value(json_array_get(weights, i));
    }
    assert_int_equal(json_integer_value(json_object_get(profile, "endValue")), sum);
    json_decref(root);
}

static void pprof_refers_to_what_it_holds(void **state)
{
    (void)state;
    struct text text = export_as("pprof", MLS_OK);
    uint8_t bytes[65536];
    z_stream stream = {.next_in = (Bytef *)text.bytes,
                       .avail_in = (uInt)text.length,
                       .next_out = bytes,
                       .avail_out = sizeof bytes};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    Pprof__Profile *profile = pprof__profile__unpack(NULL, stream.total_out, bytes);
    inflateEnd(&stream);
    assert_non_null(profile);
    assert_string_equal(profile->string_table[0], "");
    assert_int_equal(profile->n_sample, FAKE_STEPS);
    for (size_t i = 0; i < profile->n_sample; i++) {
        assert_int_equal(profile->sample[i]->n_value, profile->n_sample_type);
        for (size_t j = 0; j < profile->sample[i]->n_location_id; j++)
            assert_in_range(profile->sample[i]->location_id[j], 1, profile->n_location);
    }
    for (size_t i = 0; i < profile->n_function; i++)
        assert_in_range(profile->function[i]->name, 1, profile->n_string_table - 1);
    pprof__profile__free_unpacked(profile, NULL);
    free(text.bytes);
}

static void trace_slices_of_a_thread_nest(void **state)
{
    (void)state;
    json_t *root = parse("trace");
    json_t *events = json_object_get(root, "traceEvents");
    double begin = 0, end = 0;
    size_t n_slices = 0, i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        const char *category = json_string_value(json_object_get(event, "cat"));
        double ts = json_number_value(json_object_get(event, "ts"));
        double dur = json_number_value(json_object_get(event, "dur"));
        if (category && !strcmp(category, "prediction")) {
            assert_true(ts >= end);
            if (!n_slices++)
                begin = ts;
            end = ts + dur;
        } else if (category && !strcmp(category, "operation")) {
            assert_true(ts >= begin && ts + dur <= end + 1e-9);
            n_slices++;
        }
    }
    assert_int_equal(n_slices, 3 + 3 * 4);
    json_decref(root);
}

static void a_writer_that_stops_ends_the_export(void **state)
{
    (void)state;
    for (size_t i = 0; i < mls_exporter_count(); i++)
        if (strcmp(mls_exporter_at(i)->name, "markdown") != 0) /* which needs a session */
            export_as(mls_exporter_at(i)->name, MLS_ERR_OUTPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_the_parts_of_the_contract),
        cmocka_unit_test(json_writes_null_for_what_is_not_known),
        cmocka_unit_test(json_replaces_bytes_that_are_no_utf8),
        cmocka_unit_test(csv_begins_with_the_fixed_columns),
        cmocka_unit_test(csv_quotes_what_needs_it),
        cmocka_unit_test(folded_stacks_hold_no_separators_in_frames),
        cmocka_unit_test(speedscope_weights_are_as_many_as_samples),
        cmocka_unit_test(pprof_refers_to_what_it_holds),
        cmocka_unit_test(trace_slices_of_a_thread_nest),
        cmocka_unit_test(a_writer_that_stops_ends_the_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
