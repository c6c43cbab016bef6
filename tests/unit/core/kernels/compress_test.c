/* Kernels of compression: every instruction set against the definition in compress.h, over odd sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/compress/compress.h"
#include "kernels/kernels.h"
#include "kernels/lut/lut.h"

enum { N_MAX = 133, GUARD = 0xa5 };

static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, N_MAX};
enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

static float to_fp16(float value)
{
    return mls_fp16_to_fp32(mls_fp32_to_fp16(value));
}

static float draw(void)
{
    return to_fp16((float)(rand() % 2001 - 1000) / 512);
}

/* One element by the definition. Returns what is lost. */
static double quantize_one(float x, const struct mls_quantizing *quantizing, bool half, uint8_t *ret_q)
{
    float ratio = x / quantizing->scale;
    float q = rintf(half ? to_fp16(ratio) : ratio) + quantizing->zero;
    q = q < quantizing->low ? quantizing->low : q > quantizing->high ? quantizing->high : q;
    if (q != q)
        q = 0;
    float back = quantizing->scale * (q - quantizing->zero);
    *ret_q = (uint8_t)(int)q;
    return (double)x - (double)(half ? to_fp16(back) : back);
}

static void check_quantize(const struct mls_compress_kernels *kernels, size_t n,
                           const struct mls_quantizing *quantizing)
{
    float x[N_MAX];
    uint16_t halves[N_MAX];
    for (size_t i = 0; i < n; i++) {
        x[i] = i % 11 ? draw() : 0;
        halves[i] = mls_fp32_to_fp16(x[i]);
    }
    for (int half = 0; half < 2; half++) {
        uint8_t wanted[N_MAX + 1], got[N_MAX + 1];
        double lost = 0;
        memset(wanted, GUARD, sizeof wanted);
        memset(got, GUARD, sizeof got);
        for (size_t i = 0; i < n; i++) {
            double one = quantize_one(x[i], quantizing, half, &wanted[i]);
            lost += one * one;
        }
        double told = half ? kernels->quantize_fp16(halves, n, quantizing, got)
                           : kernels->quantize_fp32(x, n, quantizing, got);
        assert_memory_equal(got, wanted, sizeof got);
        assert_true(fabs(told - lost) <= 1e-6 * (lost + 1e-12));
    }
}

static void check_sums(const struct mls_compress_kernels *kernels, size_t n)
{
    float x[N_MAX], low = INFINITY, high = -INFINITY, least, most;
    uint16_t halves[N_MAX];
    double energy = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = draw();
        halves[i] = mls_fp32_to_fp16(x[i]);
        energy += (double)x[i] * (double)x[i];
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    kernels->range_fp16(halves, n, &least, &most);
    assert_true(least == low && most == high);
    kernels->range_fp32(x, n, &least, &most);
    assert_true(least == low && most == high);
    assert_true(fabs(kernels->energy_fp16(halves, n) - energy) <= 1e-12 * energy);
    assert_true(fabs(kernels->energy_fp32(x, n) - energy) <= 1e-12 * energy);
    x[n / 2] = n % 2 ? NAN : -INFINITY;
    halves[n - 1] = n % 2 ? 0x7e00 : 0x7c00;
    assert_false(isfinite(kernels->energy_fp32(x, n)));
    assert_false(isfinite(kernels->energy_fp16(halves, n)));
}

static void check_subtract(const struct mls_compress_kernels *kernels, size_t n)
{
    float x[N_MAX], y[N_MAX + 1], wanted[N_MAX + 1];
    double dx[N_MAX], dy[N_MAX + 1], dwanted[N_MAX + 1];
    y[n] = wanted[n] = 7;
    dy[n] = dwanted[n] = 7;
    for (size_t i = 0; i < n; i++) { /* few bits: products are exact, with a fused product or without */
        x[i] = draw();
        y[i] = draw();
        dx[i] = (double)x[i];
        dy[i] = (double)y[i];
        wanted[i] = y[i] - 0.5f * x[i];
        dwanted[i] = dy[i] - 0.5 * dx[i];
    }
    kernels->subtract_fp32(y, x, 0.5f, n);
    kernels->subtract_fp64(dy, dx, 0.5, n);
    assert_memory_equal(y, wanted, (n + 1) * sizeof *y);
    assert_memory_equal(dy, dwanted, (n + 1) * sizeof *dy);
}

static void test_sets_agree_with_the_definition(void **state)
{
    (void)state;
    static const struct mls_quantizing cases[] = {
        {.scale = 0.015625f, .low = -127, .high = 127},
        {.scale = 0.25f, .low = -7, .high = 7},
        {.scale = 0.0123f, .zero = 127, .low = 0, .high = 254},
        {.scale = 0.3f, .zero = 5, .low = 0, .high = 15},
        {.scale = 0.0171f, .zero = -9, .low = -128, .high = 127},
    };
    for (int isa = 0; isa < MLS_ISA_COUNT; isa++) {
        if (!mls_cpu_has((enum mls_isa)isa))
            continue;
        struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
        srand(1);
        for (size_t s = 0; s < N_SIZES; s++) {
            check_sums(kernels.compress, sizes[s]);
            check_subtract(kernels.compress, sizes[s]);
            for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
                check_quantize(kernels.compress, sizes[s], &cases[c]);
        }
    }
}

/* A block of zeros has the scale 0. */
static void test_scale_of_nothing_gives_zeros(void **state)
{
    (void)state;
    static const struct mls_quantizing nothing = {.low = -127, .high = 127};
    static const uint16_t zeros[N_MAX];
    for (int isa = 0; isa < MLS_ISA_COUNT; isa++) {
        if (!mls_cpu_has((enum mls_isa)isa))
            continue;
        uint8_t q[N_MAX];
        memset(q, GUARD, sizeof q);
        struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
        double lost = kernels.compress->quantize_fp16(zeros, N_MAX, &nothing, q);
        assert_true(lost == 0);
        for (size_t i = 0; i < N_MAX; i++)
            assert_int_equal(q[i], 0);
    }
}

static void test_packed_bits_lie_one_after_the_other(void **state)
{
    (void)state;
    static const unsigned widths[] = {1, 2, 3, 4, 6, 8};
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        for (size_t s = 0; s < N_SIZES; s++) {
            size_t n = sizes[s], n_bytes = (n * widths[w] + 7) / 8;
            uint8_t elements[N_MAX], got[N_MAX + 1], wanted[N_MAX + 1] = {0};
            memset(got, GUARD, sizeof got);
            for (size_t i = 0; i < n; i++) {
                elements[i] = (uint8_t)(rand() & ((1 << widths[w]) - 1));
                for (size_t b = 0; b < widths[w]; b++) {
                    size_t at = i * widths[w] + b;
                    wanted[at / 8] |= (uint8_t)((elements[i] >> b & 1) << at % 8);
                }
            }
            mls_pack_bits(elements, widths[w], n, got);
            assert_memory_equal(got, wanted, n_bytes);
            assert_int_equal(got[n_bytes], GUARD);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_agree_with_the_definition),
        cmocka_unit_test(test_scale_of_nothing_gives_zeros),
        cmocka_unit_test(test_packed_bits_lie_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
