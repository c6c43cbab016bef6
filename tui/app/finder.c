#include "app/finder.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/model.h"
#include "profiler/recording.h"
#include "term/signals.h"

enum { DEPTH_MAX = 8 };

struct mls_finder {
    char *root;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* over what follows */
    struct mls_found *found;
    size_t n_found, capacity;
    bool busy;
};

const char *mls_found_state_name(enum mls_found_state state)
{
    static const char *const names[] = {
#define X(id, word) [MLS_FOUND_##id] = word,
        MLS_FOUND_STATE_LIST(X)
#undef X
    };
    return names[state];
}

static bool ends_in(const char *name, const char *const *endings)
{
    size_t length = strlen(name);
    for (; *endings; endings++) {
        size_t n = strlen(*endings);
        if (length > n && strcmp(name + length - n, *endings) == 0)
            return true;
    }
    return false;
}

static bool is_model_folder(const char *path)
{
    static const char *const endings[] = {".mlpackage", ".mlmodelc", ".aimodel", NULL};
    static const char *const inside[] = {"Manifest.json", "model.mil", "coremldata.bin"};
    char name[MLS_FOUND_PATH_BYTES + 32];
    struct stat about;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    snprintf(name, sizeof name, "%.*s", (int)(length < MLS_FOUND_PATH_BYTES ? length : 0), path);
    if (ends_in(name, endings))
        return true;
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        snprintf(name, sizeof name, "%.*s/%s", (int)(length < MLS_FOUND_PATH_BYTES ? length : 0), path,
                 inside[i]);
        if (stat(name, &about) == 0)
            return true;
    }
    return false;
}

bool mls_is_folder_of_models(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode) && !is_model_folder(path);
}

/* ---- The finder's thread
 * ---------------------------------------------------------------------------------------- */

static bool add(struct mls_finder *finder, const char *path, uint64_t size_bytes)
{
    bool room = true;
    pthread_mutex_lock(&finder->lock);
    if (finder->n_found == finder->capacity) {
        size_t capacity = finder->capacity ? finder->capacity * 2 : 64;
        struct mls_found *grown = realloc(finder->found, capacity * sizeof *grown);
        room = grown != NULL;
        finder->found = room ? grown : finder->found;
        finder->capacity = room ? capacity : finder->capacity;
    }
    room = room && finder->n_found < MLS_FOUND_MAX;
    if (room) {
        struct mls_found *found = &finder->found[finder->n_found++];
        *found = (struct mls_found){.form = "", .size_bytes = size_bytes};
        snprintf(found->path, sizeof found->path, "%s", path);
    }
    pthread_mutex_unlock(&finder->lock);
    return room;
}

static bool is_hidden(const char *name)
{
    return name[0] == '.';
}

/* Folders to look into wait on a stack of paths, each with its depth before it. */
struct stack {
    char **paths;
    unsigned *depths;
    size_t n, capacity;
};

static void push(struct stack *stack, const char *path, unsigned depth)
{
    if (stack->n == stack->capacity) {
        size_t capacity = stack->capacity ? stack->capacity * 2 : 64;
        char **paths = realloc(stack->paths, capacity * sizeof *paths);
        stack->paths = paths ? paths : stack->paths;
        unsigned *depths = realloc(stack->depths, capacity * sizeof *depths);
        stack->depths = depths ? depths : stack->depths;
        if (!paths || !depths)
            return;
        stack->capacity = capacity;
    }
    stack->depths[stack->n] = depth;
    stack->paths[stack->n] = strdup(path);
    stack->n += stack->paths[stack->n] != NULL;
}

static void look_at_entry(struct mls_finder *finder, struct stack *stack, const char *path, unsigned depth)
{
    static const char *const endings[] = {".mlmodel", ".mlsrec", ".zip", ".sealed", ".aimodel", NULL};
    struct stat about;
    if (lstat(path, &about) != 0)
        return;
    if (S_ISDIR(about.st_mode) && is_model_folder(path))
        add(finder, path, 0);
    else if (S_ISDIR(about.st_mode) && depth < DEPTH_MAX)
        push(stack, path, depth + 1);
    else if (S_ISREG(about.st_mode) && ends_in(path, endings))
        add(finder, path, (uint64_t)about.st_size);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name); /* the stack turns it round */
}

