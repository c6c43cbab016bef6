/*
 * Products of 16-bit integers: every instruction set against generic, bit by bit, over odd sizes, with memory
 * that ends where the operands end; extreme operands against overflow; and what is not finite.
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
#include "kernels/conv/conv16.h"

static uint32_t seed = 1;

static uint32_t draw(uint32_t low, uint32_t high)
{
    seed = seed * 1664525u + 1013904223u;
    return low + (seed >> 16) % (high - low + 1);
}

static float *values(size_t n, float size)
{
    float *ret = malloc(n * sizeof *ret);
    for (size_t i = 0; i < n; i++)
        ret[i] = ((float)draw(0, 2000) / 1000 - 1) * size;
    return ret;
}

static uint16_t *halves(const float *from, size_t n)
{
    uint16_t *ret = malloc(n * sizeof *ret);
    for (size_t i = 0; i < n; i++)
        ret[i] = mls_fp32_to_fp16(from[i]);
    return ret;
}

/* ISAs to compare with generic: those that have kernels of their own. */
static bool next_isa(unsigned *isa, struct mls_kernels *ret)
{
    while (++*isa < MLS_ISA_COUNT) {
        *ret = mls_kernels_pick((enum mls_isa) * isa);
        if (ret->dot16_isa == (enum mls_isa) * isa)
            return true;
    }
    return false;
}

static void check_source(const struct mls_kernels *kernels, bool fp16)
{
    const struct mls_dot16_kernels *generic = mls_kernels_pick(MLS_ISA_GENERIC).dot16;
    size_t n_terms = draw(1, MLS_DOT16_BLOCK), n_cols = draw(1, 64), stride = n_cols + draw(0, 3);
    size_t n = (n_terms - 1) * stride + n_cols, vectors = (n_cols + 15) / 16;
    float *x = values(n, 3), *scales = malloc(n_terms * sizeof *scales);
    for (size_t i = 0; i < n_terms; i++)
        scales[i] = ldexpf(1, (int)draw(0, 6) - 3);
    uint16_t *half = halves(x, n);
    struct mls_dot16_source source = {.data = fp16 ? (void *)half : (void *)x,
                                      .fp16 = fp16,
                                      .stride = stride,
                                      .n_terms = n_terms,
                                      .n_cols = n_cols,
                                      .term_scales = scales};
    struct mls_dot16_measure wanted, got;
    generic->measure(&source, &wanted);
    kernels->dot16->measure(&source, &got);
    assert_true(got.square == wanted.square && got.column_square == wanted.column_square);

    size_t elems = (n_terms + 1) / 2 * vectors * 32;
    int16_t *a = malloc(elems * sizeof *a), *b = malloc(elems * sizeof *b);
    generic->quantize(&source, mls_dot16_scale(&wanted), vectors, a);
    kernels->dot16->quantize(&source, mls_dot16_scale(&wanted), vectors, b);
    assert_memory_equal(a, b, elems * sizeof *a);

    size_t at = draw(0, (uint32_t)n_terms - 1) * stride + draw(0, (uint32_t)n_cols - 1);
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    x[at] = bad[draw(0, 2)];
    half[at] = mls_fp32_to_fp16(x[at]);
    kernels->dot16->measure(&source, &got);
    assert_false(isfinite(got.column_square));
    free(x), free(half), free(scales), free(a), free(b);
}

static void sources_as_generic(void **state)
{
    (void)state;
    struct mls_kernels kernels;
    for (unsigned isa = MLS_ISA_GENERIC; next_isa(&isa, &kernels);)
        for (int i = 0; i < 200; i++)
            check_source(&kernels, i % 2);
}

static int16_t *integers(size_t n)
{
    int16_t *ret = malloc(n * sizeof *ret);
    for (size_t i = 0; i < n; i++)
        ret[i] = (int16_t)((int)draw(0, 8000) - 4000);
    return ret;
}

