/* The bare .mlmodel: one protobuf file without anything around it. */
#include "form.h"

#include <string.h>

#include "base/cursor.h"

/* Fields of the Core ML message Model, by number: all that a walk over the top level may meet. */
enum {
    FIELD_VERSION = 1,
    FIELD_DESCRIPTION = 2,
    FIELD_UPDATABLE = 10,
    FIELD_TYPE_MIN = 200, /* pipelineClassifier; every member of the oneof lies between these */
    FIELD_TYPE_MAX = 3100,
    VERSION_PLAUSIBLE_MAX = 1000
};

enum { WIRE_VARINT = 0, WIRE_LENGTH = 2 };

struct field {
    uint64_t number;
    unsigned wire;
    uint64_t value; /* of the varint, or length of what follows */
};

static uint64_t read_varint(struct mls_cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t part = mls_cursor_le(cursor, 1);
        value |= (part & 0x7f) << shift;
        if (!(part & 0x80))
            return value;
    }
    cursor->bad = true;
    return 0;
}

static bool read_field(struct mls_cursor *cursor, struct field *ret_field)
{
    uint64_t tag = read_varint(cursor);
    struct field field = {.number = tag >> 3, .wire = (unsigned)(tag & 7)};
    bool number = field.number == FIELD_VERSION || field.number == FIELD_UPDATABLE;
    bool message = field.number == FIELD_DESCRIPTION ||
                   (field.number >= FIELD_TYPE_MIN && field.number <= FIELD_TYPE_MAX);
    if (cursor->bad || !((number && field.wire == WIRE_VARINT) || (message && field.wire == WIRE_LENGTH)))
        return false;
    field.value = read_varint(cursor);
    if (cursor->bad)
        return false;
    *ret_field = field;
    return true;
}

/* Whether the bytes begin with a plausible version and one more field of Model. A random box does in 1 of
 * some 100,000. */
static bool begins_like_spec(struct mls_bytes bytes)
{
    struct mls_cursor cursor = mls_cursor_over(bytes.data, bytes.size_bytes);
    struct field version, next;
    return read_field(&cursor, &version) && version.number == FIELD_VERSION && version.value >= 1 &&
           version.value <= VERSION_PLAUSIBLE_MAX && read_field(&cursor, &next) &&
           next.number != FIELD_VERSION;
}

bool package_mlmodel_walk(struct mls_bytes bytes)
{
    struct mls_cursor cursor = mls_cursor_over(bytes.data, bytes.size_bytes);
    while (mls_cursor_left(&cursor)) {
        struct field field;
        if (!read_field(&cursor, &field))
            return false;
        if (field.wire == WIRE_LENGTH && !mls_cursor_take(&cursor, field.value))
            return false;
    }
    return bytes.size_bytes > 0;
}

/*
 * A whole walk is proof. A file that only begins right, or is only named so, is a damaged specification,
 * unless there is a key: then it may be a sealed file that looks so by chance.
 */
static bool mlmodel_probe(const struct package_source *source)
{
    if (package_mlmodel_walk(source->bytes))
        return true;
    if (source->content || source->key)
        return source->content && begins_like_spec(source->bytes);
    size_t length = strlen(source->path);
    static const char extension[] = ".mlmodel";
    bool named =
        length >= sizeof extension - 1 && !strcmp(source->path + length - (sizeof extension - 1), extension);
    return named || begins_like_spec(source->bytes);
}

static enum mls_status mlmodel_open(struct mls_package *package, const struct package_source *source,
                                    struct mls_error *reterr)
{
    package->info.form = MLS_FORM_MLMODEL;
    const char *name = source->content ? "model.mlmodel" : package->preferred_name;
    enum mls_status status = package_add_entry(package, name, source->bytes, reterr);
    return status ? status : package_set_spec(package, 0, reterr);
}

const struct package_form package_form_mlmodel = {.probe = mlmodel_probe, .open = mlmodel_open};
