#include "profiler/walk.h"

#include <stdlib.h>
#include <string.h>

#include "compare/walk_result.h"
#include "profiler/element.h"
#include "profiler/match.h"

static const size_t MEMORY_DEFAULT_BYTES = (size_t)256 << 20;
static const double LIMIT_DEFAULT_DB = 40;
static const double INPUTS_SAME_DB = 40; /* rounding to fp16 leaves some 70 dB */

/* A value of A that waits for its counterpart. */
struct kept {
    uint32_t step, execution, output;
    uint32_t next;            /* of the same step, or MLS_NO_INDEX */
    struct mls_tensor tensor; /* data is this entry's own */
};

struct walk {
    const struct mls_loaded *a, *b;
    size_t n_a, n_b;
    uint32_t *b_of_a, *a_of_b;
    uint32_t *executions_a, *executions_b; /* of the pass, by step */
    struct difference *sums;               /* by step of A */
    bool *not_compared;                    /* by step of A */
    /* of the pass */
    size_t budget_bytes, kept_bytes;
    uint64_t first_value; /* of A's values in order, the first to keep */
    uint64_t next_value;
    struct kept *kept;
    uint32_t n_kept, kept_room;
    uint32_t *kept_of_step; /* by step of A: its first entry, or MLS_NO_INDEX */
    bool out_of_memory, full;
};

/* ---- One pass over A: keep what fits
 * --------------------------------------------------------------------------- */

static bool keep(struct walk *walk, uint32_t step, uint32_t output, const struct mls_tensor *tensor,
                 size_t bytes)
{
    if (walk->n_kept == walk->kept_room) {
        uint32_t room = walk->kept_room ? walk->kept_room * 2 : 256;
        struct kept *grown = realloc(walk->kept, room * sizeof *grown);
        if (!grown)
            return false;
        walk->kept = grown;
        walk->kept_room = room;
    }
    struct kept *entry = &walk->kept[walk->n_kept];
    *entry = (struct kept){.step = step,
                           .execution = walk->executions_a[step],
                           .output = output,
                           .next = walk->kept_of_step[step],
                           .tensor = {.type = tensor->type, .data = malloc(bytes)}};
    if (!entry->tensor.data)
        return false;
    memcpy(entry->tensor.data, tensor->data, bytes);
    walk->kept_of_step[step] = walk->n_kept++;
    walk->kept_bytes += bytes;
    return true;
}

static bool is_real(const struct mls_tensor *tensor)
{
    enum mls_dtype dtype = tensor->type.dtype;
    return dtype == MLS_FP16 || dtype == MLS_FP32 || dtype == MLS_FP64;
}

/* Indices beside values, as of topk, are no amounts: a swap of two equals would drown the values. */
static bool counts(struct mls_tensor *const *outputs, uint32_t n_outputs, uint32_t output)
{
    bool any_real = false;
    for (uint32_t i = 0; i < n_outputs; i++)
        any_real = any_real || is_real(outputs[i]);
    return !any_real || is_real(outputs[output]);
}

static void values_of_a(void *user, uint32_t step, struct mls_tensor *const *outputs, uint32_t n_outputs)
{
    struct walk *walk = user;
    for (uint32_t i = 0; i < n_outputs && walk->b_of_a[step] != MLS_NO_INDEX; i++) {
        uint64_t number = walk->next_value++;
        size_t bytes = outputs[i]->data && !outputs[i]->list ? mls_type_bytes(&outputs[i]->type) : SIZE_MAX;
        if (number < walk->first_value || walk->full || walk->out_of_memory || !counts(outputs, n_outputs, i))
            continue;
        if (bytes == SIZE_MAX || outputs[i]->type.dtype == MLS_TEXT) {
            walk->not_compared[step] = true;
            continue;
        }
        if (walk->n_kept && bytes > walk->budget_bytes - walk->kept_bytes) {
            walk->full = true;
            walk->first_value = number; /* where the next pass begins */
            continue;
        }
        walk->out_of_memory = !keep(walk, step, i, outputs[i], bytes);
        walk->full = walk->full || walk->kept_bytes >= walk->budget_bytes;
        if (walk->full)
            walk->first_value = number + 1;
    }
    walk->executions_a[step]++;
}

