#include <string.h>

#include "kernels/dot16/dot16__avx512.h"
#include "kernels/dot8/dot8.h"

enum { ROWS = MLS_DOT16_ROWS, FOUR = MLS_DOT8_FOUR };

/* ---- Numbers to bytes ---- */

struct rounder {
    __m512 scale, inverse, low, high;
    __m512i zero;
};

static inline struct rounder rounder_of(const struct mls_dot8_rounding *rounding)
{
    const float bound = 1024; /* beyond it the result saturates whatever zero is */
    return (struct rounder){.scale = _mm512_set1_ps(rounding->scale),
                            .inverse = _mm512_set1_ps(rounding->inverse),
                            .low = _mm512_set1_ps(-bound * rounding->scale),
                            .high = _mm512_set1_ps(bound * rounding->scale),
                            .zero = _mm512_set1_epi32(rounding->zero)};
}

/*
 * Not yet saturated. A product by the inverse, corrected by what is left of x, is the rounded quotient, so that ties are as
 * they are after a division.
 */
static inline __m512i integers(const struct rounder *r, __m512 x)
{
    __mmask16 number = _mm512_cmp_ps_mask(x, x, _CMP_ORD_Q);
    x = _mm512_min_ps(_mm512_max_ps(x, r->low), r->high);
    __m512 quotient = _mm512_mul_ps(x, r->inverse);
    quotient = _mm512_fmadd_ps(_mm512_fnmadd_ps(quotient, r->scale, x), r->inverse, quotient);
    return _mm512_add_epi32(_mm512_maskz_cvtps_epi32(number, quotient), r->zero);
}

/* Sixteen lanes of four planes, side by side. */
static inline __m512i bytes_of_four(__m512i a, __m512i b, __m512i c, __m512i d)
{
    const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
    return _mm512_shuffle_epi8(bytes, order);
}

static inline __attribute__((always_inline)) void quantize(const struct mls_dot8_block *block, const struct rounder *r,
                                                           size_t stride, uint8_t *ret, const size_t step)
{
    for (size_t p = 0; p < block->n_planes; p += FOUR, ret += FOUR * stride)
        for (size_t l = 0; l < block->n_lines; l++) {
            const struct mls_dot16_line *line = &block->lines[l];
            for (size_t i = 0; i < block->width; i += LANES) {
                __m512i lanes[FOUR];
                UNROLL
                for (size_t f = 0; f < FOUR; f++) {
                    const uint16_t *plane = block->planes[p + f];
                    lanes[f] = plane ? integers(r, load_lanes(plane, line, i, block->step, step)) : r->zero;
                }
                _mm512_storeu_si512(ret + FOUR * (line->to + i), bytes_of_four(lanes[0], lanes[1], lanes[2], lanes[3]));
            }
        }
}

static void quantize__avx512vnni(const struct mls_dot8_block *block, const struct mls_dot8_rounding *rounding, size_t stride,
                                 uint8_t *ret)
{
    struct rounder r = rounder_of(rounding);
    if (block->step == 1)
        quantize(block, &r, stride, ret, 1);
    else if (block->step == 2)
        quantize(block, &r, stride, ret, 2);
    else
        quantize(block, &r, stride, ret, 0);
}

static void line__avx512vnni(const uint16_t *x, size_t n, const struct mls_dot8_rounding *rounding, uint8_t *ret)
{
    struct rounder r = rounder_of(rounding);
    size_t filled = (n + FOUR - 1) / FOUR * FOUR;
    for (size_t i = 0; i < filled; i += LANES) {
        __m512 values = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n - i), x + i));
        __m512i lanes = _mm512_max_epi32(integers(&r, values), _mm512_setzero_si512());
        _mm_mask_storeu_epi8(ret + i, first_lanes(filled - i), _mm512_cvtusepi32_epi8(lanes));
    }
}

/* ---- Products ---- */

