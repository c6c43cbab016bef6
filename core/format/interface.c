#include "format/spec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Specification versions that brought something. */
enum { VERSION_FP16 = 7, VERSION_STATE = 9, VERSION_NO_INPUT = 9, VERSION_INT8 = 10 };

static enum mls_status broken(const struct mls_feature *feature, const char *reason, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_SPEC_INTERFACE, "cannot read the model's interface: feature '%s' %s",
                    feature->name, reason);
}

static enum mls_status broken_state(const struct mls_feature *feature, const char *reason,
                                    struct mls_error *reterr)
{
    return mls_fail_because(reterr, MLS_ERR_SPEC_INTERFACE, MLS_CAUSE_STATE_DECLARATION,
                            "cannot read the model's interface: feature '%s' %s", feature->name, reason);
}

static enum mls_status needs_version(const struct mls_feature *feature, const char *what, int32_t needed,
                                     int32_t spec_version, struct mls_error *reterr)
{
    enum mls_status status =
        mls_fail_because(reterr, MLS_ERR_SPEC_INTERFACE, MLS_CAUSE_NEWER_FEATURE,
                         "cannot read the model's interface: feature '%s' is %s, which is only valid in "
                         "specification version >= %" PRId32 "; this model has version %" PRId32,
                         feature->name, what, needed, spec_version);
    mls_error_hint(reterr, "export for %s or later, or change the feature's type",
                   mls_system_for_spec(needed));
    return status;
}

static enum mls_status check_version(const struct mls_feature *feature, int32_t spec_version,
                                     struct mls_error *reterr)
{
    if (feature->kind == MLS_FEATURE_STATE && spec_version < VERSION_STATE)
        return needs_version(feature, "a state", VERSION_STATE, spec_version, reterr);
    if (feature->kind == MLS_FEATURE_IMAGE && feature->color == MLS_COLOR_GRAY_FP16 &&
        spec_version < VERSION_FP16)
        return needs_version(feature, "an image of GRAYSCALE_FLOAT16", VERSION_FP16, spec_version, reterr);
    if (feature->kind == MLS_FEATURE_TENSOR && feature->type.dtype == MLS_FP16 && spec_version < VERSION_FP16)
        return needs_version(feature, "a multiarray of FLOAT16", VERSION_FP16, spec_version, reterr);
    if (feature->kind == MLS_FEATURE_TENSOR && feature->type.dtype == MLS_INT8 && spec_version < VERSION_INT8)
        return needs_version(feature, "a multiarray of INT8", VERSION_INT8, spec_version, reterr);
    return MLS_OK;
}

static bool in_range(int64_t dim, const struct mls_range *range)
{
    return dim >= range->lower && (range->upper < 0 || dim <= range->upper);
}

/* Flexibility of a feature whose default shape is known. `n_dims`: that ranges and enumerated shapes speak
 * of. */
static enum mls_status check_flexibility(const struct mls_feature *feature, unsigned n_dims,
                                         struct mls_error *reterr)
{
    if (feature->ranges && feature->n_ranges != n_dims)
        return broken(feature, "has not one range for each dimension", reterr);
    for (size_t i = 0; i < feature->n_ranges; i++) {
        if (!in_range(feature->type.dims[i], &feature->ranges[i]))
            return broken(feature, "has a default shape outside its ranges", reterr);
    }
    for (size_t i = 0; i < feature->n_enumerated; i++) {
        const struct mls_shape *shape = &feature->enumerated[i];
        if (shape->rank != n_dims)
            return broken(feature, "has an enumerated shape of another rank than its default shape", reterr);
        for (unsigned d = 0; d < n_dims; d++) {
            if (shape->dims[d] <= 0)
                return broken(feature, "has an enumerated shape with a dimension that is not positive",
                              reterr);
        }
    }
    return MLS_OK;
}

static enum mls_status check_shape(const struct mls_feature *feature, struct mls_error *reterr)
{
    if (feature->type.rank == MLS_RANK_UNKNOWN)
        return broken(feature, "has no shape", reterr);
    if (!mls_type_is_static(&feature->type))
        return broken(feature, "has a shape with a dimension that is not positive", reterr);
    if (mls_type_bytes(&feature->type) == SIZE_MAX)
        return broken(feature, "has a shape that is larger than any memory", reterr);
    return check_flexibility(feature, feature->kind == MLS_FEATURE_IMAGE ? 2 : feature->type.rank, reterr);
}

static enum mls_status check_input(const struct mls_feature *feature, int32_t spec_version,
                                   struct mls_error *reterr)
{
    enum mls_status status = check_version(feature, spec_version, reterr);
    if (status)
        return status;
    if (feature->kind == MLS_FEATURE_STATE)
        return broken_state(
            feature, "is a state and should only be declared in the state feature description", reterr);
    if (feature->kind == MLS_FEATURE_TENSOR || feature->kind == MLS_FEATURE_IMAGE)
        return check_shape(feature, reterr);
    return MLS_OK;
}

