#include "cli/cli.h"
#include "cli/open.h"
#include "core/model.h"

static enum mls_status compile(const struct arguments *arguments, struct console *console,
                               struct mls_error *reterr)
{
    const char *out = arguments_text(arguments, OPTION_OUTPUT);
    if (!out || !arguments->operand) {
        mls_fail(reterr, MLS_ERR_USAGE, !out ? "no folder to write was given" : "no model was given");
        mls_error_hint(reterr, "usage: mlscope compile MODEL -o NAME.mlmodelc");
        return MLS_ERR_USAGE;
    }
    struct opened opened;
    struct mls_package *package = NULL;
    struct mls_model *model = NULL;
    enum mls_status status = open_options(arguments, &opened, reterr);
    if (!status)
        status = mls_package_open(arguments->operand, &(struct mls_package_options){.key = opened.key},
                                  &package, reterr);
    if (!status)
        status = mls_model_load(package, NULL, &model, reterr);
    if (!status)
        status = mls_model_compile(model, out, reterr);
    if (!status && !console->quiet)
        console_printf(console, "wrote %s: %u operations as MIL text in model.mil\n", out,
                       model->program.n_ops);
    mls_model_free(model);
    mls_package_release(package);
    open_close(&opened);
    return status;
}

int verb_compile(const struct arguments *arguments, struct console *console)
{
    struct mls_error error;
    return compile(arguments, console, &error) ? console_error(&error) : 0;
}
