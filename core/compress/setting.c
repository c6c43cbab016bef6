/* setting.c: the compressors' parameters: defaults, checks, what they need. The rules are those of
 * coremltools 9.0. */
#include "compress/setting.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { OPSET_BASIC = 6, OPSET_BLOCKS = 8 };

static enum mls_status wrong(const char *parameter, const char *rule, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_USAGE, "cannot compress: %s %s", parameter, rule);
}

bool mls_compress_mode_parse(const char *text, enum mls_compress_mode *ret_mode)
{
    static const char *const names[] = {
#define X(id, name) name,
        MLS_COMPRESS_MODE_LIST(X)
#undef X
    };
    for (size_t i = 0; i < MLS_COMPRESS_MODE_COUNT; i++) {
        if (!strcasecmp(text, names[i])) {
            *ret_mode = (enum mls_compress_mode)i;
            return true;
        }
    }
    return false;
}

bool mls_granularity_parse(const char *text, enum mls_granularity *ret_granularity)
{
    static const char *const names[] = {
#define X(id, name) name,
        MLS_GRANULARITY_LIST(X)
#undef X
    };
    for (size_t i = 0; i < MLS_GRANULARITY_COUNT; i++) {
        if (!strcasecmp(text, names[i])) {
            *ret_granularity = (enum mls_granularity)i;
            return true;
        }
    }
    return false;
}

/* ---- Palettes -------------------------------------------------------------------------------- */

static const unsigned palette_bits[] = {1, 2, 3, 4, 6, 8};

bool setting_palette_bits(unsigned nbits)
{
    for (size_t i = 0; i < sizeof palette_bits / sizeof *palette_bits; i++)
        if (palette_bits[i] == nbits)
            return true;
    return false;
}

unsigned setting_bits_for(uint64_t n_values)
{
    for (size_t i = 0; i < sizeof palette_bits / sizeof *palette_bits; i++)
        if (n_values <= (uint64_t)1 << palette_bits[i])
            return palette_bits[i];
    return 0;
}

static enum mls_status check_palettize(const struct mls_compress_setting *setting, struct mls_error *reterr)
{
    bool unique = setting->mode == MLS_MODE_UNIQUE;
    if (!unique && setting->mode != MLS_MODE_KMEANS && setting->mode != MLS_MODE_UNIFORM)
        return wrong("mode", "of palettes is one of kmeans, uniform, unique", reterr);
    if (unique ? setting->nbits != 0 : !setting_palette_bits(setting->nbits))
        return wrong("nbits", unique ? "does not go with unique" : "is one of 1, 2, 3, 4, 6, 8", reterr);
    if (setting->granularity != MLS_PER_TENSOR && setting->granularity != MLS_PER_GROUPED_CHANNEL)
        return wrong("granularity", "of palettes is one of per_tensor, per_grouped_channel", reterr);
    if (setting->granularity == MLS_PER_GROUPED_CHANNEL && setting->group_size < 0)
        return wrong("group_size", "is not below 0", reterr);
    if (setting->cluster_dim < 1)
        return wrong("cluster_dim", "is at least 1", reterr);
    if (setting->cluster_dim > 1 && setting->mode == MLS_MODE_UNIFORM)
        return wrong("cluster_dim", "above 1 does not go with uniform", reterr);
    return MLS_OK;
}

static uint32_t opset_palettize(const struct mls_compress_setting *setting)
{
    bool basic = setting->granularity == MLS_PER_TENSOR && setting->cluster_dim == 1 &&
                 !setting->per_channel_scale && setting->nbits != 3;
    return basic ? OPSET_BASIC : OPSET_BLOCKS;
}

