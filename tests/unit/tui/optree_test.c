#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "view/optree.h"

static const char *module_of(const char *weight)
{
    static char text[128];
    const struct mls_step_operand operand = {.name = weight, .parameter = "weight", .constant = true};
    const struct mls_step step = {.inputs = &operand, .n_inputs = 1};
    mls_optree_module(&step, text, sizeof text);
    return text;
}

static void weights_tell_the_module(void **state)
{
    (void)state;
    assert_string_equal(module_of("encoder_layer_0_attention_self_query_weight_to_fp16"),
                        "encoder/layer.0/attention/self/query");
    assert_string_equal(module_of("model_23_cv3_0_1_conv_weight"), "model.23/cv3.0.1/conv");
    assert_string_equal(module_of("stem/conv.kernel"), "stem/conv");
}

static void names_without_a_module_tell_none(void **state)
{
    (void)state;
    assert_string_equal(module_of("const_17"), "");
    assert_string_equal(module_of("op_33_weight_0"), "");
    assert_string_equal(module_of("something_else"), "");
    assert_string_equal(module_of(""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_tell_the_module),
        cmocka_unit_test(names_without_a_module_tell_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
