/* Transforms of features, and the models over items and boxes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/pb_stage.h"

/* ---- Numbers ------------------------------------------------------------------------------------------ */

void stage_read_vectorizer(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__FeatureVectorizer *vectorizer = (const Pb__FeatureVectorizer *)message;
    mls_value_id *ids = MLS_NEW_ARRAY(stage->arena, vectorizer->n_columns, mls_value_id);
    if (!stage_check(stage, ids && vectorizer->n_columns, "it joins no features"))
        return;
    for (size_t i = 0; i < vectorizer->n_columns && !stage->status; i++) {
        const Pb__FeatureColumn *column = vectorizer->columns[i];
        ids[i] = stage_input(stage, column->name);
        if (stage->status)
            return;
        int64_t n = mls_type_elems(&ir_value_at(stage->stages->reader.builder, ids[i])->type);
        stage_check(stage, n < 0 || (uint64_t)n == column->dimensions,
                    "a feature has another number of dimensions");
    }
    stage_values(stage, "x", ids, vectorizer->n_columns);
    stage_number_output(stage);
    stage->type = "feature_vectorizer";
}

void stage_read_scaler(struct stage *stage, const ProtobufCMessage *message)
{
    static const double zero = 0, one = 1;
    const Pb__Scaler *scaler = (const Pb__Scaler *)message;
    stage_value(stage, "x", stage_input(stage, NULL));
    stage_doubles(stage, "shift", scaler->n_shift ? scaler->shift : &zero,
                  scaler->n_shift ? scaler->n_shift : 1);
    stage_doubles(stage, "scale", scaler->n_scale ? scaler->scale : &one,
                  scaler->n_scale ? scaler->n_scale : 1);
    stage_number_output(stage);
    stage->type = "feature_scaler";
}

void stage_read_normalizer(struct stage *stage, const ProtobufCMessage *message)
{
    stage_value(stage, "x", stage_input(stage, NULL));
    stage_int(stage, "norm", ((const Pb__Normalizer *)message)->norm);
    stage_number_output(stage);
    stage->type = "feature_normalizer";
}

void stage_read_imputer(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__Imputer *imputer = (const Pb__Imputer *)message;
    double replaced = (double)NAN;
    if (imputer->replaced_case == PB__IMPUTER__REPLACED_REPLACE_DOUBLE)
        replaced = imputer->replace_double;
    else if (imputer->replaced_case == PB__IMPUTER__REPLACED_REPLACE_INT)
        replaced = (double)imputer->replace_int;
    else if (imputer->replaced_case == PB__IMPUTER__REPLACED_REPLACE_TEXT)
        stage_fail(stage, MLS_ERR_OP_UNSUPPORTED, "replacing texts is not supported");
    stage_value(stage, "x", stage_input(stage, NULL));
    stage_double(stage, "replaced", replaced);
    if (imputer->imputed_case == PB__IMPUTER__IMPUTED_DOUBLE_VALUE) {
        stage_doubles(stage, "imputed", &imputer->double_value, 1);
    } else if (imputer->imputed_case == PB__IMPUTER__IMPUTED_INT_VALUE) {
        stage_doubles(stage, "imputed", &(double){(double)imputer->int_value}, 1);
    } else if (imputer->imputed_case == PB__IMPUTER__IMPUTED_DOUBLE_ARRAY) {
        stage_doubles(stage, "imputed", imputer->double_array->values, imputer->double_array->n_values);
    } else if (imputer->imputed_case == PB__IMPUTER__IMPUTED_INT_ARRAY) {
        size_t n = imputer->int_array->n_values;
        double *values = MLS_NEW_ARRAY(stage->stages->memory->scratch, n, double);
        for (size_t i = 0; values && i < n; i++)
            values[i] = (double)imputer->int_array->values[i];
        if (stage_check(stage, values != NULL, "there is no memory for its values"))
            stage_doubles(stage, "imputed", values, n);
    } else {
        stage_fail(stage, MLS_ERR_OP_UNSUPPORTED, "imputing texts and dictionaries is not supported");
    }
    stage_number_output(stage);
    stage->type = "feature_imputer";
}

