/*
 * nms.c: non_maximum_suppression. A box's score is its greatest one, and its class that of the score. When no
 * box reaches the threshold the best one is selected all the same, as Core ML does.
 */
#include <math.h>
#include <string.h>

#include "base/fp16.h"
#include "ops/copy.h"
#include "ops/op_family.h"

/* score_threshold is a parameter of opset 5 only, and moves those behind it. */
enum { BOXES, SCORES, IOU_THRESHOLD, AFTER_IOU };
enum { OUT_BOXES, OUT_SCORES, OUT_INDICES, OUT_COUNTS };

struct layout {
    bool boxes_last; /* from opset 7 on the boxes are the last dimension */
    unsigned max_boxes;
    unsigned per_class;
    unsigned n_outputs;
};

static struct layout layout_of(const struct mls_op_call *call)
{
    return call->row->since >= 7 ? (struct layout){true, AFTER_IOU, AFTER_IOU + 1, 3}
                                 : (struct layout){false, AFTER_IOU + 1, AFTER_IOU + 2, 4};
}

static enum mls_status infer_nms(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *boxes = &mls_op_in(call, BOXES)->type, *scores = &mls_op_in(call, SCORES)->type;
    struct layout layout = layout_of(call);
    unsigned n_dim = layout.boxes_last ? 2 : 1, other = 3 - n_dim;
    int64_t max_boxes = mls_op_int(call, layout.max_boxes, 0);
    bool fit = boxes->rank == 3 && scores->rank == 3 && boxes->dims[other] == 4 && scores->dims[other] != 0;
    for (unsigned i = 0; fit && i < 3; i++)
        fit = i == other || boxes->dims[i] < 0 || scores->dims[i] < 0 || boxes->dims[i] == scores->dims[i];
    if (!fit || boxes->dims[n_dim] > INT32_MAX) {
        char first[96], second[96];
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "boxes %s and scores %s do not go together",
                           mls_type_format(boxes, first, sizeof first),
                           mls_type_format(scores, second, sizeof second));
    }
    if (max_boxes < 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "max_boxes is %lld", (long long)max_boxes);
    if (call->n_outputs != layout.n_outputs)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has %u outputs instead of %u",
                           call->n_outputs, layout.n_outputs);
    struct mls_type type = *boxes;
    type.dims[n_dim] = max_boxes;
    mls_infer_later(boxes, &type);
    mls_infer_later(scores, &type);
    mls_op_out(call, OUT_BOXES)->type = type;
    type = *scores;
    type.dims[n_dim] = max_boxes;
    mls_op_out(call, OUT_SCORES)->type = type;
    mls_op_out(call, OUT_INDICES)->type =
        mls_type_tensor(MLS_INT32, 2, (int64_t[]){boxes->dims[0], max_boxes});
    if (!layout.boxes_last)
        mls_op_out(call, OUT_COUNTS)->type = mls_type_tensor(MLS_INT32, 1, boxes->dims);
    return MLS_OK;
}

/* A box while it is decided on. */
struct candidate {
    float left;
    float top;
    float right;
    float bottom;
    float score;
    int32_t class;
    bool open; /* neither selected nor suppressed */
};

struct nms {
    int64_t n; /* boxes of a batch */
    int64_t max_boxes;
    int64_t n_classes;
    int64_t box_step; /* from a box to the next, and from one of its numbers to the next */
    int64_t class_step;
    int64_t boxes_step;
    int64_t number_step;
    float iou_threshold;
    bool equal_too; /* from opset 7 on an overlap of exactly the threshold suppresses as well */
    bool per_class;
};

static float number_at(const struct mls_tensor *tensor, int64_t i)
{
    return tensor->type.dtype == MLS_FP16 ? mls_fp16_to_fp32(((const uint16_t *)tensor->data)[i])
                                          : ((const float *)tensor->data)[i];
}