static void values_of_b(void *user, uint32_t step, struct mls_tensor *const *outputs, uint32_t n_outputs)
{
    struct walk *walk = user;
    uint32_t a = walk->a_of_b[step], execution = walk->executions_b[step]++;
    if (a == MLS_NO_INDEX)
        return;
    for (uint32_t i = walk->kept_of_step[a]; i != MLS_NO_INDEX; i = walk->kept[i].next) {
        const struct kept *entry = &walk->kept[i];
        if (entry->execution != execution)
            continue;
        if (entry->output >= n_outputs ||
            !difference_add(&walk->sums[a], &entry->tensor, outputs[entry->output]))
            walk->not_compared[a] = true;
    }
}

static void begin_pass(struct walk *walk)
{
    for (uint32_t i = 0; i < walk->n_kept; i++)
        free(walk->kept[i].tensor.data);
    walk->n_kept = 0;
    walk->kept_bytes = 0;
    walk->next_value = 0;
    walk->full = false;
    memset(walk->executions_a, 0, walk->n_a * sizeof *walk->executions_a);
    memset(walk->executions_b, 0, walk->n_b * sizeof *walk->executions_b);
    for (size_t i = 0; i < walk->n_a; i++)
        walk->kept_of_step[i] = MLS_NO_INDEX;
}

/* ---- States begin every pass as they were
 * ------------------------------------------------------------------------ */

struct states {
    struct mls_run *run;
    size_t n;
    void **copies;
};

static bool states_save(const struct mls_loaded *loaded, struct states *ret_states)
{
    struct states states = {.run = loaded->run, .n = loaded->interface->n_states};
    states.copies = calloc(states.n ? states.n : 1, sizeof *states.copies);
    bool ok = states.copies != NULL;
    for (size_t i = 0; ok && i < states.n; i++) {
        const struct mls_tensor *state = mls_run_state(states.run, i);
        size_t bytes = mls_type_bytes(&state->type);
        states.copies[i] = malloc(bytes ? bytes : 1);
        ok = states.copies[i] != NULL;
        if (ok)
            memcpy(states.copies[i], state->data, bytes);
    }
    *ret_states = states;
    return ok;
}

static void states_restore(const struct states *states)
{
    for (size_t i = 0; i < states->n; i++) {
        struct mls_tensor *state = mls_run_state(states->run, i);
        memcpy(state->data, states->copies[i], mls_type_bytes(&state->type));
    }
}

static void states_free(struct states *states)
{
    for (size_t i = 0; states->copies && i < states->n; i++)
        free(states->copies[i]);
    free(states->copies);
}

/* ---- Walking
 * ---------------------------------------------------------------------------------------------------- */

static size_t find_input(const struct mls_interface *interface, const char *name)
{
    size_t i = 0;
    while (i < interface->n_inputs && strcmp(interface->inputs[i].name, name) != 0)
        i++;
    return i;
}

static enum mls_status check_inputs(const struct mls_loaded *a, const struct mls_loaded *b,
                                    struct mls_error *reterr)
{
    for (size_t i = 0; i < a->interface->n_inputs; i++) {
        const char *name = a->interface->inputs[i].name;
        size_t other = find_input(b->interface, name);
        if (other == b->interface->n_inputs)
            return mls_fail(reterr, MLS_ERR_USAGE,
                            "cannot compare the values: the second model has no input called %s", name);
        const struct mls_tensor *left = mls_run_input(a->run, i), *right = mls_run_input(b->run, other);
        struct difference sum = {0};
        if (!left || !right || !mls_element_count(left))
            continue; /* the program does not read it */
        if (!difference_add(&sum, left, right) || difference_snr_db(&sum) < INPUTS_SAME_DB)
            return mls_fail(reterr, MLS_ERR_USAGE,
                            "cannot compare the values: input %s is not the same in both models", name);
    }
    return MLS_OK;
}

static enum mls_status predict(const struct mls_loaded *loaded, const struct states *states,
                               const struct mls_observer *observer, const struct mls_walk_options *options,
                               struct mls_error *reterr)
{
    if (options->stop && atomic_load_explicit(options->stop, memory_order_relaxed))
        return mls_fail(reterr, MLS_ERR_CANCELLED, "cannot finish the comparison: cancelled");
    states_restore(states);
    return mls_run_predict(loaded->run, observer, NULL, reterr);
}

