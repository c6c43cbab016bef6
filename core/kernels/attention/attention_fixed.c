#include "kernels/attention/attention_fixed.h"

#include <math.h>

#include "kernels/fixed/fixed.h"

/* Keys whose scores exist at a time: whole panels and whole blocks. Sizes from which on it pays. */
enum { CHUNK_KEYS = 3 * MLS_FIXED_BLOCK, MIN_QUERIES = 16, MIN_KEYS = 16, MIN_ELEMS = 16 };

static const float log2_e = 0x1.715476p+0f;

/* What lies where in the scratch of a thread. */
struct layout {
    size_t n_key_blocks, n_elem_blocks;
    uint8_t *keys, *values;
    int32_t *query; /* [block of elements][MLS_ATTENTION_ROWS][MLS_FIXED_PAIRS] */
    float *query_scales;
    float *scores;    /* [MLS_ATTENTION_ROWS][CHUNK_KEYS] */
    int32_t *weights; /* [block of keys][MLS_ATTENTION_ROWS][MLS_FIXED_PAIRS] */
    float *tops;      /* [block of keys][MLS_ATTENTION_ROWS]: largest score, in powers of two */
    float *weight_scales;
    float *sums; /* [MLS_ATTENTION_ROWS][columns of V] */
    size_t bytes;
};

static void *take(struct layout *layout, void *scratch, size_t bytes)
{
    void *at = scratch ? (uint8_t *)scratch + layout->bytes : NULL;
    layout->bytes += (bytes + 63) / 64 * 64;
    return at;
}

static struct layout layout_of(const struct mls_kernels *kernels, const struct mls_attention *attention,
                               void *scratch)
{
    size_t key_blocks = mls_fixed_blocks(attention->n_keys),
           elem_blocks = mls_fixed_blocks(attention->key_elems);
    size_t rows = MLS_ATTENTION_ROWS, row_bytes = MLS_FIXED_PAIRS * sizeof(int32_t);
    struct layout layout = {.n_key_blocks = key_blocks, .n_elem_blocks = elem_blocks};
    layout.keys =
        take(&layout, scratch, mls_fixed_bytes(kernels->fixed, attention->n_keys, attention->key_elems));
    layout.values =
        take(&layout, scratch, mls_fixed_bytes(kernels->fixed, attention->value_elems, attention->n_keys));
    layout.query = take(&layout, scratch, elem_blocks * rows * row_bytes);
    layout.query_scales = take(&layout, scratch, elem_blocks * rows * sizeof(float));
    layout.scores = take(&layout, scratch, rows * CHUNK_KEYS * sizeof(float));
    layout.weights = take(&layout, scratch, key_blocks * rows * row_bytes);
    layout.tops = take(&layout, scratch, key_blocks * rows * sizeof(float));
    layout.weight_scales = take(&layout, scratch, key_blocks * rows * sizeof(float));
    layout.sums = take(&layout, scratch, rows * attention->value_elems * sizeof(float));
    return layout;
}

bool mls_attention_fixed_pays(const struct mls_kernels *kernels, const struct mls_attention *attention)
{
    return kernels->fixed->pays && attention->dtype == MLS_FP16 && attention->n_queries >= MIN_QUERIES &&
           attention->n_keys >= MIN_KEYS && attention->key_elems >= MIN_ELEMS &&
           attention->value_elems >= MIN_ELEMS && attention->scale > 0;
}

size_t mls_attention_fixed_bytes(const struct mls_kernels *kernels, const struct mls_attention *attention)
{
    return layout_of(kernels, attention, NULL).bytes;
}

