#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fp16.h"
#include "kernels/lut/lut.h"
#include "kernels/matvec/matvec.h"

static const enum mls_isa isas[] = {MLS_ISA_GENERIC, MLS_ISA_AVX2, MLS_ISA_AVX512, MLS_ISA_AVX512_VNNI};
enum { N_ISAS = sizeof isas / sizeof isas[0] };

/* A matrix in some form, made from plain numbers; `dense` is what it stands for. */
struct problem {
    enum mls_code_kind kind;
    unsigned bits;
    size_t n, k;
    size_t blocks; /* of terms, with a scale each; 0: no scales */
    size_t tables, vector;
    bool is_signed, offsets, sparse, across, transposed;
    bool half; /* x is fp16 */
    size_t m;
};

static uint32_t mix(size_t i)
{
    uint32_t x = (uint32_t)i * 2654435761u + 99u;
    return x ^ x >> 15;
}

static float small(size_t i)
{
    return (float)(int)(mix(i) % 17) * 0.25f - 2.0f;
}

struct made {
    struct mls_coded coded;
    uint8_t *codes, *mask;
    size_t *starts;
    uint16_t *tables, *scales, *offsets;
    double *dense; /* [n][k] of the matrix as stored */
};

static double code_value(const struct problem *p, const struct made *made, unsigned code, size_t table, size_t v)
{
    if (p->kind == MLS_CODE_VALUES)
        return (double)mls_fp16_to_fp32((uint16_t)code);
    if (p->kind == MLS_CODE_INDICES)
        return (double)mls_fp16_to_fp32(made->tables[((table << p->bits) + code) * p->vector + v]);
    return p->is_signed && code >> (p->bits - 1) ? (double)code - (double)(1u << p->bits) : (double)code;
}

static void make_parameters(const struct problem *p, size_t rows, size_t cols, struct made *made)
{
    size_t n_entries = (p->tables << p->bits) * p->vector, n_scales = rows * (p->blocks ? p->blocks : 1);
    made->tables = malloc(n_entries * 2);
    made->scales = malloc(n_scales * 2);
    made->offsets = malloc(n_scales * 2);
    made->mask = calloc(rows * cols / 8 + 1, 1);
    made->starts = malloc(rows * sizeof(size_t));
    for (size_t i = 0; i < n_entries; i++)
        made->tables[i] = mls_fp32_to_fp16(small(i + 3));
    for (size_t i = 0; i < n_scales; i++) {
        made->scales[i] = mls_fp32_to_fp16(0.5f + (float)(i % 5));
        made->offsets[i] = mls_fp32_to_fp16((float)(i % 7) - 2);
    }
}

/* Stores one code after the other, and what each stands for. */
static void make_codes(const struct problem *p, size_t rows, size_t cols, struct made *made)
{
    size_t down = p->across ? 1 : p->vector, along = p->across ? p->vector : 1, n_codes = 0, k = cols * along;
    made->codes = calloc((rows * cols * p->bits + 7) / 8, 1);
    made->dense = calloc(rows * down * k, sizeof *made->dense);
    for (size_t r = 0; r < rows; r++) {
        made->starts[r] = n_codes;
        for (size_t c = 0; c < cols; c++) {
            bool set = !p->sparse || mix(r * cols + c + 7) % 3 == 0;
            unsigned code = p->kind == MLS_CODE_VALUES ? mls_fp32_to_fp16(small(r * cols + c))
                                                       : mix(r * cols + c) & ((1u << p->bits) - 1);
            if (!set)
                continue;
            made->mask[(r * cols + c) / 8] |= (uint8_t)(1u << (r * cols + c) % 8);
            for (size_t b = 0; b < p->bits; b++) {
                size_t bit = n_codes * p->bits + b;
                made->codes[bit / 8] |= (uint8_t)((code >> b & 1u) << bit % 8);
            }
            n_codes++;
            for (size_t v = 0; v < p->vector; v++) {
                size_t row = r * down + (p->across ? 0 : v), term = c * along + (p->across ? v : 0);
                size_t table = p->transposed ? c / (cols / p->tables) : r / (rows / p->tables);
                double value = code_value(p, made, code, table, v);
                if (p->blocks) {
                    size_t at = p->transposed ? row / (rows * down / p->blocks)
                                              : row / down * p->blocks + term / (k / p->blocks);
                    double offset = p->offsets ? (double)mls_fp16_to_fp32(made->offsets[at]) : 0;
                    value = (double)mls_fp16_to_fp32(made->scales[at]) * (value - offset);
                }
                made->dense[row * k + term] = value;
            }
        }
    }
    made->coded.codes_bytes = (n_codes * p->bits + 7) / 8;
    made->codes = realloc(made->codes, made->coded.codes_bytes); /* exactly, for the address sanitizer */
}

