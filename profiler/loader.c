#include "profiler/loader.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/feature.h"
#include "profiler/sweep.h"
#include "sandbox.h"

struct mls_loader {
    struct mls_loader_options options;
    struct mls_loaded loaded;
    struct mls_progress progress; /* of the session as well, which may plan other shapes later */
    struct mls_shape *shapes;     /* parallel to the interface's inputs; NULL: all by default */

    /* of the loading thread */
    enum mls_stage base; /* where time goes that no stage of the core claims */
    enum mls_stage current;
    uint64_t stage_begin_ns;

    /* for any thread */
    _Atomic uint64_t begin_ns;
    _Atomic uint64_t end_ns;
    atomic_uint stage;
    _Atomic uint64_t done;
    _Atomic uint64_t total;
    atomic_bool cancelled;
    atomic_bool finished;
};

struct mls_loader *mls_loader_create(const struct mls_loader_options *options)
{
    struct mls_loader *loader = calloc(1, sizeof *loader);
    if (!loader)
        return NULL;
    loader->options = *options;
    loader->loaded.function.i = MLS_NO_INDEX;
    return loader;
}

void mls_loader_free(struct mls_loader *loader)
{
    if (!loader)
        return;
    mls_run_free(loader->loaded.run);
    mls_session_free(loader->loaded.session);
    mls_model_free(loader->loaded.model);
    mls_package_release(loader->loaded.package);
    free(loader->shapes);
    free(loader);
}

/* The time since the last change of stage belongs to the stage that ends now. */
static void enter(struct mls_loader *loader, enum mls_stage stage)
{
    uint64_t now = mls_clock_ns();
    loader->loaded.stages[loader->current].ns += now - loader->stage_begin_ns;
    loader->stage_begin_ns = now;
    loader->current = stage;
    loader->loaded.stages[stage].entered = true;
    atomic_store_explicit(&loader->stage, stage, memory_order_relaxed);
}

/* A new part of the load: what the core reports from now on happens inside `stage`. */
static void begin_phase(struct mls_loader *loader, enum mls_stage stage)
{
    loader->base = stage;
    enter(loader, stage);
}

static bool on_progress(void *user, enum mls_stage stage, uint64_t done, uint64_t total)
{
    struct mls_loader *loader = user;
    if (atomic_load_explicit(&loader->finished, memory_order_relaxed))
        return true; /* another shape is planned: no part of the load */
    if (stage != loader->current)
        enter(loader, stage);
    atomic_store_explicit(&loader->done, done, memory_order_relaxed);
    atomic_store_explicit(&loader->total, total, memory_order_relaxed);
    if (total && done >= total && stage != loader->base)
        enter(loader, loader->base);
    return !atomic_load_explicit(&loader->cancelled, memory_order_relaxed);
}

static enum mls_status open_package(struct mls_loader *loader, const struct mls_progress *progress,
                                    struct mls_error *reterr)
{
    const struct mls_loader_options *options = &loader->options;
    const struct mls_package_options how = {.key = options->key, .progress = progress};
    struct mls_package **package = &loader->loaded.package;
    begin_phase(loader, MLS_STAGE_OPEN);
    if (options->path)
        return mls_package_open(options->path, &how, package, reterr);
    return mls_package_open_asset(options->spec_file, options->blobs, options->n_blobs, &how, package,
                                  reterr);
}

static enum mls_status load_model(struct mls_loader *loader, const struct mls_progress *progress,
                                  struct mls_error *reterr)
{
    struct mls_loaded *loaded = &loader->loaded;
    begin_phase(loader, MLS_STAGE_PARSE);
    enum mls_status status = mls_model_load(loaded->package, progress, &loaded->model, reterr);
    if (status)
        return status;
    return mls_model_function(loaded->model, loader->options.function, &loaded->function, &loaded->interface,
                              reterr);
}

