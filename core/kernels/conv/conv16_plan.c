#include "kernels/conv/conv16_plan.h"

/* Bytes of the integers of an area, which stay in a second-level cache of 1 MiB beside weights and results;
 * and positions: with fewer, the weights are read too often, with more, a scale is shared too widely. */
enum { AREA_BYTES = 384 * 1024, AREA_POSITIONS = 3072 };
enum { TASKS_PER_THREAD = 4, ROWS_PER_TASK_LEAST = MLS_CONV16_ROWS };
/* Multiply-adds that are worth waking another thread for: some microseconds. */
enum { MULTIPLY_ADDS_PER_THREAD = 800 * 1000 };

static size_t pieces(size_t total, size_t piece)
{
    return (total + piece - 1) / piece;
}

static size_t round_up(size_t value, size_t multiple)
{
    return pieces(value, multiple) * multiple;
}

bool mls_conv16_pointwise(const struct mls_window_space *s)
{
    for (unsigned d = 0; d < MLS_SPACE; d++)
        if (s->kernel[d] != 1 || s->stride[d] != 1 || s->before[d] || s->after[d])
            return false;
    return true;
}

struct mls_dot16_cut mls_conv16_cut(const struct mls_window_space *s, size_t in_channels)
{
    return mls_dot16_cut_of(in_channels * s->kernel[0], s->kernel[1] * s->kernel[2]);
}

struct mls_dot16_cut mls_conv16_byte_cut(const struct mls_window_space *s, size_t in_channels)
{
    return mls_dot8_cut_of(in_channels * s->kernel[0], s->kernel[1] * s->kernel[2]);
}

