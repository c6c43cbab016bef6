#include "diagnostics/finding.h"

static const char *const CONFIDENCE_NAMES[] = {
#define X(id, name) [MLS_CONFIDENCE_##id] = (name),
    MLS_CONFIDENCE_LIST(X)
#undef X
};

static const char *const SEVERITY_NAMES[] = {
#define X(id, name) [MLS_SEVERITY_##id] = (name),
    MLS_SEVERITY_LIST(X)
#undef X
};

static const char *const LAYER_NAMES[] = {
#define X(id, name) [MLS_LAYER_##id] = (name),
    MLS_LAYER_LIST(X)
#undef X
};

const char *mls_confidence_name(enum mls_confidence confidence)
{
    return (unsigned)confidence < MLS_CONFIDENCE_COUNT ? CONFIDENCE_NAMES[confidence] : "unknown";
}

const char *mls_severity_name(enum mls_severity severity)
{
    return (unsigned)severity < MLS_SEVERITY_COUNT ? SEVERITY_NAMES[severity] : "unknown";
}

const char *mls_layer_name(enum mls_layer layer)
{
    return (unsigned)layer < MLS_LAYER_COUNT ? LAYER_NAMES[layer] : "unknown";
}
