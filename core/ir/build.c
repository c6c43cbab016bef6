#include "ir/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"

/* A growing array: the final size is known only at the end. */
struct vector {
    void *data;
    size_t n;
    size_t capacity;
};

/* A name and what it means at the point reached; MLS_NO_INDEX when nothing does. */
struct name {
    const char *text; /* NULL: free slot */
    uint32_t hash;
    uint32_t value;
    uint32_t scope; /* number of the scope that defined it */
};

/* What a name meant before its scope began. */
struct hidden {
    uint32_t slot_hash;
    const char *text;
    uint32_t value;
    uint32_t scope;
};

struct ir_builder {
    struct mls_arena *arena;
    struct vector values;
    struct vector ops;
    struct vector blocks;
    struct vector hidden;
    struct name *names; /* open addressing, size a power of two */
    size_t n_names;
    size_t names_capacity;
    size_t scope_starts[MLS_LIMIT_BLOCK_DEPTH]; /* lengths of `hidden` when the scopes began */
    uint32_t n_scopes;
};

static enum mls_status out_of_memory(struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot build the program: out of memory");
}

static bool vector_grow(struct vector *vector, size_t element_bytes)
{
    if (vector->n < vector->capacity)
        return true;
    size_t capacity = vector->capacity ? vector->capacity * 2 : 64;
    size_t bytes;
    void *data = mls_mul_size(capacity, element_bytes, &bytes) ? realloc(vector->data, bytes) : NULL;
    if (!data)
        return false;
    vector->data = data;
    vector->capacity = capacity;
    return true;
}

struct ir_builder *ir_builder_create(struct mls_arena *arena)
{
    struct ir_builder *builder = calloc(1, sizeof *builder);
    if (builder)
        builder->arena = arena;
    return builder;
}

void ir_builder_free(struct ir_builder *builder)
{
    if (!builder)
        return;
    free(builder->values.data);
    free(builder->ops.data);
    free(builder->blocks.data);
    free(builder->hidden.data);
    free(builder->names);
    free(builder);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static uint32_t hash_text(const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        hash = (hash ^ *at) * 16777619u;
    return hash;
}

/* The slot that holds the name, or the free one where it belongs. */
static struct name *find_slot(struct name *names, size_t capacity, const char *text, uint32_t hash)
{
    for (size_t i = hash & (capacity - 1);; i = (i + 1) & (capacity - 1)) {
        struct name *slot = &names[i];
        if (!slot->text || (slot->hash == hash && strcmp(slot->text, text) == 0))
            return slot;
    }
}

static bool names_grow(struct ir_builder *builder)
{
    if (builder->n_names < builder->names_capacity / 2)
        return true;
    size_t capacity = builder->names_capacity ? builder->names_capacity * 2 : 256;
    struct name *names = calloc(capacity, sizeof *names);
    if (!names)
        return false;
    for (size_t i = 0; i < builder->names_capacity; i++) {
        const struct name *old = &builder->names[i];
        if (old->text)
            *find_slot(names, capacity, old->text, old->hash) = *old;
    }
    free(builder->names);
    builder->names = names;
    builder->names_capacity = capacity;
    return true;
}

enum mls_status ir_scope_open(struct ir_builder *builder, struct mls_error *reterr)
{
    if (builder->n_scopes >= MLS_LIMIT_BLOCK_DEPTH)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot build the program: blocks are nested deeper than %d",
                        MLS_LIMIT_BLOCK_DEPTH);
    builder->scope_starts[builder->n_scopes++] = builder->hidden.n;
    return MLS_OK;
}

void ir_scope_close(struct ir_builder *builder)
{
    size_t start = builder->scope_starts[--builder->n_scopes];
    while (builder->hidden.n > start) {
        const struct hidden *hidden = (const struct hidden *)builder->hidden.data + --builder->hidden.n;
        struct name *slot =
            find_slot(builder->names, builder->names_capacity, hidden->text, hidden->slot_hash);
        slot->value = hidden->value;
        slot->scope = hidden->scope;
    }
}

mls_value_id ir_value_find(const struct ir_builder *builder, const char *name)
{
    if (!builder->names_capacity)
        return (mls_value_id){MLS_NO_INDEX};
    const struct name *slot = find_slot(builder->names, builder->names_capacity, name, hash_text(name));
    return (mls_value_id){slot->text ? slot->value : MLS_NO_INDEX};
}

/* ---- Parts ----------------------------------------------------------------------------------- */

