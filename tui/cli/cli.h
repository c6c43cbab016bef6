/* cli.h: the program without its screen. */
#pragma once

#include "cli/arguments.h"
#include "cli/console.h"

/* cli_main: the whole program; returns the exit code of CONTRACT.md. */
int cli_main(int argc, char *const *argv);

/* cli_help: help on all commands, or on the one in `arguments`. */
void cli_help(struct console *console, const struct arguments *arguments);

/* The commands. Each returns the exit code and has printed what failed. */
#define X(id, name, operand, help) int verb_##id(const struct arguments *arguments, struct console *console);
#include "cli/verbs.def"
#undef X

/* cli_version, cli_commit: of this build; static. */
const char *cli_version(void);
const char *cli_commit(void);
