/* config.c: configuration files as coremltools' OptimizationConfig.from_yaml reads them. */
#include "core/compress.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/arena.h"

struct mls_compress_config {
    struct mls_arena *arena; /* owner of it all */
    struct mls_compress_rule *rules;
    size_t n_rules;
};

/* A file that is being read. */
struct reader {
    const char *path;
    yaml_document_t document;
    struct mls_compress_config *config;
    enum mls_compressor compressor; /* of configurations that name none */
    struct mls_error *reterr;
};

enum { RULES_MAX = 1 << 16 };

static enum mls_status wrong(const struct reader *reader, const yaml_node_t *node, const char *what,
                             const char *rule)
{
    return mls_fail(reader->reterr, MLS_ERR_USAGE, "cannot read %s: line %zu: %s %s", reader->path,
                    node ? node->start_mark.line + 1 : 1, what, rule);
}

static const char *text_of(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static bool is_null(const yaml_node_t *node)
{
    const char *text = text_of(node);
    return text && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || !strcmp(text, "~") || !strcmp(text, "null") || !strcmp(text, "Null") ||
            !strcmp(text, "NULL"));
}

/* ---- Values ---------------------------------------------------------------------------------- */

static bool read_number(const yaml_node_t *node, double *ret)
{
    const char *text = text_of(node);
    char *end;
    errno = 0;
    double number = text ? strtod(text, &end) : 0;
    if (!text || !*text || *end || errno || !isfinite(number))
        return false;
    *ret = number;
    return true;
}

static bool read_whole(const yaml_node_t *node, int64_t *ret)
{
    double number;
    if (!read_number(node, &number) || number != floor(number) || fabs(number) > 1e9)
        return false;
    *ret = (int64_t)number;
    return true;
}

static bool read_truth(const yaml_node_t *node, bool *ret)
{
    static const struct {
        const char *text;
        bool truth;
    } words[] = {{"true", true},   {"True", true},   {"yes", true}, {"on", true},
                 {"false", false}, {"False", false}, {"no", false}, {"off", false}};
    const char *text = text_of(node);
    for (size_t i = 0; text && i < sizeof words / sizeof *words; i++) {
        if (!strcmp(text, words[i].text)) {
            *ret = words[i].truth;
            return true;
        }
    }
    return false;
}

static size_t read_wholes(const struct reader *reader, const yaml_node_t *node, int64_t *ret, size_t max)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return 0;
    size_t n = 0;
    yaml_document_t *document = (yaml_document_t *)(uintptr_t)&reader->document;
    for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
         item++)
        if (n == max || !read_whole(yaml_document_get_node(document, *item), &ret[n++]))
            return 0;
    return n;
}

/* ---- Parameters, one row each ---------------------------------------------------------------- */

#define FOR(id) (1u << MLS_COMPRESS_##id)

static bool set_mode(const struct reader *reader, const yaml_node_t *node,
                     struct mls_compress_setting *setting)
{
    (void)reader;
    return text_of(node) && mls_compress_mode_parse(text_of(node), &setting->mode);
}

static bool set_nbits(const struct reader *reader, const yaml_node_t *node,
                      struct mls_compress_setting *setting)
{
    (void)reader;
    int64_t nbits = 0;
    bool read = is_null(node) || read_whole(node, &nbits);
    setting->nbits = nbits >= 0 && nbits <= 8 ? (unsigned)nbits : UINT32_MAX;
    return read;
}

static bool set_dtype(const struct reader *reader, const yaml_node_t *node,
                      struct mls_compress_setting *setting)
{
    (void)reader;
    const char *text = text_of(node);
    setting->dtype = text ? mls_dtype_parse(text) : MLS_NONE;
    return text != NULL;
}

static bool set_granularity(const struct reader *reader, const yaml_node_t *node,
                            struct mls_compress_setting *setting)
{
    (void)reader;
    return text_of(node) && mls_granularity_parse(text_of(node), &setting->granularity);
}

static bool set_group_size(const struct reader *reader, const yaml_node_t *node,
                           struct mls_compress_setting *setting)
{
    (void)reader;
    return read_whole(node, &setting->group_size);
}

