/* opened.h: a package of tests/parity/cases, opened up to a run with random inputs. */
#pragma once

#include "support/test.h"

#include "core/feature.h"
#include "core/package.h"
#include "core/session.h"
#include "support/op_coverage.h"

struct opened {
    struct mls_package *package;
    struct mls_model *model;
    struct mls_session *session;
    const struct mls_plan *plan;
    struct mls_run *run;
    struct mls_error error;
};

static inline void opened_close(struct opened *opened)
{
    mls_run_free(opened->run);
    mls_session_free(opened->session);
    mls_model_free(opened->model);
    mls_package_release(opened->package);
}

/* The rows that the case runs; tests/parity compares its numbers. */
static inline void opened_cover(const struct opened *opened)
{
    const struct mls_program *program = &opened->model->program;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        op_coverage_add(mls_op_find(op->type, program->functions[op->function.i].opset));
    }
}

/* opened_create: the case called `name`; fails the test with the error's text. */
static inline struct opened opened_create(const char *name, const struct mls_session_options *options)
{
    struct opened opened = {0};
    struct mls_package_options none = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/../parity/cases/%s/model.mlpackage", MLS_TEST_DATA, name);
    enum mls_status status = mls_package_open(path, &none, &opened.package, &opened.error);
    if (!status)
        status = mls_model_load(opened.package, NULL, &opened.model, &opened.error);
    if (!status)
        status = mls_session_create(opened.model, options, &opened.session, &opened.error);
    if (!status)
        status = mls_session_plan(opened.session, NULL, &opened.plan, &opened.error);
    if (!status)
        status = mls_run_create(opened.session, opened.plan, &opened.run, &opened.error);
    for (size_t i = 0; !status && i < mls_session_interface(opened.session)->n_inputs; i++)
        status = mls_feature_random(opened.run, i, 1, &opened.error);
    if (status)
        fail_msg("%s: %s", name, opened.error.text);
    opened_cover(&opened);
    return opened;
}