static struct made make(const struct problem *p)
{
    struct made made = {0};
    size_t rows = p->across ? p->n : p->n / p->vector, cols = p->across ? p->k / p->vector : p->k;
    make_parameters(p, rows, cols, &made);
    make_codes(p, rows, cols, &made);
    made.coded = (struct mls_coded){.n = p->n,
                                    .k = p->k,
                                    .kind = p->kind,
                                    .bits = p->bits,
                                    .is_signed = p->is_signed,
                                    .codes = made.codes,
                                    .codes_bytes = made.coded.codes_bytes,
                                    .code_rows = rows,
                                    .code_cols = cols,
                                    .mask = p->sparse ? made.mask : NULL,
                                    .row_starts = p->sparse ? made.starts : NULL,
                                    .table_dtype = MLS_FP16,
                                    .tables = made.tables,
                                    .n_tables = p->tables,
                                    .n_vector = p->vector,
                                    .table_cols = p->transposed && p->tables > 1,
                                    .vector_rows = !p->across,
                                    .scales = p->blocks ? made.scales : NULL,
                                    .offsets = p->blocks && p->offsets ? made.offsets : NULL,
                                    .scale_rows = p->transposed ? p->blocks : rows,
                                    .scale_cols = p->transposed ? 1 : p->blocks};
    return made;
}

static void free_made(struct made *made)
{
    free(made->codes);
    free(made->mask);
    free(made->starts);
    free(made->tables);
    free(made->scales);
    free(made->offsets);
    free(made->dense);
}

/* Of the product's orientation. */
static double weight_at(const struct problem *p, const struct made *made, size_t row, size_t term)
{
    return p->transposed ? made->dense[term * p->k + row] : made->dense[row * p->k + term];
}

static void check_product(const struct problem *p, const struct made *made, enum mls_isa cap, bool columns)
{
    struct mls_kernels kernels = mls_kernels_pick(cap);
    struct mls_pool *pool = p->m == 2 && columns ? mls_pool_create(2, 2) : NULL;
    struct mls_arena *arena = mls_arena_create(0);
    struct mls_panels panels;
    size_t n = p->transposed ? p->k : p->n, k = p->transposed ? p->n : p->k;
    float *x = malloc(p->m * k * sizeof *x), *y = malloc(p->m * n * sizeof *y), *bias = malloc(n * sizeof *bias);
    uint16_t *halves = malloc(p->m * k * sizeof *halves);
    for (size_t i = 0; i < p->m * k; i++) {
        x[i] = small(i + 5) + 0.0625f * (float)(i % 3);
        halves[i] = mls_fp32_to_fp16(x[i]);
    }
    for (size_t i = 0; i < n; i++)
        bias[i] = small(i + 77);
    assert_true(mls_panels_plan(&made->coded, p->transposed, &panels));
    assert_int_equal(mls_panels_pack(&kernels, pool, &made->coded, p->transposed, arena, &panels), MLS_OK);
    struct mls_matvec product = {.m = p->m,
                                 .x = p->half ? (const void *)halves : x,
                                 .x_dtype = p->half ? MLS_FP16 : MLS_FP32,
                                 .columns = columns,
                                 .weights = &panels,
                                 .bias = bias,
                                 .y = y,
                                 .y_dtype = MLS_FP32};
    const char *name = NULL;
    void *scratch = aligned_alloc(64, mls_matvec_scratch_bytes(&product));
    memset(scratch, 0xff, mls_matvec_scratch_bytes(&product));
    mls_matvec_run(&kernels, pool, &product, scratch, &name);
    assert_non_null(name);
    for (size_t i = 0; i < p->m * n; i++) {
        size_t r = columns ? i % p->m : i / n, row = columns ? i / p->m : i % n;
        double sum = (double)bias[row], size = 1;
        for (size_t t = 0; t < k; t++) {
            double term = (double)x[columns ? t * p->m + r : r * k + t] * weight_at(p, made, row, t);
            sum += term;
            size += fabs(term);
        }
        /* fixed point: the codes' own size counts, apart from offsets */
        double bound = p->half && p->kind == MLS_CODE_INTEGERS ? 1e-4 * size + 1e-2 : 1e-5 * size;
        if (!(fabs((double)y[i] - sum) <= bound))
            fail_msg("%s kind %d bits %u %zux%zux%zu blocks %zu tables %zu vector %zu (%zu): %g, not %g", name,
                     (int)p->kind, p->bits, p->m, n, k, p->blocks, p->tables, p->vector, i, (double)y[i], sum);
    }
    free(scratch);
    free(halves);
    free(bias);
    free(x);
    free(y);
    mls_arena_free(arena);
    mls_pool_free(pool);
}

