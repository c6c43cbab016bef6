#include "recording/sections.h"

#include <stdio.h>
#include <string.h>

void put_name(struct mls_bytes_out *out, const struct section_source *source, const char *name,
              const char *kind, size_t index)
{
    char number[48];
    if (!source->redact || !name) {
        mls_put_text(out, name);
        return;
    }
    snprintf(number, sizeof number, "%s_%zu", kind, index);
    mls_put_text(out, number);
}

/* ---- Environment, model, load
 * ----------------------------------------------------------------------------------- */

void put_environment(struct mls_bytes_out *out, const struct section_source *source)
{
    const struct mls_environment *environment = &source->record->environment;
    mls_put_text(out, environment->tool_version);
    mls_put_text(out, environment->commit);
    mls_put_text(out, environment->cpu);
    mls_put_text(out, environment->isa);
    mls_put_u32(out, environment->cores);
    mls_put_text(out, environment->kernel);
    mls_put_text(out, environment->governor);
    mls_put_text(out, environment->clock);
    mls_put_text(out, environment->date_utc);
}

void take_environment(struct mls_cursor *cursor, const struct section_target *target)
{
    struct mls_environment *environment = &target->record->environment;
    environment->tool_version = mls_take_text(cursor, target->arena);
    environment->commit = mls_take_text(cursor, target->arena);
    environment->cpu = mls_take_text(cursor, target->arena);
    environment->isa = mls_take_text(cursor, target->arena);
    environment->cores = mls_cursor_u32(cursor);
    const char *kernel = mls_take_text(cursor, target->arena);
    const char *governor = mls_take_text(cursor, target->arena);
    environment->clock = mls_take_text(cursor, target->arena);
    const char *date = mls_take_text(cursor, target->arena);
    snprintf(environment->kernel, sizeof environment->kernel, "%s", kernel ? kernel : "");
    snprintf(environment->governor, sizeof environment->governor, "%s", governor ? governor : "");
    snprintf(environment->date_utc, sizeof environment->date_utc, "%s", date ? date : "");
}

static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash && slash[1] ? slash + 1 : path;
}

void put_model(struct mls_bytes_out *out, const struct section_source *source)
{
    const struct mls_record_model *model = &source->record->model;
    put_name(out, source, base_name(model->path), "model", 0);
    mls_put_text(out, model->form);
    mls_put_text(out, model->cipher);
    mls_put_text(out, model->lock_message);
    put_name(out, source, model->function, "function", 0);
    mls_put_text(out, model->isa);
    mls_put_text(out, model->precision);
    mls_put_u8(out, model->sealed);
    mls_put_u8(out, model->redacted || source->redact);
    mls_put_u64(out, model->file_bytes);
    mls_put_u32(out, (uint32_t)model->spec_version);
    mls_put_u32(out, model->opset);
    mls_put_u32(out, model->threads);
    mls_put_u32(out, model->concurrency);
}

void take_model(struct mls_cursor *cursor, const struct section_target *target)
{
    struct mls_record_model *model = &target->record->model;
    model->path = mls_take_text(cursor, target->arena);
    model->form = mls_take_text(cursor, target->arena);
    model->cipher = mls_take_text(cursor, target->arena);
    model->lock_message = mls_take_text(cursor, target->arena);
    model->function = mls_take_text(cursor, target->arena);
    model->isa = mls_take_text(cursor, target->arena);
    model->precision = mls_take_text(cursor, target->arena);
    model->sealed = mls_take_u8(cursor) != 0;
    model->redacted = mls_take_u8(cursor) != 0;
    model->file_bytes = mls_cursor_u64(cursor);
    model->spec_version = (int32_t)mls_cursor_u32(cursor);
    model->opset = mls_cursor_u32(cursor);
    model->threads = mls_cursor_u32(cursor);
    model->concurrency = mls_cursor_u32(cursor);
}

void put_load(struct mls_bytes_out *out, const struct section_source *source)
{
    mls_put_u64(out, source->record->load_ns);
    mls_put_u32(out, MLS_STAGE_COUNT);
    for (unsigned i = 0; i < MLS_STAGE_COUNT; i++) {
        mls_put_text(out, mls_stage_name((enum mls_stage)i));
        mls_put_u8(out, source->record->stages[i].entered);
        mls_put_u64(out, source->record->stages[i].ns);
    }
}

void take_load(struct mls_cursor *cursor, const struct section_target *target)
{
    target->record->load_ns = mls_cursor_u64(cursor);
    uint32_t n = mls_take_count(cursor, 13);
    for (uint32_t i = 0; i < n; i++) {
        const char *name = mls_take_text(cursor, target->arena);
        struct mls_stage_time stage = {.entered = mls_take_u8(cursor) != 0};
        stage.ns = mls_cursor_u64(cursor);
        for (unsigned known = 0; known < MLS_STAGE_COUNT; known++)
            if (name && strcmp(name, mls_stage_name((enum mls_stage)known)) == 0)
                target->record->stages[known] = stage;
    }
}

