/*
 * op_case.h: one operation run alone, from plain arrays, the way planner and executor run it: parameters
 * checked, types inferred first without and then with the values of computed inputs, weights packed, scratch
 * and outputs allocated.
 *
 *     struct op_case c;
 *     op_case_begin(&c, "add", 5);
 *     op_case_floats(&c, "x", MLS_FP16, 2, (int64_t[]){2, 3}, values);
 *     op_case_floats(&c, "y", MLS_FP16, 0, NULL, (float[]){1});
 *     assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
 *     ... op_case_output(&c, 0)->type, op_case_get(&c, 0, i) ...
 *     op_case_end(&c);
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "ops/op.h"
#include "ops/op_check.h"
#include "support/op_coverage.h"

enum { OP_CASE_VALUES_MAX = 64, OP_CASE_OUTPUTS_MAX = 16, OP_CASE_SCRATCH_MAX = 1 << 28 };

struct op_case {
    const struct mls_op_row *row;
    uint32_t opset;
    struct mls_tensor tensors[OP_CASE_VALUES_MAX]; /* inputs; data owned */
    unsigned param_of[OP_CASE_VALUES_MAX];
    bool borrowed[OP_CASE_VALUES_MAX]; /* data is the caller's (lists, states) */
    unsigned n_tensors;
    int alias; /* index of the input that output 0 lies on, or -1 */
    struct mls_tensor outputs[OP_CASE_OUTPUTS_MAX];
    unsigned n_outputs;
    struct mls_error error;
    const char *kernel;
    uint64_t flops;
    uint64_t random_state;
    enum mls_weights weights; /* how compressed constants are used */

    /* Of the last run. */
    struct mls_heap heap;
    struct mls_arena *arena;
};

/* op_case_begin: an operation without parameters and with one output. Aborts the test when no row answers. */
static inline void op_case_begin(struct op_case *c, const char *type, uint32_t opset)
{
    memset(c, 0, sizeof *c);
    c->row = mls_op_find(type, opset);
    c->opset = opset;
    c->n_outputs = 1;
    c->alias = -1;
    c->random_state = 1;
    if (!c->row) {
        fprintf(stderr, "no row for %s in opset %u\n", type, opset);
        abort();
    }
}

/* op_case_tensor: adds a value to a parameter (again: the next value of a variadic one); copies data unless
 * NULL. */
static inline struct mls_tensor *op_case_tensor(struct op_case *c, const char *param, enum mls_dtype dtype,
                                                unsigned rank, const int64_t *dims, const void *data)
{
    int index = mls_op_param_index(c->row, param);
    if (index < 0 || c->n_tensors == OP_CASE_VALUES_MAX) {
        fprintf(stderr, "%s has no parameter %s\n", c->row->name, param);
        abort();
    }
    struct mls_tensor *tensor = &c->tensors[c->n_tensors];
    c->param_of[c->n_tensors++] = (unsigned)index;
    tensor->type = mls_type_tensor(dtype, rank, dims);
    size_t bytes = mls_type_bytes(&tensor->type);
    if (data && bytes != SIZE_MAX) {
        tensor->data = malloc(bytes ? bytes : 1);
        memcpy(tensor->data, data, bytes);
    }
    return tensor;
}

/* op_case_store: writes a number as an element of a tensor, rounded to its type. */
static inline void op_case_store(struct mls_tensor *tensor, int64_t i, double value)
{
    switch (tensor->type.dtype) {
    case MLS_FP16:
        ((uint16_t *)tensor->data)[i] = mls_fp32_to_fp16((float)value);
        break;
    case MLS_FP32:
        ((float *)tensor->data)[i] = (float)value;
        break;
    case MLS_FP64:
        ((double *)tensor->data)[i] = value;
        break;
    case MLS_INT8:
        ((int8_t *)tensor->data)[i] = (int8_t)value;
        break;
    case MLS_UINT8:
    case MLS_BOOL:
        ((uint8_t *)tensor->data)[i] = (uint8_t)value;
        break;
    case MLS_INT16:
        ((int16_t *)tensor->data)[i] = (int16_t)value;
        break;
    case MLS_UINT16:
        ((uint16_t *)tensor->data)[i] = (uint16_t)value;
        break;
    case MLS_INT32:
        ((int32_t *)tensor->data)[i] = (int32_t)value;
        break;
    case MLS_UINT32:
        ((uint32_t *)tensor->data)[i] = (uint32_t)value;
        break;
    default:
        fprintf(stderr, "op_case_store: no %s\n", mls_dtype_name(tensor->type.dtype));
        abort();
    }
}

