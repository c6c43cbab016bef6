/*
 * box_suppression.c: the model nonMaximumSuppression, the last one of detectors. A box's confidence is its
 * greatest one. Boxes below the threshold go; of the rest the most confident is kept, those that overlap it
 * too much go, and so on.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op_family.h"

enum {
    CONFIDENCE,
    COORDINATES,
    IOU_DEFAULT,
    THRESHOLD_DEFAULT,
    PER_CLASS,
    ROWS_MIN, /* rows of the outputs: filled up with zeros to the least, */
    ROWS_MAX, /* cut at the most; -1 for none */
    IOU,
    THRESHOLD
};
enum { OUT_CONFIDENCE, OUT_COORDINATES };

/* Boxes of a type whose last dimension is what one box has; -1 when not known. */
static int64_t box_count(const struct mls_type *type)
{
    int64_t n = mls_type_elems(type);
    return n < 0 || !type->dims[type->rank - 1] ? -1 : n / type->dims[type->rank - 1];
}

static enum mls_status infer_boxes(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *confidence = &mls_op_in(call, CONFIDENCE)->type;
    const struct mls_type *coordinates = &mls_op_in(call, COORDINATES)->type;
    int64_t least = mls_op_int(call, ROWS_MIN, 0), most = mls_op_int(call, ROWS_MAX, -1);
    bool known = mls_type_is_static(confidence) && mls_type_is_static(coordinates);
    bool fit =
        !known ||
        (confidence->rank >= 2 && coordinates->rank >= 2 && coordinates->dims[coordinates->rank - 1] == 4 &&
         confidence->dims[confidence->rank - 1] >= 1 && box_count(confidence) == box_count(coordinates) &&
         box_count(confidence) <= INT32_MAX);
    if (!fit || call->n_outputs != 2 || least < 0 || (most >= 0 && most < least)) {
        char first[96], second[96];
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "confidences %s and coordinates %s do not go together",
                           mls_type_format(confidence, first, sizeof first),
                           mls_type_format(coordinates, second, sizeof second));
    }
    int64_t n_rows = least == most ? least : MLS_DIM_UNKNOWN;
    int64_t n_classes = known ? confidence->dims[confidence->rank - 1] : MLS_DIM_UNKNOWN;
    mls_op_out(call, OUT_CONFIDENCE)->type =
        mls_type_tensor(confidence->dtype, 2, (const int64_t[]){n_rows, n_classes});
    mls_op_out(call, OUT_COORDINATES)->type =
        mls_type_tensor(coordinates->dtype, 2, (const int64_t[]){n_rows, 4});
    return MLS_OK;
}

struct box {
    double left, top, right, bottom;
    double score;
    int32_t index;
    int32_t class;
};

static size_t scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    int64_t n = box_count(&mls_op_in(call, CONFIDENCE)->type);
    return n > 0 ? (size_t)n * sizeof(struct box) : 0;
}

