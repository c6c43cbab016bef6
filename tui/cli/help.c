#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { LINE_COLUMNS = 80 };

/* What stands at the left, and a text beside it that goes on below its own begin. */
static void print_row(struct console *console, const char *left, int left_columns, const char *text)
{
    console_printf(console, "  %-*s", left_columns, left);
    int at = 2 + (int)(strlen(left) > (size_t)left_columns ? strlen(left) : (size_t)left_columns);
    for (const char *word = text; *word;) {
        int length = (int)strcspn(word, " ");
        if (at + 1 + length > LINE_COLUMNS && at > left_columns + 2) {
            console_printf(console, "\n%*s", left_columns + 2, "");
            at = left_columns + 2;
        }
        console_printf(console, " %.*s", length, word);
        at += 1 + length;
        word += length + (word[length] == ' ');
    }
    console_printf(console, "\n");
}

/* The options that `wanted` says yes to. */
static void print_options(struct console *console,
                          bool (*wanted)(const struct option_row *row, enum verb verb), enum verb verb)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        if (!wanted(row, verb))
            continue;
        char left[64], help[256], letter[8] = "    ";
        if (row->letter)
            snprintf(letter, sizeof letter, "-%c, ", row->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name, row->value ? " " : "",
                 row->value ? row->value : "");
        snprintf(help, sizeof help, "%s%s", row->help, row->repeat ? "; repeatable" : "");
        print_row(console, left, 34, help);
    }
}

static bool for_verb(const struct option_row *row, enum verb verb)
{
    return row->verbs & 1u << verb;
}

static bool for_all(const struct option_row *row, enum verb verb)
{
    (void)verb;
    return row->verbs == UINT32_MAX;
}

static void help_on_all(struct console *console)
{
    console_printf(console, "mlscope: profiles and diagnoses Core ML models on any Linux machine\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        char left[40];
        const struct verb_row *row = &verb_rows[i];
        snprintf(left, sizeof left, "mlscope %s%s%s", row->name, *row->name && row->operand ? " " : "",
                 row->operand ? row->operand : "");
        print_row(console, left, 26, row->help);
    }
    console_printf(console, "\nMODEL is an .mlpackage or .mlmodelc folder, an .mlmodel or MIL text file, a zip\n"
                            "or flat RTFD of one, or one of these sealed. The screen also opens a recording,\n"
                            "or a folder of models; without MODEL, in a terminal, the models below this one.\n"
                            "mlscope help COMMAND lists the options of a command. For all of them:\n\n");
    print_options(console, for_all, VERB_COUNT);
    console_printf(
        console,
        "\nExit codes: 0 done, 1 a gate was broken, 2 usage, 3 the model was refused,\n"
        "4 internal error, 5 not finished.\n");
}

void cli_help(struct console *console, const struct arguments *arguments)
{
    if (arguments->help_all) {
        help_on_all(console);
        return;
    }
    const struct verb_row *row = &verb_rows[arguments->verb];
    console_printf(console, "usage: mlscope %s%s%s [options]\n%s\n\n", row->name,
                   *row->name && row->operand ? " " : "", row->operand ? row->operand : "", row->help);
    print_options(console, for_verb, arguments->verb);
}
