/*
 * The rows come from recorded answers of Core ML (public study
 * 751K/Apple-Neural-Engine-Microarchitecture-Study-M6, notes/coreml_dispatch.md and
 * data/03_compile/opdispatch); rows of low confidence are inferred from kinship.
 */
#include "placement/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "graph.h"

enum { ON_GPU = 1u << MLS_UNIT_GPU, ON_ANE = 1u << MLS_UNIT_ANE };

/* Finds the first operand or output that is computed at run time and has this type. */
static const struct mls_value *run_time_value_of(const struct op_view *view, enum mls_dtype dtype)
{
    struct view_place place = {0};
    const struct mls_value *value;
    while ((value = view_next(view, &place)) != NULL) {
        if (value->type.dtype == dtype && !view_constant(view, value))
            return value;
    }
    return NULL;
}

static bool value_named(const struct mls_value *value, char *detail)
{
    if (value == NULL)
        return false;
    char type[96];
    snprintf(detail, REASON_BYTES, "\"%.80s\" is %s", value->name,
             mls_type_format(&value->type, type, sizeof(type)));
    return true;
}

static bool has_int32(const struct op_view *view, const struct placement_limits *limits, char *detail)
{
    (void)limits;
    return value_named(run_time_value_of(view, MLS_INT32), detail);
}

static bool has_fp32(const struct op_view *view, const struct placement_limits *limits, char *detail)
{
    (void)limits;
    /* a cast is how values come from and to fp32 */
    return !view->is_network && strcmp(view->op->type, "cast") != 0 && value_named(run_time_value_of(view, MLS_FP32), detail);
}

static bool has_text(const struct op_view *view, const struct placement_limits *limits, char *detail)
{
    (void)limits;
    return value_named(run_time_value_of(view, MLS_TEXT), detail);
}

static bool has_unknown_shape(const struct op_view *view, const struct placement_limits *limits, char *detail)
{
    (void)limits;
    struct view_place place = {0};
    const struct mls_value *value;
    while ((value = view_next(view, &place)) != NULL) {
        struct mls_type type = view_type(view, value);
        if (type.kind == MLS_KIND_TENSOR && !mls_type_is_static(&type))
            return value_named(value, detail);
    }
    return false;
}

static bool gathers_at_run_time(const struct op_view *view, const struct placement_limits *limits,
                                char *detail)
{
    (void)limits;
    const struct mls_value *indices = view_value(view, "indices", 0);
    return indices != NULL && !view_constant(view, indices) && value_named(indices, detail);
}

static bool boxes_not_uint16(const struct op_view *view, const struct placement_limits *limits, char *detail)
{
    (void)limits;
    const struct mls_value *indices = view_value(view, "box_indices", 0);
    return indices != NULL && indices->type.dtype != MLS_UINT16 && value_named(indices, detail);
}

static bool rank_above(const struct op_view *view, const struct placement_limits *limits, char *detail)
{
    struct view_place place = {0};
    const struct mls_value *value;
    while ((value = view_next(view, &place)) != NULL) {
        if (value->type.rank != MLS_RANK_UNKNOWN && value->type.rank > limits->rank && limits->rank > 0)
            return value_named(value, detail);
    }
    return false;
}

/* Dimensions are read from the last: width, height, (rank 5: depth,) channels, batch, as in the compiler's
 * messages. */
static bool dimension_above(const struct op_view *view, const struct placement_limits *limits, char *detail)
{
    struct view_place place = {0};
    const struct mls_value *value;
    while ((value = view_next(view, &place)) != NULL) {
        struct mls_type type = view_type(view, value);
        if (type.kind != MLS_KIND_TENSOR || type.rank == MLS_RANK_UNKNOWN || type.rank > 5)
            continue;
        const int64_t flat[] = {limits->width, limits->height, limits->channels, limits->batch};
        const int64_t deep[] = {limits->width, limits->height, limits->depth, limits->channels,
                                limits->batch};
        const int64_t *allowed = type.rank == 5 ? deep : flat;
        for (unsigned i = 0; i < type.rank; i++) {
            int64_t dim = type.dims[type.rank - 1 - i];
            if (allowed[i] > 0 && dim > allowed[i]) {
                snprintf(detail, REASON_BYTES,
                         "\"%.80s\" has a dimension of %" PRId64 ", the limit is %" PRId64, value->name, dim,
                         allowed[i]);
                return true;
            }
        }
    }
    return false;
}

