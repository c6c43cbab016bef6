#include "profiler/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/session.h"
#include "profiler/text.h"

json_t *mls_json_text(const char *text)
{
    if (!text)
        return json_null();
    json_t *string = json_string(text);
    if (string)
        return string;
    char *safe = mls_text_safe(text, false);
    string = safe ? json_string(safe) : NULL;
    free(safe);
    return string;
}

json_t *mls_json_number(double number)
{
    json_t *real = json_real(number);
    return real ? real : json_null(); /* infinite or not a number: not known */
}

json_t *mls_json_shape(const struct mls_type *type)
{
    json_t *shape = type->rank <= MLS_RANK_MAX ? json_array() : json_null();
    for (unsigned i = 0; json_is_array(shape) && i < type->rank; i++)
        json_array_append_new(shape, type->dims[i] >= 0 ? json_integer(type->dims[i]) : json_null());
    return shape;
}

/* "" stands for not known. */
static json_t *text_or_null(const char *text)
{
    return text && *text ? mls_json_text(text) : json_null();
}

json_t *mls_document_environment(const struct mls_environment *environment, const struct mls_loaded *loaded,
                                 const char *flags)
{
    const struct mls_session *session = loaded ? loaded->session : NULL;
    return json_pack("{s:o, s:o, s:o, s:s, s:s, s:I, s:o, s:o, s:s, s:o, s:o, s:o}", "tool_version",
                     text_or_null(environment->tool_version), "commit", text_or_null(environment->commit),
                     "cpu", text_or_null(environment->cpu), "isa",
                     session ? mls_isa_name(mls_session_isa(session)) : environment->isa, "isa_best",
                     environment->isa, "cores", (json_int_t)environment->cores, "threads",
                     session ? json_integer(mls_session_threads(session)) : json_null(), "kernel",
                     text_or_null(environment->kernel), "clock", environment->clock, "date_utc",
                     text_or_null(environment->date_utc), "governor", text_or_null(environment->governor),
                     "flags", mls_json_text(flags));
}

/* Operations of one function, those of nested blocks included, constants not. */
static json_int_t count_ops(const struct mls_program *program, mls_function_id function)
{
    json_int_t n = 0;
    for (uint32_t i = 0; i < program->n_ops; i++)
        n += program->ops[i].function.i == function.i && strcmp(program->ops[i].type, "const") != 0;
    return n;
}

json_t *mls_document_model(const struct mls_loaded *loaded)
{
    json_t *model = json_object();
    struct mls_package *package = loaded->package;
    const struct mls_package_info *info = package ? mls_package_info(package) : NULL;
    json_object_set_new(model, "path", info ? mls_json_text(info->path) : json_null());
    json_object_set_new(model, "form", info ? json_string(mls_form_name(info->form)) : json_null());
    json_object_set_new(model, "sha256", package ? text_or_null(mls_package_hash(package)) : json_null());
    json_object_set_new(model, "sealed", info ? json_boolean(info->sealed) : json_null());
    json_object_set_new(model, "file_bytes", info ? json_integer((json_int_t)info->file_bytes) : json_null());
    json_object_set_new(model, "cipher", info ? text_or_null(info->cipher) : json_null());
    const struct mls_model *read = loaded->model;
    bool found = read && loaded->function.i != MLS_NO_INDEX;
    const struct mls_function *function = found ? &read->program.functions[loaded->function.i] : NULL;
    json_object_set_new(model, "spec_version", read ? json_integer(read->spec_version) : json_null());
    json_object_set_new(model, "type", read ? mls_json_text(read->type_name) : json_null());
    json_object_set_new(model, "opset", function ? json_integer(function->opset) : json_null());
    json_object_set_new(model, "function", function ? mls_json_text(function->name) : json_null());
    json_object_set_new(model, "ops",
                        found ? json_integer(count_ops(&read->program, loaded->function)) : json_null());
    json_object_set_new(model, "weights_bytes",
                        loaded->plan ? json_integer((json_int_t)mls_plan_memory(loaded->plan).weights_bytes)
                                     : json_null());
    return model;
}

static int dump_chunk(const char *buffer, size_t size, void *user)
{
    const struct mls_writer *writer = user;
    return writer->write(writer->user, buffer, size) ? 0 : -1;
}

bool mls_json_write(const json_t *json, const struct mls_writer *writer)
{
    struct mls_writer copy = *writer;
    return json && !json_dump_callback(json, dump_chunk, &copy, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) &&
           mls_write(writer, "\n");
}
