/*
 * chain.h: models that run one after the other, as one function. Each model of a pipeline is a function of a
 * program; joined, they are one block in which a model reads what those before it gave, by the names of
 * features.
 */
#pragma once

#include "base/arena.h"
#include "core/model.h"

enum ir_stage_kind {
    IR_STAGE_MODEL, /* a model */
    IR_STAGE_OPEN,  /* a pipeline within the pipeline begins: until it closes, it sees what is outside too, */
    IR_STAGE_CLOSE  /* and then only its outputs stay */
};

struct ir_stage {
    enum ir_stage_kind kind;
    mls_function_id function;              /* of a MODEL, in the program */
    const struct mls_interface *interface; /* of a MODEL, and of the pipeline that CLOSEs */
};

/*
 * ir_chain: a program with one function, called interface->function, that computes the stages in order.
 * `parts` has their functions; its arrays are borrowed, new ones come from the arena. Where one model gives
 * numbers of another type or shape than the next takes, a feature_convert stands between them.
 * INTERFACE_MISMATCH when a feature is given by nobody.
 */
enum mls_status ir_chain(struct mls_arena *arena, const struct mls_program *parts,
                         const struct ir_stage *stages, size_t n_stages,
                         const struct mls_interface *interface, struct mls_program *ret_program,
                         struct mls_error *reterr);
