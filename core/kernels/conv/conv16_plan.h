/*
 * conv16_plan.h: how a convolution by dot16 is cut up. The results of a plane are cut into areas: some rows,
 * or a part of one row. The input under an area is laid out so that each element of the kernel finds the
 * values for all results of the area at one distance: rows keep the pitch of the results' rows, and where
 * rows or columns are apart (stride), those that meet the same elements of the kernel lie together, as sets.
 * Results depend on the areas only, and these on the shape only.
 */
#pragma once

#include "kernels/conv/conv16.h"

enum {
    MLS_CONV16_PANEL_VECTORS = 3,        /* the last panel of an area may have four: better than one alone */
    MLS_CONV16_ROWS = 4 * MLS_DOT16_ROWS /* whose sums stay in the first-level cache */
};

/* Rows, or columns, of an area's input: `n_sets` sets of `length`. */
struct mls_conv16_axis {
    size_t results; /* of an area, at most */
    size_t n_sets;
    size_t length;
    bool apart; /* each element of the kernel has a set of its own */
};

struct mls_conv16_plan {
    struct mls_dot16_cut cut;
    size_t m;
    struct mls_window_space space; /* with planes of one row where that makes no difference */
    size_t out_depth;
    size_t y_plane, y_stride; /* elements of a plane of results, of all planes of a channel */
    struct mls_conv16_axis rows_axis, cols_axis;
    size_t n_areas, areas_across;
    size_t pitch, step;
    size_t n_lines;
    size_t stride;            /* positions of one pair of channels */
    size_t rows, n_row_parts; /* of a task */
    size_t offsets_bytes;
    size_t lines_bytes, places_bytes, sums_bytes, scales_bytes;
    size_t region_bytes; /* scales and integers */
    size_t thread_bytes;
};

/* Results of one area. */
struct mls_conv16_area {
    size_t row, n_rows, col, n_cols;
    size_t y, n_results; /* in the plane of results, where they are neighbours */
    size_t n_vectors;    /* of positions */
};

struct mls_conv16_plan mls_conv16_plan(const struct mls_conv16 *conv, uint32_t threads);

struct mls_conv16_area mls_conv16_area(const struct mls_conv16_plan *plan, size_t index);

/* mls_conv16_offsets: fills `ret`, plan->offsets_bytes, and returns it. */
const size_t *mls_conv16_offsets(const struct mls_conv16_plan *plan, size_t *ret);

/* mls_conv16_lines: plan->n_lines rows of the input. */
void mls_conv16_lines(const struct mls_conv16_plan *plan, const struct mls_conv16_area *area,
                      struct mls_dot16_line *ret);

/* mls_conv16_places: area->n_vectors of them. */
void mls_conv16_places(const struct mls_conv16_plan *plan, const struct mls_conv16_area *area,
                       struct mls_dot16_place *ret);
