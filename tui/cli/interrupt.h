/* interrupt.h: Ctrl-C and kill -TERM end what goes on at its next step, in order. */
#pragma once

#include <stdatomic.h>

#include "profiler/loader.h"

/*
 * interrupt_install: handlers for SIGINT and SIGTERM (the second one kills), and no death by SIGPIPE and SIGXFSZ. A file that
 * shrinks while it is mapped ends the program with a sentence and exit code 5.
 */
void interrupt_install(void);

/* interrupt_watch: what a signal is to cancel from now on; NULL: nothing. */
void interrupt_watch(struct mls_loader *loader, struct mls_run *run);

/* interrupt_flag: true after a signal; for loops to look at. */
const atomic_bool *interrupt_flag(void);
