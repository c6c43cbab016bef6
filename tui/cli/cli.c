#include "cli/cli.h"

#include <locale.h>

#include "cli/interrupt.h"

static int (*const verbs[VERB_COUNT])(const struct arguments *arguments, struct console *console) = {
#define X(id, name, operand, help) [VERB_##id] = verb_##id,
#include "cli/verbs.def"
#undef X
};

const char *cli_version(void)
{
    return MLS_VERSION;
}

const char *cli_commit(void)
{
    return MLS_COMMIT;
}

int cli_main(int argc, char *const *argv)
{
    setlocale(LC_CTYPE, "");
    interrupt_install();
    struct arguments arguments;
    struct console console;
    struct mls_error error;
    int code;
    enum mls_status status = arguments_parse(argc, argv, &arguments, &error);
    if (!status)
        status = console_init(&console, &arguments, &error);
    if (status) {
        code = console_error(&error);
    } else if (arguments_has(&arguments, OPTION_VERSION)) {
        console_printf(&console, "mlscope %s%s%s%s\n", cli_version(), *cli_commit() ? " (" : "", cli_commit(),
                       *cli_commit() ? ")" : "");
        code = console_finish(&console, 0);
    } else if (arguments.help) {
        cli_help(&console, &arguments);
        code = console_finish(&console, argc < 2 ? mls_status_exit_code(MLS_ERR_USAGE) : 0);
    } else {
        code = console_finish(&console, verbs[arguments.verb](&arguments, &console));
    }
    arguments_free(&arguments);
    return code;
}
