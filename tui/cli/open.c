#include "cli/open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/interrupt.h"
#include "core/pass.h"
#include "diagnostics/engine.h"

static enum mls_status read_key(const struct arguments *arguments, struct mls_key **ret_key,
                                struct mls_error *reterr)
{
    const char *file = arguments_text(arguments, OPTION_KEY_FILE);
    const char *variable = arguments_text(arguments, OPTION_KEY_ENV);
    const char *descriptor = arguments_text(arguments, OPTION_KEY_FD);
    if ((file != NULL) + (variable != NULL) + (descriptor != NULL) > 1)
        return mls_fail(reterr, MLS_ERR_USAGE, "--key-file, --key-env and --key-fd exclude each other");
    if (file)
        return mls_key_from_file(file, ret_key, reterr);
    if (variable)
        return mls_key_from_env(variable, ret_key, reterr);
    uint64_t fd = 0;
    enum mls_status status = arguments_count(arguments, OPTION_KEY_FD, 0, INT32_MAX, &fd, reterr);
    return status || !descriptor ? status : mls_key_from_fd((int)fd, ret_key, reterr);
}

static size_t count_given(const struct arguments *arguments, enum option option)
{
    size_t n = 0;
    for (size_t i = 0; i < arguments->n_given; i++)
        n += arguments->given[i].option == option;
    return n;
}

/* Cuts NAME=VALUE at its first '='; the name goes to the buffer that *texts points into. */
static enum mls_status cut(const struct given *given, char **texts, const char **ret_name,
                           const char **ret_value, struct mls_error *reterr)
{
    const char *equals = strchr(given->value, '=');
    const struct option_row *row = &option_rows[given->option];
    if (!equals || equals == given->value || !equals[1]) {
        mls_fail(reterr, MLS_ERR_USAGE, "option --%s: '%s' is not %s", row->name, given->value, row->value);
        return MLS_ERR_USAGE;
    }
    size_t length = (size_t)(equals - given->value);
    memcpy(*texts, given->value, length);
    (*texts)[length] = '\0';
    *ret_name = *texts;
    *ret_value = equals + 1;
    *texts += length + 1;
    return MLS_OK;
}

/* "1x3x224x224", "scalar" or commas instead of x. */
static enum mls_status parse_shape(const char *text, struct mls_shape *ret_shape, struct mls_error *reterr)
{
    struct mls_shape shape = {0};
    const char *at = text;
    if (!strcmp(text, "scalar")) {
        *ret_shape = shape;
        return MLS_OK;
    }
    for (;;) {
        char *end;
        errno = 0;
        long long dim = strtoll(at, &end, 10);
        if (*at < '0' || *at > '9' || errno || shape.rank == MLS_RANK_MAX ||
            (*end && *end != 'x' && *end != ','))
            break;
        shape.dims[shape.rank++] = dim;
        if (!*end) {
            *ret_shape = shape;
            return MLS_OK;
        }
        at = end + 1;
    }
    mls_fail(reterr, MLS_ERR_USAGE, "option --shape: '%s' is no shape of at most %d dimensions", text,
             MLS_RANK_MAX);
    mls_error_hint(reterr, "write it as 1x3x224x224");
    return MLS_ERR_USAGE;
}

/* Options whose value is NAME=VALUE. */
static bool is_pair(enum option option)
{
    return option == OPTION_BLOB || option == OPTION_INPUT || option == OPTION_SHAPE;
}