bool mls_attention_fixed_pack(const struct mls_kernels *kernels, const struct mls_attention *attention,
                              const struct mls_attention_matrices *matrices, void *scratch)
{
    struct layout layout = layout_of(kernels, attention, scratch);
    struct mls_gemm_operand key = {.form = MLS_GEMM_STRIDED,
                                   .dtype = MLS_FP16,
                                   .data = matrices->key,
                                   .row_stride = 1,
                                   .col_stride = attention->key.row_stride};
    struct mls_gemm_operand value = {.form = MLS_GEMM_STRIDED,
                                     .dtype = MLS_FP16,
                                     .data = matrices->value,
                                     .row_stride = attention->value.row_stride,
                                     .col_stride = 1};
    return mls_fixed_pack(kernels, NULL, &key, attention->n_keys, attention->key_elems, layout.keys) &&
           mls_fixed_pack(kernels, NULL, &value, attention->value_elems, attention->n_keys, layout.values);
}

static bool pack_queries(const struct mls_kernels *kernels, const struct mls_attention *attention,
                         const uint16_t *query, size_t n_rows, const struct layout *layout)
{
    bool finite = true;
    for (size_t block = 0; block < layout->n_elem_blocks; block++) {
        size_t at = block * MLS_FIXED_BLOCK, left = attention->key_elems - at;
        for (size_t r = 0; r < n_rows; r++) {
            size_t to = block * MLS_ATTENTION_ROWS + r;
            finite &= kernels->fixed->line_fp16(
                query + r * attention->query.row_stride + at, left < MLS_FIXED_BLOCK ? left : MLS_FIXED_BLOCK,
                (int16_t *)(void *)(layout->query + to * MLS_FIXED_PAIRS), &layout->query_scales[to]);
        }
    }
    return finite;
}

/* All tiles of n_rows rows by one panel and one block; `tile` points at the first row. */
static void multiply_rows(const struct mls_fixed_kernels *kernels, struct mls_fixed_tile tile, size_t vectors,
                          size_t n_rows)
{
    for (size_t r = 0; r < n_rows; r += MLS_FIXED_ROWS) {
        size_t rows = n_rows - r < MLS_FIXED_ROWS ? n_rows - r : MLS_FIXED_ROWS;
        kernels->tile[rows - 1][vectors - 1](&tile);
        tile.a += MLS_FIXED_ROWS * MLS_FIXED_PAIRS;
        tile.a_scales += MLS_FIXED_ROWS;
        tile.from = tile.from ? tile.from + MLS_FIXED_ROWS * tile.from_stride : NULL;
        tile.to = (uint8_t *)tile.to + MLS_FIXED_ROWS * tile.to_stride * (tile.to_fp16 ? 2 : 4);
    }
}

/* Scores of the keys from `first` on, a chunk of them. */
static void score(const struct mls_kernels *kernels, const struct mls_fixed_columns *keys, size_t first,
                  size_t n_rows, const struct layout *layout)
{
    size_t end = keys->n - first < CHUNK_KEYS ? keys->n : first + CHUNK_KEYS;
    for (size_t key = first; key < end; key += keys->panel_cols) {
        for (size_t block = 0; block < layout->n_elem_blocks; block++) {
            float *to = layout->scores + (key - first);
            struct mls_fixed_tile tile = {.a = layout->query + block * MLS_ATTENTION_ROWS * MLS_FIXED_PAIRS,
                                          .a_scales = layout->query_scales + block * MLS_ATTENTION_ROWS,
                                          .from = block ? to : NULL,
                                          .from_stride = CHUNK_KEYS,
                                          .to = to,
                                          .to_stride = CHUNK_KEYS};
            size_t vectors =
                mls_fixed_tile_b(keys, kernels->fixed->lanes, key / keys->panel_cols, block, &tile);
            multiply_rows(kernels->fixed, tile, vectors, n_rows);
        }
    }
}

