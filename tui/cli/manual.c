#include "cli/manual.h"

#include <string.h>

#include "app/requests.h"
#include "app/setting.h"
#include "cli/cli.h"

/* ---- roff
 * ------------------------------------------------------------------------------------------------------- */

/* Text that roff must not read as its own: backslashes, hyphens, and a dot or quote at the begin of a line.
 */
static void put_roff(struct console *console, const char *text)
{
    for (const char *at = text; *at; at++) {
        if (at == text && (*at == '.' || *at == '\''))
            console_printf(console, "\\&%c", *at);
        else if (*at == '\\')
            console_printf(console, "\\e");
        else if (*at == '-')
            console_printf(console, "\\-");
        else
            console_printf(console, "%c", *at);
    }
}

static void put_tagged(struct console *console, const char *tag, const char *more, const char *text)
{
    console_printf(console, ".TP\n.B ");
    put_roff(console, tag);
    if (*more) {
        console_printf(console, " ");
        put_roff(console, more);
    }
    console_printf(console, "\n");
    put_roff(console, text);
    console_printf(console, "\n");
}

static void put_paragraph(struct console *console, const char *text)
{
    console_printf(console, ".PP\n");
    put_roff(console, text);
    console_printf(console, "\n");
}

static void put_option(struct console *console, const struct option_row *row)
{
    console_printf(console, ".TP\n");
    if (row->letter)
        console_printf(console, "\\fB\\-%c\\fR, ", row->letter);
    console_printf(console, "\\fB\\-\\-");
    put_roff(console, row->name);
    console_printf(console, "\\fR");
    if (row->value) {
        console_printf(console, " \\fI");
        put_roff(console, row->value);
        console_printf(console, "\\fR");
    }
    console_printf(console, "\n");
    put_roff(console, row->help);
    console_printf(console, "%s\n.br\n", row->repeat ? "; repeatable" : "");
    console_printf(console, "(");
    if (row->verbs == UINT32_MAX)
        console_printf(console, "all");
    for (unsigned verb = 0, n = 0; verb < VERB_COUNT && row->verbs != UINT32_MAX; verb++)
        if (row->verbs & 1u << verb)
            console_printf(console, "%s%s", n++ ? ", " : "",
                           *verb_rows[verb].name ? verb_rows[verb].name : "screen");
    console_printf(console, ")\n");
}

static void put_keys(struct console *console)
{
    struct mls_keymap keymap;
    mls_keymap_default(&keymap);
    console_printf(console, ".SH KEYS\n");
    put_paragraph(
        console,
        "Names in parentheses stand for the request on the command line of the screen, in scripts and in "
        "the configuration (key.NAME = KEYS).");
    for (unsigned i = 0; i < MLS_REQUEST_COUNT; i++) {
        char keys[64], name[64];
        const struct mls_request_info *info = mls_request_info((enum mls_request)i);
        snprintf(name, sizeof name, "(%s)", info->name);
        put_tagged(console, mls_keymap_keys(&keymap, (enum mls_request)i, keys, sizeof keys), name,
                   info->help);
    }
}

static void put_settings(struct console *console)
{
    console_printf(console, ".SH SETTINGS\n");
    put_paragraph(
        console,
        "Changed by :set NAME=VALUE, in the view Setup (F2), and in the configuration file. Those of the "
        "model load it anew.");
    for (size_t i = 0; i < mls_setting_count(); i++) {
        const struct mls_setting_row *row = mls_setting_at(i);
        char text[256];
        snprintf(text, sizeof text, "%s: %s (%s)", row->help, row->values, row->restart ? "model" : "screen");
        put_tagged(console, row->name, "", text);
    }
}

