#include <jansson.h>
#include <math.h>

#include "cli/annotate.h"
#include "cli/cli.h"
#include "cli/compare.h"
#include "profiler/json.h"

/* Infinity has no place in JSON: equal values have `snr_db` null and `equal` true. */
static void set_snr(json_t *object, bool compared, double snr_db)
{
    json_object_set_new(object, "snr_db", compared ? mls_json_number(snr_db) : json_null());
    json_object_set_new(object, "equal", compared ? json_boolean(isinf(snr_db)) : json_null());
}

static void set_change(json_t *object, const struct mls_change *change)
{
    json_object_set_new(object, "name", json_string(change->name));
    json_object_set_new(object, "a", mls_json_number(change->a));
    json_object_set_new(object, "b", mls_json_number(change->b));
    json_object_set_new(object, "ratio", mls_json_number(change->ratio));
    json_object_set_new(object, "noise", mls_json_number(change->noise));
    json_object_set_new(object, "larger_than_noise", json_boolean(change->significant));
}

static json_t *index_json(uint32_t index)
{
    return index == MLS_NO_INDEX ? json_null() : json_integer(index);
}

static json_t *changes_json(const struct compared *compared)
{
    const struct mls_comparison *comparison = compared->comparison;
    json_t *changes = json_array();
    for (size_t i = 0; i < comparison->n_totals; i++) {
        json_t *object = json_pack("{s:s}", "scope", "total");
        set_change(object, &comparison->totals[i]);
        json_array_append_new(changes, object);
    }
    for (size_t i = 0; i < comparison->n_ops; i++) {
        const struct mls_op_change *op = &comparison->ops[i];
        const struct mls_side_op *a = op->a != MLS_NO_INDEX ? &comparison->a->ops[op->a] : NULL;
        const struct mls_side_op *b = op->b != MLS_NO_INDEX ? &comparison->b->ops[op->b] : NULL;
        json_t *object =
            json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "scope", "op", "op",
                      mls_json_text((a ? a : b)->name), "type", mls_json_text((a ? a : b)->type), "type_b",
                      mls_json_text(b ? b->type : NULL), "index_a", index_json(op->a), "index_b",
                      index_json(op->b), "name_b", mls_json_text(b ? b->name : NULL), "kernel_a",
                      mls_json_text(a ? a->kernel : NULL), "kernel_b", mls_json_text(b ? b->kernel : NULL));
        set_change(object, &op->time);
        json_array_append_new(changes, object);
    }
    return changes;
}

static json_t *walk_op_json(const struct mls_walk_op *op)
{
    json_t *object = json_object();
    json_object_set_new(object, "op", mls_json_text(op->name));
    json_object_set_new(object, "type", mls_json_text(op->type));
    json_object_set_new(object, "index_a", json_integer(op->a));
    json_object_set_new(object, "index_b", json_integer(op->b));
    json_object_set_new(object, "dtype_a", json_string(mls_dtype_name(op->dtype_a)));
    json_object_set_new(object, "dtype_b", json_string(mls_dtype_name(op->dtype_b)));
    set_snr(object, op->compared, op->snr_db);
    json_object_set_new(object, "relative_error", mls_json_number(op->relative_error));
    json_object_set_new(object, "added_error", mls_json_number(op->added_error));
    json_object_set_new(object, "max_a", mls_json_number(op->max_a));
    json_object_set_new(object, "max_b", mls_json_number(op->max_b));
    json_object_set_new(object, "max_error", mls_json_number(op->max_error));
    json_object_set_new(object, "elements", json_integer((json_int_t)op->n_elems));
    json_object_set_new(object, "not_finite_a", json_integer((json_int_t)op->n_not_finite_a));
    json_object_set_new(object, "not_finite_b", json_integer((json_int_t)op->n_not_finite_b));
    json_object_set_new(object, "lost", json_integer((json_int_t)op->n_lost));
    return object;
}