static void check_expanded(const struct problem *p, const struct made *made)
{
    struct mls_kernels kernels = mls_kernels_pick(MLS_ISA_GENERIC);
    uint16_t *dense = malloc(p->n * p->k * sizeof *dense);
    mls_coded_expand(&kernels, NULL, &made->coded, &(struct mls_coded_part){0, p->n, 0, p->k}, dense);
    for (size_t i = 0; i < p->n * p->k; i++)
        assert_int_equal(dense[i] & 0x7fff ? dense[i] : 0,
                         made->dense[i] == 0 ? 0 : mls_fp32_to_fp16((float)made->dense[i]));
    free(dense);
}

static void check(struct problem p)
{
    p.tables = p.tables ? p.tables : 1;
    p.vector = p.vector ? p.vector : 1;
    struct made made = make(&p);
    check_expanded(&p, &made);
    for (size_t s = 0; s < N_ISAS; s++)
        for (p.m = 1; p.m <= 5; p.m++) {
            p.half = p.m % 2;
            check_product(&p, &made, isas[s], p.m == 2 || p.m == 3);
        }
    free_made(&made);
}

static const size_t sizes[][2] = {{1, 32}, {5, 96}, {33, 160}, {70, 672}, {130, 64}};
enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

static void fp16_values_are_multiplied_as_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SIZES; i++) {
        struct problem p = {.kind = MLS_CODE_VALUES, .bits = 16, .n = sizes[i][0], .k = sizes[i][1]};
        check(p);
        p.blocks = 1;
        check(p);
        p.k++;
        check(p);
    }
}

static void integers_have_scales_and_offsets_by_block(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SIZES; i++)
        for (unsigned form = 0; form < 16; form++) {
            struct problem p = {.kind = MLS_CODE_INTEGERS,
                                .bits = form & 1 ? 4 : 8,
                                .is_signed = form & 2,
                                .offsets = form & 4,
                                .blocks = form & 8 ? sizes[i][1] / 32 : 1,
                                .n = sizes[i][0],
                                .k = sizes[i][1]};
            check(p);
        }
}

static void every_size_of_index_finds_its_entry(void **state)
{
    (void)state;
    static const unsigned bits[] = {1, 2, 3, 4, 6, 8};
    for (size_t b = 0; b < 6; b++)
        for (size_t i = 0; i < N_SIZES; i++) {
            struct problem p = {.kind = MLS_CODE_INDICES, .bits = bits[b], .n = sizes[i][0], .k = sizes[i][1]};
            check(p);
            p.blocks = 1; /* a palette with a scale for each channel */
            check(p);
            p.tables = p.n; /* one for each channel: wide panels */
            check(p);
        }
}

static void tables_of_groups_of_channels(void **state)
{
    (void)state;
    for (unsigned bits = 2; bits <= 8; bits += 2)
        for (size_t group = 4; group <= 64; group *= 2)
            check((struct problem){
                .kind = MLS_CODE_INDICES, .bits = bits, .n = 192, .k = 96, .tables = 192 / group, .blocks = 1});
}

static void vectors_lie_in_columns_or_rows(void **state)
{
    (void)state;
    for (size_t vector = 2; vector <= 8; vector *= 2)
        for (int across = 0; across < 2; across++) {
            struct problem p = {.kind = MLS_CODE_INDICES,
                                .bits = 4,
                                .n = 64,
                                .k = 192,
                                .vector = vector,
                                .across = across};
            check(p);
            p.bits = 6;
            p.tables = 4;
            check(p);
            p.tables = across ? 2 : 64 / vector; /* wide where they are rows of few */
            check(p);
        }
}