static void label_palettize(const struct mls_compress_setting *setting, char *text, size_t size)
{
    static const char *const modes[] = {
        [MLS_MODE_KMEANS] = "kmeans", [MLS_MODE_UNIFORM] = "uniform", [MLS_MODE_UNIQUE] = "unique"};
    char bits[16] = "", group[48] = "per tensor", vector[40] = "";
    if (setting->nbits)
        snprintf(bits, sizeof bits, "%u-bit ", setting->nbits);
    if (setting->granularity == MLS_PER_GROUPED_CHANNEL)
        snprintf(group, sizeof group, "grouped by %lld", (long long)setting->group_size);
    if (setting->cluster_dim > 1)
        snprintf(vector, sizeof vector, ", vectors of %lld", (long long)setting->cluster_dim);
    snprintf(text, size, "%s%s %s%s%s", bits, modes[setting->mode], group, vector,
             setting->per_channel_scale ? ", scaled" : "");
}

/* ---- Linear quantization --------------------------------------------------------------------- */

static enum mls_status check_quantize(const struct mls_compress_setting *setting, struct mls_error *reterr)
{
    if (setting->mode != MLS_MODE_LINEAR && setting->mode != MLS_MODE_LINEAR_SYMMETRIC)
        return wrong("mode", "of quantization is one of linear, linear_symmetric", reterr);
    if (setting->dtype != MLS_INT8 && setting->dtype != MLS_UINT8 && setting->dtype != MLS_INT4 &&
        setting->dtype != MLS_UINT4)
        return wrong("dtype", "is one of int8, uint8, int4, uint4", reterr);
    if (setting->granularity == MLS_PER_GROUPED_CHANNEL)
        return wrong("granularity", "of quantization is one of per_tensor, per_channel, per_block", reterr);
    if (setting->granularity == MLS_PER_BLOCK && setting->block_size < 0)
        return wrong("block_size", "is not below 0", reterr);
    for (unsigned i = 0; i < setting->n_block_sizes; i++)
        if (setting->block_sizes[i] < 0)
            return wrong("block_size", "is not below 0", reterr);
    return MLS_OK;
}

static uint32_t opset_quantize(const struct mls_compress_setting *setting)
{
    bool bytes = setting->dtype == MLS_INT8 || setting->dtype == MLS_UINT8;
    return bytes && setting->granularity != MLS_PER_BLOCK ? OPSET_BASIC : OPSET_BLOCKS;
}

static void label_quantize(const struct mls_compress_setting *setting, char *text, size_t size)
{
    char block[40] = "per block";
    if (!setting->n_block_sizes)
        snprintf(block, sizeof block, "per block of %lld", (long long)setting->block_size);
    snprintf(text, size, "%s%s %s", mls_dtype_name(setting->dtype),
             setting->mode == MLS_MODE_LINEAR ? " linear" : "",
             setting->granularity == MLS_PER_TENSOR    ? "per tensor"
             : setting->granularity == MLS_PER_CHANNEL ? "per channel"
                                                       : block);
}

/* ---- Pruning --------------------------------------------------------------------------------- */

static enum mls_status check_magnitude(const struct mls_compress_setting *setting, struct mls_error *reterr)
{
    bool n_of_m = setting->n_of_m[1] != 0;
    if (!n_of_m && !(setting->target_sparsity >= 0 && setting->target_sparsity <= 1))
        return wrong("target_sparsity", "is a number from 0 to 1", reterr);
    if (n_of_m && (setting->n_of_m[0] < 0 || setting->n_of_m[0] > setting->n_of_m[1]))
        return wrong("n_m_ratio", "is n and m with n not above m", reterr);
    if (n_of_m && setting->block_size)
        return wrong("block_size", "does not go with n_m_ratio", reterr);
    if (setting->block_size < 0 || setting->block_size == 1)
        return wrong("block_size", "of pruning is above 1", reterr);
    if (setting->dim != MLS_AXIS_AUTO && !setting->block_size && !n_of_m)
        return wrong("dim", "goes with block_size or n_m_ratio", reterr);
    if (setting->dim != MLS_AXIS_AUTO && setting->dim != 0 && setting->dim != 1)
        return wrong("dim", "is 0 or 1", reterr);
    return MLS_OK;
}