static void check_tile(const struct mls_kernels *kernels, bool first, bool last, bool fp16)
{
    size_t vectors = draw(1, MLS_DOT16_VECTORS), n_pairs = draw(1, MLS_DOT16_BLOCK / 2), width = vectors * 16;
    size_t n_rows = draw(1, MLS_DOT16_ROWS), n_cols = draw((uint32_t)width - 15, (uint32_t)width);
    size_t stride = n_cols + draw(0, 2), n = (n_rows - 1) * stride + n_cols, bytes = n * (fp16 ? 2 : 4);
    int16_t *a = integers(n_pairs * MLS_DOT16_ROWS * 2), *b = integers(n_pairs * width * 2);
    float *row_scales = values(MLS_DOT16_ROWS, 1e-6f), *bias = values(MLS_DOT16_ROWS, 4);
    float *sums[2] = {values(MLS_DOT16_ROWS * width, 1e6f), malloc(MLS_DOT16_ROWS * width * sizeof(float))};
    memcpy(sums[1], sums[0], MLS_DOT16_ROWS * width * sizeof(float));
    void *y[2] = {malloc(bytes), malloc(bytes)};
    memset(y[0], 0x55, bytes);
    memset(y[1], 0x55, bytes);
    uint16_t *added = malloc(n * sizeof *added);
    for (size_t i = 0; i < n; i++)
        added[i] = mls_fp32_to_fp16((float)draw(0, 100) / 16);
    struct mls_dot16_tile tile = {.n_pairs = n_pairs,
                                  .added = fp16 && draw(0, 1) ? added : NULL,
                                  .a = a,
                                  .b = b,
                                  .vectors = vectors,
                                  .scale = 0.37f,
                                  .first = first,
                                  .last = last,
                                  .n_rows = n_rows,
                                  .n_cols = n_cols,
                                  .row_scales = row_scales,
                                  .bias = bias,
                                  .low = draw(0, 1) ? 0 : -INFINITY,
                                  .high = draw(0, 1) ? 6 : INFINITY,
                                  .y_stride = stride,
                                  .fp16 = fp16};
    for (int i = 0; i < 2; i++) {
        tile.sums = sums[i];
        tile.y = y[i];
        (i ? kernels->dot16 : mls_kernels_pick(MLS_ISA_GENERIC).dot16)->tile(&tile);
    }
    assert_memory_equal(y[0], y[1], bytes);
    assert_memory_equal(sums[0], sums[1], MLS_DOT16_ROWS * width * sizeof(float));
    free(a), free(b), free(row_scales), free(bias), free(sums[0]), free(sums[1]), free(added), free(y[0]),
        free(y[1]);
}

static void tiles_as_generic(void **state)
{
    (void)state;
    struct mls_kernels kernels;
    for (unsigned isa = MLS_ISA_GENERIC; next_isa(&isa, &kernels);)
        for (unsigned i = 0; i < 400; i++)
            check_tile(&kernels, i & 1, i & 2, i & 4);
}

/* All of a matrix in one group. */
struct packed {
    struct mls_dot16_matrix matrix;
    float *bias;
};

static struct packed pack(const float *weights, size_t m, size_t k)
{
    size_t rows = mls_dot16_rows(m);
    struct packed packed = {.matrix = {.m = m, .k = k}, .bias = calloc(rows, sizeof(float))};
    packed.matrix.term_scales = malloc(k * sizeof(float));
    packed.matrix.row_scales = malloc(rows * sizeof(float));
    packed.matrix.panels = malloc(rows * mls_dot16_pairs(k) * 2 * sizeof(int16_t));
    float *scratch = malloc(mls_dot16_scratch_floats(k) * sizeof *scratch);
    assert_true(mls_dot16_pack(weights, scratch, &packed.matrix));
    free(scratch);
    for (size_t i = 0; i < m; i++)
        packed.bias[i] = (float)i / 8 - 1;
    return packed;
}

static void unpack(struct packed *packed)
{
    free(packed->matrix.term_scales), free(packed->matrix.row_scales), free(packed->matrix.panels);
    free(packed->bias);
}

