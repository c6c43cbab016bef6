/*
 * Files that --input, --inputs and --state-in name, for models that take every kind of feature: byte 0 chooses the model,
 * byte 1 the input, the archive or the states; the file follows. In the folder of states, every file is that file.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/feature.h"
#include "fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Dictionaries and texts, sequences and integers, doubles, images and flexible shapes, states. */
static const char *const names[] = {"classical_dictionary_tree.mlmodel",
                                    "classical_mapping_to_int.mlmodel",
                                    "classical_recommender.mlmodel",
                                    "classical_vectorizer.mlmodel",
                                    "flex.mlmodel",
                                    "state.mlmodel",
                                    "classifier.mlmodel"};
enum { N_MODELS = sizeof names / sizeof names[0] };

static struct mls_run *open_run(const char *name)
{
    char path[4096];
    struct mls_error error;
    struct mls_package *package;
    struct mls_model *model;
    struct mls_session *session;
    const struct mls_plan *plan;
    struct mls_run *run;
    snprintf(path, sizeof path, "%s/format_spec_fuzz/%s", MLS_FUZZ_CORPUS, name);
    if (mls_package_open(path, NULL, &package, &error) || mls_model_load(package, NULL, &model, &error) ||
        mls_session_create(model, &(struct mls_session_options){.threads = 1}, &session, &error) ||
        mls_session_plan(session, NULL, &plan, &error) || mls_run_create(session, plan, &run, &error)) {
        fprintf(stderr, "%s: %s\n", path, error.text);
        abort();
    }
    return run;
}

static void read_states(struct mls_run *run, const char *file)
{
    static char folder[64];
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/mls-fuzz-XXXXXX", P_tmpdir);
        char path[96];
        if (!mkdtemp(folder))
            abort();
        snprintf(path, sizeof path, "%s/states.json", folder);
        if (symlink(file, path))
            abort();
        snprintf(path, sizeof path, "%s/00.npy", folder);
        if (symlink(file, path))
            abort();
    }
    mls_feature_read_states(run, folder, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mls_run *runs[N_MODELS];
    static struct memory_file file;
    if (size < 2)
        return 0;
    struct mls_run **run = &runs[data[0] % N_MODELS];
    if (!*run)
        *run = open_run(names[data[0] % N_MODELS]);
    const struct mls_interface *interface = mls_session_interface(mls_run_session(*run));
    const char *path = memory_file_set(&file, data + 2, size - 2);
    size_t choice = data[1] % (interface->n_inputs + 2);
    struct mls_shape shapes[8];
    bool filled[8];
    struct mls_error error;
    if (choice < interface->n_inputs) {
        mls_feature_file_shape(&interface->inputs[choice], path, shapes, &error);
        if (!mls_feature_read(*run, choice, path, &error) && mls_run_predict(*run, NULL, NULL, &error) &&
            !error.text[0])
            abort();
    } else if (choice == interface->n_inputs) {
        mls_feature_npz_shapes(interface, path, shapes, &error);
        mls_feature_read_npz(*run, path, filled, &error);
    } else {
        read_states(*run, path);
    }
    return 0;
}