static bool matmul_inner_above(const struct op_view *view, const struct placement_limits *limits,
                               char *detail)
{
    const struct mls_value *x = view_value(view, "x", 0);
    if (x == NULL || limits->matmul_inner_bytes == 0)
        return false;
    struct mls_type type = view_type(view, x);
    if (type.rank == MLS_RANK_UNKNOWN || type.rank < 1)
        return false;
    bool transposed = view_true(view, "transpose_x") && type.rank > 1;
    int64_t inner = type.dims[type.rank - (transposed ? 2 : 1)];
    if (inner <= limits->matmul_inner_bytes / 2)
        return false;
    snprintf(detail, REASON_BYTES, "the inner dimension is %" PRId64 ", the limit is %" PRId64, inner,
             limits->matmul_inner_bytes / 2);
    return true;
}

static bool conv_kernel_above(const struct op_view *view, const struct placement_limits *limits, char *detail)
{
    const struct mls_value *weight = view_value(view, "weight", 0);
    if (weight == NULL || weight->type.rank == MLS_RANK_UNKNOWN || weight->type.rank < 3)
        return false;
    unsigned rank = weight->type.rank;
    int64_t width = weight->type.dims[rank - 1];
    int64_t height = rank > 3 ? weight->type.dims[rank - 2] : 1;
    bool square = width == height;
    bool above = square ? limits->conv_square > 0 && width > limits->conv_square
                        : (limits->conv_width > 0 && width > limits->conv_width) ||
                              (limits->conv_height > 0 && height > limits->conv_height);
    if (above)
        snprintf(detail, REASON_BYTES,
                 "the kernel is %" PRId64 " x %" PRId64 " (height x width), the limits are %" PRId64
                 " square, %" PRId64 " high, %" PRId64 " wide",
                 height, width, limits->conv_square, limits->conv_height, limits->conv_width);
    return above;
}

static bool max_pool_kernel_above(const struct op_view *view, const struct placement_limits *limits,
                                  char *detail)
{
    int64_t kernel[VIEW_INTS_MAX];
    size_t n;
    if (limits->max_pool_width == 0 || !view_ints(view, "kernel_sizes", kernel, &n) || n == 0)
        return false;
    int64_t width = kernel[n - 1];
    if (width <= limits->max_pool_width || width == limits->max_pool_width_also)
        return false;
    snprintf(detail, REASON_BYTES,
             "the window is %" PRId64 " wide, the limit is %" PRId64 " (or exactly %" PRId64 ")", width,
             limits->max_pool_width, limits->max_pool_width_also);
    return true;
}

static bool state_not_multiple(const struct op_view *view, const struct placement_limits *limits,
                               char *detail)
{
    struct view_place place = {0};
    const struct mls_value *value;
    while ((value = view_next(view, &place)) != NULL) {
        if (value->type.kind != MLS_KIND_STATE || value->type.rank == MLS_RANK_UNKNOWN ||
            value->type.rank == 0)
            continue;
        int64_t width = value->type.dims[value->type.rank - 1];
        if (limits->state_multiple > 0 && width > 0 && width % limits->state_multiple != 0) {
            snprintf(detail, REASON_BYTES,
                     "the last dimension of state \"%.80s\" is %" PRId64 ", no multiple of %" PRId64,
                     value->name, width, limits->state_multiple);
            return true;
        }
    }
    return false;
}

