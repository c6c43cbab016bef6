/* bench.h: facts for one rule, and what they are made of. */
#pragma once

#include "fake_facts.h"
#include "toy_model.h"

#define IMAGE TOY_TYPE(MLS_FP16, 1, 64, 32, 32)

/* Facts for one rule, and what they are made of. */
struct bench {
    struct toy toy;
    struct mls_package package;
    struct mls_asset_key key;
    struct mls_plan plan;
    struct mls_step steps[3];
    struct mls_buffer buffer;
    struct mls_measurement measurement;
    struct mls_facts facts;
    struct mls_survey survey;
    struct mls_walk walk;
    struct mls_walk_op walk_ops[2];
    struct mls_walk_keep walk_keep[2];
    uint32_t walk_worst[1];
    struct mls_walk_output walk_output;
    struct toy reference;
    struct mls_package reference_package;
    struct mls_comparison comparison;
    struct mls_change totals[2];
    uint64_t samples_ns[60];
    uint64_t means_ns[64];
    mls_op_id fused[64];
    struct mls_step many_steps[64];
    unsigned char bytes[2][1 << 21];
    bool placed;       /* whether the placement is wanted */
    bool all_settings; /* whether those of the other settings are */
    enum mls_compute_units setting;
};

static void use_model(struct bench *bench)
{
    bench->facts.model = &bench->toy.model;
}

/* A model of `n` 3x3 convolutions in a row, to be placed. */
static mls_value_id use_convs(struct bench *bench, int n, int channels, int kernel)
{
    struct toy *toy = &bench->toy;
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, channels, 32, 32);
    mls_value_id x = toy_input(toy, type);
    for (int i = 0; i < n; i++) {
        mls_value_id weight = toy_constant(toy, TOY_TYPE(MLS_FP16, channels, channels, kernel, kernel));
        x = toy_op(toy, "conv", type, {"weight", weight}, {"x", x});
    }
    use_model(bench);
    bench->placed = true;
    return x;
}

static struct mls_feature *use_range(struct bench *bench, int64_t upper)
{
    use_model(bench);
    toy_input(&bench->toy, TOY_TYPE(MLS_FP16, 1, 4));
    bench->toy.ranges[0] = (struct mls_range){1, upper};
    bench->toy.ranges[1] = (struct mls_range){4, 4};
    bench->toy.inputs[0].ranges = bench->toy.ranges;
    bench->toy.inputs[0].n_ranges = 2;
    return &bench->toy.inputs[0];
}

static void use_enumerated(struct bench *bench, size_t input, size_t n)
{
    use_model(bench);
    while (bench->toy.interface.n_inputs <= input)
        toy_input(&bench->toy, TOY_TYPE(MLS_FP16, 1, 4));
    bench->toy.inputs[input].enumerated = bench->toy.shapes;
    bench->toy.inputs[input].n_enumerated = n;
}

static struct mls_feature *use_state(struct bench *bench, enum mls_dtype dtype, int width)
{
    use_model(bench);
    bench->toy.states[0] = (struct mls_feature){
        .name = "k", .description = "", .kind = MLS_FEATURE_STATE, .type = TOY_TYPE(dtype, 1, width)};
    bench->toy.interface.n_states = 1;
    return &bench->toy.states[0];
}

static void use_plan(struct bench *bench, uint64_t peak_bytes, uint64_t weights_bytes)
{
    for (uint32_t i = 0; i < 3; i++)
        bench->steps[i] = (struct mls_step){.index = i, .type = "add", .name = "n", .live_bytes_after = 1};
    bench->steps[1].live_bytes_after = peak_bytes;
    bench->buffer = (struct mls_buffer){.name = "b", .size_bytes = 1, .first_step = 0, .last_step = 2};
    bench->plan =
        (struct mls_plan){.memory = {.weights_bytes = weights_bytes, .planned_peak_bytes = peak_bytes},
                          .steps = bench->steps,
                          .n_steps = 3,
                          .buffers = &bench->buffer,
                          .n_buffers = 1};
    bench->facts.plan = &bench->plan;
}
