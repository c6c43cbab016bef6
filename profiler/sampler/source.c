/*
 * source.c: the two ways to be woken after so much CPU time of a thread. The target travels in the signal, so
 * that the handler needs no table: in sig_data of perf_event_open(2) with `sigtrap`, in sigev_value of
 * timer_create(2).
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sampler/target.h"

#ifndef TRAP_PERF
#define TRAP_PERF 6 /* si_code of such a SIGTRAP, since Linux 5.13 */
#endif

/* A thread that blocks the signal would lose the process its life on some kernels. */
static bool blocks_signal(uint32_t thread, int signal_number)
{
    char path[64], line[128];
    snprintf(path, sizeof path, "/proc/self/task/%u/status", thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return true;
    unsigned long long mask = ~0ull;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "SigBlk: %llx", &mask) == 1)
            break;
    fclose(file);
    return mask >> (signal_number - 1) & 1;
}

static bool arm_event(struct target *target)
{
    if (blocks_signal(target->thread, SIGTRAP)) {
        errno = EBUSY;
        return false;
    }
    struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE,
                                         .size = sizeof attributes,
                                         .config = PERF_COUNT_SW_CPU_CLOCK,
                                         .sample_period = target->period_ns,
                                         .disabled = 1,
                                         .exclude_kernel = 1,
                                         .exclude_hv = 1,
                                         .remove_on_exec = 1,
                                         .sigtrap = 1,
                                         .sig_data = (uintptr_t)target};
    target->event =
        (int)syscall(SYS_perf_event_open, &attributes, (pid_t)target->thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (target->event < 0)
        return false;
    if (!ioctl(target->event, PERF_EVENT_IOC_ENABLE, 0))
        return true;
    close(target->event);
    target->event = -1;
    return false;
}

/* The clock of another thread's CPU time, as pthread_getcpuclockid(3) makes it from the kernel's id. */
static clockid_t cpu_clock_of(uint32_t thread)
{
    return (clockid_t)(~(unsigned)thread << 3 | 6u);
}

static bool arm_timer(struct target *target)
{
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF, .sigev_value.sival_ptr = target};
    event._sigev_un._tid = (pid_t)target->thread;
    if (timer_create(cpu_clock_of(target->thread), &event, &target->timer))
        return false;
    target->timed = true;
    struct timespec period = {.tv_sec = (time_t)(target->period_ns / 1000000000u),
                              .tv_nsec = (long)(target->period_ns % 1000000000u)};
    return !timer_settime(target->timer, 0, &(struct itimerspec){period, period}, NULL);
}

const struct sampler_source sampler_sources[] = {
    {.name = "cpu-clock", .signal = SIGTRAP, .arm = arm_event},
    {.name = "thread timer", .signal = SIGPROF, .arm = arm_timer},
};
const unsigned n_sampler_sources = sizeof sampler_sources / sizeof sampler_sources[0];

void sampler_disarm(struct target *target)
{
    if (target->event >= 0)
        close(target->event);
    if (target->timed)
        timer_delete(target->timer);
    target->event = -1;
    target->timed = false;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    if (number == SIGTRAP && info->si_code == TRAP_PERF) {
        struct target *target; /* si_perf_data, which glibc does not name: it follows si_addr */
        memcpy(&target, (const char *)&info->si_addr + sizeof info->si_addr, sizeof target);
        target_record(target, context, 1);
    } else if (number == SIGPROF && info->si_code == SI_TIMER) {
        target_record(info->si_value.sival_ptr, context, 1 + (uint64_t)info->si_overrun);
    }
    errno = saved;
}

bool sampler_install(const struct sampler_source *source)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigfillset(&action.sa_mask);
    return !sigaction(source->signal, &action, NULL);
}
