/*
 * The kernels that work on rows (binary, select, reduce, softmax, norm): every length up to a few vectors,
 * every form, in place, on every instruction set against generic. Rows end where their memory ends, so that
 * the address sanitizer sees any step over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/binary/binary.h"
#include "kernels/kernels.h"
#include "kernels/norm/norm.h"
#include "kernels/reduce/reduce.h"
#include "kernels/select/select.h"
#include "kernels/softmax/softmax.h"

enum { LONGEST = 67 };

static const enum mls_isa isas[] = {MLS_ISA_GENERIC, MLS_ISA_AVX2, MLS_ISA_AVX512};
enum { N_ISAS = sizeof isas / sizeof isas[0] };

/* Ordinary numbers with zeros, infinities, NaN and denormals in between. */
static float sample(size_t i, unsigned seed)
{
    static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -6e-8f, 65504.0f};
    size_t at = i * 7 + seed * 13;
    return at % 11 == 0 ? special[at / 11 % 8] : (float)((int)(at * 37 % 41) - 20) * 0.25f;
}

static float ordinary(size_t i, unsigned seed)
{
    return (float)((int)((i * 7 + seed * 13) * 37 % 41) - 20) * 0.25f;
}

/* n elements of exactly that much memory; the caller frees. */
static void *row(size_t n, bool half, float (*value)(size_t, unsigned), unsigned seed)
{
    char *memory = malloc(n * (half ? 2 : 4) + 1);
    for (size_t i = 0; i < n; i++) {
        float x = value(i, seed);
        uint16_t narrow = mls_fp32_to_fp16(x);
        memcpy(memory + i * (half ? 2 : 4), half ? (const void *)&narrow : (const void *)&x, half ? 2 : 4);
    }
    return memory;
}

static double element(const void *memory, size_t i, bool half)
{
    return (double)(half ? mls_fp16_to_fp32(((const uint16_t *)memory)[i]) : ((const float *)memory)[i]);
}

static bool near(double a, double b, double tolerance)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= tolerance * fmax(fabs(a), fabs(b));
}

static void compare_rows(const char *name, const void *got, const void *wanted, size_t n, bool half,
                         double tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!near(element(got, i, half), element(wanted, i, half), tolerance))
            fail_msg("%s, %zu elements: element %zu is %g instead of %g", name, n, i, element(got, i, half),
                     element(wanted, i, half));
}

static void check_binary(const struct mls_binary_kernel *kernel, const struct mls_binary_kernel *generic,
                         enum mls_binary function, size_t n, bool half)
{
    bool truth = function >= MLS_BINARY_EQUAL;
    for (unsigned form = MLS_BINARY_ROWS; form <= MLS_BINARY_Y_SCALAR; form++) {
        void *x = row(form == MLS_BINARY_X_SCALAR ? 1 : n, half, sample, 1);
        void *y = row(form == MLS_BINARY_Y_SCALAR ? 1 : n, half, sample, 2);
        size_t bytes = n * (truth ? 1 : half ? 2 : 4);
        void *wanted = malloc(bytes + 1), *got = malloc(bytes + 1);
        generic->run(x, y, wanted, n, (enum mls_binary_form)form);
        kernel->run(x, y, got, n, (enum mls_binary_form)form);
        if (truth) {
            assert_memory_equal(got, wanted, bytes);
        } else {
            compare_rows(kernel->name, got, wanted, n, half, half ? 0x1p-10 : 0x1p-22);
            void *place = form == MLS_BINARY_X_SCALAR ? y : x;
            kernel->run(x, y, place, n, (enum mls_binary_form)form);
            assert_memory_equal(place, got, bytes);
        }
        free(x);
        free(y);
        free(wanted);
        free(got);
    }
}

static void binary_kernels_agree_with_generic(void **state)
{
    (void)state;
    struct mls_kernels generic = mls_kernels_pick(MLS_ISA_GENERIC);
    for (unsigned k = 0; k < N_ISAS; k++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[k]);
        for (unsigned f = 0; f < MLS_BINARY_LOGICAL_AND; f++) {
            for (size_t n = 1; n <= LONGEST; n += n < 35 ? 1 : 8) {
                check_binary(&kernels.binary->fp16[f], &generic.binary->fp16[f], (enum mls_binary)f, n, true);
                check_binary(&kernels.binary->fp32[f], &generic.binary->fp32[f], (enum mls_binary)f, n,
                             false);
            }
        }
    }
}

static void select_kernels_take_every_mix_of_steps(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 4};
    for (unsigned k = 0; k < N_ISAS; k++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[k]);
        for (unsigned which = 0; which < 3 * 8; which++) {
            size_t bytes = sizes[which / 8];
            struct mls_select_steps steps = {which & 1, which >> 1 & 1, which >> 2 & 1};
            uint8_t condition[LONGEST], a[LONGEST * 4], b[LONGEST * 4], got[LONGEST * 4];
            for (size_t i = 0; i < LONGEST * 4; i++) {
                a[i] = (uint8_t)(i * 3 + 1);
                b[i] = (uint8_t)(i * 5 + 2);
                condition[i % LONGEST] = (uint8_t)(i % LONGEST % 3 == 0);
            }
            kernels.select->by_bytes[bytes].run(condition, a, b, got, LONGEST, steps);
            for (size_t i = 0; i < LONGEST; i++) {
                const uint8_t *wanted =
                    condition[i * steps.condition] ? a + i * steps.a * bytes : b + i * steps.b * bytes;
                assert_memory_equal(got + i * bytes, wanted, bytes);
            }
        }
    }
}

