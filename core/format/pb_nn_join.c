/* pb_nn_join.c: joining, dividing, repeating and cutting. */
#include "format/pb_nn.h"

#include <string.h>

/* ---- Joining --------------------------------------------------------------------------------- */

static void join(struct nn *nn, const Pb__NnLayer *message, const char *type, int64_t axis, bool interleave,
                 unsigned more)
{
    if (!nn_check(nn, message->n_input > 0, "it has no input"))
        return;
    const mls_value_id *values = nn_inputs(nn);
    if (!values)
        return;
    struct nn_op op;
    nn_begin(&op, type);
    nn_args(nn, &op, "values", values, message->n_input);
    nn_arg_int(nn, &op, "axis", axis);
    if (interleave)
        nn_arg_bool(nn, &op, "interleave", true);
    unsigned rank = nn_rank(nn, values[0]);
    nn_give(nn, &op, rank == MLS_RANK_UNKNOWN ? rank : rank + more);
}

/* Channels, or sequences: the first of four or five dimensions. */
void nn_concat(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    join(nn, message, "concat", !message->concat->sequence_concat ? -3 : nn->rank5 ? 0 : -5, false, 0);
}

void nn_concat_nd(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    join(nn, message, "concat", message->concat_nd->axis, message->concat_nd->mode != 0, 0);
}

void nn_stack(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    join(nn, message, "stack", message->stack->axis, false, 1);
}

/* ---- Dividing -------------------------------------------------------------------------------- */

static void divide(struct nn *nn, const Pb__NnLayer *message, int64_t axis, const uint64_t *sizes,
                   size_t n_sizes)
{
    size_t n = message->n_output;
    mls_value_id x = nn_input(nn, 0);
    struct mls_type *types = MLS_NEW_ARRAY(nn->arena, n, struct mls_type);
    int64_t *lengths = MLS_NEW_ARRAY(nn->arena, n, int64_t);
    if (!types || !lengths) {
        nn_no_memory(nn);
        return;
    }
    struct nn_op op;
    nn_begin(&op, "split");
    nn_arg(nn, &op, "x", x);
    nn_arg_int(nn, &op, "axis", axis);
    if (n_sizes) {
        if (!nn_check(nn, n_sizes == n, "it has not one size for each output"))
            return;
        for (size_t i = 0; i < n; i++)
            lengths[i] = sizes[i] <= INT32_MAX ? (int64_t)sizes[i] : INT64_MAX;
        nn_arg_ints(nn, &op, "split_sizes", lengths, n);
    } else {
        nn_arg_int(nn, &op, "num_splits", (int64_t)n);
        nn_arg_bool(nn, &op, "nn_uneven", true);
    }
    unsigned rank = nn_rank(nn, x);
    for (size_t i = 0; i < n; i++) {
        types[i] = (struct mls_type){.dtype = MLS_FP32, .rank = (uint8_t)rank};
        for (unsigned d = 0; rank <= MLS_RANK_MAX && d < rank; d++)
            types[i].dims[d] = MLS_DIM_UNKNOWN;
    }
    const mls_value_id *outputs = nn_emit_several(nn, &op, types, n);
    for (size_t i = 0; outputs && i < n; i++)
        nn_bind(nn, i, outputs[i]);
}

void nn_split(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    divide(nn, message, -3, NULL, 0);
}

void nn_split_nd(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnSplit *layer = message->split_nd;
    divide(nn, message, layer->axis, layer->sizes, layer->n_sizes);
}

/* ---- Repeating ------------------------------------------------------------------------------- */

/* Repetitions as many as there are dimensions: where they are fewer, the first dimensions are not repeated.
 */
static mls_value_id repetitions(struct nn *nn, const Pb__NnLayer *message, unsigned rank)
{
    const Pb__NnSizes *layer = message->tile;
    int32_t reps[2 * MLS_RANK_MAX];
    for (unsigned i = 0; i < MLS_RANK_MAX; i++)
        reps[i] = 1;
    if (message->n_input > 1) {
        mls_value_id given = nn_input(nn, 1);
        unsigned n = nn_length(nn, given);
        mls_value_id computed = nn_indices(nn, given);
        if (nn->status || n >= rank || rank > MLS_RANK_MAX)
            return computed;
        struct mls_type type = mls_type_tensor(MLS_INT32, 1, (const int64_t[]){rank - n});
        const mls_value_id parts[2] = {nn_constant(nn, &type, reps), computed};
        struct nn_op op;
        nn_begin(&op, "concat");
        nn_args(nn, &op, "values", parts, 2);
        nn_arg_int(nn, &op, "axis", 0);
        return nn_emit_as(nn, &op, MLS_INT32, 1);
    }
    size_t n = layer->n_size, n_ones = rank <= MLS_RANK_MAX && n < rank ? rank - n : 0;
    if (!nn_check(nn, n <= MLS_RANK_MAX, "it repeats more dimensions than there can be"))
        return (mls_value_id){MLS_NO_INDEX};
    for (size_t i = 0; i < n; i++)
        reps[n_ones + i] = layer->size[i] <= INT32_MAX ? (int32_t)layer->size[i] : INT32_MAX;
    struct mls_type type = mls_type_tensor(MLS_INT32, 1, (const int64_t[]){(int64_t)(n_ones + n)});
    return nn_constant(nn, &type, reps);
}

