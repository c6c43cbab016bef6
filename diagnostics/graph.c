#include "graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GRAPH_QUEUE_MAX = 64 };

const struct mls_value *graph_operand(const struct mls_program *program, const struct mls_op *op,
                                      const char *name)
{
    const struct mls_argument *argument = mls_op_argument(op, name);
    return argument != NULL && argument->n_values > 0 ? &program->values[argument->values[0].i] : NULL;
}

const struct mls_op *graph_producer(const struct mls_program *program, const struct mls_value *value)
{
    if (value == NULL || value->producer.i == MLS_NO_INDEX)
        return NULL;
    const struct mls_op *op = &program->ops[value->producer.i];
    return strcmp(op->type, "const") == 0 ? NULL : op;
}

const struct mls_op *graph_source(const struct mls_program *program, const struct mls_value *value,
                                  const char *wanted, const char *through, unsigned steps)
{
    static const char *const operands[] = {"x", "y", "a", "b", "input"};
    struct {
        const struct mls_value *value;
        unsigned steps;
    } queue[GRAPH_QUEUE_MAX] = {{value, steps}};
    size_t n = 1;
    for (size_t i = 0; i < n; i++) {
        const struct mls_op *op = graph_producer(program, queue[i].value);
        if (op == NULL)
            continue;
        if (strcmp(op->type, wanted) == 0)
            return op;
        if (queue[i].steps == 0 || !graph_has_word(through, op->type))
            continue;
        for (size_t k = 0; k < sizeof(operands) / sizeof(operands[0]) && n < GRAPH_QUEUE_MAX; k++) {
            const struct mls_value *operand = graph_operand(program, op, operands[k]);
            if (operand != NULL) {
                queue[n].value = operand;
                queue[n++].steps = queue[i].steps - 1;
            }
        }
    }
    return NULL;
}

const struct mls_op *graph_attention(const struct mls_program *program, const struct mls_op *op)
{
    if (strcmp(op->type, "matmul") != 0)
        return NULL;
    const struct mls_op *softmax =
        graph_source(program, graph_operand(program, op, "x"), "softmax", "cast identity reshape", 2);
    if (softmax == NULL || graph_source(program, graph_operand(program, softmax, "x"), "matmul",
                                        "mul real_div add sub select cast reshape", 4) == NULL)
        return NULL;
    return softmax;
}

bool graph_has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    if (length == 0)
        return false;
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length) {
        bool begins = at == list || at[-1] == ' ';
        if (begins && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

const char *graph_range_format(const struct mls_range *range, char *text)
{
    if (range->upper < 0)
        snprintf(text, GRAPH_RANGE_BYTES, "from %" PRId64 ", no upper bound", range->lower);
    else
        snprintf(text, GRAPH_RANGE_BYTES, "from %" PRId64 " to %" PRId64, range->lower, range->upper);
    return text;
}