enum mls_status ir_value_add(struct ir_builder *builder, const struct mls_value *value, mls_value_id *ret_id,
                             struct mls_error *reterr)
{
    if (builder->values.n >= MLS_LIMIT_VALUES)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot build the program: it has more than %d values",
                        MLS_LIMIT_VALUES);
    if (!vector_grow(&builder->values, sizeof *value))
        return out_of_memory(reterr);
    ((struct mls_value *)builder->values.data)[builder->values.n] = *value;
    ret_id->i = (uint32_t)builder->values.n++;
    return MLS_OK;
}

enum mls_status ir_value_bind(struct ir_builder *builder, const char *name, mls_value_id value,
                              struct mls_error *reterr)
{
    uint32_t hash = hash_text(name);
    if (!names_grow(builder) || !vector_grow(&builder->hidden, sizeof(struct hidden)))
        return out_of_memory(reterr);
    struct name *slot = find_slot(builder->names, builder->names_capacity, name, hash);
    if (!slot->text) {
        *slot = (struct name){.text = name, .hash = hash, .value = MLS_NO_INDEX};
        builder->n_names++;
    }
    ((struct hidden *)builder->hidden.data)[builder->hidden.n++] =
        (struct hidden){.slot_hash = hash, .text = slot->text, .value = slot->value, .scope = slot->scope};
    slot->value = value.i;
    slot->scope = builder->n_scopes;
    return MLS_OK;
}

enum mls_status ir_value_define(struct ir_builder *builder, const struct mls_value *value,
                                mls_value_id *ret_id, struct mls_error *reterr)
{
    const struct name *slot =
        builder->names_capacity
            ? find_slot(builder->names, builder->names_capacity, value->name, hash_text(value->name))
            : NULL;
    if (slot && slot->text && slot->value != MLS_NO_INDEX && slot->scope == builder->n_scopes)
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot build the program: value %s is defined twice", value->name);
    enum mls_status status = ir_value_add(builder, value, ret_id, reterr);
    return status ? status : ir_value_bind(builder, value->name, *ret_id, reterr);
}

struct mls_value *ir_value_at(struct ir_builder *builder, mls_value_id id)
{
    return (struct mls_value *)builder->values.data + id.i;
}

enum mls_status ir_op_reserve(struct ir_builder *builder, mls_op_id *ret_id, struct mls_error *reterr)
{
    if (builder->ops.n >= MLS_LIMIT_OPS)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot build the program: it has more than %d operations",
                        MLS_LIMIT_OPS);
    if (!vector_grow(&builder->ops, sizeof(struct mls_op)))
        return out_of_memory(reterr);
    ret_id->i = (uint32_t)builder->ops.n++;
    return MLS_OK;
}

void ir_op_set(struct ir_builder *builder, mls_op_id id, const struct mls_op *op)
{
    ((struct mls_op *)builder->ops.data)[id.i] = *op;
}

enum mls_status ir_block_reserve(struct ir_builder *builder, mls_block_id *ret_id, struct mls_error *reterr)
{
    if (!vector_grow(&builder->blocks, sizeof(struct mls_block)))
        return out_of_memory(reterr);
    ret_id->i = (uint32_t)builder->blocks.n++;
    return MLS_OK;
}

void ir_block_set(struct ir_builder *builder, mls_block_id id, const struct mls_block *block)
{
    ((struct mls_block *)builder->blocks.data)[id.i] = *block;
}

static const void *keep(struct mls_arena *arena, const struct vector *vector, size_t element_bytes)
{
    void *copy = mls_arena_array(arena, vector->n, element_bytes, _Alignof(max_align_t));
    if (copy && vector->n)
        memcpy(copy, vector->data, vector->n * element_bytes);
    return copy;
}

enum mls_status ir_finish(const struct ir_builder *builder, const struct mls_function *functions,
                          uint32_t n_functions, struct mls_program *ret_program, struct mls_error *reterr)
{
    struct mls_program program = {
        .functions = functions,
        .n_functions = n_functions,
        .blocks = keep(builder->arena, &builder->blocks, sizeof(struct mls_block)),
        .n_blocks = (uint32_t)builder->blocks.n,
        .ops = keep(builder->arena, &builder->ops, sizeof(struct mls_op)),
        .n_ops = (uint32_t)builder->ops.n,
        .values = keep(builder->arena, &builder->values, sizeof(struct mls_value)),
        .n_values = (uint32_t)builder->values.n,
    };
    if (!program.blocks || !program.ops || !program.values)
        return out_of_memory(reterr);
    *ret_program = program;
    return MLS_OK;
}
