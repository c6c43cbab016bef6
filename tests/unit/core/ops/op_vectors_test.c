/* Every case of tests/data/op_vectors.txt (format: make_op_vectors.py) on every instruction set, on one
 * thread and on two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "support/op_case.h"

enum { WORD_BYTES = 64 };

struct expected {
    struct mls_tensor tensor;
    double ulps;
    double absolute; /* in units of the type's epsilon */
};

static void word(FILE *file, char text[WORD_BYTES])
{
    if (fscanf(file, "%63s", text) != 1)
        fail_msg("the vectors end in the middle of a case");
}

static double number(FILE *file)
{
    char text[WORD_BYTES];
    word(file, text);
    return strtod(text, NULL);
}

/* "<type> <rank> <dims> <values>" */
static struct mls_tensor read_tensor(FILE *file)
{
    char type[WORD_BYTES];
    word(file, type);
    unsigned rank = (unsigned)number(file);
    int64_t dims[MLS_RANK_MAX] = {0};
    for (unsigned i = 0; i < rank; i++)
        dims[i] = (int64_t)number(file);
    struct mls_tensor tensor = {.type = mls_type_tensor(mls_dtype_parse(type), rank, dims)};
    tensor.data = malloc(mls_type_bytes(&tensor.type) + 1);
    for (int64_t i = 0; i < mls_type_elems(&tensor.type); i++)
        op_case_store(&tensor, i, number(file));
    return tensor;
}

/* The next case; texts are kept in `texts`. False at the end of the file. */
static bool read_case(FILE *file, struct op_case *c, struct expected *ret, char texts[4][WORD_BYTES])
{
    char what[WORD_BYTES], name[WORD_BYTES];
    unsigned n_texts = 0;
    if (fscanf(file, "%63s", what) != 1)
        return false;
    word(file, name);
    op_case_begin(c, name, (uint32_t)number(file));
    ret->ulps = number(file);
    ret->absolute = number(file);
    for (word(file, what); strcmp(what, "end") != 0; word(file, what)) {
        if (!strcmp(what, "out")) {
            ret->tensor = read_tensor(file);
            continue;
        }
        word(file, name);
        if (!strcmp(what, "text")) {
            word(file, texts[n_texts]);
            op_case_text(c, name, texts[n_texts++]);
        } else {
            struct mls_tensor value = read_tensor(file);
            op_case_tensor(c, name, value.type.dtype, value.type.rank, value.type.dims, value.data);
            free(value.data);
        }
    }
    return true;
}

/* The distance between neighbouring numbers of the type at `value`; integers must be equal. */
static double spacing(enum mls_dtype dtype, double value)
{
    if (dtype != MLS_FP16 && dtype != MLS_FP32)
        return 0;
    int exponent, digits = dtype == MLS_FP16 ? 11 : 24, least = dtype == MLS_FP16 ? -13 : -125;
    frexp(value, &exponent);
    return ldexp(1, (exponent < least || value == 0 ? least : exponent) - digits);
}

static bool close_enough(double got, double wanted, enum mls_dtype dtype, const struct expected *expected)
{
    if (isnan(wanted) || isinf(wanted))
        return isnan(wanted) ? isnan(got) : got == wanted;
    double epsilon = dtype == MLS_FP16 ? 0x1p-10 : dtype == MLS_FP32 ? 0x1p-23 : 0;
    return fabs(got - wanted) <= expected->ulps * spacing(dtype, wanted) + expected->absolute * epsilon;
}

static unsigned check(struct op_case *c, const struct expected *expected, enum mls_isa isa, unsigned at)
{
    const struct mls_tensor *output = op_case_output(c, 0), *wanted = &expected->tensor;
    char got[96], right[96];
    if (!mls_type_equal(&output->type, &wanted->type)) {
        print_error("case %u, %s: %s instead of %s\n", at, c->row->name,
                    mls_type_format(&output->type, got, sizeof got),
                    mls_type_format(&wanted->type, right, sizeof right));
        return 1;
    }
    if (!c->kernel || !strstr(c->kernel, "__")) {
        print_error("case %u, %s: no kernel name\n", at, c->row->name);
        return 1;
    }
    for (int64_t i = 0; i < mls_type_elems(&wanted->type); i++) {
        double value = op_case_get(c, 0, i), reference = mls_tensor_float(wanted, i);
        if (close_enough(value, reference, wanted->type.dtype, expected))
            continue;
        print_error("case %u, %s (%s), %s: element %lld is %.9g instead of %.9g\n", at, c->kernel,
                    mls_isa_name(isa), mls_type_format(&wanted->type, got, sizeof got), (long long)i, value,
                    reference);
        return 1;
    }
    return 0;
}

static void check_all(enum mls_isa isa, uint32_t threads)
{
    if (!mls_cpu_has(isa))
        return;
    FILE *file = fopen(MLS_TEST_DATA "/op_vectors.txt", "r");
    assert_non_null(file);
    struct op_case c;
    struct expected expected;
    char texts[4][WORD_BYTES];
    unsigned n_failed = 0, n_cases = 0;
    for (; read_case(file, &c, &expected, texts); n_cases++) {
        enum mls_status status = op_case_run(&c, isa, threads);
        if (status != MLS_OK) {
            print_error("case %u, %s: %s\n", n_cases, c.row->name, c.error.text);
            n_failed++;
        } else {
            n_failed += check(&c, &expected, isa, n_cases);
        }
        op_case_end(&c);
        free(expected.tensor.data);
    }
    fclose(file);
    assert_true(n_cases > 1000);
    assert_int_equal(n_failed, 0);
}

static void generic_results_are_numpys(void **state)
{
    (void)state;
    check_all(MLS_ISA_GENERIC, 1);
}
static void avx2_results_are_numpys(void **state)
{
    (void)state;
    check_all(MLS_ISA_AVX2, 1);
}
static void avx512_results_are_numpys(void **state)
{
    (void)state;
    check_all(MLS_ISA_AVX512, 1);
}
static void results_on_two_threads_are_numpys(void **state)
{
    (void)state;
    check_all(MLS_ISA_AVX2, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generic_results_are_numpys),
        cmocka_unit_test(avx2_results_are_numpys),
        cmocka_unit_test(avx512_results_are_numpys),
        cmocka_unit_test(results_on_two_threads_are_numpys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
