/* pprof.c: google/pprof's profile, gzipped: the stacks of export.h, one location and one function a name. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/clock.h"
#include "export.h"
#include "names.h"
#include "pprof.pb-c.h"

enum { VALUES = 2, GZIP_WINDOW_BITS = 15 + 16 };

/* A growing array of message pointers, as protobuf-c takes them; each element is one allocation. */
struct messages {
    void **items;
    size_t n;
    size_t capacity;
};

struct build {
    struct names names; /* [0] is "" */
    struct messages samples;
    uint64_t total_ns;
};

static void *add_message(struct messages *messages, size_t size_bytes)
{
    if (messages->n == messages->capacity) {
        size_t capacity = messages->capacity ? 2 * messages->capacity : 64;
        void **items = reallocarray(messages->items, capacity, sizeof *items);
        if (!items)
            return NULL;
        messages->items = items;
        messages->capacity = capacity;
    }
    void *item = malloc(size_bytes);
    if (item)
        messages->items[messages->n++] = item;
    return item;
}

static void messages_done(struct messages *messages)
{
    for (size_t i = 0; i < messages->n; i++)
        free(messages->items[i]);
    free(messages->items);
}

/* A sample with its arrays behind it. */
struct sample {
    Pprof__Sample message;
    int64_t values[VALUES];
    uint64_t locations[];
};

static bool add_stack(void *user, const struct export_stack *stack)
{
    struct build *build = user;
    struct sample *sample = add_message(&build->samples, sizeof *sample + stack->depth * sizeof(uint64_t));
    if (!sample)
        return false;
    pprof__sample__init(&sample->message);
    for (size_t i = 0; i < stack->depth; i++) {
        uint32_t number;
        if (!names_number(&build->names, stack->frames[stack->depth - 1 - i], &number))
            return false;
        sample->locations[i] = number ? number : 1; /* an empty name has no location of its own */
    }
    sample->values[0] = (int64_t)stack->count;
    sample->values[1] = (int64_t)stack->ns;
    sample->message.n_value = VALUES;
    sample->message.value = sample->values;
    sample->message.n_location_id = stack->depth;
    sample->message.location_id = sample->locations;
    build->total_ns += stack->ns;
    return true;
}

/* A location and its function: the same id, which is the number of the name. */
struct place {
    Pprof__Location location;
    Pprof__Function function;
    Pprof__Line line;
    Pprof__Line *lines[1];
};

static bool pack_gzip(const Pprof__Profile *profile, const struct mls_writer *writer)
{
    size_t size = pprof__profile__get_packed_size(profile);
    uint8_t *packed = malloc(size ? size : 1);
    z_stream stream = {0};
    if (!packed || size > UINT32_MAX ||
        deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY)) {
        free(packed);
        return false;
    }
    pprof__profile__pack(profile, packed);
    size_t bound = deflateBound(&stream, size);
    uint8_t *zipped = malloc(bound);
    stream.next_in = packed;
    stream.avail_in = (uInt)size;
    stream.next_out = zipped;
    stream.avail_out = (uInt)bound;
    bool ok = zipped && deflate(&stream, Z_FINISH) == Z_STREAM_END &&
              writer->write(writer->user, (const char *)zipped, stream.total_out);
    deflateEnd(&stream);
    free(zipped);
    free(packed);
    return ok;
}

static bool write_profile(struct build *build, const uint32_t texts[4], const struct mls_writer *writer)
{
    size_t n = build->names.n - 1; /* without "" */
    struct place *places = calloc(n ? n : 1, sizeof *places);
    Pprof__Location **locations = calloc(n ? n : 1, sizeof *locations);
    Pprof__Function **functions = calloc(n ? n : 1, sizeof *functions);
    bool ok = places && locations && functions;
    for (size_t i = 0; ok && i < n; i++) {
        struct place *place = &places[i];
        pprof__location__init(&place->location);
        pprof__function__init(&place->function);
        pprof__line__init(&place->line);
        place->location.id = place->function.id = place->line.function_id = i + 1;
        place->function.name = (int64_t)i + 1;
        place->lines[0] = &place->line;
        place->location.n_line = 1;
        place->location.line = place->lines;
        locations[i] = &place->location;
        functions[i] = &place->function;
    }
    Pprof__ValueType types[VALUES] = {PPROF__VALUE_TYPE__INIT, PPROF__VALUE_TYPE__INIT};
    for (unsigned i = 0; i < VALUES; i++) {
        types[i].type = texts[2 * i];
        types[i].unit = texts[2 * i + 1];
    }
    Pprof__ValueType *type_pointers[VALUES] = {&types[0], &types[1]};
    Pprof__Profile profile = PPROF__PROFILE__INIT;
    profile.n_sample_type = VALUES;
    profile.sample_type = type_pointers;
    profile.n_sample = build->samples.n;
    profile.sample = (Pprof__Sample **)build->samples.items;
    profile.n_location = profile.n_function = n;
    profile.location = locations;
    profile.function = functions;
    profile.n_string_table = build->names.n;
    profile.string_table = build->names.texts;
    profile.duration_nanos = (int64_t)build->total_ns;
    profile.default_sample_type = texts[2];
    ok = ok && pack_gzip(&profile, writer);
    free(places);
    free(locations);
    free(functions);
    return ok;
}

bool export_pprof(const struct mls_document *document, const struct mls_writer *writer)
{
    struct build build = {0};
    uint32_t empty, texts[4];
    bool ok = names_number(&build.names, "", &empty) && export_stacks(document, add_stack, &build) &&
              names_number(&build.names, document->hot ? "samples" : "calls", &texts[0]) &&
              names_number(&build.names, "count", &texts[1]) &&
              names_number(&build.names, document->hot ? "cpu" : "time", &texts[2]) &&
              names_number(&build.names, "nanoseconds", &texts[3]) && write_profile(&build, texts, writer);
    messages_done(&build.samples);
    names_done(&build.names);
    return ok;
}
