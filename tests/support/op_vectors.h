/*
 * op_vectors.h: operations against vectors from a file (tests/data/vectors/, made by the scripts there with
 * another implementation). Every case runs on every instruction set of this machine and on one and three
 * threads.
 *
 *     case NAME TYPE OPSET TOLERANCE      TOLERANCE: of the largest expected magnitude
 *     text|ints|bool|float PARAM VALUES…
 *     tensor PARAM DTYPE RANK DIMS… VALUES…      (a variadic parameter: once for each value)
 *     out INDEX DTYPE RANK DIMS… VALUES…
 *     end
 */
#pragma once

#include <math.h>

#include "support/op_case.h"

enum { OP_VECTORS_LINES = 32, OP_VECTORS_WORD = 64 };

struct op_vectors_line {
    char kind[OP_VECTORS_WORD], param[OP_VECTORS_WORD], text[OP_VECTORS_WORD];
    enum mls_dtype dtype;
    unsigned rank;
    int64_t dims[MLS_RANK_MAX];
    size_t n;
    float *values;
};

struct op_vectors_case {
    char name[OP_VECTORS_WORD], type[OP_VECTORS_WORD];
    unsigned opset;
    double tolerance;
    struct op_vectors_line lines[OP_VECTORS_LINES];
    unsigned n_lines;
};

static inline void op_vectors_bad(const struct op_vectors_case *c, const char *what)
{
    fprintf(stderr, "vector case %s: %s\n", c->name, what);
    abort();
}

static inline void op_vectors_values(FILE *file, struct op_vectors_case *c, struct op_vectors_line *line,
                                     size_t n)
{
    line->n = n;
    line->values = malloc((n ? n : 1) * sizeof *line->values);
    for (size_t i = 0; i < n; i++)
        if (fscanf(file, "%f", &line->values[i]) != 1)
            op_vectors_bad(c, "values are missing");
}

static inline void op_vectors_line_read(FILE *file, struct op_vectors_case *c, struct op_vectors_line *line)
{
    char dtype[OP_VECTORS_WORD];
    size_t n = 1;
    if (fscanf(file, "%63s", line->param) != 1)
        op_vectors_bad(c, "a line has no parameter");
    if (!strcmp(line->kind, "text")) {
        if (fscanf(file, "%63s", line->text) != 1)
            op_vectors_bad(c, "a text is missing");
        return;
    }
    if (!strcmp(line->kind, "ints")) {
        if (fscanf(file, "%zu", &n) != 1)
            op_vectors_bad(c, "a count is missing");
    } else if (strcmp(line->kind, "bool") != 0) { /* tensor, out */
        if (fscanf(file, "%63s %u", dtype, &line->rank) != 2)
            op_vectors_bad(c, "a type is missing");
        line->dtype = mls_dtype_parse(dtype);
        for (unsigned i = 0; i < line->rank; i++) {
            if (fscanf(file, "%ld", &line->dims[i]) != 1)
                op_vectors_bad(c, "a dimension is missing");
            n *= (size_t)line->dims[i];
        }
    }
    op_vectors_values(file, c, line, n);
}

static inline bool op_vectors_read(FILE *file, struct op_vectors_case *c)
{
    memset(c, 0, sizeof *c);
    int n = fscanf(file, " case %63s %63s %u %lf", c->name, c->type, &c->opset, &c->tolerance);
    if (n != 4)
        return false;
    while (c->n_lines < OP_VECTORS_LINES) {
        struct op_vectors_line *line = &c->lines[c->n_lines];
        if (fscanf(file, "%63s", line->kind) != 1)
            op_vectors_bad(c, "it has no end");
        if (!strcmp(line->kind, "end"))
            return true;
        op_vectors_line_read(file, c, line);
        c->n_lines++;
    }
    op_vectors_bad(c, "it has too many lines");
    return false;
}

