#include "cli/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A pass that is being read: options after its method are its own. */
struct draft {
    const struct arguments *arguments;
    struct recipe *recipe;
    struct mls_compress_setting *setting; /* of the last pass; NULL before the first, and for files */
    struct mls_error *reterr;
};

static enum mls_status wrong(const struct draft *draft, const struct given *given, const char *rule)
{
    return mls_fail(draft->reterr, MLS_ERR_USAGE, "option --%s: '%s' %s", option_rows[given->option].name,
                    given->value, rule);
}

static bool read_count(const char *text, int64_t *ret)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    if (!*text || *end || number < 0 || number > INT32_MAX)
        return false;
    *ret = number;
    return true;
}

static bool read_share(const char *text, double *ret)
{
    char *end;
    double number = strtod(text, &end);
    if (!*text || (*end && strcmp(end, "%") != 0) || !(number >= 0))
        return false;
    *ret = *end ? number / 100 : number;
    return true;
}

/* ---- Methods --------------------------------------------------------------------------------- */

static size_t n_rules_max(const struct arguments *arguments)
{
    return 1 + 2 * arguments->n_given;
}

static enum mls_status begin_pass(struct draft *draft, enum mls_compressor compressor)
{
    struct recipe *recipe = draft->recipe;
    if (recipe->n_passes == RECIPE_PASSES_MAX)
        return mls_fail(draft->reterr, MLS_ERR_USAGE, "more than %d methods were given", RECIPE_PASSES_MAX);
    struct mls_compress_rule *rules = calloc(n_rules_max(draft->arguments), sizeof *rules);
    if (!rules)
        return mls_fail(draft->reterr, MLS_ERR_MEMORY, "cannot read the command line: out of memory");
    rules[0] =
        (struct mls_compress_rule){.scope = MLS_SCOPE_GLOBAL, .setting = mls_compress_default(compressor)};
    recipe->rules[recipe->n_passes] = rules;
    recipe->passes[recipe->n_passes++] = (struct mls_compress_pass){rules, 1};
    draft->setting = &rules[0].setting;
    return MLS_OK;
}

static enum mls_status begin_palettize(struct draft *draft, const struct given *given)
{
    enum mls_status status = begin_pass(draft, MLS_COMPRESS_PALETTIZE);
    if (status)
        return status;
    int64_t bits = 0;
    if (!strcasecmp(given->value, "unique"))
        draft->setting->mode = MLS_MODE_UNIQUE;
    else if (!read_count(given->value, &bits) || bits < 1 || bits > 8 || bits == 5 || bits == 7)
        return wrong(draft, given, "is none of 1, 2, 3, 4, 6, 8, unique");
    draft->setting->nbits = (unsigned)bits;
    return MLS_OK;
}

static enum mls_status begin_quantize(struct draft *draft, const struct given *given)
{
    enum mls_status status = begin_pass(draft, MLS_COMPRESS_QUANTIZE);
    if (!status)
        draft->setting->dtype = mls_dtype_parse(given->value);
    return status;
}

static enum mls_status begin_prune(struct draft *draft, const struct given *given)
{
    enum mls_status status = begin_pass(draft, MLS_COMPRESS_MAGNITUDE);
    if (status)
        return status;
    long long n, m;
    int used = 0;
    if (sscanf(given->value, "%lld:%lld%n", &n, &m, &used) == 2 && !given->value[used]) {
        draft->setting->n_of_m[0] = n;
        draft->setting->n_of_m[1] = m;
        return m > 0 ? MLS_OK : wrong(draft, given, "is no N:M");
    }
    return read_share(given->value, &draft->setting->target_sparsity)
               ? MLS_OK
               : wrong(draft, given, "is no share and no N:M");
}

static enum mls_status begin_threshold(struct draft *draft, const struct given *given)
{
    enum mls_status status = begin_pass(draft, MLS_COMPRESS_THRESHOLD);
    if (!status && !read_share(given->value, &draft->setting->threshold))
        status = wrong(draft, given, "is no number, 0 or more");
    return status;
}

static enum mls_status add_config(struct draft *draft, const struct given *given)
{
    struct recipe *recipe = draft->recipe;
    draft->setting = NULL;
    if (recipe->n_passes == RECIPE_PASSES_MAX)
        return mls_fail(draft->reterr, MLS_ERR_USAGE, "more than %d methods were given", RECIPE_PASSES_MAX);
    enum mls_status status =
        mls_compress_config_read(given->value, &recipe->configs[recipe->n_passes], draft->reterr);
    if (!status) {
        recipe->passes[recipe->n_passes] = mls_compress_config_pass(recipe->configs[recipe->n_passes]);
        recipe->n_passes++;
    }
    return status;
}

/* ---- Refinements of the method before them --------------------------------------------------- */

