/* compress.c: from a model and settings to another package: which weights, who computes them, and what is
 * written. */
#include "core/compress.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "compress/activations.h"
#include "compress/emit.h"
#include "compress/form_read.h"
#include "compress/parts.h"
#include "compress/second_order.h"
#include "compress/setting.h"
#include "compress/target.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/op.h"
#include "kernels/compress/compress.h"
#include "ops/op_check.h"
#include "package/derive.h"

enum { OPSET_MIN_COMPRESSED = 6, OPSET_BLOCKS = 8, PASSES_MAX = 4 };

/* The compression of one constant, for all functions that have it. */
struct job {
    const struct target *target;                             /* the first one */
    const struct mls_compress_setting *settings[PASSES_MAX]; /* by pass; NULL: none */
    const void *identity;                                    /* of the constant */
    struct weight_form form;
    struct emitted emitted;
    const char *reason; /* why it stays as it is, or NULL */
    uint64_t elems;
};

struct compressing {
    const struct mls_model *model;
    const struct mls_compress_options *options;
    struct mls_users users;
    struct targets targets;
    struct job *jobs;
    size_t n_jobs;
    size_t *order; /* of the jobs: the largest first, so that threads end together */
    uint32_t opset;
    struct mls_kernels kernels;
    struct mls_arena *scratch;
    struct mls_arena **stored; /* by thread: the constants that its jobs made */
    uint32_t n_threads;
    pthread_mutex_t progress_mutex; /* guards done_elems and the listener */
    uint64_t done_elems;
    uint64_t total_elems;
    atomic_bool cancelled;
};

