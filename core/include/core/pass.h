/*
 * pass.h: what the planner does to a program between reading and planning it. Each pass is a row of one table; a plan
 * knows how many operations each one touched.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/session.h"

enum { MLS_PASSES_MAX = 64 };

/* mls_pass_count, _name, _description: the table, in the order in which passes work. */
uint32_t mls_pass_count(void);
const char *mls_pass_name(uint32_t pass);
const char *mls_pass_description(uint32_t pass);

/* mls_pass_find: the pass called `name`, or -1. */
int mls_pass_find(const char *name);

/* mls_pass_is_optional: whether it can be left out (mls_session_options.passes_off). */
bool mls_pass_is_optional(uint32_t pass);

/* mls_pass_keeps_bits: whether the results are the same bits without it; if not, it leaves out roundings in between. */
bool mls_pass_keeps_bits(uint32_t pass);

/* mls_plan_pass_touched: operations of the model that a pass removed, merged or changed in a plan. */
uint32_t mls_plan_pass_touched(const struct mls_plan *plan, uint32_t pass);
