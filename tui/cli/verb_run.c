#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "profiler/element.h"
#include "cli/interrupt.h"
#include "cli/open.h"
#include "core/clock.h"
#include "core/feature.h"
#include "profiler/json.h"
#include "profiler/text.h"

enum { LABELS_SHOWN = 5, REPEAT_MAX = 1 << 30 };

static enum mls_status predict(struct mls_run *run, uint64_t repeat, uint64_t *ret_last_ns,
                               struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    struct mls_run_time time;
    interrupt_watch(NULL, run);
    for (uint64_t i = 0; !status && i < repeat; i++) {
        if (atomic_load(interrupt_flag()))
            status = mls_fail(reterr, MLS_ERR_CANCELLED, "the prediction was cancelled");
        else
            status = mls_run_predict(run, NULL, &time, reterr);
    }
    interrupt_watch(NULL, NULL);
    if (!status)
        *ret_last_ns = mls_clock_span_ns(mls_clock_get(), time.end_ticks - time.begin_ticks);
    return status;
}

static void show_label(struct console *console, const struct mls_tensor *keys, size_t i, double number)
{
    if (keys && keys->type.dtype == MLS_TEXT && keys->data) {
        struct mls_text text;
        memcpy(&text, (const char *)keys->data + i * sizeof text, sizeof text);
        char *copy = strndup(text.bytes, text.length_bytes);
        char *safe = copy ? mls_text_safe(copy, console->ascii) : NULL;
        console_printf(console, " %s %.4g", safe ? safe : "?", number);
        free(copy);
        free(safe);
    } else if (keys && keys->data) {
        console_printf(console, " %.0f %.4g", mls_element_value(keys, i), number);
    }
}

/* The labels with the largest numbers, largest first. */
static void show_dictionary(struct console *console, const struct mls_tensor *tensor)
{
    int64_t n = tensor->data ? mls_type_elems(&tensor->type) : 0;
    double below = (double)INFINITY;
    int64_t last = -1;
    for (int shown = 0; shown < LABELS_SHOWN; shown++) {
        int64_t best = -1;
        for (int64_t i = 0; i < n; i++) {
            double value = mls_element_value(tensor, (size_t)i);
            bool left = value < below || (value == below && i > last);
            if (left && (best < 0 || value > mls_element_value(tensor, (size_t)best)))
                best = i;
        }
        if (best < 0)
            break;
        below = mls_element_value(tensor, (size_t)best);
        last = best;
        show_label(console, tensor->keys, (size_t)best, below);
    }
}

/* The first texts of a label or sequence. */
static void show_texts(struct console *console, const struct mls_tensor *tensor)
{
    int64_t n = tensor->data ? mls_type_elems(&tensor->type) : 0;
    for (int64_t i = 0; i < n && i < LABELS_SHOWN; i++) {
        struct mls_text text;
        memcpy(&text, (const char *)tensor->data + (size_t)i * sizeof text, sizeof text);
        char *copy = strndup(text.bytes, text.length_bytes);
        char *safe = copy ? mls_text_safe(copy, console->ascii) : NULL;
        console_printf(console, "%s%s", i ? ", " : " ", safe ? safe : "?");
        free(copy);
        free(safe);
    }
}

static void show_output(struct console *console, const struct mls_feature *feature,
                        const struct mls_tensor *tensor)
{
    char type[96];
    char *name = mls_text_safe(feature->name, console->ascii);
    console_printf(console, "%s  %s %s ", name ? name : "?", mls_feature_kind_name(feature->kind),
                   mls_type_format(&tensor->type, type, sizeof type));
    free(name);
    if (tensor->type.kind == MLS_KIND_DICTIONARY) {
        show_dictionary(console, tensor);
    } else if (tensor->type.dtype == MLS_TEXT) {
        show_texts(console, tensor);
    } else if (tensor->type.kind == MLS_KIND_TENSOR) {
        struct mls_element_range range = mls_element_range(tensor);
        console_printf(console, " min %.5g, max %.5g, mean %.5g", range.min, range.max, range.mean);
        if (range.n_not_finite)
            console_printf(console, ", %zu of %zu not finite", range.n_not_finite, range.n_elems);
    }
    console_printf(console, "\n");
}

static void show(struct console *console, const struct mls_loaded *loaded, const char *directory, uint64_t ns)
{
    char text[MLS_TEXT_BYTES];
    const struct mls_interface *interface = loaded->interface;
    for (size_t i = 0; i < interface->n_outputs; i++)
        show_output(console, &interface->outputs[i], mls_run_output(loaded->run, i));
    console_printf(console, "predicted in %s", mls_text_duration(ns, console->ascii, text));
    console_printf(console, " after a load of %s", mls_text_duration(loaded->total_ns, console->ascii, text));
    if (directory)
        console_printf(console, "; outputs in %s", directory);
    console_printf(console, "\n");
}

static void show_json(struct console *console, const struct mls_loaded *loaded, const char *directory,
                      uint64_t repeat, uint64_t ns)
{
    struct mls_environment environment = mls_environment_read(cli_version(), cli_commit());
    json_t *outputs = json_array();
    for (size_t i = 0; i < loaded->interface->n_outputs; i++) {
        const struct mls_feature *feature = &loaded->interface->outputs[i];
        const struct mls_tensor *tensor = mls_run_output(loaded->run, i);
        json_array_append_new(outputs, json_pack("{s:o, s:s, s:s, s:o}", "name", mls_json_text(feature->name),
                                                 "kind", mls_feature_kind_name(feature->kind), "dtype",
                                                 mls_dtype_name(tensor->type.dtype), "shape",
                                                 mls_json_shape(&tensor->type)));
    }
    json_t *root = json_pack("{s:s, s:i, s:o, s:o, s:I, s:I, s:o, s:o}", "schema", "mlscope.run", "version",
                             1, "environment", mls_document_environment(&environment, loaded, NULL), "model",
                             mls_document_model(loaded), "predictions", (json_int_t)repeat, "last_ns",
                             (json_int_t)ns, "output_dir", mls_json_text(directory), "outputs", outputs);
    mls_json_write(root, &console->out);
    json_decref(root);
}

static enum mls_status run(const struct arguments *arguments, struct console *console, struct opened *opened,
                           struct mls_error *reterr)
{
    uint64_t repeat = 1, ns;
    enum mls_status status = arguments_count(arguments, OPTION_REPEAT, 1, REPEAT_MAX, &repeat, reterr);
    if (!status)
        status = open_options(arguments, opened, reterr);
    opened->options.inputs_required = !arguments_has(arguments, OPTION_RANDOM_SEED);
    if (!status)
        status = open_model(opened, MLS_LOAD_ALL, reterr);
    if (status)
        return status;
    struct mls_run *prepared = opened->loaded->run;
    status = predict(prepared, repeat, &ns, reterr);
    const char *directory = arguments_text(arguments, OPTION_OUTPUT_DIR);
    const char *states = arguments_text(arguments, OPTION_STATE_OUT);
    if (!status && directory)
        status = mls_feature_write_outputs(prepared, directory, reterr);
    if (!status && states)
        status = mls_feature_write_states(prepared, states, reterr);
    if (status)
        return status;
    if (console->json)
        show_json(console, opened->loaded, directory, repeat, ns);
    else if (!console->quiet)
        show(console, opened->loaded, directory, ns);
    return MLS_OK;
}

int verb_run(const struct arguments *arguments, struct console *console)
{
    struct opened opened = {0};
    struct mls_error error;
    enum mls_status status = run(arguments, console, &opened, &error);
    open_close(&opened);
    return status ? console_error(&error) : 0;
}
