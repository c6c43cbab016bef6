#include <stdio.h>
#include <stdlib.h>

#include "view/panel.h"
#include "view/view.h"
#include "widget/graph.h"

#define COLUMN_LIST(X)                                      \
    X(OWNER, "owner", "name", "owner", TEXT, 16, 0, true)   \
    X(SIZE, "size", NULL, "size", BYTES, 9, 0, false)       \
    X(OFFSET, "offset", NULL, "offset", BYTES, 9, 0, false) \
    X(FIRST, "first", NULL, "from #", COUNT, 6, 0, false)   \
    X(LAST, "last", NULL, "to #", COUNT, 6, 0, false)       \
    X(LIFE, "life", NULL, "steps", COUNT, 6, 0, false)      \
    X(PEAK, "peak", NULL, "at peak", TEXT, 7, 1, false)     \
    X(MAKER, "maker", NULL, "made by", TEXT, 24, 2, false)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {COLUMN_LIST(MLS_COLUMN_ROW)};

struct memory {
    double *live_bytes; /* during each step */
    size_t n_steps;
    uint32_t generation;
    double most; /* of them */
    size_t peak_step;
    double scale; /* height of the graph: the planned peak, where it is higher */
};

/* A buffer counts from the step that makes it to the last one that reads it, both included. */
static void add_buffers(struct memory *memory, const struct mls_snapshot *snapshot)
{
    double live = 0;
    for (size_t i = 0; i < snapshot->n_buffers; i++) {
        const struct mls_buffer *buffer = snapshot->buffer_table[i];
        if (buffer->first_step < memory->n_steps)
            memory->live_bytes[buffer->first_step] += (double)buffer->size_bytes;
        if ((size_t)buffer->last_step + 1 < memory->n_steps)
            memory->live_bytes[buffer->last_step + 1] -= (double)buffer->size_bytes;
    }
    for (size_t i = 0; i < memory->n_steps; i++)
        memory->live_bytes[i] = live += memory->live_bytes[i];
}

static bool update(struct mls_view *view)
{
    struct memory *memory = view->private;
    const struct mls_snapshot *snapshot = view->snapshot;
    if (memory->n_steps == snapshot->n_steps && memory->generation == snapshot->generation)
        return true;
    free(memory->live_bytes);
    *memory = (struct memory){.generation = snapshot->generation};
    memory->live_bytes = calloc(snapshot->n_steps + 1, sizeof *memory->live_bytes);
    if (!memory->live_bytes)
        return false;
    memory->n_steps = snapshot->n_steps;
    add_buffers(memory, snapshot);
    for (size_t i = 0; i < memory->n_steps; i++)
        if (memory->live_bytes[i] > memory->most) {
            memory->most = memory->live_bytes[i];
            memory->peak_step = i;
        }
    double planned = (double)snapshot->memory.plan.planned_peak_bytes;
    memory->scale = planned > memory->most ? planned : memory->most;
    return true;
}

static void close_view(struct mls_view *view)
{
    struct memory *memory = view->private;
    free(memory->live_bytes);
}

static size_t rows(const struct mls_view *view)
{
    return view->snapshot->n_steps ? view->snapshot->n_buffers : 0;
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct mls_buffer *buffer = view->snapshot->buffer_table[row];
    *ret_datum = (struct mls_datum){.kind = columns[column].kind};
    switch ((enum column)column) {
    case COLUMN_OWNER:
        ret_datum->text = buffer->name;
        return;
    case COLUMN_SIZE:
        ret_datum->number = (double)buffer->size_bytes;
        return;
    case COLUMN_OFFSET:
        ret_datum->number = (double)buffer->offset_bytes;
        return;
    case COLUMN_FIRST:
        ret_datum->number = buffer->first_step;
        return;
    case COLUMN_LAST:
        ret_datum->number = buffer->last_step;
        return;
    case COLUMN_LIFE:
        ret_datum->number = (double)buffer->last_step - buffer->first_step + 1;
        return;
    case COLUMN_PEAK: {
        size_t peak = ((const struct memory *)view->private)->peak_step;
        ret_datum->text = buffer->first_step <= peak && peak <= buffer->last_step ? "yes" : "";
        return;
    }
    default:
        ret_datum->text = buffer->first_step < view->snapshot->n_steps
                              ? mls_snapshot_step(view->snapshot, buffer->first_step)->name
                              : "";
    }
}

static void draw_totals(const struct mls_memory_use *use, struct mls_grid *grid, struct mls_rect *rect)
{
    char a[32], b[32], c[32], d[32];
    const struct mls_memory *plan = &use->plan;
    double over =
        plan->lower_bound_bytes ? (double)plan->planned_peak_bytes / (double)plan->lower_bound_bytes : 1;
    mls_panel_fact(grid, rect, "Weights", "%s as stored  ·  %s packed again for kernels",
                   mls_bytes_format((double)plan->weights_bytes, a),
                   mls_bytes_format((double)plan->packed_bytes, b));
    mls_panel_fact(grid, rect, "Arena", "%s · planned peak %s · lower bound %s (%.2f ×)",
                   mls_bytes_format((double)plan->arena_bytes, a),
                   mls_bytes_format((double)plan->planned_peak_bytes, b),
                   mls_bytes_format((double)plan->lower_bound_bytes, c), over);
    mls_panel_fact(grid, rect, "Others", "scratch %s  ·  states %s  ·  unplanned %s",
                   mls_bytes_format((double)plan->scratch_bytes, a),
                   mls_bytes_format((double)plan->states_bytes, b),
                   mls_bytes_format((double)use->dynamic_bytes, c));
    mls_panel_fact(grid, rect, "Process", "RSS %s  ·  peak %s", mls_bytes_format((double)use->rss_bytes, c),
                   mls_bytes_format((double)use->peak_rss_bytes, d));
}

