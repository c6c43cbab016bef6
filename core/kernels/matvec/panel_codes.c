/*
 * panel_codes.c: each row of a panel becomes words, those of one step of the panel, and rows of words are transposed. Of
 * TABLE6 and TABLE8 words have 16 bits, as fp16 values have; of the others 32.
 */
#include "kernels/matvec/panel_codes.h"

#include <string.h>

#include "base/arena.h"
#include "kernels/move/move.h"

enum { ROWS = MLS_PANEL_ROWS };

/* Terms that are packed at a time: whole steps of every form. Words take no more bytes than codes. */
enum { CHUNK = 640 };

/* ---- Codes ---- */

static void set_zeros(const struct mls_panel_job *job, size_t code_row, size_t first, size_t n, uint8_t *codes)
{
    const struct mls_coded *coded = job->coded;
    size_t bit = code_row * coded->code_cols + first;
    for (size_t i = 0; i < n; i++)
        if (!(coded->mask[(bit + i) / 8] >> (bit + i) % 8 & 1))
            codes[i] = (uint8_t)job->panels->zero_code;
}

static void load_codes(const struct mls_panel_job *job, size_t code_row, size_t first, size_t n, uint8_t *ret)
{
    mls_coded_codes(job->coded, code_row, first, n, ret);
    if (job->panels->zero_code)
        set_zeros(job, code_row, first, n, ret);
    uint8_t base = (uint8_t)job->panels->base; /* the highest bit: adding it turns it over */
    for (size_t i = 0; base && i < n; i++)
        ret[i] ^= base;
}

/* Codes of the sixteen lanes of a panel and some of its terms: [lane][CHUNK], filled up with zeros. */
struct chunk {
    uint8_t codes[ROWS * CHUNK];
};

/* Terms [first, first + n) of a panel of which each has sixteen neighbours in a row, or rows of a transposed matrix. */
static void load_by_term(const struct mls_panel_job *job, size_t panel, size_t first, size_t n, struct chunk *ret)
{
    const struct mls_panels *panels = job->panels;
    uint8_t terms[CHUNK * ROWS];
    memset(terms, 0, n * ROWS);
    if (panels->wide) {
        size_t from = first * ROWS, left = panels->terms - from, count = n * ROWS < left ? n * ROWS : left;
        for (size_t i = 0; i < count && job->transposed; i++)
            load_codes(job, from + i, panel, 1, terms + i);
        if (!job->transposed)
            load_codes(job, panel, from, count, terms);
    } else {
        size_t row = panel * ROWS, left = panels->rows - row, lanes = left < ROWS ? left : ROWS;
        for (size_t t = 0; t < n; t++)
            load_codes(job, first + t, row, lanes, terms + t * ROWS);
    }
    job->kernels->move->transpose[1].run(terms, ROWS, ret->codes, CHUNK, n, ROWS);
}

static void load_chunk(const struct mls_panel_job *job, size_t panel, size_t first, size_t n, struct chunk *ret)
{
    const struct mls_panels *panels = job->panels;
    size_t step = mls_panel_terms(panels->form), whole = (n + step - 1) / step * step;
    size_t row = panel * ROWS, left = panels->rows - row, lanes = left < ROWS ? left : ROWS;
    if (panels->wide || job->transposed) {
        load_by_term(job, panel, first, n, ret);
        lanes = ROWS;
    } else {
        for (size_t r = 0; r < lanes; r++)
            load_codes(job, row + r, first, n, ret->codes + r * CHUNK);
    }
    for (size_t r = 0; r < ROWS; r++) {
        size_t known = r < lanes ? n : 0;
        memset(ret->codes + r * CHUNK + known, 0, whole - known);
    }
}

/* ---- Words ---- */

static uint64_t eight(const uint8_t *codes)
{
    uint64_t word;
    memcpy(&word, codes, sizeof word);
    return word;
}

/* Eight codes, one a byte, with `bits` (at most 4) bits each, the first in the lowest. */
static uint32_t closed_up(uint64_t codes, unsigned bits)
{
    const uint64_t of_two = (1u << 2 * bits) - 1, of_four = (1u << 4 * bits) - 1;
    codes = (codes | codes >> (8 - bits)) & (of_two << 48 | of_two << 32 | of_two << 16 | of_two);
    codes = (codes | codes >> (16 - 2 * bits)) & (of_four << 32 | of_four);
    return (uint32_t)(codes | codes >> (32 - 4 * bits));
}

