#include "fill.h"

#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "json.h"
#include "npy.h"

unsigned fill_channels(const struct mls_feature *feature)
{
    return feature->color == MLS_COLOR_RGB || feature->color == MLS_COLOR_BGR ? 3 : 1;
}

enum mls_status fill_check_kind(const struct mls_feature *feature, struct mls_error *reterr)
{
    static const bool known[MLS_FEATURE_KIND_COUNT] = {[MLS_FEATURE_TENSOR] = true,
                                                       [MLS_FEATURE_IMAGE] = true,
                                                       [MLS_FEATURE_STATE] = true,
                                                       [MLS_FEATURE_INT64] = true,
                                                       [MLS_FEATURE_DOUBLE] = true};
    if ((unsigned)feature->kind < MLS_FEATURE_KIND_COUNT && known[feature->kind])
        return MLS_OK;
    return mls_fail(reterr, MLS_ERR_INPUT_INVALID,
                    "cannot fill \"%s\": a %s is given as JSON", feature->name,
                    mls_feature_kind_name(feature->kind));
}

static enum mls_status shape_wrong(const struct mls_feature *feature, const struct mls_type *wanted,
                                   const struct mls_type *found, const char *name, struct mls_error *reterr)
{
    char want[128], have[128];
    if (feature->kind == MLS_FEATURE_IMAGE && wanted->rank == 4 && found->rank == 4) {
        enum mls_status status = mls_fail(
            reterr, MLS_ERR_INPUT_INVALID,
            "cannot use %s for \"%s\": the image is %lld x %lld pixels (width x height), the model takes "
            "%lld x %lld",
            name, feature->name, (long long)found->dims[3], (long long)found->dims[2],
            (long long)wanted->dims[3], (long long)wanted->dims[2]);
        mls_error_hint(reterr, "resize or crop the image first: mlscope does not change pictures");
        return status;
    }
    return mls_fail(reterr, MLS_ERR_INPUT_INVALID,
                    "cannot use %s for \"%s\": its shape is %s, the model takes %s", name, feature->name,
                    mls_shape_format(found, have, sizeof have), mls_shape_format(wanted, want, sizeof want));
}

/* Equal dims; a scalar may come as one element of rank 1. */
static bool shape_fits(const struct mls_type *wanted, const struct mls_type *found)
{
    if (wanted->rank == 0 || found->rank == 0)
        return wanted->rank + found->rank <= 1 && mls_type_elems(wanted) == 1 && mls_type_elems(found) == 1;
    return wanted->rank == found->rank &&
           !memcmp(wanted->dims, found->dims, wanted->rank * sizeof wanted->dims[0]);
}

static enum mls_status value_wrong(const struct mls_feature *feature, const struct array *array, size_t bad,
                                   enum mls_dtype dtype, const char *name, struct mls_error *reterr)
{
    enum mls_status status = mls_fail_because(
        reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_DTYPE,
        "cannot use %s for \"%s\": element %zu is %.9g, which %s does not hold", name, feature->name, bad,
        convert_to_double(array->data, array->type.dtype, bad), mls_dtype_name(dtype));
    mls_error_hint(reterr, "the model declares %s here", mls_dtype_name(dtype));
    return status;
}

enum mls_status fill_tensor(const struct mls_feature *feature, struct mls_tensor *tensor,
                            const struct array *array, const char *name, struct mls_error *reterr)
{
    if (!shape_fits(&tensor->type, &array->type))
        return shape_wrong(feature, &tensor->type, &array->type, name, reterr);
    /* an image's type says how its pixels are stored, which is not the program's business */
    enum mls_dtype declared = feature->kind == MLS_FEATURE_IMAGE ? array->type.dtype : feature->type.dtype;
    if (!convert_has(declared))
        declared = tensor->type.dtype;
    if (!convert_has(tensor->type.dtype))
        return mls_fail(reterr, MLS_ERR_INPUT_INVALID,
                        "cannot fill \"%s\": its type %s cannot be read from a file", feature->name,
                        mls_dtype_name(tensor->type.dtype));
    size_t n = (size_t)mls_type_elems(&tensor->type), bad;
    if (declared == tensor->type.dtype || declared == array->type.dtype) {
        if (!convert_elements(array->data, array->type.dtype, tensor->data, tensor->type.dtype, n,
                              CONVERT_KEEP, &bad))
            return value_wrong(feature, array, bad, tensor->type.dtype, name, reterr);
        return MLS_OK;
    }
    struct array between;
    struct mls_type type = array->type;
    type.dtype = declared;
    if (!array_create(&type, &between))
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot fill \"%s\": out of memory", feature->name);
    enum mls_status status = MLS_OK;
    if (!convert_elements(array->data, array->type.dtype, between.data, declared, n, CONVERT_KEEP, &bad))
        status = value_wrong(feature, array, bad, declared, name, reterr);
    else if (!convert_elements(between.data, declared, tensor->data, tensor->type.dtype, n, CONVERT_KEEP,
                               &bad))
        status = value_wrong(feature, &between, bad, tensor->type.dtype, name, reterr);
    array_done(&between);
    return status;
}

