#include "core/feature.h"

#include <stdio.h>
#include <string.h>

#include "file.h"
#include "fill.h"
#include "image.h"
#include "json.h"
#include "npy.h"
#include "values.h"

static const struct mls_interface *interface_of(const struct mls_run *run)
{
    return mls_session_interface(mls_run_session(run));
}

enum mls_status mls_feature_read(struct mls_run *run, size_t index, const char *path,
                                 struct mls_error *reterr)
{
    struct mls_bytes bytes;
    enum mls_status status = file_map(path, &bytes, reterr);
    if (status)
        return status;
    const struct mls_feature *feature = &interface_of(run)->inputs[index];
    status = values_has(feature) ? values_read(run, index, path, bytes, reterr)
                                 : fill_from_bytes(feature, mls_run_input(run, index), path, bytes, reterr);
    file_unmap(bytes);
    return status;
}

/* ---- The shape that a file would give ----------------------------------------------------------------- */

static bool dims_equal(const int64_t *a, const int64_t *b, size_t n)
{
    return !memcmp(a, b, n * sizeof *a);
}

/* Whether the description allows these dims: its default, one of the enumerated ones, or within the ranges.
 */
static bool allowed(const struct mls_feature *feature, const int64_t *dims, size_t rank)
{
    bool image = feature->kind == MLS_FEATURE_IMAGE;
    if ((image ? 2u : feature->type.rank) == rank && dims_equal(dims, feature->type.dims, rank))
        return true;
    for (size_t i = 0; i < feature->n_enumerated; i++)
        if (feature->enumerated[i].rank == rank && dims_equal(dims, feature->enumerated[i].dims, rank))
            return true;
    bool inside = feature->n_ranges == rank && rank > 0;
    for (size_t i = 0; inside && i < rank; i++)
        inside = dims[i] >= feature->ranges[i].lower &&
                 (feature->ranges[i].upper < 0 || dims[i] <= feature->ranges[i].upper);
    return inside;
}

/* Text that is cut where the buffer ends. */
struct line {
    char text[256];
    size_t length;
};

static void add_dims(struct line *line, const char *before, const int64_t *dims, size_t rank)
{
    struct mls_type type = mls_type_tensor(MLS_FP32, (unsigned)rank, dims);
    char shape[128];
    int written = snprintf(line->text + line->length, sizeof line->text - line->length, "%s%s", before,
                           mls_shape_format(&type, shape, sizeof shape));
    line->length += (size_t)written < sizeof line->text - line->length ? (size_t)written
                                                                       : sizeof line->text - 1 - line->length;
}

static void add_ranges(struct line *line, const struct mls_feature *feature)
{
    for (size_t i = 0; i < feature->n_ranges && line->length + 64 < sizeof line->text; i++) {
        const struct mls_range *range = &feature->ranges[i];
        const char *before = i ? " x " : " or ";
        char *at = line->text + line->length;
        size_t room = sizeof line->text - line->length;
        line->length +=
            (size_t)(range->upper < 0 ? snprintf(at, room, "%s%lld…", before, (long long)range->lower)
                     : range->lower == range->upper
                         ? snprintf(at, room, "%s%lld", before, (long long)range->lower)
                         : snprintf(at, room, "%s%lld…%lld", before, (long long)range->lower,
                                    (long long)range->upper));
    }
}

static enum mls_status not_allowed(const struct mls_feature *feature, const char *path, const int64_t *dims,
                                   size_t rank, struct mls_error *reterr)
{
    bool image = feature->kind == MLS_FEATURE_IMAGE;
    struct line found = {.length = 0}, wanted = {.length = 0};
    add_dims(&found, "", dims, rank);
    const int64_t *usual = feature->type.dims;
    size_t usual_rank = image ? 2 : feature->type.rank;
    add_dims(&wanted, "", usual, usual_rank);
    for (size_t i = 0; i < feature->n_enumerated; i++) {
        const struct mls_shape *other = &feature->enumerated[i];
        if (other->rank != usual_rank || !dims_equal(other->dims, usual, usual_rank))
            add_dims(&wanted, " or ", other->dims, other->rank);
    }
    add_ranges(&wanted, feature);
    enum mls_status status = mls_fail_because(
        reterr, MLS_ERR_INPUT_INVALID, feature->n_enumerated ? MLS_CAUSE_SHAPE_NOT_LISTED : MLS_CAUSE_NONE,
        "cannot use %s for \"%s\": its %s is %s, the model takes %s", path, feature->name,
        image ? "size (height x width)" : "shape", found.text, wanted.text);
    mls_error_hint(reterr, image ? "resize or crop the image first: mlscope does not change pictures"
                                 : "reshape or pad the array first");
    return status;
}

