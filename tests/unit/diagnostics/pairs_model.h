/* pairs_model.h: facts about models and plans, for rules that fire on them or just do not. */
#pragma once

#include "bench.h"

static void large_blob(struct bench *bench, bool fires)
{
    bench->facts.package = &bench->package;
    bench->package.entry = (struct mls_package_entry){
        .path = "weights/weight.bin", .bytes = {.size_bytes = ((size_t)1 << 31) + (fires ? 1 : 0)}};
}

static void asset_key(struct bench *bench, bool fires)
{
    bench->facts.package = &bench->package;
    bench->key = (struct mls_asset_key){.key = "@model_path/weights/weight.bin",
                                        .entry_path = "weights/weight.bin",
                                        .refused_by_apple = fires};
    bench->package.info.asset_keys = &bench->key;
    bench->package.info.n_asset_keys = 1;
}

static void two_enumerated(struct bench *bench, bool fires)
{
    use_enumerated(bench, 0, 3);
    use_enumerated(bench, 1, fires ? 3 : 1);
}

static void many_enumerated(struct bench *bench, bool fires)
{
    use_enumerated(bench, 0, fires ? 129 : 128);
}

static void functions_in_memory(struct bench *bench, bool fires)
{
    use_model(bench);
    bench->facts.package = &bench->package;
    bench->package.info.sealed = fires;
    bench->toy.model.program.n_functions = 2;
}

static void rank_six(struct bench *bench, bool fires)
{
    use_model(bench);
    mls_value_id x = toy_input(&bench->toy, TOY_TYPE(MLS_FP16, 4));
    toy_op(&bench->toy, "reshape",
           fires ? TOY_TYPE(MLS_FP16, 1, 1, 1, 1, 1, 4) : TOY_TYPE(MLS_FP16, 1, 1, 1, 1, 4), {"x", x});
}

static void range_input(struct bench *bench, bool fires)
{
    use_range(bench, fires ? 2 : 1);
}

static void state_width(struct bench *bench, bool fires)
{
    use_state(bench, MLS_FP16, fires ? 270 : 256);
}

static void norm_with_enumerated(struct bench *bench, bool fires)
{
    use_enumerated(bench, 0, fires ? 2 : 1);
    toy_op(&bench->toy, "layer_norm", TOY_TYPE(MLS_FP16, 1, 4), {"x", {0}});
}

static void wide_tensor(struct bench *bench, bool fires)
{
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, 1, 1, fires ? 65537 : 65536);
    mls_value_id x = toy_input(&bench->toy, type);
    toy_output(&bench->toy, toy_op(&bench->toy, "relu", type, {"x", x}));
    use_model(bench);
    bench->placed = true;
}

static void small_model(struct bench *bench, bool fires)
{
    use_convs(bench, fires ? 1 : 8, 64, 3);
}

static void fp32_model(struct bench *bench, bool fires)
{
    struct mls_type type = TOY_TYPE(fires ? MLS_FP32 : MLS_FP16, 1, 64, 32, 32);
    mls_value_id x = toy_input(&bench->toy, type);
    toy_op(&bench->toy, "exp", type, {"x", x});
    use_model(bench);
    bench->placed = true;
}

static void topk_on_ane(struct bench *bench, bool fires)
{
    mls_value_id x = use_convs(bench, 8, 64, 3);
    toy_output(&bench->toy, toy_op(&bench->toy, fires ? "topk" : "exp", IMAGE, {"x", x}));
}

static void channels(struct bench *bench, bool fires)
{
    use_convs(bench, 30, fires ? 63 : 64, 3);
}

static void batch(struct bench *bench, bool fires)
{
    use_convs(bench, 8, 64, 3);
    bench->toy.inputs[0].type.dims[0] = fires ? 4 : 1;
}

static void refused_ops(struct bench *bench, bool fires)
{
    mls_value_id x = use_convs(bench, 4, 64, 1);
    for (int i = 0; i < 60; i++)
        x = toy_op(&bench->toy, fires ? "acos" : "exp", IMAGE, {"x", x});
}

static void many_switches(struct bench *bench, bool fires)
{
    mls_value_id x = toy_input(&bench->toy, IMAGE);
    use_model(bench);
    bench->placed = true;
    bench->setting = MLS_COMPUTE_UNITS_CPU_AND_ANE;
    for (int i = 0; i < 12; i++) {
        for (int k = 0; k < 5; k++) {
            mls_value_id weight = toy_constant(&bench->toy, TOY_TYPE(MLS_FP16, 64, 64, 3, 3));
            x = toy_op(&bench->toy, "conv", IMAGE, {"weight", weight}, {"x", x});
        }
        x = toy_op(&bench->toy, fires ? "acos" : "exp", IMAGE, {"x", x});
    }
}

