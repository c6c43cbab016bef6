/* json.h: what the JSON documents of mlscope have in common. Values are jansson's, new references each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/model.h"
#include "profiler/environment.h"
#include "profiler/loader.h"

struct json_t; /* jansson */

/* mls_json_text: a string, bytes that are no UTF-8 replaced; null for NULL. */
struct json_t *mls_json_text(const char *text);

/* mls_json_number: a real; null when it is not finite. */
struct json_t *mls_json_number(double number);

/* mls_json_shape: an array of dimensions, null for those that are not known; null for an unknown rank. */
struct json_t *mls_json_shape(const struct mls_type *type);

/* mls_json_write: the value as text with a final newline; false when the writer stopped or json is NULL. */
bool mls_json_write(const struct json_t *json, const struct mls_writer *writer);

/*
 * mls_document_environment, _model: the blocks `environment` and `model` that every JSON document of mlscope
 * begins with. `loaded` may be NULL for the first, and its members may be: what is not known is null. Hashing
 * the model reads all of it.
 */
struct json_t *mls_document_environment(const struct mls_environment *environment,
                                        const struct mls_loaded *loaded, const char *flags);
struct json_t *mls_document_model(const struct mls_loaded *loaded);
