/*
 * fake_facts.h: packages and plans written by hand. The rules that read them are compiled into the test with
 * the fakes below in place of core's functions; their tables then stand for those of the library.
 */
#pragma once

#include "rule.h"

struct mls_package {
    struct mls_package_info info;
    struct mls_package_entry entry;
};

struct mls_plan {
    struct mls_memory memory;
    const struct mls_step *steps;
    size_t n_steps;
    const struct mls_buffer *buffers;
    size_t n_buffers;
};

static const struct mls_package_info *fake_package_info(const struct mls_package *package)
{
    return &package->info;
}

static size_t fake_package_entry_count(const struct mls_package *package)
{
    return package->entry.path != NULL;
}

static struct mls_package_entry fake_package_entry_at(const struct mls_package *package, size_t index)
{
    (void)index;
    return package->entry;
}

static struct mls_memory fake_plan_memory(const struct mls_plan *plan)
{
    return plan->memory;
}

static size_t fake_plan_step_count(const struct mls_plan *plan)
{
    return plan->n_steps;
}

static const struct mls_step *fake_plan_step(const struct mls_plan *plan, size_t index)
{
    return &plan->steps[index];
}

static size_t fake_plan_buffer_count(const struct mls_plan *plan)
{
    return plan->n_buffers;
}

static const struct mls_buffer *fake_plan_buffer(const struct mls_plan *plan, size_t index)
{
    return &plan->buffers[index];
}

#define mls_package_info(...) fake_package_info(__VA_ARGS__)
#define mls_package_entry_count(...) fake_package_entry_count(__VA_ARGS__)
#define mls_package_entry_at(...) fake_package_entry_at(__VA_ARGS__)
#define mls_plan_memory(...) fake_plan_memory(__VA_ARGS__)
#define mls_plan_step_count(...) fake_plan_step_count(__VA_ARGS__)
#define mls_plan_step(...) fake_plan_step(__VA_ARGS__)
#define mls_plan_buffer_count(...) fake_plan_buffer_count(__VA_ARGS__)
#define mls_plan_buffer(...) fake_plan_buffer(__VA_ARGS__)
#include "engine.c"
#define ROWS rows_of_load_package
#include "rules/load_package.c"
#undef ROWS
#define ROWS rows_of_load_blob
#include "rules/load_blob.c"
#undef ROWS
#define ROWS rows_of_load_spec
#include "rules/load_spec.c"
#undef ROWS
#define ROWS rows_of_seal
#include "rules/seal.c"
#undef ROWS
#define ROWS rows_of_place_units
#include "rules/place_units.c"
#undef ROWS
#define ROWS rows_of_speed
#include "rules/speed.c"
#undef ROWS
#define ROWS rows_of_mem
#include "rules/mem.c"
#undef ROWS
#define ROWS rows_of_mem_run
#include "rules/mem_run.c"
#undef ROWS
#define ROWS rows_of_values
#include "rules/values.c"
#undef ROWS
#define ROWS rows_of_comp
#include "rules/comp.c"
#undef ROWS
#define ROWS rows_of_pair
#include "rules/pair.c"
#undef ROWS
#undef mls_package_info
#undef mls_package_entry_count
#undef mls_package_entry_at
#undef mls_plan_memory
#undef mls_plan_step_count
#undef mls_plan_step
#undef mls_plan_buffer_count
#undef mls_plan_buffer
