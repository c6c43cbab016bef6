/* Linear models, support vector machines and nearest neighbours: models over a vector of numbers. */
#include <string.h>

#include "base/checked.h"
#include "format/pb_stage.h"

/* Elements of a matrix that is given as sparse rows: zeros take memory that the file did not bring. */
#define DENSE_ELEMENTS_MAX ((size_t)1 << 26)

/* Rows of numbers, all of one length, as a matrix. */
static void put_rows(struct stage *stage, const char *name, Pb__DoubleVector *const *rows, size_t n_rows)
{
    size_t n = n_rows ? rows[0]->n_values : 0, total = 0;
    for (size_t i = 0; i < n_rows; i++)
        stage_check(stage, rows[i]->n_values == n, "its rows have different lengths");
    double *matrix = NULL;
    if (stage_check(stage, mls_mul_size(n_rows, n, &total), "its rows are too long"))
        matrix = MLS_NEW_ARRAY(stage->stages->memory->scratch, total, double);
    if (!stage_check(stage, matrix != NULL, "there is no memory for its rows"))
        return;
    for (size_t i = 0; i < n_rows && n; i++)
        memcpy(matrix + i * n, rows[i]->values, n * sizeof *matrix);
    struct mls_type type = mls_type_tensor(MLS_FP64, 2, (const int64_t[]){(int64_t)n_rows, (int64_t)n});
    stage_constant(stage, name, &type, matrix);
}

/* ---- Linear models ------------------------------------------------------------------------------------ */

enum { ENCODING_REFERENCE, ENCODING_ONE_VS_REST };

static void read_linear(struct stage *stage, const Pb__LinearModel *message, int32_t link)
{
    stage_all_inputs(stage);
    put_rows(stage, "weights", message->weights, message->n_weights);
    stage_doubles(stage, "offsets", message->offsets, message->n_offsets);
    stage_int(stage, "link", link);
}

void stage_read_linear_regressor(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__LinearModel *linear = (const Pb__LinearModel *)message;
    read_linear(stage, linear, linear->transform);
    stage_number_output(stage);
    stage->type = "glm_regressor";
}

void stage_read_linear_classifier(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__LinearModel *linear = (const Pb__LinearModel *)message;
    bool texts = linear->labels_case == PB__LINEAR_MODEL__LABELS_TEXT_LABELS;
    bool ints = linear->labels_case == PB__LINEAR_MODEL__LABELS_INT_LABELS;
    stage_check(stage, linear->encoding == ENCODING_REFERENCE || linear->encoding == ENCODING_ONE_VS_REST,
                "its encoding of classes is not known");
    read_linear(stage, linear,
                linear->transform + 1); /* the classifier's first link is the regressor's second */
    stage_bool(stage, "one_vs_rest", linear->encoding == ENCODING_ONE_VS_REST);
    stage_labels(stage, "labels", texts ? linear->text_labels : NULL, ints ? linear->int_labels : NULL);
    stage_class_outputs(stage, "labels");
    stage->type = "glm_classifier";
}

/* ---- Support vectors ---------------------------------------------------------------------------------- */

static void put_sparse(struct stage *stage, const Pb__SparseVectors *source)
{
    size_t n = 0, total = 0;
    for (size_t i = 0; i < source->n_vectors; i++)
        for (size_t k = 0; k < source->vectors[i]->n_nodes; k++) {
            int32_t index = source->vectors[i]->nodes[k]->index; /* from 1, as in LIBSVM */
            stage_check(stage, index >= 1, "an index of a sparse vector is below 1");
            n = index >= 1 && (size_t)index > n ? (size_t)index : n;
        }
    bool fits = mls_mul_size(source->n_vectors, n, &total) && total <= DENSE_ELEMENTS_MAX;
    double *matrix = fits ? MLS_NEW_ARRAY(stage->stages->memory->scratch, total, double) : NULL;
    if (!fits)
        stage_fail(stage, MLS_ERR_LIMIT, "its sparse vectors have more than %zu elements",
                   DENSE_ELEMENTS_MAX);
    if (!stage_check(stage, matrix != NULL, "there is no memory for its vectors"))
        return;
    for (size_t i = 0; i < source->n_vectors; i++)
        for (size_t k = 0; k < source->vectors[i]->n_nodes; k++)
            matrix[i * n + (size_t)source->vectors[i]->nodes[k]->index - 1] =
                source->vectors[i]->nodes[k]->value;
    struct mls_type type =
        mls_type_tensor(MLS_FP64, 2, (const int64_t[]){(int64_t)source->n_vectors, (int64_t)n});
    stage_constant(stage, "vectors", &type, matrix);
}

/* By the numbers of the operation. */
enum { KERNEL_LINEAR, KERNEL_RBF, KERNEL_POLYNOMIAL, KERNEL_SIGMOID };

