#include "kernels/matvec/panels.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/fp16.h"
#include "kernels/matvec/panel_codes.h"

enum { ROWS = MLS_PANEL_ROWS };

/* Matrices of which nobody minds the size. */
enum { SMALL_BYTES = 64 * 1024 };

size_t mls_panel_terms(enum mls_panel_form form)
{
    static const uint8_t terms[] = {
#define X(id, name, n_terms) n_terms,
        MLS_PANEL_FORM_LIST(X)
#undef X
    };
    return terms[form];
}

size_t mls_panel_step_bytes(enum mls_panel_form form)
{
    return form == MLS_PANEL_TABLE6 ? 3 * MLS_PANEL_STEP_BYTES : MLS_PANEL_STEP_BYTES;
}

/* ---- Planning ---- */

static bool has_code_for_zero(const struct mls_coded *coded)
{
    return coded->kind == MLS_CODE_INDICES && coded->mask && coded->bits <= 4 && coded->n_vector == 1 && !coded->offsets;
}

static bool choose_form(const struct mls_coded *coded, enum mls_panel_form *ret)
{
    static const enum mls_panel_form tables[] = {
        [1] = MLS_PANEL_TABLE1, [2] = MLS_PANEL_TABLE2, [3] = MLS_PANEL_TABLE3,
        [4] = MLS_PANEL_TABLE4, [6] = MLS_PANEL_TABLE6, [8] = MLS_PANEL_TABLE8};
    switch (coded->kind) {
    case MLS_CODE_VALUES:
        *ret = coded->mask ? MLS_PANEL_SPARSE16 : MLS_PANEL_FP16;
        return true;
    case MLS_CODE_INTEGERS: /* without offsets, zeros are codes as any */
        *ret = coded->bits == 4 ? MLS_PANEL_INT4 : MLS_PANEL_INT8;
        if (coded->mask && coded->offsets)
            *ret = MLS_PANEL_SPARSE16;
        return true;
    case MLS_CODE_INDICES:
        *ret = tables[coded->bits];
        if (coded->mask) /* a code more stands for zero where that is a form */
            *ret = !has_code_for_zero(coded) ? MLS_PANEL_SPARSE16 : coded->bits < 4 ? MLS_PANEL_TABLE4 : MLS_PANEL_TABLE6;
        return coded->n_vector <= MLS_CODED_VECTOR_MAX;
    }
    return false;
}

/* Tables must be for rows of the product; those that fewer than a panel's rows share need wide panels. */
static bool plan_tables(const struct mls_coded *coded, bool transposed, struct mls_panels *panels)
{
    bool one = coded->n_tables == 1;
    if (coded->kind != MLS_CODE_INDICES || panels->form == MLS_PANEL_SPARSE16)
        return true;
    if (!one && coded->table_cols != transposed)
        return false;
    size_t rows = panels->rows / coded->n_tables;
    panels->wide = !one && rows % ROWS != 0;
    panels->panels_per_table = panels->wide ? rows : (rows + ROWS - 1) / ROWS;
    return !panels->wide || panels->n_blocks == 1;
}

static bool plan_blocks(const struct mls_coded *coded, bool transposed, struct mls_panels *panels)
{
    size_t across = panels->n_vector > 1 && !panels->vector_rows ? panels->n_vector : 1;
    panels->n_blocks = 1;
    if (coded->scales && panels->form != MLS_PANEL_SPARSE16)
        panels->n_blocks = transposed ? coded->scale_rows : coded->scale_cols;
    panels->block = panels->terms / panels->n_blocks;
    return panels->k / panels->n_blocks % across == 0 && panels->block * panels->n_blocks == panels->terms;
}

