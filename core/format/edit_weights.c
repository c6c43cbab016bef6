#include "format/edit_weights.h"

#include <string.h>

char edit_weights_reference[] = "@model_path/weights/weight.bin";

static enum mls_status no_memory(struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot write the weights: out of memory");
}

/* ---- Records, one for each content, wherever it comes from ---------------------------------- */

/* By a few of its words: those that are the same here are compared in full. */
static uint64_t hash_of(const struct blob_record *record)
{
    enum { SAMPLES = 16 };
    const uint8_t *bytes = record->data.data;
    size_t size = record->data.size_bytes, step = size / SAMPLES;
    uint64_t hash = (size + record->dtype_number) * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint64_t word = 0;
        size_t left = size - i * step;
        if (left)
            memcpy(&word, bytes + i * step, left < sizeof word ? left : sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    return hash;
}

static bool same_content(const struct blob_record *a, const struct blob_record *b)
{
    return a->data.size_bytes == b->data.size_bytes && a->dtype_number == b->dtype_number &&
           a->padding_bits == b->padding_bits &&
           (a->data.data == b->data.data || !a->data.size_bytes || !memcmp(a->data.data, b->data.data, a->data.size_bytes));
}

static size_t slot_of(const struct edit_weights *weights, const struct blob_record *record)
{
    size_t slot = (size_t)(hash_of(record) >> 20) & (weights->n_slots - 1);
    for (;; slot = (slot + 1) & (weights->n_slots - 1))
        if (!weights->slots[slot] || same_content(&weights->records[weights->slots[slot] - 1].record, record))
            return slot;
}

static bool grow(struct edit_weights *weights)
{
    size_t capacity = weights->capacity ? weights->capacity * 2 : 256;
    struct edit_record *records = MLS_NEW_ARRAY(weights->arena, capacity, struct edit_record);
    uint32_t *slots = MLS_NEW_ARRAY(weights->arena, capacity * 2, uint32_t);
    if (!records || !slots)
        return false;
    if (weights->n_records)
        memcpy(records, weights->records, weights->n_records * sizeof *records);
    weights->records = records;
    weights->capacity = capacity;
    weights->slots = slots;
    weights->n_slots = capacity * 2;
    for (size_t i = 0; i < weights->n_records; i++)
        weights->slots[slot_of(weights, &records[i].record)] = (uint32_t)i + 1;
    return true;
}

static bool place(struct edit_weights *weights, const struct blob_record *record, uint64_t *ret_offset)
{
    if (weights->n_records == weights->capacity && !grow(weights))
        return false;
    size_t slot = slot_of(weights, record);
    if (!weights->slots[slot]) {
        struct edit_record *added = &weights->records[weights->n_records];
        added->record = *record;
        if (!blob_place(&weights->size_bytes, record->data.size_bytes, &added->offset))
            return false;
        weights->slots[slot] = (uint32_t)++weights->n_records;
    }
    *ret_offset = weights->records[weights->slots[slot] - 1].offset;
    return true;
}

/* ---- The program's values -------------------------------------------------------------------- */

static enum mls_status place_blob(struct edit_weights *weights, Pb__BlobFileValue *blob,
                                  struct mls_error *reterr)
{
    struct blob_record record;
    if (blob->file_name == pb_pending_file) {
        const struct pb_pending *pending = &weights->pending->list[blob->offset];
        record = (struct blob_record){.dtype_number = pending->dtype_number,
                                      .padding_bits = pending->padding_bits,
                                      .data = {pending->data, pending->size_bytes}};
    } else {
        struct mls_bytes file;
        const char *path;
        enum mls_status status = mls_package_blob(weights->package, blob->file_name, &file, &path, reterr);
        if (!status)
            status = blob_find(file, path, blob->offset, &record, reterr);
        if (status)
            return status;
    }
    blob->file_name = edit_weights_reference;
    return place(weights, &record, &blob->offset) ? MLS_OK : no_memory(reterr);
}

/* Messages nest no deeper than pb_unpack allowed. */
static enum mls_status place_value(struct edit_weights *weights, const Pb__Value *value,
                                   struct mls_error *reterr)
{
    if (!value)
        return MLS_OK;
    if (value->value_case == PB__VALUE__VALUE_BLOB_FILE_VALUE)
        return place_blob(weights, value->blob_file_value, reterr);
    enum mls_status status = MLS_OK;
    if (value->value_case == PB__VALUE__VALUE_IMMEDIATE_VALUE &&
        value->immediate_value->value_case == PB__IMMEDIATE_VALUE__VALUE_LIST)
        for (size_t i = 0; !status && i < value->immediate_value->list->n_values; i++)
            status = place_value(weights, value->immediate_value->list->values[i], reterr);
    return status;
}

static enum mls_status place_argument(struct edit_weights *weights, const Pb__Argument *argument,
                                      struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    for (size_t i = 0; argument && !status && i < argument->n_arguments; i++)
        if (argument->arguments[i]->binding_case == PB__BINDING__BINDING_VALUE)
            status = place_value(weights, argument->arguments[i]->value, reterr);
    return status;
}

static enum mls_status place_block(struct edit_weights *weights, const Pb__Block *block,
                                   struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    for (size_t i = 0; block && !status && i < block->n_operations; i++) {
        const Pb__Operation *op = block->operations[i];
        for (size_t j = 0; !status && j < op->n_inputs; j++)
            status = place_argument(weights, op->inputs[j]->value, reterr);
        for (size_t j = 0; !status && j < op->n_attributes; j++)
            status = place_value(weights, op->attributes[j]->value, reterr);
        for (size_t j = 0; !status && j < op->n_blocks; j++)
            status = place_block(weights, op->blocks[j], reterr);
    }
    return status;
}

enum mls_status edit_weights_lay_out(struct edit_weights *weights, const Pb__Program *program,
                                     struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    for (size_t f = 0; !status && f < program->n_functions; f++) {
        const Pb__Function *function = program->functions[f]->value;
        for (size_t i = 0; function && !status && i < function->n_block_specializations; i++)
            status = place_block(weights, function->block_specializations[i]->value, reterr);
    }
    return status;
}

enum mls_status edit_weights_write(const struct edit_weights *weights, struct mls_arena *keep,
                                   struct mls_bytes *ret_file, struct mls_error *reterr)
{
    if (!weights->n_records) {
        *ret_file = (struct mls_bytes){NULL, 0};
        return MLS_OK;
    }
    uint8_t *file = mls_arena_alloc_large(keep, weights->size_bytes);
    if (!file)
        return no_memory(reterr);
    blob_put_header(file, (uint32_t)weights->n_records);
    for (size_t i = 0; i < weights->n_records; i++) {
        const struct edit_record *record = &weights->records[i];
        blob_put_record(file, record->offset, &record->record);
        mls_package_done_with(weights->package, record->record.data.data, record->record.data.size_bytes);
    }
    *ret_file = (struct mls_bytes){file, weights->size_bytes};
    return MLS_OK;
}