/* Where a step lies on an axis of `width` columns. */
static int column_of(size_t step, size_t n_steps, int width)
{
    return n_steps ? (int)(step * (size_t)width / n_steps) : 0;
}

/* The life of the selected buffer under the graph, and the step of the peak above it. */
static void draw_axis(const struct mls_view *view, const struct memory *memory, struct mls_grid *grid, int x,
                      int y, int width)
{
    mls_grid_fill(grid, (struct mls_rect){x, y, width, 1}, MLS_STYLE_DIM, 0x2500);
    if (view->list.n_order) {
        const struct mls_buffer *buffer = view->snapshot->buffer_table[view->list.selected_row];
        int from = column_of(buffer->first_step, memory->n_steps, width);
        int to = column_of((size_t)buffer->last_step + 1, memory->n_steps, width);
        mls_grid_fill(grid, (struct mls_rect){x + from, y, to > from ? to - from : 1, 1}, MLS_STYLE_KEY,
                      0x2588);
    }
    mls_grid_put(grid, x + column_of(memory->peak_step, memory->n_steps, width), y, MLS_STYLE_BAD, 0x25b2);
}

/* Who lies where: steps from left to right, addresses from top to bottom, each block in a manner of its own.
 */
static void draw_map(const struct mls_view *view, const struct memory *memory, struct mls_grid *grid,
                     struct mls_rect rect)
{
    static const enum mls_style part_styles[] = {MLS_STYLE_PART_1, MLS_STYLE_PART_2, MLS_STYLE_PART_3,
                                                 MLS_STYLE_PART_4};
    static const uint32_t glyphs[] = {0x2588, 0x2592, 0x2593, 0x2591};
    const struct mls_snapshot *snapshot = view->snapshot;
    size_t selected = view->list.n_order ? view->list.selected_row : SIZE_MAX;
    double arena = (double)snapshot->memory.plan.arena_bytes;
    for (size_t i = 0; i < snapshot->n_buffers && arena > 0; i++) {
        const struct mls_buffer *buffer = snapshot->buffer_table[i];
        int from = column_of(buffer->first_step, memory->n_steps, rect.columns);
        int to = column_of((size_t)buffer->last_step + 1, memory->n_steps, rect.columns);
        int top = (int)((double)buffer->offset_bytes / arena * rect.rows);
        int end = (int)((double)(buffer->offset_bytes + buffer->size_bytes) / arena * rect.rows + 0.5);
        end = end > rect.rows ? rect.rows : end > top ? end : top + 1;
        struct mls_rect block = {rect.x + from, rect.y + top, to > from ? to - from : 1, end - top};
        mls_grid_fill(grid, block, i == selected ? MLS_STYLE_SELECTED : part_styles[i % 4],
                      i == selected ? ' ' : glyphs[i % 4]);
    }
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    const struct memory *memory = view->private;
    const struct mls_snapshot *snapshot = view->snapshot;
    int top = rect.y;
    int height = rect.rows >= 40 ? 14 : rect.rows >= 18 ? 6 : 0;
    if (!memory->n_steps)
        return 0;
    draw_totals(&snapshot->memory, grid, &rect);
    if (height) {
        char title[256], most[32];
        snprintf(title, sizeof title, "Live bytes over the %zu steps of a prediction: peak %s at #%zu %s",
                 memory->n_steps, mls_bytes_format(memory->most, most), memory->peak_step,
                 mls_snapshot_step(snapshot, memory->peak_step)->name);
        mls_panel_rule(grid, &rect, title);
        struct mls_rect graph = {rect.x + 1, rect.y, rect.columns - 2, height};
        mls_graph_columns(grid, graph, MLS_STYLE_BAR, memory->live_bytes, memory->n_steps, memory->scale);
        draw_axis(view, memory, grid, graph.x, rect.y + height, graph.columns);
        mls_panel_skip(&rect, height + 1);
    }
    if (rect.rows >= 24) {
        mls_panel_rule(grid, &rect, "The arena: steps from left to right, addresses downwards");
        struct mls_rect map = {rect.x + 1, rect.y, rect.columns - 2, rect.rows / 3};
        draw_map(view, memory, grid, map);
        mls_panel_skip(&rect, map.rows);
    }
    return rect.y - top;
}

static int detail(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect, size_t row)
{
    const struct mls_snapshot *snapshot = view->snapshot;
    const struct mls_buffer *buffer = snapshot->buffer_table[row];
    char size[32];
    int top = rect.y;
    mls_panel_rule(grid, &rect, buffer->name);
    mls_panel_fact(grid, &rect, "size", "%s (%llu bytes) at %llu",
                   mls_bytes_format((double)buffer->size_bytes, size), (unsigned long long)buffer->size_bytes,
                   (unsigned long long)buffer->offset_bytes);
    if (buffer->first_step < snapshot->n_steps)
        mls_panel_fact(grid, &rect, "from", "#%u %s", buffer->first_step,
                       mls_snapshot_step(snapshot, buffer->first_step)->path);
    if (buffer->last_step < snapshot->n_steps)
        mls_panel_fact(grid, &rect, "to", "#%u %s", buffer->last_step,
                       mls_snapshot_step(snapshot, buffer->last_step)->path);
    return rect.y - top;
}

const struct mls_view_ops mls_view_memory = {
    .title = "Memory",
    .request = MLS_REQUEST_MEMORY,
    .where = MLS_IN_LIST,
    .private_size = sizeof(struct memory),
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = COLUMN_SIZE,
    .update = update,
    .close = close_view,
    .rows = rows,
    .cell = cell,
    .draw = draw,
    .detail = detail,
};
