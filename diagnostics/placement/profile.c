#include "placement/profile.h"

#include <string.h>

/* What older chips and systems refuse beyond the common rows. */
static const struct support_rule OLDER_RULES[] = {
    {.ops = "topk gather_nd",
     .refused_by = 1u << MLS_UNIT_ANE,
     .refusal = MLS_REFUSAL_NO_LAYER,
     .reason = "older chips and systems have no such layer on the Neural Engine",
     .confidence = MLS_CONFIDENCE_LOW},
    {.ops = "gather_along_axis resample scaled_dot_product_attention",
     .refused_by = 1u << MLS_UNIT_ANE,
     .refusal = MLS_REFUSAL_UNRECORDED,
     .reason = "not known to run on older Neural Engines",
     .confidence = MLS_CONFIDENCE_LOW},
};

static const struct mls_placement_profile PROFILES[] = {
    {.name = "M4, macOS 27",
     .source = "records of MLComputePlan and of the compiler's segmenter on an M4 Mac with macOS 27.0.1, "
               "fp16 (public study "
               "751K/Apple-Neural-Engine-Microarchitecture-Study-M6); other chips and systems differ",
     .limits = {.width = 65536,
                .height = 65536,
                .depth = 65536,
                .channels = 65536,
                .batch = 65536,
                .rank = 5,
                .matmul_inner_bytes = 65536,
                .conv_square = 16,
                .conv_width = 15,
                .conv_height = 31,
                .max_pool_width = 8,
                .max_pool_width_also = 32},
     .costs = &PLACEMENT_M4_COSTS,
     .launch_us = {[MLS_UNIT_ANE] = 125, [MLS_UNIT_GPU] = 1000},
     .change_us = 125,
     .output_us = {[MLS_UNIT_ANE] = 125},
     .ceiling = MLS_CONFIDENCE_HIGH},
    {.name = "older chips, conservative",
     .source = "limits named in older guidance and in compiler messages of earlier systems; times are those "
               "of the M4 "
               "profile, so shares are rough",
     .limits = {.width = 16384,
                .height = 16384,
                .depth = 16384,
                .channels = 65536,
                .batch = 65536,
                .rank = 5,
                .matmul_inner_bytes = 32768,
                .conv_square = 13,
                .conv_width = 13,
                .conv_height = 13,
                .max_pool_width = 8,
                .state_multiple = 32},
     .support = OLDER_RULES,
     .n_support = sizeof(OLDER_RULES) / sizeof(OLDER_RULES[0]),
     .costs = &PLACEMENT_M4_COSTS,
     .launch_us = {[MLS_UNIT_ANE] = 125, [MLS_UNIT_GPU] = 1000},
     .change_us = 125,
     .output_us = {[MLS_UNIT_ANE] = 125},
     .ceiling = MLS_CONFIDENCE_LOW},
};

size_t mls_placement_profile_count(void)
{
    return sizeof(PROFILES) / sizeof(PROFILES[0]);
}

const struct mls_placement_profile *mls_placement_profile_at(size_t index)
{
    return index < mls_placement_profile_count() ? &PROFILES[index] : NULL;
}

const struct mls_placement_profile *mls_placement_profile_find(const char *name)
{
    for (size_t i = 0; i < mls_placement_profile_count(); i++) {
        if (strcmp(PROFILES[i].name, name) == 0)
            return &PROFILES[i];
    }
    return NULL;
}

const char *mls_placement_profile_name(const struct mls_placement_profile *profile)
{
    return profile->name;
}

const char *mls_placement_profile_source(const struct mls_placement_profile *profile)
{
    return profile->source;
}