static enum mls_status check_output(const struct mls_feature *feature, int32_t spec_version,
                                    struct mls_error *reterr)
{
    if (feature->kind == MLS_FEATURE_STATE)
        return broken_state(
            feature, "is a state and should only be declared in the state feature description", reterr);
    return check_version(feature, spec_version, reterr);
}

static enum mls_status check_state(const struct mls_feature *feature, int32_t spec_version,
                                   struct mls_error *reterr)
{
    if (feature->kind != MLS_FEATURE_STATE)
        return broken_state(feature, "stands among the states and is none", reterr);
    enum mls_status status = check_version(feature, spec_version, reterr);
    if (status)
        return status;
    if (feature->enumerated || feature->ranges)
        return broken_state(feature, "is a state and cannot have a flexible shape", reterr);
    if (feature->type.dtype != MLS_FP16)
        return broken_state(feature, "is a state and must be specified as FLOAT16", reterr);
    if (feature->optional)
        return broken_state(feature, "is a state and cannot be optional", reterr);
    return check_shape(feature, reterr);
}

static int compare_names(const void *a, const void *b)
{
    const struct mls_feature *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

/*
 * Names are not empty, and no two of them are the same. Only a value that a program returns twice is
 * described twice as an output, in the same way: that is no contradiction, and converters write it.
 */
static enum mls_status check_names(const struct mls_feature **features, size_t n, const char *what,
                                   bool outputs, struct mls_error *reterr)
{
    qsort(features, n, sizeof *features, compare_names);
    for (size_t i = 0; i < n; i++) {
        const struct mls_feature *feature = features[i], *before = i ? features[i - 1] : NULL;
        if (!feature->name[0])
            return mls_fail(reterr, MLS_ERR_SPEC_INTERFACE,
                            "cannot read the model's interface: an %s has no name", what);
        if (!before || strcmp(before->name, feature->name) != 0)
            continue;
        if (!outputs || before->kind != feature->kind || !mls_type_equal(&before->type, &feature->type))
            return mls_fail(reterr, MLS_ERR_SPEC_INTERFACE,
                            "cannot read the model's interface: %s '%s' is described twice", what,
                            feature->name);
    }
    return MLS_OK;
}

static enum mls_status check_all_names(const struct mls_interface *interface, struct mls_error *reterr)
{
    size_t n_in = interface->n_inputs + interface->n_states;
    size_t n = n_in > interface->n_outputs ? n_in : interface->n_outputs;
    const struct mls_feature **features = calloc(n, sizeof *features);
    if (!features)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the model's interface: out of memory");
    for (size_t i = 0; i < interface->n_inputs; i++)
        features[i] = &interface->inputs[i];
    for (size_t i = 0; i < interface->n_states; i++)
        features[interface->n_inputs + i] = &interface->states[i];
    enum mls_status status = check_names(features, n_in, "input", false, reterr);
    if (!status) {
        for (size_t i = 0; i < interface->n_outputs; i++)
            features[i] = &interface->outputs[i];
        status = check_names(features, interface->n_outputs, "output", true, reterr);
    }
    free(features);
    return status;
}

enum mls_status interface_check(const struct mls_interface *interface, int32_t spec_version,
                                struct mls_error *reterr)
{
    if (interface->n_outputs == 0)
        return mls_fail(reterr, MLS_ERR_SPEC_INTERFACE,
                        "cannot read the model's interface: function '%s' has no outputs",
                        interface->function);
    if (interface->n_inputs == 0 && spec_version < VERSION_NO_INPUT)
        return mls_fail_because(
            reterr, MLS_ERR_SPEC_INTERFACE, MLS_CAUSE_NO_INPUTS,
            "cannot read the model's interface: empty input is only valid in specification "
            "version >= %d; this "
            "model has version %" PRId32,
            VERSION_NO_INPUT, spec_version);
    enum mls_status status = check_all_names(interface, reterr);
    for (size_t i = 0; !status && i < interface->n_inputs; i++)
        status = check_input(&interface->inputs[i], spec_version, reterr);
    for (size_t i = 0; !status && i < interface->n_outputs; i++)
        status = check_output(&interface->outputs[i], spec_version, reterr);
    for (size_t i = 0; !status && i < interface->n_states; i++)
        status = check_state(&interface->states[i], spec_version, reterr);
    return status;
}

char *interface_list(const struct mls_interface *interfaces, size_t n, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n && used < size; i++) {
        int length = snprintf(text + used, size - used, "%s%s", i ? ", " : "", interfaces[i].function);
        used += length > 0 ? (size_t)length : 0;
    }
    return text;
}
