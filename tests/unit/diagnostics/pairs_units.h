/* pairs_units.h: facts about placement, versions and packages, for rules that fire on them or just do not. */
#pragma once

#include "pairs_model.h"

static void system_too_old(struct bench *bench, bool fires)
{
    use_model(bench); /* opset 8, version 9 */
    bench->facts.system_version = fires ? 8 : 9;
}

static void neural_network(struct bench *bench, bool fires)
{
    use_model(bench);
    bench->toy.model.type_name = fires ? "neuralNetworkClassifier" : "mlProgram";
}

static void compiled_too_new(struct bench *bench, bool fires)
{
    use_model(bench);
    bench->facts.package = &bench->package;
    bench->package.info.form = fires ? MLS_FORM_COMPILED : MLS_FORM_FOLDER;
    bench->facts.system_version = 8;
}

static void sealed_package(struct bench *bench, bool fires)
{
    bench->facts.package = &bench->package;
    bench->package.info.sealed = fires;
}

static void asset_package(struct bench *bench, bool fires)
{
    bench->facts.package = &bench->package;
    bench->package.info.form = fires ? MLS_FORM_ASSET : MLS_FORM_FOLDER;
}

static void state_and_reshape(struct bench *bench, bool fires)
{
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, 64);
    mls_value_id state = toy_input(&bench->toy, type);
    use_model(bench);
    mls_value_id x = toy_op(&bench->toy, "read_state", type, {"input", state});
    toy_op(&bench->toy, fires ? "reshape" : "exp", type, {"x", x});
}

/* int32 arithmetic between convolutions; unlike it, fp16 arithmetic of the same shape is taken. */
static void int32_between(struct bench *bench, bool fires)
{
    struct toy *toy = &bench->toy;
    mls_value_id x = use_convs(bench, 10, 64, 3);
    struct mls_type whole = TOY_TYPE(fires ? MLS_INT32 : MLS_FP16, 1, 64, 32, 32);
    x = toy_op(toy, fires ? "cast" : "exp", whole, {"x", x});
    x = toy_op(toy, "add", whole, {"x", x}, {"y", x});
    x = toy_op(toy, fires ? "cast" : "exp", IMAGE, {"x", x});
    for (int i = 0; i < 10; i++) {
        mls_value_id weight = toy_constant(toy, TOY_TYPE(MLS_FP16, 64, 64, 3, 3));
        x = toy_op(toy, "conv", IMAGE, {"weight", weight}, {"x", x});
    }
}

static void cut_graph(struct bench *bench, bool fires)
{
    mls_value_id x = use_convs(bench, 1, 64, 3);
    for (int i = 0; i < 20; i++) {
        x = toy_op(&bench->toy, fires ? "acos" : "exp", IMAGE, {"x", x});
        x = toy_op(&bench->toy, "exp", IMAGE, {"x", x});
    }
}

static void wide_image(struct bench *bench, bool fires)
{
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, 3, 128, fires ? 4097 : 4096);
    mls_value_id x = toy_input(&bench->toy, type);
    use_model(bench);
    bench->placed = true;
    toy_op(&bench->toy, "max_pool", type, {"x", x});
}

static void huge_tensor(struct bench *bench, bool fires)
{
    struct toy *toy = &bench->toy;
    int side = fires ? 5568 : 4096;
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, 3, side, side);
    mls_value_id x = toy_input(toy, type);
    use_model(bench);
    bench->placed = true;
    mls_value_id weight = toy_constant(toy, TOY_TYPE(MLS_FP16, 3, 3, 3, 3));
    for (int i = 0; i < 4; i++)
        x = toy_op(toy, "conv", type, {"weight", weight}, {"x", x});
}

static void unit_without_ops(struct bench *bench, bool fires)
{
    fp32_model(bench, fires);
    bench->setting = MLS_COMPUTE_UNITS_CPU_AND_ANE;
}

static void large_on_ane(struct bench *bench, bool fires)
{
    use_convs(bench, 10, 64, 3);
    use_plan(bench, 1, fires ? (uint64_t)400 << 20 : (uint64_t)200 << 20);
}

static void slow_setting(struct bench *bench, bool fires)
{
    use_convs(bench, 60, 64, 3);
    bench->setting = fires ? MLS_COMPUTE_UNITS_CPU_ONLY : MLS_COMPUTE_UNITS_ALL;
    bench->all_settings = true;
}

static void blocks_on_ane(struct bench *bench, bool fires)
{
    use_convs(bench, 20, 64, 3);
    mls_value_id data = toy_constant(&bench->toy, TOY_TYPE(fires ? MLS_INT4 : MLS_INT8, 64, 64));
    toy_op(&bench->toy, "constexpr_blockwise_shift_scale", TOY_TYPE(MLS_FP16, 64, 64), {"data", data});
}

/* A kernel that only the GPU takes, and long enough there. */
static void branch_on_gpu(struct bench *bench, bool fires)
{
    struct toy *toy = &bench->toy;
    mls_value_id x = toy_input(toy, IMAGE);
    use_model(bench);
    bench->placed = true;
    for (int i = 0; i < 6; i++) {
        mls_value_id weight = toy_constant(toy, TOY_TYPE(MLS_FP16, 64, 64, 17, 17));
        x = toy_op(toy, "conv", IMAGE, {"weight", weight}, {"x", x});
    }
    toy_op(toy, fires ? "cond" : "exp", IMAGE, {"x", x});
}

static void two_bit_weights(struct bench *bench, bool fires)
{
    mls_value_id indices = toy_constant(&bench->toy, TOY_TYPE(fires ? MLS_UINT2 : MLS_UINT4, 64, 64));
    use_model(bench);
    toy_op(&bench->toy, "constexpr_lut_to_dense", TOY_TYPE(MLS_FP16, 64, 64), {"indices", indices});
}

static void one_table_each(struct bench *bench, bool fires)
{
    bench->toy.function.opset = fires ? 7 : 8;
    mls_value_id lut = toy_constant(&bench->toy, TOY_TYPE(MLS_FP16, 16));
    use_model(bench);
    toy_op(&bench->toy, "constexpr_lut_to_dense", TOY_TYPE(MLS_FP16, 64, 64), {"lut", lut});
}

static void array_channels_last(struct bench *bench, bool fires)
{
    use_model(bench);
    toy_input(&bench->toy, TOY_TYPE(MLS_FP32, 1, 64, 64, fires ? 3 : 4));
}

static void oldest_target(struct bench *bench, bool fires)
{
    attention(bench, true);
    bench->toy.function.opset = fires ? 5 : 6;
}

static void largest_enumerated(struct bench *bench, bool fires)
{
    use_enumerated(bench, 0, 2);
    bench->toy.shapes[0] = (struct mls_shape){.rank = 2, .dims = {1, 4}};
    bench->toy.shapes[1] = (struct mls_shape){.rank = 2, .dims = {1, fires ? 16 : 15}};
}

static void equal_weights(struct bench *bench, bool fires)
{
    use_model(bench);
    for (unsigned i = 0; i < 2; i++) {
        mls_value_id weight = toy_constant(&bench->toy, TOY_TYPE(MLS_FP16, 1024, 1024));
        struct mls_constant *constant = &bench->toy.constants[weight.i];
        constant->data = bench->bytes[i];
        constant->blob_path = "weights/weight.bin";
    }
    bench->bytes[1][5] = fires ? 0 : 1;
}