static uint32_t word_of(enum mls_panel_form form, const uint8_t *codes)
{
    uint64_t all;
    switch (form) {
    case MLS_PANEL_INT4:
        all = eight(codes);
        return (uint32_t)(all | all >> 28);
    case MLS_PANEL_TABLE1: {
        uint32_t word = 0;
        for (unsigned i = 0; i < 4; i++)
            word |= closed_up(eight(codes + 8 * i), 1) << 8 * i;
        return word;
    }
    case MLS_PANEL_TABLE2:
        return closed_up(eight(codes), 2) | closed_up(eight(codes + 8), 2) << 16;
    case MLS_PANEL_TABLE3:
        return closed_up(eight(codes), 3) | (uint32_t)codes[8] << 24 | (uint32_t)codes[9] << 27;
    case MLS_PANEL_TABLE4:
        return closed_up(eight(codes), 4);
    default: {
        uint32_t word; /* INT8 */
        memcpy(&word, codes, sizeof word);
        return word;
    }
    }
}

/* Every second one of eight codes of 6 bits, closed up. */
static uint32_t evens(uint64_t codes)
{
    codes &= 0x00ff00ff00ff00ffu;
    codes = (codes | codes >> 10) & 0x00000fff00000fffu;
    return (uint32_t)(codes | codes >> 20) & 0xffffff;
}

/* One step of TABLE6: [plane][2] words of 16 bits. */
static void planes_of(const uint8_t *codes, uint16_t *ret)
{
    uint64_t low = eight(codes), high = eight(codes + 8);
    for (unsigned h = 0; h < 2; h++) {
        uint64_t word = evens(low >> 8 * h) | (uint64_t)evens(high >> 8 * h) << 24;
        for (unsigned plane = 0; plane < 3; plane++)
            ret[2 * plane + h] = (uint16_t)(word >> 16 * plane);
    }
}

/* One step of TABLE8: [2] words of 16 bits. */
static void halves_of(const uint8_t *codes, uint16_t *ret)
{
    ret[0] = (uint16_t)(codes[0] | codes[2] << 8);
    ret[1] = (uint16_t)(codes[1] | codes[3] << 8);
}

/* Words of one row: `steps` steps. */
static void row_words(enum mls_panel_form form, const uint8_t *codes, size_t steps, void *ret)
{
    size_t terms = mls_panel_terms(form);
    uint16_t *halves = ret;
    uint32_t *words = ret;
    if (form == MLS_PANEL_TABLE6)
        for (size_t s = 0; s < steps; s++)
            planes_of(codes + s * terms, halves + 6 * s);
    else if (form == MLS_PANEL_TABLE8)
        for (size_t s = 0; s < steps; s++)
            halves_of(codes + s * terms, halves + 2 * s);
    else
        for (size_t s = 0; s < steps; s++)
            words[s] = word_of(form, codes + s * terms);
}

static void pack_codes(const struct mls_panel_job *job, size_t panel)
{
    const struct mls_panels *panels = job->panels;
    enum mls_panel_form form = panels->form;
    size_t step = mls_panel_terms(form), step_bytes = mls_panel_step_bytes(form);
    size_t elem_bytes = form == MLS_PANEL_TABLE6 || form == MLS_PANEL_TABLE8 ? 2 : 4;
    size_t lanes = panels->wide ? ROWS : 1, terms = (panels->block + lanes - 1) / lanes, n_blocks = panels->n_blocks;
    if (panels->block == panels->block_terms) { /* nothing stands between blocks */
        terms *= n_blocks;
        n_blocks = 1;
    }
    uint8_t *to = job->codes + panel * panels->panel_bytes;
    struct chunk chunk;
    _Alignas(64) uint8_t words[ROWS * CHUNK];
    for (size_t block = 0; block < n_blocks; block++)
        for (size_t first = 0; first < terms; first += CHUNK) {
            size_t n = terms - first < CHUNK ? terms - first : CHUNK, steps = (n + step - 1) / step;
            load_chunk(job, panel, block * panels->block + first, n, &chunk);
            for (size_t r = 0; r < ROWS; r++)
                row_words(form, chunk.codes + r * CHUNK, steps, words + r * CHUNK);
            job->kernels->move->transpose[elem_bytes].run(words, CHUNK, to, (ptrdiff_t)(ROWS * elem_bytes), ROWS,
                                                          steps * step_bytes / ROWS / elem_bytes);
            to += steps * step_bytes;
        }
}

