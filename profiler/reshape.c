#include "profiler/reshape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/feature.h"

/* The shape that the plan in use has for an input. */
static struct mls_shape current_shape(const struct mls_loaded *loaded, size_t index)
{
    struct mls_shape shape = {0};
    const struct mls_tensor *tensor = mls_run_input(loaded->run, index);
    if (tensor) {
        shape.rank = tensor->type.rank;
        memcpy(shape.dims, tensor->type.dims, sizeof shape.dims);
    }
    return shape;
}

/* A dimension of a range other than `now`; `now` where there is none. Small, so that it costs little to try.
 */
static int64_t other_dim(const struct mls_range *range, int64_t now)
{
    int64_t lower = range->lower > 0 ? range->lower : 1;
    if (lower != now)
        return lower;
    return range->upper < 0 || now < range->upper ? now + 1 : now;
}

/* Changes the shape to another that the description allows; false when it allows no other. */
static bool change_shape(const struct mls_feature *feature, struct mls_shape *shape)
{
    struct mls_shape before = *shape;
    /* of images the description speaks of height and width, the last two */
    unsigned skip = feature->kind == MLS_FEATURE_IMAGE && shape->rank == 4 ? 2 : 0;
    for (size_t i = 0; i < feature->n_enumerated; i++) {
        const struct mls_shape *listed = &feature->enumerated[i];
        if (listed->rank + skip != shape->rank ||
            !memcmp(listed->dims, shape->dims + skip, listed->rank * sizeof listed->dims[0]))
            continue;
        memcpy(shape->dims + skip, listed->dims, listed->rank * sizeof listed->dims[0]);
        return true;
    }
    if (feature->n_ranges + skip != shape->rank)
        return false;
    for (unsigned i = skip; i < shape->rank; i++)
        shape->dims[i] = other_dim(&feature->ranges[i - skip], shape->dims[i]);
    return memcmp(before.dims, shape->dims, sizeof before.dims) != 0;
}

static void describe(struct mls_reshape_cost *cost, const char *name, const struct mls_shape *shape)
{
    char text[128];
    size_t at = strlen(cost->shapes);
    struct mls_type type = mls_type_tensor(MLS_FP32, shape->rank, shape->dims);
    snprintf(cost->shapes + at, sizeof cost->shapes - at, "%s%.64s %s", at ? ", " : "", name,
             mls_shape_format(&type, text, sizeof text));
}

/* Other shapes for the inputs that may have them; false when there are none. */
static bool choose_shapes(const struct mls_loaded *loaded, struct mls_shape *shapes,
                          struct mls_reshape_cost *cost)
{
    bool changed = false;
    for (size_t i = 0; i < loaded->interface->n_inputs; i++) {
        const struct mls_feature *feature = &loaded->interface->inputs[i];
        shapes[i] = current_shape(loaded, i);
        if ((feature->n_enumerated || feature->n_ranges) && change_shape(feature, &shapes[i])) {
            describe(cost, feature->name, &shapes[i]);
            changed = true;
        }
    }
    return changed;
}

static enum mls_status predict(struct mls_run *run, uint64_t *ret_ns)
{
    uint64_t begin = mls_clock_ns();
    enum mls_status status = mls_run_predict(run, NULL, NULL, NULL);
    *ret_ns = mls_clock_ns() - begin;
    return status;
}

static enum mls_status measure(const struct mls_loaded *loaded, const struct mls_shape *shapes,
                               struct mls_reshape_cost *cost)
{
    const struct mls_plan *plan;
    struct mls_run *run = NULL;
    uint64_t begin = mls_clock_ns();
    enum mls_status status = mls_session_plan(loaded->session, shapes, &plan, NULL);
    if (status)
        return status;
    uint64_t planned = mls_clock_ns();
    status = mls_run_create(loaded->session, plan, &run, NULL);
    for (size_t i = 0; !status && i < loaded->interface->n_inputs; i++)
        status = mls_feature_random(run, i, 0, NULL);
    cost->plan_ns = planned - begin;
    cost->prepare_ns = mls_clock_ns() - planned;
    if (!status)
        status = predict(run, &cost->first_ns);
    if (!status)
        status = predict(run, &cost->next_ns);
    mls_run_free(run);
    mls_session_release_plan(loaded->session, plan);
    return status;
}

struct mls_reshape_cost mls_reshape_measure(const struct mls_loader *loader)
{
    struct mls_reshape_cost cost = {0};
    const struct mls_loaded *loaded = mls_loader_result(loader);
    size_t n_inputs = loaded->interface->n_inputs;
    struct mls_shape *shapes = calloc(n_inputs ? n_inputs : 1, sizeof *shapes);
    if (shapes && choose_shapes(loaded, shapes, &cost))
        cost.measured = measure(loaded, shapes, &cost) == MLS_OK;
    free(shapes);
    return cost;
}
