#include "core/feature.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "array.h"
#include "file.h"
#include "fill.h"
#include "image.h"
#include "npy.h"

enum { FILE_NAME_BYTES = 128 };

/* A document under way: its list of entries and where its files go. */
struct writer {
    const char *folder;
    const char *prefix; /* of the file names: "" or "state_" */
    json_t *list;
};

static enum mls_status out_of_memory(const char *name, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot write \"%s\": out of memory", name);
}

/* "00_name.npy" for the extension ".npy": letters, digits, '-', '.' and '_' of the name, the rest as '_'; the number keeps names
 * apart. */
static void file_name(const struct writer *writer, size_t index, const char *name, const char *extension,
                      char ret_name[FILE_NAME_BYTES])
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
    int length = snprintf(ret_name, FILE_NAME_BYTES, "%s%02zu_", writer->prefix, index);
    for (const char *at = name; *at && length < FILE_NAME_BYTES - 5; at++)
        ret_name[length++] = strchr(safe, *at) ? *at : '_';
    snprintf(ret_name + length, FILE_NAME_BYTES - (size_t)length, "%s", extension);
}

/* ---- Tensors and images ------------------------------------------------------------------------------- */

static enum mls_status write_array(const struct writer *writer, const char *name, const char *kind,
                                   const struct array *array, struct mls_error *reterr)
{
    char file[FILE_NAME_BYTES], head[NPY_HEAD_BYTES_MAX];
    file_name(writer, json_array_size(writer->list), name, ".npy", file);
    struct mls_bytes pieces[2] = {
        {(const uint8_t *)head, npy_write_head(&array->type, head)},
        {array->data, mls_type_bytes(&array->type)},
    };
    enum mls_status status = file_write(writer->folder, file, pieces, 2, reterr);
    if (status)
        return status;
    json_t *shape = json_array();
    for (unsigned axis = 0; axis < array->type.rank; axis++)
        json_array_append_new(shape, json_integer(array->type.dims[axis]));
    json_t *entry = json_pack("{s:s, s:s, s:s, s:o, s:s}", "name", name, "kind", kind, "dtype",
                              mls_dtype_numpy_name(array->type.dtype), "shape", shape, "file", file);
    return entry && !json_array_append_new(writer->list, entry) ? MLS_OK : out_of_memory(name, reterr);
}

static enum mls_status check_convertible(const struct mls_feature *feature, const struct mls_tensor *tensor,
                                         struct mls_error *reterr)
{
    if (convert_has(tensor->type.dtype) && mls_type_is_static(&tensor->type))
        return MLS_OK;
    return mls_fail(reterr, MLS_ERR_INTERNAL, "cannot write \"%s\": its type %s has no form in a file",
                    feature->name, mls_dtype_name(tensor->type.dtype));
}

static enum mls_status write_tensor(const struct writer *writer, const struct mls_feature *feature,
                                    const struct mls_tensor *tensor, struct mls_error *reterr)
{
    struct mls_type type = tensor->type;
    type.kind = MLS_KIND_TENSOR;
    type.dtype = convert_has(feature->type.dtype) ? feature->type.dtype : tensor->type.dtype;
    if (type.rank == 0) { /* Core ML has no multi-array of rank 0 */
        type.rank = 1;
        type.dims[0] = 1;
    }
    struct array array;
    size_t unused;
    if (!array_create(&type, &array))
        return out_of_memory(feature->name, reterr);
    convert_elements(tensor->data, tensor->type.dtype, array.data, type.dtype, (size_t)mls_type_elems(&type),
                     CONVERT_NEAREST, &unused);
    enum mls_status status = write_array(writer, feature->name, "tensor", &array, reterr);
    array_done(&array);
    return status;
}