void stage_read_extractor(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__ArrayFeatureExtractor *extractor = (const Pb__ArrayFeatureExtractor *)message;
    int32_t *indices = MLS_NEW_ARRAY(stage->stages->memory->scratch, extractor->n_indices, int32_t);
    for (size_t i = 0; indices && i < extractor->n_indices; i++) {
        stage_check(stage, extractor->indices[i] <= INT32_MAX, "an index is too large");
        indices[i] = (int32_t)extractor->indices[i];
    }
    stage_value(stage, "x", stage_input(stage, NULL));
    if (stage_check(stage, indices && extractor->n_indices, "it extracts nothing"))
        stage_ints(stage, "indices", indices, extractor->n_indices);
    stage_number_output(stage);
    stage->type = "feature_extractor";
}

/* An identity gives what it takes under another name; of numbers only the names change. */
void stage_read_identity(struct stage *stage, const ProtobufCMessage *message)
{
    (void)message;
    mls_value_id input = stage_input(stage, NULL);
    if (!stage_check(stage, stage->interface->n_outputs == 1, "it has one output"))
        return;
    struct mls_type type = ir_value_at(stage->stages->reader.builder, input)->type;
    if (type.kind != MLS_KIND_TENSOR)
        stage_fail(stage, MLS_ERR_OP_UNSUPPORTED, "an identity of dictionaries is not supported");
    stage_value(stage, "x", input);
    stage_output(stage, stage->interface->outputs[0].name, &type);
    stage->type = "identity";
}

/* ---- Categories --------------------------------------------------------------------------------------- */

enum { IGNORE_UNKNOWN = 1 }; /* 0: an unknown category is an error */

void stage_read_one_hot(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__OneHotEncoder *encoder = (const Pb__OneHotEncoder *)message;
    bool texts = encoder->categories_case == PB__ONE_HOT_ENCODER__CATEGORIES_TEXT_CATEGORIES;
    bool ints = encoder->categories_case == PB__ONE_HOT_ENCODER__CATEGORIES_INT_CATEGORIES;
    stage_value(stage, "x", stage_input(stage, NULL));
    stage_labels(stage, "categories", texts ? encoder->text_categories : NULL,
                 ints ? encoder->int_categories : NULL);
    stage_bool(stage, "ignore_unknown", encoder->unknown == IGNORE_UNKNOWN);
    stage_number_output(stage);
    stage->type = "one_hot_encoder";
}

void stage_read_dictionary(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__DictVectorizer *vectorizer = (const Pb__DictVectorizer *)message;
    bool texts = vectorizer->map_case == PB__DICT_VECTORIZER__MAP_TEXT_KEYS;
    bool ints = vectorizer->map_case == PB__DICT_VECTORIZER__MAP_INT_KEYS;
    stage_value(stage, "x", stage_input(stage, NULL));
    stage_labels(stage, "keys", texts ? vectorizer->text_keys : NULL, ints ? vectorizer->int_keys : NULL);
    stage_number_output(stage);
    stage->type = "dict_vectorizer";
}

/* Texts to integers, or the other way round. */
static void put_mapping(struct stage *stage, const Pb__CategoricalMapping *mapping)
{
    struct mls_arena *arena = stage->stages->memory->scratch;
    bool to_int = mapping->mapping_case == PB__CATEGORICAL_MAPPING__MAPPING_TEXT_TO_INT;
    bool to_text = mapping->mapping_case == PB__CATEGORICAL_MAPPING__MAPPING_INT_TO_TEXT;
    size_t n = to_int ? mapping->text_to_int->n_entries : to_text ? mapping->int_to_text->n_entries : 0;
    char **texts = MLS_NEW_ARRAY(arena, n, char *);
    int64_t *ints = MLS_NEW_ARRAY(arena, n, int64_t);
    if (!stage_check(stage, texts && ints && (to_int || to_text), "it has no mapping"))
        return;
    for (size_t i = 0; i < n; i++) {
        texts[i] = to_int ? mapping->text_to_int->entries[i]->key : mapping->int_to_text->entries[i]->value;
        ints[i] = to_int ? mapping->text_to_int->entries[i]->value : mapping->int_to_text->entries[i]->key;
    }
    stage_texts(stage, to_int ? "keys" : "values", texts, n);
    stage_longs(stage, to_int ? "values" : "keys", ints, n);
}

