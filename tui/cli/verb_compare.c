#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/interrupt.h"
#include "cli/open.h"

enum { RUNS_DEFAULT = 30, WARMUP_DEFAULT = 3, TOP_DEFAULT = 20, COUNT_MAX = 1 << 30 };
static const double SECONDS_MAX_DEFAULT = 20;

/* One of the two: a model that is opened, or a recording. */
struct part {
    const char *path;
    bool recording;
    enum mls_precision precision;
    struct arguments arguments; /* those of the command, about this part alone */
    struct opened opened;       /* models */
    struct mls_profile *profile;
    struct mls_side *side;
};

struct work {
    const struct arguments *arguments;
    struct console *console;
    struct part parts[2];
    struct mls_measure_options measure;
    uint64_t top;
    bool own_precision;
    struct mls_comparison *comparison;
    struct opened walked[2]; /* the models again, a step for each operation */
    struct mls_walk *walk;
    struct mls_error walk_error;
    struct mls_report *report;
};

static enum mls_status read_options(struct work *work, struct mls_error *reterr)
{
    const struct arguments *arguments = work->arguments;
    struct mls_measure_options *measure = &work->measure;
    *measure = (struct mls_measure_options){.runs = RUNS_DEFAULT,
                                            .warmup = WARMUP_DEFAULT,
                                            .max_seconds = SECONDS_MAX_DEFAULT,
                                            .stop = interrupt_flag()};
    work->top = TOP_DEFAULT;
    enum mls_status status = arguments_count(arguments, OPTION_RUNS, 1, COUNT_MAX, &measure->runs, reterr);
    if (!status)
        status = arguments_count(arguments, OPTION_WARMUP, 0, COUNT_MAX, &measure->warmup, reterr);
    if (!status)
        status = arguments_count(arguments, OPTION_TOP, 0, COUNT_MAX, &work->top, reterr);
    if (!status)
        status = arguments_number(arguments, OPTION_MAX_SECONDS, &measure->max_seconds, reterr);
    if (!status)
        status = arguments_number(arguments, OPTION_MIN_SECONDS, &measure->min_seconds, reterr);
    if (!status && work->console->json && arguments_has(arguments, OPTION_CSV))
        status = mls_fail(reterr, MLS_ERR_USAGE, "--json and --csv exclude each other");
    return status;
}

/* What is compared: two paths, or one model with itself in fp32. */
static enum mls_status choose_parts(struct work *work, struct mls_error *reterr)
{
    const struct arguments *arguments = work->arguments;
    if (!arguments->operand) {
        mls_fail(reterr, MLS_ERR_USAGE, "nothing was given to compare");
        mls_error_hint(reterr, "usage: mlscope compare A B, each a model or what `profile --json` wrote");
        return MLS_ERR_USAGE;
    }
    const char *paths[2] = {arguments->operand, arguments->second ? arguments->second : arguments->operand};
    for (unsigned i = 0; i < 2; i++) {
        work->parts[i].path = paths[i];
        work->parts[i].recording = mls_side_is_recording(paths[i]);
        work->parts[i].arguments = *arguments;
        work->parts[i].arguments.operand = paths[i];
    }
    work->own_precision = !arguments->second;
    if (work->own_precision && work->parts[0].recording)
        return mls_fail(reterr, MLS_ERR_USAGE, "cannot compare %s: a recording needs another one beside it",
                        paths[0]);
    return MLS_OK;
}

/* The reference of a model compared with itself is computed in fp32. */
static enum mls_status open_part(const struct work *work, unsigned index, bool fused,
                                 struct opened *ret_opened, struct mls_error *reterr)
{
    enum mls_status status = open_options(&work->parts[index].arguments, ret_opened, reterr);
    if (status)
        return status;
    if (work->own_precision && index == 0)
        ret_opened->options.precision = MLS_PRECISION_HIGH;
    ret_opened->options.no_fusion = ret_opened->options.no_fusion || !fused;
    return open_model(ret_opened, MLS_LOAD_ALL, reterr);
}

static enum mls_status open_parts(struct work *work, struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    for (unsigned i = 0; !status && i < 2; i++) {
        struct part *part = &work->parts[i];
        if (part->recording)
            status = mls_side_from_file(part->path, &part->side, reterr);
        else
            status = open_part(work, i, true, &part->opened, reterr);
        if (!status && !part->recording)
            status = mls_profile_create(part->opened.loaded->plan, NULL, &part->profile, reterr);
    }
    return status;
}

