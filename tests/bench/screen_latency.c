/*
 * screen_latency: how fast the screen answers, seen from the other end of a terminal.
 *     screen_latency COUNT PROGRAM ARGUMENTS...
 * Prints the time from the start to the first line of the screen, and from a key (the command line opens) to
 * what it draws (the cursor appears): P50, P99 and the longest of COUNT keys, at 200x60.
 */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEPT_BYTES = 64, KEYS_MAX = 100000, PATIENCE_MS = 20000 };

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* Reads until `wanted` has come; the end of what was read is kept, so that it may come in parts. */
static bool wait_for(int fd, const char *wanted)
{
    char text[4096 + KEPT_BYTES + 1] = "";
    size_t kept = 0;
    double until_ms = now_ms() + PATIENCE_MS;
    while (now_ms() < until_ms) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, 100) <= 0)
            continue;
        ssize_t n = read(fd, text + kept, sizeof text - kept - 1);
        if (n <= 0)
            return false;
        size_t length = kept + (size_t)n;
        if (memmem(text, length, wanted, strlen(wanted)))
            return true;
        kept = length < KEPT_BYTES ? length : KEPT_BYTES;
        memmove(text, text + length - kept, kept);
    }
    return false;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What the program writes in between must be read, or it stops. */
static void drain(int fd, int milliseconds)
{
    char text[65536];
    double until_ms = now_ms() + milliseconds;
    while (now_ms() < until_ms) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, 5) > 0 && read(fd, text, sizeof text) <= 0)
            return;
    }
}

int main(int argc, char **argv)
{
    static double times_ms[KEYS_MAX];
    size_t n = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    const struct winsize size = {.ws_col = 200, .ws_row = 60};
    int fd;
    if (!n || n > KEYS_MAX) {
        fprintf(stderr, "usage: screen_latency COUNT PROGRAM ARGUMENTS...\n");
        return 2;
    }
    double begin_ms = now_ms();
    pid_t child = forkpty(&fd, NULL, NULL, &size);
    if (child == 0) {
        setenv("TERM", "xterm-256color", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        execv(argv[2], argv + 2);
        _exit(127);
    }
    bool ok = child > 0 && wait_for(fd, "mlscope \xe2\x96\xb8");
    printf("first screen: %.1f ms\n", now_ms() - begin_ms);
    drain(fd, 2000);
    for (size_t i = 0; ok && i < n; i++) {
        begin_ms = now_ms();
        ok = write(fd, ":", 1) == 1 && wait_for(fd, "?25h");
        times_ms[i] = now_ms() - begin_ms;
        drain(fd, 3 + (int)(i * 7 % 40));
        ok = ok && write(fd, "\a", 1) == 1 && wait_for(fd, "?25l");
        drain(fd, 3 + (int)(i * 11 % 40));
    }
    kill(child, SIGTERM);
    drain(fd, 300);
    waitpid(child, NULL, 0);
    if (!ok) {
        fprintf(stderr, "the screen did not answer\n");
        return 1;
    }
    qsort(times_ms, n, sizeof *times_ms, by_size);
    printf("key to screen: p50 %.2f ms, p99 %.2f ms, longest %.2f ms (%zu keys)\n", times_ms[n / 2],
           times_ms[(n - 1) * 99 / 100], times_ms[n - 1], n);
    return 0;
}
