/*
 * Whole programs made from the bytes: operations of the table on inputs, constants and what earlier ones gave, kept where
 * `infer` accepts them. The program is written as MIL text and read again, so that all of the way is tried: reader,
 * verifier, planner, fusion, arena, executor. With a byte more it is damaged first: then it may be refused. What runs gives
 * the same bits with one thread and three, and with and without the passes that promise it. The portable kernels and
 * the best ones agree operation by operation: each gets the same inputs, since what the portable ones gave is put in
 * place of the others'.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/cpu.h"
#include "format/load.h"
#include "fuzz/predict.h"
#include "fuzz/source.h"
#include "support/op_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VALUES_MAX = 400, OPS_MAX = 24, ATTEMPTS_MAX = 48, POOL = 4, RANK_LIMIT = 5, ELEMENTS_MAX = 1 << 11, OUTPUTS_MAX = 3 };
/* Comparable numbers: products of larger ones lose more in cancellation than the tolerance. */
enum { MAGNITUDE_MAX = 64 };

static const char *const usual[] = {"add",         "mul",       "sub",         "relu",        "sigmoid",   "tanh",
                                    "conv",        "linear",    "matmul",      "reshape",     "transpose", "concat",
                                    "reduce_mean", "batch_norm", "layer_norm", "softmax",     "gelu",      "clip",
                                    "cast",        "max_pool",  "slice_by_index", "expand_dims", "squeeze", "gather",
                                    "silu",        "real_div",  "maximum",     "split",       "pad",       "avg_pool"};
enum { N_USUAL = sizeof usual / sizeof usual[0] };

struct generator {
    struct source source;
    struct mls_arena *arena;
    uint32_t opset;
    int64_t pool[POOL]; /* dimensions that fit together now and then */
    struct mls_value values[VALUES_MAX];
    uint32_t n_values;
    bool used[VALUES_MAX];
    struct mls_op ops[OPS_MAX];
    uint32_t n_ops;
    mls_value_id inputs[3];
};

static void *copy(struct generator *g, const void *from, size_t n, size_t size)
{
    void *to = mls_arena_array(g->arena, n + 1, size, 16);
    if (!to)
        abort();
    if (n)
        memcpy(to, from, n * size);
    return to;
}

static mls_value_id add_value(struct generator *g, struct mls_type type, uint32_t producer,
                              const struct mls_constant *constant)
{
    struct mls_value *value = &g->values[g->n_values];
    *value = (struct mls_value){.type = type, .producer = {producer}, .constant = constant};
    value->name = mls_arena_printf(g->arena, "v%u", (unsigned)g->n_values);
    return (mls_value_id){g->n_values++};
}

static struct mls_type take_type(struct generator *g, enum mls_dtype dtype, unsigned rank)
{
    int64_t dims[RANK_LIMIT];
    for (unsigned i = 0; i < rank; i++)
        dims[i] = g->pool[take(&g->source, POOL)];
    return mls_type_tensor(dtype, rank, dims);
}

