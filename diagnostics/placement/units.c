#include "diagnostics/placement.h"

#include <string.h>

static const char *const UNIT_NAMES[] = {
#define X(id, name) [MLS_UNIT_##id] = (name),
    MLS_UNIT_LIST(X)
#undef X
};

static const struct {
    const char *name;
    enum mls_unit unit;
} BACKENDS[] = {
#define X(id, backend_name, on_unit) \
    [MLS_BACKEND_##id] = {.name = (backend_name), .unit = MLS_UNIT_##on_unit},
    MLS_BACKEND_LIST(X)
#undef X
};

static const char *const SETTING_NAMES[] = {
#define X(id, name, units) [MLS_COMPUTE_UNITS_##id] = (name),
    MLS_COMPUTE_UNITS_LIST(X)
#undef X
};

static const char *const REFUSAL_NAMES[] = {
#define X(id, name) [MLS_REFUSAL_##id] = (name),
    MLS_REFUSAL_LIST(X)
#undef X
};

const char *mls_refusal_name(enum mls_refusal refusal)
{
    return (unsigned)refusal < MLS_REFUSAL_COUNT ? REFUSAL_NAMES[refusal] : "unknown";
}

const char *mls_unit_name(enum mls_unit unit)
{
    return (unsigned)unit < MLS_UNIT_COUNT ? UNIT_NAMES[unit] : "unknown";
}

const char *mls_backend_name(enum mls_backend backend)
{
    return (unsigned)backend < MLS_BACKEND_COUNT ? BACKENDS[backend].name : "unknown";
}

enum mls_unit mls_backend_unit(enum mls_backend backend)
{
    return (unsigned)backend < MLS_BACKEND_COUNT ? BACKENDS[backend].unit : MLS_UNIT_CPU;
}

const char *mls_compute_units_name(enum mls_compute_units setting)
{
    return (unsigned)setting < MLS_COMPUTE_UNITS_COUNT ? SETTING_NAMES[setting] : "unknown";
}

bool mls_compute_units_parse(const char *name, enum mls_compute_units *ret_setting)
{
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++) {
        if (strcmp(name, SETTING_NAMES[i]) == 0) {
            *ret_setting = (enum mls_compute_units)i;
            return true;
        }
    }
    return false;
}
