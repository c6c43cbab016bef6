#include "core/feature.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "file.h"
#include "fill.h"

struct states {
    struct mls_run *run;
    const struct mls_interface *interface;
    const char *folder;
    bool *filled; /* parallel to the interface's states */
};

static enum mls_status wrong(const struct states *states, const char *reason, const char *name,
                             struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read %s/states.json: %s%s", states->folder, reason,
                    name);
}

static enum mls_status lacks(const struct states *states, const char *name, struct mls_error *reterr)
{
    return mls_fail_because(reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_STATE_MISSING,
                            "cannot read %s/states.json: it lacks the state %s", states->folder, name);
}

static enum mls_status read_entry(const struct states *states, const json_t *entry, struct mls_error *reterr)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    const char *file = json_string_value(json_object_get(entry, "file"));
    if (!name || !file)
        return wrong(states, "an entry has no name or no file", "", reterr);
    if (strchr(file, '/') || file[0] == '.' || !file[0])
        return wrong(states, "a file must lie in the same folder: ", file, reterr);
    size_t index = 0;
    while (index < states->interface->n_states && strcmp(states->interface->states[index].name, name))
        index++;
    if (index == states->interface->n_states)
        return wrong(states, "the model has no state called ", name, reterr);
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", states->folder, file) >= (int)sizeof path)
        return wrong(states, "a path is too long: ", file, reterr);
    struct mls_bytes bytes;
    enum mls_status status = file_map(path, &bytes, reterr);
    if (status)
        return status;
    status = fill_from_bytes(&states->interface->states[index], mls_run_state(states->run, index), path,
                             bytes, reterr);
    file_unmap(bytes);
    states->filled[index] = !status;
    return status;
}

static enum mls_status read_list(const struct states *states, const json_t *list, struct mls_error *reterr)
{
    if (!json_is_array(list))
        return wrong(states, "it has no list \"states\"", "", reterr);
    for (size_t i = 0; i < json_array_size(list); i++) {
        enum mls_status status = read_entry(states, json_array_get(list, i), reterr);
        if (status)
            return status;
    }
    for (size_t i = 0; i < states->interface->n_states; i++)
        if (!states->filled[i])
            return lacks(states, states->interface->states[i].name, reterr);
    return MLS_OK;
}

enum mls_status mls_feature_read_states(struct mls_run *run, const char *directory, struct mls_error *reterr)
{
    char path[PATH_MAX];
    struct states states = {
        .run = run, .interface = mls_session_interface(mls_run_session(run)), .folder = directory};
    if (snprintf(path, sizeof path, "%s/states.json", directory) >= (int)sizeof path)
        return wrong(&states, "the path is too long", "", reterr);
    struct mls_bytes bytes;
    enum mls_status status = file_map(path, &bytes, reterr);
    if (status)
        return status;
    json_error_t error;
    json_t *document = json_loadb((const char *)bytes.data, bytes.size_bytes, JSON_REJECT_DUPLICATES, &error);
    file_unmap(bytes);
    if (!document)
        return wrong(&states, "it is not JSON: ", error.text, reterr);
    states.filled = calloc(states.interface->n_states + 1, sizeof *states.filled);
    status = states.filled ? read_list(&states, json_object_get(document, "states"), reterr)
                           : mls_fail(reterr, MLS_ERR_MEMORY, "cannot read %s: out of memory", path);
    free(states.filled);
    json_decref(document);
    return status;
}