static enum mls_status no_memory(struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot compress the model: out of memory");
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

static const void *identity(const struct compressing *work, const struct target *target)
{
    return parts_of(&work->model->program, target->op).identity;
}

static bool same_job(const struct compressing *work, const struct job *job, const struct target *target,
                     const struct mls_compress_setting *const *settings)
{
    const struct target *other = job->target;
    return job->identity == identity(work, target) && other->compressed == target->compressed &&
           mls_type_equal(&work->model->program.values[other->value.i].type,
                          &work->model->program.values[target->value.i].type) &&
           !memcmp(&other->work, &target->work, sizeof target->work) &&
           !memcmp(job->settings, settings, sizeof job->settings);
}

static void add_to_job(struct compressing *work, struct target *target,
                       const struct mls_compress_setting *const *settings)
{
    for (size_t i = 0; i < work->n_jobs; i++) {
        if (same_job(work, &work->jobs[i], target, settings)) {
            target->job = i;
            return;
        }
    }
    struct job *job = &work->jobs[work->n_jobs];
    *job =
        (struct job){.target = target,
                     .elems = (uint64_t)mls_type_elems(&work->model->program.values[target->value.i].type)};
    memcpy(job->settings, settings, sizeof job->settings);
    work->total_elems += job->elems;
    target->job = work->n_jobs++;
}

static enum mls_status plan_target(struct compressing *work, struct target *target, uint32_t *needed,
                                   struct mls_error *reterr)
{
    const struct mls_compress_setting *settings[PASSES_MAX] = {NULL};
    size_t n = 0, before = target->compressed ? 1 : 0;
    if (work->options->decompress) {
        if (target->compressed)
            add_to_job(work, target, settings);
        else
            target->skipped_because = "it is not compressed";
        return MLS_OK;
    }
    if (target->compressed && !work->options->joint) {
        target->skipped_because = "it is compressed already";
        return MLS_OK;
    }
    uint64_t elems = (uint64_t)mls_type_elems(&work->model->program.values[target->value.i].type);
    const char *reason = NULL;
    for (size_t i = 0; i < work->options->n_passes; i++) {
        const struct mls_compress_rule *rule;
        enum mls_status status = target_setting(&work->model->program, &work->users, target,
                                                &work->options->passes[i], &rule, reterr);
        if (!status && rule)
            status = mls_compress_check(&rule->setting, reterr);
        if (status)
            return status;
        if (!rule)
            reason = reason ? reason : "the settings leave it as it is";
        else if (elems <= rule->setting.weight_threshold)
            reason = "it has no more elements than weight_threshold";
        else
            settings[i] = &rule->setting;
        if (settings[i]) {
            uint32_t opset = mls_compress_opset(settings[i], n++ + before > 0);
            *needed = opset > *needed ? opset : *needed;
        }
    }
    if (n)
        add_to_job(work, target, settings);
    else
        target->skipped_because = reason;
    return MLS_OK;
}

static uint32_t highest_opset(const struct mls_program *program)
{
    uint32_t opset = MLS_OPSET_MIN;
    for (uint32_t i = 0; i < program->n_functions; i++)
        opset = program->functions[i].opset > opset ? program->functions[i].opset : opset;
    return opset;
}

static enum mls_status choose_opset(struct compressing *work, uint32_t needed, struct mls_error *reterr)
{
    const struct mls_compress_options *options = work->options;
    uint32_t own = highest_opset(&work->model->program),
             opset = own > OPSET_MIN_COMPRESSED ? own : OPSET_MIN_COMPRESSED;
    opset = options->opset > opset ? options->opset : opset;
    if (needed > opset && options->opset_fixed) {
        mls_fail(reterr, MLS_ERR_USAGE, "cannot compress for %s: these settings need %s",
                 mls_system_for_opset(opset), mls_system_for_opset(needed));
        mls_error_hint(reterr, "give --target %s", needed == 8 ? "iOS18" : "iOS17");
        return MLS_ERR_USAGE;
    }
    work->opset = needed > opset ? needed : opset;
    return MLS_OK;
}

/* What was compressed before opset 8 is written anew for it. */
static void plan_upgrades(struct compressing *work)
{
    const struct mls_compress_setting *const none[PASSES_MAX] = {NULL};
    const struct mls_program *program = &work->model->program;
    for (size_t i = 0; work->opset >= OPSET_BLOCKS && i < work->targets.n; i++) {
        struct target *target = &work->targets.list[i];
        const struct mls_op *op = &program->ops[target->op.i];
        bool old = program->functions[op->function.i].opset < OPSET_BLOCKS;
        if (target->compressed && target->job == SIZE_MAX && old &&
            (!strcmp(op->type, "constexpr_lut_to_dense") || !strcmp(op->type, "constexpr_sparse_to_dense")))
            add_to_job(work, target, none);
    }
}

static int compare_jobs(const void *a, const void *b, void *jobs)
{
    const struct job *x = &((const struct job *)jobs)[*(const size_t *)a],
                     *y = &((const struct job *)jobs)[*(const size_t *)b];
    return x->elems != y->elems ? (x->elems > y->elems ? -1 : 1) : (x > y) - (x < y);
}

static enum mls_status plan_jobs(struct compressing *work, struct mls_error *reterr)
{
    const struct mls_program *program = &work->model->program;
    if (!mls_users_create(program, &work->users) ||
        !targets_find(program, &work->users, work->scratch, &work->targets))
        return no_memory(reterr);
    work->jobs = MLS_NEW_ARRAY(work->scratch, work->targets.n, struct job);
    work->order = MLS_NEW_ARRAY(work->scratch, work->targets.n, size_t);
    if (!work->jobs || !work->order)
        return no_memory(reterr);
    uint32_t needed = 0;
    enum mls_status status = MLS_OK;
    for (size_t i = 0; !status && i < work->targets.n; i++)
        if (!work->targets.list[i].skipped_because)
            status = plan_target(work, &work->targets.list[i], &needed, reterr);
    if (work->options->quantize_activations && needed < ACTIVATIONS_OPSET)
        needed = ACTIVATIONS_OPSET;
    if (!status)
        status = choose_opset(work, needed, reterr);
    if (!status)
        plan_upgrades(work);
    for (size_t i = 0; i < work->n_jobs; i++)
        work->order[i] = i;
    qsort_r(work->order, work->n_jobs, sizeof *work->order, compare_jobs, work->jobs);
    return status;
}

/* ---- Computing ------------------------------------------------------------------------------- */

/* The sum of squares of all elements: finite when they are. */
static double energy(const struct compressing *work, const void *data, enum mls_dtype dtype, size_t n)
{
    return dtype == MLS_FP16 ? work->kernels.compress->energy_fp16(data, n)
                             : work->kernels.compress->energy_fp32(data, n);
}

static const struct mls_input_statistics *find_statistics(const struct compressing *work,
                                                          const struct target *target)
{
    const struct mls_calibration *calibration = work->options->calibration;
    const struct mls_value *value = &work->model->program.values[target->value.i];
    for (size_t i = 0; calibration && i < calibration->n_inputs; i++)
        if (!strcmp(calibration->inputs[i].weight, value->name) &&
            target->work.input_axis < value->type.rank &&
            (int64_t)calibration->inputs[i].n == value->type.dims[target->work.input_axis])
            return &calibration->inputs[i];
    return NULL;
}

static void compress_job(struct compressing *work, struct job *job, struct mls_arena *stored)
{
    const struct mls_value *value = &work->model->program.values[job->target->value.i];
    struct mls_arena *arena = mls_arena_create_beside(work->scratch);
    job->form = (struct weight_form){.arena = arena,
                                     .stored = stored,
                                     .type = value->type,
                                     .plain = value->constant ? value->constant->data : NULL,
                                     .n = (size_t)job->elems,
                                     .vector_axis = -1};
    struct compress_work use = job->target->work;
    use.kernels = &work->kernels;
    const struct mls_input_statistics *statistics = find_statistics(work, job->target);
    if (statistics)
        use.importance = statistics->squares;
    if (!arena)
        job->reason = compress_no_memory;
    else if (job->target->compressed)
        job->reason = form_read(&work->model->program, job->target->op, &job->form);
    if (!job->reason && work->options->decompress)
        job->form = (struct weight_form){.arena = arena,
                                         .stored = stored,
                                         .type = value->type,
                                         .plain = job->form.plain,
                                         .n = job->form.n,
                                         .vector_axis = -1};
    if (job->reason)
        return;
    job->form.signal = energy(work, job->form.plain, value->type.dtype, job->form.n);
    if (!isfinite(job->form.signal))
        job->reason = "it has elements that are not finite";
    for (size_t i = 0; !job->reason && i < PASSES_MAX; i++)
        if (job->settings[i])
            job->reason = compressors[job->settings[i]->compressor].apply(job->settings[i], &use, &job->form);
    bool matrix = statistics && statistics->moments && use.input_axis == 1 && use.output_axis == 0;
    if (!job->reason && matrix &&
        !second_order_round(&job->form, statistics->moments, statistics->n, statistics->n_rows, work->kernels.compress))
        job->reason = compress_no_memory;
    if (!job->reason && job->form.mask && !job->form.n_kept)
        job->reason = "all of its elements would be pruned";
    if (!job->reason && !emit_prepare(&job->form, work->opset, &job->emitted))
        job->reason = compress_no_memory;
}

static void compress_task(void *context, size_t index, uint32_t thread)
{
    struct compressing *work = context;
    struct job *job = &work->jobs[work->order[index]];
    if (atomic_load(&work->cancelled))
        return;
    compress_job(work, job, work->stored[thread]);
    mls_arena_free(job->form.arena);
    job->form.arena = NULL;
    const struct mls_compress_progress *progress = work->options->progress;
    pthread_mutex_lock(&work->progress_mutex);
    work->done_elems += job->elems;
    if (progress && progress->at && !progress->at(progress->user, work->done_elems, work->total_elems))
        atomic_store(&work->cancelled, true);
    pthread_mutex_unlock(&work->progress_mutex);
}

static enum mls_status compress_jobs(struct compressing *work, struct mls_error *reterr)
{
    uint32_t threads = work->options->threads ? work->options->threads : mls_cpu_count();
    work->stored = MLS_NEW_ARRAY(work->scratch, threads, struct mls_arena *);
    for (; work->stored && work->n_threads < threads; work->n_threads++)
        if (!(work->stored[work->n_threads] = mls_arena_create_beside(work->scratch)))
            return no_memory(reterr);
    struct mls_pool *pool = work->stored ? mls_pool_create(threads, mls_cpu_count()) : NULL;
    if (!pool)
        return no_memory(reterr);
    mls_pool_for(pool, work->n_jobs, compress_task, work);
    mls_pool_free(pool);
    if (atomic_load(&work->cancelled))
        return mls_fail(reterr, MLS_ERR_CANCELLED, "the compression was cancelled");
    for (size_t i = 0; i < work->n_jobs; i++)
        if (work->jobs[i].reason == compress_no_memory)
            return no_memory(reterr);
    return MLS_OK;
}

/* ---- The package ----------------------------------------------------------------------------- */

/* A higher opset may define an operation anew: then it has to take the arguments that are given. */
static enum mls_status check_raise(const struct compressing *work, struct mls_error *reterr)
{
    const struct mls_program *program = &work->model->program;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        uint32_t opset = program->functions[op->function.i].opset;
        const struct mls_op_row *before = mls_op_find(op->type, opset),
                                *after = mls_op_find(op->type, work->opset);
        if (before == after || !after || !strncmp(op->type, "constexpr_", 10))
            continue;
        bool fits = true;
        for (uint32_t j = 0; j < op->n_arguments; j++)
            fits &= mls_op_param_index(after, op->arguments[j].name) >= 0;
        for (unsigned j = 0; j < mls_op_param_count(after); j++)
            fits &=
                (after->params[j].flags & MLS_PARAM_OPTIONAL) || mls_op_argument(op, after->params[j].name);
        if (!fits) {
            mls_fail(reterr, MLS_ERR_OP_ARGUMENT,
                     "cannot raise the model to %s: operation '%s' (%s) is defined otherwise there",
                     mls_system_for_opset(work->opset), op->name, op->type);
            mls_error_hint(reterr, "convert the original model again with minimum_deployment_target");
            return MLS_ERR_OP_ARGUMENT;
        }
    }
    return MLS_OK;
}