/* op_case_floats: a tensor of any numeric type from floats, each rounded to the type. */
static inline struct mls_tensor *op_case_floats(struct op_case *c, const char *param, enum mls_dtype dtype,
                                                unsigned rank, const int64_t *dims, const float *values)
{
    struct mls_tensor *tensor = op_case_tensor(c, param, dtype, rank, dims, NULL);
    size_t bytes = mls_type_bytes(&tensor->type);
    tensor->data = malloc(bytes ? bytes : 1);
    for (int64_t i = 0; i < mls_type_elems(&tensor->type); i++)
        op_case_store(tensor, i, (double)values[i]);
    return tensor;
}

static inline void op_case_ints(struct op_case *c, const char *param, int64_t n, const int32_t *values)
{
    op_case_tensor(c, param, MLS_INT32, 1, &n, values);
}
static inline void op_case_int(struct op_case *c, const char *param, int32_t value)
{
    op_case_tensor(c, param, MLS_INT32, 0, NULL, &value);
}
static inline void op_case_bool(struct op_case *c, const char *param, bool value)
{
    uint8_t byte = value;
    op_case_tensor(c, param, MLS_BOOL, 0, NULL, &byte);
}
static inline void op_case_float(struct op_case *c, const char *param, enum mls_dtype dtype, float value)
{
    op_case_floats(c, param, dtype, 0, NULL, &value);
}
/* op_case_text: a string parameter; the text is borrowed until op_case_end. */
static inline void op_case_text(struct op_case *c, const char *param, const char *text)
{
    struct mls_text value = {.bytes = text, .length_bytes = strlen(text)};
    op_case_tensor(c, param, MLS_TEXT, 0, NULL, &value);
}
/* op_case_value: a ready tensor (list, state, dictionary); everything it points to is borrowed. */
static inline void op_case_value(struct op_case *c, const char *param, const struct mls_tensor *value)
{
    struct mls_tensor *tensor = op_case_tensor(c, param, value->type.dtype, 0, NULL, NULL);
    *tensor = *value;
    c->borrowed[c->n_tensors - 1] = true;
}

/* op_case_alias: output 0 will lie on the data of the last value added. */
static inline void op_case_alias(struct op_case *c)
{
    c->alias = (int)c->n_tensors - 1;
}

/* What a call points to while it is set up. */
struct op_case_call {
    struct mls_op_call call;
    struct mls_arg args[MLS_OP_PARAMS_MAX];
    struct mls_tensor *values[OP_CASE_VALUES_MAX];
    struct mls_tensor *outputs[OP_CASE_OUTPUTS_MAX];
};

static inline void op_case_wire(struct op_case *c, struct op_case_call *w)
{
    memset(w, 0, sizeof *w);
    unsigned at = 0;
    for (unsigned p = 0; p < MLS_OP_PARAMS_MAX; p++) {
        w->args[p].values = &w->values[at];
        for (unsigned t = 0; t < c->n_tensors; t++) {
            if (c->param_of[t] != p)
                continue;
            w->values[at++] = &c->tensors[t];
            w->args[p].n++;
        }
    }
    for (unsigned o = 0; o < c->n_outputs; o++)
        w->outputs[o] = &c->outputs[o];
    w->call = (struct mls_op_call){.row = c->row,
                                   .function = "main",
                                   .name = "case",
                                   .opset = c->opset,
                                   .args = w->args,
                                   .outputs = w->outputs,
                                   .n_outputs = c->n_outputs};
}

/* op_case_infer: checks and infers at plan time: inputs that need not be constant have no data then, unless
 * `known`. */
static inline enum mls_status op_case_infer(struct op_case *c, bool known)
{
    struct op_case_call w;
    op_case_wire(c, &w);
    void *hidden[OP_CASE_VALUES_MAX];
    for (unsigned t = 0; t < c->n_tensors; t++) {
        hidden[t] = c->tensors[t].data;
        if (!known && !(c->row->params[c->param_of[t]].flags & MLS_PARAM_CONST))
            c->tensors[t].data = NULL;
    }
    enum mls_status status = mls_op_check_params(c->row, &w.call, &c->error);
    if (status == MLS_OK)
        status = c->row->infer(&w.call, &c->error);
    for (unsigned t = 0; t < c->n_tensors; t++)
        c->tensors[t].data = hidden[t];
    return status;
}