static void check_reduce(const struct mls_kernels *kernels, const struct mls_kernels *generic, unsigned f,
                         size_t n, bool half)
{
    const struct mls_reduce_kernel *kernel = half ? &kernels->reduce->fp16[f] : &kernels->reduce->fp32[f];
    const struct mls_reduce_kernel *other = half ? &generic->reduce->fp16[f] : &generic->reduce->fp32[f];
    bool sums = f != MLS_REDUCE_MAX && f != MLS_REDUCE_MIN;
    void *x = row(n, half, sums ? ordinary : sample, 3);
    double got = kernel->row(x, n, 0.5f), wanted = other->row(x, n, 0.5f);
    if (!near(got, wanted, 1e-6) && fabs(got - wanted) > 1e-4)
        fail_msg("%s of %zu elements is %.9g instead of %.9g", kernel->name, n, got, wanted);
    float *mine = row(n, false, ordinary, 4), *theirs = row(n, false, ordinary, 4),
          *shifts = row(n, false, ordinary, 5);
    kernel->columns(x, mine, n, shifts);
    other->columns(x, theirs, n, shifts);
    compare_rows(kernel->name, mine, theirs, n, false, 1e-6);
    free(x);
    free(mine);
    free(theirs);
    free(shifts);
}

static void reductions_agree_with_generic(void **state)
{
    (void)state;
    struct mls_kernels generic = mls_kernels_pick(MLS_ISA_GENERIC);
    for (unsigned k = 0; k < N_ISAS; k++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[k]);
        for (unsigned f = 0; f < MLS_REDUCE_COUNT; f++) {
            for (size_t n = 1; n <= 2 * LONGEST; n++) {
                check_reduce(&kernels, &generic, f, n, true);
                check_reduce(&kernels, &generic, f, n, false);
            }
            check_reduce(&kernels, &generic, f, 4096 + 3, f == MLS_REDUCE_MAX);
        }
    }
}

static void long_sums_are_exact_to_a_few_units(void **state)
{
    (void)state;
    enum { LENGTH = 1 << 20 };
    uint16_t *tenth = malloc(LENGTH * sizeof *tenth);
    for (size_t i = 0; i < LENGTH; i++)
        tenth[i] = mls_fp32_to_fp16(0.1f);
    double wanted = (double)mls_fp16_to_fp32(tenth[0]) * LENGTH;
    for (unsigned k = 0; k < N_ISAS; k++) {
        double got = mls_kernels_pick(isas[k]).reduce->fp16[MLS_REDUCE_SUM].row(tenth, LENGTH, 0);
        assert_true(near(got, wanted, 0x1p-20));
    }
    free(tenth);
}

static void softmax_kernels_agree_with_generic(void **state)
{
    (void)state;
    struct mls_kernels generic = mls_kernels_pick(MLS_ISA_GENERIC);
    for (unsigned k = 0; k < N_ISAS; k++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[k]);
        for (size_t n = 1; n <= LONGEST; n++) {
            float *x = row(n, false, ordinary, 6), *exps = malloc(n * sizeof *exps);
            uint16_t *h = row(n, true, ordinary, 6);
            float *wanted = malloc(n * sizeof *wanted);
            uint16_t *half_wanted = malloc(n * sizeof *half_wanted);
            generic.softmax->row_fp32(x, wanted, n, NULL);
            generic.softmax->row_fp16(h, half_wanted, n, exps);
            kernels.softmax->row_fp32(x, x, n, NULL);
            kernels.softmax->row_fp16(h, h, n, exps);
            compare_rows("softmax fp32", x, wanted, n, false, 2e-6);
            compare_rows("softmax fp16", h, half_wanted, n, true, 0x1p-10);
            kernels.softmax->columns_fp32(x, x, n, 1, n); /* columns of one element are all 1 */
            for (size_t i = 0; i < n; i++)
                assert_true(x[i] == 1);
            free(x);
            free(exps);
            free(h);
            free(wanted);
            free(half_wanted);
        }
    }
}

static void normalisations_agree_with_generic(void **state)
{
    (void)state;
    struct mls_kernels generic = mls_kernels_pick(MLS_ISA_GENERIC);
    for (unsigned k = 0; k < N_ISAS; k++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[k]);
        for (size_t n = 1; n <= LONGEST; n++) {
            float *gamma = row(n, false, ordinary, 7), *beta = row(n, false, ordinary, 8);
            float *wanted = malloc(n * sizeof *wanted), *x = row(n, false, ordinary, 9);
            const float *gammas[] = {NULL, gamma}, *betas[] = {NULL, beta};
            for (unsigned which = 0; which < 4; which++) {
                float *y = row(n, false, ordinary, 9);
                generic.norm->fp32.row(x, wanted, n, 0.5f, 2, 3, gammas[which & 1], betas[which >> 1]);
                kernels.norm->fp32.row(y, y, n, 0.5f, 2, 3, gammas[which & 1], betas[which >> 1]);
                compare_rows("norm rows", y, wanted, n, false, 1e-6);
                free(y);
            }
            generic.norm->fp32.columns(x, wanted, n, gamma, beta, 2, 3);
            kernels.norm->fp32.columns(x, x, n, gamma, beta, 2, 3);
            compare_rows("norm columns", x, wanted, n, false, 1e-6);
            free(gamma);
            free(beta);
            free(wanted);
            free(x);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_kernels_agree_with_generic),
        cmocka_unit_test(select_kernels_take_every_mix_of_steps),
        cmocka_unit_test(reductions_agree_with_generic),
        cmocka_unit_test(long_sums_are_exact_to_a_few_units),
        cmocka_unit_test(softmax_kernels_agree_with_generic),
        cmocka_unit_test(normalisations_agree_with_generic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