static void zeros_that_are_not_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SIZES; i++) {
        struct problem p = {.sparse = true, .n = sizes[i][0], .k = sizes[i][1], .bits = 16};
        p.kind = MLS_CODE_VALUES;
        check(p);
        p.kind = MLS_CODE_INDICES;
        for (p.bits = 1; p.bits <= 8; p.bits += p.bits == 4 || p.bits == 6 ? 2 : 1)
            check(p);
        p.kind = MLS_CODE_INTEGERS;
        p.blocks = 1;
        for (p.bits = 4; p.bits <= 8; p.bits += 4) {
            p.is_signed = true;
            check(p);
        }
        p.offsets = true;
        p.bits = 8;
        check(p);
    }
}

static void matrices_may_be_transposed(void **state)
{
    (void)state;
    check((struct problem){.kind = MLS_CODE_VALUES, .bits = 16, .n = 96, .k = 40, .transposed = true});
    for (unsigned bits = 2; bits <= 8; bits += 2)
        check((struct problem){
            .kind = MLS_CODE_INDICES, .bits = bits, .n = 96, .k = 64, .tables = 4, .transposed = true});
    check((struct problem){
        .kind = MLS_CODE_INTEGERS, .bits = 8, .n = 96, .k = 40, .blocks = 3, .offsets = true, .transposed = true});
    check((struct problem){
        .kind = MLS_CODE_INTEGERS, .bits = 4, .is_signed = true, .n = 96, .k = 40, .blocks = 1, .transposed = true});
}

static void odd_lengths_read_no_further(void **state)
{
    (void)state;
    for (size_t k = 1; k < 70; k += 4) {
        check((struct problem){.kind = MLS_CODE_VALUES, .bits = 16, .n = 40, .k = k});
        check((struct problem){.kind = MLS_CODE_INTEGERS, .bits = 8, .n = 40, .k = k, .blocks = 1});
        check((struct problem){.kind = MLS_CODE_INTEGERS, .bits = 4, .n = 40, .k = 3 * k, .blocks = 3});
        check((struct problem){.kind = MLS_CODE_INDICES, .bits = 4, .n = 40, .k = k});
        check((struct problem){.kind = MLS_CODE_INDICES, .bits = 6, .n = 20, .k = k + 8});
        check((struct problem){.kind = MLS_CODE_VALUES, .bits = 16, .n = 20, .k = k, .sparse = true});
    }
}

/* The whole product of every instruction set, with the fixed point of VNNI and without. */
static void fixed_point_is_the_same_on_every_processor(void **state)
{
    (void)state;
    struct mls_kernels generic = mls_kernels_pick(MLS_ISA_GENERIC), best = mls_kernels_pick(MLS_ISA_AVX512_VNNI);
    if (!best.matvec->pays)
        skip();
    for (unsigned bits = 4; bits <= 8; bits += 4) {
        struct problem p = {
            .kind = MLS_CODE_INTEGERS, .bits = bits, .n = 100, .k = 672, .blocks = 3, .tables = 1, .vector = 1};
        p.is_signed = true;
        struct made made = make(&p);
        struct mls_matvec_kernels forced = *generic.matvec;
        float results[2][4 * 100];
        for (int which = 0; which < 2; which++) {
            struct mls_kernels kernels = which ? best : generic;
            struct mls_arena *arena = mls_arena_create(0);
            struct mls_panels panels;
            uint16_t x[4 * 672];
            const char *name;
            for (size_t i = 0; i < 4 * 672; i++)
                x[i] = mls_fp32_to_fp16(small(i) * 0.3f + 0.001f * (float)(i % 11));
            forced.pays = true;
            if (!which)
                kernels.matvec = &forced;
            assert_true(mls_panels_plan(&made.coded, false, &panels));
            assert_int_equal(mls_panels_pack(&kernels, NULL, &made.coded, false, arena, &panels), MLS_OK);
            struct mls_matvec product = {.m = 4,
                                         .x = x,
                                         .x_dtype = MLS_FP16,
                                         .weights = &panels,
                                         .y = results[which],
                                         .y_dtype = MLS_FP32};
            void *scratch = aligned_alloc(64, mls_matvec_scratch_bytes(&product));
            mls_matvec_run(&kernels, NULL, &product, scratch, &name);
            assert_non_null(strstr(name, "fixed"));
            free(scratch);
            mls_arena_free(arena);
        }
        for (size_t i = 0; i < 400; i++) /* apart from fused multiply-adds */
            assert_true(fabsf(results[0][i] - results[1][i]) <= 1e-5f * fmaxf(1, fabsf(results[0][i])));
        free_made(&made);
    }
}

