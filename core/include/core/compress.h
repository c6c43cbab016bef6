/*
 * compress.h: makes the weights of a model smaller: palettes, linear quantization, pruning, and joints of these, by the
 * names, defaults and rules of coremltools.optimize.coreml. The result is a package in memory, which can be loaded, run,
 * written or sealed. Nothing here changes the model that is given.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/model.h"

/* One row a compressor: id, coremltools' name of its configuration, short name. */
#define MLS_COMPRESSOR_LIST(X)                                \
    X(PALETTIZE, "OpPalettizerConfig", "palettize")           \
    X(QUANTIZE, "OpLinearQuantizerConfig", "quantize")        \
    X(MAGNITUDE, "OpMagnitudePrunerConfig", "prune")          \
    X(THRESHOLD, "OpThresholdPrunerConfig", "prune-threshold")

enum mls_compressor {
#define X(id, config, name) MLS_COMPRESS_##id,
    MLS_COMPRESSOR_LIST(X)
#undef X
        MLS_COMPRESSOR_COUNT
};

#define MLS_COMPRESS_MODE_LIST(X)             \
    X(KMEANS, "kmeans")                       \
    X(UNIFORM, "uniform")                     \
    X(UNIQUE, "unique")                       \
    X(LINEAR, "linear")                       \
    X(LINEAR_SYMMETRIC, "linear_symmetric")

#define MLS_GRANULARITY_LIST(X)                       \
    X(TENSOR, "per_tensor")                           \
    X(CHANNEL, "per_channel")                         \
    X(GROUPED_CHANNEL, "per_grouped_channel")         \
    X(BLOCK, "per_block")

enum mls_compress_mode {
#define X(id, name) MLS_MODE_##id,
    MLS_COMPRESS_MODE_LIST(X)
#undef X
        MLS_COMPRESS_MODE_COUNT
};

enum mls_granularity {
#define X(id, name) MLS_PER_##id,
    MLS_GRANULARITY_LIST(X)
#undef X
        MLS_GRANULARITY_COUNT
};

enum { MLS_WEIGHT_THRESHOLD = 2048, MLS_GROUP_SIZE = 32, MLS_BLOCK_SIZE = 32 };

/* How one weight is compressed. Members that the compressor does not have are not looked at. */
struct mls_compress_setting {
    enum mls_compressor compressor;
    enum mls_compress_mode mode;
    unsigned nbits;                     /* palettes: 1, 2, 3, 4, 6, 8; 0 with UNIQUE: as many as are needed */
    enum mls_dtype dtype;               /* quantization: INT8, UINT8, INT4, UINT4 */
    enum mls_granularity granularity;
    int64_t group_size;                 /* channels that share a palette */
    int64_t channel_axis;               /* of grouped palettes; MLS_AXIS_AUTO: as the operation has it */
    int64_t cluster_dim;                /* elements that an index stands for; 1: scalar palettes */
    bool per_channel_scale;             /* palettes of weights that were divided by the largest of their channel */
    int64_t block_size;                 /* PER_BLOCK: along the input channels; pruning: of blocks, 0 for none */
    int64_t block_sizes[MLS_RANK_MAX];  /* PER_BLOCK with n_block_sizes: for each axis, 0 for all of it */
    unsigned n_block_sizes;
    bool fall_back;                     /* where channels are no multiple of groups or blocks: one palette, or one scale a
                                           channel, instead of leaving the weight (coremltools leaves it) */
    double target_sparsity;             /* MAGNITUDE: share of zeros, unless n_of_m is set */
    int64_t n_of_m[2];                  /* MAGNITUDE: n zeros of every m, {0, 0} for none */
    int64_t dim;                        /* MAGNITUDE: axis of blocks and n:m; MLS_AXIS_AUTO: 0 and 1 */
    double threshold;                   /* THRESHOLD: what is not larger becomes zero */
    double minimum_sparsity;            /* THRESHOLD: weights with fewer zeros stay as they are */
    uint64_t weight_threshold;          /* weights of more elements are compressed */
};

enum { MLS_AXIS_AUTO = INT32_MIN };

/* mls_compress_mode_parse, mls_granularity_parse: by coremltools' names ("linear_symmetric", "per_block"), in capitals or
 * not; false when there is none. */
bool mls_compress_mode_parse(const char *text, enum mls_compress_mode *ret_mode);
bool mls_granularity_parse(const char *text, enum mls_granularity *ret_granularity);

/* mls_compress_default: coremltools' defaults of a compressor. */
struct mls_compress_setting mls_compress_default(enum mls_compressor compressor);

/* mls_compress_check: USAGE with the parameter that does not fit. */
enum mls_status mls_compress_check(const struct mls_compress_setting *setting, struct mls_error *reterr);