static inline void op_vectors_set(struct op_case *op, const struct op_vectors_line *line)
{
    if (!strcmp(line->kind, "text")) {
        op_case_text(op, line->param, line->text);
    } else if (!strcmp(line->kind, "bool")) {
        op_case_bool(op, line->param, line->values[0] != 0);
    } else if (!strcmp(line->kind, "ints")) {
        int64_t n = (int64_t)line->n;
        op_case_floats(op, line->param, MLS_INT32, line->n == 1 && !strcmp(line->param, "groups") ? 0 : 1, &n,
                       line->values);
    } else if (!strcmp(line->kind, "tensor")) {
        op_case_floats(op, line->param, line->dtype, line->rank, line->dims, line->values);
    } else {
        op->n_outputs =
            op->n_outputs > (unsigned)atoi(line->param) + 1 ? op->n_outputs : (unsigned)atoi(line->param) + 1;
        op->outputs[atoi(line->param)].type.dtype = line->dtype;
    }
}

/* Differences, NaN against a number included. */
static inline unsigned op_vectors_compare(struct op_case *op, const struct op_vectors_case *c,
                                          const struct op_vectors_line *line, const char *how)
{
    unsigned index = (unsigned)atoi(line->param), off = 0;
    struct mls_type want = mls_type_tensor(line->dtype, line->rank, line->dims);
    char text[96], expected[96];
    if (!mls_type_equal(&op->outputs[index].type, &want)) {
        fprintf(stderr, "%s, %s: output %u is %s, not %s\n", c->name, how, index,
                mls_type_format(&op->outputs[index].type, text, sizeof text),
                mls_type_format(&want, expected, sizeof expected));
        return 1;
    }
    double largest = 0;
    for (size_t i = 0; i < line->n; i++)
        if (isfinite(line->values[i]) && fabs((double)line->values[i]) > largest)
            largest = fabs((double)line->values[i]);
    for (size_t i = 0; i < line->n; i++) {
        double got = op_case_get(op, index, (int64_t)i), value = (double)line->values[i];
        bool same =
            got == value || (isnan(got) && isnan(value)) || fabs(got - value) <= c->tolerance * largest;
        if (!same && off++ < 4)
            fprintf(stderr, "%s, %s: output %u [%zu] is %.9g, not %.9g\n", c->name, how, index, i, got,
                    value);
    }
    return off;
}

static inline unsigned op_vectors_run(const struct op_vectors_case *c, enum mls_isa isa, uint32_t threads)
{
    struct op_case op;
    char how[64];
    unsigned off = 0;
    snprintf(how, sizeof how, "%s, %u threads", mls_isa_name(isa), threads);
    op_case_begin(&op, c->type, c->opset);
    for (unsigned i = 0; i < c->n_lines; i++)
        op_vectors_set(&op, &c->lines[i]);
    if (op_case_run(&op, isa, threads) != MLS_OK) {
        fprintf(stderr, "%s, %s: %s\n", c->name, how, op.error.text);
        off = 1;
    }
    for (unsigned i = 0; !off && i < c->n_lines; i++)
        if (!strcmp(c->lines[i].kind, "out"))
            off += op_vectors_compare(&op, c, &c->lines[i], how);
    op_case_end(&op);
    return off;
}

/* op_vectors_check: all cases of a file; the number of cases, or -1 when one differs or there is no file. */
static inline int op_vectors_check(const char *path)
{
    FILE *file = fopen(path, "r");
    struct op_vectors_case *c = malloc(sizeof *c);
    unsigned n = 0, off = 0;
    while (file && op_vectors_read(file, c)) {
        for (int isa = 0; isa < MLS_ISA_COUNT; isa++)
            if (mls_cpu_has((enum mls_isa)isa))
                off += op_vectors_run(c, (enum mls_isa)isa, isa % 2 ? 3 : 1);
        for (unsigned i = 0; i < c->n_lines; i++)
            free(c->lines[i].values);
        n++;
    }
    free(c);
    if (!file || !feof(file))
        off++;
    if (file)
        fclose(file);
    return off ? -1 : (int)n;
}
