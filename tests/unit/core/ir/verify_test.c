#include "unit/core/ir/fixture.h"

#include "ir/verify.h"

static void refused(const struct fixture *f, enum mls_status status, const char *text)
{
    struct mls_error error = {0};
    assert_string_equal(mls_status_name(ir_verify_program(&f->program, &error)), mls_status_name(status));
    if (!strstr(error.text, text))
        fail_msg("\"%s\" is not in \"%s\"", text, error.text);
}

static void a_valid_program_passes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(ir_verify_program(&f.program, NULL), MLS_OK);
}

static void a_value_is_used_after_its_definition(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.add_x.i = Z; /* and z needs the sum: a cycle */
    refused(&f, MLS_ERR_PROGRAM_INVALID, "not defined");
}

static void an_index_lies_in_its_array(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.relu_x.i = N_VALUES;
    refused(&f, MLS_ERR_PROGRAM_INVALID, "does not exist");
    fixture_init(&f);
    f.op_ids[1].i = 2;
    refused(&f, MLS_ERR_PROGRAM_INVALID, "does not exist");
    fixture_init(&f);
    f.function.block.i = 2;
    refused(&f, MLS_ERR_PROGRAM_INVALID, "does not exist");
}

static void a_value_has_one_definition(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.relu_out.i = Y;
    refused(&f, MLS_ERR_PROGRAM_INVALID, "defined twice");
}

static void an_operation_stands_in_one_place(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.op_ids[1].i = 0;
    refused(&f, MLS_ERR_PROGRAM_INVALID, "two places");
    fixture_init(&f);
    f.ops[1].block.i = 1;
    refused(&f, MLS_ERR_PROGRAM_INVALID, "another place");
}

static void a_block_does_not_hold_itself(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.ops[1].blocks = f.block_ids;
    f.ops[1].n_blocks = 1;
    assert_int_equal(ir_verify_program(&f.program, NULL), MLS_OK);
    f.block_ids[0].i = 0;
    refused(&f, MLS_ERR_PROGRAM_INVALID, "two places");
}

static void a_value_of_a_block_is_gone_after_it(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    mls_value_id inner = {Y};
    f.ops[0].blocks = f.block_ids; /* the block of "add" defines y; nothing else does */
    f.ops[0].n_blocks = 1;
    f.ops[0].n_outputs = 0;
    f.blocks[1] = (struct mls_block){.parent = {0}, .inputs = &inner, .n_inputs = 1};
    f.values[Y].producer.i = MLS_NO_INDEX;
    refused(&f, MLS_ERR_PROGRAM_INVALID, "not defined");
}

static void an_unknown_opset_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.function.opset = MLS_OPSET_MAX + 1;
    refused(&f, MLS_ERR_OPSET_UNKNOWN, "opset 10");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_program_passes),
        cmocka_unit_test(a_value_is_used_after_its_definition),
        cmocka_unit_test(an_index_lies_in_its_array),
        cmocka_unit_test(a_value_has_one_definition),
        cmocka_unit_test(an_operation_stands_in_one_place),
        cmocka_unit_test(a_block_does_not_hold_itself),
        cmocka_unit_test(a_value_of_a_block_is_gone_after_it),
        cmocka_unit_test(an_unknown_opset_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