static void pack_values(const struct mls_panel_job *job, size_t panel)
{
    const struct mls_panels *panels = job->panels;
    const uint16_t *from = job->coded->codes;
    uint16_t *to = (uint16_t *)(void *)(job->codes + panel * panels->panel_bytes);
    size_t row = panel * ROWS, left = panels->rows - row, lanes = left < ROWS ? left : ROWS;
    if (job->transposed)
        mls_move_rows(from + row, (ptrdiff_t)(panels->n * sizeof *from), to, ROWS * sizeof *to, panels->k, lanes * sizeof *to);
    else
        job->kernels->move->transpose[2].run(from + row * panels->k, (ptrdiff_t)(panels->k * sizeof *from), to,
                                             ROWS * sizeof *to, lanes, panels->k);
}

static void panel_task(void *context, size_t panel, uint32_t thread)
{
    (void)thread;
    const struct mls_panel_job *job = context;
    if (job->panels->form == MLS_PANEL_FP16)
        pack_values(job, panel);
    else
        pack_codes(job, panel);
}

void mls_panel_pack_codes(struct mls_panel_job *job, struct mls_pool *pool)
{
    mls_pool_for(pool, job->panels->n_panels, panel_task, job);
}

/* ---- Without zeros ---- */

/* The rows of a panel as fp16, and masks of those that are not zero, some terms at a time. */
struct sparse_chunk {
    uint16_t values[ROWS][CHUNK];
    uint16_t masks[CHUNK];
};

static void load_sparse(const struct mls_panel_job *job, size_t panel, size_t first, size_t n, struct sparse_chunk *ret)
{
    size_t row = panel * ROWS, left = job->panels->rows - row, lanes = left < ROWS ? left : ROWS;
    struct mls_coded_cache cache;
    cache.n_known = 0;
    memset(ret, 0, sizeof *ret);
    for (size_t r = 0; r < lanes; r++) {
        uint16_t *values = ret->values[r];
        mls_coded_terms(job->kernels, job->coded, row + r, first, n, &cache, values);
        for (size_t t = 0; t < n; t++)
            ret->masks[t] = (uint16_t)(ret->masks[t] | (unsigned)((values[t] & 0x7fff) != 0) << r);
    }
}

static void measure_task(void *context, size_t panel, uint32_t thread)
{
    (void)thread;
    const struct mls_panel_job *job = context;
    struct sparse_chunk chunk;
    size_t n_values = 0;
    for (size_t first = 0; first < job->panels->terms; first += CHUNK) {
        size_t left = job->panels->terms - first, n = left < CHUNK ? left : CHUNK;
        load_sparse(job, panel, first, n, &chunk);
        for (size_t t = 0; t < n; t++)
            n_values += (size_t)__builtin_popcount(chunk.masks[t]);
    }
    job->starts[panel] = n_values * sizeof(uint16_t);
}

static void sparse_task(void *context, size_t panel, uint32_t thread)
{
    (void)thread;
    const struct mls_panel_job *job = context;
    struct sparse_chunk chunk;
    uint16_t *to = (uint16_t *)(void *)(job->values + job->starts[panel]);
    uint8_t *masks = job->codes + panel * job->panels->panel_bytes;
    for (size_t first = 0; first < job->panels->terms; first += CHUNK) {
        size_t left = job->panels->terms - first, n = left < CHUNK ? left : CHUNK;
        load_sparse(job, panel, first, n, &chunk);
        memcpy(masks + 2 * first, chunk.masks, 2 * n);
        for (size_t t = 0; t < n; t++) {
            uint16_t rows[ROWS], count = 0; /* without a branch for each: they are hard to predict */
            for (size_t r = 0; r < ROWS; r++) {
                rows[count] = chunk.values[r][t];
                count = (uint16_t)(count + (chunk.masks[t] >> r & 1));
                count = count < ROWS ? count : ROWS - 1;
            }
            size_t n_values = (size_t)__builtin_popcount(chunk.masks[t]);
            memcpy(to, rows, n_values * sizeof *to);
            to += n_values;
        }
    }
}

enum mls_status mls_panel_pack_sparse(struct mls_panel_job *job, struct mls_pool *pool, struct mls_arena *arena,
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
