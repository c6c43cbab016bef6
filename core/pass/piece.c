#include "pass/piece.h"

#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "ops/op_check.h"

/* Readers are looked for among so many nodes behind a value: enough for programs, and an end for hostile ones. */
enum { READERS_WITHIN = 4096 };

bool piece_is(const struct piece_node *node, const char *name)
{
    return node && !node->removed && !node->dynamic && !node->n_fused && !strcmp(node->row->name, name);
}

uint32_t piece_arg(const struct piece_node *node, unsigned param)
{
    return param < node->n_arguments && node->arguments[param].n ? node->arguments[param].values[0] : PIECE_NONE;
}

uint32_t piece_named_arg(const struct piece_node *node, const char *param)
{
    int index = mls_op_param_index(node->row, param);
    return index < 0 ? PIECE_NONE : piece_arg(node, (unsigned)index);
}

struct piece_node *piece_source(const struct piece *piece, uint32_t value)
{
    return value == PIECE_NONE ? NULL : piece->values[value].producer;
}

struct piece_node *piece_sole_source(const struct piece *piece, uint32_t value)
{
    struct piece_node *node = piece_source(piece, value);
    return node && piece->values[value].n_uses == 1 ? node : NULL;
}

bool piece_number(const struct piece *piece, uint32_t value, double *ret)
{
    if (value == PIECE_NONE || !piece->values[value].constant)
        return false;
    const struct mls_tensor *tensor = piece->values[value].tensor;
    if (tensor->type.kind != MLS_KIND_TENSOR || !tensor->data || mls_type_elems(&tensor->type) != 1 ||
        tensor->type.dtype == MLS_TEXT)
        return false;
    *ret = mls_tensor_float(tensor, 0);
    return true;
}

bool piece_bool(const struct piece_node *node, const char *param, bool otherwise)
{
    int index = mls_op_param_index(node->row, param);
    return index < 0 ? otherwise : mls_op_bool(&node->call, (unsigned)index, otherwise);
}

/* A constant for a node with this content. */
static uint32_t add_small(struct piece *piece, const struct piece_node *node, const struct mls_type *type, const void *content,
                          bool shape_free)
{
    bool fresh;
    size_t bytes = mls_type_bytes(type);
    void *data = piece->host->memory(piece->host, node->op, PIECE_MADE_NUMBER, bytes, shape_free, &fresh);
    uint32_t value = PIECE_NONE;
    if (data && !fresh && memcmp(data, content, bytes) != 0) /* another plan made something else of the operation */
        data = piece->host->memory(piece->host, node->op, PIECE_MADE_NUMBER, bytes, false, &fresh);
    if (data) {
        if (fresh)
            memcpy(data, content, bytes);
        struct piece_constant constant = {.name = node->op->name, .type = *type, .data = data, .shape_free = shape_free};
        value = piece->host->add_constant(piece->host, &constant);
    }
    piece->out_of_memory = piece->out_of_memory || value == PIECE_NONE;
    return value;
}

uint32_t piece_number_value(struct piece *piece, const struct piece_node *node, enum mls_dtype dtype, float number)
{
    struct mls_type type = mls_type_tensor(dtype, 0, NULL);
    uint16_t half = mls_fp32_to_fp16(number);
    return add_small(piece, node, &type, dtype == MLS_FP16 ? (const void *)&half : &number, true);
}

uint32_t piece_ints_value(struct piece *piece, const struct piece_node *node, const int64_t *numbers, unsigned n, bool shape_free)
{
    int64_t length = n;
    struct mls_type type = mls_type_tensor(MLS_INT32, 1, &length);
    int32_t content[2 * MLS_RANK_MAX];
    for (unsigned i = 0; i < n; i++)
        content[i] = (int32_t)numbers[i];
    return add_small(piece, node, &type, content, shape_free);
}

uint32_t piece_text_value(struct piece *piece, const struct piece_node *node, const char *text)
{
    struct mls_type type = mls_type_tensor(MLS_TEXT, 0, NULL);
    struct mls_text content = {.bytes = text, .length_bytes = strlen(text)};
    return add_small(piece, node, &type, &content, true);
}

bool piece_has_channels(const struct piece *piece, const struct mls_type *of, uint32_t value, unsigned dim)
{
    const struct mls_tensor *tensor = value == PIECE_NONE ? NULL : piece->values[value].tensor;
    if (!tensor || !piece->values[value].constant || !tensor->data || tensor->type.kind != MLS_KIND_TENSOR ||
        (tensor->type.dtype != MLS_FP16 && tensor->type.dtype != MLS_FP32) || tensor->type.rank > of->rank)
        return false;
    int64_t n_elems = mls_type_elems(&tensor->type);
    unsigned from_end = of->rank - dim; /* broadcasting counts from the last dimension */
    bool named = tensor->type.rank >= from_end && tensor->type.dims[tensor->type.rank - from_end] == n_elems;
    return n_elems == 1 || (named && n_elems == of->dims[dim]);
}