/* A 1x1 convolution; returns the signal-to-noise ratio of its output in dB. */
static double pointwise_snr(enum mls_isa isa, uint32_t threads, const float *weights, size_t m, size_t k,
                            const float *x, size_t n, uint16_t *ret_y)
{
    struct mls_kernels kernels = mls_kernels_pick(isa);
    struct packed packed = pack(weights, m, k);
    uint16_t *half = halves(x, k * n);
    struct mls_window_space space = {{1, 1, n}, {1, 1, n}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {0}};
    struct mls_conv16 conv = {
        .columns = {.space = space, .in_channels = k, .n_planes = k, .fp16 = true, .x = half},
        .batch = 1,
        .groups = 1,
        .pointwise = true,
        .weights = &packed.matrix,
        .bias = packed.bias,
        .low = -INFINITY,
        .high = INFINITY,
        .y = ret_y};
    struct mls_pool *pool = mls_pool_create(threads, threads);
    void *scratch = aligned_alloc(64, mls_conv16_scratch_bytes(&kernels, &conv, threads));
    assert_true(mls_conv16_run(&kernels, pool, &conv, scratch));
    double signal = 0, noise = 0;
    for (size_t r = 0; r < m; r++)
        for (size_t c = 0; c < n; c++) {
            double sum = (double)packed.bias[r];
            for (size_t t = 0; t < k; t++)
                sum += (double)weights[r * k + t] * (double)mls_fp16_to_fp32(half[t * n + c]);
            double off = sum - (double)mls_fp16_to_fp32(ret_y[r * n + c]);
            signal += sum * sum;
            noise += off * off;
        }
    free(scratch);
    mls_pool_free(pool);
    free(half);
    unpack(&packed);
    return 10 * log10(signal / noise);
}

/* Rounding the result to fp16 alone leaves 73 dB. */
static void products_are_as_exact_as_fp16(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{16, 16, 1},   {17, 63, 49},  {40, 64, 50},
                                      {24, 65, 100}, {33, 200, 17}, {130, 128, 196}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t m = sizes[i][0], k = sizes[i][1], n = sizes[i][2];
        float *weights = values(m * k, 0.2f), *x = values(k * n, 2);
        uint16_t *y = malloc(m * n * sizeof *y), *other = malloc(m * n * sizeof *y);
        for (unsigned isa = 0; isa < MLS_ISA_COUNT; isa++)
            assert_true(pointwise_snr((enum mls_isa)isa, 1, weights, m, k, x, n, y) > 71);
        pointwise_snr(mls_cpu_best(), 3, weights, m, k, x, n, other);
        assert_memory_equal(y, other, m * n * sizeof *y);
        free(weights), free(x), free(y), free(other);
    }
}

/* The largest values that there are, all of one sign: the sums must not overflow. */
static void equal_values_do_not_overflow(void **state)
{
    (void)state;
    enum { M = 16, K = 64, N = 20 };
    float weights[M * K], x[K * N];
    uint16_t y[M * N];
    for (size_t i = 0; i < M * K; i++)
        weights[i] = 0.01f;
    for (size_t i = 0; i < K * N; i++)
        x[i] = 60000;
    for (unsigned isa = 0; isa < MLS_ISA_COUNT; isa++)
        assert_true(pointwise_snr((enum mls_isa)isa, 1, weights, M, K, x, N, y) > 70);
}

/* A channel with large values and small weights leaves the others their bits. */
static void channels_of_different_size(void **state)
{
    (void)state;
    enum { M = 16, K = 64, N = 48 };
    float *weights = values(M * K, 1), *x = values(K * N, 1);
    uint16_t y[M * N];
    for (size_t r = 0; r < M; r++)
        weights[r * K + 5] *= 1e-4f;
    for (size_t c = 0; c < N; c++)
        x[5 * N + c] *= 10000;
    for (unsigned isa = 0; isa < MLS_ISA_COUNT; isa++)
        assert_true(pointwise_snr((enum mls_isa)isa, 1, weights, M, K, x, N, y) > 70);
    free(weights), free(x);
}

/* One, two or three dimensions, any stride and dilation: with patches, and without where these do not suit.
 */
static struct mls_window_space draw_space(void)
{
    struct mls_window_space s = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {0}};
    unsigned first = draw(0, 5) ? draw(1, 2) : 0;
    for (unsigned d = first; d < MLS_SPACE; d++) {
        s.kernel[d] = draw(1, 4);
        s.stride[d] = draw(1, 3);
        s.dilation[d] = draw(1, 2);
        size_t reach = (s.kernel[d] - 1) * s.dilation[d];
        s.before[d] = draw(0, (uint32_t)reach);
        s.after[d] = draw(0, (uint32_t)reach);
        s.in[d] = reach + draw(1, d == 2 ? 60 : 8);
        s.out[d] = (s.in[d] + s.before[d] + s.after[d] - reach - 1) / s.stride[d] + 1;
    }
    return s;
}

/* What term k of the sums multiplies at an output position: an element of the group's planes, or zero in the
 * padding. */