static void label_magnitude(const struct mls_compress_setting *setting, char *text, size_t size)
{
    if (setting->n_of_m[1])
        snprintf(text, size, "pruned %lld of %lld", (long long)setting->n_of_m[0],
                 (long long)setting->n_of_m[1]);
    else if (setting->block_size)
        snprintf(text, size, "pruned %.4g %% in blocks of %lld", setting->target_sparsity * 100,
                 (long long)setting->block_size);
    else
        snprintf(text, size, "pruned %.4g %%", setting->target_sparsity * 100);
}

static enum mls_status check_threshold(const struct mls_compress_setting *setting, struct mls_error *reterr)
{
    if (!(setting->threshold >= 0))
        return wrong("threshold", "is a number not below 0", reterr);
    if (!(setting->minimum_sparsity >= 0 && setting->minimum_sparsity <= 1))
        return wrong("minimum_sparsity_percentile", "is a number from 0 to 1", reterr);
    return MLS_OK;
}

static void label_threshold(const struct mls_compress_setting *setting, char *text, size_t size)
{
    snprintf(text, size, "pruned up to %g", setting->threshold);
}

static uint32_t opset_prune(const struct mls_compress_setting *setting)
{
    (void)setting;
    return OPSET_BASIC;
}

/* ---- The table ------------------------------------------------------------------------------- */

const struct compressor compressors[MLS_COMPRESSOR_COUNT] = {
    [MLS_COMPRESS_PALETTIZE] = {.defaults = {.compressor = MLS_COMPRESS_PALETTIZE,
                                             .mode = MLS_MODE_KMEANS,
                                             .granularity = MLS_PER_TENSOR,
                                             .group_size = MLS_GROUP_SIZE,
                                             .channel_axis = MLS_AXIS_AUTO,
                                             .cluster_dim = 1,
                                             .weight_threshold = MLS_WEIGHT_THRESHOLD},
                                .check = check_palettize,
                                .opset = opset_palettize,
                                .label = label_palettize,
                                .apply = apply_palettize},
    [MLS_COMPRESS_QUANTIZE] = {.defaults = {.compressor = MLS_COMPRESS_QUANTIZE,
                                            .mode = MLS_MODE_LINEAR_SYMMETRIC,
                                            .dtype = MLS_INT8,
                                            .granularity = MLS_PER_CHANNEL,
                                            .block_size = MLS_BLOCK_SIZE,
                                            .weight_threshold = MLS_WEIGHT_THRESHOLD},
                               .check = check_quantize,
                               .opset = opset_quantize,
                               .label = label_quantize,
                               .apply = apply_quantize},
    [MLS_COMPRESS_MAGNITUDE] = {.defaults = {.compressor = MLS_COMPRESS_MAGNITUDE,
                                             .dim = MLS_AXIS_AUTO,
                                             .weight_threshold = MLS_WEIGHT_THRESHOLD},
                                .check = check_magnitude,
                                .opset = opset_prune,
                                .label = label_magnitude,
                                .apply = apply_magnitude},
    [MLS_COMPRESS_THRESHOLD] = {.defaults = {.compressor = MLS_COMPRESS_THRESHOLD,
                                             .threshold = 1e-12,
                                             .minimum_sparsity = 0.5,
                                             .weight_threshold = MLS_WEIGHT_THRESHOLD},
                                .check = check_threshold,
                                .opset = opset_prune,
                                .label = label_threshold,
                                .apply = apply_threshold},
};

struct mls_compress_setting mls_compress_default(enum mls_compressor compressor)
{
    return compressors[compressor].defaults;
}

enum mls_status mls_compress_check(const struct mls_compress_setting *setting, struct mls_error *reterr)
{
    return compressors[setting->compressor].check(setting, reterr);
}

uint32_t mls_compress_opset(const struct mls_compress_setting *setting, bool joint)
{
    return joint ? OPSET_BLOCKS : compressors[setting->compressor].opset(setting);
}

char *mls_compress_label(const struct mls_compress_setting *setting, char *text, size_t size)
{
    compressors[setting->compressor].label(setting, text, size);
    return text;
}
