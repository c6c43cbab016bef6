/* speedscope.c: https://www.speedscope.app/file-format-schema.json, type "sampled": one sample a stack, its
 * weight the stack's nanoseconds. */
#include <jansson.h>

#include "export.h"
#include "names.h"
#include "profiler/json.h"

struct build {
    struct names names;
    json_t *samples;
    json_t *weights;
    uint64_t total_ns;
};

static bool add_stack(void *user, const struct export_stack *stack)
{
    struct build *build = user;
    json_t *sample = json_array();
    for (size_t i = 0; i < stack->depth; i++) {
        uint32_t number;
        if (!names_number(&build->names, stack->frames[i], &number)) {
            json_decref(sample);
            return false;
        }
        json_array_append_new(sample, json_integer(number));
    }
    build->total_ns += stack->ns;
    return !json_array_append_new(build->samples, sample) &&
           !json_array_append_new(build->weights, json_integer((json_int_t)stack->ns));
}

bool export_speedscope(const struct mls_document *document, const struct mls_writer *writer)
{
    struct build build = {.samples = json_array(), .weights = json_array()};
    bool ok = export_stacks(document, add_stack, &build);
    json_t *frames = json_array();
    for (size_t i = 0; i < build.names.n; i++)
        json_array_append_new(frames, json_pack("{s:o}", "name", mls_json_text(build.names.texts[i])));
    const char *name = document->hot ? "CPU time of sampled stacks" : "time of operations";
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:i, s:{s:o}, s:[{s:s, s:s, s:s, s:i, s:I, s:o, s:o}]}", "$schema",
                  "https://www.speedscope.app/file-format-schema.json", "exporter", "mlscope", "name", name,
                  "activeProfileIndex", 0, "shared", "frames", frames, "profiles", "type", "sampled", "name",
                  name, "unit", "nanoseconds", "startValue", 0, "endValue", (json_int_t)build.total_ns,
                  "samples", build.samples, "weights", build.weights);
    ok = ok && root && mls_json_write(root, writer);
    json_decref(root);
    names_done(&build.names);
    return ok;
}
