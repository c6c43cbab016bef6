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
#include "kernels/conv/depthwise.h"
#include "kernels/window/window.h"

static uint32_t seed = 1;

static size_t draw(size_t low, size_t high)
{
    seed = seed * 1664525u + 1013904223u;
    return low + (seed >> 16) % (high - low + 1);
}

/* A geometry with at least one output in each dimension; without dilation for pools. */
static struct mls_window_space draw_space(bool dilated)
{
    struct mls_window_space s;
    for (unsigned d = 0; d < MLS_SPACE; d++) {
        bool used = d == 2 || (d == 1 && draw(0, 3)) || (d == 0 && !draw(0, 4));
        s.kernel[d] = used ? draw(1, 4) : 1;
        s.stride[d] = used ? draw(1, 3) : 1;
        s.dilation[d] = used && dilated ? draw(1, 3) : 1;
        s.before[d] = used ? draw(0, s.kernel[d] - 1) : 0;
        s.after[d] = used ? draw(0, s.kernel[d] - 1) : 0;
        size_t reach = (s.kernel[d] - 1) * s.dilation[d] + 1, pads = s.before[d] + s.after[d];
        size_t least = reach > pads ? reach - pads : 1;
        s.in[d] = used ? least + draw(0, d == 2 ? 70 : 9) : 1;
        s.out[d] = (s.in[d] + pads - reach) / s.stride[d] + 1;
    }
    return s;
}

/* The element under kernel element `k` of output position `at`; false in the padding. */
static bool element_at(const struct mls_window_space *s, const size_t at[MLS_SPACE], size_t k, size_t *ret)
{
    size_t parts[MLS_SPACE] = {k / s->kernel[2] / s->kernel[1], k / s->kernel[2] % s->kernel[1],
                               k % s->kernel[2]};
    *ret = 0;
    for (unsigned d = 0; d < MLS_SPACE; d++) {
        size_t i = at[d] * s->stride[d] + parts[d] * s->dilation[d];
        if (i < s->before[d] || i - s->before[d] >= s->in[d])
            return false;
        *ret = *ret * s->in[d] + i - s->before[d];
    }
    return true;
}

static double expected_at(const struct mls_window *w, const float *x, const float *weights, size_t out_plane,
                          size_t position)
{
    const struct mls_window_space *s = &w->space;
    size_t at[MLS_SPACE] = {position / s->out[2] / s->out[1], position / s->out[2] % s->out[1],
                            position % s->out[2]};
    size_t n_elems = mls_window_elems(s->kernel), channel = out_plane % (w->n_channels * w->outputs),
           counted = 0;
    double sum = w->kind == MLS_WINDOW_MAX ? -HUGE_VAL : w->bias ? (double)w->bias[channel] : 0;
    x += out_plane / w->outputs * mls_window_elems(s->in);
    for (size_t k = 0; k < n_elems; k++) {
        size_t i;
        if (!element_at(s, at, k, &i))
            continue;
        counted++;
        double value = (double)x[i];
        if (w->kind == MLS_WINDOW_DEPTHWISE)
            sum += value * (double)weights[channel * n_elems + k];
        else if (w->kind == MLS_WINDOW_MAX)
            sum = value > sum ? value : sum;
        else
            sum += w->kind == MLS_WINDOW_L2 ? value * value : value;
    }
    if (w->kind == MLS_WINDOW_AVERAGE)
        return sum / (double)(w->exclude_padding ? counted : n_elems);
    return w->kind == MLS_WINDOW_L2 ? sqrt(sum) : sum;
}

static float *numbers(size_t n)
{
    float *values = malloc(n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)draw(0, 32) / 8 - 2;
    return values;
}

static uint16_t *halves(const float *values, size_t n)
{
    uint16_t *ret = malloc(n * sizeof *ret);
    for (size_t i = 0; i < n; i++)
        ret[i] = mls_fp32_to_fp16(values[i]);
    return ret;
}