/* mls_compress_opset: the lowest opset whose operations can hold it: 6 or 8. `joint`: on what was compressed before. */
uint32_t mls_compress_opset(const struct mls_compress_setting *setting, bool joint);

/* mls_compress_label: "4-bit kmeans, grouped by 16" into text[size]; returns text. */
char *mls_compress_label(const struct mls_compress_setting *setting, char *text, size_t size);

/* Which weights a rule is for. A later kind wins over an earlier one, as in coremltools. */
enum mls_compress_scope { MLS_SCOPE_GLOBAL, MLS_SCOPE_OP_TYPE, MLS_SCOPE_OP_NAME };

/* A setting for all weights, for those of a type of operation, or for one by the name of its constant or operation. */
struct mls_compress_rule {
    enum mls_compress_scope scope;
    const char *key; /* type or name; borrowed */
    bool leave;      /* these weights stay as they are */
    struct mls_compress_setting setting;
};

/* One compressor run over the model. Later passes work on what the earlier ones left: joint compression. */
struct mls_compress_pass {
    const struct mls_compress_rule *rules;
    size_t n_rules;
};

/* A listener: done and total are elements of weights. Called from any compute thread, one at a time; false cancels. */
struct mls_compress_progress {
    void *user;
    bool (*at)(void *user, uint64_t done, uint64_t total);
};

/* What the inputs of an operation with a weight were like, over the samples of a calibration. */
struct mls_input_statistics {
    const char *weight;   /* name of the weight's value */
    size_t n;             /* input channels */
    size_t n_rows;        /* vectors of channels that were seen */
    const double *squares; /* mean square by input channel */
    const float *moments; /* n x n: sums of products of channels, for linear and 1x1 convolutions; or NULL */
    double low, high;     /* of all elements */
};

struct mls_calibration {
    const struct mls_input_statistics *inputs;
    size_t n_inputs;
};

struct mls_compress_options {
    const struct mls_compress_pass *passes;
    size_t n_passes;
    bool joint;          /* weights that are compressed already are compressed further, by what they do not have yet */
    const struct mls_calibration *calibration; /* palettes weigh errors by it, rounding makes up for them; or NULL */
    bool quantize_activations; /* int8 inputs of linear and conv by the ranges of the calibration (opset 7) */
    bool decompress;     /* instead of passes: every compressed weight becomes plain */
    uint32_t opset;      /* of the result at least; 0: the model's, or what the settings need */
    bool opset_fixed;    /* refuse settings that need a higher opset than `opset` (or the model's) */
    uint32_t threads;    /* 0: mls_cpu_count() */
    const struct mls_compress_progress *progress; /* or NULL */
};

/* What became of one weight. Names are borrowed from the model. */
struct mls_compressed_weight {
    const char *name;     /* of the operation that gives it */
    const char *function;
    const char *op_type;  /* of its first user */
    const char *op_name;
    struct mls_type type; /* as its users see it */
    uint64_t from_bytes;
    uint64_t to_bytes;    /* palettes, scales and masks included */
    double snr_db;        /* of the elements; INFINITY when none changed */
    double signal;        /* sum of squares of the elements before */
    double noise;         /* sum of squares of the differences */
    double sparsity;      /* share of zeros afterwards */
    char method[64];      /* "" when it stays as it was */
    const char *skipped_because; /* or NULL */
    bool shared;          /* another weight of the list is the same constant: its bytes are counted there */
};

struct mls_compressed {
    struct mls_package *package; /* the result; a reference of the result's own */
    struct mls_compressed_weight *weights;
    size_t n_weights;
    uint64_t from_bytes; /* all constants, compressed or not */
    uint64_t to_bytes;
    double snr_db;       /* over the elements of all compressed weights */
    uint32_t from_opset; /* highest of the functions */
    uint32_t to_opset;
    uint64_t elapsed_ns;
    struct mls_arena *arena;
};

/*
 * mls_compress: compresses the weights of all functions. The model must be one of a package that has its specification
 * (not of a compiled one). USAGE when settings do not fit the opset, CANCELLED by the listener.
 */
enum mls_status mls_compress(const struct mls_model *model, const struct mls_compress_options *options,
                             struct mls_compressed **ret_compressed, struct mls_error *reterr);
void mls_compressed_free(struct mls_compressed *compressed);

/* A configuration file of coremltools: one pass. */
struct mls_compress_config;

/* mls_compress_config_read: the YAML file at `path`. USAGE with the line and key that are wrong. */
enum mls_status mls_compress_config_read(const char *path, struct mls_compress_config **ret_config,
                                         struct mls_error *reterr);
struct mls_compress_pass mls_compress_config_pass(const struct mls_compress_config *config);
void mls_compress_config_free(struct mls_compress_config *config);
