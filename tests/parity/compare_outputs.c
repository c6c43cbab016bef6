/*
 * compare_outputs: compares what `mlscope run` wrote with the outputs expected.
 *
 *     compare_outputs EXPECTED_FOLDER GOT_FOLDER [FALLBACK_DB [finite]]
 *
 * Bounds: snr_db of EXPECTED_FOLDER/case.json; else FALLBACK_DB; else 90. Tensors: signal-to-noise ratio in
 * dB at least the bound, the same arg-max (along the last axis, where its best is ahead by more than the
 * bound's noise), infinities and NaN in the same places. `rows` of case.json: only the first rows of axis 1
 * count. Labels and dictionary keys are equal. With `finite`, no output
 * may hold NaN or infinity. Exit 1 on any difference.
 */
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feature/npy.h"

struct bound {
    double snr_db;
    int64_t rows; /* 0: all */
    bool finite;
};

static json_t *read_json(const char *folder, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return json_load_file(path, 0, NULL);
}

static bool read_array(const char *folder, const char *name, struct array *ret_array)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(size + 1);
    struct mls_error error = {.text = ""};
    bool ok = bytes && fread(bytes, 1, size, file) == size &&
              !npy_read(path, (struct mls_bytes){bytes, size}, ret_array, &error);
    if (!ok)
        fprintf(stderr, "%s: %s\n", path, error.text);
    free(bytes);
    fclose(file);
    return ok;
}

/* Signal-to-noise ratio over the finite elements; NaN when the others do not agree. */
static double snr_db(const struct array *expected, const struct array *got, size_t n)
{
    double signal = 0, noise = 0;
    for (size_t i = 0; i < n; i++) {
        double want = convert_to_double(expected->data, expected->type.dtype, i);
        double have = convert_to_double(got->data, got->type.dtype, i);
        if (want == have || (isnan(want) && isnan(have))) {
            signal += isfinite(want) ? want * want : 0;
            continue;
        }
        if (!isfinite(want) || !isfinite(have))
            return (double)NAN;
        signal += want * want;
        noise += (want - have) * (want - have);
    }
    return noise == 0 ? (double)INFINITY : signal == 0 ? 0 : 10 * log10(signal / noise);
}

static size_t arg_max(const struct array *array, size_t first, size_t n)
{
    size_t best = first;
    for (size_t i = first; i < first + n; i++)
        if (convert_to_double(array->data, array->type.dtype, i) >
            convert_to_double(array->data, array->type.dtype, best))
            best = i;
    return best;
}

/* Rows whose greatest element is another one, beyond what noise at the bound explains. */
static size_t other_arg_max(const struct array *expected, const struct array *got, size_t n, double bound_db)
{
    size_t width = expected->type.rank ? (size_t)expected->type.dims[expected->type.rank - 1] : 1, other = 0;
    for (size_t first = 0; width > 1 && first + width <= n; first += width) {
        size_t want = arg_max(expected, first, width), have = arg_max(got, first, width);
        double best = convert_to_double(expected->data, expected->type.dtype, want);
        double second = convert_to_double(expected->data, expected->type.dtype, have);
        other += best - second > fabs(best) * pow(10, -bound_db / 20);
    }
    return other;
}

static size_t not_finite(const struct array *array)
{
    size_t n = (size_t)mls_type_elems(&array->type), bad = 0;
    for (size_t i = 0; i < n; i++)
        bad += !isfinite(convert_to_double(array->data, array->type.dtype, i));
    return bad;
}