static void check(enum mls_isa isa, struct mls_window *w, const float *x, const float *weights,
                  const char *what)
{
    struct mls_kernels kernels = mls_kernels_pick(isa);
    size_t n_in = w->n_planes * mls_window_elems(w->space.in), positions = mls_window_elems(w->space.out);
    size_t n = w->n_planes * w->outputs * positions, bytes = n * (w->fp16 ? 2 : 4);
    void *x_half = w->fp16 ? halves(x, n_in) : NULL;
    void *weights_half = NULL;
    w->x = w->fp16 ? x_half : x;
    w->y = malloc(bytes);
    memset(w->y, 0xff, bytes);
    w->weights = weights;
    if (weights && w->weights_fp16)
        w->weights = weights_half =
            halves(weights, w->n_channels * w->outputs * mls_window_elems(w->space.kernel));
    struct mls_depthwise depthwise = {.window = *w, .low = -INFINITY, .high = INFINITY};
    bool planes = w->kind == MLS_WINDOW_DEPTHWISE && mls_depthwise_suits(&kernels, w);
    size_t scratch_bytes = planes ? mls_depthwise_scratch_bytes(&kernels, &depthwise, 1)
                                  : mls_window_scratch_bytes(&kernels, w, 1);
    void *scratch = aligned_alloc(64, scratch_bytes);
    memset(scratch, 0xff, scratch_bytes);
    if (planes)
        mls_depthwise_run(&kernels, NULL, &depthwise, scratch);
    else
        mls_window_run(&kernels, NULL, w, scratch);
    for (size_t i = 0; i < n; i++) {
        double want = expected_at(w, x, weights, i / positions, i % positions);
        double got = w->fp16 ? (double)mls_fp16_to_fp32(((uint16_t *)w->y)[i]) : (double)((float *)w->y)[i];
        double allowed = fabs(want) * (w->fp16 ? 0x1p-11 : 1e-6);
        if (!(got == want || fabs(got - want) <= allowed))
            fail_msg("%s on %s: element %zu is %g, not %g", what, mls_isa_name(isa), i, got, want);
    }
    free(scratch);
    free(w->y);
    free(x_half);
    free(weights_half);
}

static void check_all(enum mls_window_kind kind, const char *what)
{
    for (int round = 0; round < 60; round++) {
        struct mls_window w = {.kind = kind,
                               .space = draw_space(kind == MLS_WINDOW_DEPTHWISE),
                               .n_channels = draw(1, 3),
                               .outputs = kind == MLS_WINDOW_DEPTHWISE ? draw(1, 3) : 1,
                               .fp16 = draw(0, 1),
                               .weights_fp16 = draw(0, 1),
                               .exclude_padding = draw(0, 1)};
        w.n_planes = w.n_channels * draw(1, 2);
        float *x = numbers(w.n_planes * mls_window_elems(w.space.in));
        float *weights = numbers(w.n_channels * w.outputs * mls_window_elems(w.space.kernel));
        float *bias = numbers(w.n_channels * w.outputs);
        w.bias = kind == MLS_WINDOW_DEPTHWISE && draw(0, 1) ? bias : NULL;
        for (int isa = 0; isa <= MLS_ISA_AVX512; isa++)
            check((enum mls_isa)isa, &w, x, kind == MLS_WINDOW_DEPTHWISE ? weights : NULL, what);
        free(x);
        free(weights);
        free(bias);
    }
}

static void test_depthwise(void **state)
{
    (void)state;
    check_all(MLS_WINDOW_DEPTHWISE, "depthwise");
}

/* The windows that a whole plane is computed for at a time. */
static struct mls_window_space draw_plane(void)
{
    static const size_t kernels[][3] = {{3, 3, 1}, {3, 3, 2}, {5, 5, 1}, {5, 5, 2},
                                        {7, 7, 1}, {1, 3, 1}, {1, 5, 1}, {1, 7, 1}};
    const size_t *kernel = kernels[draw(0, 7)];
    struct mls_window_space s = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {0}};
    for (unsigned d = 1; d < MLS_SPACE; d++) {
        s.kernel[d] = kernel[d - 1];
        s.stride[d] = s.kernel[d] > 1 ? kernel[2] : 1;
        s.dilation[d] = kernel[0] == 1 && d == 2 ? draw(1, 4) : 1;
        size_t reach = (s.kernel[d] - 1) * s.dilation[d];
        s.before[d] = draw(0, reach);
        s.after[d] = draw(0, reach);
        s.in[d] = reach + draw(1, d == 2 ? 70 : 12);
        s.out[d] = (s.in[d] + s.before[d] + s.after[d] - reach - 1) / s.stride[d] + 1;
    }
    return s;
}

static void test_depthwise_planes(void **state)
{
    (void)state;
    for (int round = 0; round < 80; round++) {
        struct mls_window w = {.kind = MLS_WINDOW_DEPTHWISE,
                               .space = draw_plane(),
                               .n_channels = draw(1, 3),
                               .outputs = draw(1, 2),
                               .fp16 = draw(0, 1),
                               .weights_fp16 = draw(0, 1)};
        w.n_planes = w.n_channels * draw(1, 2);
        float *x = numbers(w.n_planes * mls_window_elems(w.space.in));
        float *weights = numbers(w.n_channels * w.outputs * mls_window_elems(w.space.kernel));
        float *bias = numbers(w.n_channels * w.outputs);
        w.bias = draw(0, 1) ? bias : NULL;
        for (int isa = 0; isa <= MLS_ISA_AVX512; isa++)
            check((enum mls_isa)isa, &w, x, weights, "plane");
        free(x);
        free(weights);
        free(bias);
    }
}

static void test_max(void **state)
{
    (void)state;
    check_all(MLS_WINDOW_MAX, "max");
}

static void test_average(void **state)
{
    (void)state;
    check_all(MLS_WINDOW_AVERAGE, "average");
}

static void test_l2(void **state)
{
    (void)state;
    check_all(MLS_WINDOW_L2, "l2");
}