/* ---- Images ------------------------------------------------------------------------------------------- */

static enum mls_status check_pixels(const struct mls_feature *feature, const char *name, struct array *pixels,
                                    struct mls_error *reterr)
{
    unsigned channels = fill_channels(feature);
    struct mls_type *type = &pixels->type;
    if (type->rank == 2 && channels == 1) {
        type->dims[2] = 1;
        type->rank = 3;
    }
    if (type->rank != 3 || type->dims[2] != channels) {
        char shape[128];
        return mls_fail_because(
            reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_KIND,
            "cannot use %s for the image \"%s\": its shape is %s, not height x width x %u", name,
            feature->name, mls_shape_format(type, shape, sizeof shape), channels);
    }
    bool half = feature->color == MLS_COLOR_GRAY_FP16;
    if (type->dtype != MLS_UINT8 && !(half && (type->dtype == MLS_FP16 || type->dtype == MLS_FP32)))
        return mls_fail_because(reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_DTYPE,
                                "cannot use %s for the image \"%s\": its elements are %s, not %s", name,
                                feature->name, mls_dtype_name(type->dtype), half ? "fp16 or uint8" : "uint8");
    return MLS_OK;
}

enum mls_status fill_image_array(const struct mls_feature *feature, const char *name, struct array *pixels,
                                 struct array *ret_planes, struct mls_error *reterr)
{
    enum mls_status status = check_pixels(feature, name, pixels, reterr);
    if (status)
        return status;
    size_t channels = (size_t)pixels->type.dims[2];
    int64_t dims[4] = {1, pixels->type.dims[2], pixels->type.dims[0], pixels->type.dims[1]};
    struct mls_type type = mls_type_tensor(pixels->type.dtype, 4, dims);
    struct array planes;
    if (!array_create(&type, &planes))
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read %s: out of memory", name);
    size_t element_bytes = mls_dtype_bits(type.dtype) / 8;
    size_t n_pixels = (size_t)(dims[2] * dims[3]);
    const uint8_t *from = pixels->data;
    uint8_t *to = planes.data;
    for (size_t channel = 0; channel < channels; channel++) {
        size_t plane = feature->color == MLS_COLOR_BGR ? channels - 1 - channel : channel;
        for (size_t i = 0; i < n_pixels; i++)
            memcpy(to + (plane * n_pixels + i) * element_bytes,
                   from + (i * channels + channel) * element_bytes, element_bytes);
    }
    *ret_planes = planes;
    return MLS_OK;
}

static enum mls_status read_image(const struct mls_feature *feature, const char *name, struct mls_bytes bytes,
                                  struct array *ret_planes, struct mls_error *reterr)
{
    struct array pixels;
    enum mls_status status;
    if (image_is(bytes)) {
        status = image_read(name, bytes, fill_channels(feature), &pixels, reterr);
    } else if (npy_is(bytes)) {
        status = npy_read(name, bytes, &pixels, reterr);
    } else {
        status = mls_fail_because(reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_KIND,
                                  "cannot use %s for the image \"%s\": it is no PNG, JPEG or .npy", name,
                                  feature->name);
    }
    if (status)
        return status;
    status = fill_image_array(feature, name, &pixels, ret_planes, reterr);
    array_done(&pixels);
    return status;
}

/* ---- Files -------------------------------------------------------------------------------------------- */

static enum mls_status read_array(const struct mls_feature *feature, const char *name, struct mls_bytes bytes,
                                  struct array *ret_array, struct mls_error *reterr)
{
    if (npy_is(bytes))
        return npy_read(name, bytes, ret_array, reterr);
    if (image_is(bytes))
        return mls_fail_because(
            reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_KIND,
            "cannot use %s for \"%s\": it is an image, and the model takes a tensor there", name,
            feature->name);
    return json_read(name, bytes, ret_array, reterr);
}

enum mls_status fill_from_bytes(const struct mls_feature *feature, struct mls_tensor *tensor,
                                const char *name, struct mls_bytes bytes, struct mls_error *reterr)
{
    struct array array;
    enum mls_status status = fill_check_kind(feature, reterr);
    if (!status)
        status = feature->kind == MLS_FEATURE_IMAGE ? read_image(feature, name, bytes, &array, reterr)
                                                    : read_array(feature, name, bytes, &array, reterr);
    if (status)
        return status;
    status = fill_tensor(feature, tensor, &array, name, reterr);
    array_done(&array);
    return status;
}