/* Planes {1, channels, height, width} to height x width x channels; colour images in the order R, G, B. */
static void to_pixels(const struct mls_feature *feature, const struct array *planes, struct array *pixels)
{
    size_t element_bytes = mls_dtype_bits(planes->type.dtype) / 8;
    size_t channels = (size_t)pixels->type.dims[2];
    size_t n_pixels = (size_t)(pixels->type.dims[0] * pixels->type.dims[1]);
    const uint8_t *from = planes->data;
    uint8_t *to = pixels->data;
    for (size_t channel = 0; channel < channels; channel++) {
        size_t plane = feature->color == MLS_COLOR_BGR ? channels - 1 - channel : channel;
        for (size_t i = 0; i < n_pixels; i++)
            memcpy(to + (i * channels + channel) * element_bytes,
                   from + (plane * n_pixels + i) * element_bytes, element_bytes);
    }
}

static enum mls_status check_image(const struct mls_feature *feature, const struct mls_tensor *tensor,
                                   struct mls_error *reterr)
{
    unsigned channels = fill_channels(feature), rank = tensor->type.rank;
    const int64_t *dims = tensor->type.dims;
    if (rank < 2 || rank > 4 || (rank == 4 && dims[0] != 1) || (rank >= 3 && dims[rank - 3] != channels) ||
        (rank == 2 && channels != 1)) {
        char shape[128];
        return mls_fail(reterr, MLS_ERR_INTERFACE_MISMATCH,
                        "cannot write the image \"%s\": the program gives it the shape %s, not 1x%uxHxW",
                        feature->name, mls_shape_format(&tensor->type, shape, sizeof shape), channels);
    }
    return check_convertible(feature, tensor, reterr);
}

/* The same pixels as a PNG beside the array, which the entry just written then names too. */
static enum mls_status write_png(const struct writer *writer, const char *name, const struct array *pixels,
                                 struct mls_error *reterr)
{
    size_t index = json_array_size(writer->list) - 1;
    char file[FILE_NAME_BYTES];
    file_name(writer, index, name, ".png", file);
    struct mls_bytes bytes;
    void *png;
    const char *reason = image_encode_png(pixels, &png, &bytes.size_bytes);
    if (reason)
        return mls_fail(reterr, MLS_ERR_IO, "cannot write the image \"%s\": %s", name, reason);
    bytes.data = png;
    enum mls_status status = file_write(writer->folder, file, &bytes, 1, reterr);
    free(png);
    if (!status && json_object_set_new(json_array_get(writer->list, index), "png", json_string(file)))
        status = out_of_memory(name, reterr);
    return status;
}

static enum mls_status write_image(const struct writer *writer, const struct mls_feature *feature,
                                   const struct mls_tensor *tensor, struct mls_error *reterr)
{
    unsigned channels = fill_channels(feature), rank = tensor->type.rank;
    int64_t pixel_dims[3] = {tensor->type.dims[rank - 2], tensor->type.dims[rank - 1], channels};
    struct mls_type type =
        mls_type_tensor(feature->color == MLS_COLOR_GRAY_FP16 ? MLS_FP16 : MLS_UINT8, 3, pixel_dims);
    struct array planes = {0}, pixels = {0};
    enum mls_status status;
    size_t unused;
    if (!array_create(&type, &planes) || !array_create(&type, &pixels)) {
        status = out_of_memory(feature->name, reterr);
    } else {
        convert_elements(tensor->data, tensor->type.dtype, planes.data, type.dtype,
                         (size_t)mls_type_elems(&type), CONVERT_NEAREST, &unused);
        to_pixels(feature, &planes, &pixels);
        status = write_array(writer, feature->name, "image", &pixels, reterr);
        if (!status && type.dtype == MLS_UINT8)
            status = write_png(writer, feature->name, &pixels, reterr);
    }
    array_done(&planes);
    array_done(&pixels);
    return status;
}

/* ---- Values in the document itself -------------------------------------------------------------------- */

