#include "kernels/matvec/matvec.h"

#include <string.h>

#include "base/fp16.h"
#include "kernels/convert/convert.h"

enum { ROWS = MLS_PANEL_ROWS, LINE = 64 };

/* Bytes that are worth waking another thread for. */
enum { MIN_SHARED_BYTES = 128 * 1024 };

size_t mls_matvec_span_terms(const struct mls_panels *weights)
{
    return weights->block_terms < MLS_MATVEC_SPAN ? weights->block_terms : MLS_MATVEC_SPAN;
}

size_t mls_matvec_spans(const struct mls_panels *weights)
{
    return (weights->block_terms + MLS_MATVEC_SPAN - 1) / MLS_MATVEC_SPAN;
}

static bool is_integers(const struct mls_panels *weights)
{
    return weights->form == MLS_PANEL_INT4 || weights->form == MLS_PANEL_INT8;
}

/* Sets of x: one for each element of vectors that lie side by side. */
static size_t n_sets(const struct mls_panels *weights)
{
    return weights->vector_rows ? 1 : weights->n_vector;
}

/* Elements of one row of x in the order of the panels, and floats that keep the next row at a whole line. */
static size_t row_elems(const struct mls_panels *weights)
{
    size_t elems = weights->n_blocks * weights->block_terms * (weights->wide ? ROWS : 1);
    return (elems + LINE - 1) / LINE * LINE;
}

