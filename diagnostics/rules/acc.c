/* ACC: wrong or unstable results. */
#include "rule.h"

#include <string.h>

#include "graph.h"

/* x * tanh(softplus(x)) in fp16. */
static bool mish_in_fp16(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        if (strcmp(op->type, "mul") != 0 || op->n_outputs == 0 ||
            program->values[op->outputs[0].i].type.dtype != MLS_FP16)
            continue;
        static const char *const operands[] = {"x", "y"};
        for (size_t k = 0; k < 2; k++) {
            const struct mls_op *tanh_op =
                graph_source(program, graph_operand(program, op, operands[k]), "tanh", "", 0);
            if (tanh_op == NULL ||
                graph_source(program, graph_operand(program, tanh_op, "x"), "softplus", "", 0) == NULL)
                continue;
            rule_evidence(rule_case, "softplus, tanh \"%s\", mul \"%s\" in fp16", tanh_op->name, op->name);
            rule_affects(rule_case, (mls_op_id){i});
        }
    }
    return rule_case->finding.n_evidence > 0;
}

static const struct mls_rule ROWS[] = {
    {.id = "ACC003",
     .title = "Mish in fp16 is reported inaccurate on the Neural Engine",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL,
     .assess = mish_in_fp16,
     .why = "The pattern of softplus and tanh is run as one built-in form with a visible error.",
     .fix = "Write it with other operations, and compare on the device.",
     .source = "coremltools#2359"},
    {.id = "ACC005",
     .title = "one state is used by two predictions at once",
     .layer = MLS_LAYER_RUN,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_STATE_BUSY},
     .why = "A state is read and written during a prediction. Core ML does not stop this and gives wrong "
            "results.",
     .fix = "One prediction at a time for each state; make a state for each conversation.",
     .source = "coreml-optimizer guide"},
};

RULE_FAMILY(acc);
