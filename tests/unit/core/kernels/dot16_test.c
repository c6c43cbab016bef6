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

/* Lines over planes of `cols` columns and some rows, with padding before and behind; returns the positions.
 */
static size_t draw_lines(struct mls_dot16_block *block, struct mls_dot16_line *lines, size_t rows,
                         size_t cols)
{
    size_t to = 0;
    block->lines = lines;
    block->width = draw(1, 40);
    block->step = draw(1, 3);
    for (block->n_lines = 0; block->n_lines < rows; block->n_lines++, to += block->width) {
        ptrdiff_t col = (ptrdiff_t)draw(0, 5) - 3;
        struct mls_dot16_line *line = &lines[block->n_lines];
        *line = (struct mls_dot16_line){.at = (ptrdiff_t)(block->n_lines * cols) + col, .to = to};
        for (ptrdiff_t i = 0; draw(0, 9) && i < (ptrdiff_t)block->width; i++) {
            ptrdiff_t at = col + i * (ptrdiff_t)block->step;
            line->first += at < 0;
            line->end += at < (ptrdiff_t)cols;
        }
        line->first = line->first < line->end ? line->first : line->end;
    }
    return to;
}

static void check_block(const struct mls_kernels *kernels)
{
    enum { ROWS = 5 };
    const struct mls_dot16_kernels *generic = mls_kernels_pick(MLS_ISA_GENERIC).dot16;
    struct mls_dot16_block block = {.n_planes = draw(1, MLS_DOT16_BLOCK)};
    struct mls_dot16_line lines[ROWS];
    size_t cols = draw(4, 70), elems = ROWS * cols, n = draw_lines(&block, lines, ROWS, cols);
    float *x = values(block.n_planes * elems, 3), *scales = malloc(block.n_planes * sizeof *scales);
    float *sums = malloc((n + MLS_DOT16_LANES) * sizeof *sums);
    uint16_t *half = halves(x, block.n_planes * elems);
    block.scales = scales;
    for (size_t i = 0; i < block.n_planes; i++) {
        scales[i] = ldexpf(1, (int)draw(0, 6) - 3);
        block.planes[i] = draw(0, 9) ? half + i * elems : NULL;
    }
    float square = generic->measure(&block, sums);
    assert_true(kernels->dot16->measure(&block, sums) == square);

    size_t stride = n + MLS_DOT16_LANES, n_integers = (block.n_planes + 1) / 2 * stride * 2;
    int16_t *a = calloc(n_integers, sizeof *a), *b = calloc(n_integers, sizeof *b);
    generic->quantize(&block, 1000, stride, a);
    kernels->dot16->quantize(&block, 1000, stride, b);
    for (size_t p = 0; p < (block.n_planes + 1) / 2; p++)
        assert_memory_equal(a + p * stride * 2, b + p * stride * 2, n * 2 * sizeof *a);
    free(x), free(half), free(scales), free(sums), free(a), free(b);
}

static void blocks_as_generic(void **state)
{
    (void)state;
    struct mls_kernels kernels;
    for (unsigned isa = MLS_ISA_GENERIC; next_isa(&isa, &kernels);)
        for (int i = 0; i < 400; i++)
            check_block(&kernels);
}

static void measures_of_what_is_not_finite_are_not(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    uint16_t x[40] = {0};
    float scales[2] = {1, 1}, sums[40 + MLS_DOT16_LANES];
    struct mls_dot16_line line = {.end = 40};
    struct mls_dot16_block block = {.planes = {x, x},
                                    .n_planes = 2,
                                    .scales = scales,
                                    .lines = &line,
                                    .n_lines = 1,
                                    .width = 40,
                                    .step = 1};
    for (unsigned isa = 0; isa < MLS_ISA_COUNT; isa++)
        for (size_t i = 0; i < 40 * 3; i++) {
            struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
            x[i / 3] = mls_fp32_to_fp16(bad[i % 3]);
            assert_false(isfinite(kernels.dot16->measure(&block, sums)));
            x[i / 3] = 0;
        }
}

static int16_t *integers(size_t n)
{
    int16_t *ret = malloc(n * sizeof *ret);
    for (size_t i = 0; i < n; i++)
        ret[i] = (int16_t)((int)draw(0, 8000) - 4000);
    return ret;
}

/* Lanes that are results, and where these go: as many as there are lanes at most. */
static size_t draw_places(struct mls_dot16_place *places, size_t vectors)
{
    size_t at = draw(0, 3);
    for (size_t v = 0; v < vectors; v++) {
        uint32_t shift = draw(0, 1) ? 0 : draw(1, 9);
        places[v] = (struct mls_dot16_place){.at = at, .lanes = (uint16_t)(0xffffu >> shift)};
        places[v].lanes = (uint16_t)(draw(0, 3) ? places[v].lanes : places[v].lanes & draw(0, 0xffff));
        at += (size_t)__builtin_popcount(places[v].lanes);
    }
    return at;
}

