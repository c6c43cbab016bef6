#include "diagnostics/placement.h"

#include <string.h>

#include "placement/path.h"
#include "placement/profile.h"

enum {
    BLOCK_DEPTH_MAX = 64 /* the reader of programs allows no more either */
};

static const mls_unit_set SETTING_UNITS[] = {
#define X(id, name, units) [MLS_COMPUTE_UNITS_##id] = (units),
    MLS_COMPUTE_UNITS_LIST(X)
#undef X
};

/* Everything that one prediction is built with. */
struct build {
    const struct mls_model *model;
    mls_block_id block; /* of the function */
    const struct mls_placement_profile *profile;
    mls_unit_set units;
    struct shape_table shapes;
    struct mls_store *store;
    struct mls_placed_op *ops;
    struct path_node *nodes;
    const char ***reasons; /* with room for one more, by operation */
    uint32_t *by_op;
    uint32_t n_ops;
};

/* A place in a block that is being walked. */
struct walk_level {
    const struct mls_block *block;
    uint32_t next_op;
    const struct mls_op *op; /* whose blocks are being walked, or NULL */
    uint32_t next_block;
};

static bool is_network(const struct mls_model *model)
{
    return strncmp(model->type_name, "neuralNetwork", strlen("neuralNetwork")) == 0;
}

/* How the system's own plan calls an operation: a layer by its name, an operation of a program by its first
 * output. */
static const char *name_of(const struct build *build, const struct mls_op *op)
{
    const struct mls_value *values = build->model->program.values;
    return is_network(build->model) || op->n_outputs == 0 ? op->name : values[op->outputs[0].i].name;
}

static void add_op(struct build *build, mls_op_id id, const struct mls_op *op)
{
    if (strcmp(op->type, "const") == 0)
        return;
    build->by_op[id.i] = build->n_ops;
    build->ops[build->n_ops] =
        (struct mls_placed_op){.index = build->n_ops, .op = id, .type = op->type, .name = name_of(build, op)};
    build->n_ops++;
}

/* Takes the operations of the function in file order, nested ones behind the operation that holds them. */
static enum mls_status collect(struct build *build, struct mls_error *reterr)
{
    const struct mls_program *program = &build->model->program;
    struct walk_level levels[BLOCK_DEPTH_MAX];
    unsigned depth = 1;
    levels[0] = (struct walk_level){.block = &program->blocks[build->block.i]};
    while (depth > 0) {
        struct walk_level *level = &levels[depth - 1];
        if (level->op != NULL && level->next_block < level->op->n_blocks) {
            if (depth == BLOCK_DEPTH_MAX)
                return mls_fail(reterr, MLS_ERR_LIMIT,
                                "cannot predict the placement: blocks are nested deeper than %d",
                                BLOCK_DEPTH_MAX);
            mls_block_id inner = level->op->blocks[level->next_block++];
            levels[depth++] = (struct walk_level){.block = &program->blocks[inner.i]};
        } else if (level->next_op < level->block->n_ops) {
            mls_op_id id = level->block->ops[level->next_op++];
            level->op = &program->ops[id.i];
            level->next_block = 0;
            add_op(build, id, level->op);
        } else {
            depth--;
        }
    }
    return MLS_OK;
}

static enum mls_status build_allocate(struct build *build, struct mls_error *reterr)
{
    size_t n = build->model->program.n_ops;
    build->ops = MLS_STORE_ARRAY(build->store, n, struct mls_placed_op);
    build->nodes = MLS_STORE_ARRAY(build->store, n, struct path_node);
    build->reasons = MLS_STORE_ARRAY(build->store, n, const char **);
    build->by_op = MLS_STORE_ARRAY(build->store, n, uint32_t);
    if (build->ops == NULL || build->nodes == NULL || build->reasons == NULL || build->by_op == NULL)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot predict the placement: out of memory");
    for (size_t i = 0; i < n; i++)
        build->by_op[i] = MLS_NO_INDEX;
    return MLS_OK;
}

