/* Errors of the elementary functions against the C library in double precision, on every instruction set of
 * this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/unary/unary.h"

/* Every STEP-th bit pattern, from 0 to 2^32; MLS_ULP_STEP=1 in the environment tries all of them (an hour).
 */
enum { DEFAULT_STEP = 1021, BATCH = 4096 };

static double gelu(double x)
{
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}
static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static double silu(double x)
{
    return x * sigmoid(x);
}
static double gelu_sigmoid(double x)
{
    return x * sigmoid(1.702 * x);
}
static double gelu_tanh(double x)
{
    return x * sigmoid(2 * 0.79788456080286535588 * (x + 0.044715 * x * x * x));
}
static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}
static double softsign(double x)
{
    return x / (1 + fabs(x));
}
static double rsqrt(double x)
{
    return 1 / sqrt(x);
}
static double inverse(double x)
{
    return 1 / x;
}
static double elu(double x)
{
    return x > 0 ? x : expm1(x);
}

/* Function, reference, largest error in units of the last place (0.5 is exact rounding). */
static const struct {
    enum mls_unary function;
    const char *name;
    double (*reference)(double);
    double limit;
} functions[] = {
    {MLS_UNARY_ACOS, "acos", acos, 0.51},
    {MLS_UNARY_ASIN, "asin", asin, 0.51},
    {MLS_UNARY_ATAN, "atan", atan, 0.51},
    {MLS_UNARY_ATANH, "atanh", atanh, 0.51},
    {MLS_UNARY_COS, "cos", cos, 0.51},
    {MLS_UNARY_COSH, "cosh", cosh, 0.51},
    {MLS_UNARY_ELU, "elu", elu, 0.51},
    {MLS_UNARY_ERF, "erf", erf, 2},
    {MLS_UNARY_EXP, "exp", exp, 1.5},
    {MLS_UNARY_EXP2, "exp2", exp2, 1.5},
    {MLS_UNARY_GELU, "gelu", gelu, 5},
    {MLS_UNARY_GELU_SIGMOID, "gelu_sigmoid", gelu_sigmoid, 0.51},
    {MLS_UNARY_GELU_TANH, "gelu_tanh", gelu_tanh, 0.51},
    {MLS_UNARY_INVERSE, "inverse", inverse, 0.51},
    {MLS_UNARY_LOG, "log", log, 0.51},
    {MLS_UNARY_RSQRT, "rsqrt", rsqrt, 1.5},
    {MLS_UNARY_SIGMOID, "sigmoid", sigmoid, 2.5},
    {MLS_UNARY_SILU, "silu", silu, 3},
    {MLS_UNARY_SIN, "sin", sin, 0.51},
    {MLS_UNARY_SINH, "sinh", sinh, 0.51},
    {MLS_UNARY_SOFTPLUS, "softplus", softplus, 0.51},
    {MLS_UNARY_SOFTSIGN, "softsign", softsign, 1.5},
    {MLS_UNARY_SQRT, "sqrt", sqrt, 0.51},
    {MLS_UNARY_TAN, "tan", tan, 0.51},
    {MLS_UNARY_TANH, "tanh", tanh, 2},
};
enum { N_FUNCTIONS = sizeof functions / sizeof functions[0] };

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The distance of `got` from the exact result in units of the last place of a float there; infinite where
 * kinds differ. */
static double ulps(float got, double exact)
{
    float rounded = (float)exact;
    if (isnan(exact) || isnan(got))
        return isnan(exact) && isnan(got) ? 0 : (double)INFINITY;
    if (isinf(rounded) || isinf(got))
        return rounded == got ? 0 : fabs((double)(isinf(got) ? nextafterf(got, 0) : got) - exact) / 0x1p104;
    int exponent;
    frexp(exact, &exponent);
    double unit = ldexp(1, (exponent < -125 || exact == 0 ? -125 : exponent) - 24);
    return fabs((double)got - exact) / unit;
}

static uint32_t step(void)
{
    const char *text = getenv("MLS_ULP_STEP");
    return text ? (uint32_t)strtoul(text, NULL, 10) : DEFAULT_STEP;
}

static void check_isa(enum mls_isa isa)
{
    if (!mls_cpu_has(isa))
        return;
    struct mls_kernels kernels = mls_kernels_pick(isa);
    const struct mls_unary_params params = {.alpha = 0, .beta = 0}, ones = {.alpha = 1, .beta = 1};
    static float x[BATCH], y[BATCH];
    unsigned n_failed = 0;
    for (unsigned f = 0; f < N_FUNCTIONS; f++) {
        double worst = 0;
        float worst_x = 0, worst_y = 0;
        uint64_t bits = 0;
        while (bits <= UINT32_MAX) {
            size_t n = 0;
            for (; n < BATCH && bits <= UINT32_MAX; n++, bits += step())
                x[n] = from_bits((uint32_t)bits);
            bool by_alpha = functions[f].function == MLS_UNARY_ELU;
            kernels.unary->fp32[functions[f].function].run(x, y, n, by_alpha ? &ones : &params);
            for (size_t i = 0; i < n; i++) {
                double error = ulps(y[i], functions[f].reference((double)x[i]));
                if (!(error <= worst)) {
                    worst = error;
                    worst_x = x[i];
                    worst_y = y[i];
                }
            }
        }
        print_message("%-8s %-14s %.3f ULP at %a\n", mls_isa_name(isa), functions[f].name, worst,
                      (double)worst_x);
        if (!(worst <= functions[f].limit)) {
            print_error("%s(%a) = %a\n", functions[f].name, (double)worst_x, (double)worst_y);
            n_failed++;
        }
    }
    assert_int_equal(n_failed, 0);
}

static void generic_functions_are_within_their_error_bounds(void **state)
{
    (void)state;
    check_isa(MLS_ISA_GENERIC);
}
static void avx2_functions_are_within_their_error_bounds(void **state)
{
    (void)state;
    check_isa(MLS_ISA_AVX2);
}
static void avx512_functions_are_within_their_error_bounds(void **state)
{
    (void)state;
    check_isa(MLS_ISA_AVX512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generic_functions_are_within_their_error_bounds),
        cmocka_unit_test(avx2_functions_are_within_their_error_bounds),
        cmocka_unit_test(avx512_functions_are_within_their_error_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