static enum mls_status edit_targets(struct compressing *work, struct spec_edit *edit,
                                    struct mls_error *reterr)
{
    const struct mls_program *program = &work->model->program;
    bool *replaced = MLS_NEW_ARRAY(work->scratch, program->n_ops, bool);
    enum mls_status status = replaced ? MLS_OK : no_memory(reterr);
    for (size_t i = 0; !status && i < work->targets.n; i++) {
        const struct target *target = &work->targets.list[i];
        if (target->job == SIZE_MAX || work->jobs[target->job].reason)
            continue;
        struct edit_op ops[EMIT_OPS_MAX];
        size_t n = emit_ops(&work->jobs[target->job].emitted, program->values[target->value.i].name,
                            work->scratch, ops);
        if (!n)
            return no_memory(reterr);
        ops[n - 1].name = program->ops[target->op.i].name;
        status = spec_edit_replace(edit, target->op, ops, n, reterr);
        replaced[target->op.i] = true;
        parts_mark_unused(program, &work->users, target->op, replaced);
    }
    for (size_t i = 0; i < work->targets.n; i++)
        replaced[work->targets.list[i].op.i] = false; /* those have something in their place */
    for (uint32_t i = 0; !status && i < program->n_ops; i++)
        if (replaced[i])
            status = spec_edit_replace(edit, (mls_op_id){i}, NULL, 0, reterr);
    return status;
}