static void look_into(struct mls_finder *finder, struct stack *stack, const char *folder, unsigned depth)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name);
    for (int i = n; i-- > 0;) {
        char path[MLS_FOUND_PATH_BYTES];
        bool here = strcmp(folder, ".") == 0;
        int length = snprintf(path, sizeof path, "%s%s%s", here ? "" : folder,
                              here || folder[strlen(folder) - 1] == '/' ? "" : "/", entries[i]->d_name);
        if (!is_hidden(entries[i]->d_name) && length > 0 && (size_t)length < sizeof path &&
            !atomic_load(&finder->stop))
            look_at_entry(finder, stack, path, depth);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

static void examine_recording(struct mls_found *found)
{
    struct mls_recording *recording;
    struct mls_error error;
    found->form = "recording";
    if (mls_recording_open(found->path, &recording, &error) != MLS_OK) {
        found->state = MLS_FOUND_REFUSED;
        snprintf(found->reason, sizeof found->reason, "%.190s", error.text);
        return;
    }
    const struct mls_record *record = mls_recording_record(recording);
    found->state = MLS_FOUND_READS;
    found->spec_version = record->model.spec_version;
    snprintf(found->kind, sizeof found->kind, "%.19s", record->environment.date_utc);
    mls_recording_free(recording);
}

/* Reads the specification, no weights. */
static void examine(struct mls_found *found)
{
    static const char *const recordings[] = {".mlsrec", NULL};
    static const char *const seals[] = {".sealed", NULL};
    const struct mls_package_options options = {.key = NULL};
    struct mls_package *package = NULL;
    struct mls_model *model = NULL;
    struct mls_error error;
    if (ends_in(found->path, recordings)) {
        examine_recording(found);
        return;
    }
    enum mls_status status = mls_package_open(found->path, &options, &package, &error);
    if (!status) {
        const struct mls_package_info *info = mls_package_info(package);
        found->form = mls_form_name(info->form);
        found->size_bytes = info->file_bytes;
        status = mls_model_load(package, NULL, &model, &error);
    }
    if (!status) {
        snprintf(found->kind, sizeof found->kind, "%.40s", model->type_name);
        found->spec_version = model->spec_version;
    }
    found->state = !status                                                        ? MLS_FOUND_READS
                   : status == MLS_ERR_KEY_MISSING || ends_in(found->path, seals) ? MLS_FOUND_SEALED
                                                                                  : MLS_FOUND_REFUSED;
    if (status)
        snprintf(found->reason, sizeof found->reason, "%.190s", error.text);
    mls_model_free(model);
    mls_package_release(package);
}

static void examine_all(struct mls_finder *finder)
{
    for (size_t i = 0; !atomic_load(&finder->stop); i++) {
        struct mls_found found;
        pthread_mutex_lock(&finder->lock);
        bool there = i < finder->n_found;
        if (there)
            found = finder->found[i];
        pthread_mutex_unlock(&finder->lock);
        if (!there)
            return;
        examine(&found);
        pthread_mutex_lock(&finder->lock);
        finder->found[i] = found;
        pthread_mutex_unlock(&finder->lock);
    }
}

static void *find(void *argument)
{
    struct mls_finder *finder = argument;
    struct stack stack = {.n = 0};
    mls_signals_block_thread();
    push(&stack, finder->root, 0);
    while (stack.n && !atomic_load(&finder->stop)) {
        char *folder = stack.paths[--stack.n];
        look_into(finder, &stack, folder, stack.depths[stack.n]);
        free(folder);
    }
    while (stack.n)
        free(stack.paths[--stack.n]);
    free(stack.paths);
    free(stack.depths);
    examine_all(finder);
    pthread_mutex_lock(&finder->lock);
    finder->busy = false;
    pthread_mutex_unlock(&finder->lock);
    return NULL;
}

/* ---- Seen from the screen
 * --------------------------------------------------------------------------------------- */

struct mls_finder *mls_finder_start(const char *root)
{
    struct mls_finder *finder = calloc(1, sizeof *finder);
    if (!finder)
        return NULL;
    finder->root = strdup(root);
    finder->busy = true;
    pthread_mutex_init(&finder->lock, NULL);
    if (finder->root && pthread_create(&finder->thread, NULL, find, finder) == 0)
        return finder;
    free(finder->root);
    free(finder);
    return NULL;
}

size_t mls_finder_copy(struct mls_finder *finder, struct mls_found **found, size_t *capacity, bool *ret_busy)
{
    pthread_mutex_lock(&finder->lock);
    size_t n = finder->n_found;
    *ret_busy = finder->busy;
    if (n > *capacity) {
        struct mls_found *grown = realloc(*found, n * 2 * sizeof *grown);
        if (grown) {
            *found = grown;
            *capacity = n * 2;
        }
        n = grown ? n : *capacity;
    }
    if (n)
        memcpy(*found, finder->found, n * sizeof **found);
    pthread_mutex_unlock(&finder->lock);
    return n;
}

const char *mls_finder_root(const struct mls_finder *finder)
{
    return finder->root;
}

void mls_finder_free(struct mls_finder *finder)
{
    if (!finder)
        return;
    atomic_store(&finder->stop, true);
    pthread_join(finder->thread, NULL);
    pthread_mutex_destroy(&finder->lock);
    free(finder->found);
    free(finder->root);
    free(finder);
}