static enum mls_status refine(struct draft *draft, const struct given *given)
{
    struct mls_compress_setting *setting = draft->setting;
    int64_t number = 0;
    if (!setting) {
        mls_fail(draft->reterr, MLS_ERR_USAGE, "option --%s stands before any method",
                 option_rows[given->option].name);
        mls_error_hint(draft->reterr, "give it after --palettize, --quantize, --prune or --prune-threshold");
        return MLS_ERR_USAGE;
    }
    switch (given->option) {
    case OPTION_MODE:
        return mls_compress_mode_parse(given->value, &setting->mode)
                   ? MLS_OK
                   : wrong(draft, given, "is none of kmeans, uniform, unique, linear, linear_symmetric");
    case OPTION_GRANULARITY:
        return mls_granularity_parse(given->value, &setting->granularity)
                   ? MLS_OK
                   : wrong(draft, given,
                           "is none of per_tensor, per_channel, per_grouped_channel, per_block");
    case OPTION_PER_CHANNEL_SCALE:
        setting->per_channel_scale = true;
        return MLS_OK;
    case OPTION_FALL_BACK:
        setting->fall_back = true;
        return MLS_OK;
    default:
        break;
    }
    if (!read_count(given->value, &number))
        return wrong(draft, given, "is no whole number");
    switch (given->option) {
    case OPTION_GROUP_SIZE:
        setting->group_size = number;
        setting->granularity = MLS_PER_GROUPED_CHANNEL;
        break;
    case OPTION_BLOCK_SIZE:
        setting->block_size = number;
        if (setting->compressor == MLS_COMPRESS_QUANTIZE)
            setting->granularity = MLS_PER_BLOCK;
        break;
    case OPTION_CLUSTER_DIM:
        setting->cluster_dim = number;
        break;
    case OPTION_DIM:
        setting->dim = number;
        break;
    default:
        setting->weight_threshold = (uint64_t)number;
    }
    return MLS_OK;
}

/* Each row: an option and what it does to the draft. */
static const struct {
    enum option option;
    enum mls_status (*read)(struct draft *draft, const struct given *given);
} readers[] = {
    {OPTION_PALETTIZE, begin_palettize}, {OPTION_QUANTIZE, begin_quantize},
    {OPTION_PRUNE, begin_prune},         {OPTION_PRUNE_THRESHOLD, begin_threshold},
    {OPTION_CONFIG, add_config},         {OPTION_MODE, refine},
    {OPTION_GRANULARITY, refine},        {OPTION_GROUP_SIZE, refine},
    {OPTION_BLOCK_SIZE, refine},         {OPTION_CLUSTER_DIM, refine},
    {OPTION_PER_CHANNEL_SCALE, refine},  {OPTION_DIM, refine},
    {OPTION_FALL_BACK, refine},          {OPTION_WEIGHT_THRESHOLD, refine},
};

/* What is skipped, is by every method of the command line: as a name, and as a type. */
static void add_skips(struct draft *draft)
{
    for (size_t i = 0; i < draft->arguments->n_given; i++) {
        const struct given *given = &draft->arguments->given[i];
        for (size_t p = 0; given->option == OPTION_SKIP && p < draft->recipe->n_passes; p++) {
            struct mls_compress_rule *rules = draft->recipe->rules[p];
            if (!rules)
                continue;
            struct mls_compress_pass *pass = &draft->recipe->passes[p];
            rules[pass->n_rules++] =
                (struct mls_compress_rule){.scope = MLS_SCOPE_OP_TYPE, .key = given->value, .leave = true};
            rules[pass->n_rules++] =
                (struct mls_compress_rule){.scope = MLS_SCOPE_OP_NAME, .key = given->value, .leave = true};
        }
    }
}

enum mls_status recipe_read(const struct arguments *arguments, struct recipe *ret_recipe,
                            struct mls_error *reterr)
{
    *ret_recipe = (struct recipe){0};
    struct draft draft = {.arguments = arguments, .recipe = ret_recipe, .reterr = reterr};
    enum mls_status status = MLS_OK;
    for (size_t i = 0; !status && i < arguments->n_given; i++)
        for (size_t j = 0; !status && j < sizeof readers / sizeof *readers; j++)
            if (readers[j].option == arguments->given[i].option)
                status = readers[j].read(&draft, &arguments->given[i]);
    for (size_t p = 0; !status && p < ret_recipe->n_passes; p++)
        if (ret_recipe->rules[p])
            status = mls_compress_check(&ret_recipe->rules[p][0].setting, reterr);
    if (!status)
        add_skips(&draft);
    return status;
}

void recipe_free(struct recipe *recipe)
{
    for (size_t p = 0; p < RECIPE_PASSES_MAX; p++) {
        free(recipe->rules[p]);
        mls_compress_config_free(recipe->configs[p]);
    }
    *recipe = (struct recipe){0};
}

/* ---- Targets --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t opset;
} systems[] = {
    {"iOS15", 5},   {"macOS12", 5}, {"iOS16", 6},     {"macOS13", 6},   {"iOS17", 7},     {"macOS14", 7},
    {"iOS18", 8},   {"macOS15", 8}, {"iOS26", 9},     {"macOS26", 9},   {"CoreML6", 6},   {"CoreML7", 7},
    {"CoreML8", 8}, {"CoreML9", 9}, {"watchOS9", 6},  {"watchOS10", 7}, {"watchOS11", 8}, {"tvOS16", 6},
    {"tvOS17", 7},  {"tvOS18", 8},  {"visionOS2", 8},
};

enum mls_status recipe_target(const struct arguments *arguments, uint32_t *ret_opset,
                              struct mls_error *reterr)
{
    const char *name = arguments_text(arguments, OPTION_TARGET);
    if (!name)
        return MLS_OK;
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        if (!strcasecmp(name, systems[i].name)) {
            *ret_opset = systems[i].opset;
            return MLS_OK;
        }
    }
    mls_fail(reterr, MLS_ERR_USAGE, "option --target: '%s' is no system that mlscope knows", name);
    mls_error_hint(reterr, "one of iOS16, iOS17, iOS18, iOS26, macOS13, macOS14, macOS15, macOS26");
    return MLS_ERR_USAGE;
}
