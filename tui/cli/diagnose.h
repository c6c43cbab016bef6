/* diagnose.h: a report of the diagnostics, for people. */
#pragma once

#include "cli/console.h"
#include "diagnostics/engine.h"

void diagnose_write_text(struct console *console, const struct mls_report *report);