bool mls_panels_plan(const struct mls_coded *coded, bool transposed, struct mls_panels *ret)
{
    struct mls_panels panels = {.n = transposed ? coded->k : coded->n,
                                .k = transposed ? coded->n : coded->k,
                                .n_vector = 1};
    if (!choose_form(coded, &panels.form) || !panels.n || !panels.k)
        return false;
    bool dense = panels.form == MLS_PANEL_SPARSE16; /* of vectors, too, the elements */
    panels.rows = dense ? panels.n : transposed ? coded->code_cols : coded->code_rows;
    panels.terms = dense ? panels.k : transposed ? coded->code_rows : coded->code_cols;
    if (coded->kind == MLS_CODE_INDICES && !dense) {
        panels.n_vector = coded->n_vector;
        panels.vector_rows = coded->n_vector > 1 && coded->vector_rows != transposed;
        panels.zero_code = has_code_for_zero(coded) ? 1u << coded->bits : 0;
    }
    if (coded->kind == MLS_CODE_INTEGERS && coded->is_signed)
        panels.base = 1 << (coded->bits - 1);
    if ((panels.form == MLS_PANEL_SPARSE16 && transposed) || !plan_blocks(coded, transposed, &panels) ||
        !plan_tables(coded, transposed, &panels))
        return false;
    size_t step = mls_panel_terms(panels.form), lanes = panels.wide ? ROWS : 1;
    size_t steps = ((panels.block + lanes - 1) / lanes + step - 1) / step;
    panels.n_panels = panels.wide ? panels.rows : (panels.rows + ROWS - 1) / ROWS;
    panels.block_terms = steps * step;
    panels.panel_bytes = panels.form == MLS_PANEL_SPARSE16
                             ? panels.terms * sizeof(uint16_t)
                             : panels.n_blocks * steps * mls_panel_step_bytes(panels.form);
    *ret = panels;
    /* what fills blocks up must not make it larger than the values themselves */
    return panels.panel_bytes * panels.n_panels / 2 <= panels.n * panels.k + SMALL_BYTES / 2;
}

/* ---- Tables and scales ---- */

/* Entries as fp32, by vector element; small tables are repeated, so that bits above an index do no harm. */
static enum mls_status pack_tables(const struct mls_coded *coded, struct mls_arena *arena, struct mls_panels *panels)
{
    bool integers = panels->form == MLS_PANEL_INT4;
    size_t n = (size_t)1 << coded->bits, n_tables = integers ? 1 : coded->n_tables, d = panels->n_vector;
    size_t repeated = panels->zero_code ? 2 * n : n; /* the second half: zeros */
    bool halves = panels->form == MLS_PANEL_TABLE6 || panels->form == MLS_PANEL_TABLE8;
    panels->n_entries = !halves ? MLS_PANEL_TABLE : panels->form == MLS_PANEL_TABLE6 ? 64 : 256;
    size_t total = n_tables * d * panels->n_entries;
    float *tables = mls_arena_array(arena, total, sizeof *tables, 64);
    uint16_t *half_tables = halves ? mls_arena_array(arena, total, sizeof *half_tables, 64) : NULL;
    if (!tables || (halves && !half_tables))
        return MLS_ERR_MEMORY;
    for (size_t table = 0; table < n_tables; table++) {
        float entries[MLS_CODED_ENTRIES_MAX * MLS_CODED_VECTOR_MAX];
        if (!integers)
            mls_coded_table(coded, table, entries);
        for (size_t i = 0; i < d * panels->n_entries; i++) {
            size_t v = i / panels->n_entries, entry = i % panels->n_entries % repeated;
            float value = integers ? (float)((int)entry - panels->base) : entry < n ? entries[entry * d + v] : 0;
            if (!isfinite(value))
                return MLS_ERR_OP_UNSUPPORTED;
            tables[table * d * panels->n_entries + i] = value;
            if (halves)
                half_tables[table * d * panels->n_entries + i] = mls_fp32_to_fp16(value);
        }
    }
    panels->tables = tables;
    panels->half_tables = half_tables;
    panels->panels_per_table = integers ? panels->n_panels : panels->panels_per_table;
    panels->bytes += total * (sizeof *tables + (halves ? sizeof *half_tables : 0));
    return MLS_OK;
}