/* A constant: integers are mostly scalars and short vectors, element by element; the others come from one byte. */
static mls_value_id add_constant(struct generator *g, enum mls_dtype dtype)
{
    unsigned rank = take(&g->source, RANK_LIMIT);
    bool vector = dtype == MLS_INT32 && rank < 4;
    int64_t length = vector ? take(&g->source, 6) : 0;
    struct mls_type type = vector ? mls_type_tensor(dtype, rank > 0, &length) : take_type(g, dtype, rank);
    if (dtype == MLS_TEXT)
        type = mls_type_tensor(MLS_TEXT, 0, NULL);
    size_t bytes = mls_type_bytes(&type);
    struct mls_tensor tensor = {.type = type};
    if (mls_type_elems(&type) > ELEMENTS_MAX)
        return (mls_value_id){MLS_NO_INDEX};
    tensor.data = mls_arena_alloc(g->arena, bytes + 1, 64);
    if (dtype == MLS_TEXT) {
        const char *text = texts[take(&g->source, N_TEXTS)];
        *(struct mls_text *)tensor.data = (struct mls_text){text, strlen(text)};
    } else {
        uint32_t random = vector ? 0 : take(&g->source, 256);
        bool number = dtype == MLS_FP16 || dtype == MLS_FP32;
        for (int64_t i = 0; number && i < mls_type_elems(&type); i++) {
            random = random * 1664525u + 1013904223u;
            op_case_store(&tensor, i, ((int)(random >> 24) - 128) / 64.0);
        }
        for (int64_t i = 0; dtype == MLS_INT32 && i < mls_type_elems(&type); i++)
            op_case_store(&tensor, i, vector ? (double)take_integer(&g->source) : (double)(random + i) / 7);
        for (size_t i = 0; !number && dtype != MLS_INT32 && i < bytes; i++)
            ((uint8_t *)tensor.data)[i] = (uint8_t)(dtype == MLS_BOOL ? (random >> i % 8) & 1 : random + i * 37);
    }
    struct mls_constant constant = {.data = tensor.data, .size_bytes = bytes};
    return add_value(g, type, MLS_NO_INDEX, copy(g, &constant, 1, sizeof constant));
}

/* A value that an operation or the function gives, of these types; MLS_NO_INDEX where there is none. */
static mls_value_id find_value(struct generator *g, mls_dtype_set types)
{
    uint32_t found[VALUES_MAX], n = 0;
    for (uint32_t i = 0; i < g->n_values; i++)
        if (!g->values[i].constant && types & MLS_DTYPE_BIT(g->values[i].type.dtype))
            found[n++] = i;
    return (mls_value_id){n ? found[n - 1 - take(&g->source, n)] : MLS_NO_INDEX};
}

static mls_value_id choose_value(struct generator *g, const struct mls_op_param *param, mls_dtype_set types)
{
    mls_value_id id = {MLS_NO_INDEX};
    if (!(param->flags & MLS_PARAM_CONST) && take(&g->source, 4))
        id = find_value(g, types);
    return id.i != MLS_NO_INDEX ? id : add_constant(g, take_dtype(&g->source, types));
}

/* One parameter of the operation: its values into `c` and its argument. False when it cannot be given. */
static bool give(struct generator *g, struct op_case *c, const struct mls_op_param *param, enum mls_dtype *domain,
                 struct mls_argument *ret_argument)
{
    unsigned n = param->flags & MLS_PARAM_OPTIONAL && take(&g->source, 4) ? 0 : 1;
    if (param->flags & MLS_PARAM_VARIADIC)
        n += take(&g->source, 3);
    mls_value_id ids[4];
    for (unsigned i = 0; i < n; i++) {
        mls_dtype_set types = param->types;
        if (param->domain && *domain != MLS_NONE)
            types = types & MLS_DTYPE_BIT(*domain) ? MLS_DTYPE_BIT(*domain) : types;
        if (g->n_values > VALUES_MAX - 8)
            return false;
        ids[i] = choose_value(g, param, types);
        if (ids[i].i == MLS_NO_INDEX)
            return false;
        const struct mls_value *value = &g->values[ids[i].i];
        *domain = value->type.dtype;
        struct mls_tensor tensor = {.type = value->type,
                                    .data = value->constant ? (void *)(uintptr_t)value->constant->data : NULL};
        op_case_value(c, param->name, &tensor);
    }
    *ret_argument = (struct mls_argument){param->name, copy(g, ids, n, sizeof *ids), n};
    return true;
}