static void check_panel(const struct mls_kernels *kernels, bool first, bool last)
{
    enum { ROWS = 20, ROWS_UP = 24, WIDTH = MLS_DOT16_VECTORS * MLS_DOT16_LANES, ELEMENTS = 3, PAIRS = 64 };
    struct mls_dot16_place places[MLS_DOT16_VECTORS];
    size_t offsets[ELEMENTS] = {draw(0, 40), draw(0, 40), draw(0, 40)};
    struct mls_dot16_panel panel = {.n_elements = draw(1, ELEMENTS),
                                    .offsets = offsets,
                                    .scale = 0.37f,
                                    .first = first,
                                    .last = last,
                                    .results = {.n_rows = draw(1, ROWS),
                                                .vectors = draw(1, MLS_DOT16_VECTORS),
                                                .places = places,
                                                .low = draw(0, 1) ? 0 : -INFINITY,
                                                .high = draw(0, 1) ? 6 : INFINITY}};
    panel.n_pairs = draw(1, PAIRS / (uint32_t)panel.n_elements);
    size_t row = draw_places(places, panel.results.vectors), n = (panel.results.n_rows - 1) * (row + 2) + row;
    panel.a_stride = panel.n_elements * panel.n_pairs * MLS_DOT16_ROWS * 2;
    panel.b_stride = panel.results.vectors * MLS_DOT16_LANES + 40 + draw(0, 9);
    panel.results.y_stride = row + 2;
    int16_t *a = integers(panel.a_stride * ROWS_UP / MLS_DOT16_ROWS),
            *b = integers(panel.n_pairs * panel.b_stride * 2);
    float *row_scales = values(ROWS_UP, 1e-6f), *bias = values(ROWS_UP, 4),
          *before = values(ROWS_UP * WIDTH, 1e6f);
    uint16_t *added = malloc((n + 1) * sizeof *added), *y[2];
    for (size_t i = 0; i < n; i++)
        added[i] = mls_fp32_to_fp16((float)draw(0, 100) / 16);
    float *sums[2];
    panel.a = a, panel.b = b, panel.results.row_scales = row_scales, panel.results.bias = bias;
    panel.results.added = draw(0, 1) ? added : NULL;
    for (int i = 0; i < 2; i++) {
        panel.sums = sums[i] = malloc(ROWS_UP * WIDTH * sizeof(float));
        panel.results.y = y[i] = malloc((n + 1) * sizeof(uint16_t));
        memcpy(sums[i], before, ROWS_UP * WIDTH * sizeof(float));
        memset(y[i], 0x55, n * sizeof(uint16_t));
        (i ? kernels->dot16 : mls_kernels_pick(MLS_ISA_GENERIC).dot16)->multiply(&panel);
    }
    assert_memory_equal(y[0], y[1], n * sizeof(uint16_t));
    size_t rows = (panel.results.n_rows + MLS_DOT16_ROWS - 1) / MLS_DOT16_ROWS * MLS_DOT16_ROWS;
    assert_memory_equal(sums[0], sums[1], rows * panel.results.vectors * MLS_DOT16_LANES * sizeof(float));
    free(a), free(b), free(row_scales), free(bias), free(before), free(added);
    free(sums[0]), free(sums[1]), free(y[0]), free(y[1]);
}

static void panels_as_generic(void **state)
{
    (void)state;
    struct mls_kernels kernels;
    for (unsigned isa = MLS_ISA_GENERIC; next_isa(&isa, &kernels);)
        for (unsigned i = 0; i < 800; i++)
            check_panel(&kernels, i & 1, i & 2);
}

/* All of a matrix in one group. */
struct packed {
    struct mls_dot16_matrix matrix;
    float *bias;
};

static struct packed pack(const float *weights, size_t m, size_t channels, size_t elements)
{
    size_t rows = mls_dot16_rows(m);
    struct packed packed = {.matrix = {.m = m, .cut = mls_dot16_cut_of(channels, elements)},
                            .bias = calloc(rows, sizeof(float))};
    const struct mls_dot16_cut *cut = &packed.matrix.cut;
    size_t row_elems = 2 * mls_dot16_row_pairs(cut);
    packed.matrix.plane_scales = malloc(cut->n_blocks * cut->n_pairs * 2 * sizeof(float));
    packed.matrix.row_scales = malloc(rows * sizeof(float));
    packed.matrix.panels = malloc(rows * row_elems * sizeof(int16_t));
    float *scratch = malloc(row_elems * sizeof *scratch);
    assert_true(mls_dot16_pack(weights, scratch, &packed.matrix));
    free(scratch);
    for (size_t i = 0; i < m; i++)
        packed.bias[i] = (float)i / 8 - 1;
    return packed;
}

