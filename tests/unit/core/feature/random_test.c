#include "support.h"

#include <math.h>

#include "base/fp16.h"
#include "feature/random.h"

static void random_values_are_these_on_every_machine(void **state)
{
    (void)state;
    struct random_stream stream = random_begin(1, "x");
    uint64_t first = random_next(&stream);
    stream = random_begin(1, "x");
    assert_true(random_next(&stream) == first);
    stream = random_begin(2, "x");
    assert_true(random_next(&stream) != first);
    stream = random_begin(1, "y");
    assert_true(random_next(&stream) != first);
    stream = (struct random_stream){.state = 0}; /* published first output of splitmix64 for state 0 */
    assert_true(random_next(&stream) == 0xe220a8397b1dcdafu);
}

static void normal_values_have_the_moments(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    struct random_stream stream = random_begin(7, "moments");
    double sum = 0, squares = 0, fourth = 0;
    for (int i = 0; i < DRAWS; i++) {
        double v = random_normal(&stream);
        sum += v;
        squares += v * v;
        fourth += v * v * v * v;
    }
    assert_true(fabs(sum / DRAWS) < 0.01);
    assert_true(fabs(squares / DRAWS - 1) < 0.01);
    assert_true(fabs(fourth / DRAWS - 3) < 0.06);
}

static void random_inputs_follow_the_description(void **state)
{
    (void)state;
    struct mls_feature *feature =
        set_feature(0, "attention_mask", MLS_INT32, MLS_INT32, 1, (int64_t[]){1000});
    assert_int_equal(mls_feature_random(&run, 0, 1, NULL), MLS_OK);
    const int32_t *integers = run.tensors[0].data;
    bool bits = true;
    for (int i = 0; i < 1000; i++)
        bits = bits && (integers[i] == 0 || integers[i] == 1);
    assert_true(bits);
    feature->name = "ids";
    assert_int_equal(mls_feature_random(&run, 0, 1, NULL), MLS_OK);
    for (int i = 0; i < 1000; i++)
        assert_in_range(integers[i], 0, 7);
    feature->optional = feature->has_default = true;
    feature->default_value = 9;
    assert_int_equal(mls_feature_random(&run, 0, 1, NULL), MLS_OK);
    assert_int_equal(integers[999], 9);
    set_image(MLS_COLOR_RGB, MLS_FP16, 16, 16);
    assert_int_equal(mls_feature_random(&run, 0, 1, NULL), MLS_OK);
    for (int i = 0; i < 768; i++) {
        float value = mls_fp16_to_fp32(((uint16_t *)run.tensors[0].data)[i]);
        assert_true(value >= 0 && value <= 255 && value == floorf(value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_values_are_these_on_every_machine),
        TEST(normal_values_have_the_moments),
        TEST(random_inputs_follow_the_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