/* ---- Steps
 * ------------------------------------------------------------------------------------------------------ */

static void put_type(struct mls_bytes_out *out, const struct mls_type *type)
{
    mls_put_u8(out, type->kind);
    mls_put_u8(out, type->dtype);
    mls_put_u8(out, type->rank);
    for (unsigned i = 0; i < type->rank && i < MLS_RANK_MAX; i++)
        mls_put_u64(out, (uint64_t)type->dims[i]);
}

static struct mls_type take_type(struct mls_cursor *cursor)
{
    struct mls_type type = {.kind = (enum mls_kind)mls_take_u8(cursor)};
    type.dtype = (enum mls_dtype)mls_take_u8(cursor);
    type.rank = mls_take_u8(cursor);
    cursor->bad = cursor->bad || type.kind > MLS_KIND_TUPLE || (unsigned)type.dtype >= MLS_DTYPE_COUNT ||
                  (type.rank > MLS_RANK_MAX && type.rank != MLS_RANK_UNKNOWN);
    for (unsigned i = 0; !cursor->bad && i < type.rank && i < MLS_RANK_MAX; i++)
        type.dims[i] = (int64_t)mls_cursor_u64(cursor);
    return type;
}

static void put_operands(struct mls_bytes_out *out, const struct section_source *source,
                         const struct mls_step_operand *operands, uint32_t n, const char *kind, size_t step)
{
    mls_put_u32(out, n);
    for (uint32_t i = 0; i < n; i++) {
        put_name(out, source, operands[i].name, kind, step * 100 + i);
        mls_put_text(out, operands[i].parameter);
        put_type(out, &operands[i].type);
        mls_put_u8(out, operands[i].constant);
    }
}

static const struct mls_step_operand *take_operands(struct mls_cursor *cursor, struct mls_arena *arena,
                                                    uint32_t *ret_n)
{
    uint32_t n = mls_take_count(cursor, 12);
    struct mls_step_operand *operands = mls_take_array(cursor, arena, n, sizeof *operands);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        operands[i].name = mls_take_text(cursor, arena);
        operands[i].parameter = mls_take_text(cursor, arena);
        operands[i].type = take_type(cursor);
        operands[i].constant = mls_take_u8(cursor) != 0;
        cursor->bad = cursor->bad || !operands[i].name;
    }
    *ret_n = cursor->bad ? 0 : n;
    return operands;
}

static void put_step(struct mls_bytes_out *out, const struct section_source *source,
                     const struct mls_step *step, size_t index)
{
    mls_put_u32(out, step->op.i);
    put_name(out, source, step->function, "function", 0);
    put_name(out, source, step->path, "op", index);
    mls_put_text(out, step->type);
    put_name(out, source, step->name, "op", index);
    mls_put_text(out, step->kernel);
    mls_put_u32(out, step->depth);
    mls_put_u8(out, step->control);
    mls_put_u8(out, step->dynamic);
    mls_put_u64(out, step->cost.flops);
    mls_put_u64(out, step->cost.bytes_read);
    mls_put_u64(out, step->cost.bytes_written);
    put_operands(out, source, step->inputs, step->n_inputs, "input", index);
    put_operands(out, source, step->outputs, step->n_outputs, "value", index);
    mls_put_u32(out, step->n_fused);
    for (uint32_t i = 0; i < step->n_fused; i++)
        mls_put_u32(out, step->fused[i].i);
    mls_put_u64(out, step->live_bytes_after);
    mls_put_u64(out, step->scratch_bytes);
}

void put_steps(struct mls_bytes_out *out, const struct section_source *source)
{
    mls_put_u32(out, (uint32_t)source->record->n_steps);
    for (size_t i = 0; i < source->record->n_steps; i++)
        put_step(out, source, source->record->steps[i], i);
}

static void take_step(struct mls_cursor *cursor, struct mls_arena *arena, struct mls_step *step,
                      uint32_t index)
{
    step->index = index;
    step->op.i = mls_cursor_u32(cursor);
    step->function = mls_take_text(cursor, arena);
    step->path = mls_take_text(cursor, arena);
    step->type = mls_take_text(cursor, arena);
    step->name = mls_take_text(cursor, arena);
    step->kernel = mls_take_text(cursor, arena);
    step->depth = mls_cursor_u32(cursor);
    step->control = mls_take_u8(cursor) != 0;
    step->dynamic = mls_take_u8(cursor) != 0;
    step->cost.flops = mls_cursor_u64(cursor);
    step->cost.bytes_read = mls_cursor_u64(cursor);
    step->cost.bytes_written = mls_cursor_u64(cursor);
    step->inputs = take_operands(cursor, arena, &step->n_inputs);
    step->outputs = take_operands(cursor, arena, &step->n_outputs);
    uint32_t n_fused = mls_take_count(cursor, 4);
    mls_op_id *fused = mls_take_array(cursor, arena, n_fused, sizeof *fused);
    for (uint32_t i = 0; i < n_fused && fused; i++)
        fused[i].i = mls_cursor_u32(cursor);
    step->fused = fused;
    step->n_fused = fused ? n_fused : 0;
    step->live_bytes_after = mls_cursor_u64(cursor);
    step->scratch_bytes = mls_cursor_u64(cursor);
    cursor->bad = cursor->bad || !step->path || !step->type || !step->name || step->depth > UINT16_MAX;
}