static void unpack(struct packed *packed)
{
    free(packed->matrix.plane_scales), free(packed->matrix.row_scales), free(packed->matrix.panels);
    free(packed->bias);
}

/* A 1x1 convolution; returns the signal-to-noise ratio of its output in dB. */
static double pointwise_snr(enum mls_isa isa, uint32_t threads, const float *weights, size_t m, size_t k,
                            const float *x, size_t n, uint16_t *ret_y)
{
    struct mls_kernels kernels = mls_kernels_pick(isa);
    struct packed packed = pack(weights, m, k, 1);
    uint16_t *half = halves(x, k * n);
    struct mls_window_space space = {{1, 1, n}, {1, 1, n}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {0}};
    struct mls_conv16 conv = {.space = space,
                              .batch = 1,
                              .groups = 1,
                              .in_channels = k,
                              .x = half,
                              .weights = &packed.matrix,
                              .bias = packed.bias,
                              .low = -INFINITY,
                              .high = INFINITY,
                              .y = ret_y};
    struct mls_pool *pool = mls_pool_create(threads, threads);
    void *scratch = aligned_alloc(64, mls_conv16_scratch_bytes(&conv, threads));
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

/* One, two or three dimensions, any stride and dilation. */
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
static double value_under(const struct mls_window_space *s, const uint16_t *planes, size_t k, size_t position)
{
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
    struct mls_conv16 conv = {.space = draw_space(),
                              .in_channels = draw(0, 5) ? draw(1, 9) : draw(60, 140),
                              .batch = draw(1, 2),
                              .groups = draw(1, 2),
                              .low = -INFINITY,
                              .high = INFINITY};
    const struct mls_window_space *s = &conv.space;
    size_t m = draw(1, 20), k = conv.in_channels * mls_window_elems(s->kernel);
    size_t matrices = conv.batch * conv.groups, n = mls_window_elems(s->out);
    size_t n_x = matrices * conv.in_channels * mls_window_elems(s->in), group_elems = n_x / matrices;
    float *x = values(n_x, 2), *weights = values(conv.groups * m * k, 0.2f);
    uint16_t *half = halves(x, n_x), *y = malloc(matrices * m * n * sizeof *y);
    struct mls_dot16_cut cut = mls_conv16_cut(s, conv.in_channels);
    struct packed packed[2] = {pack(weights, m, cut.channels, cut.elements),
                               pack(weights + (conv.groups - 1) * m * k, m, cut.channels, cut.elements)};
    struct mls_dot16_matrix both[2] = {packed[0].matrix, packed[1].matrix};
    float *bias = calloc(2 * mls_dot16_rows(m), sizeof *bias);
    conv.x = half;
    conv.weights = both;
    conv.bias = bias;
    conv.y = y;
    size_t scratch_bytes = mls_conv16_scratch_bytes(&conv, 1);
    void *scratch = aligned_alloc(64, scratch_bytes);
    memset(scratch, 0xff, scratch_bytes);
    assert_true(mls_conv16_run(kernels, NULL, &conv, scratch));
    double signal = 0, noise = 0;
    for (size_t i = 0; i < matrices * m * n; i++) {
        size_t matrix = i / n / m, row = matrix % conv.groups * m + i / n % m;
        double sum = 0;
        for (size_t t = 0; t < k; t++)
            sum += (double)weights[row * k + t] * value_under(s, half + matrix * group_elems, t, i % n);
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
    float weights[16] = {0}, planes[16], rows[8], scratch[16];
    int16_t panels[8 * 16];
    struct mls_dot16_matrix matrix = {
        .m = 1, .cut = mls_dot16_cut_of(16, 1), .plane_scales = planes, .row_scales = rows, .panels = panels};
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_as_generic),
                                       cmocka_unit_test(measures_of_what_is_not_finite_are_not),
                                       cmocka_unit_test(panels_as_generic),
                                       cmocka_unit_test(products_are_as_exact_as_fp16),
                                       cmocka_unit_test(equal_values_do_not_overflow),
                                       cmocka_unit_test(channels_of_different_size),
                                       cmocka_unit_test(convolutions_against_definition),
                                       cmocka_unit_test(weights_that_are_not_finite_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
