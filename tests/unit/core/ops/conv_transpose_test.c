#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_vectors.h"

static void test_vectors(void **state)
{
    (void)state;
    assert_true(op_vectors_check(MLS_TEST_DATA "/vectors/conv_transpose.vec") > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
