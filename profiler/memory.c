#include "profiler/memory.h"

#include <stdio.h>
#include <string.h>

/* The value of a line "Name:   1234 kB" of /proc/self/status, in bytes. */
static uint64_t line_bytes(const char *line)
{
    unsigned long long kib;
    const char *colon = strchr(line, ':');
    return colon && sscanf(colon + 1, "%llu kB", &kib) == 1 ? (uint64_t)kib << 10 : 0;
}

struct mls_memory_use mls_memory_read(const struct mls_plan *plan, const struct mls_run *run)
{
    struct mls_memory_use use = {0};
    if (plan)
        use.plan = mls_plan_memory(plan);
    if (run) {
        use.dynamic_bytes = mls_run_dynamic_bytes(run);
        use.run_bytes = mls_run_memory_bytes(run);
    }
    FILE *status = fopen("/proc/self/status", "re");
    if (!status)
        return use;
    char line[256];
    while (fgets(line, sizeof line, status)) {
        if (!strncmp(line, "VmHWM:", 6))
            use.peak_rss_bytes = line_bytes(line);
        else if (!strncmp(line, "VmRSS:", 6))
            use.rss_bytes = line_bytes(line);
    }
    fclose(status);
    return use;
}