/* Names of features, for the hint of a wrong one. */
static void hint_names(struct mls_error *reterr, const struct mls_feature *features, size_t n)
{
    char names[MLS_ERROR_TEXT_BYTES / 2] = "";
    size_t at = 0;
    for (size_t i = 0; i < n && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", features[i].name);
    mls_error_hint(reterr, n ? "its inputs are: %s" : "it has no inputs", names);
}

static enum mls_status find_input(const struct mls_interface *interface, const char *option, const char *name,
                                  size_t *ret_index, struct mls_error *reterr)
{
    for (size_t i = 0; i < interface->n_inputs; i++) {
        if (!strcmp(interface->inputs[i].name, name)) {
            *ret_index = i;
            return MLS_OK;
        }
    }
    mls_fail_because(reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_NAME,
                     "cannot use %s %s: the model has no input of this name", option, name);
    hint_names(reterr, interface->inputs, interface->n_inputs);
    return MLS_ERR_INPUT_INVALID;
}

/* The default shape of an input: as the program declares it, else as the description does. */
static struct mls_shape default_shape(const struct mls_loaded *loaded, const struct mls_feature *feature)
{
    const struct mls_program *program = &loaded->model->program;
    const struct mls_block *block = &program->blocks[program->functions[loaded->function.i].block.i];
    const struct mls_type *type = &feature->type;
    for (uint32_t i = 0; i < block->n_inputs; i++) {
        const struct mls_value *value = &program->values[block->inputs[i].i];
        if (!strcmp(value->name, feature->name) && mls_type_is_static(&value->type))
            type = &value->type;
    }
    if (type == &feature->type && feature->kind == MLS_FEATURE_IMAGE && type->rank == 3)
        return (struct mls_shape){.rank = 4, .dims = {1, type->dims[2], type->dims[0], type->dims[1]}};
    struct mls_shape shape = {.rank = type->rank};
    memcpy(shape.dims, type->dims, sizeof shape.dims);
    return shape;
}

/* Shapes of flexible inputs from their files. */
static enum mls_status shapes_of_files(struct mls_loader *loader, struct mls_error *reterr)
{
    const struct mls_interface *interface = loader->loaded.interface;
    const struct mls_loader_options *options = &loader->options;
    enum mls_status status = MLS_OK;
    if (options->inputs_npz)
        status = mls_feature_npz_shapes(interface, options->inputs_npz, loader->shapes, reterr);
    for (size_t i = 0; !status && i < options->n_inputs; i++) {
        size_t index;
        status = find_input(interface, "--input", options->inputs[i].name, &index, reterr);
        const struct mls_feature *feature = status ? NULL : &interface->inputs[index];
        if (feature && (feature->n_ranges || feature->n_enumerated))
            status = mls_feature_file_shape(feature, options->inputs[i].file, &loader->shapes[index], reterr);
    }
    return status;
}

/* Shapes from `--shape`, else from the input's file where the shape is flexible, else the default. */
static enum mls_status choose_shapes(struct mls_loader *loader, struct mls_error *reterr)
{
    const struct mls_interface *interface = loader->loaded.interface;
    const struct mls_loader_options *options = &loader->options;
    if (!options->n_inputs && !options->n_shapes && !options->inputs_npz)
        return MLS_OK;
    loader->shapes = calloc(interface->n_inputs ? interface->n_inputs : 1, sizeof *loader->shapes);
    if (!loader->shapes)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot choose the input shapes: out of memory");
    for (size_t i = 0; i < interface->n_inputs; i++)
        loader->shapes[i] = default_shape(&loader->loaded, &interface->inputs[i]);
    enum mls_status status = shapes_of_files(loader, reterr);
    for (size_t i = 0; !status && i < options->n_shapes; i++) {
        size_t index;
        status = find_input(interface, "--shape", options->shapes[i].name, &index, reterr);
        if (!status)
            loader->shapes[index] = options->shapes[i].shape;
    }
    return status;
}

static enum mls_status make_plan(struct mls_loader *loader, const struct mls_progress *progress,
                                 struct mls_error *reterr)
{
    const struct mls_loader_options *options = &loader->options;
    struct mls_loaded *loaded = &loader->loaded;
    const struct mls_session_options how = {.function = options->function,
                                            .threads = options->threads,
                                            .cpu_capped = options->cpu_capped,
                                            .cpu = options->cpu,
                                            .precision = options->precision,
                                            .weights = options->weights,
                                            .no_fusion = options->no_fusion,
                                            .passes_off = options->passes_off,
                                            .reshape = options->reshape,
                                            .random_seed = options->random_seed,
                                            .max_memory_bytes = options->max_memory_bytes,
                                            .progress = progress};
    begin_phase(loader, MLS_STAGE_SHAPES);
    enum mls_status status = mls_session_create(loaded->model, &how, &loaded->session, reterr);
    if (status)
        return status;
    begin_phase(loader, MLS_STAGE_PLAN);
    status = choose_shapes(loader, reterr);
    if (!status)
        status = mls_session_plan(loaded->session, loader->shapes, &loaded->plan, reterr);
    return status ? status : mls_session_settle(loaded->session, loaded->model, reterr);
}

static enum mls_status fill_missing(const struct mls_loader *loader, struct mls_run *run, size_t index,
                                    struct mls_error *reterr)
{
    const struct mls_feature *feature = &loader->loaded.interface->inputs[index];
    if (loader->options.inputs_required && !feature->optional) {
        mls_fail(reterr, MLS_ERR_USAGE, "cannot predict: input %s has no value", feature->name);
        mls_error_hint(reterr, "give --input %s=FILE, or --random-seed N to draw it", feature->name);
        return MLS_ERR_USAGE;
    }
    return mls_feature_random(run, index, loader->options.random_seed, reterr);
}

static enum mls_status fill_inputs(const struct mls_loader *loader, struct mls_run *run,
                                   struct mls_error *reterr)
{
    const struct mls_loader_options *options = &loader->options;
    const struct mls_interface *interface = loader->loaded.interface;
    bool *filled = calloc(interface->n_inputs ? interface->n_inputs : 1, sizeof *filled);
    if (!filled)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot fill the inputs: out of memory");
    enum mls_status status = MLS_OK;
    if (options->inputs_npz)
        status = mls_feature_read_npz(run, options->inputs_npz, filled, reterr);
    for (size_t i = 0; !status && i < options->n_inputs; i++) {
        size_t index;
        status = find_input(interface, "--input", options->inputs[i].name, &index, reterr);
        if (!status)
            status = mls_feature_read(run, index, options->inputs[i].file, reterr);
        if (!status)
            filled[index] = true;
    }
    for (size_t i = 0; !status && i < interface->n_inputs; i++)
        if (!filled[i])
            status = fill_missing(loader, run, i, reterr);
    free(filled);
    if (!status && options->state_dir)
        status = mls_feature_read_states(run, options->state_dir, reterr);
    return status;
}

enum mls_status mls_loader_another_run(const struct mls_loader *loader, struct mls_run **ret_run,
                                       struct mls_error *reterr)
{
    struct mls_run *run;
    enum mls_status status = mls_run_create(loader->loaded.session, loader->loaded.plan, &run, reterr);
    if (status)
        return status;
    status = fill_inputs(loader, run, reterr);
    if (status)
        mls_run_free(run);
    else
        *ret_run = run;
    return status;
}

static bool on_compressing(void *user, uint64_t done, uint64_t total)
{
    struct mls_loader *loader = user;
    atomic_store_explicit(&loader->done, done, memory_order_relaxed);
    atomic_store_explicit(&loader->total, total, memory_order_relaxed);
    return !atomic_load_explicit(&loader->cancelled, memory_order_relaxed);
}

/* A compressed copy, in memory, takes the place of what was opened. Choices by measured sensitivity need the
 * plain model ready to run. */
static enum mls_status compress(struct mls_loader *loader, const struct mls_progress *progress,
                                struct mls_error *reterr)
{
    const struct mls_loader_options *options = &loader->options;
    struct mls_loaded *loaded = &loader->loaded;
    enum mls_status status = MLS_OK;
    if (options->compress && options->compress->mixed) {
        status = make_plan(loader, progress, reterr);
        if (!status)
            status = mls_loader_another_run(loader, &loaded->run, reterr);
    }
    const struct mls_compress_progress listener = {loader, on_compressing};
    struct mls_package *package = NULL;
    begin_phase(loader, MLS_STAGE_COMPRESS);
    if (!status)
        status =
            mls_sweep_package(loaded, options->compress, options->compress_rules, options->n_compress_rules,
                              options->random_seed, &listener, &package, reterr);
    if (status)
        return status;
    mls_run_free(loaded->run);
    mls_session_free(loaded->session);
    mls_model_free(loaded->model);
    mls_package_release(loaded->package);
    free(loader->shapes);
    loader->shapes = NULL;
    loaded->run = NULL;
    loaded->session = NULL;
    loaded->plan = NULL;
    loaded->model = NULL;
    loaded->package = package;
    return load_model(loader, progress, reterr);
}

static enum mls_status load(struct mls_loader *loader, struct mls_error *reterr)
{
    loader->progress = (struct mls_progress){.user = loader, .at = on_progress};
    const struct mls_progress *progress = &loader->progress;
    enum mls_status status = open_package(loader, progress, reterr);
    if (status || loader->options.goal == MLS_LOAD_PACKAGE)
        return status;
    loader->loaded.sealed = mls_package_info(loader->loaded.package)->sealed;
    status = load_model(loader, progress, reterr);
    if (!status && (loader->options.compress || loader->options.n_compress_rules))
        status = compress(loader, progress, reterr);
    if (status || loader->options.goal == MLS_LOAD_MODEL)
        return status;
    status = make_plan(loader, progress, reterr);
    if (status || loader->options.goal == MLS_LOAD_PLAN)
        return status;
    begin_phase(loader, MLS_STAGE_PREPARE);
    return mls_loader_another_run(loader, &loader->loaded.run, reterr);
}

/* The load on a thread of its own, which ends with it: it reads what strangers wrote. */
static void *load_confined(void *user)
{
    struct mls_loader *loader = user;
    loader->loaded.confined = sandbox_enter();
    loader->loaded.confined_errno = errno;
    loader->loaded.status = load(loader, &loader->loaded.error);
    return NULL;
}

static void load_on_a_thread(struct mls_loader *loader)
{
    pthread_t thread;
    if (!loader->options.unconfined && !pthread_create(&thread, NULL, load_confined, loader))
        pthread_join(thread, NULL);
    else
        loader->loaded.status = load(loader, &loader->loaded.error);
}

enum mls_status mls_loader_run(struct mls_loader *loader, struct mls_error *reterr)
{
    struct mls_loaded *loaded = &loader->loaded;
    mls_clock_get();
    loader->stage_begin_ns = mls_clock_ns();
    loaded->begin_ns = loader->stage_begin_ns;
    atomic_store_explicit(&loader->begin_ns, loader->stage_begin_ns, memory_order_relaxed);
    load_on_a_thread(loader);
    if (!loaded->status && atomic_load_explicit(&loader->cancelled, memory_order_relaxed))
        loaded->status = mls_fail(&loaded->error, MLS_ERR_CANCELLED, "cannot load the model: cancelled");
    enter(loader, loader->current);
    for (size_t i = 0; i < MLS_STAGE_COUNT; i++)
        loaded->total_ns += loaded->stages[i].ns;
    if (loaded->status && reterr)
        *reterr = loaded->error;
    atomic_store_explicit(&loader->end_ns, loader->stage_begin_ns, memory_order_relaxed);
    atomic_store_explicit(&loader->finished, true, memory_order_release);
    return loaded->status;
}

void mls_loader_cancel(struct mls_loader *loader)
{
    atomic_store_explicit(&loader->cancelled, true, memory_order_relaxed);
}

struct mls_loader_progress mls_loader_progress(const struct mls_loader *loader)
{
    struct mls_loader_progress progress = {
        .finished = atomic_load_explicit(&loader->finished, memory_order_acquire),
        .stage = (enum mls_stage)atomic_load_explicit(&loader->stage, memory_order_relaxed),
        .done = atomic_load_explicit(&loader->done, memory_order_relaxed),
        .total = atomic_load_explicit(&loader->total, memory_order_relaxed),
    };
    uint64_t begin = atomic_load_explicit(&loader->begin_ns, memory_order_relaxed);
    uint64_t end =
        progress.finished ? atomic_load_explicit(&loader->end_ns, memory_order_relaxed) : mls_clock_ns();
    progress.elapsed_ns = begin && end > begin ? end - begin : 0;
    return progress;
}

const struct mls_loaded *mls_loader_result(const struct mls_loader *loader)
{
    return &loader->loaded;
}

void mls_loader_first_run(struct mls_loader *loader, uint64_t ns)
{
    struct mls_stage_time *stage = &loader->loaded.stages[MLS_STAGE_FIRST_RUN];
    stage->entered = true;
    stage->ns += ns;
    loader->loaded.total_ns += ns;
}
