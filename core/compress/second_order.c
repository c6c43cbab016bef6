#include "compress/second_order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "ops/blocks.h"

enum { ROWS = 4 };   /* that are rounded together, so that a row of the factor is read once for all */
#define DAMPING 0.01 /* of the mean of the diagonal, added to it */
#define DOUBT 0.2    /* in moments between channels, of as few vectors as there are channels */

/* The channels, those with the largest inputs first: they are rounded while the most others can make up for
 * them. */
struct ranked {
    float square;
    uint32_t channel;
};

static int larger_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->square != y->square ? (x->square > y->square ? -1 : 1)
                                  : (x->channel > y->channel) - (x->channel < y->channel);
}

static uint32_t *order_channels(const float *moments, size_t n, struct mls_arena *arena)
{
    struct ranked *ranked = MLS_NEW_ARRAY(arena, n, struct ranked);
    uint32_t *order = MLS_NEW_ARRAY(arena, n, uint32_t);
    if (!ranked || !order)
        return NULL;
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){moments[i * n + i], (uint32_t)i};
    qsort(ranked, n, sizeof *ranked, larger_first);
    for (size_t i = 0; i < n; i++)
        order[i] = ranked[i].channel;
    return order;
}

/*
 * The upper triangular factor U of the inverse of `moments` in this order, U^T U: rows of U say how later
 * channels make up for an earlier one. With R R^T = moments and R upper triangular, U is the inverse of R.
 */
static float *inverse_factor(const float *moments, const uint32_t *order, size_t n, size_t n_rows,
                             const struct mls_compress_kernels *kernels, struct mls_arena *arena)
{
    /* what few samples say about two channels together is shrunk towards nothing, as Ledoit and Wolf do
     * (2004) */
    double trust = 1 / (1 + DOUBT * (double)n / (double)n_rows);
    double *r = MLS_NEW_ARRAY(arena, n * n, double);
    float *u = MLS_NEW_ARRAY(arena, n * n, float);
    double mean = 0;
    if (!r || !u)
        return NULL;
    for (size_t i = 0; i < n; i++)
        mean += (double)moments[i * n + i] / (double)n;
    mean = mean > 0 ? mean : 1;
    /* kept transposed, row j holding R[.][j], so that inner loops run along rows */
    for (size_t j = n; j-- > 0;) {
        double *column = r + j * n;
        for (size_t i = 0; i <= j; i++)
            column[i] = (double)moments[order[i] * n + order[j]] * (i == j ? 1 : trust);
        column[j] += DAMPING * mean;
    }
    for (size_t j = n; j-- > 0;) {
        double *column = r + j * n;
        double diagonal = sqrt(column[j] > 1e-12 * mean ? column[j] : 1e-12 * mean), inverse = 1 / diagonal;
        for (size_t i = 0; i < j; i++)
            column[i] *= inverse;
        column[j] = diagonal;
        for (size_t k = 0; k < j; k++)
            kernels->subtract_fp64(r + k * n, column, column[k], k + 1);
    }
    /* back substitution, a column of U at a time: U[i][j] = -(sum over k of R[i][k] U[k][j]) / R[i][i] */
    double *solved = MLS_NEW_ARRAY(arena, n, double);
    if (!solved)
        return NULL;
    for (size_t j = 0; j < n; j++) {
        memset(solved, 0, n * sizeof *solved);
        solved[j] = 1;
        for (size_t k = j + 1; k-- > 0;) {
            double value = solved[k] / r[k * n + k];
            kernels->subtract_fp64(solved, r + k * n, value, k);
            u[k * n + j] = (float)value;
        }
    }
    return u;
}

/* ---- What a value may become ------------------------------------------------------------------ */

struct grid {
    const struct weight_form *form;
    const struct mls_compress_kernels *kernels;
    float *tables; /* of palettes, as numbers */
    size_t channels_per_table;
    struct mls_blocks blocks; /* of scales */
};

static float rounded(const struct grid *grid, float value)
{
    return grid->form->type.dtype == MLS_FP16 ? mls_fp16_to_fp32(mls_fp32_to_fp16(value)) : value;
}

static float nearest_entry(const struct grid *grid, size_t row, float value, uint8_t *ret_index)
{
    size_t entries = (size_t)1 << grid->form->bits;
    const float *table = grid->tables + row / grid->channels_per_table * entries;
    float least = fabsf(value - table[0]);
    size_t best = 0;
    for (size_t i = 1; i < entries; i++) {
        float distance = fabsf(value - table[i]);
        if (distance < least) {
            least = distance;
            best = i;
        }
    }
    *ret_index = (uint8_t)best;
    return table[best];
}