static bool set_channel_axis(const struct reader *reader, const yaml_node_t *node,
                             struct mls_compress_setting *setting)
{
    (void)reader;
    return is_null(node) || read_whole(node, &setting->channel_axis);
}

static bool set_cluster_dim(const struct reader *reader, const yaml_node_t *node,
                            struct mls_compress_setting *setting)
{
    (void)reader;
    return read_whole(node, &setting->cluster_dim);
}

static bool set_per_channel_scale(const struct reader *reader, const yaml_node_t *node,
                                  struct mls_compress_setting *setting)
{
    (void)reader;
    return read_truth(node, &setting->per_channel_scale);
}

static bool set_block_size(const struct reader *reader, const yaml_node_t *node,
                           struct mls_compress_setting *setting)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return is_null(node) || read_whole(node, &setting->block_size);
    setting->n_block_sizes = (unsigned)read_wholes(reader, node, setting->block_sizes, MLS_RANK_MAX);
    return setting->n_block_sizes != 0 && setting->compressor == MLS_COMPRESS_QUANTIZE;
}

static bool set_target_sparsity(const struct reader *reader, const yaml_node_t *node,
                                struct mls_compress_setting *setting)
{
    (void)reader;
    return is_null(node) || read_number(node, &setting->target_sparsity);
}

static bool set_n_m_ratio(const struct reader *reader, const yaml_node_t *node,
                          struct mls_compress_setting *setting)
{
    return is_null(node) || read_wholes(reader, node, setting->n_of_m, 2) == 2;
}

static bool set_dim(const struct reader *reader, const yaml_node_t *node,
                    struct mls_compress_setting *setting)
{
    (void)reader;
    return is_null(node) || read_whole(node, &setting->dim);
}

static bool set_threshold(const struct reader *reader, const yaml_node_t *node,
                          struct mls_compress_setting *setting)
{
    (void)reader;
    return read_number(node, &setting->threshold);
}

static bool set_minimum_sparsity(const struct reader *reader, const yaml_node_t *node,
                                 struct mls_compress_setting *setting)
{
    (void)reader;
    return read_number(node, &setting->minimum_sparsity);
}

static bool set_weight_threshold(const struct reader *reader, const yaml_node_t *node,
                                 struct mls_compress_setting *setting)
{
    (void)reader;
    int64_t threshold;
    if (!read_whole(node, &threshold) || threshold < 0)
        return false;
    setting->weight_threshold = (uint64_t)threshold;
    return true;
}

static bool set_nothing(const struct reader *reader, const yaml_node_t *node,
                        struct mls_compress_setting *setting)
{
    (void)reader;
    (void)node;
    (void)setting;
    return true;
}

static const struct {
    const char *key;
    unsigned compressors;
    const char *rule; /* said of values that do not fit */
    bool (*set)(const struct reader *reader, const yaml_node_t *node, struct mls_compress_setting *setting);
} parameters[] = {
    {"mode", FOR(PALETTIZE) | FOR(QUANTIZE), "is no mode that a file can have", set_mode},
    {"nbits", FOR(PALETTIZE), "is no number of bits", set_nbits},
    {"dtype", FOR(QUANTIZE), "is no element type", set_dtype},
    {"granularity", FOR(PALETTIZE) | FOR(QUANTIZE), "is no granularity", set_granularity},
    {"group_size", FOR(PALETTIZE), "is no whole number", set_group_size},
    {"channel_axis", FOR(PALETTIZE), "is no axis", set_channel_axis},
    {"cluster_dim", FOR(PALETTIZE), "is no whole number", set_cluster_dim},
    {"enable_per_channel_scale", FOR(PALETTIZE), "is neither true nor false", set_per_channel_scale},
    {"num_kmeans_workers", FOR(PALETTIZE), "", set_nothing},
    {"block_size", FOR(QUANTIZE) | FOR(MAGNITUDE), "is no size of blocks", set_block_size},
    {"target_sparsity", FOR(MAGNITUDE), "is no number", set_target_sparsity},
    {"n_m_ratio", FOR(MAGNITUDE), "is no list of two whole numbers", set_n_m_ratio},
    {"dim", FOR(MAGNITUDE), "is no axis", set_dim},
    {"threshold", FOR(THRESHOLD), "is no number", set_threshold},
    {"minimum_sparsity_percentile", FOR(THRESHOLD), "is no number", set_minimum_sparsity},
    {"weight_threshold", FOR(PALETTIZE) | FOR(QUANTIZE) | FOR(MAGNITUDE) | FOR(THRESHOLD),
     "is no whole number, 0 or more", set_weight_threshold},
};

