/* fuse_test.c: steps that do several operations: which, and that the bits stay the same. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/opened.h"

#include "core/cpu.h"
#include "core/pass.h"
#include "ops/op_family.h"

/* ---- Bits ---- */

struct side {
    struct mls_session *session;
    struct mls_run *run;
};

static struct side side_create(const struct mls_model *model, const struct mls_session_options *options)
{
    struct side side = {0};
    struct mls_error error;
    const struct mls_plan *plan;
    enum mls_status status = mls_session_create(model, options, &side.session, &error);
    if (!status)
        status = mls_session_plan(side.session, NULL, &plan, &error);
    if (!status)
        status = mls_run_create(side.session, plan, &side.run, &error);
    for (size_t i = 0; !status && i < mls_session_interface(side.session)->n_inputs; i++)
        status = mls_feature_random(side.run, i, 7, &error);
    if (!status)
        status = mls_run_predict(side.run, NULL, NULL, &error);
    if (status)
        fail_msg("%s", error.text);
    return side;
}

static void side_free(struct side *side)
{
    mls_run_free(side->run);
    mls_session_free(side->session);
}

/* What leaves out roundings is for pass_test.c. */
static uint64_t passes_that_round(void)
{
    uint64_t passes = 0;
    for (uint32_t i = 0; i < mls_pass_count(); i++)
        if (!mls_pass_keeps_bits(i))
            passes |= (uint64_t)1 << i;
    return passes;
}

static void check_bits(const char *path, const struct mls_model *model, struct mls_session_options options)
{
    options.passes_off = passes_that_round();
    struct side fused = side_create(model, &options);
    options.no_fusion = true;
    struct side apart = side_create(model, &options);
    for (size_t i = 0; i < mls_session_interface(fused.session)->n_outputs; i++) {
        const struct mls_tensor *a = mls_run_output(fused.run, i), *b = mls_run_output(apart.run, i);
        size_t bytes = mls_type_bytes(&b->type);
        if (mls_type_bytes(&a->type) != bytes || memcmp(a->data, b->data, bytes) != 0)
            fail_msg("%s, %s, %u threads: output %zu differs", path, mls_isa_name(options.cpu),
                     options.threads, i);
    }
    side_free(&fused);
    side_free(&apart);
}

/* With every instruction set on three threads; a small package also on one, and in high precision. */
static void check_package(const char *path, bool small)
{
    struct mls_package *package;
    struct mls_model *model;
    struct mls_error error;
    if (mls_package_open(path, &(struct mls_package_options){0}, &package, &error) ||
        mls_model_load(package, NULL, &model, &error))
        fail_msg("%s: %s", path, error.text);
    enum mls_isa best = mls_cpu_best();
    for (enum mls_isa isa = MLS_ISA_GENERIC; isa <= best; isa++) {
        struct mls_session_options options = {.threads = 3, .cpu_capped = true, .cpu = isa};
        check_bits(path, model, options);
        options.threads = 1;
        if (small || isa == best)
            check_bits(path, model, options);
        options.precision = MLS_PRECISION_HIGH;
        if (small)
            check_bits(path, model, options);
    }
    mls_model_free(model);
    mls_package_release(package);
}

static void cases_give_the_same_bits(void **state)
{
    (void)state;
    const char *folder = MLS_TEST_DATA "/../parity/cases";
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s/model.mlpackage", folder, entry->d_name);
        if (entry->d_name[0] != '.' && !access(path, R_OK))
            check_package(path, true);
    }
    closedir(directory);
}

static void the_demo_gives_the_same_bits(void **state)
{
    (void)state;
    check_package(MLS_TEST_DATA "/../demo/digits.mlpackage", true);
}

static void large_models_give_the_same_bits(void **state)
{
    (void)state;
    static const char *const paths[] = {
        MLS_SHARED "/models/minilm/minilm_l6_v2.mlpackage",
        MLS_SHARED "/models/piyushmundhra__AutoNeRF/superpoint.mlpackage",
        MLS_SHARED "/models/AristidesAI__VisionEmoji/yolo26n.mlpackage",
    };
    size_t n_found = 0;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (access(paths[i], R_OK))
            continue;
        n_found++;
        check_package(paths[i], false);
    }
    if (!n_found)
        skip();
}

/* ---- Which operations ---- */

static const struct mls_step *find_step(const struct opened *opened, const char *name)
{
    for (size_t i = 0; i < mls_plan_step_count(opened->plan); i++)
        if (!strcmp(mls_plan_step(opened->plan, i)->name, name))
            return mls_plan_step(opened->plan, i);
    return NULL;
}

/* The names of a step's operations with a blank between them. */
static void assert_operations(const struct opened *opened, const char *step_name, const char *expected)
{
    const struct mls_program *program = &opened->model->program;
    const struct mls_step *step = find_step(opened, step_name);
    char names[256] = "";
    assert_non_null(step);
    for (uint32_t i = 0; i < step->n_fused; i++) {
        strcat(names, i ? " " : "");
        strcat(names, program->ops[step->fused[i].i].name);
    }
    assert_string_equal(names, expected);
}

static void chains_join_the_step_before_them(void **state)
{
    (void)state;
    struct opened opened = opened_create("fusion", &(struct mls_session_options){.threads = 1});
    assert_operations(&opened, "chain_conv", "chain_conv chain_relu chain_mul");
    assert_operations(&opened, "pool", "pool pool_leaky");
    assert_operations(&opened, "up_conv", "up_conv up_tanh");
    assert_operations(&opened, "scaled_linear", "scaled_linear scaled_div");
    opened_close(&opened);
}

