#include "json.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

static enum mls_status wrong(const char *name, const char *reason, struct mls_error *reterr)
{
    enum mls_status status = mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read %s: %s", name, reason);
    mls_error_at(reterr, name, -1);
    return status;
}

/* The number that a leaf means. */
static bool leaf_number(const json_t *leaf, double *ret_number)
{
    static const struct {
        const char *text;
        double number;
    } named[] = {{"NaN", (double)NAN}, {"Infinity", (double)INFINITY}, {"-Infinity", -(double)INFINITY}};
    if (json_is_number(leaf) || json_is_boolean(leaf)) {
        *ret_number = json_is_number(leaf) ? json_number_value(leaf) : json_is_true(leaf);
        return true;
    }
    for (size_t i = 0; json_is_string(leaf) && i < sizeof named / sizeof named[0]; i++)
        if (!strcmp(json_string_value(leaf), named[i].text)) {
            *ret_number = named[i].number;
            return true;
        }
    return false;
}

/* Visits the leaves below `value` in order, which has the shape of `type` from `axis` on; the rank limits the
 * depth. */
struct walk {
    const struct mls_type *type;
    void *data; /* NULL: only look */
    size_t n_leaves;
    bool all_integers;
    const char *reason; /* why the walk stopped */
};

static bool visit_leaf(struct walk *walk, const json_t *leaf)
{
    double number;
    if (!leaf_number(leaf, &number)) {
        walk->reason =
            json_is_array(leaf) ? "its lists are nested unevenly" : "it holds something that is not a number";
        return false;
    }
    if (walk->data && walk->type->dtype == MLS_INT64)
        ((int64_t *)walk->data)[walk->n_leaves] =
            json_is_integer(leaf) ? json_integer_value(leaf) : json_is_true(leaf);
    else if (walk->data)
        ((double *)walk->data)[walk->n_leaves] = number;
    walk->all_integers = walk->all_integers && (json_is_integer(leaf) || json_is_boolean(leaf));
    walk->n_leaves++;
    return true;
}

static bool visit(struct walk *walk, const json_t *value, unsigned axis)
{
    if (axis == walk->type->rank)
        return visit_leaf(walk, value);
    if (!json_is_array(value) || (int64_t)json_array_size(value) != walk->type->dims[axis]) {
        walk->reason = "its lists are nested unevenly";
        return false;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!visit(walk, json_array_get(value, i), axis + 1))
            return false;
    return true;
}

static enum mls_status read_array(const char *name, const json_t *root, struct array *ret_array,
                                  struct mls_error *reterr)
{
    struct mls_type type = {.kind = MLS_KIND_TENSOR, .dtype = MLS_FP64};
    for (const json_t *at = root; json_is_array(at); at = json_array_get(at, 0)) {
        if (type.rank == MLS_RANK_MAX)
            return wrong(name, "its lists are nested deeper than a tensor can be", reterr);
        type.dims[type.rank++] = (int64_t)json_array_size(at);
    }
    struct walk walk = {.type = &type, .all_integers = true};
    if (!visit(&walk, root, 0))
        return wrong(name, walk.reason, reterr);
    if (walk.all_integers)
        type.dtype = MLS_INT64;
    struct array array;
    if (!array_create(&type, &array))
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read %s: out of memory", name);
    walk = (struct walk){.type = &type, .data = array.data};
    visit(&walk, root, 0);
    *ret_array = array;
    return MLS_OK;
}

enum mls_status json_read(const char *name, struct mls_bytes bytes, struct array *ret_array,
                          struct mls_error *reterr)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)bytes.data, bytes.size_bytes,
                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        enum mls_status status =
            mls_fail(reterr, MLS_ERR_INPUT_INVALID,
                     "cannot read %s: it is no .npy, PNG or JPEG, and not JSON: line %d: %s", name,
                     error.line, error.text);
        mls_error_at(reterr, name, error.position);
        return status;
    }
    enum mls_status status = json_is_object(root) ? wrong(name, "a dictionary is no tensor", reterr)
                                                  : read_array(name, root, ret_array, reterr);
    json_decref(root);
    return status;
}
