#include "core/samples.h"

#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "core/feature.h"
#include "fill.h"
#include "npy.h"

enum { MEMBERS_MAX = 256, MEMBER_BYTES_MAX = 1 << 30 };

struct mls_samples {
    const struct mls_interface *interface;
    char *path;
    size_t n;
    struct array *inputs; /* by input; no data: not given */
    struct array expected;
    size_t expected_output; /* SIZE_MAX: "labels" */
    float *vectors;         /* of `expected`, unless they are classes */
    size_t vector_elems;
};

static enum mls_status wrong(const struct mls_samples *samples, const char *member, const char *reason,
                             struct mls_error *reterr)
{
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read %s: %s: %s", samples->path, member, reason);
    mls_error_at(reterr, samples->path, -1);
    return status;
}

static enum mls_status read_array(const struct mls_samples *samples, zip_t *zip, zip_uint64_t member,
                                  const char *name, struct array *ret_array, struct mls_error *reterr)
{
    zip_stat_t about;
    if (zip_stat_index(zip, member, 0, &about) || !(about.valid & ZIP_STAT_SIZE))
        return wrong(samples, name, zip_strerror(zip), reterr);
    if (about.size > MEMBER_BYTES_MAX)
        return wrong(samples, name, "it is larger than 1 GiB", reterr);
    uint8_t *bytes = malloc((size_t)about.size + 1);
    zip_file_t *file = bytes ? zip_fopen_index(zip, member, 0) : NULL;
    enum mls_status status;
    if (!bytes)
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot read %s: out of memory", samples->path);
    else if (!file || zip_fread(file, bytes, about.size) != (zip_int64_t)about.size)
        status = wrong(samples, name, "it is cut off or damaged", reterr);
    else
        status = npy_read(name, (struct mls_bytes){bytes, (size_t)about.size}, ret_array, reterr);
    if (file)
        zip_fclose(file);
    free(bytes);
    return status;
}

/* ---- What the arrays are ---------------------------------------------------------------------- */

static size_t find_feature(const struct mls_feature *features, size_t n, const char *name, size_t length)
{
    size_t i = 0;
    while (i < n && (strlen(features[i].name) != length || memcmp(features[i].name, name, length) != 0))
        i++;
    return i;
}

/* Elements of one sample of an array with samples along its first dimension. */
static size_t sample_elems(const struct array *array)
{
    return array->type.dims[0] > 0 ? (size_t)(mls_type_elems(&array->type) / array->type.dims[0]) : 0;
}

static enum mls_status keep_expected(struct mls_samples *samples, struct array *array, size_t output,
                                     const char *name, struct mls_error *reterr)
{
    array_done(&samples->expected);
    samples->expected = *array;
    samples->expected_output = output;
    size_t n = (size_t)mls_type_elems(&array->type), bad;
    bool is_class = sample_elems(array) == 1 && array->type.dtype != MLS_FP32 &&
                    array->type.dtype != MLS_FP16 && array->type.dtype != MLS_FP64;
    samples->vector_elems = is_class ? 0 : sample_elems(array);
    free(samples->vectors);
    samples->vectors = is_class ? NULL : calloc(n + 1, sizeof(float));
    if (is_class)
        return MLS_OK;
    if (!samples->vectors)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read %s: out of memory", samples->path);
    return convert_elements(array->data, array->type.dtype, samples->vectors, MLS_FP32, n, CONVERT_NEAREST,
                            &bad)
               ? MLS_OK
               : wrong(samples, name, "its elements are no numbers", reterr);
}

/* Takes the array. */
static enum mls_status keep_array(struct mls_samples *samples, struct array *array, const char *name,
                                  size_t length, struct mls_error *reterr)
{
    const struct mls_interface *interface = samples->interface;
    size_t input = find_feature(interface->inputs, interface->n_inputs, name, length);
    size_t output = find_feature(interface->outputs, interface->n_outputs, name, length);
    enum mls_status status = MLS_OK;
    if (array->type.rank < 1)
        status = wrong(samples, name, "it has no dimension along which samples could lie", reterr);
    else if (samples->n && (size_t)array->type.dims[0] != samples->n)
        status = wrong(samples, name, "it has not as many samples as the arrays before it", reterr);
    if (status) {
        array_done(array);
        return status;
    }
    samples->n = (size_t)array->type.dims[0];
    if (input < interface->n_inputs) {
        array_done(&samples->inputs[input]);
        samples->inputs[input] = *array;
        return MLS_OK;
    }
    bool labels = length == strlen("labels") && !memcmp(name, "labels", length);
    if (output < interface->n_outputs || labels)
        return keep_expected(samples, array, labels ? SIZE_MAX : output, name, reterr);
    array_done(array);
    status = wrong(samples, name, "the model has no input or output of this name", reterr);
    mls_error_hint(reterr, "arrays are called after inputs, after an output, or labels");
    return status;
}

static enum mls_status read_archive(struct mls_samples *samples, zip_t *zip, struct mls_error *reterr)
{
    zip_int64_t n = zip_get_num_entries(zip, 0);
    if (n < 1 || n > MEMBERS_MAX)
        return wrong(samples, "the archive", "it holds no arrays, or too many", reterr);
    enum mls_status status = MLS_OK;
    for (zip_int64_t i = 0; !status && i < n; i++) {
        const char *name = zip_get_name(zip, (zip_uint64_t)i, 0);
        struct array array = {0};
        if (!name)
            return wrong(samples, "the archive", zip_strerror(zip), reterr);
        size_t length = strlen(name);
        if (length > 4 && !strcmp(name + length - 4, ".npy"))
            length -= 4;
        status = read_array(samples, zip, (zip_uint64_t)i, name, &array, reterr);
        if (!status)
            status = keep_array(samples, &array, name, length, reterr);
    }
    if (!status && !samples->n)
        status = wrong(samples, "the archive", "it holds no samples", reterr);
    return status;
}

