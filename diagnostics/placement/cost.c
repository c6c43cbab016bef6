/*
 * The estimates of Core ML's segmenter as formulas, fitted to the records of the public study named in
 * support.c. Rates are units of work for each microsecond: bytes or FLOPs; 1e3 is 1 GB/s or 1 GFLOP/s.
 */
#include "placement/profile.h"

#include <math.h>

#include "graph.h"

/* The dedicated formulas count two bytes for every element, whatever its type. */
enum { COUNTED_BYTES = 2 };

/* About 30 years: keeps sums finite whatever dimensions a file names. */
#define ESTIMATE_US_MAX 1e15

static double all_bytes(const struct op_view *view)
{
    struct view_place place = {0};
    const struct mls_value *value;
    double bytes = 0;
    /* stops before the second output */
    while (place.output == 0 && (value = view_next(view, &place)) != NULL)
        bytes += view_bytes(view, value);
    return bytes;
}

static double output_elems(const struct op_view *view)
{
    return view_elems(view, view_output(view, 0));
}

static double named_elems(const struct op_view *view, const char *name)
{
    return view_elems(view, view_value(view, name, 0));
}

static double x_and_output_work(const struct op_view *view)
{
    return COUNTED_BYTES * (named_elems(view, "x") + output_elems(view));
}

static double x_and_y_work(const struct op_view *view)
{
    return COUNTED_BYTES * (named_elems(view, "x") + named_elems(view, "y"));
}

static double values_work(const struct op_view *view)
{
    double elems = 0;
    const struct mls_value *value;
    for (uint32_t i = 0; (value = view_value(view, "values", i)) != NULL; i++)
        elems += view_elems(view, value);
    return COUNTED_BYTES * elems;
}

static double gather_work(const struct op_view *view)
{
    enum { SCALARS = 3 }; /* axis, batch_dims, validate_indices */
    return COUNTED_BYTES * (named_elems(view, "x") + named_elems(view, "indices") + SCALARS);
}

static bool moves_first_axis(const struct op_view *view)
{
    int64_t perm[VIEW_INTS_MAX];
    size_t n;
    return view_ints(view, "perm", perm, &n) && n > 0 && perm[0] != 0 && perm[0] != -(int64_t)n;
}

/* conv: weight is [out, in/groups, ...]; conv_transpose: [in, out/groups, ...], counted at the output's
 * positions. */
static double conv_flops(const struct op_view *view)
{
    const struct mls_value *output = view_output(view, 0);
    double channels = 1;
    if (output != NULL && output->type.rank != MLS_RANK_UNKNOWN && output->type.rank > 1) {
        int64_t declared = view_type(view, output).dims[1];
        channels = declared > 0 ? (double)declared : 1.0;
    }
    double flops = 2 * named_elems(view, "weight") * output_elems(view) / channels;
    int64_t dilations[VIEW_INTS_MAX];
    size_t n = 0;
    if (view_ints(view, "dilations", dilations, &n)) {
        for (size_t i = 0; i < n; i++)
            flops /= dilations[i] > 1 ? (double)dilations[i] : 1.0;
    }
    return flops;
}

static double conv_intensity(const struct op_view *view)
{
    double bytes =
        COUNTED_BYTES * (named_elems(view, "x") + named_elems(view, "weight") + output_elems(view));
    return bytes > 0 ? conv_flops(view) / bytes : 0;
}

static double last_dim(const struct op_view *view, const char *name, unsigned from_end)
{
    const struct mls_value *value = view_value(view, name, 0);
    if (value == NULL)
        return 1;
    struct mls_type type = view_type(view, value);
    if (type.rank == MLS_RANK_UNKNOWN || type.rank < from_end || type.dims[type.rank - from_end] < 1)
        return 1;
    return (double)type.dims[type.rank - from_end];
}

static double linear_flops(const struct op_view *view)
{
    return 2 * output_elems(view) * last_dim(view, "x", 1);
}

