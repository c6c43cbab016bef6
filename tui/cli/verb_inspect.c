#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/inspect.h"
#include "cli/open.h"

uint32_t inspect_count_ops(const struct mls_program *program, uint32_t function)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < program->n_ops; i++)
        n += program->ops[i].function.i == function && strcmp(program->ops[i].type, "const") != 0;
    return n;
}

const char *inspect_color_name(enum mls_color color)
{
    static const char *const names[] = {[MLS_COLOR_GRAY] = "grayscale",
                                        [MLS_COLOR_RGB] = "rgb",
                                        [MLS_COLOR_BGR] = "bgr",
                                        [MLS_COLOR_GRAY_FP16] = "grayscale float16"};
    return names[color];
}

static int most_first(const void *a, const void *b)
{
    const struct op_count *x = a, *y = b;
    return x->n != y->n ? (x->n > y->n ? -1 : 1) : strcmp(x->type, y->type);
}

static bool count_types(struct inspected *inspected)
{
    const struct mls_program *program = &inspected->loaded->model->program;
    inspected->counts = calloc(program->n_ops ? program->n_ops : 1, sizeof *inspected->counts);
    if (!inspected->counts)
        return false;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        if (op->function.i != inspected->loaded->function.i || !strcmp(op->type, "const"))
            continue;
        size_t j = 0;
        while (j < inspected->n_counts && strcmp(inspected->counts[j].type, op->type) != 0)
            j++;
        if (j == inspected->n_counts)
            inspected->counts[inspected->n_counts++] = (struct op_count){.type = op->type};
        inspected->counts[j].n++;
        inspected->n_ops++;
    }
    qsort(inspected->counts, inspected->n_counts, sizeof *inspected->counts, most_first);
    return true;
}

static void count_flops(struct inspected *inspected)
{
    const struct mls_plan *plan = inspected->loaded->plan;
    inspected->flops_known = plan != NULL;
    for (size_t i = 0; plan && i < mls_plan_step_count(plan); i++) {
        const struct mls_step *step = mls_plan_step(plan, i);
        inspected->flops += step->cost.flops;
        inspected->flops_known = inspected->flops_known && !step->dynamic;
    }
}

static enum mls_status inspect(const struct arguments *arguments, struct console *console,
                               struct opened *opened, struct mls_error *reterr)
{
    enum mls_status status = open_options(arguments, opened, reterr);
    if (status)
        return status;
    bool text = arguments_has(arguments, OPTION_MIL);
    status = open_model(opened, text ? MLS_LOAD_MODEL : MLS_LOAD_PLAN, reterr);
    const struct mls_loaded *loaded = opened->loaded;
    if (status && (!loaded || !loaded->interface || status == MLS_ERR_CANCELLED))
        return status;
    if (text) {
        mls_program_print(loaded->model, &console->out);
        return MLS_OK;
    }
    if (!status && !console->json && arguments_has(arguments, OPTION_PASSES))
        return inspect_write_passes(loaded->plan, console)
                   ? MLS_OK
                   : mls_fail(reterr, MLS_ERR_MEMORY, "cannot inspect the model: out of memory");
    if (status) /* what cannot be run can still be looked at */
        console_note(console, "this machine cannot run the model: %s", reterr->text);
    struct inspected inspected = {.loaded = loaded};
    bool ok = weights_collect(&loaded->model->program, loaded->function, &inspected.weights) &&
              count_types(&inspected);
    if (ok) {
        count_flops(&inspected);
        if (console->json)
            inspect_write_json(&inspected, console);
        else
            inspect_write_text(&inspected, console);
    }
    weights_done(&inspected.weights);
    free(inspected.counts);
    return ok ? MLS_OK : mls_fail(reterr, MLS_ERR_MEMORY, "cannot inspect the model: out of memory");
}

int verb_inspect(const struct arguments *arguments, struct console *console)
{
    struct opened opened = {0};
    struct mls_error error;
    enum mls_status status = inspect(arguments, console, &opened, &error);
    open_close(&opened);
    return status ? console_error(&error) : 0;
}