/* The chunk's scores to weights beside the largest of their block. */
static void weigh(const struct mls_kernels *kernels, const struct mls_attention *attention, size_t mask_at,
                  size_t first, size_t n_rows, const struct layout *layout)
{
    for (size_t key = first; key < attention->n_keys && key < first + CHUNK_KEYS; key += MLS_FIXED_BLOCK) {
        size_t n = attention->n_keys - key < MLS_FIXED_BLOCK ? attention->n_keys - key : MLS_FIXED_BLOCK;
        for (size_t r = 0; r < n_rows; r++) {
            float converted[MLS_FIXED_BLOCK];
            const float *mask = NULL;
            if (attention->mask) {
                mask = mls_attention_mask(kernels, attention,
                                          mask_at + r * attention->mask_query_stride + key, n, converted);
                for (size_t i = 0; i < n; i++)
                    converted[i] = mask[i] * log2_e;
                mask = converted;
            }
            size_t to = key / MLS_FIXED_BLOCK * MLS_ATTENTION_ROWS + r;
            kernels->fixed->weights(layout->scores + r * CHUNK_KEYS + (key - first), n,
                                    attention->scale * log2_e, mask,
                                    (int16_t *)(void *)(layout->weights + to * MLS_FIXED_PAIRS),
                                    &layout->tops[to], &layout->weight_scales[to]);
        }
    }
}

/* weight_scales hold the sums of each block; afterwards what makes probabilities of its weights. No key left,
 * or a NaN, makes all of a row NaN. */
static void normalise(size_t n_rows, const struct layout *layout)
{
    for (size_t r = 0; r < n_rows; r++) {
        float top = -INFINITY, sum = 0;
        for (size_t block = 0; block < layout->n_key_blocks; block++) {
            float value = layout->tops[block * MLS_ATTENTION_ROWS + r];
            top = value > top ? value : top;
        }
        for (size_t block = 0; block < layout->n_key_blocks; block++) {
            size_t at = block * MLS_ATTENTION_ROWS + r;
            float share = layout->tops[at] == -INFINITY ? 0 : exp2f(layout->tops[at] - top);
            sum += layout->weight_scales[at] * share;
            layout->weight_scales[at] = share;
        }
        for (size_t block = 0; block < layout->n_key_blocks; block++)
            layout->weight_scales[block * MLS_ATTENTION_ROWS + r] /= sum * MLS_FIXED_ONE;
    }
}

bool mls_attention_fixed_rows(const struct mls_kernels *kernels, const struct mls_attention *attention,
                              const struct mls_attention_matrices *matrices, size_t row, size_t n_rows,
                              void *scratch)
{
    struct layout layout = layout_of(kernels, attention, scratch);
    const struct mls_fixed_columns keys =
        mls_fixed_columns_at(kernels->fixed, attention->n_keys, attention->key_elems, layout.keys);
    const struct mls_fixed_columns values =
        mls_fixed_columns_at(kernels->fixed, attention->value_elems, attention->n_keys, layout.values);
    if (!pack_queries(kernels, attention,
                      (const uint16_t *)matrices->query + row * attention->query.row_stride, n_rows, &layout))
        return false;
    for (size_t key = 0; key < attention->n_keys; key += CHUNK_KEYS) {
        score(kernels, &keys, key, n_rows, &layout);
        weigh(kernels, attention, matrices->mask_at + row * attention->mask_query_stride, key, n_rows,
              &layout);
    }
    normalise(n_rows, &layout);
    uint16_t *result = (uint16_t *)matrices->result + row * attention->result_layout.row_stride;
    for (size_t col = 0; col < values.n; col += values.panel_cols) {
        for (size_t block = 0; block < layout.n_key_blocks; block++) {
            bool last = block + 1 == layout.n_key_blocks;
            struct mls_fixed_tile tile = {.a = layout.weights + block * MLS_ATTENTION_ROWS * MLS_FIXED_PAIRS,
                                          .a_scales = layout.weight_scales + block * MLS_ATTENTION_ROWS,
                                          .from = block ? layout.sums + col : NULL,
                                          .from_stride = values.n,
                                          .to = last ? (void *)(result + col) : (void *)(layout.sums + col),
                                          .to_stride = last ? attention->result_layout.row_stride : values.n,
                                          .to_fp16 = last};
            size_t vectors =
                mls_fixed_tile_b(&values, kernels->fixed->lanes, col / values.panel_cols, block, &tile);
            multiply_rows(kernels->fixed, tile, vectors, n_rows);
        }
    }
    return true;
}
