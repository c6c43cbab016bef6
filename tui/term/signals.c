#include "term/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RESTORE_BYTES = 256, CRASH_STACK_BYTES = 64 * 1024 };

static struct {
    int pipe[2];
    volatile sig_atomic_t resized;
    volatile sig_atomic_t suspend;
    volatile sig_atomic_t deadly;
    struct termios modes;
    char restore[RESTORE_BYTES];
    size_t restore_bytes;
    char crash_stack[CRASH_STACK_BYTES]; /* a crash may be an overflow of the stack */
} arrived = {.pipe = {-1, -1}};

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
static struct sigaction
    before[sizeof crashes / sizeof crashes[0]]; /* what crashes did until the screen was on */
static const int deaths[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

enum { N_CRASHES = sizeof crashes / sizeof crashes[0], N_DEATHS = sizeof deaths / sizeof deaths[0] };

static void on_signal(int signal_number)
{
    int saved = errno;
    if (signal_number == SIGWINCH)
        arrived.resized = 1;
    else if (signal_number == SIGTSTP)
        arrived.suspend = 1;
    else
        arrived.deadly = signal_number;
    ssize_t written = write(arrived.pipe[1], "", 1);
    (void)written; /* a full pipe is readable already */
    errno = saved;
}

/* Gives the terminal back, and lets happen what would have without the screen. What the processor raised it
 * raises again. */
static void on_crash(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    ssize_t written = write(STDOUT_FILENO, arrived.restore, arrived.restore_bytes);
    (void)written;
    tcsetattr(STDIN_FILENO, TCSANOW, &arrived.modes);
    for (unsigned i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
        if (crashes[i] == signal_number)
            sigaction(signal_number, &before[i], NULL);
    if (info->si_code <= 0)
        raise(signal_number);
}

static void handle(int signal_number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

int mls_signals_arm(const struct termios *modes, const char *restore)
{
    if (arrived.pipe[0] < 0 && pipe2(arrived.pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    arrived.modes = *modes;
    arrived.restore_bytes = strnlen(restore, RESTORE_BYTES);
    memcpy(arrived.restore, restore, arrived.restore_bytes);
    stack_t stack = {.ss_sp = arrived.crash_stack, .ss_size = CRASH_STACK_BYTES};
    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < N_DEATHS; i++)
        handle(deaths[i], on_signal, SA_RESTART);
    for (unsigned i = 0; i < N_CRASHES; i++) {
        struct sigaction action = {.sa_sigaction = on_crash,
                                   .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER)};
        sigemptyset(&action.sa_mask);
        sigaction(crashes[i], &action, &before[i]);
    }
    handle(SIGWINCH, on_signal, SA_RESTART);
    handle(SIGTSTP, on_signal, SA_RESTART);
    handle(SIGPIPE, SIG_IGN, 0);
    return arrived.pipe[0];
}

void mls_signals_disarm(void)
{
    for (unsigned i = 0; i < N_DEATHS; i++)
        handle(deaths[i], SIG_DFL, 0);
    for (unsigned i = 0; i < N_CRASHES; i++)
        sigaction(crashes[i], &before[i], NULL);
    handle(SIGWINCH, SIG_DFL, 0);
    handle(SIGTSTP, SIG_DFL, 0);
    handle(SIGPIPE, SIG_DFL, 0);
    stack_t stack = {.ss_flags = SS_DISABLE};
    sigaltstack(&stack, NULL);
}

struct mls_signals mls_signals_take(void)
{
    char bytes[64];
    while (arrived.pipe[0] >= 0 && read(arrived.pipe[0], bytes, sizeof bytes) > 0)
        continue;
    struct mls_signals taken = {arrived.resized != 0, arrived.suspend != 0, arrived.deadly};
    arrived.resized = 0;
    arrived.suspend = 0;
    arrived.deadly = 0;
    return taken;
}

void mls_signals_block_thread(void)
{
    sigset_t set;
    sigfillset(&set);
    for (unsigned i = 0; i < N_CRASHES; i++)
        sigdelset(&set, crashes[i]);
    sigdelset(&set, SIGTRAP); /* those that sample a thread come to that thread */
    sigdelset(&set, SIGPROF);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void mls_signals_stop_process(void)
{
    handle(SIGTSTP, SIG_DFL, 0);
    raise(SIGTSTP); /* to this thread: it has stopped, and gone on, before raise returns */
    handle(SIGTSTP, on_signal, SA_RESTART);
}