static enum mls_status read_parameter(const struct reader *reader, const yaml_node_t *key,
                                      const yaml_node_t *node, struct mls_compress_setting *setting)
{
    const char *name = text_of(key);
    for (size_t i = 0; name && i < sizeof parameters / sizeof *parameters; i++) {
        if (strcmp(name, parameters[i].key) || !(parameters[i].compressors & 1u << setting->compressor))
            continue;
        return parameters[i].set(reader, node, setting) ? MLS_OK
                                                        : wrong(reader, node, name, parameters[i].rule);
    }
    return wrong(reader, key, name ? name : "a key", "is no parameter of this configuration");
}

/* ---- Configurations -------------------------------------------------------------------------- */

static bool parse_config_type(const char *text, enum mls_compressor *ret_compressor)
{
    static const char *const names[] = {
#define X(id, config, name) [MLS_COMPRESS_##id] = config,
        MLS_COMPRESSOR_LIST(X)
#undef X
    };
    for (size_t i = 0; text && i < MLS_COMPRESSOR_COUNT; i++) {
        if (!strcmp(text, names[i])) {
            *ret_compressor = (enum mls_compressor)i;
            return true;
        }
    }
    return false;
}

static yaml_node_t *find_key(const struct reader *reader, const yaml_node_t *mapping, const char *key)
{
    yaml_document_t *document = (yaml_document_t *)(uintptr_t)&reader->document;
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const char *text = text_of(yaml_document_get_node(document, pair->key));
        if (text && !strcmp(text, key))
            return yaml_document_get_node(document, pair->value);
    }
    return NULL;
}

static enum mls_status read_rule(struct reader *reader, const yaml_node_t *node,
                                 enum mls_compress_scope scope, const char *key)
{
    struct mls_compress_config *config = reader->config;
    struct mls_compress_rule *rule = &config->rules[config->n_rules];
    *rule = (struct mls_compress_rule){.scope = scope, .leave = is_null(node)};
    rule->key = key ? mls_arena_text(config->arena, key, strlen(key)) : NULL;
    if (key && !rule->key)
        return mls_fail(reader->reterr, MLS_ERR_MEMORY, "cannot read %s: out of memory", reader->path);
    config->n_rules++;
    if (rule->leave)
        return MLS_OK;
    if (node->type != YAML_MAPPING_NODE)
        return wrong(reader, node, key ? key : "global_config", "is no mapping");
    enum mls_compressor compressor = reader->compressor;
    const yaml_node_t *type = find_key(reader, node, "config_type");
    if (type && !parse_config_type(text_of(type), &compressor))
        return wrong(reader, type, "config_type", "is no configuration that mlscope knows");
    rule->setting = mls_compress_default(compressor);
    enum mls_status status = MLS_OK;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         !status && pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(&reader->document, pair->key);
        if (!text_of(name) || strcmp(text_of(name), "config_type"))
            status = read_parameter(reader, name, yaml_document_get_node(&reader->document, pair->value),
                                    &rule->setting);
    }
    return status ? status : mls_compress_check(&rule->setting, reader->reterr);
}

static enum mls_status read_rules(struct reader *reader, const yaml_node_t *node,
                                  enum mls_compress_scope scope)
{
    if (is_null(node))
        return MLS_OK;
    if (node->type != YAML_MAPPING_NODE)
        return wrong(reader, node, "this key", "is to hold configurations by type or name");
    enum mls_status status = MLS_OK;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         !status && pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(&reader->document, pair->key);
        if (!text_of(name))
            return wrong(reader, name, "a key", "is no name");
        status =
            read_rule(reader, yaml_document_get_node(&reader->document, pair->value), scope, text_of(name));
    }
    return status;
}

