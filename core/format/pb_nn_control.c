/*
 * pb_nn_control.c: branches and loops. Networks write to names; a name that is known before and written
 * inside becomes a result of the branch, or a variable of the loop. What only the inside knows is not seen
 * outside.
 */
#include "format/pb_nn.h"

#include <stdlib.h>
#include <string.h>

/* ---- Names that networks write --------------------------------------------------------------- */

struct names {
    const char **items;
    size_t n, capacity;
};

static bool add_name(struct names *names, const char *name)
{
    if (names->n == names->capacity) {
        size_t capacity = names->capacity ? 2 * names->capacity : 32;
        const char **items = reallocarray(names->items, capacity, sizeof *items);
        if (!items)
            return false;
        names->items = items;
        names->capacity = capacity;
    }
    names->items[names->n++] = name;
    return true;
}

/*
 * Jumps out of an iteration: a name is true from there on, and what follows it in the body stands in a branch
 * that is taken only while it is not. The other name tells that the loop ends.
 */
static const char name_jumped[] = "nn_jumped", name_broken[] = "nn_broken";

static bool is_jump(const Pb__NnLayer *layer)
{
    return layer->layer_case == PB__NN_LAYER__LAYER_LOOP_BREAK ||
           layer->layer_case == PB__NN_LAYER__LAYER_LOOP_CONTINUE;
}

/*
 * Calls itself for nested networks, whose depth the reader of the message has limited. Jumps in a loop inside
 * are of no concern outside it.
 */