void stage_read_mapping(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__CategoricalMapping *mapping = (const Pb__CategoricalMapping *)message;
    stage_value(stage, "x", stage_input(stage, NULL));
    put_mapping(stage, mapping);
    if (mapping->unknown_case == PB__CATEGORICAL_MAPPING__UNKNOWN_TEXT_UNKNOWN)
        stage_texts(stage, "unknown", (char *const[]){mapping->text_unknown}, 1);
    else if (mapping->unknown_case == PB__CATEGORICAL_MAPPING__UNKNOWN_INT_UNKNOWN)
        stage_longs(stage, "unknown", &mapping->int_unknown, 1);
    if (stage_check(stage, stage->interface->n_outputs == 1, "it has one output"))
        stage_output(stage, stage->interface->outputs[0].name, NULL);
    stage->type = "categorical_mapping";
}

/* ---- Items -------------------------------------------------------------------------------------------- */

/* One row of the table of similarities. */
struct similarity {
    int32_t base, similar;
    double score;
};

static int compare_similarities(const void *a, const void *b)
{
    const struct similarity *left = a, *right = b;
    if (left->base != right->base)
        return left->base < right->base ? -1 : 1;
    return (left->similar > right->similar) - (left->similar < right->similar);
}

/* Columns of the table, in order of the base item, and the shift of each item. */
static void put_similarities(struct stage *stage, const Pb__ItemSimilarity *message, size_t n_items)
{
    struct mls_arena *arena = stage->stages->memory->scratch;
    size_t n = 0, at = 0;
    for (size_t i = 0; i < message->n_items; i++)
        n += message->items[i]->n_similar;
    struct similarity *rows = MLS_NEW_ARRAY(arena, n, struct similarity);
    int32_t *base = MLS_NEW_ARRAY(arena, n, int32_t), *similar = MLS_NEW_ARRAY(arena, n, int32_t);
    double *score = MLS_NEW_ARRAY(arena, n, double), *shift = MLS_NEW_ARRAY(arena, n_items, double);
    if (!stage_check(stage, rows && base && similar && score && shift,
                     "there is no memory for its similarities"))
        return;
    for (size_t i = 0; i < message->n_items; i++) {
        const Pb__SimilarItems *item = message->items[i];
        if (!stage_check(stage, item->item < n_items && n_items <= INT32_MAX, "an item is not in its list"))
            return;
        shift[item->item] = item->adjustment;
        for (size_t k = 0; k < item->n_similar; k++) {
            if (!stage_check(stage, item->similar[k]->item < n_items, "an item is not in its list"))
                return;
            rows[at++] = (struct similarity){(int32_t)item->item, (int32_t)item->similar[k]->item,
                                             item->similar[k]->score};
        }
    }
    if (n)
        qsort(rows, n, sizeof *rows, compare_similarities);
    for (size_t i = 0; i < n; i++) {
        base[i] = rows[i].base;
        similar[i] = rows[i].similar;
        score[i] = rows[i].score;
    }
    stage_ints(stage, "base_item", base, n);
    stage_ints(stage, "similar_item", similar, n);
    stage_doubles(stage, "similarity", score, n);
    stage_doubles(stage, "shift", shift, n_items);
}

/* Items without a list of names are numbered from 0. */
static size_t put_numbered(struct stage *stage, const Pb__ItemSimilarity *message)
{
    uint64_t n = 0;
    for (size_t i = 0; i < message->n_items; i++)
        n = message->items[i]->item >= n ? message->items[i]->item + 1 : n;
    bool few = n <= message->n_items + (size_t)1; /* no more than there are */
    int64_t *ids = few ? MLS_NEW_ARRAY(stage->stages->memory->scratch, (size_t)n, int64_t) : NULL;
    if (!stage_check(stage, ids != NULL, "its items are not numbered from 0"))
        return 0;
    for (int64_t i = 0; i < (int64_t)n; i++)
        ids[i] = i;
    stage_longs(stage, "ids", ids, (size_t)n);
    return (size_t)n;
}

