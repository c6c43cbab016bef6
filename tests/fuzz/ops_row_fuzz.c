/*
 * One operation of the table with any parameters: what `infer` accepts has to run, for any content, without a
 * step outside its memory (outputs and scratch have exactly the size announced), and give the same on the
 * portable kernels with one thread and on the best ones with three. The bytes choose the row, then each
 * parameter: left out or given, type, rank, dimensions from a pool of four, and elements. Bytes that are used
 * up are zeros.
 */
#include <stddef.h>
#include <stdint.h>

#include "core/cpu.h"
#include "fuzz/source.h"
#include "support/op_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

enum { POOL = 4, RANK_LIMIT = 6, ELEMENTS_MAX = 1 << 12, VECTOR_MAX = 8, OUTPUT_BYTES_MAX = 1 << 20 };

static bool can_store(enum mls_dtype dtype)
{
    return dtype != MLS_NONE && dtype != MLS_TEXT && mls_dtype_numpy_name(dtype) && dtype != MLS_INT64 &&
           dtype != MLS_UINT64;
}

static void fill(struct source *source, struct mls_tensor *tensor)
{
    size_t bytes = mls_type_bytes(&tensor->type);
    tensor->data = calloc(bytes ? bytes : 1, 1);
    bool number =
        tensor->type.dtype == MLS_FP16 || tensor->type.dtype == MLS_FP32 || tensor->type.dtype == MLS_FP64;
    if (!can_store(tensor->type.dtype)) { /* packed bits: any */
        for (size_t i = 0; i < bytes; i++)
            ((uint8_t *)tensor->data)[i] = (uint8_t)take(source, 256);
        return;
    }
    for (int64_t i = 0; i < mls_type_elems(&tensor->type); i++) {
        double value = number ? take_number(source) : (double)take_integer(source);
        if (tensor->type.dtype == MLS_BOOL)
            value = take(source, 2);
        else if (!number && mls_dtype_bits(tensor->type.dtype) < 32)
            value = take(source, 100);
        else if (tensor->type.dtype == MLS_UINT32)
            value = fabs(value);
        op_case_store(tensor, i, value);
    }
}

/* Sizes that dimensions are taken from, and the types of domains, so that parameters fit together now and
 * then. */
struct shared {
    int64_t pool[POOL];
    enum mls_dtype domains[128];
};

/* A parameter's value: its rank and dims as the bytes say; integers are mostly scalars and short vectors. */
static bool give(struct op_case *c, struct source *source, const struct mls_op_param *param,
                 struct shared *shared)
{
    enum mls_dtype *domain = &shared->domains[(unsigned char)param->domain % 128];
    enum mls_dtype dtype = take_dtype(source, param->types);
    if (param->domain && *domain != MLS_NONE && param->types & MLS_DTYPE_BIT(*domain))
        dtype = *domain;
    *domain = dtype;
    if (dtype == MLS_TEXT) {
        op_case_text(c, param->name, texts[take(source, N_TEXTS)]);
        return true;
    }
    int64_t dims[RANK_LIMIT];
    unsigned rank = take(source, RANK_LIMIT + 1);
    bool vector = dtype == MLS_INT32 && rank < 4;
    if (vector)
        rank = rank == 0 ? 0 : 1;
    for (unsigned i = 0; i < rank; i++)
        dims[i] = vector ? (int64_t)take(source, VECTOR_MAX + 1) : shared->pool[take(source, POOL)];
    struct mls_tensor *tensor = op_case_tensor(c, param->name, dtype, rank, dims, NULL);
    int64_t n = mls_type_elems(&tensor->type);
    if (n < 0 || n > ELEMENTS_MAX)
        return false;
    fill(source, tensor);
    return true;
}

static bool is_tested_here(const struct mls_op_row *row)
{
    for (unsigned p = 0; p < MLS_OP_PARAMS_MAX && row->params[p].name; p++)
        if (row->params[p].flags & (MLS_PARAM_LIST | MLS_PARAM_STATE))
            return false;
    return row->infer && row->run;
}

