/* The unary and conversion kernels of every instruction set against the generic ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/convert/convert.h"
#include "kernels/kernels.h"
#include "kernels/unary/unary.h"

enum { FP16_VALUES = 1 << 16, LONGEST = 67 };

static const enum mls_isa isas[] = {MLS_ISA_GENERIC, MLS_ISA_AVX2, MLS_ISA_AVX512};
enum { N_ISAS = sizeof isas / sizeof isas[0] };

static const struct mls_unary_params params = {.alpha = 0.25f, .beta = 1.5f};

/* Places of two fp16 numbers in their order; NaNs are all one place. */
static int32_t place(uint16_t half)
{
    if ((half & 0x7fff) > 0x7c00)
        return INT32_MAX;
    return half & 0x8000 ? -(int32_t)(half & 0x7fff) : half;
}

static void every_fp16_value_converts_as_the_oracle_says(void **state)
{
    (void)state;
    static uint16_t all[FP16_VALUES], back[FP16_VALUES];
    static float wide[FP16_VALUES];
    for (unsigned i = 0; i < FP16_VALUES; i++)
        all[i] = (uint16_t)i;
    for (unsigned k = 0; k < N_ISAS; k++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[k]);
        kernels.convert->fp16_to_fp32(all, wide, FP16_VALUES);
        kernels.convert->fp32_to_fp16(wide, back, FP16_VALUES);
        for (unsigned i = 0; i < FP16_VALUES; i++) {
            float oracle = mls_fp16_to_fp32((uint16_t)i);
            assert_memory_equal(&wide[i], &oracle, sizeof oracle);
            assert_int_equal(back[i], mls_fp32_to_fp16(oracle));
        }
    }
}

static void fp32_rounds_to_fp16_as_the_oracle_says(void **state)
{
    (void)state;
    static float wide[FP16_VALUES];
    static uint16_t half[FP16_VALUES];
    for (unsigned i = 0; i < FP16_VALUES;
         i++) { /* all upper halves, lower ones that sit on and beside ties */
        static const uint32_t lower[] = {0x0000, 0x0fff, 0x1000, 0x1001, 0x2000, 0x3000, 0xffff};
        uint32_t bits = i << 16 | lower[i % 7];
        memcpy(&wide[i], &bits, sizeof bits);
    }
    for (unsigned k = 0; k < N_ISAS; k++) {
        mls_kernels_pick(isas[k]).convert->fp32_to_fp16(wide, half, FP16_VALUES);
        for (unsigned i = 0; i < FP16_VALUES; i++)
            assert_int_equal(place(half[i]), place(mls_fp32_to_fp16(wide[i])));
    }
}

static void every_function_of_every_fp16_value_agrees_with_generic(void **state)
{
    (void)state;
    static uint16_t x[FP16_VALUES], wanted[FP16_VALUES], got[FP16_VALUES];
    for (unsigned i = 0; i < FP16_VALUES; i++)
        x[i] = (uint16_t)i;
    struct mls_kernels generic = mls_kernels_pick(MLS_ISA_GENERIC);
    for (unsigned f = 0; f < MLS_UNARY_COUNT; f++) {
        generic.unary->fp16[f].run(x, wanted, FP16_VALUES, &params);
        for (unsigned k = 1; k < N_ISAS; k++) {
            const struct mls_unary_kernel *kernel = &mls_kernels_pick(isas[k]).unary->fp16[f];
            kernel->run(x, got, FP16_VALUES, &params);
            for (unsigned i = 0; i < FP16_VALUES; i++)
                if (abs(place(got[i]) - place(wanted[i])) > 1)
                    fail_msg("%s(%04x) is %04x, generic says %04x", kernel->name, i, got[i], wanted[i]);
        }
    }
}

static void fp16_results_are_fp32_results_rounded_once(void **state)
{
    (void)state;
    static uint16_t x[FP16_VALUES], got[FP16_VALUES];
    static float wide[FP16_VALUES], wanted[FP16_VALUES];
    for (unsigned i = 0; i < FP16_VALUES; i++) {
        x[i] = (uint16_t)i;
        wide[i] = mls_fp16_to_fp32(x[i]);
    }
    for (unsigned k = 0; k < N_ISAS; k++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[k]);
        for (unsigned f = 0; f < MLS_UNARY_COUNT; f++) {
            kernels.unary->fp16[f].run(x, got, FP16_VALUES, &params);
            kernels.unary->fp32[f].run(wide, wanted, FP16_VALUES, &params);
            for (unsigned i = 0; i < FP16_VALUES; i++)
                if (place(got[i]) != place(mls_fp32_to_fp16(wanted[i])))
                    fail_msg("%s(%04x) is %04x, in fp32 %a", kernels.unary->fp16[f].name, i, got[i],
                             (double)wanted[i]);
        }
    }
}