void nn_tile(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_rank(nn, x);
    struct nn_op op;
    nn_begin(&op, "tile");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "reps", repetitions(nn, message, rank));
    nn_give(nn, &op, rank);
}

void nn_sequence_repeat(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    uint64_t n = message->sequence_repeat->n ? message->sequence_repeat->n : 1;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_known_rank(nn, x);
    if (!nn_check(nn, n <= INT32_MAX && (rank == 5 || (nn->rank5 && rank == 4)),
                  "its input must have 5 dimensions"))
        return;
    struct nn_op op;
    nn_begin(&op, "tile");
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "reps", (const int64_t[]){(int64_t)n, 1, 1, 1, 1}, rank);
    nn_give(nn, &op, rank);
}

/* ---- Order ----------------------------------------------------------------------------------- */

void nn_reverse(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnFlags *layer = message->reverse;
    int64_t axes[MLS_RANK_MAX];
    size_t n = 0;
    if (!nn_check(nn, layer->n_flag <= MLS_RANK_MAX, "it has too many dimensions"))
        return;
    for (size_t i = 0; i < layer->n_flag; i++) {
        if (layer->flag[i])
            axes[n++] = (int64_t)i;
    }
    mls_value_id x = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, n ? "reverse" : "identity");
    nn_arg(nn, &op, "x", x);
    if (n)
        nn_arg_ints(nn, &op, "axes", axes, n);
    nn_give(nn, &op, nn_rank(nn, x));
}

void nn_reverse_seq(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    mls_value_id x = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, "reverse_sequence");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "lengths", nn_indices(nn, nn_input(nn, 1)));
    nn_arg_int(nn, &op, "seq_axis", message->reverse_seq->sequence_axis);
    nn_arg_int(nn, &op, "batch_axis", message->reverse_seq->batch_axis);
    nn_give(nn, &op, nn_rank(nn, x));
}

void nn_sliding_windows(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnWindows *layer = message->sliding_windows;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_rank(nn, x);
    if (!nn_check(nn, layer->size <= INT32_MAX && layer->step <= INT32_MAX, "its windows are too large"))
        return;
    struct nn_op op;
    nn_begin(&op, "sliding_windows");
    nn_arg(nn, &op, "x", x);
    nn_arg_int(nn, &op, "axis", layer->axis);
    nn_arg_int(nn, &op, "size", (int64_t)layer->size);
    nn_arg_int(nn, &op, "stride", (int64_t)layer->step);
    nn_give(nn, &op, rank == MLS_RANK_UNKNOWN ? rank : rank + 1);
}

/* ---- Cutting --------------------------------------------------------------------------------- */

void nn_slice(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnSlice *layer = message->slice;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_known_rank(nn, x);
    if (!nn_check(nn, layer->axis >= 0 && layer->axis < 3, "its axis is not known") ||
        !nn_check(nn, layer->stride >= 1 && layer->stride <= INT32_MAX, "its step must be positive"))
        return;
    unsigned axis = nn_axis(nn, layer->axis - 3, rank);
    int64_t begin[MLS_RANK_MAX] = {0}, end[MLS_RANK_MAX] = {0}, stride[MLS_RANK_MAX];
    bool masks[MLS_RANK_MAX];
    for (unsigned i = 0; !nn->status && i < rank; i++) {
        stride[i] = 1;
        masks[i] = i != axis;
    }
    if (nn->status)
        return;
    begin[axis] = layer->start;
    end[axis] = layer->end;
    stride[axis] = (int64_t)layer->stride;
    struct nn_op op;
    nn_begin(&op, "slice_by_index");
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "begin", begin, rank);
    nn_arg_ints(nn, &op, "end", end, rank);
    nn_arg_ints(nn, &op, "stride", stride, rank);
    nn_arg_bools(nn, &op, "end_mask", masks, rank);
    nn_give(nn, &op, rank);
}

static void arg_masks(struct nn *nn, struct nn_op *op, const char *name, const protobuf_c_boolean *flags,
                      size_t n, unsigned rank)
{
    bool masks[MLS_RANK_MAX] = {false};
    for (size_t i = 0; i < n && i < rank; i++)
        masks[i] = flags[i] != 0;
    if (n)
        nn_arg_bools(nn, op, name, masks, rank);
}

