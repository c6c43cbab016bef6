/* inputs.c: inputs whose length the caller decides: dictionaries and sequences, and the bytes of texts. */
#include "base/limits.h"
#include "exec/exec.h"

static enum mls_status no_memory(const struct mls_feature *feature, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot fill \"%s\": out of memory", feature->name);
}

/* Elements and, of a dictionary, keys. */
static bool take_memory(struct mls_arena *arena, struct mls_tensor *tensor, int64_t n)
{
    struct mls_type type = tensor->type;
    type.dims[0] = n;
    void *data = mls_arena_alloc(arena, mls_type_bytes(&type), 16);
    struct mls_tensor *keys = NULL;
    if (type.kind == MLS_KIND_DICTIONARY) {
        keys = MLS_NEW(arena, struct mls_tensor);
        if (!keys)
            return false;
        keys->type = mls_type_tensor(type.key_dtype, 1, &n);
        keys->data = mls_arena_alloc(arena, mls_type_bytes(&keys->type), 16);
        if (!keys->data)
            return false;
    }
    if (!data)
        return false;
    tensor->type = type;
    tensor->data = data;
    tensor->keys = keys;
    return true;
}

enum mls_status mls_run_open_input(struct mls_run *run, size_t index, int64_t n, struct mls_arena **ret_arena,
                                   struct mls_error *reterr)
{
    const struct mls_feature *feature = &run->session->shared.interface->inputs[index];
    struct mls_tensor *tensor = mls_run_input(run, index);
    if (n < 0 || n > MLS_LIMIT_LIST_LENGTH)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot fill \"%s\": more than %d elements", feature->name,
                        MLS_LIMIT_LIST_LENGTH);
    struct mls_arena *arena = plan_arena_create(run->session->shared.model);
    if (!arena)
        return no_memory(feature, reterr);
    if (plan_input_is_open(feature) && !take_memory(arena, tensor, n)) {
        mls_arena_free(arena);
        return no_memory(feature, reterr);
    }
    mls_arena_free(run->input_arenas[index]);
    run->input_arenas[index] = arena;
    *ret_arena = arena;
    return MLS_OK;
}
