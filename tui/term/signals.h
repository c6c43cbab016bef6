/*
 * signals.h: every way out restores the terminal. The one file of the screen with state of the process: what
 * a signal handler needs.
 */
#pragma once

#include <stdbool.h>
#include <termios.h>

/* What arrived since the last look. */
struct mls_signals {
    bool resized;
    bool suspend;
    int deadly; /* the signal that asks for an end, or 0 */
};

/*
 * mls_signals_arm: handlers for SIGWINCH, SIGTSTP, SIGTERM, SIGINT, SIGHUP, SIGQUIT, and for crashes, which
 * write `restore` (the terminal's own sequences) and set `modes` before the process dies. Returns a file
 * descriptor that becomes readable when something arrived, or -1. Call on the screen's thread before other
 * threads start.
 */
int mls_signals_arm(const struct termios *modes, const char *restore);

/* mls_signals_disarm: default handlers again. */
void mls_signals_disarm(void);

/* mls_signals_take: reads and clears what arrived. */
struct mls_signals mls_signals_take(void);

/* mls_signals_block_thread: the calling thread and those that it starts take no signals but their own
 * crashes and those of a sampler. */
void mls_signals_block_thread(void);

/* mls_signals_stop_process: stops this process as SIGTSTP would by itself; returns when it goes on. */
void mls_signals_stop_process(void);