/* Weight files that the new one takes the place of. */
static const char **old_weight_files(const struct compressing *work, size_t *ret_n)
{
    const struct mls_program *program = &work->model->program;
    const char **paths =
        MLS_NEW_ARRAY(work->scratch, mls_package_entry_count(work->model->package), const char *);
    *ret_n = 0;
    for (uint32_t i = 0; paths && i < program->n_values; i++) {
        const char *path = program->values[i].constant ? program->values[i].constant->blob_path : NULL;
        size_t j = 0;
        while (path && j < *ret_n && strcmp(paths[j], path))
            j++;
        if (path && j == *ret_n)
            paths[(*ret_n)++] = path;
    }
    return paths;
}

static enum mls_status write_package(struct compressing *work, struct mls_package **ret_package,
                                     struct mls_error *reterr)
{
    struct spec_edit *edit = NULL;
    struct edit_output output;
    size_t n_dropped;
    const char **dropped = old_weight_files(work, &n_dropped);
    struct mls_arena *keep = mls_arena_create_beside(work->scratch);
    enum mls_status status = dropped && keep ? check_raise(work, reterr) : no_memory(reterr);
    if (!status)
        status = spec_edit_open(work->model, &edit, reterr);
    if (!status)
        status = spec_edit_raise(edit, work->opset, reterr);
    if (!status)
        status = edit_targets(work, edit, reterr);
    if (!status && work->options->quantize_activations)
        status = activations_quantize(&work->model->program, work->options->calibration, edit, work->scratch,
                                      reterr);
    if (!status)
        status = spec_edit_finish(edit, keep, &output, reterr);
    spec_edit_free(edit);
    if (status) {
        mls_arena_free(keep);
        return status;
    }
    return package_derive(work->model->package, output.spec, output.weights, dropped, n_dropped, keep,
                          ret_package, reterr);
}