static void products_with_x_keep_the_sign_of_zero(void **state)
{
    (void)state;
    static const enum mls_unary functions[] = {MLS_UNARY_GELU, MLS_UNARY_GELU_TANH, MLS_UNARY_SILU};
    for (unsigned k = 0; k < N_ISAS; k++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[k]);
        for (unsigned f = 0; f < sizeof functions / sizeof functions[0]; f++) {
            float wide = -0.0f;
            uint16_t half = 0x8000;
            kernels.unary->fp32[functions[f]].run(&wide, &wide, 1, &params);
            kernels.unary->fp16[functions[f]].run(&half, &half, 1, &params);
            assert_true(wide == 0 && signbit(wide));
            assert_int_equal(half, 0x8000);
        }
    }
}

/* Every length up to LONGEST, at an odd address, in place and not; neighbours stay as they were. */
static void check_lengths(const struct mls_unary_kernel *kernel, size_t elem_bytes)
{
    enum { ROOM = (LONGEST + 2) * 4 };
    unsigned char x[ROOM], whole[ROOM], got[ROOM], before[ROOM];
    for (size_t i = 0; i < ROOM; i++)
        x[i] = (unsigned char)(i * 37 % 61); /* small numbers of both types, denormals among them */
    kernel->run(x + elem_bytes, whole + elem_bytes, LONGEST, &params);
    for (size_t n = 0; n <= LONGEST; n++) {
        memset(got, 0x5a, sizeof got);
        memcpy(before, got, sizeof got);
        kernel->run(x + elem_bytes, got + elem_bytes, n, &params);
        memcpy(before + elem_bytes, whole + elem_bytes, n * elem_bytes);
        if (memcmp(got, before, sizeof got) != 0)
            fail_msg("%s of %zu elements differs", kernel->name, n);
        memcpy(got, x, sizeof got);
        kernel->run(got + elem_bytes, got + elem_bytes, n, &params);
        if (memcmp(got + elem_bytes, whole + elem_bytes, n * elem_bytes) != 0)
            fail_msg("%s of %zu elements differs in place", kernel->name, n);
    }
}

static void any_length_and_aliasing_give_the_same_results(void **state)
{
    (void)state;
    for (unsigned k = 0; k < N_ISAS; k++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[k]);
        for (unsigned f = 0; f < MLS_UNARY_COUNT; f++) {
            check_lengths(&kernels.unary->fp16[f], 2);
            check_lengths(&kernels.unary->fp32[f], 4);
        }
    }
}

static void doubles_are_rounded_to_fp16_once(void **state)
{
    (void)state;
    /* Just above the tie between 1 and its successor: by way of fp32 it would fall on the tie and go down
     * to 1. */
    double value = 1 + 0x1p-11 + 0x1p-40;
    uint16_t half;
    mls_cast(MLS_FP64, &value, MLS_FP16, &half, 1);
    assert_int_equal(half, 0x3c01);
    value = -value;
    mls_cast(MLS_FP64, &value, MLS_FP16, &half, 1);
    assert_int_equal(half, 0xbc01);
    value = 1 + 0x1p-11 - 0x1p-40;
    mls_cast(MLS_FP64, &value, MLS_FP16, &half, 1);
    assert_int_equal(half, 0x3c00);
}

static void kinds_without_a_rule_are_refused(void **state)
{
    (void)state;
    assert_false(mls_cast_can(MLS_TEXT, MLS_FP32));
    assert_false(mls_cast_can(MLS_FP32, MLS_UINT4));
    assert_false(mls_cast_can(MLS_UINT64, MLS_FP32));
    assert_true(mls_cast_can(MLS_BF16, MLS_FP32));
    assert_true(mls_cast_can(MLS_BOOL, MLS_INT8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fp16_value_converts_as_the_oracle_says),
        cmocka_unit_test(fp32_rounds_to_fp16_as_the_oracle_says),
        cmocka_unit_test(every_function_of_every_fp16_value_agrees_with_generic),
        cmocka_unit_test(fp16_results_are_fp32_results_rounded_once),
        cmocka_unit_test(products_with_x_keep_the_sign_of_zero),
        cmocka_unit_test(any_length_and_aliasing_give_the_same_results),
        cmocka_unit_test(doubles_are_rounded_to_fp16_once),
        cmocka_unit_test(kinds_without_a_rule_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
