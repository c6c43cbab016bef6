/* Models that are no networks give what scikit-learn and NumPy say (tests/parity/make_classical.py). */
#include "support/test.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/feature.h"
#include "core/package.h"
#include "core/session.h"
#include "support/op_coverage.h"

#define FOLDER MLS_TEST_DATA "/../parity/classical"

struct opened_model {
    struct mls_package *package;
    struct mls_model *model;
    struct mls_session *session;
    const struct mls_plan *plan;
    struct mls_run *run;
};

static struct opened_model open_model(const char *name)
{
    struct opened_model opened = {0};
    struct mls_package_options options = {0};
    struct mls_error error = {0};
    char path[512];
    snprintf(path, sizeof path, FOLDER "/%s.mlmodel", name);
    if (mls_package_open(path, &options, &opened.package, &error) ||
        mls_model_load(opened.package, NULL, &opened.model, &error) ||
        mls_session_create(opened.model, NULL, &opened.session, &error) ||
        mls_session_plan(opened.session, NULL, &opened.plan, &error) ||
        mls_run_create(opened.session, opened.plan, &opened.run, &error))
        fail_msg("%s: %s", name, error.text);
    const struct mls_program *program = &opened.model->program;
    for (uint32_t i = 0; i < program->n_ops; i++)
        op_coverage_add(mls_op_find(program->ops[i].type, mls_op_opset(program, &program->ops[i])));
    return opened;
}

static void close_model(struct opened_model *opened)
{
    mls_run_free(opened->run);
    mls_session_release_plan(opened->session, opened->plan);
    mls_session_free(opened->session);
    mls_model_free(opened->model);
    mls_package_release(opened->package);
}

/* Fills an input from a file of its own, as users do; what is not given is drawn. */
static void fill(struct mls_run *run, const char *case_name, const json_t *sample)
{
    const struct mls_interface *interface = mls_session_interface(mls_run_session(run));
    for (size_t i = 0; i < interface->n_inputs; i++) {
        const json_t *value = json_object_get(sample, interface->inputs[i].name);
        struct mls_error error = {0};
        enum mls_status status;
        if (value) {
            char path[] = P_tmpdir "/mls-classical-XXXXXX";
            int fd = mkstemp(path);
            assert_true(fd >= 0);
            assert_int_equal(json_dumpfd(value, fd, JSON_ENCODE_ANY), 0);
            close(fd);
            status = mls_feature_read(run, i, path, &error);
            unlink(path);
        } else {
            status = mls_feature_random(run, i, 1, &error);
        }
        if (status)
            fail_msg("%s: %s", case_name, error.text);
    }
}

static double number_at(const struct mls_tensor *tensor, size_t i)
{
    return tensor->type.dtype == MLS_INT64  ? (double)((const int64_t *)tensor->data)[i]
           : tensor->type.dtype == MLS_FP32 ? (double)((const float *)tensor->data)[i]
                                            : ((const double *)tensor->data)[i];
}

static void expect_close(const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * fmax(1, fabs(want))))
        fail_msg("%s is %.17g, not %.17g", what, got, want);
}

static void expect_text(const char *what, const struct mls_tensor *tensor, size_t i, const char *want)
{
    const struct mls_text *text = (const struct mls_text *)tensor->data + i;
    if (text->length_bytes != strlen(want) || memcmp(text->bytes, want, text->length_bytes))
        fail_msg("%s is %.*s, not %s", what, (int)text->length_bytes, text->bytes, want);
}

/* The number by a key, which the file of cases has as a text. */
static double value_of(const char *what, const struct mls_tensor *tensor, const char *key)
{
    for (size_t i = 0; i < (size_t)mls_type_elems(&tensor->type); i++) {
        const struct mls_tensor *keys = tensor->keys;
        const struct mls_text *text = (const struct mls_text *)keys->data + i;
        bool same = keys->type.dtype == MLS_INT64
                        ? ((const int64_t *)keys->data)[i] == strtoll(key, NULL, 10)
                        : text->length_bytes == strlen(key) && !memcmp(text->bytes, key, text->length_bytes);
        if (same)
            return number_at(tensor, i);
    }
    fail_msg("%s: no key %s", what, key);
    return 0;
}

static void expect_output(const char *what, const struct mls_tensor *tensor, json_t *want, double tolerance)
{
    const char *key;
    json_t *value;
    if (json_is_object(want)) {
        assert_int_equal(mls_type_elems(&tensor->type), json_object_size(want));
        json_object_foreach(want, key, value)
            expect_close(what, value_of(what, tensor, key), json_number_value(value), tolerance);
    } else if (json_is_array(want)) {
        assert_int_equal(mls_type_elems(&tensor->type), json_array_size(want));
        for (size_t i = 0; i < json_array_size(want); i++)
            expect_close(what, number_at(tensor, i), json_number_value(json_array_get(want, i)), tolerance);
    } else if (json_is_string(want)) {
        expect_text(what, tensor, 0, json_string_value(want));
    } else {
        expect_close(what, number_at(tensor, 0), json_number_value(want), tolerance);
    }
}

/* The output of that name; a model's only one has the name that its converter liked. */
static const struct mls_tensor *find_output(const struct mls_run *run, const char *name)
{
    const struct mls_interface *interface = mls_session_interface(mls_run_session(run));
    for (size_t i = 0; i < interface->n_outputs; i++)
        if (!strcmp(interface->outputs[i].name, name))
            return mls_run_output(run, i);
    return interface->n_outputs == 1 ? mls_run_output(run, 0) : NULL;
}

static void models_give_what_others_say(void **state)
{
    (void)state;
    json_t *cases = json_load_file(FOLDER "/cases.json", 0, NULL);
    assert_true(json_array_size(cases) > 40);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *test_case = json_array_get(cases, i);
        const char *name = json_string_value(json_object_get(test_case, "name"));
        const json_t *samples = json_object_get(test_case, "inputs"),
                     *expected = json_object_get(test_case, "expected");
        struct opened_model opened = open_model(name);
        for (size_t k = 0; k < json_array_size(samples); k++) {
            struct mls_error error = {0};
            const char *output;
            json_t *want;
            fill(opened.run, name, json_array_get(samples, k));
            if (mls_run_predict(opened.run, NULL, NULL, &error))
                fail_msg("%s: %s", name, error.text);
            json_object_foreach(json_array_get(expected, k), output, want)
            {
                const struct mls_tensor *tensor = find_output(opened.run, output);
                bool only_label = json_is_object(want) && tensor && tensor->type.kind != MLS_KIND_DICTIONARY;
                if (!only_label) /* some models do not give their scores */
                    expect_output(name, tensor, want,
                                  json_number_value(json_object_get(test_case, "tolerance")));
            }
        }
        close_model(&opened);
    }
    json_decref(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(models_give_what_others_say)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
