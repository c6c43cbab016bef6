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

#include "kernels/binary/binary.h"
#include "kernels/kernels.h"
#include "kernels/unary/unary.h"

/*
 * Every STEP-th bit pattern from 0 to 2^32. The table of vmath.md is made by this test:
 *     MLS_ULP_STEP=59 MLS_ULP_TABLE=core/kernels/vmath/vmath.md core_kernels_vmath_test     (some minutes)
 * and is the bound for it otherwise. The default is a multiple of 59, so that its patterns are among those.
 */
enum { DEFAULT_STEP = 59 * 17, BATCH = 4096, ISAS = 3, N_POWERS = 1 << 17 };
#define DOCUMENT MLS_TEST_DATA "/../../core/kernels/vmath/vmath.md"
#define LIMIT 2.0 /* units of the last place, for every function */

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

/* Function and reference. */
static const struct {
    enum mls_unary function;
    const char *name;
    double (*reference)(double);
} functions[] = {
    {MLS_UNARY_ACOS, "acos", acos},
    {MLS_UNARY_ASIN, "asin", asin},
    {MLS_UNARY_ATAN, "atan", atan},
    {MLS_UNARY_ATANH, "atanh", atanh},
    {MLS_UNARY_COS, "cos", cos},
    {MLS_UNARY_COSH, "cosh", cosh},
    {MLS_UNARY_ELU, "elu", elu},
    {MLS_UNARY_ERF, "erf", erf},
    {MLS_UNARY_EXP, "exp", exp},
    {MLS_UNARY_EXP2, "exp2", exp2},
    {MLS_UNARY_GELU, "gelu", gelu},
    {MLS_UNARY_GELU_SIGMOID, "gelu_sigmoid", gelu_sigmoid},
    {MLS_UNARY_GELU_TANH, "gelu_tanh", gelu_tanh},
    {MLS_UNARY_INVERSE, "inverse", inverse},
    {MLS_UNARY_LOG, "log", log},
    {MLS_UNARY_RSQRT, "rsqrt", rsqrt},
    {MLS_UNARY_SIGMOID, "sigmoid", sigmoid},
    {MLS_UNARY_SILU, "silu", silu},
    {MLS_UNARY_SIN, "sin", sin},
    {MLS_UNARY_SINH, "sinh", sinh},
    {MLS_UNARY_SOFTPLUS, "softplus", softplus},
    {MLS_UNARY_SOFTSIGN, "softsign", softsign},
    {MLS_UNARY_SQRT, "sqrt", sqrt},
    {MLS_UNARY_TAN, "tan", tan},
    {MLS_UNARY_TANH, "tanh", tanh},
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

struct worst {
    double error; /* in units of the last place; 0.5 is exact rounding; NaN: not measured */
    float x, y;
};

static void take(struct worst *worst, float x, float y, double exact)
{
    double error = ulps(y, exact);
    if (!(error <= worst->error))
        *worst = (struct worst){error, x, y};
}

static struct worst measure(const struct mls_kernels *kernels, unsigned f)
{
    const struct mls_unary_params params = {.alpha = 0, .beta = 0}, ones = {.alpha = 1, .beta = 1};
    static float x[BATCH], y[BATCH];
    struct worst worst = {0};
    bool by_alpha = functions[f].function == MLS_UNARY_ELU;
    for (uint64_t bits = 0; bits <= UINT32_MAX;) {
        size_t n = 0;
        for (; n < BATCH && bits <= UINT32_MAX; n++, bits += step())
            x[n] = from_bits((uint32_t)bits);
        kernels->unary->fp32[functions[f].function].run(x, y, n, by_alpha ? &ones : &params);
        for (size_t i = 0; i < n; i++)
            take(&worst, x[i], y[i], functions[f].reference((double)x[i]));
    }
    return worst;
}

/* Pairs whose power is mostly a number, and pairs of any bits. */
static struct worst measure_pow(const struct mls_kernels *kernels)
{
    static float x[BATCH], y[BATCH], z[BATCH];
    struct worst worst = {0};
    uint64_t random = 1;
    for (int batch = 0; batch < N_POWERS / BATCH; batch++) {
        for (int i = 0; i < BATCH; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            bool any = i % 8 == 0;
            x[i] = from_bits((uint32_t)(random >> 32));
            y[i] = any ? from_bits((uint32_t)random) : ((float)(int32_t)(uint32_t)random) * 0x1p-31f * 6;
            x[i] = any ? x[i] : fabsf(x[i]);
        }
        kernels->binary->fp32[MLS_BINARY_POW].run(x, y, z, BATCH, MLS_BINARY_ROWS);
        for (int i = 0; i < BATCH; i++)
            take(&worst, x[i], z[i], pow((double)x[i], (double)y[i]));
    }
    return worst;
}

enum { N_ROWS = N_FUNCTIONS + 1 }; /* pow comes last */
#if defined(__aarch64__) /* the same formulas with fused multiply-add: the same results */
#define AVX2_OR_NEON MLS_ISA_NEON
#else
#define AVX2_OR_NEON MLS_ISA_AVX2
#endif
static const enum mls_isa isas[ISAS] = {MLS_ISA_GENERIC, AVX2_OR_NEON, MLS_ISA_AVX512};

static const char *row_name(unsigned row)
{
    return row < N_FUNCTIONS ? functions[row].name : "pow";
}

/* What vmath.md says of a row; NaN where it says nothing. */
static void read_documented(double documented[N_ROWS][ISAS])
{
    FILE *file = fopen(DOCUMENT, "r");
    for (unsigned row = 0; row < N_ROWS; row++)
        for (unsigned k = 0; k < ISAS; k++)
            documented[row][k] = (double)NAN;
    char line[256], name[32];
    double values[ISAS];
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "| %31s | %lf | %lf | %lf |", name, &values[0], &values[1], &values[2]) != 4)
            continue;
        for (unsigned row = 0; row < N_ROWS; row++)
            if (!strcmp(name, row_name(row)))
                memcpy(documented[row], values, sizeof values);
    }
    if (file)
        fclose(file);
}