static size_t line_up(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

/* What the scratch memory holds. `rows` are those of x: m for each set. */
struct layout {
    size_t rows, elems, spans;
    size_t plain, sums, high, low, scales, span_sums, bytes; /* offsets of the parts */
};

static struct layout layout_of(const struct mls_matvec *product)
{
    const struct mls_panels *weights = product->weights;
    struct layout layout = {.rows = product->m * n_sets(weights), .elems = row_elems(weights)};
    bool fixed = is_integers(weights);
    layout.spans = fixed ? weights->n_blocks * mls_matvec_spans(weights) : 0;
    layout.plain = layout.rows * layout.elems * sizeof(float); /* a row of x as it comes */
    layout.sums = layout.plain + line_up(weights->k * sizeof(float));
    layout.high = layout.sums + line_up(layout.rows * weights->n_blocks * sizeof(float));
    layout.low = layout.high + (fixed ? layout.rows * layout.elems : 0);
    layout.scales = layout.low + (fixed ? layout.rows * layout.elems : 0);
    layout.span_sums = layout.scales + line_up(layout.rows * layout.spans * sizeof(float));
    layout.bytes = layout.span_sums + line_up(layout.rows * layout.spans * sizeof(int32_t));
    return layout;
}

size_t mls_matvec_scratch_bytes(const struct mls_matvec *product)
{
    return layout_of(product).bytes;
}

bool mls_matvec_pays(const struct mls_kernels *kernels, const struct mls_panels *weights)
{
    const uint16_t *costs = kernels->matvec->costs;
    return costs[weights->form] <= costs[MLS_PANEL_FP16];
}

struct job {
    const struct mls_kernels *kernels;
    const struct mls_matvec *product;
    struct layout layout;
    uint8_t *scratch;
    bool fixed;
};

static float *x_of(const struct job *job, size_t row)
{
    return (float *)(void *)job->scratch + row * job->layout.elems;
}

/* ---- x ---- */

static void load_row(const struct job *job, size_t m, float *ret)
{
    const struct mls_matvec *product = job->product;
    size_t k = product->weights->k, step = product->columns ? product->m : 1;
    size_t first = product->columns ? m : m * k;
    bool half = product->x_dtype == MLS_FP16;
    if (step == 1 && half)
        job->kernels->convert->fp16_to_fp32((const uint16_t *)product->x + first, ret, k);
    else if (step == 1)
        memcpy(ret, (const float *)product->x + first, k * sizeof *ret);
    else
        for (size_t i = 0; i < k; i++)
            ret[i] = half ? mls_fp16_to_fp32(((const uint16_t *)product->x)[first + i * step])
                          : ((const float *)product->x)[first + i * step];
}

/* A row of x, or every n-th of its elements from `first` on, block by block, filled up with zeros. */
static void arrange(const struct mls_panels *weights, const float *row, size_t first, size_t step, float *ret,
                    float *ret_sums)
{
    size_t lanes = weights->wide ? ROWS : 1;
    for (size_t b = 0; b < weights->n_blocks; b++) {
        float *to = ret + b * weights->block_terms * lanes, sum = 0;
        const float *from = row + b * weights->block * step + first;
        for (size_t i = 0; i < weights->block; i++)
            to[i] = from[i * step];
        memset(to + weights->block, 0, (weights->block_terms * lanes - weights->block) * sizeof *to);
        for (size_t i = 0; weights->offsets && i < weights->block; i++)
            sum += to[i];
        ret_sums[b] = sum;
    }
}

/* One row in fixed point; false when it is not finite. */
static bool fix_row(const struct job *job, size_t row)
{
    const struct mls_panels *weights = job->product->weights;
    const struct layout *layout = &job->layout;
    size_t of_block = mls_matvec_spans(weights);
    float *scales = (float *)(void *)(job->scratch + layout->scales) + row * layout->spans;
    int32_t *sums = (int32_t *)(void *)(job->scratch + layout->span_sums) + row * layout->spans;
    float *block_sums = (float *)(void *)(job->scratch + layout->sums) + row * weights->n_blocks;
    for (size_t i = 0; i < layout->spans; i++) {
        size_t in_block = i % of_block * MLS_MATVEC_SPAN, at = i / of_block * weights->block_terms + in_block;
        size_t left = weights->block_terms - in_block, n = left < MLS_MATVEC_SPAN ? left : MLS_MATVEC_SPAN;
        int8_t *high = (int8_t *)job->scratch + layout->high + row * layout->elems + at;
        int8_t *low = (int8_t *)job->scratch + layout->low + row * layout->elems + at;
        if (!job->kernels->matvec->span(x_of(job, row) + at, n, high, low, &scales[i], &sums[i]))
            return false;
        float sum = scales[i] * (float)sums[i];
        block_sums[i / of_block] = i % of_block ? block_sums[i / of_block] + sum : sum;
    }
    return true;
}

static bool may_fix(const struct job *job)
{
    const struct mls_matvec *product = job->product;
    return job->kernels->matvec->pays && !product->exact && product->x_dtype == MLS_FP16 &&
           is_integers(product->weights);
}

static void prepare_floats(struct job *job)
{
    const struct mls_matvec *product = job->product;
    const struct mls_panels *weights = product->weights;
    float *plain = (float *)(void *)(job->scratch + job->layout.plain);
    for (size_t row = 0; row < job->layout.rows; row++) {
        float *sums = (float *)(void *)(job->scratch + job->layout.sums) + row * weights->n_blocks;
        if (row == 0 || product->m > 1)
            load_row(job, row % product->m, plain);
        arrange(weights, plain, row / product->m, n_sets(weights), x_of(job, row), sums);
    }
}

static void prepare(struct job *job)
{
    prepare_floats(job);
    job->fixed = may_fix(job);
    for (size_t row = 0; job->fixed && row < job->layout.rows; row++)
        job->fixed = fix_row(job, row);
    if (may_fix(job) && !job->fixed)
        prepare_floats(job); /* its sums are not those of the integers */
}

/* ---- The product ---- */

enum { TASK_PANELS = MLS_MATVEC_PANELS, TASK_PANELS_WIDE = 32, TASK_ROWS = TASK_PANELS * ROWS };

/* Results of a task: rows of x by rows of the weights. */
struct tile {
    size_t first, n;     /* rows of the weights */
    size_t first_m, n_m; /* rows of x */
    float sums[MLS_MATVEC_ROWS][TASK_ROWS * MLS_CODED_VECTOR_MAX];
};

/* Panels [panel, panel + n), which share a table, by the rows of a tile and set `set` of x: element v of vectors. */
static void multiply(const struct job *job, const struct tile *tile, size_t panel, size_t n, size_t set, size_t v,
                     float *ret)
{
    const struct mls_panels *weights = job->product->weights;
    const struct layout *layout = &job->layout;
    const struct mls_matvec_kernels *kernels = job->kernels->matvec;
    size_t row = set * job->product->m + tile->first_m;
    struct mls_matvec_part part = {.weights = weights,
                                   .n_panels = n,
                                   .codes = weights->codes + panel * weights->panel_bytes,
                                   .x = x_of(job, row),
                                   .x_stride = layout->elems};
    part.block_sums = (const float *)(const void *)(job->scratch + layout->sums) + row * weights->n_blocks;
    for (size_t i = 0; weights->values && i < n; i++)
        part.values[i] = weights->values + weights->starts[panel + i];
    if (weights->tables) {
        size_t table = (panel / weights->panels_per_table * weights->n_vector + v) * weights->n_entries;
        part.table = weights->tables + table;
        part.half_table = weights->half_tables ? weights->half_tables + table : NULL;
    }
    if (weights->scales && !weights->wide) {
        size_t at = ((weights->vector_rows ? v : 0) * weights->n_panels + panel) * weights->n_blocks * ROWS;
        part.scales = weights->scales + at;
        part.offsets = weights->offsets ? weights->offsets + at : NULL;
    }
    if (!job->fixed) {
        kernels->dot[weights->form][tile->n_m - 1](&part, ret);
        return;
    }
    part.high = (const int8_t *)job->scratch + layout->high + row * layout->elems;
    part.low = (const int8_t *)job->scratch + layout->low + row * layout->elems;
    part.span_scales = (const float *)(const void *)(job->scratch + layout->scales) + row * layout->spans;
    part.span_sums = (const int32_t *)(const void *)(job->scratch + layout->span_sums) + row * layout->spans;
    kernels->fixed[weights->form][tile->n_m - 1](&part, ret);
}

/* The sum of sixteen lanes, in a fixed tree. */
static float fold(float *lanes)
{
    for (size_t half = ROWS / 2; half; half /= 2)
        for (size_t i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}

/* A wide panel: one row of codes. */
static void finish_wide(const struct job *job, size_t m, size_t row, size_t v, float *lanes, float *ret)
{
    const struct mls_panels *weights = job->product->weights;
    float sum = fold(lanes);
    if (weights->scales) {
        size_t at = (weights->vector_rows ? v : 0) * weights->n_panels + row;
        const float *x_sum = (const float *)(const void *)(job->scratch + job->layout.sums) + m;
        if (weights->offsets)
            sum -= mls_fp16_to_fp32(weights->offsets[at]) * *x_sum;
        sum *= mls_fp16_to_fp32(weights->scales[at]);
    }
    *ret += sum;
}

/* Panels that share a table and all their vectors' elements. `at`: their first row in the tile. */
static void add_panels(const struct job *job, struct tile *tile, size_t panel, size_t n, size_t at)
{
    const struct mls_panels *weights = job->product->weights;
    size_t down = weights->vector_rows ? weights->n_vector : 1;
    float sums[MLS_MATVEC_ROWS * TASK_ROWS];
    for (size_t v = 0; v < weights->n_vector; v++) {
        size_t set = weights->vector_rows ? 0 : v, of_row = weights->vector_rows ? v : 0;
        multiply(job, tile, panel, n, set, v, sums);
        for (size_t r = 0; r < tile->n_m; r++) {
            float *from = sums + r * n * ROWS, *to = tile->sums[r] + at;
            for (size_t i = 0; weights->wide && i < n; i++)
                finish_wide(job, set * job->product->m + tile->first_m + r, panel + i, v, from + i * ROWS,
                            to + i * down + of_row);
            for (size_t i = 0; !weights->wide && i < n * ROWS; i++)
                to[i * down + of_row] += from[i];
        }
    }
}

static void convert(const struct job *job, const float *from, size_t at, size_t n)
{
    const struct mls_matvec *product = job->product;
    uint8_t *y = (uint8_t *)product->y + at * (product->y_dtype == MLS_FP16 ? 2 : 4);
    if (product->y_dtype == MLS_FP16)
        job->kernels->convert->fp32_to_fp16(from, (uint16_t *)(void *)y, n);
    else
        memcpy(y, from, n * sizeof *from);
    if (product->epilogue)
        product->epilogue->apply(product->epilogue->context, y, at, n);
}

static void store(const struct job *job, struct tile *tile)
{
    const struct mls_matvec *product = job->product;
    const float *bias = product->bias ? product->bias + tile->first : NULL;
    for (size_t r = 0; bias && r < tile->n_m; r++)
        for (size_t i = 0; i < tile->n; i++)
            tile->sums[r][i] += bias[i];
    for (size_t r = 0; !product->columns && r < tile->n_m; r++)
        convert(job, tile->sums[r], (tile->first_m + r) * product->weights->n + tile->first, tile->n);
    if (!product->columns)
        return;
    float columns[MLS_MATVEC_ROWS * ROWS];
    for (size_t first = 0; first < tile->n; first += ROWS) {
        size_t left = tile->n - first, n = left < ROWS ? left : ROWS;
        for (size_t i = 0; i < n * product->m; i++)
            columns[i] = tile->sums[i % product->m][first + i / product->m];
        convert(job, columns, (tile->first + first) * product->m, n * product->m);
    }
}

static size_t panels_of_task(const struct mls_panels *weights)
{
    return weights->wide ? TASK_PANELS_WIDE : TASK_PANELS;
}

static void panels_task(void *context, size_t index, uint32_t thread)
{
    (void)thread;
    const struct job *job = context;
    const struct mls_panels *weights = job->product->weights;
    size_t lanes = weights->wide ? 1 : ROWS, down = weights->vector_rows ? weights->n_vector : 1;
    size_t first = index * panels_of_task(weights), left = weights->n_panels - first, n_panels = panels_of_task(weights);
    n_panels = left < n_panels ? left : n_panels;
    struct tile tile; /* its sums are set as far as they are used */
    tile.first = first * lanes * down;
    tile.n = weights->n - tile.first < n_panels * lanes * down ? weights->n - tile.first : n_panels * lanes * down;
    for (tile.first_m = 0; tile.first_m < job->product->m; tile.first_m += MLS_MATVEC_ROWS) {
        size_t rows = job->product->m - tile.first_m;
        tile.n_m = rows < MLS_MATVEC_ROWS ? rows : MLS_MATVEC_ROWS;
        for (size_t r = 0; r < tile.n_m; r++)
            memset(tile.sums[r], 0, n_panels * lanes * down * sizeof(float));
        for (size_t p = 0, n; p < n_panels; p += n) {
            size_t same = weights->tables ? weights->panels_per_table - (first + p) % weights->panels_per_table : n_panels;
            n = n_panels - p < same ? n_panels - p : same;
            n = n < MLS_MATVEC_PANELS ? n : MLS_MATVEC_PANELS;
            add_panels(job, &tile, first + p, n, p * lanes * down);
        }
        store(job, &tile);
    }
}

void mls_matvec_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                    const struct mls_matvec *product, void *scratch, const char **ret_kernel)
{
    const struct mls_panels *weights = product->weights;
    struct job job = {
        .kernels = kernels, .product = product, .layout = layout_of(product), .scratch = scratch};
    prepare(&job);
    if (weights->bytes < MIN_SHARED_BYTES)
        pool = NULL;
    size_t of_task = panels_of_task(weights);
    mls_pool_for(pool, (weights->n_panels + of_task - 1) / of_task, panels_task, &job);
    *ret_kernel = (job.fixed ? kernels->matvec->fixed_names : kernels->matvec->names)[weights->form];
}