static void put_files(struct console *console)
{
    console_printf(console, ".SH FILES\n");
    put_tagged(console, "$XDG_CONFIG_HOME/mlscope/config", "",
               "Configuration of the screen, else ~/.config/mlscope/config. "
               "mlscope --default-config prints the defaults.");
    put_tagged(console, "*.mlsrec", "", "Recordings, see mlscope-recording(5).");
    console_printf(console, ".SH ENVIRONMENT\n");
    put_tagged(console, "NO_COLOR", "", "When set and not empty: no colours, unless --color always.");
    put_tagged(console, "COLORFGBG", "", "Tells the theme \"auto\" whether the ground is light.");
    console_printf(console, ".SH EXIT STATUS\n");
    put_tagged(console, "0", "", "Done.");
    put_tagged(console, "1", "",
               "A gate was broken: slower, larger or less accurate than the baseline allows.");
    put_tagged(console, "2", "", "Usage.");
    put_tagged(console, "3", "", "The model was refused, with a diagnosis.");
    put_tagged(console, "4", "", "Internal error.");
    put_tagged(console, "5", "", "The run did not finish: cancelled, out of time or memory.");
    console_printf(console, ".SH SEE ALSO\n.BR mlscope\\-recording (5)\n");
}

void manual_page(struct console *console)
{
    console_printf(console, ".TH MLSCOPE 1 \"\" \"mlscope %s\" \"User Commands\"\n", cli_version());
    console_printf(console, ".SH NAME\nmlscope \\- profiles and diagnoses Core ML models\n.SH SYNOPSIS\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        console_printf(console, "%s.B mlscope", i ? ".br\n" : "");
        if (*verb_rows[i].name)
            console_printf(console, " %s", verb_rows[i].name);
        console_printf(console, "\n.RI [ option \" ...]");
        if (verb_rows[i].operand) {
            console_printf(console, " ");
            put_roff(console, verb_rows[i].operand);
        }
        console_printf(console, "\"\n");
    }
    console_printf(console, ".SH DESCRIPTION\n");
    put_paragraph(
        console,
        "Opens a Core ML package, also an encrypted one, which is decrypted in memory only; runs its program "
        "with its own inference core; times every operation; and shows timings, memory, placement and "
        "findings live in a terminal. Placement on Apple's hardware is predicted and marked so.");
    put_paragraph(
        console,
        "MODEL is a .mlpackage or .mlmodelc folder, a .mlmodel file, a zip of one of these, a flat RTFD of a "
        "package, a sealed file of one, or a recording. Without it, or with another folder, the screen lists "
        "the models below the folder.");
    console_printf(console, ".SH COMMANDS\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        put_tagged(console, *verb_rows[i].name ? verb_rows[i].name : "(none)",
                   verb_rows[i].operand ? verb_rows[i].operand : "", verb_rows[i].help);
    console_printf(console, ".SH OPTIONS\n");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        put_option(console, &option_rows[i]);
    put_keys(console);
    put_settings(console);
    put_files(console);
}

/* ---- Completions
 * ------------------------------------------------------------------------------------------------ */

static bool is_for(const struct option_row *row, unsigned verb)
{
    return row->verbs & 1u << verb;
}

static bool takes_file(const struct option_row *row)
{
    return row->value && (strstr(row->value, "FILE") || strstr(row->value, "DIR"));
}

static void complete_bash(struct console *console)
{
    console_printf(console, "# bash completion for mlscope\n_mlscope() {\n"
                            "    local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} options\n"
                            "    case $verb in\n");
    for (unsigned verb = 0; verb < VERB_COUNT; verb++) {
        if (!*verb_rows[verb].name)
            continue;
        console_printf(console, "    %s) options='", verb_rows[verb].name);
        for (unsigned i = 0; i < OPTION_COUNT; i++)
            if (is_for(&option_rows[i], verb))
                console_printf(console, "--%s ", option_rows[i].name);
        console_printf(console, "' ;;\n");
    }
    console_printf(console, "    *) options='");
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (is_for(&option_rows[i], VERB_screen))
            console_printf(console, "--%s ", option_rows[i].name);
    console_printf(console, "' ;;\n    esac\n"
                            "    if [[ $cur == -* ]]; then\n"
                            "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
                            "    elif [[ $COMP_CWORD == 1 ]]; then\n        COMPREPLY=($(compgen -W 'help ");
    for (unsigned verb = 0; verb < VERB_COUNT; verb++)
        console_printf(console, "%s%s", verb_rows[verb].name, *verb_rows[verb].name ? " " : "");
    console_printf(console, "' -- \"$cur\") $(compgen -f -- \"$cur\"))\n"
                            "    else\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n    fi\n}\n"
                            "complete -o filenames -F _mlscope mlscope\n");
}

