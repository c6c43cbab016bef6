#include "core/model.h"

#include <string.h>

const char *mls_feature_kind_name(enum mls_feature_kind kind)
{
    static const char *const names[] = {
#define X(id, name) [MLS_FEATURE_##id] = name,
        MLS_FEATURE_KIND_LIST(X)
#undef X
    };
    return (unsigned)kind < MLS_FEATURE_KIND_COUNT ? names[kind] : "unknown";
}

const struct mls_argument *mls_op_argument(const struct mls_op *op, const char *name)
{
    /* in order of name */
    uint32_t low = 0, high = op->n_arguments;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(op->arguments[middle].name, name);
        if (order == 0)
            return &op->arguments[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

uint32_t mls_op_opset(const struct mls_program *program, const struct mls_op *op)
{
    return op->opset ? op->opset : program->functions[op->function.i].opset;
}

/* The first systems that read a version of the specification. An opset is one below its version. */
static const char *const systems[] = {
    [1] = "iOS 11, macOS 10.13", [2] = "iOS 11.2, macOS 10.13.2", [3] = "iOS 12, macOS 10.14",
    [4] = "iOS 13, macOS 10.15", [5] = "iOS 14, macOS 11",        [6] = "iOS 15, macOS 12",
    [7] = "iOS 16, macOS 13",    [8] = "iOS 17, macOS 14",        [9] = "iOS 18, macOS 15",
    [10] = "iOS 26, macOS 26",
};

const char *mls_system_for_spec(int32_t spec_version)
{
    if (spec_version < 1 || (size_t)spec_version >= sizeof systems / sizeof *systems)
        return "unknown system";
    return systems[spec_version];
}

const char *mls_system_for_opset(uint32_t opset)
{
    if (opset < MLS_OPSET_MIN || opset > MLS_OPSET_MAX)
        return "unknown system";
    return mls_system_for_spec((int32_t)opset + 1);
}