/* The case that the bytes describe; false where it is too large to try. */
static bool build(struct op_case *c, const struct mls_op_row *row, struct source source)
{
    op_case_begin(c, row->name, row->since);
    c->heap.limit_bytes = (size_t)1 << 26;
    struct shared shared = {.domains = {MLS_NONE}};
    for (unsigned i = 0; i < POOL; i++)
        shared.pool[i] = take(&source, 8);
    c->n_outputs = 1 + take(&source, 3);
    for (unsigned p = 0; p < MLS_OP_PARAMS_MAX && row->params[p].name; p++) {
        const struct mls_op_param *param = &row->params[p];
        unsigned n = take(&source, 4) == 0 && param->flags & MLS_PARAM_OPTIONAL ? 0 : 1;
        if (param->flags & MLS_PARAM_VARIADIC)
            n += take(&source, 3);
        for (unsigned i = 0; i < n; i++)
            if (!give(c, &source, param, &shared))
                return false;
    }
    return true;
}

static enum mls_status run(struct op_case *c, enum mls_isa isa, uint32_t threads)
{
    enum mls_status status = op_case_infer(c, false);
    if (!status && !op_case_static(c))
        status = op_case_infer(c, true);
    if (status)
        return status;
    if (!op_case_static(c) && !(c->row->flags & MLS_OP_ALLOCATES))
        return MLS_ERR_RUN_SHAPE; /* the executor finds no size for it either */
    for (unsigned o = 0; o < c->n_outputs; o++) {
        size_t bytes = mls_type_bytes(&c->outputs[o].type);
        if (c->outputs[o].type.kind != MLS_KIND_TENSOR || (bytes != SIZE_MAX && bytes > OUTPUT_BYTES_MAX))
            return MLS_ERR_MEMORY;
    }
    return op_case_run(c, isa, threads);
}

/* ---- Comparison ---- */

static bool is_float(enum mls_dtype dtype)
{
    return dtype == MLS_FP16 || dtype == MLS_FP32;
}

/* Whether all numbers of the case, inputs and outputs, are finite: others may come out differently. */
static bool all_finite(struct op_case *c)
{
    for (unsigned i = 0; i < c->n_tensors + c->n_outputs; i++) {
        const struct mls_tensor *tensor = i < c->n_tensors ? &c->tensors[i] : &c->outputs[i - c->n_tensors];
        for (int64_t e = 0; is_float(tensor->type.dtype) && e < mls_type_elems(&tensor->type); e++)
            if (!(fabs(mls_tensor_float(tensor, e)) < 1e4))
                return false;
    }
    return true;
}

static void compare(struct op_case *a, struct op_case *b)
{
    for (unsigned o = 0; o < a->n_outputs; o++) {
        const struct mls_tensor *x = &a->outputs[o], *y = &b->outputs[o];
        double greatest = 1, tolerance = x->type.dtype == MLS_FP16 ? 0.02 : 1e-3;
        if (!mls_type_equal(&x->type, &y->type)) {
            fprintf(stderr, "%s: the types of output %u differ\n", a->row->name, o);
            abort();
        }
        if (!is_float(x->type.dtype))
            continue;
        for (int64_t i = 0; i < mls_type_elems(&x->type); i++)
            greatest = fmax(greatest, fabs(mls_tensor_float(x, i)));
        for (int64_t i = 0; i < mls_type_elems(&x->type); i++) {
            double p = mls_tensor_float(x, i), q = mls_tensor_float(y, i);
            if (fabs(p - q) <= tolerance * greatest)
                continue;
            fprintf(stderr, "%s of opset %u: element %lld of output %u is %g with %s and %g with %s\n",
                    a->row->name, (unsigned)a->row->since, (long long)i, o, p, a->kernel ? a->kernel : "?", q,
                    b->kernel ? b->kernel : "?");
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct source source = {data, size_bytes, 0};
    const struct mls_op_row *row = mls_op_at((uint32_t)(take(&source, 256) % mls_op_count()));
    if (!is_tested_here(row))
        return 0;
    struct op_case plain, best;
    bool small = build(&plain, row, source);
    build(&best, row, source);
    if (small) {
        enum mls_status first = run(&plain, MLS_ISA_GENERIC, 1), second = run(&best, mls_cpu_best(), 3);
        if (first != second) {
            fprintf(stderr, "%s: %s with generic kernels, %s with the best: %s%s\n", row->name,
                    mls_status_name(first), mls_status_name(second), plain.error.text, best.error.text);
            abort();
        }
        if (!first && all_finite(&plain) && all_finite(&best))
            compare(&plain, &best);
    }
    op_case_end(&plain);
    op_case_end(&best);
    return 0;
}
