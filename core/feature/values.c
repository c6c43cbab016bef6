#include "values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "core/feature.h"

/* One input being filled. */
struct target {
    struct mls_run *run;
    size_t index;
    const struct mls_feature *feature;
    const char *name; /* of the file, for messages */
    struct mls_tensor *tensor;
    struct mls_arena *arena;
    struct mls_error *reterr;
};

bool values_has(const struct mls_feature *feature)
{
    return feature->kind == MLS_FEATURE_STRING || feature->kind == MLS_FEATURE_DICTIONARY ||
           feature->kind == MLS_FEATURE_SEQUENCE;
}

static enum mls_status wrong(const struct target *target, const char *reason)
{
    return mls_fail_because(target->reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_KIND,
                            "cannot use %s for \"%s\": %s", target->name, target->feature->name, reason);
}

static enum mls_status put_text(const struct target *target, struct mls_text *texts, size_t i,
                                const char *text, size_t length_bytes)
{
    const char *copy = mls_arena_text(target->arena, text, length_bytes);
    if (!copy)
        return mls_fail(target->reterr, MLS_ERR_MEMORY, "cannot fill \"%s\": out of memory",
                        target->feature->name);
    texts[i] = (struct mls_text){copy, length_bytes};
    return MLS_OK;
}

/* An element of a sequence, or a key in a list of pairs. */
static enum mls_status put_element(const struct target *target, struct mls_tensor *tensor, size_t i,
                                   const json_t *value)
{
    if (tensor->type.dtype == MLS_TEXT)
        return json_is_string(value)
                   ? put_text(target, tensor->data, i, json_string_value(value), json_string_length(value))
                   : wrong(target, "it holds something that is no string where a string belongs");
    if (!json_is_integer(value))
        return wrong(target, "it holds something that is no integer where an integer belongs");
    ((int64_t *)tensor->data)[i] = json_integer_value(value);
    return MLS_OK;
}

/* A key of an object: JSON has texts only, so integers are read from them. */
static enum mls_status put_key(const struct target *target, size_t i, const char *key)
{
    struct mls_tensor *keys =
        (struct mls_tensor *)(uintptr_t)target->tensor->keys; /* made by mls_run_open_input */
    if (keys->type.dtype == MLS_TEXT)
        return put_text(target, keys->data, i, key, strlen(key));
    char *end;
    errno = 0;
    int64_t number = strtoll(key, &end, 10);
    if (!*key || *end || errno)
        return wrong(target, "one of its keys is no integer");
    ((int64_t *)keys->data)[i] = number;
    return MLS_OK;
}

static enum mls_status put_number(const struct target *target, size_t i, const json_t *value)
{
    if (!json_is_number(value))
        return wrong(target, "one of its values is no number");
    ((double *)target->tensor->data)[i] = json_number_value(value);
    return MLS_OK;
}

static enum mls_status open_target(struct target *target, size_t n)
{
    return mls_run_open_input(target->run, target->index, (int64_t)n, &target->arena, target->reterr);
}

static enum mls_status read_object(struct target *target, json_t *root)
{
    enum mls_status status = open_target(target, json_object_size(root));
    size_t i = 0;
    const char *key;
    json_t *value;
    if (status)
        return status;
    json_object_foreach(root, key, value)
    {
        status = put_key(target, i, key);
        if (!status)
            status = put_number(target, i++, value);
        if (status)
            return status;
    }
    return MLS_OK;
}

static enum mls_status read_pairs(struct target *target, const json_t *root)
{
    enum mls_status status = open_target(target, json_array_size(root));
    for (size_t i = 0; i < json_array_size(root) && !status; i++) {
        const json_t *pair = json_array_get(root, i);
        if (!json_is_array(pair) || json_array_size(pair) != 2)
            return wrong(target, "its elements are no pairs of a key and a number");
        status = put_element(target, (struct mls_tensor *)(uintptr_t)target->tensor->keys, i,
                             json_array_get(pair, 0));
        if (!status)
            status = put_number(target, i, json_array_get(pair, 1));
    }
    return status;
}

static enum mls_status read_sequence(struct target *target, const json_t *root)
{
    enum mls_status status = open_target(target, json_array_size(root));
    for (size_t i = 0; i < json_array_size(root) && !status; i++)
        status = put_element(target, target->tensor, i, json_array_get(root, i));
    return status;
}

static enum mls_status read_text(struct target *target, const json_t *root)
{
    enum mls_status status = open_target(target, 1);
    return status
               ? status
               : put_text(target, target->tensor->data, 0, json_string_value(root), json_string_length(root));
}

static enum mls_status read_root(struct target *target, json_t *root)
{
    switch (target->feature->kind) {
    case MLS_FEATURE_STRING:
        return json_is_string(root) ? read_text(target, root) : wrong(target, "it is no JSON string");
    case MLS_FEATURE_SEQUENCE:
        return json_is_array(root) ? read_sequence(target, root) : wrong(target, "it is no JSON list");
    default:
        if (json_is_object(root))
            return read_object(target, root);
        return json_is_array(root) ? read_pairs(target, root) : wrong(target, "it is no JSON object");
    }
}

static struct target target_of(struct mls_run *run, size_t index, const char *name, struct mls_error *reterr)
{
    return (struct target){.run = run,
                           .index = index,
                           .feature = &mls_session_interface(mls_run_session(run))->inputs[index],
                           .name = name,
                           .tensor = mls_run_input(run, index),
                           .reterr = reterr};
}

enum mls_status values_read(struct mls_run *run, size_t index, const char *name, struct mls_bytes bytes,
                            struct mls_error *reterr)
{
    struct target target = target_of(run, index, name, reterr);
    json_error_t error;
    json_t *root = json_loadb((const char *)bytes.data, bytes.size_bytes,
                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        enum mls_status status = mls_fail_because(
            reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_KIND,
            "cannot use %s for \"%s\": the model takes a %s there, which comes as JSON: line %d: %s", name,
            target.feature->name, mls_feature_kind_name(target.feature->kind), error.line, error.text);
        mls_error_at(reterr, name, error.position);
        return status;
    }
    enum mls_status status = read_root(&target, root);
    json_decref(root);
    return status;
}

enum mls_status values_default(struct mls_run *run, size_t index, struct mls_error *reterr)
{
    struct target target = target_of(run, index, "", reterr);
    if (target.feature->kind != MLS_FEATURE_STRING)
        return open_target(&target, 0);
    enum mls_status status = open_target(&target, 1);
    return status ? status : put_text(&target, target.tensor->data, 0, "", 0);
}