static size_t count_pairs(const yaml_node_t *node)
{
    return node && node->type == YAML_MAPPING_NODE
               ? (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start)
               : 0;
}

static enum mls_status read_document(struct reader *reader)
{
    static const char *const keys[] = {"config_type", "global_config", "op_type_configs", "op_name_configs"};
    const yaml_node_t *root = yaml_document_get_root_node(&reader->document);
    if (!root || root->type != YAML_MAPPING_NODE)
        return wrong(reader, root, "the file", "is no mapping");
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = yaml_document_get_node(&reader->document, pair->key);
        size_t i = 0;
        while (i < sizeof keys / sizeof *keys && (!text_of(key) || strcmp(text_of(key), keys[i])))
            i++;
        if (i == sizeof keys / sizeof *keys)
            return wrong(reader, key, text_of(key) ? text_of(key) : "a key",
                         "is none of config_type, global_config, op_type_configs, op_name_configs");
    }
    const yaml_node_t *type = find_key(reader, root, "config_type"),
                      *all = find_key(reader, root, "global_config");
    const yaml_node_t *types = find_key(reader, root, "op_type_configs"),
                      *names = find_key(reader, root, "op_name_configs");
    if (!parse_config_type(text_of(type), &reader->compressor))
        return wrong(reader, type ? type : root, "config_type",
                     "is missing, or no configuration that mlscope knows");
    size_t n = 1 + count_pairs(types) + count_pairs(names);
    reader->config->rules =
        n <= RULES_MAX ? MLS_NEW_ARRAY(reader->config->arena, n, struct mls_compress_rule) : NULL;
    if (!reader->config->rules)
        return mls_fail(reader->reterr, MLS_ERR_LIMIT, "cannot read %s: it has too many configurations",
                        reader->path);
    enum mls_status status = all && !is_null(all) ? read_rule(reader, all, MLS_SCOPE_GLOBAL, NULL) : MLS_OK;
    if (!status && types)
        status = read_rules(reader, types, MLS_SCOPE_OP_TYPE);
    return status || !names ? status : read_rules(reader, names, MLS_SCOPE_OP_NAME);
}

enum mls_status mls_compress_config_read(const char *path, struct mls_compress_config **ret_config,
                                         struct mls_error *reterr)
{
    struct mls_arena *arena = mls_arena_create(0);
    struct reader reader = {
        .path = path, .reterr = reterr, .config = arena ? MLS_NEW(arena, struct mls_compress_config) : NULL};
    yaml_parser_t parser;
    FILE *file = reader.config ? fopen(path, "rb") : NULL;
    if (!file || !yaml_parser_initialize(&parser)) {
        int reason = file || !reader.config ? ENOMEM : errno;
        if (file)
            fclose(file);
        mls_arena_free(arena);
        return mls_fail(reterr, reason == ENOENT ? MLS_ERR_NOT_FOUND : MLS_ERR_IO, "cannot read %s: %s", path,
                        strerror(reason));
    }
    reader.config->arena = arena;
    yaml_parser_set_input_file(&parser, file);
    enum mls_status status;
    if (yaml_parser_load(&parser, &reader.document)) {
        status = read_document(&reader);
        yaml_document_delete(&reader.document);
    } else {
        status = mls_fail(reterr, MLS_ERR_USAGE, "cannot read %s: line %zu: %s", path,
                          parser.problem_mark.line + 1, parser.problem ? parser.problem : "it is no YAML");
    }
    yaml_parser_delete(&parser);
    fclose(file);
    if (status)
        mls_arena_free(arena);
    else
        *ret_config = reader.config;
    return status;
}

struct mls_compress_pass mls_compress_config_pass(const struct mls_compress_config *config)
{
    return (struct mls_compress_pass){config->rules, config->n_rules};
}

void mls_compress_config_free(struct mls_compress_config *config)
{
    if (config)
        mls_arena_free(config->arena);
}
