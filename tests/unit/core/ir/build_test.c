#include "ir/build.h"

#include "support/test.h"

#include <stdio.h>

#include "base/limits.h"

struct context {
    struct mls_arena *arena;
    struct ir_builder *builder;
};

static int set_up(void **state)
{
    static struct context context;
    context.arena = mls_arena_create(0);
    context.builder = context.arena ? ir_builder_create(context.arena) : NULL;
    *state = &context;
    return context.builder ? 0 : -1;
}

static int tear_down(void **state)
{
    struct context *context = *state;
    ir_builder_free(context->builder);
    mls_arena_free(context->arena);
    return 0;
}

static enum mls_status define(struct context *context, const char *name, mls_value_id *ret_id)
{
    struct mls_value value = {.name = name, .producer = {MLS_NO_INDEX}};
    return ir_value_define(context->builder, &value, ret_id, NULL);
}

static void a_name_is_found_in_its_scope_and_within(void **state)
{
    struct context *context = *state;
    mls_value_id x = {0};
    assert_int_equal(ir_value_find(context->builder, "x").i, MLS_NO_INDEX);
    assert_int_equal(ir_scope_open(context->builder, NULL), MLS_OK);
    assert_int_equal(define(context, "x", &x), MLS_OK);
    assert_int_equal(ir_scope_open(context->builder, NULL), MLS_OK);
    assert_int_equal(ir_value_find(context->builder, "x").i, x.i);
    ir_scope_close(context->builder);
    ir_scope_close(context->builder);
    assert_int_equal(ir_value_find(context->builder, "x").i, MLS_NO_INDEX);
}

static void an_inner_name_hides_an_outer_one(void **state)
{
    struct context *context = *state;
    mls_value_id outer = {0}, inner = {0};
    assert_int_equal(ir_scope_open(context->builder, NULL), MLS_OK);
    assert_int_equal(define(context, "x", &outer), MLS_OK);
    assert_int_equal(ir_scope_open(context->builder, NULL), MLS_OK);
    assert_int_equal(define(context, "x", &inner), MLS_OK);
    assert_int_not_equal(inner.i, outer.i);
    assert_int_equal(ir_value_find(context->builder, "x").i, inner.i);
    ir_scope_close(context->builder);
    assert_int_equal(ir_value_find(context->builder, "x").i, outer.i);
    ir_scope_close(context->builder);
}

static void scopes_side_by_side_may_use_the_same_name(void **state)
{
    struct context *context = *state;
    for (int i = 0; i < 2; i++) {
        mls_value_id x;
        assert_int_equal(ir_scope_open(context->builder, NULL), MLS_OK);
        assert_int_equal(define(context, "x", &x), MLS_OK);
        assert_int_equal(define(context, "x", &x), MLS_ERR_PROGRAM_INVALID);
        ir_scope_close(context->builder);
    }
}

static void scopes_nest_up_to_the_limit(void **state)
{
    struct context *context = *state;
    for (int i = 0; i < MLS_LIMIT_BLOCK_DEPTH; i++)
        assert_int_equal(ir_scope_open(context->builder, NULL), MLS_OK);
    assert_int_equal(ir_scope_open(context->builder, NULL), MLS_ERR_LIMIT);
}

static void many_names_stay_apart(void **state)
{
    struct context *context = *state;
    enum { N = 5000 };
    static char names[N][8];
    assert_int_equal(ir_scope_open(context->builder, NULL), MLS_OK);
    for (uint32_t i = 0; i < N; i++) {
        mls_value_id id;
        snprintf(names[i], sizeof names[i], "v%u", (unsigned)i);
        assert_int_equal(define(context, names[i], &id), MLS_OK);
        assert_int_equal(id.i, i);
    }
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(ir_value_find(context->builder, names[i]).i, i);
    ir_scope_close(context->builder);
    assert_int_equal(ir_value_find(context->builder, names[17]).i, MLS_NO_INDEX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_is_found_in_its_scope_and_within, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_inner_name_hides_an_outer_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scopes_side_by_side_may_use_the_same_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scopes_nest_up_to_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_names_stay_apart, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
