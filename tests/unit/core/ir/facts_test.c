#include "support/test.h"

#include "core/model.h"

static void systems_are_named(void **state)
{
    (void)state;
    assert_string_equal(mls_system_for_spec(7), "iOS 16, macOS 13");
    assert_string_equal(mls_system_for_opset(6), "iOS 16, macOS 13");
    assert_string_equal(mls_system_for_spec(10), mls_system_for_opset(9));
}

static void unknown_systems_are_said_to_be(void **state)
{
    (void)state;
    assert_string_equal(mls_system_for_spec(0), "unknown system");
    assert_string_equal(mls_system_for_spec(11), "unknown system");
    assert_string_equal(mls_system_for_spec(INT32_MIN), "unknown system");
    assert_string_equal(mls_system_for_opset(4), "unknown system");
    assert_string_equal(mls_system_for_opset(UINT32_MAX), "unknown system");
}

static void kinds_of_features_have_names(void **state)
{
    (void)state;
    assert_string_equal(mls_feature_kind_name(MLS_FEATURE_TENSOR), "tensor");
    assert_string_equal(mls_feature_kind_name(MLS_FEATURE_STATE), "state");
    assert_string_equal(mls_feature_kind_name(MLS_FEATURE_KIND_COUNT), "unknown");
}

static void arguments_are_found_by_name(void **state)
{
    (void)state;
    const struct mls_argument arguments[] = {{"alpha", NULL, 0}, {"beta", NULL, 0}, {"x", NULL, 0}};
    const struct mls_op op = {.arguments = arguments, .n_arguments = 3};
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(mls_op_argument(&op, arguments[i].name), &arguments[i]);
    assert_null(mls_op_argument(&op, "gamma"));
    assert_null(mls_op_argument(&(struct mls_op){0}, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(systems_are_named),
        cmocka_unit_test(unknown_systems_are_said_to_be),
        cmocka_unit_test(kinds_of_features_have_names),
        cmocka_unit_test(arguments_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