static inline bool op_case_static(const struct op_case *c)
{
    for (unsigned o = 0; o < c->n_outputs; o++)
        if (!mls_type_is_static(&c->outputs[o].type))
            return false;
    return true;
}

/* op_case_place: memory for the outputs, of exactly their size so that the address sanitizer sees every step
 * outside. */
static inline void op_case_place(struct op_case *c)
{
    for (unsigned o = 0; o < c->n_outputs; o++) {
        size_t bytes = mls_type_bytes(&c->outputs[o].type);
        if (o == 0 && c->alias >= 0) {
            if (bytes != mls_type_bytes(&c->tensors[c->alias].type))
                abort();
            c->outputs[0].data = c->tensors[c->alias].data;
        } else if (bytes != SIZE_MAX) {
            c->outputs[o].data = malloc(bytes ? bytes : 1);
            memset(c->outputs[o].data, 0xa5, bytes);
        }
    }
}

/* op_case_run: everything. The status of the first step that failed; c->error says why. */
static inline enum mls_status op_case_run(struct op_case *c, enum mls_isa cap, uint32_t threads)
{
    enum mls_status status = op_case_infer(c, false);
    if (status == MLS_OK && !op_case_static(c))
        status = op_case_infer(c, true);
    if (status != MLS_OK)
        return status;

    struct mls_kernels kernels = mls_kernels_pick(cap);
    struct mls_op_env env = {.kernels = &kernels,
                             .pool = mls_pool_create(threads, threads),
                             .heap = &c->heap,
                             .weights = c->weights,
                             .random_state = &c->random_state,
                             .error = &c->error};
    struct op_case_call w;
    op_case_wire(c, &w);
    c->arena = mls_arena_create(0);
    size_t packed_bytes = 0;
    if (c->row->pack)
        status = c->row->pack(&w.call, &env, c->arena, &w.call.packed, &packed_bytes);
    size_t scratch_bytes =
        status == MLS_OK && c->row->scratch_bytes ? c->row->scratch_bytes(&w.call, &env) : 0;
    if (scratch_bytes > OP_CASE_SCRATCH_MAX)
        status = MLS_ERR_MEMORY;
    else if (scratch_bytes) {
        scratch_bytes = (scratch_bytes + 63) / 64 * 64;
        w.call.scratch = aligned_alloc(64, scratch_bytes);
        memset(w.call.scratch, 0xa5, scratch_bytes);
    }
    if (!(c->row->flags & MLS_OP_ALLOCATES))
        op_case_place(c);
    c->flops = status == MLS_OK && c->row->flops ? c->row->flops(&w.call) : 0;
    if (status == MLS_OK)
        status = c->row->run(&w.call, &env);
    if (status == MLS_OK)
        op_coverage_add(c->row);
    c->kernel = w.call.kernel;
    free(w.call.scratch);
    mls_pool_free(env.pool);
    return status;
}

static inline struct mls_tensor *op_case_output(struct op_case *c, unsigned index)
{
    return &c->outputs[index];
}

/* op_case_get: element i of an output as a number. */
static inline double op_case_get(struct op_case *c, unsigned output, int64_t i)
{
    return mls_tensor_float(&c->outputs[output], i);
}

static inline void op_case_end(struct op_case *c)
{
    for (unsigned o = 0; o < c->n_outputs; o++) {
        struct mls_tensor *output = &c->outputs[o];
        if (c->row->flags & MLS_OP_ALLOCATES) {
            if (output->list)
                mls_list_free(&c->heap, output->list);
            else
                mls_heap_free(&c->heap, output->data, mls_type_bytes(&output->type));
        } else if (o != 0 || c->alias < 0) {
            free(output->data);
        }
    }
    for (unsigned t = 0; t < c->n_tensors; t++)
        if (!c->borrowed[t])
            free(c->tensors[t].data);
    mls_arena_free(c->arena);
    memset(c, 0, sizeof *c);
}