static enum mls_status measure_parts(struct work *work, struct mls_error *reterr)
{
    struct part *a = &work->parts[0], *b = &work->parts[1];
    enum mls_status status = MLS_OK;
    if (!a->recording && !b->recording) {
        interrupt_watch(NULL, a->opened.loaded->run);
        status = mls_measure_pair(a->opened.loader, b->opened.loader, &work->measure, a->profile, b->profile,
                                  reterr);
    } else if (!a->recording || !b->recording) {
        struct part *model = a->recording ? b : a;
        interrupt_watch(NULL, model->opened.loaded->run);
        status = mls_measure(model->opened.loader, &work->measure, model->profile, reterr);
    }
    interrupt_watch(NULL, NULL);
    for (unsigned i = 0; !status && i < 2; i++) {
        struct part *part = &work->parts[i];
        if (part->recording)
            continue;
        struct mls_memory_use memory = mls_memory_read(part->opened.loaded->plan, part->opened.loaded->run);
        if (!a->recording && !b->recording)
            memory.peak_rss_bytes = 0; /* of the process, which holds both */
        status = mls_side_from_profile(part->opened.loaded, part->profile, &memory, &part->side, reterr);
        if (!status && !a->recording && !b->recording)
            part->side->rounds = part->profile;
    }
    return status;
}

/* Values are an addition: why they cannot be compared is told, and the rest stands. */
static enum mls_status walk_parts(struct work *work, struct mls_error *reterr)
{
    if (work->parts[0].recording || work->parts[1].recording)
        return MLS_OK;
    enum mls_status status = MLS_OK;
    for (unsigned i = 0; !status && i < 2; i++)
        status = open_part(work, i, false, &work->walked[i], &work->walk_error);
    const struct mls_walk_options options = {.stop = interrupt_flag()};
    if (!status) {
        interrupt_watch(NULL, work->walked[0].loaded->run);
        status = mls_walk(work->walked[0].loaded, work->walked[1].loaded, &options, &work->walk,
                          &work->walk_error);
        interrupt_watch(NULL, NULL);
    }
    if (status != MLS_ERR_CANCELLED)
        return MLS_OK;
    if (reterr)
        *reterr = work->walk_error;
    return status;
}

/* What the rules say of the difference. */
static enum mls_status diagnose(struct work *work, struct mls_error *reterr)
{
    const struct mls_loaded *a = work->parts[0].opened.loaded, *b = work->parts[1].opened.loaded;
    if (!a || !b)
        return MLS_OK;
    const struct mls_loaded *walked = work->walked[1].loaded;
    const struct mls_facts facts = {
        .package = b->package,
        .model = b->model,
        .interface = b->interface,
        .plan = walked ? walked->plan : NULL,
        .walk = work->walk,
        .reference = work->own_precision ? NULL : a->model,
        .comparison = work->comparison,
        .inputs_given =
            arguments_has(work->arguments, OPTION_INPUT) || arguments_has(work->arguments, OPTION_INPUTS),
        .comparison_only = true,
    };
    return mls_diagnose(&facts, &work->report, reterr);
}

static const char *label_of(const struct work *work, unsigned index)
{
    if (work->own_precision)
        return index == 0 ? "in fp32" : "as declared";
    return work->parts[index].path;
}

static void write_out(struct work *work)
{
    const struct compared compared = {
        .loaded_a = work->parts[0].opened.loaded,
        .loaded_b = work->parts[1].opened.loaded,
        .a = work->parts[0].side,
        .b = work->parts[1].side,
        .label_a = label_of(work, 0),
        .label_b = label_of(work, 1),
        .comparison = work->comparison,
        .walk = work->walk,
        .walk_refused = work->walk_error.text,
        .report = work->report,
        .own_precision = work->own_precision,
        .random_seed = work->parts[0].opened.options.random_seed,
    };
    if (work->console->json)
        compare_write_json(work->console, &compared);
    else if (arguments_has(work->arguments, OPTION_CSV))
        compare_write_csv(work->console, &compared);
    else if (!work->console->quiet)
        compare_write_text(work->console, &compared, work->console->verbose ? 0 : (size_t)work->top);
}

static void close_all(struct work *work)
{
    mls_report_free(work->report);
    mls_walk_free(work->walk);
    mls_comparison_free(work->comparison);
    for (unsigned i = 0; i < 2; i++) {
        mls_side_free(work->parts[i].side);
        mls_profile_free(work->parts[i].profile);
        open_close(&work->parts[i].opened);
        open_close(&work->walked[i]);
    }
}

int verb_compare(const struct arguments *arguments, struct console *console)
{
    struct work work = {.arguments = arguments, .console = console};
    struct mls_error error;
    enum mls_status status = read_options(&work, &error);
    if (!status)
        status = choose_parts(&work, &error);
    if (!status)
        status = open_parts(&work, &error);
    if (!status)
        status = measure_parts(&work, &error);
    if (!status)
        status = mls_compare(work.parts[0].side, work.parts[1].side, &work.comparison, &error);
    if (!status)
        status = walk_parts(&work, &error);
    if (!status)
        status = diagnose(&work, &error);
    if (!status)
        write_out(&work);
    close_all(&work);
    return status ? console_error(&error) : 0;
}