static const struct mls_op_row *choose_row(struct generator *g)
{
    unsigned choice = take(&g->source, 256), fine = take(&g->source, 256);
    const char *name = choice & 1 ? usual[fine % N_USUAL] : mls_op_at((choice / 2 * 256 + fine) % mls_op_count())->name;
    const struct mls_op_row *row = mls_op_find(name, g->opset);
    for (unsigned p = 0; row && p < MLS_OP_PARAMS_MAX && row->params[p].name; p++)
        if (row->params[p].flags & (MLS_PARAM_LIST | MLS_PARAM_STATE))
            return NULL;
    return row && row->infer && row->run && !(row->flags & MLS_OP_CONST) ? row : NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct mls_argument *)a)->name, ((const struct mls_argument *)b)->name);
}

static bool fits(const struct op_case *c)
{
    for (unsigned o = 0; o < c->n_outputs; o++) {
        const struct mls_type *type = &c->outputs[o].type;
        size_t bytes = mls_type_bytes(type);
        if (type->kind != MLS_KIND_TENSOR || type->dtype == MLS_TEXT || type->dtype == MLS_NONE || type->rank > MLS_RANK_MAX ||
            (mls_type_is_static(type) && bytes > 1 << 16))
            return false;
    }
    return true;
}

/* One more operation, if the bytes describe one that can be. */
static void add_op(struct generator *g)
{
    const struct mls_op_row *row = choose_row(g);
    if (!row)
        return;
    static struct op_case c;
    op_case_begin(&c, row->name, g->opset);
    unsigned more = take(&g->source, 8);
    c.n_outputs = more < OUTPUTS_MAX && more ? more + 1 : 1;
    enum mls_dtype domains[128] = {MLS_NONE};
    struct mls_argument arguments[MLS_OP_PARAMS_MAX];
    uint32_t n_arguments = 0, values_before = g->n_values;
    bool ok = true;
    for (unsigned p = 0; ok && p < MLS_OP_PARAMS_MAX && row->params[p].name; p++) {
        const struct mls_op_param *param = &row->params[p];
        domains[0] = MLS_NONE;
        ok = give(g, &c, param, &domains[(unsigned char)param->domain % 128], &arguments[n_arguments]);
        n_arguments += ok && arguments[n_arguments].n_values;
    }
    ok = ok && !op_case_infer(&c, true) && fits(&c);
    if (ok) {
        mls_value_id outputs[OUTPUTS_MAX];
        for (uint32_t i = 0; i < n_arguments; i++)
            for (uint32_t k = 0; k < arguments[i].n_values; k++)
                g->used[arguments[i].values[k].i] = true;
        for (unsigned o = 0; o < c.n_outputs; o++)
            outputs[o] = add_value(g, c.outputs[o].type, g->n_ops, NULL);
        qsort(arguments, n_arguments, sizeof *arguments, by_name);
        g->ops[g->n_ops] = (struct mls_op){.type = row->name,
                                           .name = g->values[outputs[0].i].name,
                                           .arguments = copy(g, arguments, n_arguments, sizeof *arguments),
                                           .n_arguments = n_arguments,
                                           .outputs = copy(g, outputs, c.n_outputs, sizeof *outputs),
                                           .n_outputs = c.n_outputs};
        g->n_ops++;
    } else {
        g->n_values = values_before;
    }
    c.n_outputs = 0; /* nothing was run, so there is nothing of outputs to free */
    op_case_end(&c);
}

/* Another type, dimension or element than was accepted. */
static bool damage(struct generator *g)
{
    if (take(&g->source, 4) != 1)
        return false;
    struct mls_value *value = &g->values[take(&g->source, 256) % g->n_values];
    unsigned what = take(&g->source, 4);
    if (what == 0 && value->type.rank && !value->constant)
        value->type.dims[take(&g->source, value->type.rank)] = take_integer(&g->source);
    else if (what == 1 && !value->constant)
        value->type.dtype = take_dtype(&g->source, MLS_T_NUMBER | MLS_T_BOOL);
    else if (what == 2 && value->constant && value->constant->size_bytes && value->type.dtype != MLS_TEXT)
        ((uint8_t *)(uintptr_t)value->constant->data)[take(&g->source, 256) % value->constant->size_bytes] =
            (uint8_t)take(&g->source, 256);
    else if (what == 3 && g->n_ops > 1)
        g->ops[take(&g->source, g->n_ops)].type = usual[take(&g->source, N_USUAL)];
    return true;
}