static bool same_tensor(const char *name, json_t *expected_entry, json_t *got_entry,
                        const char *const folders[2], struct bound bound)
{
    struct array expected = {0}, got = {0};
    bool same = false;
    if (!json_equal(json_object_get(expected_entry, "shape"), json_object_get(got_entry, "shape")) ||
        !json_equal(json_object_get(expected_entry, "dtype"), json_object_get(got_entry, "dtype"))) {
        fprintf(stderr, "%s: another shape or dtype\n", name);
        return false;
    }
    if (read_array(folders[0], json_string_value(json_object_get(expected_entry, "file")), &expected) &&
        read_array(folders[1], json_string_value(json_object_get(got_entry, "file")), &got)) {
        size_t n = (size_t)mls_type_elems(&expected.type);
        if (bound.rows && expected.type.rank > 1)
            n = n / (size_t)expected.type.dims[1] * (size_t)bound.rows;
        double db = snr_db(&expected, &got, n);
        size_t other = other_arg_max(&expected, &got, n, bound.snr_db);
        size_t bad = bound.finite ? not_finite(&got) : 0;
        same = db >= bound.snr_db && !other && !bad;
        printf("%-24s %8.1f dB (bound %.0f)%s%s\n", name, db, bound.snr_db, other ? ", another arg-max" : "",
               bad ? ", not finite" : "");
    }
    array_done(&expected);
    array_done(&got);
    return same;
}

/* Dictionaries: the same number for each key, within the bound of the greatest. */
static bool same_dictionary(const char *name, json_t *expected, json_t *got, double bound_db)
{
    double greatest = 0, worst = 0;
    size_t i, j;
    json_t *want, *have;
    if (json_array_size(expected) != json_array_size(got))
        return false;
    json_array_foreach(expected, i, want)
    {
        bool found = false;
        json_array_foreach(got, j, have)
        {
            if (!json_equal(json_array_get(want, 0), json_array_get(have, 0)))
                continue;
            double x = json_number_value(json_array_get(want, 1)),
                   y = json_number_value(json_array_get(have, 1));
            greatest = fmax(greatest, fabs(x));
            worst = fmax(worst, fabs(x - y));
            found = true;
        }
        if (!found)
            return false;
    }
    printf("%-24s worst difference %.3g of %.3g\n", name, worst, greatest);
    return worst <= greatest * pow(10, -bound_db / 20);
}

static bool same_output(json_t *expected, json_t *got, const char *const folders[2], struct bound bound)
{
    const char *name = json_string_value(json_object_get(expected, "name"));
    const char *kind = json_string_value(json_object_get(expected, "kind"));
    if (!json_equal(json_object_get(expected, "name"), json_object_get(got, "name")) ||
        !json_equal(json_object_get(expected, "kind"), json_object_get(got, "kind"))) {
        fprintf(stderr, "%s: another name or kind\n", name);
        return false;
    }
    if (!strcmp(kind, "tensor") || !strcmp(kind, "image"))
        return same_tensor(name, expected, got, folders, bound);
    json_t *want = json_object_get(expected, "value"), *have = json_object_get(got, "value");
    if (!strcmp(kind, "dictionary"))
        return same_dictionary(name, want, have, bound.snr_db);
    return json_equal(want, have);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: compare_outputs EXPECTED_FOLDER GOT_FOLDER [FALLBACK_DB [finite]]\n");
        return 2;
    }
    const char *const folders[2] = {argv[1], argv[2]};
    json_t *expected_document = read_json(argv[1], "outputs.json");
    json_t *got_document = read_json(argv[2], "outputs.json");
    json_t *expected = json_object_get(expected_document, "outputs");
    json_t *got = json_object_get(got_document, "outputs");
    json_t *settings = read_json(argv[1], "case.json");
    json_t *snr = json_object_get(settings, "snr_db");
    struct bound bound = {.snr_db = snr        ? json_number_value(snr)
                                    : argc > 3 ? atof(argv[3])
                                               : 90,
                          .rows = json_integer_value(json_object_get(settings, "rows")),
                          .finite = argc > 4 && !strcmp(argv[4], "finite")};
    bool same = expected && got && json_array_size(expected) == json_array_size(got);
    for (size_t i = 0; same && i < json_array_size(expected); i++)
        same = same_output(json_array_get(expected, i), json_array_get(got, i), folders, bound);
    if (!same)
        fprintf(stderr, "%s: differs from %s\n", argv[2], argv[1]);
    json_decref(expected_document);
    json_decref(got_document);
    json_decref(settings);
    return !same;
}