/* Where the numbers of a row of the product begin, and how far apart those of its blocks are. */
static size_t scales_of_row(const struct mls_coded *coded, bool transposed, size_t row, size_t *ret_step)
{
    *ret_step = transposed ? coded->scale_cols : 1;
    return transposed ? row / (coded->k / coded->scale_cols)
                      : row / (coded->n / coded->scale_rows) * coded->scale_cols;
}

static bool is_finite(uint16_t half)
{
    return (half & 0x7c00) != 0x7c00;
}

/* [n_vector, if they are rows][panel][block][lane] of fp16 numbers by row and block; false: one is not finite. */
static bool spread_scales(const struct mls_coded *coded, bool transposed, const struct mls_panels *panels,
                          const uint16_t *from, uint16_t *ret)
{
    size_t lanes = panels->wide ? 1 : ROWS, vectors = panels->vector_rows ? panels->n_vector : 1, step;
    bool good = true;
    for (size_t v = 0; v < vectors; v++)
        for (size_t row = 0; row < panels->rows; row++) {
            size_t at = scales_of_row(coded, transposed, row * vectors + v, &step);
            uint16_t *to = ret + (v * panels->n_panels + row / lanes) * panels->n_blocks * lanes + row % lanes;
            for (size_t b = 0; b < panels->n_blocks; b++) {
                to[b * lanes] = from[at + b * step];
                good &= is_finite(to[b * lanes]);
            }
        }
    return good;
}

static enum mls_status pack_scales(const struct mls_coded *coded, bool transposed, struct mls_arena *arena,
                                   struct mls_panels *panels)
{
    size_t lanes = panels->wide ? 1 : ROWS, vectors = panels->vector_rows ? panels->n_vector : 1;
    size_t bytes = vectors * panels->n_panels * panels->n_blocks * lanes * sizeof(uint16_t);
    uint16_t *scales = mls_arena_alloc_large(arena, bytes + MLS_PANEL_SLACK);
    uint16_t *offsets = coded->offsets ? mls_arena_alloc_large(arena, bytes + MLS_PANEL_SLACK) : NULL;
    if (!scales || (coded->offsets && !offsets))
        return MLS_ERR_MEMORY;
    panels->scales = scales;
    panels->offsets = offsets;
    panels->bytes += bytes * (offsets ? 2 : 1);
    bool good = spread_scales(coded, transposed, panels, coded->scales, scales);
    if (offsets)
        good &= spread_scales(coded, transposed, panels, coded->offsets, offsets);
    return good ? MLS_OK : MLS_ERR_OP_UNSUPPORTED;
}

enum mls_status mls_panels_pack(const struct mls_kernels *kernels, struct mls_pool *pool,
                                const struct mls_coded *coded, bool transposed, struct mls_arena *arena,
                                struct mls_panels *panels)
{
    size_t bytes;
    enum mls_status status = MLS_OK;
    if (!mls_mul_size(panels->n_panels, panels->panel_bytes, &bytes))
        return MLS_ERR_MEMORY;
    panels->bytes = bytes;
    bool tables = panels->form == MLS_PANEL_INT4 ||
                  (coded->kind == MLS_CODE_INDICES && panels->form != MLS_PANEL_SPARSE16);
    if (tables)
        status = pack_tables(coded, arena, panels);
    if (!status && coded->scales && panels->form != MLS_PANEL_SPARSE16)
        status = pack_scales(coded, transposed, arena, panels);
    uint8_t *codes = status ? NULL : mls_arena_alloc_large(arena, bytes + MLS_PANEL_SLACK);
    if (!codes)
        return status ? status : MLS_ERR_MEMORY;
    panels->codes = codes;
    struct mls_panel_job job = {
        .kernels = kernels, .coded = coded, .transposed = transposed, .panels = panels, .codes = codes};
    if (panels->form == MLS_PANEL_SPARSE16)
        return mls_panel_pack_sparse(&job, pool, arena, panels);
    mls_panel_pack_codes(&job, pool);
    return MLS_OK;
}