static enum mls_status read_pairs(const struct arguments *arguments, struct opened *opened,
                                  struct mls_error *reterr)
{
    struct mls_loader_options *options = &opened->options;
    size_t bytes = 1;
    for (size_t i = 0; i < arguments->n_given; i++)
        bytes += is_pair(arguments->given[i].option) ? strlen(arguments->given[i].value) + 1 : 0;
    opened->texts = calloc(bytes, 1);
    opened->blobs = calloc(count_given(arguments, OPTION_BLOB) + 1, sizeof *opened->blobs);
    opened->inputs = calloc(count_given(arguments, OPTION_INPUT) + 1, sizeof *opened->inputs);
    opened->shapes = calloc(count_given(arguments, OPTION_SHAPE) + 1, sizeof *opened->shapes);
    if (!opened->texts || !opened->blobs || !opened->inputs || !opened->shapes)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the command line: out of memory");
    char *texts = opened->texts;
    enum mls_status status = MLS_OK;
    for (size_t i = 0; !status && i < arguments->n_given; i++) {
        const struct given *given = &arguments->given[i];
        const char *name, *value;
        if (!is_pair(given->option) || (status = cut(given, &texts, &name, &value, reterr)))
            continue;
        if (given->option == OPTION_BLOB) {
            opened->blobs[options->n_blobs++] = (struct mls_blob_argument){.key = name, .file = value};
        } else if (given->option == OPTION_INPUT) {
            opened->inputs[options->n_inputs++] = (struct mls_input_argument){.name = name, .file = value};
        } else {
            struct mls_shape_argument *shape = &opened->shapes[options->n_shapes++];
            shape->name = name;
            status = parse_shape(value, &shape->shape, reterr);
        }
    }
    options->blobs = opened->blobs;
    options->inputs = opened->inputs;
    options->shapes = opened->shapes;
    return status;
}

static enum mls_status read_passes(const struct arguments *arguments, struct mls_loader_options *options,
                                   struct mls_error *reterr)
{
    for (size_t i = 0; i < arguments->n_given; i++) {
        const char *name = arguments->given[i].value;
        if (arguments->given[i].option != OPTION_NO_PASS)
            continue;
        int pass = mls_pass_find(name);
        if (pass < 0 || !mls_pass_is_optional((uint32_t)pass)) {
            mls_fail(reterr, MLS_ERR_USAGE, "option --no-pass: '%s' %s", name,
                     pass < 0 ? "is no pass" : "cannot be left out");
            mls_error_hint(reterr, "mlscope inspect MODEL --passes lists them");
            return MLS_ERR_USAGE;
        }
        options->passes_off |= (uint64_t)1 << pass;
    }
    return MLS_OK;
}

static enum mls_status read_execution(const struct arguments *arguments, struct mls_loader_options *options,
                                      struct mls_error *reterr)
{
    uint64_t threads = 0;
    enum mls_status status = arguments_count(arguments, OPTION_THREADS, 1, 1024, &threads, reterr);
    if (!status)
        status = arguments_count(arguments, OPTION_RANDOM_SEED, 0, INT64_MAX, &options->random_seed, reterr);
    if (!status)
        status = arguments_size(arguments, OPTION_MAX_MEMORY, &options->max_memory_bytes, reterr);
    if (!status)
        status = read_passes(arguments, options, reterr);
    if (status)
        return status;
    options->threads = (uint32_t)threads;
    options->no_fusion = arguments_has(arguments, OPTION_NO_FUSION);
    const char *reshape = arguments_text(arguments, OPTION_RESHAPE);
    if (reshape && !strcmp(reshape, "frequent"))
        options->reshape = MLS_RESHAPE_FREQUENT;
    else if (reshape && strcmp(reshape, "infrequent") != 0)
        return mls_fail(reterr, MLS_ERR_USAGE, "option --reshape: '%s' is none of frequent, infrequent",
                        reshape);
    options->unconfined = arguments_has(arguments, OPTION_NO_SANDBOX);
    const char *cpu = arguments_text(arguments, OPTION_CPU);
    options->cpu_capped = cpu != NULL;
    if (cpu && !mls_isa_parse(cpu, &options->cpu)) {
        mls_fail(reterr, MLS_ERR_USAGE, "option --cpu: '%s' is no instruction set", cpu);
        mls_error_hint(reterr, "one of:"
#define X(id, name) " " name
                       MLS_ISA_LIST(X)
#undef X
        );
        return MLS_ERR_USAGE;
    }
    static const char *const weights_names[] = {
        [MLS_WEIGHTS_AUTO] = "auto", [MLS_WEIGHTS_DENSE] = "dense", [MLS_WEIGHTS_COMPRESSED] = "compressed"};
    const char *weights = arguments_text(arguments, OPTION_WEIGHTS);
    unsigned choice = 0;
    while (weights && choice <= MLS_WEIGHTS_COMPRESSED && strcmp(weights, weights_names[choice]) != 0)
        choice++;
    if (choice > MLS_WEIGHTS_COMPRESSED)
        return mls_fail(reterr, MLS_ERR_USAGE, "option --weights: '%s' is none of auto, dense, compressed",
                        weights);
    options->weights = (enum mls_weights)choice;
    const char *precision = arguments_text(arguments, OPTION_PRECISION);
    if (precision && !strcmp(precision, "high"))
        options->precision = MLS_PRECISION_HIGH;
    else if (precision && strcmp(precision, "declared") != 0)
        return mls_fail(reterr, MLS_ERR_USAGE, "option --precision: '%s' is none of declared, high",
                        precision);
    return MLS_OK;
}

