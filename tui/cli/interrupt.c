#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

/* A signal handler has no other way to know what goes on. Lock-free atomics are all that it touches. */
static atomic_bool interrupted;
static _Atomic(struct mls_loader *) loading;
static _Atomic(struct mls_run *) running;

static void on_signal(int signal_number)
{
    (void)signal_number;
    atomic_store(&interrupted, true);
    struct mls_loader *loader = atomic_load(&loading);
    struct mls_run *run = atomic_load(&running);
    if (loader)
        mls_loader_cancel(loader);
    if (run)
        mls_run_cancel(run);
}

void interrupt_install(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
}

void interrupt_watch(struct mls_loader *loader, struct mls_run *run)
{
    atomic_store(&loading, loader);
    atomic_store(&running, run);
}

const atomic_bool *interrupt_flag(void)
{
    return &interrupted;
}
