/* pairs_run.h: facts about runs, values and comparisons, for rules that fire on them or just do not. */
#pragma once

#include "pairs_units.h"

static struct mls_measurement *use_measurement(struct bench *bench)
{
    bench->measurement = (struct mls_measurement){
        .p50_ns = 10000000,
        .n_runs = 60,
        .threads = 2,
        .roofline = {.gflops = 100, .gbytes_per_s = 10},
        .wall = {.ops_ns = 10000000},
    };
    bench->facts.measurement = &bench->measurement;
    return &bench->measurement;
}

/* A step for each of the toy's operations, each with its time. */
static void use_steps(struct bench *bench, uint32_t n, uint64_t each_ns)
{
    for (uint32_t i = 0; i < n; i++) {
        bench->fused[i] = (mls_op_id){i};
        bench->means_ns[i] = each_ns;
        bench->many_steps[i] = (struct mls_step){.index = i,
                                                 .type = "conv",
                                                 .name = "n",
                                                 .op = {i},
                                                 .fused = &bench->fused[i],
                                                 .n_fused = 1,
                                                 .cost = {.flops = 1000, .bytes_read = 1000}};
    }
    bench->plan = (struct mls_plan){.steps = bench->many_steps, .n_steps = n};
    bench->facts.plan = &bench->plan;
    bench->measurement.step_ns = bench->means_ns;
    bench->measurement.n_steps = n;
}

static void use_series(struct bench *bench, uint64_t first_ns, uint64_t last_ns)
{
    struct mls_measurement *measured = use_measurement(bench);
    for (size_t i = 0; i < 60; i++)
        bench->samples_ns[i] = i < 40 ? first_ns : last_ns;
    measured->samples_ns = bench->samples_ns;
    measured->n_samples = 60;
}

static void jumping_series(struct bench *bench, bool fires)
{
    use_series(bench, 500000, fires ? 1200000 : 700000);
}

static void sustained_series(struct bench *bench, bool fires)
{
    use_series(bench, fires ? 200000000 : 2000000, fires ? 230000000 : 2300000);
}

static void time_around(struct bench *bench, bool fires)
{
    use_measurement(bench)->wall.other_ns = fires ? 4000000 : 1000000;
}

static void hot_operation(struct bench *bench, bool fires)
{
    use_measurement(bench);
    use_steps(bench, 8, 1000000);
    bench->means_ns[3] = fires ? 4000000 : 2000000;
}

static void cast_and_back(struct bench *bench, bool fires)
{
    mls_value_id x = toy_input(&bench->toy, IMAGE);
    use_model(bench);
    mls_value_id wide = toy_op(&bench->toy, "cast", TOY_TYPE(MLS_FP32, 1, 64, 32, 32), {"x", x});
    mls_value_id sum =
        fires ? wide : toy_op(&bench->toy, "exp", TOY_TYPE(MLS_FP32, 1, 64, 32, 32), {"x", wide});
    toy_op(&bench->toy, "cast", IMAGE, {"x", sum});
    use_measurement(bench);
    use_steps(bench, bench->toy.model.program.n_ops, 1000000);
}

static void transpose_and_back(struct bench *bench, bool fires)
{
    mls_value_id x = toy_input(&bench->toy, IMAGE);
    mls_value_id there = toy_ints(&bench->toy, 4, 0, 2, 3, 1);
    mls_value_id back = toy_ints(&bench->toy, 4, 0, fires ? 3 : 2, fires ? 1 : 3, fires ? 2 : 1);
    use_model(bench);
    x = toy_op(&bench->toy, "transpose", IMAGE, {"perm", there}, {"x", x});
    x = toy_op(&bench->toy, "relu", IMAGE, {"x", x});
    toy_op(&bench->toy, "transpose", IMAGE, {"perm", back}, {"x", x});
    use_measurement(bench);
    use_steps(bench, bench->toy.model.program.n_ops, 1000000);
}

static void short_operations(struct bench *bench, bool fires)
{
    use_measurement(bench)->wall = (struct mls_wall){.ops_ns = 40000, .dispatch_ns = fires ? 20000 : 2000};
    use_steps(bench, 40, 1000);
}

static void idle_threads(struct bench *bench, bool fires)
{
    use_measurement(bench)->growth = (struct mls_growth){
        .n_predictions = 60, .wall_ns = 600000000, .cpu_ns = fires ? 620000000 : 1100000000};
}

static void odd_channels_measured(struct bench *bench, bool fires)
{
    use_convs(bench, 8, fires ? 33 : 32, 3);
    bench->placed = false;
    use_measurement(bench);
    use_steps(bench, bench->toy.model.program.n_ops, 1200000);
}

static void growing_memory(struct bench *bench, bool fires)
{
    use_measurement(bench)->growth = (struct mls_growth){
        .n_predictions = 60, .rss_first_bytes = 100 << 20, .rss_last_bytes = (fires ? 130 : 110) << 20};
}

static void peak_of_load(struct bench *bench, bool fires)
{
    use_plan(bench, 1, (uint64_t)100 << 20);
    use_measurement(bench)->load_rss_bytes = (uint64_t)150 << 20;
    bench->measurement.load_peak_rss_bytes = (uint64_t)(fires ? 260 : 200) << 20;
}

static void memory_of_each(struct bench *bench, bool fires)
{
    use_plan(bench, 1, 1);
    bench->plan.memory.arena_bytes = (uint64_t)(fires ? 80 : 40) << 20;
}