/* Numbers of a slice; those past the rank, which writers add, are left out. */
static void arg_numbers(struct nn *nn, struct nn_op *op, const char *name, const int64_t *values, size_t n,
                        unsigned rank)
{
    if (n && nn_check(nn, n >= rank, "it has not a number for each dimension")) {
        int64_t clamped[MLS_RANK_MAX];
        for (unsigned i = 0; i < rank; i++) /* "to the end" is written as the greatest number there is */
            clamped[i] = values[i] > INT32_MAX ? INT32_MAX : values[i] < INT32_MIN ? INT32_MIN : values[i];
        nn_arg_ints(nn, op, name, clamped, rank);
    }
}

/* Gives the slice; squeezed dimensions go, but one stays. */
static void give_slice(struct nn *nn, struct nn_op *op, const Pb__NnSliceStatic *layer, unsigned rank)
{
    unsigned n = 0;
    for (size_t i = 0; i < layer->n_squeeze_masks && i < rank; i++)
        n += layer->squeeze_masks[i] != 0;
    arg_masks(nn, op, "squeeze_mask", layer->squeeze_masks, layer->n_squeeze_masks, rank);
    nn_bind(nn, 0, nn_at_least_1(nn, nn_emit(nn, op, rank - n)));
}

void nn_slice_static(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnSliceStatic *layer = message->slice_static;
    mls_value_id x = nn_input(nn, 0);
    if (!nn_check(nn, layer->n_begin && layer->n_begin <= MLS_RANK_MAX && layer->n_end,
                  "it has no begin or no end"))
        return;
    unsigned rank = nn_rank(nn, x);
    if (rank == MLS_RANK_UNKNOWN)
        rank = (unsigned)layer->n_begin;
    struct nn_op op;
    nn_begin(&op, "slice_by_index");
    nn_arg(nn, &op, "x", x);
    arg_numbers(nn, &op, "begin", layer->begin, layer->n_begin, rank);
    arg_numbers(nn, &op, "end", layer->end, layer->n_end, rank);
    arg_numbers(nn, &op, "stride", layer->strides, layer->n_strides, rank);
    arg_masks(nn, &op, "begin_mask", layer->begin_masks, layer->n_begin_masks, rank);
    arg_masks(nn, &op, "end_mask", layer->end_masks, layer->n_end_masks, rank);
    give_slice(nn, &op, layer, rank);
}

/* Further inputs take the place of parameters: begin, end, strides, masks of begin, end and squeezing. */
void nn_slice_dynamic(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnSliceStatic *layer = message->slice_dynamic;
    size_t n = message->n_input;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_known_rank(nn, x);
    if (nn->status || !nn_check(nn, n >= 2 && n <= 7, "it takes 2 to 7 inputs"))
        return;
    struct nn_op op;
    nn_begin(&op, "slice_by_index");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "begin", nn_indices(nn, nn_input(nn, 1)));
    if (n > 2)
        nn_arg(nn, &op, "end", nn_indices(nn, nn_input(nn, 2)));
    else
        arg_numbers(nn, &op, "end", layer->end, layer->n_end, rank);
    if (n > 3)
        nn_arg(nn, &op, "stride", nn_indices(nn, nn_input(nn, 3)));
    else
        arg_numbers(nn, &op, "stride", layer->strides, layer->n_strides, rank);
    if (n > 4)
        nn_arg(nn, &op, "begin_mask", nn_cast(nn, nn_input(nn, 4), "bool"));
    else
        arg_masks(nn, &op, "begin_mask", layer->begin_masks, layer->n_begin_masks, rank);
    if (n > 5)
        nn_arg(nn, &op, "end_mask", nn_cast(nn, nn_input(nn, 5), "bool"));
    else
        arg_masks(nn, &op, "end_mask", layer->end_masks, layer->n_end_masks, rank);
    if (n > 6) {
        nn_arg(nn, &op, "squeeze_mask", nn_cast(nn, nn_input(nn, 6), "bool"));
        nn_give(nn, &op, MLS_RANK_UNKNOWN);
        return;
    }
    give_slice(nn, &op, layer, rank);
}

/* The beginning along one axis is an input. */
void nn_slice_by_size(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnSliceBySize *layer = message->slice_by_size;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_known_rank(nn, x), axis = nn_axis(nn, layer->axis, rank);
    mls_value_id begin = nn_begin_along(nn, nn_indices(nn, nn_input(nn, 1)), axis, rank);
    int64_t size[MLS_RANK_MAX];
    for (unsigned i = 0; !nn->status && i < rank; i++)
        size[i] = i == axis ? layer->size : -1;
    if (nn->status)
        return;
    struct nn_op op;
    nn_begin(&op, "slice_by_size");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "begin", begin);
    nn_arg_ints(nn, &op, "size", size, rank);
    nn_give(nn, &op, rank);
}