static enum mls_status run_passes(struct walk *walk, const struct mls_walk_options *options,
                                  struct mls_error *reterr)
{
    struct states states_a = {0}, states_b = {0};
    enum mls_status status = MLS_OK;
    if (!states_save(walk->a, &states_a) || !states_save(walk->b, &states_b))
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare the values: out of memory");
    const struct mls_observer observe_a = {.user = walk, .values = values_of_a};
    const struct mls_observer observe_b = {.user = walk, .values = values_of_b};
    do {
        begin_pass(walk);
        if (!status)
            status = predict(walk->a, &states_a, &observe_a, options, reterr);
        if (!status && walk->out_of_memory)
            status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot keep the values to compare: out of memory");
        if (!status)
            status = predict(walk->b, &states_b, &observe_b, options, reterr);
    } while (!status && walk->full && walk->first_value < walk->next_value);
    states_free(&states_a);
    states_free(&states_b);
    return status;
}

static bool walk_match(struct walk *walk)
{
    struct mls_match_item *items_a = calloc(walk->n_a + 1, sizeof *items_a);
    struct mls_match_item *items_b = calloc(walk->n_b + 1, sizeof *items_b);
    bool ok = items_a && items_b;
    /* values are compared: what they are called decides, not the operation's own name */
    for (size_t i = 0; ok && i < walk->n_a; i++) {
        const struct mls_step *step = mls_plan_step(walk->a->plan, i);
        items_a[i] =
            (struct mls_match_item){step->n_outputs ? step->outputs[0].name : step->name, step->type};
    }
    for (size_t i = 0; ok && i < walk->n_b; i++) {
        const struct mls_step *step = mls_plan_step(walk->b->plan, i);
        items_b[i] =
            (struct mls_match_item){step->n_outputs ? step->outputs[0].name : step->name, step->type};
    }
    ok = ok && mls_match(items_a, walk->n_a, items_b, walk->n_b, walk->b_of_a);
    for (size_t i = 0; i < walk->n_b; i++)
        walk->a_of_b[i] = MLS_NO_INDEX;
    for (size_t i = 0; ok && i < walk->n_a; i++)
        if (walk->b_of_a[i] != MLS_NO_INDEX)
            walk->a_of_b[walk->b_of_a[i]] = (uint32_t)i;
    free(items_a);
    free(items_b);
    return ok;
}

static bool walk_begin(struct walk *walk)
{
    walk->b_of_a = calloc(walk->n_a + 1, sizeof *walk->b_of_a);
    walk->a_of_b = calloc(walk->n_b + 1, sizeof *walk->a_of_b);
    walk->executions_a = calloc(walk->n_a + 1, sizeof *walk->executions_a);
    walk->executions_b = calloc(walk->n_b + 1, sizeof *walk->executions_b);
    walk->sums = calloc(walk->n_a + 1, sizeof *walk->sums);
    walk->not_compared = calloc(walk->n_a + 1, sizeof *walk->not_compared);
    walk->kept_of_step = calloc(walk->n_a + 1, sizeof *walk->kept_of_step);
    return walk->b_of_a && walk->a_of_b && walk->executions_a && walk->executions_b && walk->sums &&
           walk->not_compared && walk->kept_of_step && walk_match(walk);
}

static void walk_end(struct walk *walk)
{
    for (uint32_t i = 0; i < walk->n_kept; i++)
        free(walk->kept[i].tensor.data);
    free(walk->kept);
    free(walk->b_of_a);
    free(walk->a_of_b);
    free(walk->executions_a);
    free(walk->executions_b);
    free(walk->sums);
    free(walk->not_compared);
    free(walk->kept_of_step);
}

enum mls_status mls_walk(const struct mls_loaded *a, const struct mls_loaded *b,
                         const struct mls_walk_options *options, struct mls_walk **ret_walk,
                         struct mls_error *reterr)
{
    struct walk walk = {.a = a,
                        .b = b,
                        .n_a = mls_plan_step_count(a->plan),
                        .n_b = mls_plan_step_count(b->plan),
                        .budget_bytes = options->memory_bytes ? options->memory_bytes : MEMORY_DEFAULT_BYTES};
    enum mls_status status = check_inputs(a, b, reterr);
    if (!status && !walk_begin(&walk))
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare the values: out of memory");
    if (!status)
        status = run_passes(&walk, options, reterr);
    if (!status) {
        const struct walk_sums sums = {.a = a,
                                       .b = b,
                                       .b_of_a = walk.b_of_a,
                                       .sums = walk.sums,
                                       .not_compared = walk.not_compared,
                                       .limit_db =
                                           options->limit_db > 0 ? options->limit_db : LIMIT_DEFAULT_DB};
        *ret_walk = walk_conclude(&sums);
        if (!*ret_walk)
            status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare the values: out of memory");
    }
    walk_end(&walk);
    return status;
}
