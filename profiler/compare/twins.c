#include "profiler/twins.h"

#include <pthread.h>
#include <stdlib.h>

struct mls_twins {
    pthread_mutex_t lock;          /* over the pointers: they go while others may cancel */
    struct mls_loader *loaders[2]; /* in fp32, and as declared; NULL after the walk */
    const atomic_bool *stop;
};

struct mls_twins *mls_twins_create(const struct mls_loader_options *options, const atomic_bool *stop)
{
    struct mls_twins *twins = calloc(1, sizeof *twins);
    if (!twins)
        return NULL;
    pthread_mutex_init(&twins->lock, NULL);
    twins->stop = stop;
    for (unsigned i = 0; i < 2; i++) {
        struct mls_loader_options own = *options;
        own.no_fusion = true;
        own.precision = i == 0 ? MLS_PRECISION_HIGH : options->precision;
        own.goal = MLS_LOAD_ALL;
        twins->loaders[i] = mls_loader_create(&own);
    }
    if (twins->loaders[0] && twins->loaders[1])
        return twins;
    mls_twins_free(twins);
    return NULL;
}

/* What both loads hold is given back. */
static void unload(struct mls_twins *twins)
{
    pthread_mutex_lock(&twins->lock);
    for (unsigned i = 0; i < 2; i++) {
        mls_loader_free(twins->loaders[i]);
        twins->loaders[i] = NULL;
    }
    pthread_mutex_unlock(&twins->lock);
}

enum mls_status mls_twins_walk(struct mls_twins *twins, struct mls_walk **ret_walk, struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    for (unsigned i = 0; i < 2 && !status; i++)
        status = mls_loader_run(twins->loaders[i], reterr);
    const struct mls_walk_options options = {.stop = twins->stop};
    if (!status)
        status = mls_walk(mls_loader_result(twins->loaders[0]), mls_loader_result(twins->loaders[1]), &options,
                          ret_walk, reterr);
    unload(twins);
    return status;
}

void mls_twins_cancel(struct mls_twins *twins)
{
    pthread_mutex_lock(&twins->lock);
    for (unsigned i = 0; i < 2; i++)
        if (twins->loaders[i])
            mls_loader_cancel(twins->loaders[i]);
    pthread_mutex_unlock(&twins->lock);
}

void mls_twins_free(struct mls_twins *twins)
{
    if (!twins)
        return;
    unload(twins);
    pthread_mutex_destroy(&twins->lock);
    free(twins);
}
