/*
 * plan.h: a function of a program, for concrete input shapes, as a list of steps and a layout of memory.
 * Values become slots: a slot is one tensor of the run (type and storage). Values that share storage and
 * type, as the variables of a loop do, share a slot; views have slots of their own whose storage is that of
 * their root.
 */
#pragma once

#include "base/arena.h"
#include "core/session.h"
#include "ops/fused.h"
#include "ops/op.h"
#include "pass/pass.h"

#define PLAN_NONE UINT32_MAX

enum { PLAN_MADE_PER_OP = 4 }; /* constants that passes may make, for each operation of the program */

enum plan_storage {
    PLAN_UNUSED,
    PLAN_CONSTANT, /* data known when the plan was made: in the package, the session's arena or the plan's */
    PLAN_INPUT,    /* memory of the run that keeps its content between predictions */
    PLAN_STATE,    /* the same, for states */
    PLAN_ARENA,    /* at an offset of the run's arena */
    PLAN_DYNAMIC,  /* from the run's heap: size known only when it is computed, and every list */
    PLAN_VIEW      /* where its root lies */
};

struct plan_slot {
    struct mls_tensor tensor; /* type; data when constant */
    enum plan_storage storage;
    bool shape_free; /* constant whatever the input shapes are */
    const char *name;
    mls_block_id block;  /* that defines it */
    uint32_t depth;      /* of that block */
    uint32_t root;       /* of a view */
    uint32_t first_step; /* life of the storage, inclusive; views count for their root */
    uint32_t last_step;
    mls_block_id loop_body; /* loop variables: the body that replaces them; otherwise MLS_NO_INDEX */
    uint32_t last_in_body;  /* loop variables: last step of the body that reads it; PLAN_NONE: not to be taken
                               over */
    bool block_output;      /* read after the last step of its block: not released by a step */
    uint64_t
        offset_bytes; /* PLAN_ARENA: in the arena; PLAN_INPUT and PLAN_STATE: in the run's memory for these; PLAN_VIEW:
                         from its root */
};

/* A nested block as the executor runs it: steps [first_step, end_step), then outputs are copied to where they
 * go. */
struct plan_block {
    uint32_t first_step;
    uint32_t end_step;
    const uint32_t *outputs; /* slots */
    uint32_t n_outputs;
};

struct plan_argument {
    const uint32_t *slots;
    uint32_t n;
    bool dies;
};

/* An operation that a step does to its own result. */
struct plan_fused {
    struct mls_fused_op op; /* its operand is the plan's tensor: a run has its own */
    uint32_t operand;       /* slot, or PLAN_NONE */
};

struct plan_step {
    const struct mls_op_row *row;
    struct plan_argument *arguments; /* by parameter of the row */
    uint32_t n_arguments;
    const uint32_t *outputs; /* slots; PLAN_NONE never occurs */
    uint32_t n_outputs;
    mls_block_id block;
    struct plan_block *blocks; /* of control flow */
    uint32_t n_blocks;
    uint32_t end_step; /* one past the steps of its blocks; its own index + 1 without blocks */
    uint32_t parent;   /* control step that it stands under, or PLAN_NONE */
    bool dynamic;
    bool view; /* nothing to do: the output lies where the input lies */
    const void *packed;
    struct plan_fused *fused; /* in order */
    uint32_t n_fused;
    uint64_t scratch_bytes;
    uint32_t *releases; /* dynamic slots that nobody reads after this step */
    uint32_t n_releases;
};

struct mls_plan {
    struct mls_arena *arena;  /* owner of all of it */
    struct mls_shape *shapes; /* key: one per input of the interface */
    struct mls_step *infos;   /* parallel to steps */
    struct plan_step *steps;
    uint32_t n_steps;
    struct plan_slot *slots;
    uint32_t n_slots;
    struct mls_buffer *buffers;
    uint32_t n_buffers;
    const uint32_t *inputs; /* slots in the interface's order */
    const uint32_t *states;
    const uint32_t *outputs;
    uint64_t kept_bytes; /* memory for inputs and states */
    struct mls_memory memory;
    uint32_t touched[PASS_COUNT]; /* operations that each pass touched */
    struct mls_plan *next; /* the session's list */
    uint32_t n_holders;    /* guarded by the session */
};

