/* control.c: what the planner and the executor treat themselves: constants, loops, branches. */
#include "ops/op_family.h"

static const struct mls_op_row rows[] = {
    {.name = "const", .since = 5, .flags = MLS_OP_CONST},
    {.name = "while_loop",
     .since = 5,
     .flags = MLS_OP_CONTROL,
     .params = {{"loop_vars", MLS_T_ANY, MLS_PARAM_VARIADIC, 0}}},
    {.name = "cond", .since = 5, .flags = MLS_OP_CONTROL, .params = {{"pred", MLS_T_BOOL, 0, 0}}},
};

MLS_OP_FAMILY_DEFINE(control, rows);