/* Asks the rules and the formulas about each operation. */
static bool assess_ops(struct build *build)
{
    for (uint32_t i = 0; i < build->n_ops; i++) {
        struct mls_placed_op *placed = &build->ops[i];
        struct op_view view = {.program = &build->model->program,
                               .shapes = &build->shapes,
                               .op = &build->model->program.ops[placed->op.i],
                               .is_network = is_network(build->model)};
        struct placement_support support;
        if (!placement_support_of(build->profile, &view, build->units, build->store, &support))
            return false;
        enum mls_confidence estimated = placement_estimate(build->profile, &view, placed->estimate_us);
        placed->supported = support.units;
        placed->refusals = support.refusals;
        placed->reasons = support.reasons;
        placed->n_reasons = support.n_reasons;
        placed->confidence = support.confidence < estimated ? support.confidence : estimated;
        /* how often the body of a loop runs is not known here, and nothing inside one was ever recorded */
        if (view.op->block.i != build->block.i)
            placed->confidence = MLS_CONFIDENCE_LOW;
        build->reasons[i] = support.reasons;
        placed->change = support.change;
        for (unsigned k = 0; k < MLS_BACKEND_COUNT; k++) {
            bool allowed = (build->units & 1u << mls_backend_unit(k)) != 0;
            placed->would_take_us[k] = allowed ? placed->estimate_us[k] : -1;
            if ((support.units & 1u << mls_backend_unit(k)) == 0)
                placed->estimate_us[k] = -1;
            build->nodes[i].us[k] = placed->estimate_us[k];
        }
    }
    return true;
}

/* Counts for each operation the function's outputs that it makes. */
static void count_outputs(struct build *build)
{
    const struct mls_program *program = &build->model->program;
    const struct mls_block *block = &program->blocks[build->block.i];
    for (uint32_t i = 0; i < block->n_outputs; i++) {
        mls_op_id producer = program->values[block->outputs[i].i].producer;
        if (producer.i != MLS_NO_INDEX && build->by_op[producer.i] != MLS_NO_INDEX)
            build->nodes[build->by_op[producer.i]].n_outputs++;
    }
    for (uint32_t i = 0; i < build->n_ops; i++)
        build->ops[i].n_outputs = build->nodes[i].n_outputs;
}

static double cpu_estimate(const struct mls_placed_op *op)
{
    double bnns = op->estimate_us[MLS_BACKEND_BNNS];
    double classic = op->estimate_us[MLS_BACKEND_CLASSIC];
    return bnns >= 0 && (bnns <= classic || classic < 0) ? bnns : classic;
}

/* Says for a run [first, last] of operations that the Neural Engine supports why each is there or not. */
static bool explain_run(struct build *build, uint32_t first, uint32_t last)
{
    double saved_us = 0;
    double switching_us = build->profile->launch_us[MLS_UNIT_ANE];
    switching_us += first > 0 ? build->profile->change_us : 0;
    switching_us += last + 1 < build->n_ops ? build->profile->change_us : 0;
    for (uint32_t i = first; i <= last; i++) {
        saved_us += cpu_estimate(&build->ops[i]) - build->ops[i].estimate_us[MLS_BACKEND_ANE];
        switching_us += build->nodes[i].n_outputs * build->profile->output_us[MLS_UNIT_ANE];
    }
    uint32_t n = last - first + 1;
    for (uint32_t i = first; i <= last; i++) {
        struct mls_placed_op *op = &build->ops[i];
        const char *text;
        if (op->preferred == MLS_UNIT_ANE)
            text = mls_store_printf(build->store, "on ANE: estimated %.4g us there, %.4g us on the CPU",
                                    op->estimate_us[MLS_BACKEND_ANE], cpu_estimate(op));
        else if (saved_us <= switching_us)
            text = mls_store_printf(
                build->store,
                "could run on ANE, but %u neighbouring operation%s would save %.4g us there and "
                "switching would cost %.4g us",
                n, n == 1 ? "" : "s", saved_us, switching_us);
        else
            text = mls_store_printf(
                build->store,
                "could run on ANE, but between its neighbours %s is not slower (%.4g us, ANE %.4g us)",
                mls_unit_name(op->preferred), op->estimate_us[op->backend], op->estimate_us[MLS_BACKEND_ANE]);
        if (text == NULL)
            return false;
        build->reasons[i][op->n_reasons++] = text;
    }
    return true;
}

static bool explain_preferences(struct build *build)
{
    if ((build->units & 1u << MLS_UNIT_ANE) == 0)
        return true;
    for (uint32_t first = 0; first < build->n_ops; first++) {
        uint32_t end = first;
        while (end < build->n_ops && build->ops[end].estimate_us[MLS_BACKEND_ANE] >= 0)
            end++;
        if (end > first && !explain_run(build, first, end - 1))
            return false;
        first = end;
    }
    return true;
}

static bool choose(struct build *build)
{
    enum mls_backend *backends = MLS_STORE_ARRAY(build->store, build->n_ops, enum mls_backend);
    if (backends == NULL || !path_choose(build->profile, build->nodes, build->n_ops, build->store, backends))
        return false;
    for (uint32_t i = 0; i < build->n_ops; i++) {
        struct mls_placed_op *op = &build->ops[i];
        op->backend = backends[i];
        op->preferred = mls_backend_unit(backends[i]);
        /* no estimate of the GPU was ever recorded */
        if (op->preferred == MLS_UNIT_GPU)
            op->confidence = MLS_CONFIDENCE_LOW;
    }
    return explain_preferences(build);
}