static void read_candidates(const struct mls_op_call *call, const struct nms *nms, int64_t batch,
                            struct candidate *candidates)
{
    const struct mls_tensor *boxes = mls_op_in(call, BOXES), *scores = mls_op_in(call, SCORES);
    for (int64_t i = 0; i < nms->n; i++) {
        int64_t box = batch * nms->n * 4 + i * nms->boxes_step,
                first = batch * nms->n * nms->n_classes + i * nms->box_step;
        float x = number_at(boxes, box), y = number_at(boxes, box + nms->number_step);
        float w = number_at(boxes, box + 2 * nms->number_step),
              h = number_at(boxes, box + 3 * nms->number_step);
        struct candidate candidate = {.left = x - w / 2,
                                      .top = y - h / 2,
                                      .right = x + w / 2,
                                      .bottom = y + h / 2,
                                      .score = number_at(scores, first),
                                      .open = true};
        for (int64_t c = 1; c < nms->n_classes; c++) {
            float score = number_at(scores, first + c * nms->class_step);
            if (score > candidate.score) {
                candidate.score = score;
                candidate.class = (int32_t)c;
            }
        }
        candidates[i] = candidate;
    }
}

static float overlap(const struct candidate *a, const struct candidate *b)
{
    float area_a = (a->right - a->left) * (a->bottom - a->top),
          area_b = (b->right - b->left) * (b->bottom - b->top);
    if (!(area_a > 0) || !(area_b > 0))
        return 0;
    float width = fminf(a->right, b->right) - fmaxf(a->left, b->left);
    float height = fminf(a->bottom, b->bottom) - fmaxf(a->top, b->top);
    float shared = fmaxf(width, 0) * fmaxf(height, 0);
    return shared / (area_a + area_b - shared);
}

/* The open candidate of the greatest score that is at least `threshold`; the first of equal ones; or -1. */
static int64_t best_open(const struct candidate *candidates, int64_t n, float threshold)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++)
        if (candidates[i].open && candidates[i].score >= threshold &&
            (best < 0 || candidates[i].score > candidates[best].score))
            best = i;
    return best;
}

static int64_t select_boxes(const struct nms *nms, struct candidate *candidates, float threshold,
                            int32_t *ret_indices)
{
    int64_t n_selected = 0;
    while (n_selected < nms->max_boxes) {
        int64_t best = best_open(candidates, nms->n, threshold);
        if (best < 0 && n_selected == 0)
            best = best_open(candidates, nms->n, -INFINITY);
        if (best < 0)
            break;
        const struct candidate *selected = &candidates[best];
        for (int64_t i = 0; i < nms->n; i++) {
            bool rival = !nms->per_class || candidates[i].class == selected->class;
            float shared = candidates[i].open && rival ? overlap(selected, &candidates[i]) : 0;
            if (shared > nms->iou_threshold || (nms->equal_too && shared > 0 && shared == nms->iou_threshold))
                candidates[i].open = false;
        }
        candidates[best].open = false;
        ret_indices[n_selected++] = (int32_t)best;
    }
    return n_selected;
}

/* Copies the numbers of the selected boxes; [batch][box][number] or [batch][number][box]. */
static void copy_selected(const struct mls_tensor *from, struct mls_tensor *to, const struct nms *nms,
                          bool boxes_last, int64_t batch, int64_t n_numbers, const int32_t *indices,
                          int64_t n_selected)
{
    size_t elem_bytes = mls_elem_bytes(from);
    for (int64_t i = 0; i < n_selected; i++) {
        for (int64_t k = 0; k < n_numbers; k++) {
            int64_t source = batch * nms->n * n_numbers +
                             (boxes_last ? k * nms->n + indices[i] : indices[i] * n_numbers + k);
            int64_t target = batch * nms->max_boxes * n_numbers +
                             (boxes_last ? k * nms->max_boxes + i : i * n_numbers + k);
            memcpy((char *)to->data + (size_t)target * elem_bytes,
                   (const char *)from->data + (size_t)source * elem_bytes, elem_bytes);
        }
    }
}