/* A text between single quotes, for shells: without quotes, brackets and colons of its own. */
static void put_shell(struct console *console, const char *text)
{
    for (; *text; text++)
        console_printf(console, "%c", strchr("'[]:`$\\\"", *text) ? ' ' : *text);
}

static void complete_zsh(struct console *console)
{
    console_printf(console, "#compdef mlscope\n_mlscope() {\n    local -a verbs options\n    verbs=(\n");
    for (unsigned verb = 0; verb < VERB_COUNT; verb++) {
        if (!*verb_rows[verb].name)
            continue;
        console_printf(console, "        '%s:", verb_rows[verb].name);
        put_shell(console, verb_rows[verb].help);
        console_printf(console, "'\n");
    }
    console_printf(console, "    )\n    case $words[2] in\n");
    for (unsigned at = 1; at <= VERB_COUNT; at++) {
        unsigned verb =
            at % VERB_COUNT; /* the screen, which has no name, stands last: whatever else is there */
        console_printf(console, "    %s) options=(\n", *verb_rows[verb].name ? verb_rows[verb].name : "*");
        for (unsigned i = 0; i < OPTION_COUNT; i++) {
            const struct option_row *row = &option_rows[i];
            if (!is_for(row, verb))
                continue;
            console_printf(console, "        '%s--%s%s[", row->repeat ? "*" : "", row->name,
                           row->value ? "=" : "");
            put_shell(console, row->help);
            console_printf(console, "]%s'\n",
                           takes_file(row) ? ":file:_files"
                           : row->value    ? ":value: "
                                           : "");
        }
        console_printf(console, "    ) ;;\n");
    }
    console_printf(console, "    esac\n    (( CURRENT == 2 )) && _describe command verbs\n"
                            "    _arguments \"$options[@]\" '*:model:_files'\n}\n_mlscope \"$@\"\n");
}

static void complete_fish(struct console *console)
{
    console_printf(console, "# fish completion for mlscope\n");
    for (unsigned verb = 0; verb < VERB_COUNT; verb++) {
        if (!*verb_rows[verb].name)
            continue;
        console_printf(console, "complete -c mlscope -n __fish_use_subcommand -a %s -d '",
                       verb_rows[verb].name);
        put_shell(console, verb_rows[verb].help);
        console_printf(console, "'\n");
    }
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        console_printf(console, "complete -c mlscope ");
        if (row->verbs != UINT32_MAX) {
            console_printf(console, "-n '%s__fish_seen_subcommand_from",
                           is_for(row, VERB_screen) ? "__fish_use_subcommand; or " : "");
            for (unsigned verb = 0; verb < VERB_COUNT; verb++)
                if (is_for(row, verb) && *verb_rows[verb].name)
                    console_printf(console, " %s", verb_rows[verb].name);
            console_printf(console, "' ");
        }
        if (row->letter)
            console_printf(console, "-s %c ", row->letter);
        console_printf(console, "-l %s %s-d '", row->name,
                       !row->value       ? ""
                       : takes_file(row) ? "-r "
                                         : "-x ");
        put_shell(console, row->help);
        console_printf(console, "'\n");
    }
}

static const struct {
    const char *name;
    void (*print)(struct console *console);
} shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};

enum mls_status manual_completion(struct console *console, const char *shell, struct mls_error *reterr)
{
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].print(console);
            return MLS_OK;
        }
    return mls_fail(reterr, MLS_ERR_USAGE, "option --completion: '%s' is none of bash, zsh, fish", shell);
}