static enum mls_status image_shape(const struct mls_feature *feature, const char *path,
                                   struct mls_bytes bytes, struct mls_shape *ret_shape,
                                   struct mls_error *reterr)
{
    int64_t sides[2];
    enum mls_status status;
    if (npy_is(bytes)) {
        struct mls_type type;
        status = npy_read_type(path, bytes, &type, reterr);
        if (!status && type.rank != 2 && type.rank != 3)
            status =
                mls_fail_because(reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_KIND,
                                 "cannot use %s for the image \"%s\": it is not height x width x channels",
                                 path, feature->name);
        sides[0] = status ? 0 : type.dims[0];
        sides[1] = status ? 0 : type.dims[1];
    } else if (image_is(bytes)) {
        uint32_t width = 0, height = 0;
        status = image_read_size(path, bytes, &width, &height, reterr);
        sides[0] = height;
        sides[1] = width;
    } else {
        return mls_fail_because(reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_KIND,
                                "cannot use %s for the image \"%s\": it is no PNG, JPEG or .npy", path,
                                feature->name);
    }
    if (status)
        return status;
    if (!allowed(feature, sides, 2))
        return not_allowed(feature, path, sides, 2, reterr);
    *ret_shape = (struct mls_shape){.rank = 4, .dims = {1, fill_channels(feature), sides[0], sides[1]}};
    return MLS_OK;
}

static enum mls_status tensor_shape(const struct mls_feature *feature, const char *path,
                                    struct mls_bytes bytes, struct mls_shape *ret_shape,
                                    struct mls_error *reterr)
{
    struct mls_type type;
    enum mls_status status;
    if (npy_is(bytes)) {
        status = npy_read_type(path, bytes, &type, reterr);
    } else if (image_is(bytes)) {
        status =
            mls_fail_because(reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_KIND,
                             "cannot use %s for \"%s\": it is an image, and the model takes a tensor there",
                             path, feature->name);
    } else {
        struct array array;
        status = json_read(path, bytes, &array, reterr);
        if (!status) {
            type = array.type;
            array_done(&array);
        }
    }
    if (status)
        return status;
    bool scalar = feature->type.rank <= 1 && type.rank <= 1 && feature->type.rank != type.rank &&
                  mls_type_elems(&feature->type) == 1 && mls_type_elems(&type) == 1;
    if (scalar)
        type = feature->type;
    if (!allowed(feature, type.dims, type.rank))
        return not_allowed(feature, path, type.dims, type.rank, reterr);
    *ret_shape = (struct mls_shape){.rank = type.rank};
    memcpy(ret_shape->dims, type.dims, sizeof ret_shape->dims);
    return MLS_OK;
}

enum mls_status fill_shape(const struct mls_feature *feature, const char *name, struct mls_bytes bytes,
                           struct mls_shape *ret_shape, struct mls_error *reterr)
{
    enum mls_status status = fill_check_kind(feature, reterr);
    if (status)
        return status;
    return feature->kind == MLS_FEATURE_IMAGE ? image_shape(feature, name, bytes, ret_shape, reterr)
                                              : tensor_shape(feature, name, bytes, ret_shape, reterr);
}

enum mls_status mls_feature_file_shape(const struct mls_feature *feature, const char *path,
                                       struct mls_shape *ret_shape, struct mls_error *reterr)
{
    struct mls_bytes bytes;
    enum mls_status status = file_map(path, &bytes, reterr);
    if (status)
        return status;
    status = fill_shape(feature, path, bytes, ret_shape, reterr);
    file_unmap(bytes);
    return status;
}
