/*
 * pb_nn.h: networks of layers, translated into operations. A layer is a row of nn_layers.def; its function
 * makes the operations that compute the same. After a first failure everything here does nothing, so that
 * translations need not check each step: nn->status tells. Values are fp32; a blob of rank 0 does not exist
 * in networks, its place takes rank 1. Only pb_*.c files include this.
 */
#pragma once

#include "core/model.h"
#include "format/pb_wire.h"
#include "ir/build.h"
#include "neural_network.pb-c.h"

enum { NN_ARGUMENTS_MAX = 18, NN_OPSET = 6 };

/* Operations of the block being filled. */
struct nn_block {
    mls_block_id id;
    mls_op_id *ops;
    uint32_t n;
    uint32_t capacity;
};

/* An operation that is emitted, until its layer is done and names it. */
struct nn_pending {
    mls_op_id id;
    struct mls_op op;
};

struct nn {
    struct mls_arena *arena; /* of the model */
    struct ir_builder *builder;
    const struct mls_interface *interface;
    mls_function_id function;
    bool rank5;             /* arrays are [sequence, batch, channel, height, width]; kept without the batch */
    struct nn_block *block; /* being filled */
    const Pb__NnLayer *layer; /* being translated; NULL outside */
    const char *layer_name;
    struct nn_pending *pending; /* operations of the layer */
    uint32_t n_pending;
    uint32_t pending_capacity;
    uint32_t n_loops; /* that the layer at hand stands in */
    enum mls_status status;
    struct mls_error *error; /* may be NULL */
};

struct nn_row {
    Pb__NnLayer__LayerCase number;
    const char *name; /* of the layer's type, as the format calls it */
    void (*translate)(struct nn *nn, const Pb__NnLayer *layer, const struct nn_row *row);
    const char *detail; /* what rows with the same function differ in: mostly the type of an operation */
};

/*
 * pb_read_network: the function called interface->function that computes a network, added to the builder.
 * `message` is the content of a neuralNetwork, neuralNetworkClassifier or neuralNetworkRegressor of `spec`.
 * What is kept lies in `arena`, the model's. Fails with SPEC_INVALID, PROGRAM_INVALID, OP_UNSUPPORTED (layer,
 * type and reason) or LIMIT.
 */
enum mls_status pb_read_network(struct mls_bytes spec, struct mls_bytes message, struct pb_memory *memory,
                                struct mls_arena *arena, struct ir_builder *builder,
                                const struct mls_interface *interface, mls_function_id id,
                                struct mls_function *ret_function, struct mls_error *reterr);

/* pb_is_network: whether the type of a specification, by its number, is one of the three kinds of networks.
 */
bool pb_is_network(uint32_t type_number);

/* nn_network: the layers of a network into the block at hand. */
void nn_network(struct nn *nn, const Pb__Network *network);
/* nn_layer_jumps: whether a layer may end the iteration of a loop. nn_rest: the layers from `first` on,
 * unless one before them has jumped. */
bool nn_layer_jumps(const Pb__NnLayer *layer);
void nn_rest(struct nn *nn, const Pb__Network *network, size_t first);
/* nn_layer: one layer. */
void nn_layer(struct nn *nn, const Pb__NnLayer *layer);
/* nn_flush: gives the operations that are pending their names and puts them into the program. */
void nn_flush(struct nn *nn);
/* nn_close_block: puts the operations of `body` into the block, whose inputs and outputs are set, and frees
 * them. */
void nn_close_block(struct nn *nn, struct nn_block *body, struct mls_block *block);
/* nn_find_row: NULL when no layer has this number. */
const struct nn_row *nn_find_row(Pb__NnLayer__LayerCase number);

/* ---- Failing (pb_nn_emit.c) */

