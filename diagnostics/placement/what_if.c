/* What it would take: the same path again, with some operations supported where they are refused. */
#include <stdlib.h>
#include <string.h>

#include "placement/path.h"
#include "placement/profile.h"

enum { SEGMENTS_MAX = 64, GROUPS_MAX = 64 };
/* Below it a gain is rounding, and no reason to change a model. */
#define GAIN_MIN_US 1.0

static bool on_ane(const struct mls_placed_op *op)
{
    return (op->supported & 1u << MLS_UNIT_ANE) != 0;
}

static bool could_gain(const struct mls_placed_op *op)
{
    return !on_ane(op) && op->would_take_us[MLS_BACKEND_ANE] >= 0;
}

static double path_total_us(const struct mls_placement *placement, const struct path_node *nodes,
                            struct mls_store *store)
{
    enum mls_backend *backends = MLS_STORE_ARRAY(store, placement->n_ops, enum mls_backend);
    if (backends == NULL || !path_choose(placement->profile, nodes, placement->n_ops, store, backends))
        return -1;
    double total_us = 0;
    enum mls_backend before = MLS_BACKEND_COUNT;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        total_us += nodes[i].us[backends[i]] +
                    path_step_us(placement->profile, before, backends[i], nodes[i].n_outputs);
        before = backends[i];
    }
    return total_us;
}

double mls_placement_total_if(const struct mls_placement *placement, const uint32_t *ops, uint32_t n_ops)
{
    struct mls_store *store = mls_store_create();
    struct path_node *nodes =
        store != NULL ? MLS_STORE_ARRAY(store, placement->n_ops, struct path_node) : NULL;
    double total_us = -1;
    if (nodes != NULL) {
        for (uint32_t i = 0; i < placement->n_ops; i++) {
            memcpy(nodes[i].us, placement->ops[i].estimate_us, sizeof(nodes[i].us));
            nodes[i].n_outputs = placement->ops[i].n_outputs;
        }
        for (uint32_t i = 0; i < n_ops; i++)
            nodes[ops[i]].us[MLS_BACKEND_ANE] = placement->ops[ops[i]].would_take_us[MLS_BACKEND_ANE];
        total_us = path_total_us(placement, nodes, store);
    }
    mls_store_free(store);
    return total_us;
}

struct search {
    const struct mls_placement *placement;
    struct mls_store *store;
    struct mls_placement_remedy *remedies;
    uint32_t n_remedies;
    bool out_of_memory;
};

static void consider(struct search *search, uint32_t *ops, uint32_t n_ops, bool segment)
{
    const struct mls_placement *placement = search->placement;
    double total_us = mls_placement_total_if(placement, ops, n_ops);
    search->out_of_memory = search->out_of_memory || total_us < 0;
    double gain_us = placement->total_us - total_us;
    if (total_us < 0 || gain_us < GAIN_MIN_US)
        return;
    struct mls_placement_remedy remedy = {.ops = ops,
                                          .n_ops = n_ops,
                                          .segment = segment,
                                          .gain_us = gain_us,
                                          .confidence = MLS_CONFIDENCE_HIGH};
    remedy.change = placement->ops[ops[0]].change;
    for (uint32_t i = 0; i < n_ops; i++) {
        const struct mls_placed_op *op = &placement->ops[ops[i]];
        if (op->confidence < remedy.confidence)
            remedy.confidence = op->confidence;
        /* one sentence for all of them, or none */
        if (remedy.change != NULL && (op->change == NULL || strcmp(op->change, remedy.change) != 0))
            remedy.change = NULL;
    }
    search->remedies[search->n_remedies++] = remedy;
}

/* Whether the same operations stand there as a group already. */
static bool is_group(const struct search *search, uint32_t first, uint32_t n_ops)
{
    for (uint32_t i = 0; i < search->n_remedies; i++) {
        const struct mls_placement_remedy *remedy = &search->remedies[i];
        if (!remedy->segment && remedy->n_ops == n_ops && remedy->ops[0] == first &&
            remedy->ops[n_ops - 1] == first + n_ops - 1)
            return true;
    }
    return false;
}

/* Neighbouring refused operations: between two that the Neural Engine takes. */
static void consider_segments(struct search *search)
{
    const struct mls_placement *placement = search->placement;
    uint32_t n_segments = 0;
    for (uint32_t first = 0; first < placement->n_ops && n_segments < SEGMENTS_MAX; first++) {
        if (!could_gain(&placement->ops[first]))
            continue;
        uint32_t end = first;
        while (end < placement->n_ops && could_gain(&placement->ops[end]))
            end++;
        uint32_t *ops = MLS_STORE_ARRAY(search->store, end - first, uint32_t);
        if (ops == NULL) {
            search->out_of_memory = true;
            return;
        }
        for (uint32_t i = first; i < end; i++)
            ops[i - first] = i;
        if (!is_group(search, first, end - first))
            consider(search, ops, end - first, true);
        n_segments++;
        first = end;
    }
}

