#include "profiler/environment.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "core/clock.h"
#include "core/cpu.h"

static void read_governor(char *text, size_t size)
{
    FILE *file = fopen("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "re");
    if (!file)
        return;
    if (!fgets(text, (int)size, file))
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    fclose(file);
}

struct mls_environment mls_environment_read(const char *tool_version, const char *commit)
{
    struct mls_environment environment = {.tool_version = tool_version,
                                          .commit = commit,
                                          .cpu = mls_cpu_name(),
                                          .isa = mls_isa_name(mls_cpu_best()),
                                          .cores = mls_cpu_count(),
                                          .clock = mls_clock_get()->name};
    struct utsname system;
    if (!uname(&system))
        snprintf(environment.kernel, sizeof environment.kernel, "%.*s %.*s", 30, system.sysname, 90,
                 system.release);
    read_governor(environment.governor, sizeof environment.governor);
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(environment.date_utc, sizeof environment.date_utc, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return environment;
}
