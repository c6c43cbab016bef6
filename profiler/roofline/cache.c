#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/roofline.h"

enum { KEPT_SECONDS = 30 * 24 * 3600, CPU_BYTES = 128 };

/* What a measurement belongs to. */
struct subject {
    char cpu[CPU_BYTES];
    const char *isa;
    uint32_t n_threads;
};

static void read_cpu_name(char *ret_name)
{
    snprintf(ret_name, CPU_BYTES, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10) != 0)
            continue;
        snprintf(ret_name, CPU_BYTES, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file)
        fclose(file);
}

/* "…/mlscope/roofline-ISA-THREADS"; false when there is no place for caches. Makes the folder when asked to.
 */
static bool cache_path(const struct subject *subject, bool make, char path[PATH_MAX])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length;
    if (cache && cache[0] == '/')
        length = snprintf(path, PATH_MAX, "%s", cache);
    else if (home && home[0] == '/')
        length = snprintf(path, PATH_MAX, "%s/.cache", home);
    else
        return false;
    if (length < 0 || length + 64 >= PATH_MAX)
        return false;
    if (make)
        mkdir(path, 0700); /* there already, or the next one fails */
    strcat(path, "/mlscope");
    if (make)
        mkdir(path, 0700);
    snprintf(path + strlen(path), PATH_MAX - strlen(path), "/roofline-%s-%u", subject->isa,
             subject->n_threads);
    return true;
}

static bool cache_read(const struct subject *subject, struct mls_roofline *ret_roofline)
{
    char path[PATH_MAX], cpu[CPU_BYTES] = "";
    struct stat info;
    if (!cache_path(subject, false, path))
        return false;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    struct mls_roofline roofline = {0};
    bool ok = !fstat(fileno(file), &info) && S_ISREG(info.st_mode) && time(NULL) >= info.st_mtime &&
              time(NULL) - info.st_mtime < KEPT_SECONDS && fgets(cpu, sizeof cpu, file) &&
              fscanf(file, "%lf %lf", &roofline.gflops, &roofline.gbytes_per_s) == 2;
    fclose(file);
    cpu[strcspn(cpu, "\n")] = '\0';
    if (!ok || strcmp(cpu, subject->cpu) != 0 || !(roofline.gflops > 0) || !(roofline.gbytes_per_s > 0) ||
        roofline.gflops > 1e7 || roofline.gbytes_per_s > 1e6)
        return false;
    *ret_roofline = roofline;
    return true;
}

/* Whole or absent: written beside and renamed. */
static void cache_write(const struct subject *subject, struct mls_roofline roofline)
{
    char path[PATH_MAX], partial[PATH_MAX + 16];
    if (!cache_path(subject, true, path))
        return;
    snprintf(partial, sizeof partial, "%s.%ld", path, (long)getpid());
    FILE *file = fopen(partial, "we");
    if (!file)
        return;
    bool ok = fprintf(file, "%s\n%.9g %.9g\n", subject->cpu, roofline.gflops, roofline.gbytes_per_s) > 0;
    ok = !fclose(file) && ok;
    if (!ok || rename(partial, path))
        unlink(partial);
}

struct mls_roofline mls_roofline_get(enum mls_isa isa, uint32_t n_threads, bool may_write)
{
    struct subject subject = {.isa = mls_isa_name(isa), .n_threads = n_threads};
    struct mls_roofline roofline;
    read_cpu_name(subject.cpu);
    if (cache_read(&subject, &roofline))
        return roofline;
    roofline = mls_roofline_measure(isa, n_threads);
    if (may_write && roofline.gflops > 0 && roofline.gbytes_per_s > 0)
        cache_write(&subject, roofline);
    return roofline;
}