static size_t common_divisor(size_t a, size_t b)
{
    while (b) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Elements of the kernel after which the same row or column modulo stride comes again. */
static size_t period_of(const struct mls_window_space *s, unsigned d)
{
    return s->stride[d] / common_divisor(s->stride[d], s->dilation[d]);
}

/* The shorter of two ways: sets that the elements of the kernel share, or one for each of them. */
static struct mls_conv16_axis axis_of(const struct mls_window_space *s, unsigned d, size_t results)
{
    size_t period = period_of(s, d), kernel = s->kernel[d];
    struct mls_conv16_axis axis = {.results = results,
                                   .n_sets = period < kernel ? period : kernel,
                                   .length = results + (kernel - 1) * s->dilation[d] / s->stride[d]};
    if (axis.n_sets * axis.length <= kernel * results)
        return axis;
    return (struct mls_conv16_axis){.results = results, .n_sets = kernel, .length = results, .apart = true};
}

static void set_axes(struct mls_conv16_plan *plan, size_t rows, size_t cols)
{
    plan->rows_axis = axis_of(&plan->space, 1, rows);
    plan->cols_axis = axis_of(&plan->space, 2, cols);
}

static size_t positions_of(const struct mls_conv16_plan *plan)
{
    return plan->rows_axis.n_sets * plan->rows_axis.length * plan->cols_axis.n_sets * plan->cols_axis.length;
}

static bool area_is_small(const struct mls_conv16_plan *plan)
{
    size_t bytes_of_position = plan->cut.n_blocks * plan->cut.n_pairs * 2 * sizeof(int16_t);
    return positions_of(plan) * bytes_of_position <= AREA_BYTES &&
           plan->rows_axis.results * plan->cols_axis.length <= AREA_POSITIONS;
}

/* As many whole rows as an area may have, or a part of a row. */
static void choose_area(struct mls_conv16_plan *plan)
{
    const size_t panel = MLS_CONV16_PANEL_VECTORS * MLS_DOT16_LANES;
    size_t height = plan->space.out[1], width = plan->space.out[2], rows = 1, parts = 1;
    set_axes(plan, 1, width);
    while (!area_is_small(plan) && plan->cols_axis.results > panel) {
        parts++;
        set_axes(plan, 1, round_up(pieces(width, parts), panel));
    }
    for (size_t step = height; plan->cols_axis.results == width && step; step /= 2) {
        set_axes(plan, rows + step, width);
        if (rows + step <= height && area_is_small(plan))
            rows += step;
    }
    set_axes(plan, pieces(height, pieces(height, rows)), plan->cols_axis.results);
    plan->areas_across = pieces(width, plan->cols_axis.results);
    plan->n_areas = plan->areas_across * pieces(height, plan->rows_axis.results);
}

static void choose_rows(struct mls_conv16_plan *plan, size_t n_regions, uint32_t threads)
{
    const size_t *out = plan->space.out;
    double multiply_adds = (double)plan->m * (double)(n_regions / plan->n_areas) * (double)(out[1] * out[2]) *
                           (double)(plan->cut.channels * plan->cut.elements);
    plan->rows = plan->m;
    size_t wanted = (size_t)threads * TASKS_PER_THREAD;
    if (threads > 1 && multiply_adds >= 2 * MULTIPLY_ADDS_PER_THREAD && n_regions < wanted) {
        size_t rows = round_up(pieces(plan->m, pieces(wanted, n_regions)), MLS_DOT16_ROWS);
        plan->rows = rows < ROWS_PER_TASK_LEAST ? ROWS_PER_TASK_LEAST : rows;
    }
    plan->n_row_parts = pieces(plan->m, plan->rows);
}

static void choose_bytes(struct mls_conv16_plan *plan)
{
    size_t positions = positions_of(plan) + MLS_DOT16_LANES;
    size_t lines = pieces(positions, MLS_DOT16_LANES), blocks = plan->cut.n_blocks;
    plan->stride = (lines | 1) * MLS_DOT16_LANES; /* an odd number of cache lines: pairs fall on all sets */
    size_t results = plan->rows_axis.results * plan->cols_axis.length;
    size_t sums = (MLS_CONV16_ROWS + 1) * MLS_DOT16_VECTORS * MLS_DOT16_LANES; /* and one row of sums of bytes */
    sums = sums > positions ? sums : positions;
    plan->offsets_bytes = round_up(plan->cut.elements * sizeof(size_t), 64);
    plan->lines_bytes = round_up(plan->n_lines * sizeof(struct mls_dot16_line), 64);
    plan->places_bytes = round_up(pieces(results, MLS_DOT16_LANES) * sizeof(struct mls_dot16_place), 64);
    plan->sums_bytes = round_up(sums * sizeof(float), 64);
    plan->scales_bytes = round_up(blocks * sizeof(float), 64);
    plan->region_bytes = plan->scales_bytes + blocks * plan->cut.n_pairs * plan->stride * 2 * sizeof(int16_t);
    plan->thread_bytes = plan->lines_bytes + plan->places_bytes + plan->sums_bytes;
    if (plan->n_row_parts == 1)
        plan->thread_bytes += plan->region_bytes;
}

/* The same convolution with rows that are as long as can be: vectors lie along them. */
static void lengthen_rows(struct mls_window_space *s)
{
    bool one_column = s->in[2] == 1 && s->out[2] == 1 && s->kernel[2] == 1;
    if (mls_conv16_pointwise(s)) {
        s->in[2] *= s->in[1];
        s->out[2] *= s->out[1];
        s->in[1] = s->out[1] = 1;
    } else if (one_column && !s->before[2]) {
        s->in[2] = s->in[1], s->out[2] = s->out[1], s->kernel[2] = s->kernel[1];
        s->stride[2] = s->stride[1], s->dilation[2] = s->dilation[1], s->before[2] = s->before[1];
        s->in[1] = s->out[1] = s->kernel[1] = s->stride[1] = s->dilation[1] = 1;
        s->before[1] = 0;
    }
}

static size_t n_regions_of(const struct mls_conv16 *conv, const struct mls_conv16_plan *plan)
{
    return conv->batch * conv->groups * plan->out_depth * plan->n_areas;
}

struct mls_conv16_plan mls_conv16_plan(const struct mls_conv16 *conv, uint32_t threads)
{
    struct mls_conv16_plan plan = {.cut = conv->bytes ? conv->bytes->cut : conv->weights->cut,
                                   .m = conv->bytes ? conv->bytes->m : conv->weights->m,
                                   .space = conv->space,
                                   .out_depth = conv->space.out[0],
                                   .y_plane = conv->space.out[1] * conv->space.out[2],
                                   .y_stride = mls_window_elems(conv->space.out)};
    lengthen_rows(&plan.space);
    plan.step = plan.space.stride[2];
    choose_area(&plan);
    plan.pitch = plan.cols_axis.length;
    plan.n_lines = plan.rows_axis.n_sets * plan.rows_axis.length * plan.cols_axis.n_sets;
    choose_rows(&plan, n_regions_of(conv, &plan), threads);
    choose_bytes(&plan);
    return plan;
}

size_t mls_conv16_scratch_bytes(const struct mls_conv16 *conv, uint32_t threads)
{
    struct mls_conv16_plan plan = mls_conv16_plan(conv, threads);
    size_t shared = plan.n_row_parts > 1 ? n_regions_of(conv, &plan) * plan.region_bytes : 0;
    return plan.offsets_bytes + shared + threads * plan.thread_bytes;
}

struct mls_conv16_area mls_conv16_area(const struct mls_conv16_plan *plan, size_t index)
{
    const size_t *out = plan->space.out;
    struct mls_conv16_area area = {.row = index / plan->areas_across * plan->rows_axis.results,
                                   .col = index % plan->areas_across * plan->cols_axis.results};
    size_t rows = out[1] - area.row, cols = out[2] - area.col;
    area.n_rows = rows < plan->rows_axis.results ? rows : plan->rows_axis.results;
    area.n_cols = cols < plan->cols_axis.results ? cols : plan->cols_axis.results;
    area.y = area.row * out[2] + area.col;
    area.n_results = area.n_rows * area.n_cols;
    area.n_vectors = pieces((area.n_rows - 1) * plan->pitch + area.n_cols, MLS_DOT16_LANES);
    return area;
}

/* The set of one element of the kernel, and how far on in each of its rows or columns its values begin. */
static size_t set_of(const struct mls_conv16_plan *plan, unsigned d, const struct mls_conv16_axis *axis,
                     size_t element, size_t *ret_shift)
{
    *ret_shift = axis->apart ? 0 : element * plan->space.dilation[d] / plan->space.stride[d];
    return axis->apart ? element : element % period_of(&plan->space, d);
}

/* The first row or column of a set, for results from `first` on; it wraps before the input. */
static size_t first_of(const struct mls_conv16_plan *plan, unsigned d, const struct mls_conv16_axis *axis,
                       size_t set, size_t first)
{
    const struct mls_window_space *s = &plan->space;
    size_t reach = set * s->dilation[d];
    return first * s->stride[d] + (axis->apart ? reach : reach % s->stride[d]) - s->before[d];
}

const size_t *mls_conv16_offsets(const struct mls_conv16_plan *plan, size_t *ret)
{
    const struct mls_conv16_axis *rows = &plan->rows_axis, *cols = &plan->cols_axis;
    for (size_t e = 0; e < plan->cut.elements; e++) {
        size_t row, col;
        size_t row_set = set_of(plan, 1, rows, e / plan->space.kernel[2], &row);
        size_t col_set = set_of(plan, 2, cols, e % plan->space.kernel[2], &col);
        ret[e] = ((row_set * cols->n_sets + col_set) * rows->length + row) * plan->pitch + col;
    }
    return ret;
}

/* Lanes of a line before the first that lies in the row, at most `width`; `from` is the column of lane 0. */
static size_t lanes_before(ptrdiff_t from, ptrdiff_t until, size_t step, size_t width)
{
    if (from >= until)
        return 0;
    size_t lanes = pieces((size_t)(until - from), step);
    return lanes < width ? lanes : width;
}

void mls_conv16_lines(const struct mls_conv16_plan *plan, const struct mls_conv16_area *area,
                      struct mls_dot16_line *ret)
{
    const struct mls_window_space *s = &plan->space;
    const struct mls_conv16_axis *rows = &plan->rows_axis, *cols = &plan->cols_axis;
    size_t to = 0;
    for (size_t set = 0; set < rows->n_sets * cols->n_sets; set++) {
        size_t row = first_of(plan, 1, rows, set / cols->n_sets, area->row);
        ptrdiff_t col = (ptrdiff_t)first_of(plan, 2, cols, set % cols->n_sets, area->col);
        struct mls_dot16_line line = {.first = lanes_before(col, 0, plan->step, plan->pitch),
                                      .end = lanes_before(col, (ptrdiff_t)s->in[2], plan->step, plan->pitch)};
        for (size_t i = 0; i < rows->length; i++, row += s->stride[1], to += plan->pitch, ret++) {
            *ret = line;
            ret->to = to;
            ret->at = (ptrdiff_t)(row * s->in[2]) + col;
            if (row >= s->in[1]) /* also before the first: it wraps */
                ret->end = ret->first = 0;
        }
    }
}

void mls_conv16_places(const struct mls_conv16_plan *plan, const struct mls_conv16_area *area,
                       struct mls_dot16_place *ret)
{
    size_t row = 0, col = 0; /* of the lane at hand */
    for (size_t v = 0; v < area->n_vectors; v++) {
        ret[v] = (struct mls_dot16_place){0};
        for (size_t i = 0; i < MLS_DOT16_LANES && row < area->n_rows;) {
            size_t lanes = MLS_DOT16_LANES - i, results = col < area->n_cols ? area->n_cols - col : 0;
            size_t run = results ? results : plan->pitch - col;
            run = run < lanes ? run : lanes;
            if (results) {
                ret[v].at = ret[v].lanes ? ret[v].at : area->y + row * area->n_cols + col;
                ret[v].lanes |= (uint16_t)(((1u << run) - 1) << i);
            }
            i += run;
            col += run;
            row += col == plan->pitch;
            col = col == plan->pitch ? 0 : col;
        }
    }
}