static void test_long_rows_and_tall_planes(void **state)
{
    (void)state;
    struct mls_window w = {.kind = MLS_WINDOW_DEPTHWISE, .n_channels = 1, .n_planes = 1, .outputs = 1};
    w.space = (struct mls_window_space){.in = {1, 3, 2500},
                                        .out = {1, 3, 2500},
                                        .kernel = {1, 3, 3},
                                        .stride = {1, 1, 1},
                                        .dilation = {1, 1, 1},
                                        .before = {0, 1, 1},
                                        .after = {0, 1, 1}};
    float *x = numbers(7500), *weights = numbers(9);
    for (int isa = 0; isa <= MLS_ISA_AVX512; isa++)
        check((enum mls_isa)isa, &w, x, weights, "long rows");
    w.space.in[1] = w.space.out[1] = 2500;
    w.space.in[2] = w.space.out[2] = 3;
    for (int isa = 0; isa <= MLS_ISA_AVX512; isa++)
        check((enum mls_isa)isa, &w, x, weights, "tall planes");
    free(x);
    free(weights);
}

static void test_maximum_lets_nan_through(void **state)
{
    (void)state;
    float x[40] = {0}, y[40];
    x[20] = NAN;
    for (int isa = 0; isa <= MLS_ISA_AVX512; isa++) {
        struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
        struct mls_window w = {
            .kind = MLS_WINDOW_MAX, .n_channels = 1, .n_planes = 1, .outputs = 1, .x = x, .y = y};
        w.space = (struct mls_window_space){.in = {1, 1, 40},
                                            .out = {1, 1, 38},
                                            .kernel = {1, 1, 3},
                                            .stride = {1, 1, 1},
                                            .dilation = {1, 1, 1}};
        void *scratch = aligned_alloc(64, mls_window_scratch_bytes(&kernels, &w, 1));
        mls_window_run(&kernels, NULL, &w, scratch);
        for (int i = 0; i < 38; i++)
            assert_int_equal(isnan(y[i]) != 0, i >= 18 && i <= 20);
        w.space.out[2] = 1;
        w.space.kernel[2] = 40;
        mls_window_run(&kernels, NULL, &w, scratch);
        assert_true(isnan(y[0]));
        free(scratch);
    }
}

/* Columns of a convolution against the definition, for any part of them that a product may ask for. */
static void test_columns(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct mls_conv_columns columns = {
            .space = draw_space(true), .in_channels = draw(1, 4), .fp16 = draw(0, 1)};
        size_t n_batches = draw(1, 2), n_elems = mls_window_elems(columns.space.kernel);
        size_t plane = mls_window_elems(columns.space.in), positions = mls_window_elems(columns.space.out);
        columns.n_planes = n_batches * columns.in_channels;
        float *x = numbers(columns.n_planes * plane);
        void *x_half = columns.fp16 ? halves(x, columns.n_planes * plane) : NULL;
        columns.x = columns.fp16 ? x_half : x;
        for (int isa = 0; isa <= MLS_ISA_AVX512; isa++) {
            struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
            size_t lanes = kernels.gemm->lanes, cols = kernels.gemm->vectors * lanes;
            struct mls_gemm_fill part = {.batch = n_batches - 1, .panel_cols = cols, .lanes = lanes};
            part.k = draw(0, columns.in_channels * n_elems - 1);
            part.n_k = draw(1, columns.in_channels * n_elems - part.k);
            part.col = draw(0, (positions - 1) / cols) * cols;
            part.n_cols = draw(1, positions - part.col);
            part.panels = malloc((part.n_cols + cols) * part.n_k * sizeof(float));
            part.row = malloc((part.n_cols + cols) * sizeof(float));
            kernels.conv->columns(&columns, &part);
            for (size_t i = 0; i < part.n_k * part.n_cols; i++) {
                size_t k = part.k + i / part.n_cols, col = i % part.n_cols, position = part.col + col, at;
                const struct mls_window_space *s = &columns.space;
                size_t where[MLS_SPACE] = {position / s->out[2] / s->out[1], position / s->out[2] % s->out[1],
                                           position % s->out[2]};
                bool exists = element_at(s, where, k % n_elems, &at);
                size_t from = (part.batch * columns.in_channels + k / n_elems) * plane;
                size_t panel = col / cols, left = part.n_cols - panel * cols;
                size_t width = left >= cols ? cols : (left + lanes - 1) / lanes * lanes;
                float got = part.panels[panel * cols * part.n_k + (k - part.k) * width + col % cols];
                assert_true(got == (exists ? x[from + at] : 0));
            }
            free(part.panels);
            free(part.row);
        }
        free(x);
        free(x_half);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_depthwise_planes),
        cmocka_unit_test(test_max),
        cmocka_unit_test(test_average),
        cmocka_unit_test(test_l2),
        cmocka_unit_test(test_long_rows_and_tall_planes),
        cmocka_unit_test(test_maximum_lets_nan_through),
        cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