static bool summarise_segments(struct build *build, struct mls_placement *placement)
{
    struct mls_placed_segment *segments =
        MLS_STORE_ARRAY(build->store, build->n_ops, struct mls_placed_segment);
    if (segments == NULL)
        return false;
    for (uint32_t i = 0; i < build->n_ops; i++) {
        struct mls_placed_op *op = &build->ops[i];
        if (i == 0 || op->preferred != build->ops[i - 1].preferred)
            segments[placement->n_segments++] =
                (struct mls_placed_segment){.unit = op->preferred, .first = i};
        op->segment = placement->n_segments - 1;
        segments[op->segment].last = i;
        segments[op->segment].estimate_us += op->estimate_us[op->backend];
    }
    for (uint32_t i = 1; i < placement->n_segments; i++) {
        const struct mls_placed_segment *longest = &segments[placement->longest_segment];
        if (segments[i].last - segments[i].first > longest->last - longest->first)
            placement->longest_segment = i;
    }
    placement->segments = segments;
    placement->n_switches = placement->n_segments > 0 ? placement->n_segments - 1 : 0;
    return true;
}

static void summarise_costs(struct build *build, struct mls_placement *placement)
{
    enum mls_backend before = MLS_BACKEND_COUNT;
    for (uint32_t i = 0; i < build->n_ops; i++) {
        const struct mls_placed_op *op = &build->ops[i];
        placement->ops_us += op->estimate_us[op->backend];
        placement->switching_us +=
            path_step_us(build->profile, before, op->backend, build->nodes[i].n_outputs);
        placement->totals[op->preferred].n_ops++;
        placement->totals[op->preferred].estimate_us += op->estimate_us[op->backend];
        before = op->backend;
    }
    placement->total_us = placement->ops_us + placement->switching_us;
    double share[MLS_CONFIDENCE_COUNT] = {0};
    for (uint32_t i = 0; i < build->n_ops; i++) {
        struct mls_placed_op *op = &build->ops[i];
        op->cost_share = placement->ops_us > 0 ? op->estimate_us[op->backend] / placement->ops_us : 0;
        placement->totals[op->preferred].cost_share += op->cost_share;
        share[op->confidence] += op->cost_share;
    }
    /* the lowest that a twentieth of the estimated time has, or less */
    double at_most = 0;
    unsigned confidence = 0;
    while (confidence + 1 < MLS_CONFIDENCE_COUNT && (at_most += share[confidence]) < 0.05)
        confidence++;
    placement->confidence = confidence < build->profile->ceiling ? confidence : build->profile->ceiling;
}

enum mls_status mls_placement_create(const struct mls_model *model, mls_function_id function,
                                     const struct mls_plan *plan, const struct mls_placement_profile *profile,
                                     enum mls_compute_units setting, struct mls_placement **ret_placement,
                                     struct mls_error *reterr)
{
    if (function.i >= model->program.n_functions || (unsigned)setting >= MLS_COMPUTE_UNITS_COUNT)
        return mls_fail(reterr, MLS_ERR_FUNCTION_NOT_FOUND, "cannot predict the placement: no such function");
    struct build build = {.model = model,
                          .block = model->program.functions[function.i].block,
                          .profile = profile,
                          .units = SETTING_UNITS[setting]};
    build.store = mls_store_create();
    if (build.store == NULL)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot predict the placement: out of memory");
    struct mls_placement *placement = MLS_STORE_NEW(build.store, struct mls_placement);
    enum mls_status status = build_allocate(&build, reterr);
    if (status != MLS_OK)
        goto fail;
    status = collect(&build, reterr);
    if (status != MLS_OK)
        goto fail;
    count_outputs(&build);
    if (placement == NULL || !shape_table_create(model, function, plan, build.store, &build.shapes) ||
        !assess_ops(&build) || !choose(&build) || !summarise_segments(&build, placement)) {
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot predict the placement: out of memory");
        goto fail;
    }
    summarise_costs(&build, placement);
    placement->profile = profile;
    placement->setting = setting;
    placement->ops = build.ops;
    placement->n_ops = build.n_ops;
    placement->by_op = build.by_op;
    placement->n_by_op = model->program.n_ops;
    placement->store = build.store;
    *ret_placement = placement;
    return MLS_OK;
fail:
    mls_store_free(build.store);
    return status;
}

void mls_placement_free(struct mls_placement *placement)
{
    if (placement != NULL)
        mls_store_free(placement->store);
}

const struct mls_placed_op *mls_placement_find(const struct mls_placement *placement, mls_op_id op)
{
    if (op.i >= placement->n_by_op || placement->by_op[op.i] == MLS_NO_INDEX)
        return NULL;
    return &placement->ops[placement->by_op[op.i]];
}
