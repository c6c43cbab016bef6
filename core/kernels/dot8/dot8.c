#include "kernels/dot8/dot8.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/fp16.h"

enum { UNSIGNED = 128 }; /* what makes an int8 a uint8 */

struct mls_dot8_rounding mls_dot8_round(float scale, int32_t zero_point, bool is_signed)
{
    return (struct mls_dot8_rounding){
        .scale = scale, .inverse = 1 / scale, .zero = zero_point + (is_signed ? UNSIGNED : 0)};
}

bool mls_dot8_suits(const struct mls_coded *coded, bool transposed, size_t terms)
{
    size_t across = transposed ? coded->scale_rows : coded->scale_cols;
    if (coded->kind != MLS_CODE_INTEGERS || !terms || terms > MLS_DOT8_TERMS || (coded->scales && across != 1) ||
        (coded->mask && coded->offsets))
        return false;
    for (size_t i = 0; coded->offsets && i < coded->scale_rows * coded->scale_cols; i++) {
        float offset = mls_fp16_to_fp32(coded->offsets[i]);
        if (!(offset >= -UNSIGNED && offset <= 255) || offset != rintf(offset))
            return false;
    }
    return true;
}

struct mls_dot16_cut mls_dot8_cut_of(size_t channels, size_t elements)
{
    struct mls_dot16_cut cut = {.channels = channels, .elements = elements};
    cut.n_blocks = (channels + MLS_DOT8_CHANNELS - 1) / MLS_DOT8_CHANNELS;
    cut.n_pairs = ((channels + cut.n_blocks - 1) / cut.n_blocks + MLS_DOT8_FOUR - 1) / MLS_DOT8_FOUR;
    cut.group_elements = MLS_DOT8_GROUP / cut.n_pairs;
    if (cut.group_elements > elements)
        cut.group_elements = elements;
    return cut;
}

/* ---- Weights ---- */

/* Codes as signed bytes are the codes with some bits turned over, and then that much lower: uint8 only. */
static int32_t base_of(const struct mls_coded *coded)
{
    return coded->bits == 8 && !coded->is_signed ? UNSIGNED : 0;
}

static int8_t weight_of(const struct mls_coded *coded, uint8_t code)
{
    int sign = coded->is_signed ? 1 << (coded->bits - 1) : 0;
    return (int8_t)((code ^ sign) - sign - base_of(coded));
}

/* The scale of a row (transposed: a column) and its zero point among signed bytes. */
static float scale_of(const struct mls_coded *coded, bool transposed, size_t row, int32_t *ret_zero)
{
    float offset, scale = mls_coded_scale_at(coded, transposed ? 0 : row, transposed ? row : 0, &offset);
    *ret_zero = (int32_t)offset - base_of(coded);
    return scale;
}

static bool has_zeros(const struct mls_coded *coded)
{
    return coded->offsets || base_of(coded);
}

/* -z sum(w) + n z y, wrapping around. */
static int32_t start_of(int32_t sum, size_t n_terms, int32_t input_zero, int32_t zero)
{
    return (int32_t)((uint32_t)input_zero * ((uint32_t)zero * (uint32_t)n_terms - (uint32_t)sum));
}

/* ---- Rows of convolutions ---- */

static size_t row_bytes(const struct mls_dot16_cut *cut)
{
    return mls_dot16_row_pairs(cut) * MLS_DOT8_FOUR;
}

/* Where the terms of a channel and element stand in [block][element][word][4]. */
static size_t term_at(const struct mls_dot16_cut *cut, size_t channel, size_t element)
{
    size_t of_block = cut->n_pairs * MLS_DOT8_FOUR;
    return (channel / of_block * cut->elements + element) * of_block + channel % of_block;
}

bool mls_dot8_matrix_allocate(struct mls_arena *arena, const struct mls_coded *coded, struct mls_dot8_matrix *matrix)
{
    size_t rows = mls_dot16_rows(matrix->m), bytes;
    const struct mls_dot16_cut *cut = &matrix->cut;
    if (!mls_mul_size(rows, row_bytes(cut), &bytes))
        return false;
    matrix->row_scales = mls_arena_array(arena, rows, sizeof *matrix->row_scales, 64);
    matrix->starts = mls_arena_array(arena, rows, sizeof *matrix->starts, 64);
    matrix->panels = mls_arena_alloc_large(arena, bytes);
    if (!matrix->row_scales || !matrix->starts || !matrix->panels)
        return false;
    if (!has_zeros(coded))
        return true;
    matrix->zeros = mls_arena_array(arena, rows, sizeof *matrix->zeros, 64);
    matrix->ones = mls_arena_array(arena, row_bytes(cut), 1, 64);
    if (!matrix->zeros || !matrix->ones)
        return false;
    memset(matrix->ones, 0, row_bytes(cut));
    for (size_t c = 0; c < cut->channels; c++)
        for (size_t e = 0; e < cut->elements; e++)
            matrix->ones[term_at(cut, c, e)] = 1;
    return true;
}