static void a_tensor_operand_must_be_there_before(void **state)
{
    (void)state;
    struct opened opened = opened_create("fusion", &(struct mls_session_options){.threads = 1});
    assert_operations(&opened, "rest_conv", "rest_conv rest_sub");
    assert_operations(&opened, "first_conv", "first_conv");
    assert_operations(&opened, "second_conv", "second_conv both_add");
    assert_operations(&opened, "early_matmul", "early_matmul");
    assert_operations(&opened, "late_maximum", "late_maximum");
    opened_close(&opened);
}

static void values_with_two_consumers_stay(void **state)
{
    (void)state;
    struct opened opened = opened_create("fusion", &(struct mls_session_options){.threads = 1});
    assert_operations(&opened, "twice_conv", "twice_conv");
    assert_operations(&opened, "shown_conv", "shown_conv");
    opened_close(&opened);
}

static void bodies_of_loops_fuse_too(void **state)
{
    (void)state;
    struct opened opened = opened_create("fusion_loop", &(struct mls_session_options){.threads = 1});
    bool found = false;
    for (size_t i = 0; i < mls_plan_step_count(opened.plan); i++) {
        const struct mls_step *step = mls_plan_step(opened.plan, i);
        if (strcmp(step->type, "matmul"))
            continue;
        found = true;
        assert_int_equal(step->n_fused, 3);
        assert_int_equal(step->depth, 1);
    }
    assert_true(found);
    opened_close(&opened);
}

static void the_step_speaks_for_all_its_operations(void **state)
{
    (void)state;
    struct opened opened = opened_create("fusion", &(struct mls_session_options){.threads = 1});
    const struct mls_step *step = find_step(&opened, "rest_conv");
    assert_string_equal(step->type, "conv");
    assert_string_equal(step->outputs[0].name, "rest_sub");
    assert_string_equal(step->inputs[step->n_inputs - 1].name, "chain_mul");
    assert_string_equal(step->inputs[step->n_inputs - 1].parameter, "x");
    assert_int_equal(step->cost.bytes_written, 4 * 36 * sizeof(float));
    assert_int_equal(step->cost.flops, 4 * 36 * (2 * 4 + 1));
    opened_close(&opened);
}

/* Each operation belongs to one step, in file order, and nothing gets lost. */
static void every_operation_is_listed_once(void **state)
{
    (void)state;
    static const char *const cases[] = {"fusion", "fusion_fp16", "fusion_loop", "shared_memory",
                                        "loop_nested"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t others = ~((uint64_t)1 << mls_pass_find("elementwise"));
        struct opened fused =
            opened_create(cases[i], &(struct mls_session_options){.threads = 1, .passes_off = others});
        struct opened apart =
            opened_create(cases[i], &(struct mls_session_options){.threads = 1, .no_fusion = true});
        uint32_t n_ops = fused.model->program.n_ops;
        unsigned char *listed = calloc(n_ops, 1);
        assert_non_null(listed);
        uint64_t flops = 0;
        for (size_t j = 0; j < mls_plan_step_count(fused.plan); j++) {
            const struct mls_step *step = mls_plan_step(fused.plan, j);
            assert_int_equal(step->fused[0].i, step->op.i);
            flops += step->cost.flops;
            for (uint32_t k = 0; k < step->n_fused; k++) {
                assert_int_equal(listed[step->fused[k].i]++, 0);
                assert_true(!k || step->fused[k - 1].i < step->fused[k].i);
            }
        }
        for (size_t j = 0; j < mls_plan_step_count(apart.plan); j++) {
            const struct mls_step *step = mls_plan_step(apart.plan, j);
            assert_int_equal(step->n_fused, 1);
            assert_int_equal(listed[step->op.i]--, 1);
            flops -= step->cost.flops;
        }
        for (uint32_t j = 0; j < n_ops; j++)
            assert_int_equal(listed[j], 0);
        assert_int_equal(flops, 0);
        free(listed);
        opened_close(&fused);
        opened_close(&apart);
    }
}

/* The output of a step that goes on with it has memory of its own, so that operands are intact until the end.
 */
static void steps_that_go_on_have_memory_of_their_own(void **state)
{
    (void)state;
    static const struct mls_op_family *const families[] = {
#define X(family) &mls_ops_##family,
#include "ops/families.def"
#undef X
    };
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        for (uint32_t j = 0; j < families[i]->n_rows; j++)
            if (families[i]->rows[j].flags & MLS_OP_EPILOGUE)
                assert_int_equal(families[i]->rows[j].flags & (MLS_OP_INPLACE | MLS_OP_VIEW), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_give_the_same_bits),
        cmocka_unit_test(the_demo_gives_the_same_bits),
        cmocka_unit_test(large_models_give_the_same_bits),
        cmocka_unit_test(steps_that_go_on_have_memory_of_their_own),
        cmocka_unit_test(chains_join_the_step_before_them),
        cmocka_unit_test(a_tensor_operand_must_be_there_before),
        cmocka_unit_test(values_with_two_consumers_stay),
        cmocka_unit_test(bodies_of_loops_fuse_too),
        cmocka_unit_test(the_step_speaks_for_all_its_operations),
        cmocka_unit_test(every_operation_is_listed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