static bool append(void *user, const char *bytes, size_t length_bytes)
{
    return fwrite(bytes, 1, length_bytes, user) == length_bytes;
}

/* The program as MIL text; the caller frees. */
static char *write_program(struct generator *g, size_t *ret_size)
{
    mls_value_id outputs[8];
    mls_op_id ids[OPS_MAX];
    uint32_t n_outputs = 0;
    for (uint32_t i = 0; i < g->n_values && n_outputs < 8; i++)
        if (!g->values[i].constant && !g->used[i] && g->values[i].producer.i != MLS_NO_INDEX)
            outputs[n_outputs++] = (mls_value_id){i};
    for (uint32_t i = 0; i < g->n_ops; i++)
        ids[i] = (mls_op_id){i};
    struct mls_block block = {.parent = {MLS_NO_INDEX},
                              .inputs = g->inputs,
                              .n_inputs = 3,
                              .ops = ids,
                              .n_ops = g->n_ops,
                              .outputs = outputs,
                              .n_outputs = n_outputs};
    struct mls_function function = {.name = "main", .opset = g->opset};
    struct mls_model model = {.program = {.functions = &function,
                                          .n_functions = 1,
                                          .blocks = &block,
                                          .n_blocks = 1,
                                          .ops = g->ops,
                                          .n_ops = g->n_ops,
                                          .values = g->values,
                                          .n_values = g->n_values}};
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_size);
    mls_program_write(&model, &(struct mls_writer){file, append});
    fclose(file);
    return text;
}

static char *generate(const uint8_t *data, size_t size, bool *ret_damaged, size_t *ret_size)
{
    static struct generator g;
    memset(&g, 0, sizeof g);
    g.source = (struct source){data, size, 0};
    g.arena = mls_arena_create(0);
    g.opset = MLS_OPSET_MIN + take(&g.source, MLS_OPSET_MAX - MLS_OPSET_MIN + 1);
    for (unsigned i = 0; i < POOL; i++)
        g.pool[i] = 1 + take(&g.source, 9);
    for (unsigned i = 0; i < 3; i++) {
        static const enum mls_dtype dtypes[] = {MLS_FP16, MLS_FP32, MLS_INT32};
        enum mls_dtype dtype = dtypes[take(&g.source, 7) % 3];
        g.inputs[i] = add_value(&g, take_type(&g, dtype, 1 + take(&g.source, RANK_LIMIT)), MLS_NO_INDEX, NULL);
    }
    for (unsigned i = 0; i < ATTEMPTS_MAX && g.n_ops < OPS_MAX && g.source.at < size; i++)
        add_op(&g);
    char *text = NULL;
    if (g.n_ops) {
        *ret_damaged = damage(&g);
        text = write_program(&g, ret_size);
    }
    mls_arena_free(g.arena);
    return text;
}

/* ---- Operation by operation ---- */

enum { KEPT_MAX = 64 };

static struct kept {
    uint32_t step;
    struct mls_type type;
    void *data;
} kept[KEPT_MAX];
static unsigned n_kept, n_compared;
static bool comparable;

static bool is_float(enum mls_dtype dtype)
{
    return dtype == MLS_FP16 || dtype == MLS_FP32 || dtype == MLS_FP64;
}

static bool is_tame(const struct mls_tensor *tensor)
{
    for (int64_t i = 0; is_float(tensor->type.dtype) && i < mls_type_elems(&tensor->type); i++)
        if (!(fabs(mls_tensor_float(tensor, i)) < MAGNITUDE_MAX))
            return false;
    return true;
}

