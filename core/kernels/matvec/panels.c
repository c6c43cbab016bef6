#include "kernels/matvec/panels.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/fp16.h"
#include "kernels/lut/lut.h"

enum { ROWS = MLS_PANEL_ROWS };

/* Terms that are packed at a time: whole steps of every form. */
enum { CHUNK = 640 };

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

static bool is_sparse(enum mls_panel_form form)
{
    return form == MLS_PANEL_SPARSE16 || form == MLS_PANEL_SPARSE4;
}

/* ---- Planning ---- */

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
        if (coded->mask)
            *ret = coded->bits <= 4 && coded->n_vector == 1 && !coded->offsets ? MLS_PANEL_SPARSE4
                                                                               : MLS_PANEL_SPARSE16;
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
    return !panels->wide || (panels->n_blocks == 1 && panels->form != MLS_PANEL_SPARSE4);
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
    }
    if (coded->kind == MLS_CODE_INTEGERS && coded->is_signed)
        panels.base = 1 << (coded->bits - 1);
    if ((is_sparse(panels.form) && transposed) || !plan_blocks(coded, transposed, &panels) ||
        !plan_tables(coded, transposed, &panels))
        return false;
    size_t step = mls_panel_terms(panels.form), lanes = panels.wide ? ROWS : 1;
    size_t steps = ((panels.block + lanes - 1) / lanes + step - 1) / step;
    panels.n_panels = panels.wide ? panels.rows : (panels.rows + ROWS - 1) / ROWS;
    panels.block_terms = steps * step;
    panels.panel_bytes = is_sparse(panels.form)
                             ? panels.terms * sizeof(uint16_t)
                             : panels.n_blocks * steps * mls_panel_step_bytes(panels.form);
    *ret = panels;
    /* what fills blocks up must not make it larger than the values themselves */
    return panels.panel_bytes * panels.n_panels / 2 <= panels.n * panels.k + SMALL_BYTES / 2;
}

/* ---- Packing ---- */

/* Codes of the sixteen lanes of a panel and some terms; filled up with zeros. */
struct chunk {
    uint8_t codes[ROWS * CHUNK];
    size_t lane_stride, term_stride;
};

static inline unsigned code_at(const struct chunk *chunk, size_t lane, size_t term)
{
    return chunk->codes[lane * chunk->lane_stride + term * chunk->term_stride];
}

struct pack_job {
    const struct mls_kernels *kernels;
    const struct mls_coded *coded;
    bool transposed;
    const struct mls_panels *panels;
    uint8_t *codes, *values;
    size_t *starts; /* SPARSE: first the bytes of each panel's values, then where they begin */
};

static void add_base(const struct pack_job *job, uint8_t *codes, size_t n)
{
    unsigned base = (unsigned)job->panels->base, mask = 2 * base - 1;
    for (size_t i = 0; base && i < n; i++)
        codes[i] = (uint8_t)((codes[i] + base) & mask);
}

/* Terms [first, first + n) of the codes, in the panel's own terms (wide: of sixteen columns each). */
static void load_chunk(const struct pack_job *job, size_t panel, size_t first, size_t n, struct chunk *ret)
{
    const struct mls_panels *panels = job->panels;
    const struct mls_coded *coded = job->coded;
    bool by_term = panels->wide || job->transposed;
    size_t step = mls_panel_terms(panels->form), whole = (n + step - 1) / step * step;
    memset(ret->codes, 0, ROWS * whole);
    ret->lane_stride = by_term ? 1 : whole;
    ret->term_stride = by_term ? ROWS : 1;
    if (panels->wide) {
        size_t from = first * ROWS, left = panels->terms - from, count = n * ROWS < left ? n * ROWS : left;
        for (size_t i = 0; i < count && job->transposed; i++)
            mls_coded_codes(coded, from + i, panel, 1, ret->codes + i);
        if (!job->transposed)
            mls_coded_codes(coded, panel, from, count, ret->codes);
        add_base(job, ret->codes, count);
        return;
    }
    size_t row = panel * ROWS, left = panels->rows - row, lanes = left < ROWS ? left : ROWS;
    for (size_t i = 0; i < (job->transposed ? n : lanes); i++) {
        uint8_t *to = ret->codes + i * (job->transposed ? ROWS : whole);
        if (job->transposed)
            mls_coded_codes(coded, first + i, row, lanes, to);
        else
            mls_coded_codes(coded, row + i, first, n, to);
        add_base(job, to, job->transposed ? lanes : n);
    }
}

static void pack_bytes(const struct chunk *chunk, size_t term, uint8_t *ret)
{
    for (size_t r = 0; r < ROWS; r++)
        for (size_t t = 0; t < 4; t++)
            ret[4 * r + t] = (uint8_t)code_at(chunk, r, term + t);
}

static void pack_halves(const struct chunk *chunk, size_t term, uint8_t *ret)
{
    for (size_t r = 0; r < ROWS; r++)
        for (size_t t = 0; t < 4; t++)
            ret[4 * r + t] =
                (uint8_t)(code_at(chunk, r, term + t) | code_at(chunk, r, term + 4 + t) << 4);
}