/* sums[v] += the four products of the bytes in each lane of columns[v] with those of one word. Written out as in dot16. */
static inline __attribute__((always_inline)) void add_products(__m512i *sums, const int8_t *word, const __m512i *columns,
                                                               const size_t vectors)
{
    const int32_t *all = (const int32_t *)(const void *)word;
    __m512i a;
    if (vectors == 1)
        __asm__("vpdpbusd %1%{1to16%}, %2, %0" : "+v"(sums[0]) : "m"(*all), "v"(columns[0]));
    else if (vectors == 2)
        __asm__("vpbroadcastd %3, %2\n\tvpdpbusd %2, %4, %0\n\tvpdpbusd %2, %5, %1"
                : "+v"(sums[0]), "+v"(sums[1]), "=&v"(a)
                : "m"(*all), "v"(columns[0]), "v"(columns[1]));
    else if (vectors == 3)
        __asm__("vpbroadcastd %4, %3\n\tvpdpbusd %3, %5, %0\n\tvpdpbusd %3, %6, %1\n\tvpdpbusd %3, %7, %2"
                : "+v"(sums[0]), "+v"(sums[1]), "+v"(sums[2]), "=&v"(a)
                : "m"(*all), "v"(columns[0]), "v"(columns[1]), "v"(columns[2]));
    else
        __asm__("vpbroadcastd %5, %4\n\tvpdpbusd %4, %6, %0\n\tvpdpbusd %4, %7, %1\n\t"
                "vpdpbusd %4, %8, %2\n\tvpdpbusd %4, %9, %3"
                : "+v"(sums[0]), "+v"(sums[1]), "+v"(sums[2]), "+v"(sums[3]), "=&v"(a)
                : "m"(*all), "v"(columns[0]), "v"(columns[1]), "v"(columns[2]), "v"(columns[3]));
}

/* n_rows rows (a_step bytes from one word to the next) by `vectors` vectors: both are constants where this is inlined. */
static inline __attribute__((always_inline)) void multiply(const struct mls_dot8_panel *panel, const int8_t *a, size_t a_step,
                                                           int32_t *to, const size_t n_rows, const size_t vectors)
{
    __m512i sums[ROWS * 3];
    UNROLL
    for (size_t i = 0; i < n_rows * vectors; i++)
        sums[i] = panel->first ? _mm512_setzero_si512() : _mm512_loadu_si512(to + i * LANES);
    const size_t stride = FOUR * panel->b_stride;
    for (size_t e = 0; e < panel->n_elements; e++) {
        const uint8_t *b = panel->b + FOUR * panel->offsets[e];
        for (size_t w = panel->n_words; w; w--) {
            __m512i columns[MLS_DOT16_VECTORS];
            UNROLL
            for (size_t v = 0; v < vectors; v++)
                columns[v] = _mm512_loadu_si512(b + v * FOUR * LANES);
            UNROLL
            for (size_t r = 0; r < n_rows; r++)
                add_products(sums + r * vectors, a + FOUR * r, columns, vectors);
            a += a_step;
            b += stride;
        }
    }
    UNROLL
    for (size_t i = 0; i < n_rows * vectors; i++)
        _mm512_storeu_si512(to + i * LANES, sums[i]);
}

/* Sums of the inputs themselves. */
static void add_inputs(const struct mls_dot8_panel *panel)
{
    for (size_t v = 0; v < panel->results.vectors; v++) {
        struct mls_dot8_panel part = *panel;
        part.b += v * FOUR * LANES;
        multiply(&part, panel->ones, FOUR, panel->inputs + v * LANES, 1, 1);
    }
}

/* All sums into y; the last two are constants where this is inlined. */
static inline __attribute__((always_inline)) void store_results(const struct mls_dot8_panel *panel, const bool with_added,
                                                                const bool with_zeros)
{
    const struct mls_dot16_results *to = &panel->results;
    for (size_t v = 0; v < to->vectors; v++) {
        const int32_t *sums = panel->sums + v * LANES;
        __m512i inputs = with_zeros ? _mm512_loadu_si512(panel->inputs + v * LANES) : _mm512_setzero_si512();
        for (size_t r = 0; r < to->n_rows; r++, sums += to->vectors * LANES) {
            __m512i sum = _mm512_add_epi32(_mm512_loadu_si512(sums), _mm512_set1_epi32(panel->starts[r]));
            if (with_zeros)
                sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(inputs, _mm512_set1_epi32(panel->zeros[r])));
            store_lanes(to, r, v, _mm512_cvtepi32_ps(sum), with_added);
        }
    }
}

static void multiply__avx512vnni(const struct mls_dot8_panel *panel)
{
    const int8_t *a = panel->a;
    int32_t *to = panel->sums;
    const struct mls_dot16_results *results = &panel->results;
    if (panel->last)
        fetch_results(results);
    if (panel->zeros)
        add_inputs(panel);
    for (size_t r = 0; r < results->n_rows; r += ROWS) {
        if (results->vectors == 1)
            multiply(panel, a, FOUR * ROWS, to, ROWS, 1);
        else if (results->vectors == 2)
            multiply(panel, a, FOUR * ROWS, to, ROWS, 2);
        else if (results->vectors == 3)
            multiply(panel, a, FOUR * ROWS, to, ROWS, 3);
        else { /* eight rows would need more registers than there are */
            multiply(panel, a, FOUR * ROWS, to, ROWS / 2, 4);
            multiply(panel, a + FOUR * ROWS / 2, FOUR * ROWS, to + ROWS / 2 * 4 * LANES, ROWS / 2, 4);
        }
        a += panel->a_stride;
        to += ROWS * results->vectors * LANES;
    }
    if (!panel->last)
        return;
    if (panel->zeros)
        store_results(panel, results->added != NULL, true);
    else if (results->added)
        store_results(panel, true, false);
    else
        store_results(panel, false, false);
}

