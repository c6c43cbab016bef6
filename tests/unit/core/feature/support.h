/* support.h: a run without a model behind it, and files in a temporary folder. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/feature.h"

enum { N = 4 };

struct mls_run {
    struct mls_interface interface;
    struct mls_feature features[N];
    struct mls_tensor tensors[N];
};

static struct mls_run run;

struct mls_session *mls_run_session(const struct mls_run *of)
{
    return (struct mls_session *)(uintptr_t)of;
}

const struct mls_interface *mls_session_interface(const struct mls_session *session)
{
    return &((const struct mls_run *)(const void *)session)->interface;
}

struct mls_tensor *mls_run_input(struct mls_run *of, size_t index)
{
    return &of->tensors[index];
}

const struct mls_tensor *mls_run_output(const struct mls_run *of, size_t index)
{
    return &of->tensors[index];
}

struct mls_tensor *mls_run_state(struct mls_run *of, size_t index)
{
    return &of->tensors[index];
}

/* Feature `index`: a tensor of these dims, declared and in the program as said. */
static inline struct mls_feature *set_feature(size_t index, const char *name, enum mls_dtype declared,
                                              enum mls_dtype program, unsigned rank, const int64_t *dims)
{
    free(run.tensors[index].data);
    run.features[index] = (struct mls_feature){
        .name = name, .kind = MLS_FEATURE_TENSOR, .type = mls_type_tensor(declared, rank, dims)};
    run.tensors[index] = (struct mls_tensor){.type = mls_type_tensor(program, rank, dims)};
    size_t size_bytes = mls_type_bytes(&run.tensors[index].type);
    run.tensors[index].data = calloc(1, size_bytes ? size_bytes : 1);
    run.interface = (struct mls_interface){.inputs = run.features,
                                           .n_inputs = index + 1,
                                           .outputs = run.features,
                                           .n_outputs = index + 1,
                                           .states = run.features,
                                           .n_states = index + 1};
    return &run.features[index];
}

/* Feature 0: an image of width x height. */
static inline struct mls_feature *set_image(enum mls_color color, enum mls_dtype program, int64_t width,
                                            int64_t height)
{
    int64_t channels = color == MLS_COLOR_RGB || color == MLS_COLOR_BGR ? 3 : 1;
    int64_t dims[4] = {1, channels, height, width};
    struct mls_feature *feature = set_feature(0, "picture", MLS_FP32, program, 4, dims);
    int64_t pixels[3] = {height, width, channels};
    feature->kind = MLS_FEATURE_IMAGE;
    feature->color = color;
    feature->type = mls_type_tensor(MLS_UINT8, 3, pixels);
    return feature;
}

static char folder[64];

static inline const char *in_folder(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline const char *write_file(const char *name, const void *bytes, size_t size_bytes)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size_bytes, file), size_bytes);
    fclose(file);
    return path;
}

static inline const char *write_text(const char *name, const char *text)
{
    return write_file(name, text, strlen(text));
}

/* The header dictionary of a .npy. */
#define HEADER(descr, order, shape) \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }\n"

/* A .npy with this header dictionary, version 1. */
static inline const char *write_npy(const char *name, const char *header, const void *data, size_t size_bytes)
{
    uint8_t bytes[4096] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)strlen(header), 0};
    memcpy(bytes + 10, header, strlen(header));
    memcpy(bytes + 10 + strlen(header), data, size_bytes);
    return write_file(name, bytes, 10 + strlen(header) + size_bytes);
}

static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/mls-feature-XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *about, int type, struct FTW *walk)
{
    (void)about, (void)type, (void)walk;
    return remove(path);
}

static inline int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++)
        free(run.tensors[i].data);
    run = (struct mls_run){0};
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void expect_read(const char *path)
{
    struct mls_error error;
    if (mls_feature_read(&run, 0, path, &error))
        fail_msg("%s", error.text);
}

static inline void expect_refusal(const char *path, const char *says)
{
    struct mls_error error;
    assert_int_equal(mls_feature_read(&run, 0, path, &error), MLS_ERR_INPUT_INVALID);
    if (!strstr(error.text, says))
        fail_msg("\"%s\" does not say \"%s\"", error.text, says);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)