static void put_kernel(struct stage *stage, const Pb__Kernel *message)
{
    int32_t kernel = KERNEL_LINEAR, degree = 0;
    double gamma = 0, constant = 0;
    switch (message ? message->kernel_case : PB__KERNEL__KERNEL__NOT_SET) {
    case PB__KERNEL__KERNEL_LINEAR:
        break;
    case PB__KERNEL__KERNEL_RBF:
        kernel = KERNEL_RBF;
        gamma = message->rbf->gamma;
        break;
    case PB__KERNEL__KERNEL_POLYNOMIAL:
        kernel = KERNEL_POLYNOMIAL;
        degree = message->polynomial->degree;
        gamma = message->polynomial->gamma;
        constant = message->polynomial->c;
        break;
    case PB__KERNEL__KERNEL_SIGMOID:
        kernel = KERNEL_SIGMOID;
        gamma = message->sigmoid->gamma;
        constant = message->sigmoid->c;
        break;
    default:
        stage_fail(stage, MLS_ERR_OP_UNSUPPORTED, "it has no kernel that we know");
    }
    stage_int(stage, "kernel", kernel);
    stage_int(stage, "degree", degree);
    stage_double(stage, "gamma", gamma);
    stage_double(stage, "constant", constant);
}

static void put_vectors(struct stage *stage, const Pb__SparseVectors *sparse, const Pb__DenseVectors *dense)
{
    stage_all_inputs(stage);
    if (dense)
        put_rows(stage, "vectors", dense->vectors, dense->n_vectors);
    else if (stage_check(stage, sparse != NULL, "it has no support vectors"))
        put_sparse(stage, sparse);
}

void stage_read_vector_regressor(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__SupportVectorRegressor *svm = (const Pb__SupportVectorRegressor *)message;
    bool dense = svm->support_vectors_case == PB__SUPPORT_VECTOR_REGRESSOR__SUPPORT_VECTORS_DENSE;
    bool sparse = svm->support_vectors_case == PB__SUPPORT_VECTOR_REGRESSOR__SUPPORT_VECTORS_SPARSE;
    put_vectors(stage, sparse ? svm->sparse : NULL, dense ? svm->dense : NULL);
    if (!stage_check(stage, svm->coefficients != NULL, "it has no coefficients"))
        return;
    put_rows(stage, "coefficients", (Pb__DoubleVector *const[]){svm->coefficients}, 1);
    stage_doubles(stage, "rho", &svm->rho, 1);
    put_kernel(stage, svm->kernel);
    stage_number_output(stage);
    stage->type = "support_vector_regressor";
}

void stage_read_vector_classifier(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__SupportVectorClassifier *svm = (const Pb__SupportVectorClassifier *)message;
    bool dense = svm->support_vectors_case == PB__SUPPORT_VECTOR_CLASSIFIER__SUPPORT_VECTORS_DENSE;
    bool sparse = svm->support_vectors_case == PB__SUPPORT_VECTOR_CLASSIFIER__SUPPORT_VECTORS_SPARSE;
    bool texts = svm->labels_case == PB__SUPPORT_VECTOR_CLASSIFIER__LABELS_TEXT_LABELS;
    bool ints = svm->labels_case == PB__SUPPORT_VECTOR_CLASSIFIER__LABELS_INT_LABELS;
    bool wants_scores = false;
    for (size_t i = 0; i < stage->interface->n_outputs; i++)
        wants_scores |= stage->interface->outputs[i].kind == MLS_FEATURE_DICTIONARY;
    put_vectors(stage, sparse ? svm->sparse : NULL, dense ? svm->dense : NULL);
    put_rows(stage, "coefficients", svm->coefficients, svm->n_coefficients);
    stage_doubles(stage, "rho", svm->rho, svm->n_rho);
    stage_ints(stage, "counts", svm->vectors_per_class, svm->n_vectors_per_class);
    put_kernel(stage, svm->kernel);
    if (svm->n_prob_a || svm->n_prob_b) {
        stage_doubles(stage, "prob_a", svm->prob_a, svm->n_prob_a);
        stage_doubles(stage, "prob_b", svm->prob_b, svm->n_prob_b);
    } else if (wants_scores) {
        stage_fail(stage, MLS_ERR_OP_UNSUPPORTED, "its description promises probabilities, and it has none");
    }
    stage_labels(stage, "labels", texts ? svm->text_labels : NULL, ints ? svm->int_labels : NULL);
    stage_class_outputs(stage, "labels");
    stage->type = "support_vector_classifier";
}

/* ---- Neighbours --------------------------------------------------------------------------------------- */

/* The labels that there are, each once in order of appearance, and which one each sample has. */
struct classes {
    size_t n;
    size_t *first; /* by class: a sample of it */
    int32_t *class_of_sample;
};

static bool same_label(const Pb__NearestNeighbors *message, size_t a, size_t b)
{
    if (message->labels_case == PB__NEAREST_NEIGHBORS__LABELS_TEXT_LABELS)
        return !strcmp(message->text_labels->values[a], message->text_labels->values[b]);
    return message->int_labels->values[a] == message->int_labels->values[b];
}