static double matmul_flops(const struct op_view *view)
{
    bool transpose_x = view_true(view, "transpose_x");
    double flops = 2 * output_elems(view) * last_dim(view, "x", transpose_x ? 2 : 1);
    if (transpose_x)
        flops += named_elems(view, "x");
    if (view_true(view, "transpose_y"))
        flops += named_elems(view, "y");
    return flops;
}

static double kernel_area(const struct op_view *view)
{
    int64_t kernel[VIEW_INTS_MAX];
    size_t n = 0;
    double area = 1;
    if (view_ints(view, "kernel_sizes", kernel, &n)) {
        for (size_t i = 0; i < n; i++)
            area *= (double)kernel[i];
    }
    return area;
}

static double pool_flops(const struct op_view *view)
{
    return kernel_area(view) * output_elems(view);
}

static double gelu_flops(const struct op_view *view)
{
    return 78 * output_elems(view);
}

static double rnn_flops(const struct op_view *view)
{
    return 8357 * output_elems(view);
}

static double gru_flops(const struct op_view *view)
{
    return 25072 * output_elems(view);
}

static double lstm_flops(const struct op_view *view)
{
    return 3.5134e8 * output_elems(view);
}

static double input_and_output_bytes(const struct op_view *view)
{
    return view_bytes(view, view_value(view, "x", 0)) + view_bytes(view, view_output(view, 0));
}

static double pool_bytes(const struct op_view *view)
{
    return input_and_output_bytes(view) + 4 * kernel_area(view);
}

static double stack_bytes(const struct op_view *view)
{
    return view_bytes(view, view_value(view, "values", 0)) + view_bytes(view, view_output(view, 0));
}

/* Rates by back end. The GPU's were never recorded: they are guesses from its published peak and bandwidth.
 */
#define RATES(ane, bnns, classic, gpu)                                                             \
    {                                                                                              \
        [MLS_BACKEND_ANE] = (ane), [MLS_BACKEND_BNNS] = (bnns), [MLS_BACKEND_CLASSIC] = (classic), \
        [MLS_BACKEND_GPU] = (gpu)                                                                  \
    }

static const struct cost_rule M4_COST_RULES[] = {
    {.ops = "relu",
     .work = x_and_output_work,
     .bands = {{HUGE_VAL, RATES(100e3, 100e3, 100e3, 100e3)}},
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "add sub",
     .work = x_and_y_work,
     .bands = {{HUGE_VAL, RATES(35.9805e3, 21.1222e3, 18.3636e3, 0)}},
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "mul",
     .work = x_and_y_work,
     .bands = {{HUGE_VAL, RATES(43e3, 11.5022e3, 10e3, 0)}},
     .confidence = MLS_CONFIDENCE_MEDIUM},
    {.ops = "concat",
     .work = values_work,
     .bands = {{HUGE_VAL, RATES(100e3, 11.5022e3, 10e3, 0)}},
     .confidence = MLS_CONFIDENCE_MEDIUM},
    {.ops = "gather",
     .work = gather_work,
     .bands = {{HUGE_VAL, RATES(0, 23.0044e3, 20e3, 0)}},
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "transpose",
     .applies = moves_first_axis,
     .work = all_bytes,
     .bands = {{HUGE_VAL, RATES(45.7131e3, 3.75094e3, 3.26107e3, 0)}},
     .confidence = MLS_CONFIDENCE_MEDIUM},
    {.ops = "transpose",
     .work = all_bytes,
     .bands = {{HUGE_VAL, RATES(68.8747e3, 87.4863e3, 76.0606e3, 0)}},
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "upsample_bilinear",
     .work = x_and_output_work,
     .bands = {{HUGE_VAL, RATES(198.288e3, 1.31170e3, 1.14039e3, 0)}},
     .confidence = MLS_CONFIDENCE_MEDIUM},
    {.ops = "conv",
     .work = conv_flops,
     .intensity = conv_intensity,
     .bands = {{10, RATES(471.18e3, 27.085e3, 23.548e3, 200e3)},
               {60, RATES(7160.83e3, 388.061e3, 337.381e3, 1500e3)},
               {HUGE_VAL, RATES(16151.68e3, 754.493e3, 655.956e3, 3000e3)}},
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "conv_transpose",
     .work = conv_flops,
     .intensity = conv_intensity,
     .bands = {{160, RATES(37832e3, 211.660e3, 184.018e3, 1500e3)},
               {HUGE_VAL, RATES(15205e3, 63.1425e3, 54.8961e3, 3000e3)}},
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "linear",
     .work = linear_flops,
     .bands = {{HUGE_VAL, RATES(10580.9e3, 335.506e3, 291.689e3, 1500e3)}},
     .confidence = MLS_CONFIDENCE_LOW},
};