static void memory_anew(struct bench *bench, bool fires)
{
    use_measurement(bench)->dynamic_bytes = (uint64_t)(fires ? 5 : 3) << 20;
}

static void load_that_expands(struct bench *bench, bool fires)
{
    two_bit_weights(bench, false);
    use_measurement(bench)->load_ns = 1000000000;
    bench->measurement.stage_ns[MLS_STAGE_PREPARE] = fires ? 800000000 : 300000000;
}

static void expanded_weights(struct bench *bench, bool fires)
{
    two_bit_weights(bench, false);
    use_plan(bench, 1, 10 << 20);
    bench->plan.memory.packed_bytes = (uint64_t)(fires ? 40 : 15) << 20;
}

static void declared_shape(struct bench *bench, bool fires)
{
    mls_value_id x = toy_input(&bench->toy, IMAGE);
    static struct mls_step_operand made;
    use_model(bench);
    toy_output(&bench->toy, toy_op(&bench->toy, "exp", IMAGE, {"x", x}));
    use_plan(bench, 1, 1);
    made = (struct mls_step_operand){.name = bench->toy.feature_outputs[0].name,
                                     .type = TOY_TYPE(MLS_FP16, fires ? 8 : 1, 64, 32, 32)};
    bench->steps[2].outputs = &made;
    bench->steps[2].n_outputs = 1;
}

/* ---- Values
 * ------------------------------------------------------------------------------------------------------- */

static void use_walk(struct bench *bench, double snr_db)
{
    bench->walk_ops[0] = (struct mls_walk_op){.type = "pow",
                                              .name = "p",
                                              .compared = true,
                                              .n_elems = 8,
                                              .snr_db = snr_db,
                                              .added_error = 0.5,
                                              .max_a = 1e9};
    bench->walk_output =
        (struct mls_walk_output){.name = "y", .compared = true, .snr_db = snr_db, .n_elems = 8};
    bench->walk = (struct mls_walk){.ops = bench->walk_ops,
                                    .n_ops = 1,
                                    .worst = bench->walk_worst,
                                    .n_worst = 1,
                                    .keep = bench->walk_keep,
                                    .outputs = &bench->walk_output,
                                    .n_outputs = 1};
    bench->facts.walk = &bench->walk;
}

static void overflowing_values(struct bench *bench, bool fires)
{
    use_walk(bench, 0);
    use_plan(bench, 1, 1);
    bench->walk_keep[0] = (struct mls_walk_keep){.loss = fires ? MLS_WALK_OVERFLOW : MLS_WALK_PRECISION};
    bench->walk.n_keep = 1;
}

static void not_finite_output(struct bench *bench, bool fires)
{
    use_walk(bench, 60);
    bench->walk_output.n_not_finite_a = bench->walk_ops[0].n_not_finite_a = fires ? 3 : 0;
}

/* ---- Two models
 * ----------------------------------------------------------------------------------------------------- */

static void use_pair(struct bench *bench, double time_ratio)
{
    toy_begin(&bench->reference, 8);
    use_model(bench);
    bench->toy.model.package = &bench->package;
    bench->reference.model.package = &bench->reference_package;
    bench->facts.reference = &bench->reference.model;
    bench->totals[0] = (struct mls_change){.name = "p50_ns",
                                           .a = 1e6,
                                           .b = 1e6 * time_ratio,
                                           .ratio = time_ratio,
                                           .significant = time_ratio > 1};
    bench->totals[1] = (struct mls_change){.name = "weights_bytes", .a = 4e6, .b = 2e6, .ratio = 0.5};
    bench->comparison = (struct mls_comparison){.totals = bench->totals, .n_totals = 2, .n_matched = 5};
    bench->facts.comparison = &bench->comparison;
}

static void compressed_pair(struct bench *bench, const char *type, bool fires)
{
    use_pair(bench, 1);
    use_walk(bench, fires ? 12 : 45);
    mls_value_id data = toy_constant(&bench->toy, TOY_TYPE(MLS_UINT8, 64, 64));
    toy_op(&bench->toy, type, TOY_TYPE(MLS_FP16, 64, 64), {"indices", data});
}

static void palettized_pair(struct bench *bench, bool fires)
{
    compressed_pair(bench, "constexpr_lut_to_dense", fires);
}

static void quantized_pair(struct bench *bench, bool fires)
{
    compressed_pair(bench, "constexpr_blockwise_shift_scale", fires);
}

static void pruned_pair(struct bench *bench, bool fires)
{
    compressed_pair(bench, "constexpr_sparse_to_dense", fires);
}

static void quantized_twice(struct bench *bench, bool fires)
{
    quantized_pair(bench, false);
    mls_value_id data = toy_constant(&bench->reference, TOY_TYPE(MLS_UINT8, 64, 64));
    toy_op(&bench->reference, fires ? "constexpr_affine_dequantize" : "exp", TOY_TYPE(MLS_FP16, 64, 64),
           {"data", data});
}

static void sealed_is_slower(struct bench *bench, bool fires)
{
    use_pair(bench, fires ? 1.2 : 1.0);
    bench->package.info.sealed = true;
}

static void heavy_weights(struct bench *bench, bool fires)
{
    mls_value_id weight = toy_constant(&bench->toy, TOY_TYPE(MLS_FP16, 4096, fires ? 4096 : 1024));
    bench->toy.constants[weight.i].blob_path = "weights/weight.bin";
    use_model(bench);
}

static void memory_owners(struct bench *bench, bool fires)
{
    use_plan(bench, 1, (uint64_t)(fires ? 200 : 100) << 20);
}