static bool find_classes(struct stage *stage, const Pb__NearestNeighbors *message, size_t n,
                         struct classes *classes)
{
    enum { CLASSES_MAX = 1 << 12 }; /* looked through for each sample */
    struct mls_arena *arena = stage->stages->memory->scratch;
    classes->first = MLS_NEW_ARRAY(arena, n + 1, size_t);
    classes->class_of_sample = MLS_NEW_ARRAY(arena, n + 1, int32_t);
    if (!stage_check(stage, classes->first && classes->class_of_sample, "there is no memory for its labels"))
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t class = 0;
        while (class < classes->n && !same_label(message, classes->first[class], i))
            class ++;
        if (class == classes->n)
            classes->first[classes->n++] = i;
        if (!stage_check(stage, classes->n <= CLASSES_MAX, "it has too many labels"))
            return false;
        classes->class_of_sample[i] = (int32_t) class;
    }
    return true;
}

/* The labels, each once, and at the end the default one, which has no samples. */
static void put_classes(struct stage *stage, const Pb__NearestNeighbors *message,
                        const struct classes *classes)
{
    struct mls_arena *arena = stage->stages->memory->scratch;
    if (message->labels_case == PB__NEAREST_NEIGHBORS__LABELS_TEXT_LABELS) {
        char **texts = MLS_NEW_ARRAY(arena, classes->n + 1, char *);
        if (!stage_check(stage, texts != NULL, "there is no memory for its labels"))
            return;
        for (size_t i = 0; i < classes->n; i++)
            texts[i] = message->text_labels->values[classes->first[i]];
        bool given = message->default_label_case == PB__NEAREST_NEIGHBORS__DEFAULT_LABEL_DEFAULT_TEXT;
        texts[classes->n] = given ? message->default_text : (char[]){""};
        stage_texts(stage, "labels", texts, classes->n ? classes->n : 1);
        return;
    }
    int64_t *ints = MLS_NEW_ARRAY(arena, classes->n + 1, int64_t);
    if (!stage_check(stage, ints != NULL, "there is no memory for its labels"))
        return;
    for (size_t i = 0; i < classes->n; i++)
        ints[i] = message->int_labels->values[classes->first[i]];
    bool given = message->default_label_case == PB__NEAREST_NEIGHBORS__DEFAULT_LABEL_DEFAULT_INT;
    ints[classes->n] = given ? message->default_int : 0;
    stage_longs(stage, "labels", ints, classes->n ? classes->n : 1);
}

static void put_samples(struct stage *stage, const Pb__NeighborsIndex *index)
{
    size_t n = (size_t)index->dimensions, total = 0;
    for (size_t i = 0; i < index->n_samples; i++)
        stage_check(stage, index->samples[i]->n_values == n, "a sample has another number of dimensions");
    float *matrix = NULL;
    if (stage_check(stage, mls_mul_size(index->n_samples, n, &total), "it has too many samples"))
        matrix = MLS_NEW_ARRAY(stage->stages->memory->scratch, total, float);
    if (!stage_check(stage, matrix != NULL, "there is no memory for its samples"))
        return;
    for (size_t i = 0; i < index->n_samples && n; i++)
        memcpy(matrix + i * n, index->samples[i]->values, n * sizeof *matrix);
    struct mls_type type =
        mls_type_tensor(MLS_FP32, 2, (const int64_t[]){(int64_t)index->n_samples, (int64_t)n});
    stage_constant(stage, "samples", &type, matrix);
}

void stage_read_neighbors(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__NearestNeighbors *model = (const Pb__NearestNeighbors *)message;
    size_t n_labels =
        model->labels_case == PB__NEAREST_NEIGHBORS__LABELS_TEXT_LABELS  ? model->text_labels->n_values
        : model->labels_case == PB__NEAREST_NEIGHBORS__LABELS_INT_LABELS ? model->int_labels->n_values
                                                                         : SIZE_MAX;
    struct classes classes = {0};
    int64_t neighbors = model->neighbors ? model->neighbors->default_value : 0;
    if (!stage_check(stage,
                     model->index && model->index->dimensions >= 1 && n_labels == model->index->n_samples,
                     "its samples and labels do not go together") ||
        !stage_check(stage, neighbors >= 1 && neighbors <= INT32_MAX,
                     "its number of neighbours is below 1") ||
        !find_classes(stage, model, n_labels, &classes))
        return;
    stage_all_inputs(stage);
    put_samples(stage, model->index);
    stage_ints(stage, "class_of_sample", classes.class_of_sample, n_labels);
    stage_int(stage, "neighbors", (int32_t)neighbors);
    stage_bool(stage, "inverse_distance",
               model->weighting_case == PB__NEAREST_NEIGHBORS__WEIGHTING_INVERSE_DISTANCE);
    stage_int(stage, "default_class", 0); /* without samples, the default label is the only one */
    put_classes(stage, model, &classes);
    stage_class_outputs(stage, "labels");
    stage->type = "nearest_neighbors_classifier";
}