static double value_under(const struct mls_conv_columns *columns, const uint16_t *planes, size_t k,
                          size_t position)
{
    const struct mls_window_space *s = &columns->space;
    size_t out[MLS_SPACE] = {position / s->out[2] / s->out[1], position / s->out[2] % s->out[1],
                             position % s->out[2]};
    size_t element[MLS_SPACE] = {k / s->kernel[2] / s->kernel[1] % s->kernel[0],
                                 k / s->kernel[2] % s->kernel[1], k % s->kernel[2]};
    size_t at = k / mls_window_elems(s->kernel);
    for (unsigned d = 0; d < MLS_SPACE; d++) {
        size_t i = out[d] * s->stride[d] + element[d] * s->dilation[d] - s->before[d];
        if (i >= s->in[d])
            return 0;
        at = at * s->in[d] + i;
    }
    return (double)mls_fp16_to_fp32(planes[at]);
}

static void check_convolution(const struct mls_kernels *kernels)
{
    struct mls_conv16 conv = {.columns = {.space = draw_space(), .in_channels = draw(1, 9), .fp16 = true},
                              .batch = draw(1, 2),
                              .groups = draw(1, 2),
                              .low = -INFINITY,
                              .high = INFINITY};
    const struct mls_window_space *s = &conv.columns.space;
    size_t m = draw(1, 20), k = conv.columns.in_channels * mls_window_elems(s->kernel);
    size_t matrices = conv.batch * conv.groups, n = mls_window_elems(s->out);
    conv.columns.n_planes = matrices * conv.columns.in_channels;
    size_t n_x = conv.columns.n_planes * mls_window_elems(s->in), group_elems = n_x / matrices;
    float *x = values(n_x, 2), *weights = values(conv.groups * m * k, 0.2f);
    uint16_t *half = halves(x, n_x), *y = malloc(matrices * m * n * sizeof *y);
    struct packed packed[2] = {pack(weights, m, k), pack(weights + (conv.groups - 1) * m * k, m, k)};
    struct mls_dot16_matrix both[2] = {packed[0].matrix, packed[1].matrix};
    float *bias = calloc(2 * mls_dot16_rows(m), sizeof *bias);
    conv.columns.x = half;
    conv.weights = both;
    conv.bias = bias;
    conv.y = y;
    size_t scratch_bytes = mls_conv16_scratch_bytes(kernels, &conv, 1);
    void *scratch = aligned_alloc(64, scratch_bytes);
    memset(scratch, 0xff, scratch_bytes);
    assert_true(mls_conv16_run(kernels, NULL, &conv, scratch));
    double signal = 0, noise = 0;
    for (size_t i = 0; i < matrices * m * n; i++) {
        size_t matrix = i / n / m, row = matrix % conv.groups * m + i / n % m;
        double sum = 0;
        for (size_t t = 0; t < k; t++)
            sum += (double)weights[row * k + t] *
                   value_under(&conv.columns, half + matrix * group_elems, t, i % n);
        double off = sum - (double)mls_fp16_to_fp32(y[i]);
        signal += sum * sum;
        noise += off * off;
    }
    assert_true(10 * log10(signal / noise) > 65);
    free(x), free(weights), free(half), free(y), free(bias), free(scratch);
    unpack(&packed[0]), unpack(&packed[1]);
}

static void convolutions_against_definition(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++)
        for (unsigned isa = 0; isa <= MLS_ISA_AVX512_VNNI; isa++) {
            struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
            check_convolution(&kernels);
        }
}

static void weights_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    float weights[16] = {0}, terms[16], rows[8], scratch[128];
    int16_t panels[8 * 16];
    struct mls_dot16_matrix matrix = {
        .m = 1, .k = 16, .term_scales = terms, .row_scales = rows, .panels = panels};
    assert_true(mls_dot16_pack(weights, scratch, &matrix));
    weights[3] = NAN;
    assert_false(mls_dot16_pack(weights, scratch, &matrix));
    weights[3] = INFINITY;
    assert_false(mls_dot16_pack(weights, scratch, &matrix));
    weights[3] = 1e30f;
    assert_false(mls_dot16_pack(weights, scratch, &matrix));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sources_as_generic),
                                       cmocka_unit_test(tiles_as_generic),
                                       cmocka_unit_test(products_are_as_exact_as_fp16),
                                       cmocka_unit_test(equal_values_do_not_overflow),
                                       cmocka_unit_test(channels_of_different_size),
                                       cmocka_unit_test(convolutions_against_definition),
                                       cmocka_unit_test(weights_that_are_not_finite_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
