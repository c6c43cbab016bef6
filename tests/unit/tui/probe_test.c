#include <math.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/probe.h"

static struct mls_probe_value value_of(float *elements, int64_t n)
{
    struct mls_tensor tensor = {.type = mls_type_tensor(MLS_FP32, 1, &n), .data = elements};
    return mls_probe_value_of("x", true, &tensor);
}

static void statistics_leave_out_what_is_not_finite(void **state)
{
    (void)state;
    float elements[] = {1, 3, NAN, 0, -INFINITY};
    struct mls_probe_value value = value_of(elements, 5);
    assert_int_equal(value.n_elems, 5);
    assert_int_equal(value.n_nan, 1);
    assert_int_equal(value.n_infinite, 1);
    assert_int_equal(value.n_zero, 1);
    assert_true(value.min == 0 && value.max == 3);
    assert_true(fabs(value.mean - 4.0 / 3) < 1e-12);
    assert_int_equal(value.classes[0], 1);
    assert_int_equal(value.classes[MLS_PROBE_CLASSES - 1], 1);
}

static void nothing_finite_has_no_range(void **state)
{
    (void)state;
    float elements[] = {NAN, NAN};
    struct mls_probe_value value = value_of(elements, 2);
    assert_true(isnan(value.min) && isnan(value.mean));
    assert_int_equal(value.n_nan, 2);
}

static void equal_elements_stand_in_one_class(void **state)
{
    (void)state;
    float elements[3000];
    for (size_t i = 0; i < 3000; i++)
        elements[i] = 7;
    struct mls_probe_value value = value_of(elements, 3000);
    assert_int_equal(value.classes[0], 3000);
    assert_true(value.std == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_leave_out_what_is_not_finite),
        cmocka_unit_test(nothing_finite_has_no_range),
        cmocka_unit_test(equal_elements_stand_in_one_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