/* nn_fail: refuses the model, with name and type of the layer. Only the first call counts. */
void nn_fail(struct nn *nn, enum mls_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void nn_no_memory(struct nn *nn);
/* nn_check: fails with PROGRAM_INVALID unless the condition holds; returns whether all is well so far. */
bool nn_check(struct nn *nn, bool condition, const char *reason);

/* ---- Blobs (pb_nn_emit.c) */

/* nn_input: the value of input i of the layer at hand; fails when it is not there. */
mls_value_id nn_input(struct nn *nn, size_t i);
/* nn_inputs: all of them, in the arena. */
const mls_value_id *nn_inputs(struct nn *nn);
/* nn_rank: of a value; MLS_RANK_UNKNOWN after a failure, too. */
unsigned nn_rank(struct nn *nn, mls_value_id value);
/* nn_known_rank: fails with OP_UNSUPPORTED when the rank is not known. */
unsigned nn_known_rank(struct nn *nn, mls_value_id value);
/* nn_length: the elements of a vector as a rank, where they are known; else MLS_RANK_UNKNOWN. */
unsigned nn_length(struct nn *nn, mls_value_id vector);
/* nn_axis: an axis as 0 … rank-1; fails when it is outside. */
unsigned nn_axis(struct nn *nn, int64_t axis, unsigned rank);
/* nn_bind: the name of output i of the layer means `value` from here on; its value may exist already. */
void nn_bind(struct nn *nn, size_t i, mls_value_id value);

/* ---- Operations (pb_nn_emit.c) */

struct nn_op {
    const char *type;
    struct mls_argument arguments[NN_ARGUMENTS_MAX];
    uint32_t n;
};

/* nn_begin: an operation of this type (static text) without arguments. */
void nn_begin(struct nn_op *op, const char *type);
/* nn_arg: a value as argument `name` (static text); _args: several. */
void nn_arg(struct nn *nn, struct nn_op *op, const char *name, mls_value_id value);
void nn_args(struct nn *nn, struct nn_op *op, const char *name, const mls_value_id *values, size_t n);
void nn_arg_int(struct nn *nn, struct nn_op *op, const char *name, int64_t value);
void nn_arg_ints(struct nn *nn, struct nn_op *op, const char *name, const int64_t *values, size_t n);
void nn_arg_bool(struct nn *nn, struct nn_op *op, const char *name, bool value);
void nn_arg_bools(struct nn *nn, struct nn_op *op, const char *name, const bool *values, size_t n);
void nn_arg_float(struct nn *nn, struct nn_op *op, const char *name, float value);
void nn_arg_text(struct nn *nn, struct nn_op *op, const char *name, const char *text);
/* nn_emit: adds the operation; its one output is an unnamed fp32 value of this rank. _as: of another type. */
mls_value_id nn_emit(struct nn *nn, const struct nn_op *op, unsigned rank);
mls_value_id nn_emit_as(struct nn *nn, const struct nn_op *op, enum mls_dtype dtype, unsigned rank);
/* nn_emit_several: the same with n outputs, in the arena; NULL after a failure. */
const mls_value_id *nn_emit_several(struct nn *nn, const struct nn_op *op, const struct mls_type *types,
                                    size_t n);
/* nn_place: puts a control operation whose number is reserved behind the operations of the block at hand. */
void nn_place(struct nn *nn, mls_op_id id, const struct mls_op *op);
/* nn_give: the operation's output is output 0 of the layer. */
void nn_give(struct nn *nn, const struct nn_op *op, unsigned rank);

/* ---- Constants and common operations (pb_nn_common.c) */

/* nn_constant: a value of known content, which is copied. */
mls_value_id nn_constant(struct nn *nn, const struct mls_type *type, const void *data);
mls_value_id nn_scalar(struct nn *nn, float value);
/* nn_unary, nn_binary: an operation on x, or x and y, of a MIL type with these parameters. */
mls_value_id nn_unary(struct nn *nn, const char *type, mls_value_id x);
mls_value_id nn_binary(struct nn *nn, const char *type, mls_value_id x, mls_value_id y);
/* nn_indices: x as int32. */
mls_value_id nn_indices(struct nn *nn, mls_value_id x);
mls_value_id nn_cast(struct nn *nn, mls_value_id x, const char *dtype);
mls_value_id nn_transpose(struct nn *nn, mls_value_id x, const int64_t *order, unsigned rank);
mls_value_id nn_reshape(struct nn *nn, mls_value_id x, const int64_t *shape, unsigned rank);
mls_value_id nn_reshape_as(struct nn *nn, mls_value_id x, mls_value_id like);
mls_value_id nn_expand(struct nn *nn, mls_value_id x, const int64_t *axes, unsigned n);
mls_value_id nn_squeeze(struct nn *nn, mls_value_id x, const int64_t *axes, unsigned n);
/* nn_collapse: keeps the dimensions before `axis`, makes one of the others, and adds `n_ones` of length 1. */
mls_value_id nn_collapse(struct nn *nn, mls_value_id x, unsigned axis, unsigned n_ones);
/* nn_batch4: x with all dimensions but the last three in one: what operations on images take; nn_unbatch: the
 * dimensions of `like` again, but for the last three. */
mls_value_id nn_batch4(struct nn *nn, mls_value_id x);
mls_value_id nn_unbatch(struct nn *nn, mls_value_id x, mls_value_id like);
/* nn_begin_along: the vector of `rank` numbers that is 0 but for the one of vector `at` at `axis`. */
mls_value_id nn_begin_along(struct nn *nn, mls_value_id at, unsigned axis, unsigned rank);
/* nn_at_least_1: a value whose rank may be 0, with one dimension then. */
mls_value_id nn_at_least_1(struct nn *nn, mls_value_id x);
/* nn_broadcast_rank: the greater of two ranks, or unknown. */
unsigned nn_broadcast_rank(struct nn *nn, mls_value_id x, mls_value_id y);

/* ---- Weights (pb_nn_weights.c) */

/*
 * nn_weights: the weights `what` of the layer as an fp32 tensor of this shape. They stay as they are stored;
 * where that is not fp32, an operation expands them. Fails when they are absent or of another length.
 */
mls_value_id nn_weights(struct nn *nn, const Pb__NnWeights *weights, const char *what, const int64_t *dims,
                        unsigned rank);
/* nn_weights_along: the same, for weights whose channels, each with a scale of its own, are dimension `axis`.
 */
mls_value_id nn_weights_along(struct nn *nn, const Pb__NnWeights *weights, const char *what,
                              const int64_t *dims, unsigned rank, unsigned axis);
/* nn_stored: numbers that were put together at load and live in the arena, as a weight called `what`. */
mls_value_id nn_stored(struct nn *nn, const char *what, const struct mls_type *type, const void *data);
/* nn_weights_count: number of elements that the weights have; 0 when absent; bytes of raw ones are of unknown
 * width. */
size_t nn_weights_count(const Pb__NnWeights *weights);
/* nn_weights_floats: n elements decoded, in the arena; n_channels equal parts may have a scale each. For what
 * has to be put together at load; NULL after a failure. */
const float *nn_weights_floats(struct nn *nn, const Pb__NnWeights *weights, const char *what, size_t n,
                               size_t n_channels);

/* ---- Layers: one function a row, by family */

#define NN_LAYER(number, name, function, detail) \
    void function(struct nn *nn, const Pb__NnLayer *layer, const struct nn_row *row);
#include "format/nn_layers.def"
#undef NN_LAYER