/* Rows of every profile; a profile's own limits decide those that compare numbers. */
static const struct support_rule COMMON_RULES[] = {
    {.ops = "acos asin atanh tan sinh cosh mod cumsum reduce_prod argsort band_part one_hot gru lstm rnn "
            "random_normal non_zero scatter_along_axis",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_NO_LAYER,
     .reason = "the Neural Engine has no layer for this operation",
     .message = "Unsupported MIL operation",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "random_bernoulli random_categorical random_uniform scatter_nd non_maximum_suppression shape",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_UNRECORDED,
     .reason = "related operations have no layer on the Neural Engine",
     .message = "Unsupported MIL operation",
     .confidence = MLS_CONFIDENCE_LOW},
    {.ops = "scatter",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_NO_LAYER,
     .reason = "this chip's Neural Engine does not scatter",
     .message = "scatter MIL op is currently only supported on uANE targets (u1-u4)",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "sliding_windows",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_NO_LAYER,
     .reason = "the compiler cannot convert this operation for the Neural Engine",
     .message = "MIL converter not implemented.",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "range_1d",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_DYNAMIC,
     .reason = "the length of the output is computed at run time",
     .message = "Failed to retrieve parameter start",
     .change = "make start, end and step constant",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "crop_resize non_zero range_1d sliding_windows affine resize",
     .refused_by = ON_GPU,
     .refusal = MLS_REFUSAL_NO_LAYER,
     .reason = "the GPU was never offered for this operation",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "while_loop cond make_list list_gather list_length list_read list_scatter list_write",
     .refused_by = ON_GPU | ON_ANE,
     .refusal = MLS_REFUSAL_UNRECORDED,
     .reason = "control flow and lists are taken to stay on the CPU; no record says",
     .confidence = MLS_CONFIDENCE_LOW},
    {.ops = "box_suppression categorical_mapping dict_vectorizer feature_convert feature_extractor feature_imputer "
            "feature_normalizer feature_scaler feature_vectorizer glm_classifier glm_regressor item_similarity "
            "nearest_neighbors_classifier one_hot_encoder support_vector_classifier support_vector_regressor "
            "tree_ensemble_classifier tree_ensemble_regressor",
     .refused_by = ON_GPU | ON_ANE,
     .refusal = MLS_REFUSAL_UNRECORDED,
     .last = true,
     .reason = "models that are no networks are taken to be computed on the CPU; no record says",
     .confidence = MLS_CONFIDENCE_MEDIUM},
    {.ops = "classify",
     .refused_by = ON_GPU | ON_ANE,
     .refusal = MLS_REFUSAL_UNRECORDED,
     .reason = "class labels are looked up on the CPU; no record says",
     .confidence = MLS_CONFIDENCE_LOW},
    {.refused_by = ON_GPU | ON_ANE,
     .refusal = MLS_REFUSAL_TYPE,
     .holds = has_text,
     .reason = "strings are handled on the CPU; no record says",
     .confidence = MLS_CONFIDENCE_LOW},
    {.refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_TYPE,
     .holds = has_int32,
     .reason = "the Neural Engine does not take int32 values computed at run time",
     .message = "Unsupported tensor data type: int32",
     .change = "compute it in fp16 or in 16-bit integers, or make it a constant",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_TYPE,
     .holds = has_fp32,
     .reason = "the Neural Engine computes in fp16 and the program asks for fp32",
     .change = "convert with compute_precision=FLOAT16",
     .confidence = MLS_CONFIDENCE_MEDIUM},
    {.ops = "gather",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_DYNAMIC,
     .holds = gathers_at_run_time,
     .reason = "the indices are computed at run time",
     .message = "Unsupported gather index type",
     .change = "make the indices constant, or use gather_along_axis, whose run-time indices are taken",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "crop_resize",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_TYPE,
     .holds = boxes_not_uint16,
     .reason = "box_indices must be uint16",
     .message = "type int32 for \"box_indices\" is not supported. only support UInt16.",
     .change = "give box_indices as uint16",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_DYNAMIC,
     .holds = has_unknown_shape,
     .reason = "a shape is known only at run time",
     .change = "fix the shape: a function for each size that is used",
     .confidence = MLS_CONFIDENCE_MEDIUM},
    {.refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_DIMENSION,
     .holds = rank_above,
     .reason = "the rank is too high",
     .change = "reshape so that no tensor has more than five dimensions",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_DIMENSION,
     .holds = dimension_above,
     .reason = "a dimension is over the Neural Engine's limit",
     .message = "Tensor dimensions … are not within supported range",
     .change = "split the tensor along this dimension",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "matmul",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_WINDOW,
     .holds = matmul_inner_above,
     .reason = "the inner dimension does not fit the Neural Engine's kernel memory",
     .message = "the output channel of input A … can not fit the Kmem",
     .change = "split the product along its inner dimension and add the parts",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "conv",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_WINDOW,
     .holds = conv_kernel_above,
     .reason = "the kernel is too large for the Neural Engine",
     .message = "conv with large kernel does not meet decomposition preconditions",
     .change = "split the kernel into smaller ones and add their results",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "max_pool",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_WINDOW,
     .holds = max_pool_kernel_above,
     .reason = "the pooling window is too wide for the Neural Engine",
     .message = "Invalid Pool kernel width",
     .change = "pool in two steps, the wide direction by windows within the limit",
     .confidence = MLS_CONFIDENCE_HIGH},
    {.ops = "read_state coreml_update_state",
     .refused_by = ON_ANE,
     .refusal = MLS_REFUSAL_DIMENSION,
     .holds = state_not_multiple,
     .reason = "the state's dimensions do not suit the Neural Engine",
     .change = "pad the last dimension of the state to a multiple of 32",
     .confidence = MLS_CONFIDENCE_MEDIUM},
};
enum { N_COMMON_RULES = sizeof(COMMON_RULES) / sizeof(COMMON_RULES[0]) };