void take_steps(struct mls_cursor *cursor, const struct section_target *target)
{
    uint32_t n = mls_take_count(cursor, 72);
    struct mls_step *steps = mls_take_array(cursor, target->arena, n, sizeof *steps);
    const struct mls_step **table = mls_take_array(cursor, target->arena, n, sizeof *table);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        take_step(cursor, target->arena, &steps[i], i);
        table[i] = &steps[i];
    }
    target->record->steps = table;
    target->record->n_steps = cursor->bad ? 0 : n;
}

/* ---- Labels, buffers, attributes
 * -------------------------------------------------------------------------------- */

void put_ops(struct mls_bytes_out *out, const struct section_source *source)
{
    const struct mls_record *record = source->record;
    uint32_t n = 0;
    for (size_t i = 0; i < record->n_ops; i++)
        n += record->ops[i].type != NULL;
    mls_put_u32(out, (uint32_t)record->n_ops);
    mls_put_u32(out, n);
    for (size_t i = 0; i < record->n_ops; i++) {
        if (!record->ops[i].type)
            continue;
        mls_put_u32(out, (uint32_t)i);
        mls_put_text(out, record->ops[i].type);
        put_name(out, source, record->ops[i].name, "op", i);
    }
}

enum { OPS_MAX = 1 << 22 }; /* the table is as long as the file says: it may not be longer than any model's */

void take_ops(struct mls_cursor *cursor, const struct section_target *target)
{
    uint32_t n_ops = mls_cursor_u32(cursor);
    uint32_t n = mls_take_count(cursor, 12);
    cursor->bad = cursor->bad || n_ops > OPS_MAX || n > n_ops;
    struct mls_op_label *ops = mls_take_array(cursor, target->arena, cursor->bad ? 0 : n_ops, sizeof *ops);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        uint32_t op = mls_cursor_u32(cursor);
        cursor->bad = cursor->bad || op >= n_ops;
        struct mls_op_label label = {.type = mls_take_text(cursor, target->arena)};
        label.name = mls_take_text(cursor, target->arena);
        if (!cursor->bad && label.name)
            ops[op] = label;
    }
    target->record->ops = ops;
    target->record->n_ops = cursor->bad ? 0 : n_ops;
}

void put_buffers(struct mls_bytes_out *out, const struct section_source *source)
{
    mls_put_u32(out, (uint32_t)source->record->n_buffers);
    for (size_t i = 0; i < source->record->n_buffers; i++) {
        const struct mls_buffer *buffer = source->record->buffers[i];
        put_name(out, source, buffer->name, "buffer", i);
        mls_put_u64(out, buffer->offset_bytes);
        mls_put_u64(out, buffer->size_bytes);
        mls_put_u32(out, buffer->first_step);
        mls_put_u32(out, buffer->last_step);
    }
}

void take_buffers(struct mls_cursor *cursor, const struct section_target *target)
{
    uint32_t n = mls_take_count(cursor, 28);
    struct mls_buffer *buffers = mls_take_array(cursor, target->arena, n, sizeof *buffers);
    const struct mls_buffer **table = mls_take_array(cursor, target->arena, n, sizeof *table);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        buffers[i].name = mls_take_text(cursor, target->arena);
        buffers[i].offset_bytes = mls_cursor_u64(cursor);
        buffers[i].size_bytes = mls_cursor_u64(cursor);
        buffers[i].first_step = mls_cursor_u32(cursor);
        buffers[i].last_step = mls_cursor_u32(cursor);
        cursor->bad = cursor->bad || buffers[i].last_step < buffers[i].first_step;
        table[i] = &buffers[i];
    }
    target->record->buffers = table;
    target->record->n_buffers = cursor->bad ? 0 : n;
}

/* Values may quote the model: with redaction there are none. */
void put_attributes(struct mls_bytes_out *out, const struct section_source *source)
{
    size_t n = source->redact ? 0 : source->record->n_attributes;
    mls_put_u32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        mls_put_u32(out, source->record->attributes[i].step);
        mls_put_text(out, source->record->attributes[i].name);
        mls_put_text(out, source->record->attributes[i].value);
    }
}

void take_attributes(struct mls_cursor *cursor, const struct section_target *target)
{
    uint32_t n = mls_take_count(cursor, 12);
    struct mls_step_attribute *attributes = mls_take_array(cursor, target->arena, n, sizeof *attributes);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        attributes[i].step = mls_cursor_u32(cursor);
        attributes[i].name = mls_take_text(cursor, target->arena);
        attributes[i].value = mls_take_text(cursor, target->arena);
        cursor->bad = cursor->bad || !attributes[i].name || !attributes[i].value;
    }
    target->record->attributes = attributes;
    target->record->n_attributes = cursor->bad ? 0 : n;
}