/* ---- The report ------------------------------------------------------------------------------ */

static double snr_of(double signal, double noise)
{
    return noise > 0 ? 10 * log10(signal / noise) : (double)INFINITY;
}

static void describe_job(const struct job *job, struct mls_compressed_weight *weight)
{
    weight->skipped_because = job->reason ? job->reason : weight->skipped_because;
    if (job->reason)
        return;
    size_t at = 0;
    for (size_t i = 0; i < PASSES_MAX; i++) {
        char label[64];
        if (!job->settings[i])
            continue;
        mls_compress_label(job->settings[i], label, sizeof label);
        size_t room = sizeof weight->method - at, length = strlen(label);
        if (at && room > 3) {
            memcpy(weight->method + at, " + ", 3);
            at += 3;
            room -= 3;
        }
        length = length < room - 1 ? length : room - 1;
        memcpy(weight->method + at, label, length);
        at += length;
        weight->method[at] = '\0';
    }
    weight->to_bytes = job->emitted.size_bytes;
    weight->noise = job->form.noise;
    weight->signal = job->form.signal;
    weight->snr_db = snr_of(weight->signal, weight->noise);
    weight->sparsity = job->form.mask ? 1 - (double)job->form.n_kept / (double)job->form.n : 0;
}

static bool is_shared(const struct compressing *work, size_t index)
{
    const void *own = identity(work, &work->targets.list[index]);
    for (size_t i = 0; own && i < index; i++)
        if (identity(work, &work->targets.list[i]) == own)
            return true;
    return false;
}

static void describe_target(const struct compressing *work, size_t index,
                            struct mls_compressed_weight *weight)
{
    const struct mls_program *program = &work->model->program;
    const struct target *target = &work->targets.list[index];
    const struct mls_op *op = &program->ops[target->op.i];
    const struct mls_op *user = target->user.i == MLS_NO_INDEX ? NULL : &program->ops[target->user.i];
    *weight = (struct mls_compressed_weight){.name = op->name,
                                             .function = program->functions[op->function.i].name,
                                             .op_type = user ? user->type : "",
                                             .op_name = user ? user->name : "",
                                             .type = program->values[target->value.i].type,
                                             .from_bytes = parts_of(program, target->op).bytes,
                                             .snr_db = (double)INFINITY,
                                             .skipped_because = target->skipped_because,
                                             .shared = is_shared(work, index)};
    weight->to_bytes = weight->from_bytes;
    if (target->job != SIZE_MAX)
        describe_job(&work->jobs[target->job], weight);
}