static void a_row_that_is_not_finite_stays_so(void **state)
{
    (void)state;
    struct problem p = {.kind = MLS_CODE_INTEGERS, .bits = 8, .n = 20, .k = 64, .blocks = 1, .tables = 1, .vector = 1};
    struct made made = make(&p);
    for (size_t s = 0; s < N_ISAS; s++) {
        struct mls_kernels kernels = mls_kernels_pick(isas[s]);
        struct mls_arena *arena = mls_arena_create(0);
        struct mls_panels panels;
        uint16_t x[64] = {0};
        float y[20];
        const char *name;
        x[9] = 0x7c00; /* infinity */
        assert_true(mls_panels_plan(&made.coded, false, &panels));
        assert_int_equal(mls_panels_pack(&kernels, NULL, &made.coded, false, arena, &panels), MLS_OK);
        struct mls_matvec product = {
            .m = 1, .x = x, .x_dtype = MLS_FP16, .weights = &panels, .y = y, .y_dtype = MLS_FP32};
        void *scratch = aligned_alloc(64, mls_matvec_scratch_bytes(&product));
        mls_matvec_run(&kernels, NULL, &product, scratch, &name);
        for (size_t i = 0; i < 20; i++)
            assert_true(made.dense[i * 64 + 9] == 0 ? isnan(y[i]) : isinf(y[i]));
        free(scratch);
        mls_arena_free(arena);
    }
    free_made(&made);
}

static void numbers_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    struct problem p = {.kind = MLS_CODE_INDICES, .bits = 4, .n = 20, .k = 64, .blocks = 1, .tables = 1, .vector = 1};
    struct mls_kernels kernels = mls_kernels_pick(MLS_ISA_GENERIC);
    for (int which = 0; which < 2; which++) {
        struct made made = make(&p);
        struct mls_arena *arena = mls_arena_create(0);
        struct mls_panels panels;
        (which ? made.scales : made.tables)[5] = 0x7c00;
        assert_true(mls_panels_plan(&made.coded, false, &panels));
        assert_int_equal(mls_panels_pack(&kernels, NULL, &made.coded, false, arena, &panels), MLS_ERR_OP_UNSUPPORTED);
        mls_arena_free(arena);
        free_made(&made);
    }
}

static void every_form_has_a_measured_cost(void **state)
{
    (void)state;
    for (unsigned isa = MLS_ISA_GENERIC; isa < MLS_ISA_COUNT; isa++) {
        struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
        for (unsigned form = 0; form < MLS_PANEL_FORM_COUNT; form++)
            assert_true(kernels.matvec->costs[form] > 0);
    }
}

static void a_form_pays_up_to_the_cost_of_fp16(void **state)
{
    (void)state;
    struct mls_matvec_kernels costs = {.costs = {[MLS_PANEL_FP16] = 100, [MLS_PANEL_INT8] = 100, [MLS_PANEL_TABLE8] = 101}};
    struct mls_kernels kernels = {.matvec = &costs};
    assert_true(mls_matvec_pays(&kernels, &(struct mls_panels){.form = MLS_PANEL_FP16}));
    assert_true(mls_matvec_pays(&kernels, &(struct mls_panels){.form = MLS_PANEL_INT8}));
    assert_false(mls_matvec_pays(&kernels, &(struct mls_panels){.form = MLS_PANEL_TABLE8}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fp16_values_are_multiplied_as_they_are),
        cmocka_unit_test(integers_have_scales_and_offsets_by_block),
        cmocka_unit_test(every_size_of_index_finds_its_entry),
        cmocka_unit_test(tables_of_groups_of_channels),
        cmocka_unit_test(vectors_lie_in_columns_or_rows),
        cmocka_unit_test(zeros_that_are_not_stored),
        cmocka_unit_test(matrices_may_be_transposed),
        cmocka_unit_test(odd_lengths_read_no_further),
        cmocka_unit_test(fixed_point_is_the_same_on_every_processor),
        cmocka_unit_test(a_row_that_is_not_finite_stays_so),
        cmocka_unit_test(every_form_has_a_measured_cost),
        cmocka_unit_test(a_form_pays_up_to_the_cost_of_fp16),
        cmocka_unit_test(numbers_that_are_not_finite_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
