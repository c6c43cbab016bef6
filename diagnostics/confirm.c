/* confirm.c: what is known of the model that a log is about. */
#include <string.h>

#include "graph.h"
#include "rule.h"

/* Patterns with which Core ML has failed to build a plan. */
static void known_patterns(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    const struct mls_op *state = NULL;
    const struct mls_op *window = NULL;
    const struct mls_op *product = NULL;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        const struct mls_value *x = graph_operand(program, op, "x");
        if (strcmp(op->type, "coreml_update_state") == 0)
            state = op;
        if (strcmp(op->type, "slice_update") == 0)
            window = op;
        if (strcmp(op->type, "matmul") == 0 && x != NULL && x->type.dtype == MLS_INT32)
            product = op;
    }
    if (state != NULL)
        rule_evidence(rule_case, "it writes a state (\"%s\"): seen with this text", state->name);
    if (window != NULL)
        rule_evidence(rule_case, "it updates a slice (\"%s\"): seen with this text", window->name);
    if (product != NULL)
        rule_evidence(rule_case, "it multiplies int32 matrices (\"%s\"): seen with this text", product->name);
}

void rule_confirm_runs_here(struct rule_case *rule_case)
{
    const struct mls_facts *facts = rule_case->facts;
    if (facts->error != NULL && facts->error->status != MLS_OK)
        rule_evidence(rule_case, "it fails here as well: %s", facts->error->text);
    else if (facts->measurement != NULL)
        rule_evidence(rule_case, "the model loads and runs here (%.3f ms): the graph itself is sound",
                      (double)facts->measurement->p50_ns / 1e6);
    if (facts->model != NULL)
        known_patterns(rule_case);
}