/* Descending by score, in order of index where equal. */
static int compare_boxes(const void *a, const void *b)
{
    const struct box *left = a, *right = b;
    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* The greatest of a box's confidences, and which one that is. fp32, which detectors give, is read without
 * detours. */
static void find_class(const struct mls_tensor *confidence, int64_t first, int64_t n, struct box *box)
{
    const float *singles =
        confidence->type.dtype == MLS_FP32 ? (const float *)confidence->data + first : NULL;
    for (int64_t k = 0; k < n; k++) {
        double score = singles ? (double)singles[k] : mls_tensor_float(confidence, first + k);
        if (score > box->score) {
            box->score = score;
            box->class = (int32_t)k;
        }
    }
}

/* Boxes that reach the threshold, most confident first. A NaN reaches nothing. */
static int64_t take_boxes(const struct mls_op_call *call, double threshold, struct box *boxes)
{
    const struct mls_tensor *confidence = mls_op_in(call, CONFIDENCE),
                            *coordinates = mls_op_in(call, COORDINATES);
    int64_t n_boxes = box_count(&confidence->type), n = 0;
    int64_t n_classes = confidence->type.dims[confidence->type.rank - 1];
    for (int64_t i = 0; i < n_boxes; i++) {
        struct box box = {.score = -HUGE_VAL, .index = (int32_t)i};
        find_class(confidence, i * n_classes, n_classes, &box);
        if (!(box.score >= threshold))
            continue;
        double x = mls_tensor_float(coordinates, 4 * i), y = mls_tensor_float(coordinates, 4 * i + 1);
        double width = mls_tensor_float(coordinates, 4 * i + 2),
               height = mls_tensor_float(coordinates, 4 * i + 3);
        box.left = x - width / 2;
        box.right = x + width / 2;
        box.top = y - height / 2;
        box.bottom = y + height / 2;
        boxes[n++] = box;
    }
    if (n)
        qsort(boxes, (size_t)n, sizeof *boxes, compare_boxes);
    return n;
}

/* Intersection over union. */
static double overlap(const struct box *a, const struct box *b)
{
    double width = fmin(a->right, b->right) - fmax(a->left, b->left);
    double height = fmin(a->bottom, b->bottom) - fmax(a->top, b->top);
    if (!(width > 0) || !(height > 0))
        return 0;
    double both = width * height;
    double all =
        (a->right - a->left) * (a->bottom - a->top) + (b->right - b->left) * (b->bottom - b->top) - both;
    return all > 0 ? both / all : 0;
}

/* Moves the boxes that are kept to the front; at most `most` of them. */
static int64_t suppress(struct box *boxes, int64_t n, double iou, bool per_class, int64_t most)
{
    int64_t n_kept = 0;
    for (int64_t i = 0; i < n && n_kept != most; i++) {
        bool kept = true;
        for (int64_t k = 0; k < n_kept && kept; k++)
            kept = (per_class && boxes[k].class != boxes[i].class) || !(overlap(&boxes[k], &boxes[i]) > iou);
        if (kept)
            boxes[n_kept++] = boxes[i];
    }
    return n_kept;
}

/* The rows of an input that the kept boxes have, zeros after them. */
static enum mls_status put_rows(struct mls_op_call *call, struct mls_op_env *env, unsigned output,
                                const struct mls_tensor *from, const struct box *boxes, int64_t n_kept,
                                int64_t n_rows)
{
    struct mls_tensor *to = mls_op_out(call, output);
    to->type.dims[0] = n_rows;
    to->type.dims[1] = from->type.dims[from->type.rank - 1];
    enum mls_status status = mls_op_allocate(call, env, output);
    if (status)
        return status;
    size_t row_bytes = mls_dtype_bytes(from->type.dtype, (size_t)to->type.dims[1]);
    memset(to->data, 0, (size_t)n_rows * row_bytes);
    for (int64_t i = 0; i < n_kept; i++)
        memcpy((char *)to->data + (size_t)i * row_bytes,
               (const char *)from->data + (size_t)boxes[i].index * row_bytes, row_bytes);
    return MLS_OK;
}

/* An optional input that nobody gave is NaN. */
static double limit_of(const struct mls_op_call *call, unsigned given, unsigned otherwise)
{
    double limit = mls_op_float(call, given, (double)NAN);
    return isnan(limit) ? mls_op_float(call, otherwise, 0) : limit;
}

static enum mls_status run_boxes(struct mls_op_call *call, struct mls_op_env *env)
{
    struct box *boxes = call->scratch;
    double iou = limit_of(call, IOU, IOU_DEFAULT), threshold = limit_of(call, THRESHOLD, THRESHOLD_DEFAULT);
    int64_t least = mls_op_int(call, ROWS_MIN, 0), most = mls_op_int(call, ROWS_MAX, -1);
    int64_t n = take_boxes(call, threshold, boxes);
    int64_t n_kept = suppress(boxes, n, iou, mls_op_bool(call, PER_CLASS, false), most);
    int64_t n_rows = n_kept < least ? least : n_kept;
    enum mls_status status =
        put_rows(call, env, OUT_CONFIDENCE, mls_op_in(call, CONFIDENCE), boxes, n_kept, n_rows);
    return status ? status
                  : put_rows(call, env, OUT_COORDINATES, mls_op_in(call, COORDINATES), boxes, n_kept, n_rows);
}

#define MLS_T_REAL (MLS_T_FLOAT | MLS_DTYPE_BIT(MLS_FP64))

static const struct mls_op_row rows[] = {
    {.name = "box_suppression",
     .since = 5,
     .flags = MLS_OP_ALLOCATES | MLS_OP_OUTPUTS,
     .params = {[CONFIDENCE] = {"confidence", MLS_T_REAL, 0, 0},
                [COORDINATES] = {"coordinates", MLS_T_REAL, 0, 0},
                [IOU_DEFAULT] = {"iou_default", MLS_T_REAL, MLS_PARAM_CONST, 0},
                [THRESHOLD_DEFAULT] = {"threshold_default", MLS_T_REAL, MLS_PARAM_CONST, 0},
                [PER_CLASS] = {"per_class", MLS_T_BOOL, MLS_PARAM_CONST, 0},
                [ROWS_MIN] = {"rows_min", MLS_T_I32, MLS_PARAM_CONST, 0},
                [ROWS_MAX] = {"rows_max", MLS_T_I32, MLS_PARAM_CONST, 0},
                [IOU] = {"iou", MLS_T_REAL, MLS_PARAM_OPTIONAL, 0},
                [THRESHOLD] = {"threshold", MLS_T_REAL, MLS_PARAM_OPTIONAL, 0}},
     .infer = infer_boxes,
     .scratch_bytes = scratch_bytes,
     .run = run_boxes},
};

MLS_OP_FAMILY_DEFINE(box_suppression, rows);