/* ---- Tiles of products ---- */

/* sums[v] += the products of one word of inputs with the weights in each lane of columns[v]. */
static inline __attribute__((always_inline)) void add_tile_products(__m512i *sums, const uint8_t *word, const __m512i *columns,
                                                                    const size_t vectors)
{
    const int32_t *all = (const int32_t *)(const void *)word;
    __m512i a;
    if (vectors == 1)
        __asm__("vpbroadcastd %2, %1\n\tvpdpbusd %3, %1, %0" : "+v"(sums[0]), "=&v"(a) : "m"(*all), "v"(columns[0]));
    else if (vectors == 2)
        __asm__("vpbroadcastd %3, %2\n\tvpdpbusd %4, %2, %0\n\tvpdpbusd %5, %2, %1"
                : "+v"(sums[0]), "+v"(sums[1]), "=&v"(a)
                : "m"(*all), "v"(columns[0]), "v"(columns[1]));
    else
        __asm__("vpbroadcastd %4, %3\n\tvpdpbusd %5, %3, %0\n\tvpdpbusd %6, %3, %1\n\tvpdpbusd %7, %3, %2"
                : "+v"(sums[0]), "+v"(sums[1]), "+v"(sums[2]), "=&v"(a)
                : "m"(*all), "v"(columns[0]), "v"(columns[1]), "v"(columns[2]));
}

static inline __attribute__((always_inline)) void tile_of(const struct mls_dot8_tile *t, const size_t rows, const size_t vectors)
{
    __m512i sums[MLS_DOT8_ROWS * MLS_DOT8_VECTORS];
    UNROLL
    for (size_t i = 0; i < rows * vectors; i++)
        sums[i] = _mm512_setzero_si512();
    const uint8_t *a = t->a;
    const int8_t *b = t->b;
    for (size_t w = t->n_words; w; w--) {
        __m512i columns[MLS_DOT8_VECTORS];
        UNROLL
        for (size_t v = 0; v < vectors; v++)
            columns[v] = _mm512_loadu_si512(b + v * FOUR * LANES);
        UNROLL
        for (size_t r = 0; r < rows; r++)
            add_tile_products(sums + r * vectors, a + r * t->a_stride, columns, vectors);
        a += FOUR;
        b += vectors * FOUR * LANES;
    }
    UNROLL
    for (size_t v = 0; v < vectors; v++) {
        const size_t col = v * LANES;
        const __mmask16 mask = first_lanes(t->n_cols - col);
        const __m512i start = _mm512_loadu_si512(t->starts + col);
        const __m512 scale = _mm512_loadu_ps(t->scales + col), bias = _mm512_loadu_ps(t->bias + col);
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            __m512i sum = _mm512_add_epi32(sums[r * vectors + v], start);
            if (t->zeros)
                sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(_mm512_loadu_si512(t->zeros + col), _mm512_set1_epi32(t->inputs[r])));
            __m512 value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, bias);
            _mm256_mask_storeu_epi16(t->y + r * t->y_stride + col, mask, _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
        }
    }
}

#define TILE(rows, vectors)                                               \
    static void tile_##rows##x##vectors(const struct mls_dot8_tile *tile) \
    {                                                                     \
        tile_of(tile, rows, vectors);                                     \
    }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
#define TILE_NAMES(rows) {tile_##rows##x1, tile_##rows##x2, tile_##rows##x3}
TILES(1)
TILES(2)
TILES(3)
TILES(4)
TILES(5)
TILES(6)
TILES(7)
TILES(8)

static void tile__avx512vnni(const struct mls_dot8_tile *tile)
{
    static void (*const tiles[MLS_DOT8_ROWS][MLS_DOT8_VECTORS])(const struct mls_dot8_tile *) = {
        TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3), TILE_NAMES(4), TILE_NAMES(5), TILE_NAMES(6), TILE_NAMES(7), TILE_NAMES(8)};
    tiles[tile->n_rows - 1][tile->vectors - 1](tile);
}

const struct mls_dot8_kernels mls_dot8__avx512vnni = {.name_conv = "conv_int8_dot8__avx512vnni",
                                                      .name_pointwise = "conv_int8_dot8_pointwise__avx512vnni",
                                                      .name_product = "linear_int8_dot8__avx512vnni",
                                                      .quantize = quantize__avx512vnni,
                                                      .multiply = multiply__avx512vnni,
                                                      .line = line__avx512vnni,
                                                      .tile = tile__avx512vnni};