enum mls_status mls_samples_open(const struct mls_interface *interface, const char *path,
                                 struct mls_samples **ret_samples, struct mls_error *reterr)
{
    struct mls_samples *samples = calloc(1, sizeof *samples);
    if (samples) {
        *samples = (struct mls_samples){.interface = interface, .path = strdup(path)};
        samples->inputs = calloc(interface->n_inputs + 1, sizeof *samples->inputs);
    }
    if (!samples || !samples->path || !samples->inputs) {
        mls_samples_free(samples);
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read %s: out of memory", path);
    }
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
    enum mls_status status;
    if (zip) {
        status = read_archive(samples, zip, reterr);
        zip_discard(zip);
    } else {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        status =
            mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read %s: %s", path, zip_error_strerror(&error));
        zip_error_fini(&error);
    }
    if (status)
        mls_samples_free(samples);
    else
        *ret_samples = samples;
    return status;
}

void mls_samples_free(struct mls_samples *samples)
{
    if (!samples)
        return;
    for (size_t i = 0; samples->inputs && i < samples->interface->n_inputs; i++)
        array_done(&samples->inputs[i]);
    array_done(&samples->expected);
    free(samples->inputs);
    free(samples->vectors);
    free(samples->path);
    free(samples);
}

size_t mls_samples_count(const struct mls_samples *samples)
{
    return samples->n;
}

/* ---- Samples ---------------------------------------------------------------------------------- */

/* The type of one sample, as the input has it: its own dimensions, or 1 in place of the samples. */
static bool sample_type(const struct array *array, const struct mls_tensor *tensor, struct mls_type *ret_type)
{
    struct mls_type type = array->type;
    bool added = array->type.rank == tensor->type.rank + 1;
    if (!added && array->type.rank != tensor->type.rank)
        return false;
    type.dims[0] = 1;
    for (unsigned i = 0; added && i + 1 < type.rank; i++)
        type.dims[i] = array->type.dims[i + 1];
    if (added)
        type.dims[--type.rank] = 0;
    *ret_type = type;
    return true;
}

/* Whether samples of an image are pixels, as in files: height x width, or that with the channels last. */
static bool is_pixels(const struct mls_feature *feature, const struct array *array)
{
    int64_t channels = fill_channels(feature);
    const struct mls_type *type = &array->type;
    return feature->kind == MLS_FEATURE_IMAGE &&
           ((type->rank == 3 && channels == 1) ||
            (type->rank == 4 && type->dims[3] == channels && type->dims[1] != channels));
}

/* Takes the pixels' description, which loses the dimension of the samples; their bytes are borrowed. */
static enum mls_status fill_pixels(const struct mls_samples *samples, const struct mls_feature *feature,
                                   struct mls_tensor *tensor, struct array *pixels, struct mls_error *reterr)
{
    pixels->type.rank--;
    memmove(pixels->type.dims, pixels->type.dims + 1, pixels->type.rank * sizeof pixels->type.dims[0]);
    struct array planes;
    enum mls_status status = fill_image_array(feature, samples->path, pixels, &planes, reterr);
    if (status)
        return status;
    status = fill_tensor(feature, tensor, &planes, samples->path, reterr);
    array_done(&planes);
    return status;
}

static enum mls_status fill_input(const struct mls_samples *samples, size_t input, size_t index,
                                  struct mls_run *run, struct mls_error *reterr)
{
    const struct array *array = &samples->inputs[input];
    const struct mls_feature *feature = &samples->interface->inputs[input];
    struct mls_tensor *tensor = mls_run_input(run, input);
    struct array one = {.type = array->type};
    if (!tensor)
        return MLS_OK;
    size_t bytes = mls_dtype_bytes(array->type.dtype, sample_elems(array));
    one.data = (uint8_t *)array->data + index * bytes; /* borrowed: nothing below writes to it */
    if (is_pixels(feature, array))
        return fill_pixels(samples, feature, tensor, &one, reterr);
    if (!sample_type(array, tensor, &one.type))
        return wrong(samples, feature->name, "its samples have not the dimensions of the input", reterr);
    return fill_tensor(feature, tensor, &one, samples->path, reterr);
}

enum mls_status mls_samples_fill(const struct mls_samples *samples, size_t index, uint64_t seed,
                                 struct mls_run *run, struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    for (size_t i = 0; !status && i < samples->interface->n_inputs; i++)
        status = samples->inputs[i].data ? fill_input(samples, i, index, run, reterr)
                                         : mls_feature_random(run, i, seed, reterr);
    return status;
}

bool mls_samples_expected(const struct mls_samples *samples, size_t index, struct mls_expected *ret_expected)
{
    if (!samples->expected.data)
        return false;
    *ret_expected = (struct mls_expected){.output = samples->expected_output};
    if (samples->vectors) {
        ret_expected->vector = samples->vectors + index * samples->vector_elems;
        ret_expected->n = samples->vector_elems;
        return true;
    }
    ret_expected->is_class = true;
    ret_expected->class_index =
        (int64_t)convert_to_double(samples->expected.data, samples->expected.type.dtype, index);
    return true;
}