/* What planning shares between the plans of one session; owned by the session. */
struct plan_shared {
    const struct mls_model *model;
    const struct mls_interface *interface;
    mls_function_id function;
    enum mls_precision precision;
    enum mls_weights weights;
    uint64_t passes_off; /* bits by number */
    bool quick; /* the first layout of memory that fits, without looking for a smaller one */
    uint64_t max_memory_bytes;
    struct mls_kernels kernels;
    struct mls_pool *pool;
    struct mls_arena *arena;        /* folded constants and packed weights: lives as long as the session */
    const struct mls_op_row **rows; /* by op index; NULL for operations of other functions */
    const void **folded; /* by value index: data of constants computed or converted at load, or NULL */
    struct mls_type *folded_types;  /* by value index: their types */
    struct mls_type *settled;       /* by value index: types that the first plan found; of dtype NONE: none */
    const struct mls_coded **coded; /* by value index: constants that stay compressed, or NULL */
    struct plan_packed {
        bool done;
        const void *data;
        size_t bytes;
    } * packed;             /* [op index][2 MLS_PACK_KINDS]: as the model has it, and as passes made it */
    struct plan_made {
        struct plan_made *next;
        enum piece_made which;
        void *data;
    } * *made;              /* by op index: constants of any shape that passes computed */
    uint64_t weights_bytes; /* constants that the function uses, as stored */
    uint64_t packed_bytes;  /* copies: packed, decompressed or converted */
    const struct mls_progress *progress;
};

/*
 * plan_bind: finds the row of every operation of the function and checks names and number of its arguments.
 * Fills shared->rows.
 */
enum mls_status plan_bind(struct plan_shared *shared, struct mls_error *reterr);

/* plan_build: a plan for these shapes (one per input of the interface, all static). The caller owns it. */
enum mls_status plan_build(struct plan_shared *shared, const struct mls_shape *shapes,
                           struct mls_plan **ret_plan, struct mls_error *reterr);
void plan_free(struct mls_plan *plan);

/* plan_default_shapes: the shape of each input by the model's description, into ret_shapes[n_inputs]. */
enum mls_status plan_default_shapes(const struct plan_shared *shared, struct mls_shape *ret_shapes,
                                    struct mls_error *reterr);
/* plan_check_shapes: whether the description allows these shapes. */
enum mls_status plan_check_shapes(const struct plan_shared *shared, const struct mls_shape *shapes,
                                  struct mls_error *reterr);

/* plan_alias_states: reads and updates states where they lie, as far as that changes no value; the number of steps that
 * do (states.c). */
uint32_t plan_alias_states(struct mls_plan *plan, uint32_t n_states);
/* plan_view_parts: lets parts of a split lie in what is split; plan_join_in_place: lets parts lie in what joins them, once
 * memory is shared. The number of steps that are left with less to do (places.c). */
uint32_t plan_view_parts(struct mls_plan *plan);
uint32_t plan_join_in_place(struct mls_plan *plan);
/* plan_share_memory: lets outputs lie on inputs that end at their step, where the operation allows it
 * (liveness.c). */
void plan_share_memory(struct mls_plan *plan);
/* plan_find_releases: fills `dies` and `releases` of every step; false when out of memory (liveness.c). */
bool plan_find_releases(struct mls_plan *plan);
/* plan_place: gives every arena slot its buffer and offset, and fills memory and live bytes; `quick`: tries
 * one order only; false when out of memory (place.c). */
bool plan_place(struct mls_plan *plan, bool quick);

/* plan_input_is_open: whether an input's length is the caller's: a dictionary or sequence. It has no planned shape. */
bool plan_input_is_open(const struct mls_feature *feature);

/*
 * plan_arena_create: an arena for what is made from the model's content: a secret one when the package is
 * sealed. NULL when out of memory.
 */
struct mls_arena *plan_arena_create(const struct mls_model *model);

/* plan_root: the slot whose storage a slot uses. */
static inline uint32_t plan_root(const struct mls_plan *plan, uint32_t slot)
{
    while (plan->slots[slot].storage == PLAN_VIEW)
        slot = plan->slots[slot].root;
    return slot;
}

/* plan_offset: where a slot's data begins in the storage of its root; bytes. */
static inline uint64_t plan_offset(const struct mls_plan *plan, uint32_t slot)
{
    uint64_t offset = 0;
    for (; plan->slots[slot].storage == PLAN_VIEW; slot = plan->slots[slot].root)
        offset += plan->slots[slot].offset_bytes;
    return offset;
}