static void pack_words(const struct chunk *chunk, size_t term, unsigned bits, uint8_t *ret)
{
    for (size_t r = 0; r < ROWS; r++) {
        uint32_t word = 0;
        for (size_t t = 0; t < 32 / bits; t++)
            word |= (uint32_t)code_at(chunk, r, term + t) << (bits * t);
        memcpy(ret + 4 * r, &word, sizeof word);
    }
}

/* Of 6 and 8 bits: 48 or 16 bits for each row and parity of the term, in planes of 16. */
static void pack_planes(const struct chunk *chunk, size_t term, unsigned bits, uint8_t *ret)
{
    size_t n_planes = bits == 6 ? 3 : 1, n = n_planes * 16 / bits;
    for (size_t lane = 0; lane < 2 * (size_t)ROWS; lane++) {
        uint64_t word = 0;
        for (size_t j = 0; j < n; j++)
            word |= (uint64_t)code_at(chunk, lane % ROWS, term + 2 * j + lane / ROWS) << (bits * j);
        for (size_t plane = 0; plane < n_planes; plane++) {
            uint16_t part = (uint16_t)(word >> (16 * plane));
            memcpy(ret + (plane * 2 * ROWS + lane) * sizeof part, &part, sizeof part);
        }
    }
}

static void pack_step(enum mls_panel_form form, const struct chunk *chunk, size_t term, uint8_t *ret)
{
    switch (form) {
    case MLS_PANEL_INT8:
        pack_bytes(chunk, term, ret);
        return;
    case MLS_PANEL_INT4:
        pack_halves(chunk, term, ret);
        return;
    case MLS_PANEL_TABLE6:
        pack_planes(chunk, term, 6, ret);
        return;
    case MLS_PANEL_TABLE8:
        pack_planes(chunk, term, 8, ret);
        return;
    case MLS_PANEL_TABLE1:
    case MLS_PANEL_TABLE2:
    case MLS_PANEL_TABLE3:
    case MLS_PANEL_TABLE4:
        pack_words(chunk, term, (unsigned)(form - MLS_PANEL_TABLE1) + 1, ret);
        return;
    default: /* fp16 has no codes, and sparse forms no steps */
        return;
    }
}

static void pack_codes(const struct pack_job *job, size_t panel)
{
    const struct mls_panels *panels = job->panels;
    size_t step = mls_panel_terms(panels->form), bytes = mls_panel_step_bytes(panels->form);
    size_t lanes = panels->wide ? ROWS : 1, terms = (panels->block + lanes - 1) / lanes;
    uint8_t *to = job->codes + panel * panels->panel_bytes;
    struct chunk chunk;
    for (size_t block = 0; block < panels->n_blocks; block++)
        for (size_t first = 0; first < terms; first += CHUNK) {
            size_t n = terms - first < CHUNK ? terms - first : CHUNK;
            load_chunk(job, panel, block * panels->block + first, n, &chunk);
            for (size_t t = 0; t < n; t += step, to += bytes)
                pack_step(panels->form, &chunk, t, to);
        }
}

static void pack_values(const struct pack_job *job, size_t panel)
{
    const struct mls_panels *panels = job->panels;
    const uint16_t *from = job->coded->codes;
    uint16_t *to = (uint16_t *)(void *)(job->codes + panel * panels->panel_bytes);
    size_t row = panel * ROWS, left = panels->rows - row, lanes = left < ROWS ? left : ROWS;
    size_t row_stride = job->transposed ? 1 : panels->k, term_stride = job->transposed ? panels->n : 1;
    for (size_t t = 0; t < panels->k; t++)
        for (size_t r = 0; r < lanes; r++)
            to[t * ROWS + r] = from[(row + r) * row_stride + t * term_stride];
}

static void panel_task(void *context, size_t panel, uint32_t thread)
{
    (void)thread;
    const struct pack_job *job = context;
    if (job->panels->form == MLS_PANEL_FP16)
        pack_values(job, panel);
    else
        pack_codes(job, panel);
}

/* ---- Packing without zeros ---- */

static bool bit_at(const uint8_t *mask, size_t bit)
{
    return mask[bit / 8] >> bit % 8 & 1;
}

/* The rows of a panel as fp16 (SPARSE16) or codes, and their masks, some terms at a time. */
struct sparse_chunk {
    uint16_t values[ROWS][CHUNK];
    uint16_t masks[CHUNK];
};