/* A number for JSON, which has no NaN and no infinity: those are null. */
static json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *json_element(const struct mls_tensor *tensor, size_t index)
{
    if (tensor->type.dtype == MLS_TEXT) {
        const struct mls_text *text = &((const struct mls_text *)tensor->data)[index];
        return json_stringn(text->bytes, text->length_bytes);
    }
    int64_t integer;
    size_t unused;
    const uint8_t *at = (const uint8_t *)tensor->data + index * (mls_dtype_bits(tensor->type.dtype) / 8);
    if (convert_elements(at, tensor->type.dtype, &integer, MLS_INT64, 1, CONVERT_KEEP, &unused))
        return json_integer(integer);
    return json_number(convert_to_double(tensor->data, tensor->type.dtype, index));
}

struct score {
    double value;
    size_t index;
};

/* Descending by number, ties in order of the labels, NaN last. */
static int compare_scores(const void *a, const void *b)
{
    const struct score *left = a, *right = b;
    bool left_nan = isnan(left->value), right_nan = isnan(right->value);
    if (left_nan != right_nan)
        return left_nan ? 1 : -1;
    if (!left_nan && left->value != right->value)
        return left->value > right->value ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static enum mls_status check_dictionary(const struct mls_feature *feature, const struct mls_tensor *tensor,
                                        struct mls_error *reterr)
{
    int64_t n = mls_type_elems(&tensor->type);
    if (tensor->keys && n >= 0 && mls_type_elems(&tensor->keys->type) == n && convert_has(tensor->type.dtype))
        return MLS_OK;
    return mls_fail(reterr, MLS_ERR_INTERFACE_MISMATCH,
                    "cannot write the dictionary \"%s\": its keys and values do not match", feature->name);
}

static enum mls_status dictionary_value(const struct mls_feature *feature, const struct mls_tensor *tensor,
                                        json_t **ret_value, struct mls_error *reterr)
{
    int64_t n = mls_type_elems(&tensor->type);
    struct score *scores = calloc(n ? (size_t)n : 1, sizeof *scores);
    json_t *pairs = json_array();
    if (!scores || !pairs) {
        free(scores);
        json_decref(pairs);
        return out_of_memory(feature->name, reterr);
    }
    for (size_t i = 0; i < (size_t)n; i++)
        scores[i] = (struct score){convert_to_double(tensor->data, tensor->type.dtype, i), i};
    qsort(scores, (size_t)n, sizeof *scores, compare_scores);
    for (size_t i = 0; i < (size_t)n; i++)
        json_array_append_new(pairs, json_pack("[o, o]", json_element(tensor->keys, scores[i].index),
                                               json_number(scores[i].value)));
    free(scores);
    *ret_value = pairs;
    return MLS_OK;
}

static enum mls_status check_plain(const struct mls_feature *feature, const struct mls_tensor *tensor,
                                   struct mls_error *reterr)
{
    int64_t n = mls_type_elems(&tensor->type);
    bool text = tensor->type.dtype == MLS_TEXT;
    bool sequence = feature->kind == MLS_FEATURE_SEQUENCE;
    if ((text || convert_has(tensor->type.dtype)) && (n == 1 || (sequence && n >= 0)))
        return MLS_OK;
    return mls_fail(reterr, MLS_ERR_INTERFACE_MISMATCH,
                    "cannot write \"%s\": the program does not give one %s", feature->name,
                    mls_feature_kind_name(feature->kind));
}

static json_t *plain_value(const struct mls_feature *feature, const struct mls_tensor *tensor)
{
    if (feature->kind == MLS_FEATURE_DOUBLE && tensor->type.dtype != MLS_TEXT)
        return json_number(convert_to_double(tensor->data, tensor->type.dtype, 0));
    if (feature->kind != MLS_FEATURE_SEQUENCE)
        return json_element(tensor, 0);
    json_t *value = json_array();
    for (size_t i = 0; i < (size_t)mls_type_elems(&tensor->type); i++)
        json_array_append_new(value, json_element(tensor, i));
    return value;
}

static enum mls_status write_value(const struct writer *writer, const struct mls_feature *feature,
                                   const struct mls_tensor *tensor, struct mls_error *reterr)
{
    json_t *value = NULL;
    if (feature->kind != MLS_FEATURE_DICTIONARY) {
        value = plain_value(feature, tensor);
    } else {
        enum mls_status status = dictionary_value(feature, tensor, &value, reterr);
        if (status)
            return status;
    }
    json_t *entry = json_pack("{s:s, s:s, s:o}", "name", feature->name, "kind",
                              mls_feature_kind_name(feature->kind), "value", value);
    return entry && !json_array_append_new(writer->list, entry) ? MLS_OK
                                                                : out_of_memory(feature->name, reterr);
}

/* ---- Documents ---------------------------------------------------------------------------------------- */

/* Whether what the program gives fits what the model's description says of the feature. */
static enum mls_status check_output(const struct mls_feature *feature, const struct mls_tensor *tensor,
                                    struct mls_error *reterr)
{
    if (feature->kind == MLS_FEATURE_TENSOR)
        return check_convertible(feature, tensor, reterr);
    if (feature->kind == MLS_FEATURE_IMAGE)
        return check_image(feature, tensor, reterr);
    if (feature->kind == MLS_FEATURE_DICTIONARY)
        return check_dictionary(feature, tensor, reterr);
    return check_plain(feature, tensor, reterr);
}

static enum mls_status write_document(const struct writer *writer, const char *file, const char *schema,
                                      const char *member, struct mls_error *reterr)
{
    json_t *document = json_pack("{s:s, s:i, s:O}", "schema", schema, "version", 1, member, writer->list);
    char *text = document ? json_dumps(document, JSON_INDENT(1)) : NULL;
    json_decref(document);
    if (!text)
        return out_of_memory(file, reterr);
    struct mls_bytes pieces[2] = {{(const uint8_t *)text, strlen(text)}, {(const uint8_t *)"\n", 1}};
    enum mls_status status = file_write(writer->folder, file, pieces, 2, reterr);
    free(text);
    return status;
}

enum mls_status mls_feature_write_outputs(const struct mls_run *run, const char *directory,
                                          struct mls_error *reterr)
{
    const struct mls_interface *interface = mls_session_interface(mls_run_session(run));
    enum mls_status status = MLS_OK;
    /* first, so that a model which is refused here leaves no files */
    for (size_t i = 0; i < interface->n_outputs && !status; i++)
        status = check_output(&interface->outputs[i], mls_run_output(run, i), reterr);
    if (!status)
        status = file_make_folder(directory, reterr);
    if (status)
        return status;
    struct writer writer = {.folder = directory, .prefix = "", .list = json_array()};
    for (size_t i = 0; i < interface->n_outputs && !status; i++) {
        const struct mls_feature *feature = &interface->outputs[i];
        const struct mls_tensor *tensor = mls_run_output(run, i);
        if (feature->kind == MLS_FEATURE_TENSOR)
            status = write_tensor(&writer, feature, tensor, reterr);
        else if (feature->kind == MLS_FEATURE_IMAGE)
            status = write_image(&writer, feature, tensor, reterr);
        else
            status = write_value(&writer, feature, tensor, reterr);
    }
    /* last, so that its presence says that all the files are there */
    if (!status)
        status = write_document(&writer, "outputs.json", "mlscope.outputs", "outputs", reterr);
    json_decref(writer.list);
    return status;
}

enum mls_status mls_feature_write_states(const struct mls_run *run, const char *directory,
                                         struct mls_error *reterr)
{
    const struct mls_interface *interface = mls_session_interface(mls_run_session(run));
    enum mls_status status = file_make_folder(directory, reterr);
    if (status)
        return status;
    struct writer writer = {.folder = directory, .prefix = "state_", .list = json_array()};
    for (size_t i = 0; i < interface->n_states && !status; i++) {
        /* reading a state does not change it; only the caller's view of the run is const */
        const struct mls_tensor *state = mls_run_state((struct mls_run *)(uintptr_t)run, i);
        status = check_convertible(&interface->states[i], state, reterr);
        if (!status)
            status = write_tensor(&writer, &interface->states[i], state, reterr);
    }
    if (!status)
        status = write_document(&writer, "states.json", "mlscope.states", "states", reterr);
    json_decref(writer.list);
    return status;
}