static bool same_case(const struct mls_placed_op *a, const struct mls_placed_op *b)
{
    return strcmp(a->type, b->type) == 0 && a->refusals == b->refusals;
}

/* All operations of one type that are refused for one reason: what one change of the source would mend. */
static void consider_groups(struct search *search)
{
    const struct mls_placement *placement = search->placement;
    bool *done = MLS_STORE_ARRAY(search->store, placement->n_ops, bool);
    uint32_t n_groups = 0;
    search->out_of_memory = search->out_of_memory || done == NULL;
    for (uint32_t i = 0; done != NULL && i < placement->n_ops && n_groups < GROUPS_MAX; i++) {
        if (done[i] || !could_gain(&placement->ops[i]))
            continue;
        uint32_t *ops = MLS_STORE_ARRAY(search->store, placement->n_ops - i, uint32_t);
        uint32_t n = 0;
        for (uint32_t k = i; ops != NULL && k < placement->n_ops; k++) {
            if (!could_gain(&placement->ops[k]) || !same_case(&placement->ops[i], &placement->ops[k]))
                continue;
            ops[n++] = k;
            done[k] = true;
        }
        if (ops == NULL) {
            search->out_of_memory = true;
            return;
        }
        consider(search, ops, n, false);
        n_groups++;
    }
}

static int compare_remedies(const void *a, const void *b)
{
    const struct mls_placement_remedy *left = a;
    const struct mls_placement_remedy *right = b;
    if (left->gain_us != right->gain_us)
        return left->gain_us > right->gain_us ? -1 : 1;
    if (left->n_ops != right->n_ops)
        return left->n_ops < right->n_ops ? -1 : 1;
    return left->ops[0] < right->ops[0] ? -1 : left->ops[0] > right->ops[0];
}

static double total_with_all(struct search *search)
{
    const struct mls_placement *placement = search->placement;
    uint32_t *ops = MLS_STORE_ARRAY(search->store, placement->n_ops, uint32_t);
    uint32_t n = 0;
    for (uint32_t i = 0; ops != NULL && i < placement->n_ops; i++) {
        if (could_gain(&placement->ops[i]))
            ops[n++] = i;
    }
    return ops != NULL ? mls_placement_total_if(placement, ops, n) : -1;
}

enum mls_status mls_placement_remedies_create(const struct mls_placement *placement,
                                              struct mls_placement_remedies **ret_remedies,
                                              struct mls_error *reterr)
{
    struct search search = {.placement = placement, .store = mls_store_create()};
    struct mls_placement_remedies *result = NULL;
    if (search.store != NULL) {
        search.remedies =
            MLS_STORE_ARRAY(search.store, SEGMENTS_MAX + GROUPS_MAX, struct mls_placement_remedy);
        result = MLS_STORE_NEW(search.store, struct mls_placement_remedies);
    }
    if (search.remedies != NULL && result != NULL) {
        consider_groups(&search);
        consider_segments(&search);
        result->total_us = total_with_all(&search);
    }
    if (result == NULL || search.remedies == NULL || search.out_of_memory || result->total_us < 0) {
        mls_store_free(search.store);
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot look for remedies: out of memory");
    }
    if (search.n_remedies > 0)
        qsort(search.remedies, search.n_remedies, sizeof(*search.remedies), compare_remedies);
    result->remedies = search.remedies;
    result->n_remedies = search.n_remedies;
    result->store = search.store;
    *ret_remedies = result;
    return MLS_OK;
}

void mls_placement_remedies_free(struct mls_placement_remedies *remedies)
{
    if (remedies != NULL)
        mls_store_free(remedies->store);
}

uint32_t mls_placement_differences(const struct mls_placement *a, const struct mls_placement *b,
                                   struct mls_placement_difference *ret_differences)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_ops && i < b->n_ops; i++) {
        enum mls_unit left = a->ops[i].preferred;
        enum mls_unit right = b->ops[i].preferred;
        if (left == right)
            continue;
        struct mls_placement_difference *last = n > 0 ? &ret_differences[n - 1] : NULL;
        if (last != NULL && last->last + 1 == i && last->a == left && last->b == right)
            last->last = i;
        else
            ret_differences[n++] =
                (struct mls_placement_difference){.first = i, .last = i, .a = left, .b = right};
    }
    return n;
}