static void load_sparse(const struct pack_job *job, size_t panel, size_t first, size_t n,
                        struct sparse_chunk *ret)
{
    const struct mls_coded *coded = job->coded;
    size_t row = panel * ROWS, left = job->panels->rows - row, lanes = left < ROWS ? left : ROWS;
    bool fp16 = job->panels->form == MLS_PANEL_SPARSE16;
    struct mls_coded_cache cache;
    cache.n_known = 0;
    memset(ret->masks, 0, sizeof ret->masks);
    for (size_t r = 0; r < lanes; r++) {
        uint8_t codes[CHUNK];
        if (fp16)
            mls_coded_terms(job->kernels, coded, row + r, first, n, &cache, ret->values[r]);
        else
            mls_coded_codes(coded, row + r, first, n, codes);
        for (size_t t = 0; t < n; t++) {
            bool set = fp16 ? ret->values[r][t] & 0x7fff
                            : bit_at(coded->mask, (row + r) * coded->code_cols + first + t);
            if (!fp16)
                ret->values[r][t] = codes[t];
            ret->masks[t] = (uint16_t)(ret->masks[t] | (unsigned)set << r);
        }
    }
}

/* Bytes of the values of one term. */
static size_t value_bytes(enum mls_panel_form form, uint16_t mask)
{
    size_t n = (size_t)__builtin_popcount(mask);
    return form == MLS_PANEL_SPARSE16 ? 2 * n : (n + 1) / 2;
}

static void measure_task(void *context, size_t panel, uint32_t thread)
{
    (void)thread;
    const struct pack_job *job = context;
    struct sparse_chunk chunk;
    size_t bytes = 0;
    for (size_t first = 0; first < job->panels->terms; first += CHUNK) {
        size_t left = job->panels->terms - first, n = left < CHUNK ? left : CHUNK;
        load_sparse(job, panel, first, n, &chunk);
        for (size_t t = 0; t < n; t++)
            bytes += value_bytes(job->panels->form, chunk.masks[t]);
    }
    job->starts[panel] = bytes;
}

static void sparse_task(void *context, size_t panel, uint32_t thread)
{
    (void)thread;
    const struct pack_job *job = context;
    bool fp16 = job->panels->form == MLS_PANEL_SPARSE16;
    struct sparse_chunk chunk;
    uint8_t *to = job->values + job->starts[panel];
    uint8_t *masks = job->codes + panel * job->panels->panel_bytes;
    for (size_t first = 0; first < job->panels->terms; first += CHUNK) {
        size_t left = job->panels->terms - first, n = left < CHUNK ? left : CHUNK;
        load_sparse(job, panel, first, n, &chunk);
        memcpy(masks + 2 * first, chunk.masks, 2 * n);
        for (size_t t = 0; t < n; t++) {
            size_t count = 0;
            for (size_t r = 0; r < ROWS; r++) {
                if (!(chunk.masks[t] >> r & 1))
                    continue;
                if (fp16)
                    memcpy(to + 2 * count, &chunk.values[r][t], 2);
                else
                    to[count / 2] = (uint8_t)(to[count / 2] | (unsigned)chunk.values[r][t] << (count % 2 * 4));
                count++;
            }
            to += value_bytes(job->panels->form, chunk.masks[t]);
        }
    }
}

static enum mls_status pack_sparse(struct pack_job *job, struct mls_pool *pool, struct mls_arena *arena,
                        struct mls_panels *panels)
{
    size_t total = 0;
    job->starts = MLS_NEW_ARRAY(arena, panels->n_panels, size_t);
    if (!job->starts)
        return MLS_ERR_MEMORY;
    mls_pool_for(pool, panels->n_panels, measure_task, job);
    for (size_t i = 0; i < panels->n_panels; i++) {
        size_t bytes = job->starts[i];
        job->starts[i] = total;
        total += bytes;
    }
    job->values = mls_arena_alloc_large(arena, total + MLS_PANEL_SLACK);
    if (!job->values)
        return MLS_ERR_MEMORY;
    panels->values = job->values;
    panels->starts = job->starts;
    panels->bytes += total + panels->n_panels * sizeof(size_t);
    mls_pool_for(pool, panels->n_panels, sparse_task, job);
    return MLS_OK;
}

/* ---- Tables and scales ---- */

/* Entries as fp32, by vector element; small tables are repeated, so that bits above an index do no harm. */
static enum mls_status pack_tables(const struct mls_coded *coded, struct mls_arena *arena, struct mls_panels *panels)
{
    bool integers = panels->form == MLS_PANEL_INT4;
    size_t n = (size_t)1 << coded->bits, n_tables = integers ? 1 : coded->n_tables, d = panels->n_vector;
    panels->n_entries = n < MLS_PANEL_TABLE ? MLS_PANEL_TABLE : n;
    bool halves = n > MLS_PANEL_TABLE;
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
            size_t v = i / panels->n_entries, entry = i % panels->n_entries % n;
            float value = integers ? (float)((int)entry - panels->base) : entries[entry * d + v];
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
    struct pack_job job = {
        .kernels = kernels, .coded = coded, .transposed = transposed, .panels = panels, .codes = codes};
    panels->codes = codes;
    if (is_sparse(panels->form))
        return pack_sparse(&job, pool, arena, panels);
    mls_pool_for(pool, panels->n_panels, panel_task, &job);
    return MLS_OK;
}
