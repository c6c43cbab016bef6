/*
 * Runs a fuzzer over the files of folders, so that its corpus is an ordinary test: a crash or a sanitizer's
 * finding fails it. Usage: fuzzer FOLDER_OR_FILE…
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs one file; the copy has its exact size, so that a sanitizer sees a read past the end. */
static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat about;
    if (!file || fstat(fileno(file), &about) < 0) {
        fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        if (file)
            fclose(file);
        return -1;
    }
    size_t size = (size_t)about.st_size;
    uint8_t *data = malloc(size ? size : 1);
    int result = -1;
    if (data && fread(data, 1, size, file) == size)
        result = LLVMFuzzerTestOneInput(data, size);
    free(data);
    fclose(file);
    return result;
}

/* Runs the files of a folder, without those below it; the number of them, or -1. */
static long run_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return errno == ENOENT ? 0 : -1;
    long n = 0;
    const struct dirent *child;
    while (n >= 0 && (child = readdir(folder)) != NULL) {
        char file[4096];
        struct stat about;
        if (snprintf(file, sizeof file, "%s/%s", path, child->d_name) >= (int)sizeof file ||
            stat(file, &about) < 0 || !S_ISREG(about.st_mode))
            continue;
        n = run_file(file) ? -1 : n + 1;
    }
    closedir(folder);
    return n;
}

int main(int argc, char **argv)
{
    long total = 0;
    for (int i = 1; i < argc; i++) {
        struct stat about;
        bool is_file = !stat(argv[i], &about) && S_ISREG(about.st_mode);
        long n = !is_file ? run_folder(argv[i]) : run_file(argv[i]) ? -1 : 1;
        if (n < 0)
            return 1;
        total += n;
    }
    printf("%ld inputs passed\n", total);
    return 0;
}
