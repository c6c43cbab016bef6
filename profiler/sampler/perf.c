#include "profiler/perf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "replay.h"
#include "sampler/join.h"
#include "sampler/target.h"

extern char **environ;

enum { START_TIMEOUT_MS = 5000, WORDS_BYTES = 400, LINE_BYTES = 4096 };

struct mls_perf {
    pid_t child;
    char *path;
    uint64_t period_ns;
    int control; /* perf's --control: commands to it */
    int ack;     /* its answers */
    int words;   /* its standard error */
};

static void perf_free(struct mls_perf *perf)
{
    const int files[] = {perf->control, perf->ack, perf->words};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i] >= 0)
            close(files[i]);
    free(perf->path);
    free(perf);
}

/* The last line of what perf said, for an error of ours. */
static void read_words(int file, char *ret, size_t size)
{
    char text[WORDS_BYTES];
    ssize_t n = read(file, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    snprintf(ret, size, "%s", *text ? text : "it said nothing");
}

static int spawn(const char *const *arguments, const int pipes[3][2], pid_t *ret_child)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipes[2][1], 1);
    posix_spawn_file_actions_adddup2(&actions, pipes[2][1], 2);
    posix_spawn_file_actions_adddup2(&actions, pipes[0][0], 3);
    posix_spawn_file_actions_adddup2(&actions, pipes[1][1], 4);
    int why = posix_spawnp(ret_child, arguments[0], &actions, &attributes,
                           (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return why;
}

static bool make_pipes(int pipes[3][2])
{
    for (int i = 0; i < 3; i++) {
        if (!pipe2(pipes[i], O_CLOEXEC))
            continue;
        while (i-- > 0) {
            close(pipes[i][0]);
            close(pipes[i][1]);
        }
        return false;
    }
    for (int i = 0; i < 3;
         i++) /* above 4, so that dup2 in the child does not hit a file that it still needs */
        for (int j = 0; j < 2; j++)
            if (pipes[i][j] <= 4) {
                int higher = fcntl(pipes[i][j], F_DUPFD_CLOEXEC, 5);
                close(pipes[i][j]);
                pipes[i][j] = higher;
            }
    return true;
}

/* perf answers "ack" once it samples. */
static bool await_ack(const struct mls_perf *perf)
{
    struct pollfd wait = {.fd = perf->ack, .events = POLLIN};
    char answer[16];
    return write(perf->control, "enable\n", 7) == 7 && poll(&wait, 1, START_TIMEOUT_MS) > 0 &&
           read(perf->ack, answer, sizeof answer) >= 3;
}

enum mls_status mls_perf_start(double rate_hz, const char *path, struct mls_perf **ret_perf,
                               struct mls_error *reterr)
{
    int pipes[3][2];
    struct mls_perf *perf = calloc(1, sizeof *perf);
    char *copy = strdup(path);
    if (!perf || !copy || !make_pipes(pipes)) {
        free(perf);
        free(copy);
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot start perf: out of memory or files");
    }
    *perf = (struct mls_perf){.path = copy,
                              .period_ns = (uint64_t)(1e9 / rate_hz),
                              .control = pipes[0][1],
                              .ack = pipes[1][0],
                              .words = pipes[2][0]};
    char rate[32], process[32];
    snprintf(rate, sizeof rate, "%.0f", rate_hz);
    snprintf(process, sizeof process, "%ld", (long)getpid());
    const char *const arguments[] = {"perf",  "record",       "-k", "mono", "-e", "cpu-clock",        "-F",
                                     rate,    "--call-graph", "fp", "-D",   "-1", "--control=fd:3,4", "-p",
                                     process, "-o",           path, NULL};
    int why = spawn(arguments, (const int(*)[2])pipes, &perf->child);
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    char words[WORDS_BYTES];
    if (why) {
        snprintf(words, sizeof words, "%s", strerror(why));
    } else if (await_ack(perf)) {
        *ret_perf = perf;
        return MLS_OK;
    } else {
        kill(perf->child, SIGTERM);
        waitpid(perf->child, NULL, 0);
        read_words(perf->words, words, sizeof words);
    }
    perf_free(perf);
    mls_fail(reterr, MLS_ERR_IO, "cannot start perf: %s", words);
    mls_error_hint(reterr,
                   "install perf (Debian: linux-perf), or use --sample, which needs no other program");
    return MLS_ERR_IO;
}

/* One sample as perf script prints it. */
struct parsed {
    struct mls_sample sample;
    uint64_t ns;
    char texts[MLS_SAMPLE_DEPTH_MAX][96];
};

/* "  1234  1311.029077674: " begins a sample. */
static bool parse_head(const char *line, struct parsed *ret)
{
    unsigned thread;
    uint64_t seconds;
    char fraction[16];
    if (sscanf(line, " %u %" SCNu64 ".%9[0-9]:", &thread, &seconds, fraction) != 3 || strlen(fraction) != 9)
        return false;
    ret->sample.thread = thread;
    ret->sample.depth = 0;
    ret->ns = seconds * UINT64_C(1000000000) + strtoull(fraction, NULL, 10);
    return true;
}

/* "	    114a inner+0x10" is one frame of it. */
static void parse_frame(const char *line, struct parsed *ret)
{
    char name[96];
    if (ret->sample.depth < MLS_SAMPLE_DEPTH_MAX && sscanf(line, " %*x %95[^\n]", name) == 1)
        snprintf(ret->texts[ret->sample.depth++], sizeof name, "%s", name);
}

static bool add_parsed(const struct parsed *parsed, struct mls_hot *hot)
{
    const char *names[MLS_SAMPLE_DEPTH_MAX];
    for (uint32_t i = 0; i < parsed->sample.depth; i++)
        names[i] = parsed->texts[i];
    return hot_add_named(hot, &parsed->sample, names, parsed->ns);
}

static bool parse_script(FILE *script, uint64_t period_ns, struct mls_hot *hot)
{
    struct parsed *parsed = calloc(1, sizeof *parsed);
    char line[LINE_BYTES];
    bool open = false, ok = parsed != NULL;
    while (ok && fgets(line, sizeof line, script)) {
        if (*line == '\n') {
            ok = !open || add_parsed(parsed, hot);
            open = false;
        } else if (open) {
            parse_frame(line, parsed);
        } else {
            open = parse_head(line, parsed);
            parsed->sample.cpu_ns = period_ns;
            parsed->sample.compute = open && sampler_is_compute(parsed->sample.thread);
        }
    }
    ok = ok && (!open || add_parsed(parsed, hot));
    free(parsed);
    return ok;
}

static enum mls_status read_samples(const struct mls_perf *perf, struct mls_hot *hot,
                                    struct mls_error *reterr)
{
    int pipes[3][2];
    if (!make_pipes(pipes))
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the samples of perf: out of files");
    const char *const arguments[] = {"perf", "script",   "--ns", "-F", "tid,time,ip,sym",
                                     "-i",   perf->path, NULL};
    pid_t child;
    int why = spawn(arguments, (const int(*)[2])pipes, &child);
    close(pipes[0][0]);
    close(pipes[0][1]);
    close(pipes[1][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    FILE *script = why ? NULL : fdopen(pipes[2][0], "r");
    bool ok = script && parse_script(script, perf->period_ns, hot);
    if (script)
        fclose(script);
    else
        close(pipes[2][0]);
    int state = 0;
    if (!why)
        waitpid(child, &state, 0);
    if (ok && WIFEXITED(state) && !WEXITSTATUS(state))
        return MLS_OK;
    return mls_fail(reterr, MLS_ERR_IO, "cannot read the samples of perf from %s: perf script failed",
                    perf->path);
}

enum mls_status mls_perf_stop(struct mls_perf *perf, const struct mls_profile *profile, struct mls_hot *hot,
                              struct mls_error *reterr)
{
    int state = 0;
    kill(perf->child, SIGINT);
    waitpid(perf->child, &state, 0);
    enum mls_status status = MLS_OK;
    if (hot)
        status = read_samples(perf, hot, reterr);
    if (hot && !status && !profile_replay(profile, hot))
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot join the samples of perf: out of memory");
    perf_free(perf);
    return status;
}
