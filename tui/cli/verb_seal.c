#include "cli/cli.h"
#include "cli/open.h"
#include "profiler/text.h"

static enum mls_status seal(const struct arguments *arguments, struct console *console,
                            struct mls_error *reterr)
{
    const char *out = arguments_text(arguments, OPTION_OUTPUT);
    if (!out || !arguments->operand) {
        mls_fail(reterr, MLS_ERR_USAGE, !out ? "no file to write was given" : "no package was given");
        mls_error_hint(reterr, "usage: mlscope seal PACKAGE -o FILE --key-file KEY");
        return MLS_ERR_USAGE;
    }
    struct opened opened;
    struct mls_package *package = NULL;
    enum mls_status status = open_options(arguments, &opened, reterr);
    if (!status && !opened.key) {
        status = mls_fail(reterr, MLS_ERR_USAGE, "cannot seal %s: no key was given", arguments->operand);
        mls_error_hint(reterr, "make one with: mlscope keygen -o KEY; then give --key-file KEY");
    }
    if (!status)
        status = mls_package_open(arguments->operand, &(struct mls_package_options){0}, &package, reterr);
    if (!status)
        status = mls_package_seal(package, opened.key, out, reterr);
    if (!status && !console->quiet) {
        char size[MLS_TEXT_BYTES];
        const struct mls_package_info *info = mls_package_info(package);
        console_printf(console, "sealed %s (%s) as %s with a key of %zu bits\n", info->path,
                       mls_text_size(info->file_bytes, size), out, mls_key_size(opened.key) * 8);
    }
    mls_package_release(package);
    open_close(&opened);
    return status;
}

int verb_seal(const struct arguments *arguments, struct console *console)
{
    struct mls_error error;
    return seal(arguments, console, &error) ? console_error(&error) : 0;
}