/* Operations without a layer, and what computes the same from operations that have one. */
static const struct {
    const char *op;
    const char *change;
} REPLACEMENTS[] = {
    {"acos", "compute it from sqrt, real_div and atan"},
    {"asin", "compute it from sqrt, real_div and atan"},
    {"atanh", "compute it as log((1 + x) / (1 - x)) / 2"},
    {"tan", "compute it as sin / cos"},
    {"sinh", "compute it from exp"},
    {"cosh", "compute it from exp"},
    {"mod", "compute it as x - y * floor_div(x, y)"},
    {"cumsum", "multiply by a constant triangular matrix"},
    {"reduce_prod", "for positive values: exp of reduce_sum of log"},
    {"argsort", "use topk over the whole axis"},
    {"band_part", "multiply by a constant mask"},
    {"one_hot", "compare with a constant range (equal), and cast"},
    {"gru", "for a fixed number of steps: unroll it into linear, sigmoid, tanh and mul"},
    {"lstm", "for a fixed number of steps: unroll it into linear, sigmoid, tanh and mul"},
    {"rnn", "for a fixed number of steps: unroll it into linear and its activation"},
    {"random_normal", "make the noise an input of the model"},
    {"random_uniform", "make the noise an input of the model"},
    {"random_bernoulli", "make the noise an input of the model"},
    {"non_zero", "work with a mask instead of a list of positions"},
    {"scatter", "use select with a mask, or move it to the end of the model"},
    {"scatter_along_axis", "use select with a mask, or move it to the end of the model"},
    {"scatter_nd", "use select with a mask, or move it to the end of the model"},
    {"non_maximum_suppression", "leave it to the application, or to the end of the model"},
};

static const char *replacement_of(const char *op)
{
    for (size_t i = 0; i < sizeof(REPLACEMENTS) / sizeof(REPLACEMENTS[0]); i++) {
        if (strcmp(REPLACEMENTS[i].op, op) == 0)
            return REPLACEMENTS[i].change;
    }
    return NULL;
}

/* "not on ANE: the kernel is too large (the kernel is 17 x 17, ...); the compiler says "..."" */
static const char *reason_text(const struct support_rule *rule, mls_unit_set refused, const char *detail,
                               struct mls_store *store)
{
    const char *units = refused == (ON_GPU | ON_ANE) ? "GPU, ANE" : refused == ON_GPU ? "GPU" : "ANE";
    return mls_store_printf(store, "not on %s: %s%s%s%s%s%s%s", units, rule->reason,
                            detail[0] != '\0' ? " (" : "", detail, detail[0] != '\0' ? ")" : "",
                            rule->message != NULL ? "; the compiler says \"" : "",
                            rule->message != NULL ? rule->message : "", rule->message != NULL ? "\"" : "");
}

static bool apply_rules(const struct mls_placement_profile *profile, const struct support_rule *rules,
                        size_t n_rules, const struct op_view *view, mls_unit_set asked,
                        struct mls_store *store, struct placement_support *support,
                        enum mls_confidence surest[MLS_UNIT_COUNT])
{
    for (size_t i = 0; i < n_rules; i++) {
        const struct support_rule *rule = &rules[i];
        mls_unit_set refused = rule->refused_by & asked;
        char detail[REASON_BYTES] = "";
        if (refused == 0 || (rule->ops != NULL && !graph_has_word(rule->ops, view->op->type)))
            continue;
        if (rule->holds != NULL && !rule->holds(view, &profile->limits, detail))
            continue;
        for (unsigned unit = 0; unit < MLS_UNIT_COUNT; unit++) {
            if ((refused & 1u << unit) != 0 && rule->confidence > surest[unit])
                surest[unit] = rule->confidence;
        }
        if ((refused & ON_ANE) != 0 && (support->units & ON_ANE) != 0)
            support->change = rule->change != NULL ? rule->change : replacement_of(view->op->type);
        support->units &= ~refused;
        support->refusals |= 1u << rule->refusal;
        const char *text = reason_text(rule, refused, detail, store);
        if (text == NULL)
            return false;
        support->reasons[support->n_reasons++] = text;
        if (rule->last)
            break;
    }
    return true;
}

bool placement_support_of(const struct mls_placement_profile *profile, const struct op_view *view,
                          mls_unit_set asked, struct mls_store *store, struct placement_support *ret_support)
{
    struct placement_support support = {.units = asked, .confidence = profile->ceiling};
    /* room for one more reason: the caller's, of preference */
    support.reasons = MLS_STORE_ARRAY(store, profile->n_support + N_COMMON_RULES + 1, const char *);
    if (support.reasons == NULL)
        return false;
    enum mls_confidence surest[MLS_UNIT_COUNT] = {MLS_CONFIDENCE_LOW};
    if (!graph_has_word(profile->costs->free, view->op->type) &&
        (!apply_rules(profile, COMMON_RULES, N_COMMON_RULES, view, asked, store, &support, surest) ||
         !apply_rules(profile, profile->support, profile->n_support, view, asked, store, &support, surest)))
        return false;
    /* an answer is as sure as the surest reason of each unit that refuses */
    for (unsigned unit = 0; unit < MLS_UNIT_COUNT; unit++) {
        bool refused = (asked & ~support.units & 1u << unit) != 0;
        if (refused && surest[unit] < support.confidence)
            support.confidence = surest[unit];
    }
    *ret_support = support;
    return true;
}