static void large_kernel(struct bench *bench, bool fires)
{
    use_convs(bench, 1, 64, fires ? 17 : 16);
}

static void flexible(struct bench *bench, bool fires)
{
    use_enumerated(bench, 0, fires ? 2 : 1);
}

static void first_prediction(struct bench *bench, bool fires)
{
    bench->measurement =
        (struct mls_measurement){.first_ns = fires ? 9000000 : 2000000, .p50_ns = 1000000, .n_runs = 10};
    bench->facts.measurement = &bench->measurement;
}

static void wide_range(struct bench *bench, bool fires)
{
    use_range(bench, fires ? -1 : 2);
}

static void slow_load(struct bench *bench, bool fires)
{
    bench->measurement =
        (struct mls_measurement){.load_ns = fires ? 900000000 : 5000000, .first_ns = 1, .p50_ns = 1000000};
    bench->facts.measurement = &bench->measurement;
}

static void kv_cache(struct bench *bench, bool fires)
{
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, 8, 512, 64);
    use_model(bench);
    toy_input(&bench->toy, type);
    toy_output(&bench->toy, toy_op(&bench->toy, "exp", type, {"x", {0}}));
    bench->toy.inputs[0].name = "past_key";
    bench->toy.feature_outputs[0].name = fires ? "present_key" : "y";
}

static void attention(struct bench *bench, bool fires)
{
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, 8, 64, 64);
    bench->toy.function.opset = fires ? 7 : 8;
    use_model(bench);
    mls_value_id q = toy_input(&bench->toy, type);
    mls_value_id k = toy_input(&bench->toy, type);
    mls_value_id scores = toy_op(&bench->toy, "matmul", type, {"x", q}, {"y", k});
    mls_value_id scaled = toy_op(&bench->toy, "mul", type, {"x", scores}, {"y", k});
    mls_value_id weights = toy_op(&bench->toy, "softmax", type, {"x", scaled});
    toy_op(&bench->toy, "matmul", type, {"x", weights}, {"y", q});
}

static void slow_compile(struct bench *bench, bool fires)
{
    use_convs(bench, 1, 64, fires ? 16 : 13);
}

static void activations(struct bench *bench, bool fires)
{
    use_plan(bench, (uint64_t)1 << 27, fires ? 1000 : (uint64_t)1 << 27);
}

static void long_lived(struct bench *bench, bool fires)
{
    use_plan(bench, (uint64_t)1 << 27, (uint64_t)1 << 27);
    bench->buffer.size_bytes = fires ? (uint64_t)1 << 26 : 1;
}

static void large_model(struct bench *bench, bool fires)
{
    use_plan(bench, 1, (uint64_t)1 << (fires ? 30 : 29));
}

static void mish(struct bench *bench, bool fires)
{
    mls_value_id x = toy_input(&bench->toy, IMAGE);
    use_model(bench);
    mls_value_id soft = toy_op(&bench->toy, fires ? "softplus" : "exp", IMAGE, {"x", x});
    mls_value_id bent = toy_op(&bench->toy, "tanh", IMAGE, {"x", soft});
    toy_op(&bench->toy, "mul", IMAGE, {"x", x}, {"y", bent});
}

static void quantized_activations(struct bench *bench, bool fires)
{
    mls_value_id x = toy_input(&bench->toy, IMAGE);
    use_model(bench);
    bench->placed = true;
    toy_op(&bench->toy, fires ? "quantize" : "exp", IMAGE, {"input", x});
}

static void lookup_tables(struct bench *bench, bool fires)
{
    mls_value_id lut = toy_constant(&bench->toy, TOY_TYPE(MLS_FP16, fires ? 64 : 4, 1, 16, 1));
    use_model(bench);
    toy_op(&bench->toy, "constexpr_lut_to_dense", TOY_TYPE(MLS_FP16, 64, 64), {"lut", lut});
}

static void small_weights(struct bench *bench, bool fires)
{
    mls_value_id lut = toy_constant(&bench->toy, TOY_TYPE(MLS_UINT8, 64, 64));
    mls_value_id small = toy_constant(&bench->toy, TOY_TYPE(MLS_FP16, 40, fires ? 50 : 2));
    bench->toy.constants[lut.i].blob_path = bench->toy.constants[small.i].blob_path = "weights/weight.bin";
    use_model(bench);
    toy_op(&bench->toy, "constexpr_lut_to_dense", TOY_TYPE(MLS_FP16, 64, 64), {"indices", lut});
}

static void image_array(struct bench *bench, bool fires)
{
    use_model(bench);
    toy_input(&bench->toy, TOY_TYPE(MLS_FP32, 1, fires ? 3 : 4, 64, 64));
}