static void write_table(const char *path, struct worst found[N_ROWS][ISAS])
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "# Errors of the elementary functions\n\n"
            "Made by `tests/unit/core/kernels/vmath_test.c`, which says how, and checked by it on every run. "
            "The largest\n"
            "distance of an fp32 result from the exact value, in units of the last place of an fp32 number "
            "there (0.5 is\n"
            "the correctly rounded value), denormal results included, over every %uth bit pattern of the "
            "argument (pow:\n"
            "%d pairs). Reference: the C library in double precision. fp16 results are the fp32 results "
            "rounded once.\n\n"
            "| function | generic | avx2 | avx512 | worst argument |\n| --- | --- | --- | --- | --- |\n",
            (unsigned)step(), (int)N_POWERS);
    for (unsigned row = 0; row < N_ROWS; row++) {
        const struct worst *worst = &found[row][0];
        for (unsigned k = 1; k < ISAS; k++)
            worst = found[row][k].error > worst->error ? &found[row][k] : worst;
        fprintf(file, "| %s | %.3f | %.3f | %.3f | %a |\n", row_name(row), found[row][0].error,
                found[row][1].error, found[row][2].error, (double)worst->x);
    }
    fclose(file);
}

static void every_function_is_within_its_documented_error(void **state)
{
    (void)state;
    static struct worst found[N_ROWS][ISAS];
    double documented[N_ROWS][ISAS];
    const char *table = getenv("MLS_ULP_TABLE");
    unsigned n_failed = 0;
    read_documented(documented);
    for (unsigned k = 0; k < ISAS; k++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[k]);
        for (unsigned row = 0; row < N_ROWS && mls_cpu_has(isas[k]); row++) {
            struct worst *worst = &found[row][k];
            *worst = row < N_FUNCTIONS ? measure(&kernels, row) : measure_pow(&kernels);
            bool good = worst->error <= LIMIT && (table || worst->error <= documented[row][k] + 0.0006);
            n_failed += !good;
            (good ? print_message : print_error)("%-8s %-14s %.3f ULP, documented %.3f, f(%a) = %a\n",
                                                 mls_isa_name(isas[k]), row_name(row), worst->error,
                                                 documented[row][k], (double)worst->x, (double)worst->y);
        }
    }
    if (table)
        write_table(table, found);
    assert_int_equal(n_failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_function_is_within_its_documented_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
