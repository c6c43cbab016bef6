#include "format/spec.h"

#include "format/pb_desc.h"
#include "format/pb_mil.h"
#include "format/pb_nn.h"
#include "format/pb_stage.h"
#include "format/pb_wire.h"

enum { TYPE_ML_PROGRAM = 502 };

static enum mls_status read_description(struct mls_bytes spec, struct mls_bytes bytes,
                                        struct pb_memory *memory, struct mls_model *model,
                                        struct mls_error *reterr)
{
    if (!bytes.data)
        return mls_fail(reterr, MLS_ERR_SPEC_INTERFACE,
                        "cannot read the model's interface: the model has no description");
    ProtobufCMessage *message;
    enum mls_status status =
        pb_unpack(&pb__model_description__descriptor, bytes, spec, memory, &message, reterr);
    return status ? status : pb_read_description((const Pb__ModelDescription *)message, model, reterr);
}

static enum mls_status read_program(struct mls_bytes spec, struct mls_bytes bytes, struct pb_memory *memory,
                                    struct mls_model *model, struct spec_blobs *ret_blobs,
                                    struct mls_error *reterr)
{
    ProtobufCMessage *message;
    enum mls_status status = pb_unpack(&pb__program__descriptor, bytes, spec, memory, &message, reterr);
    if (status)
        return status;
    const char **names = MLS_NEW_ARRAY(memory->scratch, model->n_interfaces, const char *);
    struct program_reader reader = {.arena = model->arena, .builder = ir_builder_create(model->arena)};
    if (!names || !reader.builder) {
        ir_builder_free(reader.builder);
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the program: out of memory");
    }
    for (size_t i = 0; i < model->n_interfaces; i++)
        names[i] = model->interfaces[i].function;
    status = pb_read_program(&reader, (const Pb__Program *)message, names, model->n_interfaces,
                             &model->program, reterr);
    ir_builder_free(reader.builder);
    if (!status)
        *ret_blobs = reader.blobs;
    return status;
}

/* A network is the one function of its model. */
static enum mls_status read_network(struct mls_bytes spec, struct mls_bytes bytes, struct pb_memory *memory,
                                    struct mls_model *model, struct mls_error *reterr)
{
    struct mls_function *function = MLS_NEW(model->arena, struct mls_function);
    struct ir_builder *builder = ir_builder_create(model->arena);
    enum mls_status status = MLS_OK;
    if (!function || !builder)
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the network: out of memory");
    if (!status)
        status = pb_read_network(spec, bytes, memory, model->arena, builder, &model->interfaces[0],
                                 (mls_function_id){0}, function, reterr);
    if (!status)
        status = ir_finish(builder, function, 1, &model->program, reterr);
    ir_builder_free(builder);
    return status;
}

enum mls_status spec_read(struct mls_bytes spec, const struct spec_envelope *envelope, size_t limit_bytes,
                          struct mls_model *model, struct spec_blobs *ret_blobs, struct mls_error *reterr)
{
    struct pb_memory memory;
    pb_memory_init(&memory, model->arena, limit_bytes);
    if (!memory.scratch)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the specification: out of memory");
    enum mls_status status = read_description(spec, envelope->description, &memory, model, reterr);
    if (!status && envelope->type_number == TYPE_ML_PROGRAM)
        status = read_program(spec, envelope->content, &memory, model, ret_blobs, reterr);
    else if (!status && pb_is_network(envelope->type_number))
        status = read_network(spec, envelope->content, &memory, model, reterr);
    else if (!status)
        status = pb_read_stages(spec, envelope, &memory, model, ret_blobs, reterr);
    pb_memory_done(&memory);
    return status;
}

enum mls_status spec_read_description(struct mls_bytes file, struct mls_bytes description, size_t limit_bytes,
                                      struct mls_model *model, struct mls_error *reterr)
{
    struct pb_memory memory;
    pb_memory_init(&memory, model->arena, limit_bytes);
    if (!memory.scratch)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the description: out of memory");
    enum mls_status status = read_description(file, description, &memory, model, reterr);
    pb_memory_done(&memory);
    return status;
}