static void keep(void *user, uint32_t step, struct mls_tensor *const *outputs, uint32_t n_outputs)
{
    (void)user;
    for (uint32_t o = 0; o < n_outputs; o++) {
        size_t bytes = mls_type_bytes(&outputs[o]->type);
        if (n_kept == KEPT_MAX || outputs[o]->type.kind != MLS_KIND_TENSOR || bytes == SIZE_MAX || !is_tame(outputs[o]))
            comparable = false;
        if (!comparable)
            return;
        struct kept *k = &kept[n_kept++];
        *k = (struct kept){step, outputs[o]->type, malloc(bytes + 1)};
        if (bytes)
            memcpy(k->data, outputs[o]->data, bytes);
    }
}

static void check(const struct mls_step *step, const struct mls_tensor *best, const struct mls_tensor *plain)
{
    if (!mls_type_equal(&best->type, &plain->type)) {
        fprintf(stderr, "%s: another type\n", step->type);
        abort();
    }
    double greatest = 1, tolerance = is_float(best->type.dtype) ? best->type.dtype == MLS_FP16 ? 0.02 : 1e-3 : 0;
    for (int64_t i = 0; i < mls_type_elems(&best->type); i++)
        greatest = fmax(greatest, fabs(mls_tensor_float(plain, i)));
    for (int64_t i = 0; i < mls_type_elems(&best->type); i++) {
        double p = mls_tensor_float(plain, i), q = mls_tensor_float(best, i);
        if (fabs(p - q) <= tolerance * greatest)
            continue;
        fprintf(stderr, "%s (%s): element %lld is %g on portable kernels and %g\n", step->type,
                step->kernel ? step->kernel : "?", (long long)i, p, q);
        abort();
    }
}

static void check_and_replace(void *user, uint32_t step, struct mls_tensor *const *outputs, uint32_t n_outputs)
{
    const struct predicted *predicted = user;
    for (uint32_t o = 0; o < n_outputs && n_compared < n_kept; o++) {
        const struct kept *k = &kept[n_compared++];
        struct mls_tensor plain = {.type = k->type, .data = k->data};
        size_t bytes = mls_type_bytes(&k->type);
        if (k->step != step)
            abort();
        check(mls_plan_step(predicted->plan, step), outputs[o], &plain);
        if (bytes && memcmp(outputs[o]->data, k->data, bytes))
            memcpy(outputs[o]->data, k->data, bytes);
    }
}

static void compare_kernels(const struct mls_model *model)
{
    struct predicted plain, best;
    n_kept = n_compared = 0;
    comparable = true;
    predict(model, (struct mls_session_options){.threads = 1, .no_fusion = true, .cpu_capped = true, .cpu = MLS_ISA_GENERIC},
            keep, &plain);
    predict(model, (struct mls_session_options){.threads = 1, .no_fusion = true}, check_and_replace, &best);
    predict_done(&plain);
    predict_done(&best);
    for (unsigned i = 0; i < n_kept; i++)
        free(kept[i].data);
}

static void run_all(const struct mls_model *model)
{
    struct predicted best, other;
    predict(model, (struct mls_session_options){.threads = 1}, NULL, &best);
    predict(model, (struct mls_session_options){.threads = 3}, NULL, &other);
    predict_compare(&best, &other, "one thread or three");
    predict_done(&other);
    predict_done(&best);
    predict_compare_passes(model);
    compare_kernels(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool damaged = false;
    size_t text_bytes;
    char *text = generate(data, size, &damaged, &text_bytes);
    if (!text)
        return 0;
    if (getenv("MLS_FUZZ_SHOW"))
        puts(text);
    struct mls_model *model = NULL;
    struct mls_error error;
    enum mls_status status =
        mls_model_load_spec((struct mls_bytes){(uint8_t *)text, text_bytes}, "model.mil", NULL, NULL, &model, &error);
    if (!status) {
        run_all(model);
        mls_model_free(model);
    } else if (!damaged && status != MLS_ERR_SPEC_INTERFACE) {
        fprintf(stderr, "%s\n%s\n", error.text, text);
        abort();
    }
    free(text);
    return 0;
}