static size_t scratch_nms(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    int64_t n = mls_op_in(call, BOXES)->type.dims[layout_of(call).boxes_last ? 2 : 1];
    return n > 0 ? (size_t)n * sizeof(struct candidate) : 0;
}

static enum mls_status run_nms(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    const struct mls_tensor *boxes = mls_op_in(call, BOXES), *scores = mls_op_in(call, SCORES);
    struct layout layout = layout_of(call);
    bool last = layout.boxes_last;
    struct nms nms = {.n = boxes->type.dims[last ? 2 : 1],
                      .max_boxes = mls_op_int(call, layout.max_boxes, 1),
                      .n_classes = scores->type.dims[last ? 1 : 2],
                      .iou_threshold = (float)mls_op_float(call, IOU_THRESHOLD, 0),
                      .equal_too = call->row->since >= 7,
                      .per_class = mls_op_bool(call, layout.per_class, false)};
    nms.boxes_step = last ? 1 : 4;
    nms.number_step = last ? nms.n : 1;
    nms.box_step = last ? 1 : nms.n_classes;
    nms.class_step = last ? nms.n : 1;
    float threshold = last ? -INFINITY : (float)mls_op_float(call, AFTER_IOU, 0);
    memset(mls_op_out(call, OUT_BOXES)->data, 0, mls_type_bytes(&mls_op_out(call, OUT_BOXES)->type));
    memset(mls_op_out(call, OUT_SCORES)->data, 0, mls_type_bytes(&mls_op_out(call, OUT_SCORES)->type));
    memset(mls_op_out(call, OUT_INDICES)->data, 0xff,
           mls_type_bytes(&mls_op_out(call, OUT_INDICES)->type)); /* -1 */
    for (int64_t b = 0; b < boxes->type.dims[0]; b++) {
        int32_t *indices = (int32_t *)mls_op_out(call, OUT_INDICES)->data + b * nms.max_boxes;
        read_candidates(call, &nms, b, call->scratch);
        int64_t n = select_boxes(&nms, call->scratch, threshold, indices);
        copy_selected(boxes, mls_op_out(call, OUT_BOXES), &nms, last, b, 4, indices, n);
        copy_selected(scores, mls_op_out(call, OUT_SCORES), &nms, last, b, nms.n_classes, indices, n);
        if (!last)
            ((int32_t *)mls_op_out(call, OUT_COUNTS)->data)[b] = (int32_t)n;
    }
    call->kernel = "nms";
    return MLS_OK;
}

#define FLOAT_PARAM(name)       \
    {                           \
        name, MLS_T_FLOAT, 0, 0 \
    }
#define THRESHOLD(name)                       \
    {                                         \
        name, MLS_T_FLOAT, MLS_PARAM_CONST, 0 \
    }
#define MAX_BOXES                                  \
    {                                              \
        "max_boxes", MLS_T_I32, MLS_PARAM_CONST, 0 \
    }
#define PER_CLASS                                                                    \
    {                                                                                \
        "per_class_suppression", MLS_T_BOOL, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0 \
    }

static const struct mls_op_row rows[] = {
    {.name = "non_maximum_suppression",
     .since = 5,
     .flags = MLS_OP_OUTPUTS,
     .params = {FLOAT_PARAM("boxes"), FLOAT_PARAM("scores"), THRESHOLD("iou_threshold"),
                THRESHOLD("score_threshold"), MAX_BOXES, PER_CLASS},
     .infer = infer_nms,
     .scratch_bytes = scratch_nms,
     .run = run_nms},
    {.name = "non_maximum_suppression",
     .since = 7,
     .flags = MLS_OP_OUTPUTS,
     .params = {FLOAT_PARAM("boxes"), FLOAT_PARAM("scores"), THRESHOLD("iou_threshold"), MAX_BOXES,
                PER_CLASS},
     .infer = infer_nms,
     .scratch_bytes = scratch_nms,
     .run = run_nms},
};

MLS_OP_FAMILY_DEFINE(nms, rows);