enum mls_status open_options(const struct arguments *arguments, struct opened *ret_opened,
                             struct mls_error *reterr)
{
    struct opened *opened = ret_opened;
    *opened = (struct opened){0};
    struct mls_loader_options *options = &opened->options;
    options->path = arguments->operand;
    options->spec_file = arguments_text(arguments, OPTION_SPEC);
    options->function = arguments_text(arguments, OPTION_FUNCTION);
    options->inputs_npz = arguments_text(arguments, OPTION_INPUTS);
    options->state_dir = arguments_text(arguments, OPTION_STATE_IN);
    if (!options->path == !options->spec_file) {
        const char *verb = verb_rows[arguments->verb].name, *operand = verb_rows[arguments->verb].operand;
        mls_fail(reterr, MLS_ERR_USAGE,
                 options->path ? "%s and --spec exclude each other" : "no %s was given", operand);
        mls_error_hint(reterr, "usage: mlscope %s%s%s [options]", verb, *verb ? " " : "", operand);
        return MLS_ERR_USAGE;
    }
    if (arguments_has(arguments, OPTION_BLOB) && !options->spec_file)
        return mls_fail(reterr, MLS_ERR_USAGE, "--blob goes with --spec");
    enum mls_status status = read_pairs(arguments, opened, reterr);
    if (!status)
        status = read_execution(arguments, options, reterr);
    if (!status)
        status = read_key(arguments, &opened->key, reterr);
    options->key = opened->key;
    return status;
}

/* What the rules know about this failure, when the failure itself did not say what to do. */
static void add_diagnosis(const struct mls_loaded *loaded, struct mls_error *error)
{
    const struct mls_facts facts = {.package = loaded->package, .model = loaded->model, .error = error};
    struct mls_report *report;
    if (error->hint[0] || mls_diagnose(&facts, &report, NULL))
        return;
    if (report->n_findings && report->findings[0].fix[0])
        mls_error_hint(error, "%s (%s)", report->findings[0].fix, report->findings[0].id);
    mls_report_free(report);
}

enum mls_status open_model(struct opened *opened, enum mls_loader_goal goal, struct mls_error *reterr)
{
    opened->options.goal = goal;
    opened->loader = mls_loader_create(&opened->options);
    if (!opened->loader)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot load the model: out of memory");
    interrupt_watch(opened->loader, NULL);
    enum mls_status status = mls_loader_run(opened->loader, reterr);
    interrupt_watch(NULL, NULL);
    opened->loaded = mls_loader_result(opened->loader);
    if (!opened->keeps_key) {
        mls_key_free(opened->key);
        opened->key = NULL;
    }
    if (mls_status_exit_code(status) == mls_status_exit_code(MLS_ERR_SPEC_INVALID))
        add_diagnosis(opened->loaded, reterr);
    return status;
}

void open_close(struct opened *opened)
{
    mls_loader_free(opened->loader);
    mls_key_free(opened->key);
    free(opened->blobs);
    free(opened->inputs);
    free(opened->shapes);
    free(opened->texts);
    *opened = (struct opened){0};
}