bool piece_channels(struct piece *piece, const struct piece_node *node, uint32_t value, unsigned dim, uint32_t *ret_vector)
{
    const struct mls_type *of = &node->call.outputs[0]->type;
    if (dim >= of->rank || !piece_has_channels(piece, of, value, dim) ||
        mls_type_elems(piece_type(piece, value)) != of->dims[dim])
        return false;
    const struct piece_value *source = &piece->values[value];
    struct piece_constant constant = {.name = node->op->name,
                                      .type = mls_type_tensor(source->tensor->type.dtype, 1, &of->dims[dim]),
                                      .data = source->tensor->data,
                                      .shape_free = source->shape_free};
    *ret_vector = piece->host->add_constant(piece->host, &constant);
    piece->out_of_memory = piece->out_of_memory || *ret_vector == PIECE_NONE;
    return *ret_vector != PIECE_NONE;
}

struct piece_node *piece_reader(const struct piece *piece, uint32_t value)
{
    const struct piece_node *from = piece->values[value].producer;
    for (uint32_t i = from->position + 1; i < piece->n_nodes && i - from->position <= READERS_WITHIN; i++) {
        struct piece_node *node = piece->nodes[i];
        for (uint32_t j = 0; !node->removed && j < node->n_arguments; j++)
            for (uint32_t k = 0; k < node->arguments[j].n; k++)
                if (node->arguments[j].values[k] == value)
                    return node;
    }
    return NULL;
}

bool piece_wire(struct piece *piece, struct piece_node *node)
{
    struct mls_op_call *call = &node->call;
    call->row = node->row;
    call->args = MLS_NEW_ARRAY(piece->arena, node->n_arguments, struct mls_arg);
    if (!call->args)
        return false;
    for (uint32_t i = 0; i < node->n_arguments; i++) {
        const struct piece_argument *argument = &node->arguments[i];
        struct mls_tensor **tensors = MLS_NEW_ARRAY(piece->arena, argument->n, struct mls_tensor *);
        if (!tensors)
            return false;
        for (uint32_t j = 0; j < argument->n; j++)
            tensors[j] = piece->values[argument->values[j]].tensor;
        call->args[i] = (struct mls_arg){.values = tensors, .n = argument->n};
    }
    return true;
}

static int by_number(const void *a, const void *b)
{
    const mls_op_id *x = a, *y = b;
    return x->i < y->i ? -1 : x->i > y->i;
}

bool piece_absorb(struct piece *piece, struct piece_node *node, const struct piece_node *other)
{
    mls_op_id *origins = MLS_NEW_ARRAY(piece->arena, node->n_origins + other->n_origins, mls_op_id);
    if (!origins) {
        piece->out_of_memory = true;
        return false;
    }
    memcpy(origins, node->origins, node->n_origins * sizeof *origins);
    memcpy(origins + node->n_origins, other->origins, other->n_origins * sizeof *origins);
    qsort(origins, node->n_origins + other->n_origins, sizeof *origins, by_number);
    uint32_t n = 0;
    for (uint32_t i = 0; i < node->n_origins + other->n_origins; i++)
        if (!n || origins[n - 1].i != origins[i].i)
            origins[n++] = origins[i];
    node->origins = origins;
    node->n_origins = n;
    return true;
}

static bool is_unused(const struct piece *piece, const struct piece_node *node)
{
    if (node->removed || node->row->flags & (MLS_OP_STATEFUL | MLS_OP_ALIAS_STATE | MLS_OP_CONTROL))
        return false;
    for (uint32_t i = 0; i < node->call.n_outputs; i++)
        if (piece->values[node->outputs[i]].n_uses)
            return false;
    return true;
}

/* Takes away one use of each operand of a node, and what nobody reads any more, for which the heir stands. */
static void release_operands(struct piece *piece, const struct piece_node *node, struct piece_node *heir)
{
    struct piece_node *waiting = NULL;
    do {
        for (uint32_t i = 0; i < node->n_arguments; i++) {
            for (uint32_t j = 0; j < node->arguments[i].n; j++) {
                struct piece_value *value = &piece->values[node->arguments[i].values[j]];
                value->n_uses--;
                struct piece_node *source = value->producer;
                if (!source || source == heir || !is_unused(piece, source) || !piece_absorb(piece, heir, source))
                    continue;
                source->removed = true;
                source->next_removed = waiting;
                waiting = source;
            }
        }
        node = waiting;
        waiting = node ? node->next_removed : NULL;
    } while (node);
}

static bool bind(struct piece *piece, struct piece_node *node, const struct piece_binding *bindings)
{
    node->n_arguments = mls_op_param_count(node->row);
    node->arguments = MLS_NEW_ARRAY(piece->arena, node->n_arguments, struct piece_argument);
    if (!node->arguments)
        return false;
    for (; bindings->param; bindings++) {
        int param = mls_op_param_index(node->row, bindings->param);
        if (bindings->value == PIECE_NONE)
            continue;
        struct piece_argument *argument = &node->arguments[param];
        argument->values = MLS_NEW(piece->arena, uint32_t);
        if (!argument->values)
            return false;
        argument->values[0] = bindings->value;
        argument->n = 1;
    }
    return piece_wire(piece, node);
}