void mls_dot8_pack_rows(const struct mls_coded *coded, size_t first_row, const struct mls_dot8_rounding *rounding, size_t panel,
                        uint8_t *codes, struct mls_dot8_matrix *matrix)
{
    const struct mls_dot16_cut *cut = &matrix->cut;
    size_t terms = cut->channels * cut->elements, first = panel * MLS_DOT16_ROWS;
    int8_t *to = matrix->panels + first * row_bytes(cut);
    memset(to, 0, MLS_DOT16_ROWS * row_bytes(cut));
    for (size_t r = first; r < first + MLS_DOT16_ROWS; r++) {
        int32_t sum = 0, zero = 0;
        float scale = 0;
        if (r < matrix->m) {
            scale = scale_of(coded, false, first_row + r, &zero);
            mls_coded_codes(coded, first_row + r, 0, terms, codes);
        }
        for (size_t c = 0; r < matrix->m && c < cut->channels; c++)
            for (size_t e = 0; e < cut->elements; e++) {
                int8_t weight = weight_of(coded, codes[c * cut->elements + e]);
                size_t at = term_at(cut, c, e);
                to[(at / MLS_DOT8_FOUR * MLS_DOT16_ROWS + r - first) * MLS_DOT8_FOUR + at % MLS_DOT8_FOUR] = weight;
                sum += weight;
            }
        matrix->row_scales[r] = scale * rounding->scale;
        matrix->starts[r] = start_of(sum, terms, rounding->zero, zero);
        if (matrix->zeros)
            matrix->zeros[r] = zero;
    }
}

/* ---- Columns of products ---- */

struct pack_job {
    const struct mls_coded *coded;
    bool transposed;
    struct mls_dot8_columns *columns;
};

/* Of one panel: [column][term], or transposed [term][column] for some terms at a time. */
enum { CHUNK = 256 };

static void pack_panel(void *context, size_t panel, uint32_t thread)
{
    (void)thread;
    const struct pack_job *job = context;
    struct mls_dot8_columns *columns = job->columns;
    size_t first = panel * MLS_DOT8_PANEL, n_cols = columns->n - first;
    n_cols = n_cols < MLS_DOT8_PANEL ? n_cols : MLS_DOT8_PANEL;
    size_t width = (n_cols + MLS_DOT16_LANES - 1) / MLS_DOT16_LANES * MLS_DOT16_LANES;
    size_t words = (columns->k + MLS_DOT8_FOUR - 1) / MLS_DOT8_FOUR;
    int8_t *to = columns->panels + first * words * MLS_DOT8_FOUR;
    int32_t sums[MLS_DOT8_PANEL] = {0};
    uint8_t codes[CHUNK];
    memset(to, 0, width * words * MLS_DOT8_FOUR);
    size_t lines = job->transposed ? columns->k : n_cols, along = job->transposed ? n_cols : columns->k;
    for (size_t line = 0; line < lines; line++)
        for (size_t from = 0; from < along; from += CHUNK) {
            size_t n = along - from < CHUNK ? along - from : CHUNK;
            mls_coded_codes(job->coded, job->transposed ? line : first + line, job->transposed ? first + from : from, n, codes);
            for (size_t i = 0; i < n; i++) {
                size_t term = job->transposed ? line : from + i, col = job->transposed ? from + i : line;
                int8_t weight = weight_of(job->coded, codes[i]);
                to[(term / MLS_DOT8_FOUR * width + col) * MLS_DOT8_FOUR + term % MLS_DOT8_FOUR] = weight;
                sums[col] += weight;
            }
        }
    for (size_t c = 0; c < width; c++) {
        int32_t zero = 0;
        float scale = c < n_cols ? scale_of(job->coded, job->transposed, first + c, &zero) : 0;
        columns->scales[first + c] = scale * columns->rounding.scale;
        columns->starts[first + c] = start_of(sums[c], columns->k, columns->rounding.zero, zero);
        if (columns->zeros)
            columns->zeros[first + c] = zero;
    }
}

bool mls_dot8_columns_pack(struct mls_pool *pool, const struct mls_coded *coded, bool transposed, struct mls_arena *arena,
                           struct mls_dot8_columns *ret, size_t *ret_bytes)
{
    size_t width = (ret->n + MLS_DOT16_LANES - 1) / MLS_DOT16_LANES * MLS_DOT16_LANES, bytes;
    size_t words = (ret->k + MLS_DOT8_FOUR - 1) / MLS_DOT8_FOUR;
    if (!mls_mul_size(width, words * MLS_DOT8_FOUR, &bytes))
        return false;
    ret->scales = mls_arena_array(arena, width, sizeof *ret->scales, 64);
    ret->bias = mls_arena_array(arena, width, sizeof *ret->bias, 64);
    ret->starts = mls_arena_array(arena, width, sizeof *ret->starts, 64);
    ret->zeros = has_zeros(coded) ? mls_arena_array(arena, width, sizeof *ret->zeros, 64) : NULL;
    ret->panels = mls_arena_alloc_large(arena, bytes);
    if (!ret->scales || !ret->bias || !ret->starts || !ret->panels || (has_zeros(coded) && !ret->zeros))
        return false;
    memset(ret->bias, 0, width * sizeof *ret->bias);
    struct pack_job job = {coded, transposed, ret};
    mls_pool_for(pool, (ret->n + MLS_DOT8_PANEL - 1) / MLS_DOT8_PANEL, pack_panel, &job);
    *ret_bytes = bytes + width * 4 * sizeof(int32_t);
    return true;
}