static float nearest_integer(const struct grid *grid, size_t index, float value, uint8_t *ret_q)
{
    const struct form_scales *quant = &grid->form->quant;
    int64_t entry = mls_blocks_run(&grid->blocks, (int64_t)index, (int64_t)index + 1).entry;
    bool wide = mls_dtype_bits(quant->dtype) == 8;
    bool is_signed = quant->dtype == MLS_INT8 || quant->dtype == MLS_INT4;
    float scale, zero = quant->offsets ? (float)form_integer(quant->dtype, quant->offsets[entry]) : 0;
    form_load(quant->scales, grid->form->type.dtype, (size_t)entry, 1, &scale);
    float low = is_signed ? (wide ? -128 : -8) : 0, high = low + (wide ? 255 : 15);
    float q = scale > 0 ? rintf(value / scale) + zero : zero;
    q = q < low ? low : q > high ? high : q;
    *ret_q = (uint8_t)(int)q;
    return rounded(grid, scale * (q - zero));
}

static bool make_grid(const struct weight_form *form, struct mls_arena *arena, struct grid *grid)
{
    grid->form = form;
    if (!form->bits)
        return mls_blocks_solve(&form->type, form->quant.type.dims, &grid->blocks);
    size_t n = (size_t)mls_type_elems(&form->tables);
    grid->tables = MLS_NEW_ARRAY(arena, n, float);
    grid->channels_per_table = (size_t)(form->type.dims[0] / form->tables.dims[0]);
    if (grid->tables)
        form_load(form->table, form->type.dtype, 0, n, grid->tables);
    return grid->tables != NULL;
}

/* ---- Rounding --------------------------------------------------------------------------------- */

/* Rounds ROWS rows (or fewer) from left to right. */
static void round_rows(const struct grid *grid, const float *u, const uint32_t *order, size_t n, size_t first,
                       size_t rows, float *row, float *work)
{
    struct weight_form form = *grid->form;
    for (size_t r = 0; r < rows; r++) {
        form_load(form.plain, form.type.dtype, (first + r) * n, n, row);
        for (size_t j = 0; j < n; j++)
            work[r * n + j] = row[order[j]];
    }
    for (size_t j = 0; j < n; j++) {
        const float *factor = u + j * n;
        float error[ROWS];
        for (size_t r = 0; r < rows; r++) {
            size_t index = (first + r) * n + order[j];
            float value = work[r * n + j];
            float made = form.bits ? nearest_entry(grid, first + r, value, &form.indices[index])
                                   : nearest_integer(grid, index, value, &form.data[index]);
            error[r] = (value - made) / factor[j];
        }
        for (size_t r = 0; r < rows; r++)
            grid->kernels->subtract_fp32(work + r * n + j + 1, factor + j + 1, error[r], n - j - 1);
    }
}

static bool is_matrix(const struct weight_form *form, size_t n)
{
    for (unsigned i = 2; i < form->type.rank; i++)
        if (form->type.dims[i] != 1)
            return false;
    bool grouped = !form->bits || form->tables.dims[1] == 1; /* tables go with output channels */
    return form->type.rank >= 2 && (size_t)form->type.dims[1] == n && grouped;
}

bool second_order_round(struct weight_form *form, const float *moments, size_t n, size_t n_rows,
                        const struct mls_compress_kernels *kernels)
{
    bool simple = form->bits
                      ? form->integers == FORM_NO_INTEGERS && form->vector_axis < 0 && !form->channel.scales
                      : form->integers == FORM_DATA;
    if (!simple || form->mask || !is_matrix(form, n))
        return true;
    struct mls_arena *arena = mls_arena_create_beside(form->arena);
    struct grid grid = {.kernels = kernels};
    float *work = arena ? MLS_NEW_ARRAY(arena, (ROWS + 1) * n, float) : NULL;
    uint32_t *order = work ? order_channels(moments, n, arena) : NULL;
    bool ok = order && make_grid(form, arena, &grid);
    float *u = ok ? inverse_factor(moments, order, n, n_rows, kernels, arena) : NULL;
    size_t rows = form->n / n;
    for (size_t first = 0; u && first < rows; first += ROWS)
        round_rows(&grid, u, order, n, first, rows - first < ROWS ? rows - first : ROWS, work + ROWS * n,
                   work);
    mls_arena_free(arena);
    return u && form_score(form);
}