/* Whether the row takes the operands, and computes what the node computed, or anything at all with `retype`. */
static bool infers(struct piece *piece, struct piece_node *node, const struct mls_type *type, bool retype)
{
    struct mls_error ignored;
    struct mls_type *found = &node->call.outputs[0]->type;
    bool ok = !mls_op_check_params(node->row, &node->call, &ignored) && !node->row->infer(&node->call, &ignored);
    ok = ok && (retype || mls_type_equal(found, type));
    if (!retype || !ok)
        *found = *type;
    return ok && !piece->out_of_memory;
}

static bool rewrite(struct piece *piece, struct piece_node *node, const struct mls_op_row *row,
                    const struct piece_binding *bindings, bool retype)
{
    struct piece_node before = *node;
    const struct mls_type type = node->call.outputs[0]->type;
    for (uint32_t i = 0; bindings[i].param; i++)
        if (bindings[i].value != PIECE_NONE)
            piece->values[bindings[i].value].n_uses++;
    node->row = row;
    bool wired = bind(piece, node, bindings);
    piece->out_of_memory = piece->out_of_memory || !wired;
    if (!wired || !infers(piece, node, &type, retype)) {
        *node = before;
        for (uint32_t i = 0; bindings[i].param; i++)
            if (bindings[i].value != PIECE_NONE)
                piece->values[bindings[i].value].n_uses--;
        return false;
    }
    node->rewritten = true;
    release_operands(piece, &before, node);
    return true;
}

bool piece_rewrite(struct piece *piece, struct piece_node *node, const char *op, const struct piece_binding *bindings)
{
    return rewrite(piece, node, mls_op_find(op, MLS_OPSET_MAX), bindings, false);
}

/* Readers of a value near the node that computes it; with `by`, they read that instead. */
static uint32_t redirect(struct piece *piece, const struct piece_node *from, uint32_t value, uint32_t by)
{
    uint32_t n = 0, wanted = piece->values[value].n_uses;
    for (uint32_t i = from->position + 1; n < wanted && i < piece->n_nodes && i - from->position <= READERS_WITHIN; i++) {
        struct piece_node *node = piece->nodes[i];
        for (uint32_t j = 0; !node->removed && j < node->n_arguments; j++) {
            for (uint32_t k = 0; k < node->arguments[j].n; k++) {
                if (node->arguments[j].values[k] != value)
                    continue;
                n++;
                if (by == PIECE_NONE)
                    continue;
                node->arguments[j].values[k] = by;
                node->call.args[j].values[k] = piece->values[by].tensor;
            }
        }
    }
    return n;
}

enum { BINDINGS_MAX = MLS_OP_PARAMS_MAX + 1 };

static bool rebind(struct piece *piece, struct piece_node *node, const struct piece_binding *bindings, bool retype)
{
    struct piece_binding all[BINDINGS_MAX] = {{NULL, 0}};
    for (uint32_t i = 0; i < node->n_arguments; i++) {
        if (node->arguments[i].n > 1)
            return false;
        all[i] = (struct piece_binding){node->row->params[i].name, piece_arg(node, i)};
        for (const struct piece_binding *changed = bindings; changed->param; changed++)
            if (!strcmp(changed->param, all[i].param))
                all[i].value = changed->value;
    }
    return rewrite(piece, node, node->row, all, retype);
}

bool piece_rebind(struct piece *piece, struct piece_node *node, const struct piece_binding *bindings)
{
    return rebind(piece, node, bindings, false);
}

bool piece_retype(struct piece *piece, struct piece_node *node, const struct piece_binding *bindings)
{
    return piece->values[node->outputs[0]].n_uses == 1 && rebind(piece, node, bindings, true);
}

bool piece_forward(struct piece *piece, struct piece_node *node, uint32_t value)
{
    uint32_t output = node->outputs[0], n_uses = piece->values[output].n_uses;
    struct piece_node *heir = piece->values[value].producer ? piece->values[value].producer : piece_reader(piece, output);
    if (node->call.n_outputs != 1 || !heir || redirect(piece, node, output, PIECE_NONE) != n_uses ||
        !piece_absorb(piece, heir, node))
        return false;
    redirect(piece, node, output, value);
    piece->values[value].n_uses += n_uses;
    piece->values[output].n_uses = 0;
    node->removed = true;
    release_operands(piece, node, heir);
    return true;
}

bool piece_take_over(struct piece *piece, struct piece_node *node, struct piece_node *reader)
{
    if (!piece_absorb(piece, node, reader))
        return false;
    node->outputs = reader->outputs;
    node->call.outputs = reader->call.outputs;
    piece->values[node->outputs[0]].producer = node;
    reader->removed = true;
    return true;
}