static const struct flops_rule M4_FLOPS_RULES[] = {
    {"matmul", matmul_flops, MLS_CONFIDENCE_HIGH}, {"max_pool avg_pool", pool_flops, MLS_CONFIDENCE_HIGH},
    {"gelu", gelu_flops, MLS_CONFIDENCE_HIGH},     {"rnn", rnn_flops, MLS_CONFIDENCE_LOW},
    {"gru", gru_flops, MLS_CONFIDENCE_LOW},        {"lstm", lstm_flops, MLS_CONFIDENCE_LOW},
};

static const struct bytes_rule M4_BYTES_RULES[] = {
    {"max_pool avg_pool", pool_bytes},
    {"layer_norm batch_norm", input_and_output_bytes},
    {"stack", stack_bytes},
};

const struct placement_costs PLACEMENT_M4_COSTS = {
    .rules = M4_COST_RULES,
    .n_rules = sizeof(M4_COST_RULES) / sizeof(M4_COST_RULES[0]),
    .flops = M4_FLOPS_RULES,
    .n_flops = sizeof(M4_FLOPS_RULES) / sizeof(M4_FLOPS_RULES[0]),
    .bytes = M4_BYTES_RULES,
    .n_bytes = sizeof(M4_BYTES_RULES) / sizeof(M4_BYTES_RULES[0]),
    .bytes_per_us = RATES(73.0144e3, 60.8454e3, 60.8454e3, 100e3),
    .flops_per_us = RATES(0, 754.543e3, 656.0e3, 0),
    .recorded =
        "abs acos affine argsort asin atan atanh avg_pool band_part batch_norm batch_to_space cast ceil clip "
        "cos cosh "
        "crop_resize cumsum depth_to_space dequantize elu equal erf exp exp2 expand_dims fill_like floor "
        "floor_div "
        "gather_along_axis gather_nd gelu greater greater_equal instance_norm inverse l2_norm l2_pool "
        "layer_norm "
        "leaky_relu less less_equal linear_activation local_response_norm log logical_and matmul max_pool "
        "maximum "
        "minimum mod non_zero not_equal one_hot pad pixel_shuffle pixel_unshuffle pow quantize random_normal "
        "range_1d "
        "real_div reduce_argmax reduce_l1_norm reduce_l2_norm reduce_log_sum reduce_log_sum_exp reduce_max "
        "reduce_mean "
        "reduce_min reduce_prod reduce_sum reduce_sum_square relu6 resample reshape resize resize_bilinear "
        "resize_nearest_neighbor reverse round rsqrt scaled_dot_product_attention scaled_tanh scatter "
        "scatter_along_axis select sigmoid sigmoid_hard sign silu sin sinh slice_by_index slice_by_size "
        "sliding_windows softmax softplus softsign space_to_batch space_to_depth split sqrt square squeeze "
        "stack tan "
        "tanh thresholded_relu tile topk upsample_nearest_neighbor",
    .free =
        "constexpr_affine_dequantize constexpr_blockwise_shift_scale constexpr_cast constexpr_lut_to_dense "
        "constexpr_lut_to_sparse constexpr_sparse_blockwise_shift_scale constexpr_sparse_to_dense identity",
    .gpu_never = "gru lstm rnn",
};