static enum mls_status report(const struct compressing *work, struct mls_compressed *compressed,
                              struct mls_error *reterr)
{
    compressed->weights = MLS_NEW_ARRAY(compressed->arena, work->targets.n, struct mls_compressed_weight);
    if (!compressed->weights)
        return no_memory(reterr);
    double signal = 0, noise = 0;
    for (size_t i = 0; i < work->targets.n; i++) {
        struct mls_compressed_weight *weight = &compressed->weights[compressed->n_weights++];
        describe_target(work, i, weight);
        if (weight->shared)
            continue;
        compressed->from_bytes += weight->from_bytes;
        compressed->to_bytes += weight->to_bytes;
        signal += weight->signal;
        noise += weight->noise;
    }
    compressed->snr_db = snr_of(signal, noise);
    compressed->from_opset = highest_opset(&work->model->program);
    compressed->to_opset = work->opset;
    return MLS_OK;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void finish(struct compressing *work)
{
    for (uint32_t i = 0; i < work->n_threads; i++)
        mls_arena_free(work->stored[i]);
    mls_users_free(&work->users);
    mls_arena_free(work->scratch);
    pthread_mutex_destroy(&work->progress_mutex);
}

enum mls_status mls_compress(const struct mls_model *model, const struct mls_compress_options *options,
                             struct mls_compressed **ret_compressed, struct mls_error *reterr)
{
    if (!model->package)
        return mls_fail(reterr, MLS_ERR_USAGE, "cannot compress a specification without its package");
    enum mls_form form = mls_package_info(model->package)->form;
    if (strcmp(model->type_name, "mlProgram") || form == MLS_FORM_COMPILED || form == MLS_FORM_MIL_TEXT ||
        form == MLS_FORM_ASSET) {
        mls_fail(reterr, MLS_ERR_USAGE,
                 "cannot compress %s: it has no specification that can be written again",
                 mls_package_info(model->package)->path);
        mls_error_hint(reterr, "compress the .mlpackage of an ML Program that it was made from");
        return MLS_ERR_USAGE;
    }
    if (options->quantize_activations && !options->calibration)
        return mls_fail(reterr, MLS_ERR_USAGE,
                        "cannot quantize activations without a calibration: their ranges are not known");
    if (options->n_passes > PASSES_MAX)
        return mls_fail(reterr, MLS_ERR_USAGE, "cannot compress: more than %d passes", PASSES_MAX);
    uint64_t begin = mls_clock_ns();
    struct compressing work = {
        .model = model, .options = options, .kernels = mls_kernels_pick(mls_cpu_best())};
    pthread_mutex_init(&work.progress_mutex, NULL);
    struct mls_arena *arena = mls_arena_create(0);
    struct mls_compressed *compressed = arena ? MLS_NEW(arena, struct mls_compressed) : NULL;
    work.scratch = mls_arena_create_beside(model->arena);
    enum mls_status status = compressed && work.scratch ? MLS_OK : no_memory(reterr);
    if (!status)
        status = plan_jobs(&work, reterr);
    if (!status)
        status = compress_jobs(&work, reterr);
    if (!status) {
        compressed->arena = arena;
        status = report(&work, compressed, reterr);
    }
    if (!status)
        status = write_package(&work, &compressed->package, reterr);
    finish(&work);
    if (status) {
        mls_arena_free(arena);
        return status;
    }
    compressed->elapsed_ns = mls_clock_ns() - begin;
    *ret_compressed = compressed;
    return MLS_OK;
}

void mls_compressed_free(struct mls_compressed *compressed)
{
    if (!compressed)
        return;
    mls_package_release(compressed->package);
    mls_arena_free(compressed->arena);
}