static bool collect(const Pb__Network *network, bool jumps, struct names *names)
{
    for (size_t i = 0; network && i < network->n_layers; i++) {
        const Pb__NnLayer *layer = network->layers[i];
        for (size_t o = 0; o < layer->n_output; o++) {
            if (!add_name(names, layer->output[o]))
                return false;
        }
        bool ok = true;
        if (layer->layer_case == PB__NN_LAYER__LAYER_BRANCH)
            ok = collect(layer->branch->if_branch, jumps, names) &&
                 collect(layer->branch->else_branch, jumps, names);
        else if (layer->layer_case == PB__NN_LAYER__LAYER_LOOP)
            ok = collect(layer->loop->condition_network, false, names) &&
                 collect(layer->loop->body_network, false, names);
        else if (jumps && is_jump(layer))
            ok = add_name(names, name_jumped) && add_name(names, name_broken);
        if (!ok)
            return false;
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_unique(struct names *names)
{
    if (names->n)
        qsort(names->items, names->n, sizeof *names->items, compare_names);
    size_t n = 0;
    for (size_t i = 0; i < names->n; i++) {
        if (!n || strcmp(names->items[n - 1], names->items[i]))
            names->items[n++] = names->items[i];
    }
    names->n = n;
}

static bool is_bound(const struct nn *nn, const char *name)
{
    return ir_value_find(nn->builder, name).i != MLS_NO_INDEX;
}

static bool contains(const struct names *names, const char *name)
{
    return names->n && bsearch(&name, names->items, names->n, sizeof *names->items, compare_names);
}

/* The names of `written` that are known here, or that `both` has too; copied into the arena. */
static struct names keep_known(struct nn *nn, const struct names *written, const struct names *both)
{
    struct names kept = {.items = MLS_NEW_ARRAY(nn->arena, written->n, const char *)};
    if (!kept.items) {
        nn_no_memory(nn);
        return kept;
    }
    for (size_t i = 0; i < written->n; i++) {
        const char *name = written->items[i];
        if (!is_bound(nn, name) && !(both && contains(both, name)))
            continue;
        kept.items[kept.n++] = mls_arena_text(nn->arena, name, strlen(name));
        if (!kept.items[kept.n - 1])
            nn_no_memory(nn);
    }
    return kept;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* A nested block being filled; what was at hand before comes back when it is closed. */
struct nested {
    struct nn_block body;
    struct mls_block block;
    struct nn_block *outer;
    const Pb__NnLayer *layer;
    const char *layer_name;
    bool open;
};

static void open_block(struct nn *nn, struct nested *nested, mls_op_id parent)
{
    *nested = (struct nested){.block = {.function = nn->function, .parent = parent},
                              .outer = nn->block,
                              .layer = nn->layer,
                              .layer_name = nn->layer_name};
    if (!nn->status)
        nn->status = ir_scope_open(nn->builder, nn->error);
    nested->open = !nn->status;
    if (!nn->status)
        nn->status = ir_block_reserve(nn->builder, &nested->body.id, nn->error);
    nn->block = &nested->body;
}

static void close_block(struct nn *nn, struct nested *nested, const mls_value_id *outputs, size_t n)
{
    nn->layer = nested->layer;
    nn->layer_name = nested->layer_name;
    nn_flush(nn);
    if (nested->open)
        ir_scope_close(nn->builder);
    nested->block.outputs = outputs;
    nested->block.n_outputs = (uint32_t)n;
    nn_close_block(nn, &nested->body, &nested->block);
    nn->block = nested->outer;
}

/* A network inside the layer at hand. */
static void inner_network(struct nn *nn, const Pb__Network *network)
{
    const Pb__NnLayer *layer = nn->layer;
    const char *name = nn->layer_name;
    nn_flush(nn);
    if (network)
        nn_network(nn, network);
    if (!nn->status) {
        nn->layer = layer;
        nn->layer_name = name;
    }
}

static mls_value_id *current_values(struct nn *nn, const struct names *names, size_t n_more)
{
    mls_value_id *values = MLS_NEW_ARRAY(nn->arena, names->n + n_more, mls_value_id);
    if (!values)
        nn_no_memory(nn);
    for (size_t i = 0; values && i < names->n; i++)
        values[i] = ir_value_find(nn->builder, names->items[i]);
    return values;
}

/* Adds the control operation that was reserved, with outputs of these types, and binds the names to them. */
static const mls_value_id *emit_control(struct nn *nn, mls_op_id id, const char *type,
                                        const struct mls_argument *argument, const mls_block_id *blocks,
                                        const struct mls_value *outputs, size_t n)
{
    struct nn_op placeholder;
    nn_begin(&placeholder, type);
    if (nn->status)
        return NULL;
    mls_value_id *ids = MLS_NEW_ARRAY(nn->arena, n, mls_value_id);
    mls_block_id *kept_blocks = MLS_NEW_ARRAY(nn->arena, 2, mls_block_id);
    struct mls_argument *arguments = MLS_NEW(nn->arena, struct mls_argument);
    if (!ids || !kept_blocks || !arguments) {
        nn_no_memory(nn);
        return NULL;
    }
    for (size_t i = 0; !nn->status && i < n; i++) {
        struct mls_value value = outputs[i];
        value.producer = id;
        nn->status = ir_value_add(nn->builder, &value, &ids[i], nn->error);
    }
    memcpy(kept_blocks, blocks, 2 * sizeof *blocks);
    *arguments = *argument;
    struct mls_op op = {.type = type,
                        .name = nn->layer_name,
                        .function = nn->function,
                        .block = nn->block->id,
                        .arguments = arguments,
                        .n_arguments = 1,
                        .outputs = ids,
                        .n_outputs = (uint32_t)n,
                        .blocks = kept_blocks,
                        .n_blocks = 2};
    nn_place(nn, id, &op);
    return ids;
}

/* What is declared of a value that a block may replace: only its element type and its rank. */
static struct mls_value open_value(struct nn *nn, const char *name, mls_value_id like)
{
    struct mls_value value = {.name = name, .producer = {MLS_NO_INDEX}};
    value.type = ir_value_at(nn->builder, like)->type;
    for (unsigned i = 0; value.type.rank <= MLS_RANK_MAX && i < value.type.rank; i++)
        value.type.dims[i] = MLS_DIM_UNKNOWN;
    return value;
}

/* ---- branch ---------------------------------------------------------------------------------- */

static mls_value_id truth(struct nn *nn, mls_value_id x)
{
    struct nn_op op;
    nn_begin(&op, "nn_truth");
    nn_arg(nn, &op, "x", x);
    return nn_emit_as(nn, &op, MLS_BOOL, 0);
}

static void bind_all(struct nn *nn, const struct names *names, const mls_value_id *values)
{
    for (size_t i = 0; !nn->status && i < names->n; i++)
        nn->status = ir_value_bind(nn->builder, names->items[i], values[i], nn->error);
}

static void branch_blocks(struct nn *nn, const Pb__NnBranch *layer, mls_op_id id, const struct names *results,
                          mls_block_id *ret_blocks, struct mls_value *ret_outputs)
{
    const Pb__Network *networks[2] = {layer->if_branch, layer->else_branch};
    for (size_t b = 0; b < 2; b++) {
        struct nested nested;
        open_block(nn, &nested, id);
        ret_blocks[b] = nested.body.id;
        if (!nn->status)
            inner_network(nn, networks[b]);
        mls_value_id *values = nn->status ? NULL : current_values(nn, results, 0);
        for (size_t i = 0; values && i < results->n; i++) {
            struct mls_value given = open_value(nn, results->items[i], values[i]);
            if (b && ret_outputs[i].type.rank != given.type.rank)
                given.type.rank = MLS_RANK_UNKNOWN;
            ret_outputs[i] = given;
        }
        close_block(nn, &nested, values, values ? results->n : 0);
    }
}

static bool collect_sorted(struct nn *nn, const Pb__Network *network, struct names *names)
{
    bool ok = collect(network, true, names);
    if (!ok)
        nn_no_memory(nn);
    sort_unique(names);
    return ok;
}

void nn_branch(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnBranch *layer = message->branch;
    if (!nn_check(nn, layer->if_branch, "it has no network for the true case"))
        return;
    mls_value_id *predicate = MLS_NEW(nn->arena, mls_value_id);
    struct names first = {0}, second = {0}, results = {0};
    if (!predicate)
        nn_no_memory(nn);
    else
        *predicate = truth(nn, nn_input(nn, 0));
    mls_op_id id = {MLS_NO_INDEX};
    if (!nn->status)
        nn->status = ir_op_reserve(nn->builder, &id, nn->error);
    nn_flush(nn);
    if (!nn->status && collect_sorted(nn, layer->if_branch, &first) &&
        collect_sorted(nn, layer->else_branch, &second)) {
        /* known before and written in either, or written in both */
        struct names either = {0};
        if (!collect(layer->if_branch, true, &either) || !collect(layer->else_branch, true, &either))
            nn_no_memory(nn);
        sort_unique(&either);
        struct names both = {.items = calloc(first.n + 1, sizeof *both.items)};
        for (size_t i = 0; both.items && i < first.n; i++) {
            if (contains(&second, first.items[i]))
                both.items[both.n++] = first.items[i];
        }
        if (!both.items)
            nn_no_memory(nn);
        results = keep_known(nn, &either, &both);
        free(both.items);
        free(either.items);
    }
    struct mls_value *outputs = MLS_NEW_ARRAY(nn->arena, results.n, struct mls_value);
    mls_block_id blocks[2] = {{0}};
    if (!outputs)
        nn_no_memory(nn);
    if (!nn->status)
        branch_blocks(nn, layer, id, &results, blocks, outputs);
    const struct mls_argument argument = {.name = "pred", .values = predicate, .n_values = 1};
    const mls_value_id *ids = emit_control(nn, id, "cond", &argument, blocks, outputs, results.n);
    if (ids)
        bind_all(nn, &results, ids);
    free(first.items);
    free(second.items);
}

/* ---- Jumps ----------------------------------------------------------------------------------- */

static bool may_jump(const Pb__Network *network)
{
    for (size_t i = 0; network && i < network->n_layers; i++) {
        const Pb__NnLayer *layer = network->layers[i];
        if (is_jump(layer) || (layer->layer_case == PB__NN_LAYER__LAYER_BRANCH &&
                               (may_jump(layer->branch->if_branch) || may_jump(layer->branch->else_branch))))
            return true;
    }
    return false;
}

bool nn_layer_jumps(const Pb__NnLayer *layer)
{
    Pb__NnLayer *only[1] = {NULL};
    Pb__Network network;
    pb__network__init(&network);
    memcpy(only, &layer, sizeof layer);
    network.layers = only;
    network.n_layers = 1;
    return may_jump(&network);
}

/* A network that is computed only while the name is not true: a branch that no file has. */
static void unless(struct nn *nn, const char *name, const Pb__Network *network)
{
    Pb__Network nothing, something = *network;
    Pb__NnBranch branch;
    Pb__NnLayer layer;
    char input_name[sizeof name_jumped], *inputs[1] = {input_name}, layer_name[] = "unless";
    memcpy(input_name, name, sizeof input_name);
    pb__network__init(&nothing);
    pb__nn_branch__init(&branch);
    pb__nn_layer__init(&layer);
    branch.if_branch = &nothing;
    branch.else_branch = &something;
    layer.name = layer_name;
    layer.input = inputs;
    layer.n_input = 1;
    layer.layer_case = PB__NN_LAYER__LAYER_BRANCH;
    layer.branch = &branch;
    nn_layer(nn, &layer);
}

void nn_rest(struct nn *nn, const Pb__Network *network, size_t first)
{
    Pb__Network rest = *network;
    rest.layers += first;
    rest.n_layers -= first;
    unless(nn, name_jumped, &rest);
}

static void set_flag(struct nn *nn, const char *name, float value)
{
    struct mls_type type = mls_type_tensor(MLS_FP32, 1, (const int64_t[]){1});
    mls_value_id flag = nn_constant(nn, &type, &value);
    if (!nn->status)
        nn->status = ir_value_bind(nn->builder, name, flag, nn->error);
}

void nn_loop_jump(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    if (!nn_check(nn, nn->n_loops > 0, "it does not stand in a loop"))
        return;
    set_flag(nn, name_jumped, 1);
    if (message->layer_case == PB__NN_LAYER__LAYER_LOOP_BREAK)
        set_flag(nn, name_broken, 1);
}

/* ---- loop ------------------------------------------------------------------------------------ */

/* What a loop is made of, besides the names that it writes: the state of its condition and a counter. */
struct loop {
    const Pb__NnLoop *layer;
    struct names variables;
    bool counted;
    bool breaks;        /* its body may end it */
    mls_value_id limit; /* int32; when counted */
};

/* Writers leave an empty network where there is no condition. */
static bool has_condition(const struct loop *loop)
{
    return loop->layer->condition_network && loop->layer->condition_var[0];
}

static mls_value_id int_constant(struct nn *nn, int32_t value)
{
    struct mls_type type = mls_type_tensor(MLS_INT32, 1, (const int64_t[]){1});
    return nn_constant(nn, &type, &value);
}

/* Whether two conditions hold; the first may be none. */
static mls_value_id both_true(struct nn *nn, mls_value_id first, mls_value_id second)
{
    if (nn->status || first.i == MLS_NO_INDEX)
        return second;
    struct nn_op op;
    nn_begin(&op, "logical_and");
    nn_arg(nn, &op, "x", first);
    nn_arg(nn, &op, "y", second);
    return nn_emit_as(nn, &op, MLS_BOOL, nn_broadcast_rank(nn, first, second));
}

/* Whether another iteration follows: the condition network's result, and the number of iterations done. */
static mls_value_id goes_on(struct nn *nn, const struct loop *loop, mls_value_id counter, bool in_body)
{
    mls_value_id all = {MLS_NO_INDEX};
    bool broken = in_body && loop->breaks;
    if (has_condition(loop)) {
        const Pb__NnLayer *layer = nn->layer;
        const char *name = nn->layer_name;
        if (broken)
            unless(nn, name_broken, loop->layer->condition_network);
        else
            inner_network(nn, loop->layer->condition_network);
        nn->layer = layer;
        nn->layer_name = name;
        mls_value_id found = ir_value_find(nn->builder, loop->layer->condition_var);
        if (!nn->status && found.i == MLS_NO_INDEX)
            nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its condition '%s' is not computed",
                    loop->layer->condition_var);
        all = truth(nn, found);
    }
    if (loop->counted) {
        struct nn_op op;
        nn_begin(&op, "less");
        nn_arg(nn, &op, "x", counter);
        nn_arg(nn, &op, "y", loop->limit);
        all = both_true(nn, all, nn_emit_as(nn, &op, MLS_BOOL, 1)); /* one, as all that it is made of */
    }
    if (broken && !nn->status) {
        struct nn_op op;
        nn_begin(&op, "logical_not");
        nn_arg(nn, &op, "x", truth(nn, ir_value_find(nn->builder, name_broken)));
        all = both_true(nn, all, nn_emit_as(nn, &op, MLS_BOOL, 0));
    }
    return all;
}

/* Adds inputs to a block, one for each variable, the counter and the state of the condition behind. */
static mls_value_id *block_inputs(struct nn *nn, const struct loop *loop, const mls_value_id *initial,
                                  size_t n, struct mls_block *block)
{
    mls_value_id *inputs = MLS_NEW_ARRAY(nn->arena, n, mls_value_id);
    if (!inputs)
        nn_no_memory(nn);
    for (size_t i = 0; !nn->status && i < n; i++) {
        const char *name = i < loop->variables.n ? loop->variables.items[i]
                           : i == n - 1          ? "goes_on"
                                                 : "iteration";
        struct mls_value value = open_value(nn, name, initial[i]);
        nn->status = ir_value_add(nn->builder, &value, &inputs[i], nn->error);
        if (!nn->status && i < loop->variables.n)
            nn->status = ir_value_bind(nn->builder, name, inputs[i], nn->error);
    }
    block->inputs = inputs;
    block->n_inputs = (uint32_t)n;
    return inputs;
}

static mls_value_id incremented(struct nn *nn, mls_value_id counter)
{
    struct nn_op op;
    nn_begin(&op, "add");
    nn_arg(nn, &op, "x", counter);
    nn_arg(nn, &op, "y", int_constant(nn, 1));
    return nn_emit_as(nn, &op, MLS_INT32, 1);
}

static void loop_blocks(struct nn *nn, const struct loop *loop, mls_op_id id, const mls_value_id *initial,
                        size_t n, mls_block_id *ret_blocks)
{
    struct nested condition, body;
    open_block(nn, &condition, id);
    ret_blocks[0] = condition.body.id;
    mls_value_id *inputs = nn->status ? NULL : block_inputs(nn, loop, initial, n, &condition.block);
    close_block(nn, &condition, inputs ? inputs + n - 1 : NULL, inputs ? 1 : 0);

    open_block(nn, &body, id);
    ret_blocks[1] = body.body.id;
    inputs = nn->status ? NULL : block_inputs(nn, loop, initial, n, &body.block);
    mls_value_id counter = {MLS_NO_INDEX}, more = counter;
    if (loop->breaks) {
        set_flag(nn, name_jumped, 0);
        set_flag(nn, name_broken, 0);
    }
    nn->n_loops++;
    if (!nn->status)
        inner_network(nn, loop->layer->body_network);
    nn->n_loops--;
    if (!nn->status && loop->counted)
        counter = incremented(nn, inputs[n - 2]);
    if (!nn->status)
        more = goes_on(nn, loop, counter, true);
    mls_value_id *values = nn->status ? NULL : current_values(nn, &loop->variables, 2);
    if (values && loop->counted)
        values[n - 2] = counter;
    if (values)
        values[n - 1] = more;
    close_block(nn, &body, values, values ? n : 0);
}

/* The limit of iterations: an input, or a number of the layer, which is none when 0 beside a condition. */
static void read_limit(struct nn *nn, const Pb__NnLayer *message, struct loop *loop)
{
    uint64_t max = loop->layer->max_iterations;
    if (message->n_input) {
        loop->counted = true;
        loop->limit = nn_indices(nn, nn_input(nn, 0));
    } else if (max || !has_condition(loop)) {
        loop->counted = true;
        loop->limit = int_constant(nn, max < INT32_MAX ? (int32_t)max : INT32_MAX);
    }
}

void nn_loop(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    struct loop loop = {.layer = message->loop};
    if (!nn_check(nn, loop.layer->body_network, "it has no body"))
        return;
    loop.breaks = may_jump(loop.layer->body_network);
    read_limit(nn, message, &loop);
    mls_value_id counter = loop.counted ? int_constant(nn, 0) : (mls_value_id){MLS_NO_INDEX};
    mls_value_id more = goes_on(nn, &loop, counter, false);
    mls_op_id id = {MLS_NO_INDEX};
    if (!nn->status)
        nn->status = ir_op_reserve(nn->builder, &id, nn->error);
    nn_flush(nn);
    struct names written = {0};
    if (!nn->status && collect(loop.layer->condition_network, false, &written) &&
        collect(loop.layer->body_network, false, &written)) {
        sort_unique(&written);
        loop.variables = keep_known(nn, &written, NULL);
    } else {
        nn_no_memory(nn);
    }
    free(written.items);
    size_t n = loop.variables.n + 1 + loop.counted;
    mls_value_id *initial = nn->status ? NULL : current_values(nn, &loop.variables, 2);
    struct mls_value *outputs = MLS_NEW_ARRAY(nn->arena, n, struct mls_value);
    mls_block_id blocks[2] = {{0}};
    if (!outputs || !initial) {
        nn_no_memory(nn);
        return;
    }
    if (loop.counted)
        initial[n - 2] = counter;
    initial[n - 1] = more;
    for (size_t i = 0; i < n; i++)
        outputs[i] = open_value(nn, i < loop.variables.n ? loop.variables.items[i] : "", initial[i]);
    loop_blocks(nn, &loop, id, initial, n, blocks);
    const struct mls_argument argument = {.name = "loop_vars", .values = initial, .n_values = (uint32_t)n};
    const mls_value_id *ids = emit_control(nn, id, "while_loop", &argument, blocks, outputs, n);
    if (ids)
        bind_all(nn, &loop.variables, ids);
}

/* ---- What is refused ------------------------------------------------------------------------- */

void nn_custom(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    bool first = !nn->status;
    (void)row;
    nn_fail(nn, MLS_ERR_OP_UNSUPPORTED,
            "it is a custom layer of class '%.100s', whose code is part of an app and not of the model",
            message->custom->class_name);
    if (first && nn->error)
        nn->error->cause = MLS_CAUSE_APP_CODE;
}
