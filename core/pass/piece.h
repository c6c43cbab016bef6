/*
 * piece.h: a straight piece of a program as passes see and change it: its operations in order, between two places where
 * control flow begins or ends, with all types inferred and all constants known. Values are numbered as the plan's slots.
 * A pass takes operations out, gives them other operands, or lets one node do the work of several; it never adds any. The
 * operations of the model that a node stands for stay with it, so that reports name them.
 */
#pragma once

#include "core/model.h"
#include "ops/fused.h"
#include "ops/op.h"

#define PIECE_NONE UINT32_MAX

struct piece_node;

/* The values of one parameter. */
struct piece_argument {
    uint32_t *values;
    uint32_t n;
};

/* An elementwise operation that a node does to its own result. */
struct piece_fused {
    struct mls_fused_op op;
    uint32_t operand;              /* value, or PIECE_NONE */
    unsigned param;                /* of `node`: what the result takes the place of */
    const struct piece_node *node; /* as it was */
};

struct piece_node {
    const struct mls_op *op;       /* of the model: names the node, and says where it stands */
    const struct mls_op_row *row;  /* what it does */
    struct piece_argument *arguments; /* by parameter of the row */
    uint32_t n_arguments;
    uint32_t *outputs;
    struct mls_op_call call;       /* the same in tensors */
    mls_op_id *origins;            /* of the model: what it does, `op` among them */
    uint32_t n_origins;
    struct piece_fused *fused;     /* in order */
    uint32_t n_fused;
    uint32_t position;             /* in order */
    bool dynamic;                  /* shapes are known at run time only */
    bool rewritten;                /* constants are no longer those of `op` */
    bool removed;
    struct piece_node *next_removed; /* while removing */
};

struct piece_value {
    struct mls_tensor *tensor;    /* data only when constant */
    struct piece_node *producer;  /* NULL: constants, and what comes from elsewhere */
    uint32_t n_uses;              /* by operations that matter, in the whole program, and as a block's output */
    bool constant;
    bool shape_free;              /* constant whatever the input shapes are */
    bool steady;                  /* there before this piece, in memory that stays the same */
};

/* A constant that a pass made. */
struct piece_constant {
    const char *name; /* borrowed: lives as long as the plan */
    struct mls_type type;
    const void *data; /* from piece_memory */
    bool shape_free;
};

/* What a constant is to the operation it is made for. */
enum piece_made { PIECE_MADE_NUMBER, PIECE_MADE_WEIGHT, PIECE_MADE_BIAS };

/* What the planner gives to passes. */
struct piece_host {
    /* adds a value; PIECE_NONE out of memory */
    uint32_t (*add_constant)(struct piece_host *host, const struct piece_constant *constant);
    /* memory for a constant made for an operation; *ret_fresh false: it holds what an earlier plan computed;
     * NULL out of memory */
    void *(*memory)(struct piece_host *host, const struct mls_op *op, enum piece_made which, size_t bytes, bool shape_free,
                    bool *ret_fresh);
};

struct piece {
    struct mls_arena *arena; /* of the plan: nodes */
    const struct mls_program *program;
    const struct mls_kernels *kernels;
    struct piece_host *host;
    struct piece_value *values; /* by slot */
    struct piece_node **nodes;
    uint32_t n_nodes;
    uint32_t capacity;
    bool out_of_memory;
};

/* piece_is: whether a node, which may be NULL, does the operation called `name`, with known shapes and nothing fused yet. */
bool piece_is(const struct piece_node *node, const char *name);

/* piece_arg: the value of a parameter; PIECE_NONE when it was left out. By name: of a row that has the parameter. */
uint32_t piece_arg(const struct piece_node *node, unsigned param);
uint32_t piece_named_arg(const struct piece_node *node, const char *param);

/* piece_source: the node in this piece that computes a value; NULL. piece_sole_source: the same, if nobody else reads it. */
struct piece_node *piece_source(const struct piece *piece, uint32_t value);
struct piece_node *piece_sole_source(const struct piece *piece, uint32_t value);

static inline const struct mls_type *piece_type(const struct piece *piece, uint32_t value)
{
    return &piece->values[value].tensor->type;
}

/* piece_number: whether a value is a constant number, of any type; writes it. */
bool piece_number(const struct piece *piece, uint32_t value, double *ret);
/* piece_bool: a constant flag of a node; `otherwise` when left out. */
bool piece_bool(const struct piece_node *node, const char *param, bool otherwise);

/* piece_number_value: a constant of one float of this type; PIECE_NONE out of memory. One for each node. */
uint32_t piece_number_value(struct piece *piece, const struct piece_node *node, enum mls_dtype dtype, float number);

/* piece_ints_value: a constant vector of int32; PIECE_NONE out of memory. One for each node. */
uint32_t piece_ints_value(struct piece *piece, const struct piece_node *node, const int64_t *numbers, unsigned n, bool shape_free);

/* piece_text_value: a constant text, which is not copied; PIECE_NONE out of memory. One for each node. */
uint32_t piece_text_value(struct piece *piece, const struct piece_node *node, const char *text);

/*
 * piece_channels: whether a constant has one number for each index of dimension `dim` of a node's output, and one for all of
 * the others; the same as a vector, one for each node.
 */
bool piece_channels(struct piece *piece, const struct piece_node *node, uint32_t value, unsigned dim, uint32_t *ret_vector);

/* piece_has_channels: the same without a vector made; a single number counts too. */
bool piece_has_channels(const struct piece *piece, const struct mls_type *of, uint32_t value, unsigned dim);

/* piece_reader: the first node that reads a value near the one that computes it, or NULL. */
struct piece_node *piece_reader(const struct piece *piece, uint32_t value);

/* A parameter and its value. */
struct piece_binding {
    const char *param;
    uint32_t value;
};

/*
 * piece_rewrite: makes a node do another operation on other values (NULL-terminated list of one value each) with the same
 * outputs. False, and the node is as it was: the row refuses these operands, computes another type, or memory is short.
 * Operands that nobody reads any more are removed with what computed them, which the node then stands for.
 */
bool piece_rewrite(struct piece *piece, struct piece_node *node, const char *op, const struct piece_binding *bindings);

/* piece_rebind: the same for a node that goes on with its operation: parameters that are not named keep their values. */
bool piece_rebind(struct piece *piece, struct piece_node *node, const struct piece_binding *bindings);

/* piece_retype: as piece_rebind, and what the node computes may have another type. Only where one node alone reads it, which
 * is changed next and relies on the new type. */
bool piece_retype(struct piece *piece, struct piece_node *node, const struct piece_binding *bindings);

/*
 * piece_forward: makes everybody who reads the only output of a node read `value` instead, and removes the node; who
 * computes the value, or else who reads it, stands for it from now on. False, and nothing is done, where it is read
 * outside of this piece.
 */
bool piece_forward(struct piece *piece, struct piece_node *node, uint32_t value);

/* piece_take_over: the node does the work of the one that reads its only output alone, and has its output. */
bool piece_take_over(struct piece *piece, struct piece_node *node, struct piece_node *reader);

/* piece_absorb: a node stands for the operations of another one too. */
bool piece_absorb(struct piece *piece, struct piece_node *node, const struct piece_node *other);

/* piece_wire: fills `call` from arguments and outputs; false when out of memory. */
bool piece_wire(struct piece *piece, struct piece_node *node);
