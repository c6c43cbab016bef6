#include "cli/annotate.h"
#include "cli/cli.h"
#include "cli/open.h"
#include "cli/plan.h"

struct work {
    const struct arguments *arguments;
    struct opened opened;
    enum mls_compute_units setting;
    const struct mls_placement_profile *hardware;
    struct mls_placement *placements[MLS_COMPUTE_UNITS_COUNT]; /* NULL: not asked for */
    struct mls_placement_remedies *remedies[MLS_COMPUTE_UNITS_COUNT];
};

static enum mls_status place(struct work *work, struct mls_error *reterr)
{
    const struct mls_loaded *loaded = work->opened.loaded;
    bool one = arguments_has(work->arguments, OPTION_COMPUTE_UNITS);
    enum mls_status status = MLS_OK;
    for (enum mls_compute_units i = 0; !status && i < MLS_COMPUTE_UNITS_COUNT; i++) {
        if (one && i != work->setting)
            continue;
        status = mls_placement_create(loaded->model, loaded->function, loaded->plan, work->hardware, i,
                                      &work->placements[i], reterr);
        if (!status)
            status = mls_placement_remedies_create(work->placements[i], &work->remedies[i], reterr);
    }
    return status;
}

static void write_out(struct work *work, struct console *console)
{
    struct planned planned = {
        .loaded = work->opened.loaded, .setting = work->setting, .hardware = work->hardware};
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++) {
        planned.placements[i] = work->placements[i];
        planned.remedies[i] = work->remedies[i];
    }
    if (console->json)
        plan_write_json(console, &planned);
    else
        plan_write_text(console, &planned);
}

int verb_plan(const struct arguments *arguments, struct console *console)
{
    struct work work = {.arguments = arguments};
    struct mls_error error;
    enum mls_status status = annotate_setting(arguments, &work.setting, &work.hardware, &error);
    if (!status)
        status = open_options(arguments, &work.opened, &error);
    if (!status) {
        status = open_model(&work.opened, MLS_LOAD_PLAN, &error);
        /* What this program cannot run itself can still be placed: the program is known. */
        if (status && work.opened.loaded && work.opened.loaded->interface) {
            console_note(console, "this machine cannot run the model: %s", error.text);
            status = MLS_OK;
        }
    }
    if (!status)
        status = place(&work, &error);
    if (!status)
        write_out(&work, console);
    for (size_t i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++) {
        mls_placement_remedies_free(work.remedies[i]);
        mls_placement_free(work.placements[i]);
    }
    open_close(&work.opened);
    return status ? console_error(&error) : 0;
}