/* The memory formula: the bytes at the bandwidth, or the FLOPs at the peak, whichever takes longer. */
static enum mls_confidence memory_estimate(const struct placement_costs *costs, const struct op_view *view,
                                           double ret_us[MLS_BACKEND_COUNT])
{
    const char *type = view->op->type;
    double bytes = -1;
    double flops = 0;
    enum mls_confidence confidence =
        graph_has_word(costs->recorded, type) ? MLS_CONFIDENCE_HIGH : MLS_CONFIDENCE_LOW;
    for (size_t i = 0; i < costs->n_bytes; i++) {
        if (graph_has_word(costs->bytes[i].ops, type))
            bytes = costs->bytes[i].bytes(view);
    }
    if (bytes < 0)
        bytes = all_bytes(view);
    for (size_t i = 0; i < costs->n_flops; i++) {
        if (graph_has_word(costs->flops[i].ops, type)) {
            flops = costs->flops[i].flops(view);
            confidence = costs->flops[i].confidence;
        }
    }
    for (unsigned i = 0; i < MLS_BACKEND_COUNT; i++) {
        double bandwidth_us = bytes / costs->bytes_per_us[i];
        double peak_us = costs->flops_per_us[i] > 0 ? flops / costs->flops_per_us[i] : 0;
        ret_us[i] = bandwidth_us > peak_us ? bandwidth_us : peak_us;
    }
    return confidence;
}

static const struct cost_rule *find_rule(const struct placement_costs *costs, const struct op_view *view)
{
    for (size_t i = 0; i < costs->n_rules; i++) {
        const struct cost_rule *rule = &costs->rules[i];
        if (graph_has_word(rule->ops, view->op->type) && (rule->applies == NULL || rule->applies(view)))
            return rule;
    }
    return NULL;
}

enum mls_confidence placement_estimate(const struct mls_placement_profile *profile,
                                       const struct op_view *view, double ret_us[MLS_BACKEND_COUNT])
{
    const struct placement_costs *costs = profile->costs;
    enum mls_confidence confidence;
    if (graph_has_word(costs->free, view->op->type)) {
        for (unsigned i = 0; i < MLS_BACKEND_COUNT; i++)
            ret_us[i] = 0;
        confidence = MLS_CONFIDENCE_HIGH;
    } else {
        confidence = memory_estimate(costs, view, ret_us);
        const struct cost_rule *rule = find_rule(costs, view);
        if (rule != NULL) {
            double work = rule->work(view);
            double intensity = rule->intensity != NULL ? rule->intensity(view) : 0;
            const struct cost_band *band = rule->bands;
            while (intensity >= band->below && band->below < HUGE_VAL)
                band++;
            for (unsigned i = 0; i < MLS_BACKEND_COUNT; i++) {
                if (band->rate[i] > 0)
                    ret_us[i] = work / band->rate[i];
            }
            confidence = rule->confidence;
        }
    }
    /* bnns multiplies no integers: "matmul op requires input types to be FP16, BF16 or FP32" */
    const struct mls_value *x = view_value(view, "x", 0);
    if (graph_has_word("matmul", view->op->type) && x != NULL && x->type.dtype == MLS_INT32)
        ret_us[MLS_BACKEND_BNNS] = -1;
    if (graph_has_word(costs->gpu_never, view->op->type))
        ret_us[MLS_BACKEND_GPU] = -1;
    for (unsigned i = 0; i < MLS_BACKEND_COUNT; i++) {
        if (!(ret_us[i] <= ESTIMATE_US_MAX))
            ret_us[i] = ESTIMATE_US_MAX;
    }
    return confidence < profile->ceiling ? confidence : profile->ceiling;
}