static json_t *outputs_json(const struct mls_walk *walk)
{
    json_t *outputs = json_array();
    for (size_t i = 0; i < walk->n_outputs; i++) {
        const struct mls_walk_output *output = &walk->outputs[i];
        json_t *object = json_pack("{s:o}", "name", mls_json_text(output->name));
        set_snr(object, output->compared, output->snr_db);
        json_object_set_new(object, "cosine", mls_json_number(output->cosine));
        json_object_set_new(object, "max_error", mls_json_number(output->max_error));
        json_object_set_new(object, "elements", json_integer((json_int_t)output->n_elems));
        json_object_set_new(object, "not_finite_a", json_integer((json_int_t)output->n_not_finite_a));
        json_object_set_new(object, "not_finite_b", json_integer((json_int_t)output->n_not_finite_b));
        json_array_append_new(outputs, object);
    }
    return outputs;
}

static json_t *accuracy_json(const struct compared *compared)
{
    enum { WORST_MAX = 20 };
    const struct mls_walk *walk = compared->walk;
    if (!walk)
        return json_null();
    json_t *worst = json_array(), *keep = json_array(), *ops = json_array();
    for (size_t i = 0; i < walk->n_worst && i < WORST_MAX; i++)
        json_array_append_new(worst, walk_op_json(&walk->ops[walk->worst[i]]));
    for (size_t i = 0; i < walk->n_keep; i++) {
        json_t *object = walk_op_json(&walk->ops[walk->keep[i].op]);
        json_object_set_new(object, "reason", json_string(mls_walk_loss_text(walk->keep[i].loss)));
        json_array_append_new(keep, object);
    }
    for (size_t i = 0; i < walk->n_ops; i++)
        json_array_append_new(ops, walk_op_json(&walk->ops[i]));
    return json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "limit_db",
                     mls_json_number(walk->limit_db), "compared_ops", (json_int_t)walk->n_compared, "only_a",
                     (json_int_t)walk->n_only_a, "only_b", (json_int_t)walk->n_only_b, "outputs",
                     outputs_json(walk), "first",
                     walk->first != MLS_NO_INDEX ? walk_op_json(&walk->ops[walk->first]) : json_null(),
                     "worst", worst, "keep_fp32", keep, "ops", ops);
}

static json_t *model_json(const struct mls_loaded *loaded, const struct mls_side *side)
{
    if (loaded)
        return mls_document_model(loaded);
    return json_deep_copy(json_object_get(side->document, "model"));
}

void compare_write_json(struct console *console, const struct compared *compared)
{
    struct mls_environment environment = mls_environment_read(cli_version(), cli_commit());
    const struct mls_comparison *comparison = compared->comparison;
    json_t *root = json_pack("{s:s, s:i, s:o}", "schema", "mlscope.compare", "version", 1, "environment",
                             mls_document_environment(&environment, compared->loaded_a, NULL));
    json_object_set_new(root, "model", model_json(compared->loaded_a, compared->a));
    json_object_set_new(root, "model_b", model_json(compared->loaded_b, compared->b));
    json_object_set_new(root, "a", mls_json_text(compared->label_a));
    json_object_set_new(root, "b", mls_json_text(compared->label_b));
    json_object_set_new(root, "random_seed", json_integer((json_int_t)compared->random_seed));
    json_object_set_new(
        root, "structure",
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "ops_a", (json_int_t)comparison->a->n_ops, "ops_b",
                  (json_int_t)comparison->b->n_ops, "matched", (json_int_t)comparison->n_matched, "only_a",
                  (json_int_t)comparison->n_only_a, "only_b", (json_int_t)comparison->n_only_b));
    json_object_set_new(root, "changes", changes_json(compared));
    json_object_set_new(root, "accuracy", accuracy_json(compared));
    json_object_set_new(root, "accuracy_refused",
                        compared->walk || !*compared->walk_refused ? json_null()
                                                                   : mls_json_text(compared->walk_refused));
    json_object_set_new(root, "findings",
                        compared->report ? annotate_findings(compared->report, compared->loaded_b->model)
                                         : json_array());
    mls_json_write(root, &console->out);
    json_decref(root);
}