/* An input that the model names, if it does. */
static void put_named_input(struct stage *stage, const char *argument, const char *name)
{
    if (name[0] && stage_has_input(stage, name))
        stage_value(stage, argument, stage_input(stage, name));
}

void stage_read_similarity(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__ItemSimilarity *model = (const Pb__ItemSimilarity *)message;
    bool texts = model->text_ids && model->text_ids->n_values,
         ints = model->int_ids && model->int_ids->n_values;
    stage_value(stage, "items", stage_input(stage, model->items_input));
    size_t n = texts || ints
                   ? stage_labels(stage, "ids", texts ? model->text_ids : NULL, ints ? model->int_ids : NULL)
                   : put_numbered(stage, model);
    put_similarities(stage, model, n);
    put_named_input(stage, "count", model->count_input);
    put_named_input(stage, "restriction", model->restriction_input);
    put_named_input(stage, "exclusion", model->exclusion_input);
    enum mls_dtype dtype = texts ? MLS_TEXT : MLS_INT64;
    struct mls_type items = mls_type_tensor(dtype, 1, (const int64_t[]){MLS_DIM_UNKNOWN});
    struct mls_type scores = {.kind = MLS_KIND_DICTIONARY,
                              .dtype = MLS_FP64,
                              .rank = 1,
                              .dims = {MLS_DIM_UNKNOWN},
                              .key_dtype = dtype};
    stage_output(stage, model->items_output[0] ? model->items_output : NULL, &items);
    stage_output(stage, model->scores_output[0] ? model->scores_output : NULL, &scores);
    stage->type = "item_similarity";
}

/* ---- Boxes -------------------------------------------------------------------------------------------- */

/* Rows that the description fixes for an output: its shape, or the bounds of its first dimension. */
static void bound_rows(const struct stage *stage, const char *name, int64_t *least, int64_t *most)
{
    for (size_t i = 0; i < stage->interface->n_outputs; i++) {
        const struct mls_feature *feature = &stage->interface->outputs[i];
        if (strcmp(feature->name, name) || feature->kind != MLS_FEATURE_TENSOR)
            continue;
        if (feature->n_ranges) {
            *least = feature->ranges[0].lower;
            *most = feature->ranges[0].upper;
        } else if (feature->type.rank <= MLS_RANK_MAX && feature->type.rank && feature->type.dims[0] > 0) {
            *least = *most = feature->type.dims[0];
        }
    }
}

/* A threshold: the model's own, and an input that may be given in its place. */
static void put_threshold(struct stage *stage, const char *argument, const char *otherwise, const char *name,
                          double value)
{
    stage_double(stage, otherwise, value);
    put_named_input(stage, argument, name);
}

void stage_read_suppression(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__BoxSuppression *model = (const Pb__BoxSuppression *)message;
    int64_t least = 0, most = -1;
    bound_rows(stage, model->confidence_output, &least, &most);
    bound_rows(stage, model->coordinates_output, &least, &most);
    stage_check(stage, least >= 0 && least <= INT32_MAX && most <= INT32_MAX,
                "its outputs have too many rows");
    stage_value(stage, "confidence", stage_input(stage, model->confidence_input));
    stage_value(stage, "coordinates", stage_input(stage, model->coordinates_input));
    put_threshold(stage, "iou", "iou_default", model->iou_input, model->iou_threshold);
    put_threshold(stage, "threshold", "threshold_default", model->threshold_input,
                  model->confidence_threshold);
    stage_bool(stage, "per_class", model->pick_top && model->pick_top->per_class);
    stage_int(stage, "rows_min", (int32_t)least);
    stage_int(stage, "rows_max", most < 0 ? -1 : (int32_t)most);
    if (stage->status)
        return;
    /* outputs have the element types of the inputs */
    struct ir_builder *builder = stage->stages->reader.builder;
    const char *const outputs[2] = {model->confidence_output, model->coordinates_output};
    const char *const inputs[2] = {model->confidence_input, model->coordinates_input};
    for (size_t i = 0; i < 2; i++) {
        struct mls_type type = ir_value_at(builder, stage_input(stage, inputs[i]))->type;
        type = mls_type_tensor(type.dtype, 2, (const int64_t[]){MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN});
        stage_output(stage, outputs[i], &type);
    }
    stage->type = "box_suppression";
}
