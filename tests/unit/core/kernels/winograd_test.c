/*
 * Convolutions by minimal filtering against the definition, on every instruction set: odd planes, few and
 * many channels, padding on each side, clamps, several threads, and values that are not finite.
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
#include "kernels/conv/conv.h"

static uint32_t seed = 1;

static size_t draw(size_t low, size_t high)
{
    seed = seed * 1664525u + 1013904223u;
    return low + (seed >> 16) % (high - low + 1);
}

static float *numbers(size_t n, float size)
{
    float *values = malloc(n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = mls_fp16_to_fp32(mls_fp32_to_fp16(((float)draw(0, 2000) / 1000 - 1) * size));
    return values;
}

/* A convolution with all its memory; x and y end where their memory ends. */
struct example {
    struct mls_winograd conv;
    float *x, *weights, *bias, *floats;
    uint16_t *half;
};

static size_t rows_of(const struct mls_winograd *conv)
{
    return (conv->out_channels + MLS_WINOGRAD_ROWS - 1) / MLS_WINOGRAD_ROWS * MLS_WINOGRAD_ROWS;
}

static struct mls_window_space draw_space(void)
{
    struct mls_window_space s = {
        {1, draw(3, 20), draw(3, 40)}, {1, 1, 1}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0}, {0}};
    for (unsigned d = 1; d < MLS_SPACE; d++) {
        s.before[d] = draw(0, 2);
        s.after[d] = draw(0, 2);
        s.out[d] = s.in[d] + s.before[d] + s.after[d] - 2;
    }
    return s;
}

static void pack(struct example *e)
{
    struct mls_winograd *conv = &e->conv;
    size_t channels = conv->in_channels, tile = MLS_WINOGRAD_PRODUCTS * channels * MLS_WINOGRAD_ROWS;
    e->floats = calloc(rows_of(conv) / MLS_WINOGRAD_ROWS * tile, sizeof(float));
    for (size_t r = 0; r < conv->out_channels; r++)
        for (size_t c = 0; c < channels; c++)
            mls_winograd_weights(e->weights + (r * channels + c) * 9,
                                 e->floats + r / MLS_WINOGRAD_ROWS * tile + c * MLS_WINOGRAD_ROWS +
                                     r % MLS_WINOGRAD_ROWS,
                                 channels * MLS_WINOGRAD_ROWS);
    conv->weights = e->floats;
}

static struct example make_example(void)
{
    struct example e = {.conv = {.space = draw_space(),
                                 .batch = draw(1, 2),
                                 .in_channels = draw(1, 80),
                                 .out_channels = draw(1, 30),
                                 .fp16 = draw(0, 1),
                                 .low = draw(0, 1) ? 0 : -INFINITY,
                                 .high = draw(0, 1) ? 2 : INFINITY}};
    struct mls_winograd *conv = &e.conv;
    size_t n = conv->batch * conv->in_channels * mls_window_elems(conv->space.in);
    e.x = numbers(n, 2);
    e.weights = numbers(conv->out_channels * conv->in_channels * 9, 0.2f);
    e.bias = numbers(rows_of(conv), 1);
    e.half = malloc(n * sizeof *e.half);
    for (size_t i = 0; i < n; i++)
        e.half[i] = mls_fp32_to_fp16(e.x[i]);
    conv->x = conv->fp16 ? (void *)e.half : (void *)e.x;
    conv->bias = e.bias;
    pack(&e);
    return e;
}

static void free_example(struct example *e)
{
    free(e->x), free(e->weights), free(e->bias), free(e->floats), free(e->half);
}

static double expected_at(const struct example *e, size_t index)
{
    const struct mls_winograd *conv = &e->conv;
    const struct mls_window_space *s = &conv->space;
    size_t col = index % s->out[2], row = index / s->out[2] % s->out[1],
           plane = index / s->out[2] / s->out[1];
    size_t channel = plane % conv->out_channels, image = plane / conv->out_channels;
    double sum = (double)e->bias[channel];
    for (size_t c = 0; c < conv->in_channels; c++)
        for (size_t k = 0; k < 9; k++) {
            size_t r = row + k / 3 - s->before[1], q = col + k % 3 - s->before[2];
            if (r < s->in[1] && q < s->in[2])
                sum += (double)e->weights[(channel * conv->in_channels + c) * 9 + k] *
                       (double)e->x[((image * conv->in_channels + c) * s->in[1] + r) * s->in[2] + q];
        }
    return fmin(fmax(sum, (double)conv->low), (double)conv->high);
}

static size_t elems_of(const struct example *e)
{
    return e->conv.batch * e->conv.out_channels * mls_window_elems(e->conv.space.out);
}

/* Runs into memory of exactly the output's size; the caller frees. NULL: refused. */
static void *run(struct example *e, enum mls_isa isa, uint32_t threads)
{
    struct mls_kernels kernels = mls_kernels_pick(isa);
    struct mls_pool *pool = mls_pool_create(threads, threads);
    size_t bytes = elems_of(e) * (e->conv.fp16 ? 2 : 4);
    size_t scratch_bytes = mls_winograd_scratch_bytes(&e->conv, threads);
    void *scratch = aligned_alloc(64, scratch_bytes);
    memset(scratch, 0xff, scratch_bytes);
    e->conv.y = malloc(bytes);
    memset(e->conv.y, 0xff, bytes);
    if (!mls_winograd_run(&kernels, pool, &e->conv, scratch)) {
        free(e->conv.y);
        e->conv.y = NULL;
    }
    free(scratch);
    mls_pool_free(pool);
    return e->conv.y;
}

static void check(struct example *e, enum mls_isa isa)
{
    void *y = run(e, isa, 1);
    double signal = 0, noise = 0;
    assert_non_null(y);
    for (size_t i = 0; i < elems_of(e); i++) {
        double want = expected_at(e, i);
        double got = e->conv.fp16 ? (double)mls_fp16_to_fp32(((uint16_t *)y)[i]) : (double)((float *)y)[i];
        if (!(fabs(got - want) <= (e->conv.fp16 ? 0.02 : 1e-4)))
            fail_msg("%s, element %zu: %g, not %g", mls_isa_name(isa), i, got, want);
        signal += want * want;
        noise += (got - want) * (got - want);
    }
    assert_true(10 * log10(signal / noise) > (e->conv.fp16 ? 68 : 110));
    free(y);
}

static void results_against_definition(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        struct example e = make_example();
        for (unsigned isa = 0; isa < MLS_ISA_COUNT; isa++)
            check(&e, (enum mls_isa)isa);
        void *one = run(&e, mls_cpu_best(), 1), *three = run(&e, mls_cpu_best(), 3);
        assert_memory_equal(one, three, elems_of(&e) * (e.conv.fp16 ? 2 : 4));
        free(one), free(three);
        free_example(&e);
    }
}

static void values_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 12; i++) {
        struct example e = make_example();
        size_t n = e.conv.batch * e.conv.in_channels * mls_window_elems(e.conv.space.in), at = draw(0, n - 1);
        e.x[at] = bad[i % 3];
        e.half[at] = mls_fp32_to_fp16(e.x[at]);
        for (unsigned isa = 0; isa < MLS_ISA_COUNT; isa++)
            assert_null(run(&e, (enum mls_isa)isa, 1));
        free_example(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(results_against_definition),
                                       cmocka_unit_test(values_that_are_not_finite_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
