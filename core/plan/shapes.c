/* shapes.c: which input shapes a function is planned for. */
#include "plan/plan.h"

#include <string.h>

static const struct mls_value *find_input(const struct plan_shared *shared, const char *name)
{
    const struct mls_program *program = &shared->model->program;
    const struct mls_block *block = &program->blocks[program->functions[shared->function.i].block.i];
    for (uint32_t i = 0; i < block->n_inputs; i++)
        if (!strcmp(program->values[block->inputs[i].i].name, name))
            return &program->values[block->inputs[i].i];
    return NULL;
}

/* Images are described as height x width x channels and computed as 1 x channels x height x width. */
static struct mls_shape described_shape(const struct mls_feature *feature)
{
    struct mls_shape shape = {.rank = feature->type.rank};
    memcpy(shape.dims, feature->type.dims, sizeof shape.dims);
    if (feature->kind == MLS_FEATURE_IMAGE && shape.rank == 3)
        shape = (struct mls_shape){
            .rank = 4, .dims = {1, feature->type.dims[2], feature->type.dims[0], feature->type.dims[1]}};
    return shape;
}

bool plan_input_is_open(const struct mls_feature *feature)
{
    return feature->kind == MLS_FEATURE_DICTIONARY || feature->kind == MLS_FEATURE_SEQUENCE;
}

enum mls_status plan_default_shapes(const struct plan_shared *shared, struct mls_shape *ret_shapes,
                                    struct mls_error *reterr)
{
    for (size_t i = 0; i < shared->interface->n_inputs; i++) {
        const struct mls_feature *feature = &shared->interface->inputs[i];
        const struct mls_value *value = find_input(shared, feature->name);
        struct mls_shape described = described_shape(feature);
        if (plan_input_is_open(feature)) {
            ret_shapes[i] = (struct mls_shape){0};
            continue;
        }
        if (!value) {
            ret_shapes[i] = described;
            continue;
        }
        ret_shapes[i].rank = value->type.rank <= MLS_RANK_MAX ? value->type.rank : described.rank;
        for (unsigned j = 0; j < ret_shapes[i].rank; j++) {
            bool known = value->type.rank <= MLS_RANK_MAX && value->type.dims[j] >= 0;
            bool told = described.rank == ret_shapes[i].rank && described.dims[j] >= 0;
            if (!known && !told)
                return mls_fail(reterr, MLS_ERR_SPEC_INTERFACE,
                                "cannot plan the model: neither the program nor the description tells the "
                                "shape of input '%s'",
                                feature->name);
            ret_shapes[i].dims[j] = known ? value->type.dims[j] : described.dims[j];
        }
    }
    return MLS_OK;
}

static bool same_shape(const struct mls_shape *a, const struct mls_shape *b)
{
    return a->rank == b->rank && !memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]);
}

/* The part of a shape that enumerated shapes and ranges of a feature speak of: height and width of images,
 * else all. */
static struct mls_shape flexible_part(const struct mls_feature *feature, const struct mls_shape *shape)
{
    if (feature->kind != MLS_FEATURE_IMAGE || shape->rank != 4)
        return *shape;
    return (struct mls_shape){.rank = 2, .dims = {shape->dims[2], shape->dims[3]}};
}

static bool allowed_by_description(const struct mls_feature *feature, const struct mls_shape *shape)
{
    struct mls_shape part = flexible_part(feature, shape);
    for (size_t i = 0; i < feature->n_enumerated; i++)
        if (same_shape(&part, &feature->enumerated[i]))
            return true;
    if (feature->n_ranges != part.rank || !feature->n_ranges)
        return false;
    for (unsigned i = 0; i < part.rank; i++)
        if (part.dims[i] < feature->ranges[i].lower ||
            (feature->ranges[i].upper >= 0 && part.dims[i] > feature->ranges[i].upper))
            return false;
    return true;
}

static bool fits_program(const struct mls_value *value, const struct mls_shape *shape)
{
    if (value->type.rank > MLS_RANK_MAX)
        return true;
    if (value->type.rank != shape->rank)
        return false;
    for (unsigned i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0 || (value->type.dims[i] >= 0 && value->type.dims[i] != shape->dims[i]))
            return false;
    return true;
}

enum mls_status plan_check_shapes(const struct plan_shared *shared, const struct mls_shape *shapes,
                                  struct mls_error *reterr)
{
    for (size_t i = 0; i < shared->interface->n_inputs; i++) {
        const struct mls_feature *feature = &shared->interface->inputs[i];
        const struct mls_value *value = find_input(shared, feature->name);
        if (!value || plan_input_is_open(feature))
            continue;
        struct mls_shape default_shape = described_shape(feature);
        bool flexible = feature->n_enumerated || feature->n_ranges;
        bool fits = fits_program(value, &shapes[i]) && (!flexible || same_shape(&default_shape, &shapes[i]) ||
                                                        allowed_by_description(feature, &shapes[i]));
        if (fits)
            continue;
        char text[160], declared[160];
        struct mls_type type = mls_type_tensor(value->type.dtype, shapes[i].rank, shapes[i].dims);
        mls_fail_because(reterr, MLS_ERR_INPUT_INVALID,
                         feature->n_enumerated ? MLS_CAUSE_SHAPE_NOT_LISTED : MLS_CAUSE_NONE,
                         "cannot use shape %s for input '%s': the model allows %s",
                         mls_shape_format(&type, text, sizeof text), feature->name,
                         flexible ? "other shapes"
                                  : mls_shape_format(&value->type, declared, sizeof declared));
        mls_error_hint(reterr, "the allowed shapes are shown by `mlscope inspect`");
        return MLS_ERR_INPUT_INVALID;
    }
    return MLS_OK;
}
