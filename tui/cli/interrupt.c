#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "core/status.h"

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

/* A page of a mapped file is not there any more: the file was cut short. Nothing can be computed from here
 * on. */
static void on_bus(int signal_number, siginfo_t *info, void *context)
{
    static const char message[] =
        "mlscope: cannot go on: a file of the model was cut short while it was in use\n"
        "hint: leave the model's files alone while mlscope runs, or give it a copy\n";
    (void)context;
    if (info->si_code == BUS_ADRERR) {
        ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
        (void)written;
        _exit(mls_status_exit_code(MLS_ERR_CANCELLED));
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
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
    sigaction(SIGXFSZ, &ignore, NULL); /* a file that may not grow further is a write that fails */
    struct sigaction bus = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    sigemptyset(&bus.sa_mask);
    sigaction(SIGBUS, &bus, NULL);
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
