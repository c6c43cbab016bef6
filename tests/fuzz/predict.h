/* predict.h: what fuzzers of whole programs share: one prediction on random inputs, within limits of memory and time, and
 * the comparison of two. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/feature.h"
#include "core/pass.h"
#include "core/session.h"

enum { PREDICT_STEPS_MAX = 512, PREDICT_FLOPS_MAX = 1 << 24, PREDICT_MEMORY_BYTES = 1 << 26 };

struct predicted {
    struct mls_session *session;
    const struct mls_plan *plan;
    struct mls_run *run;
    unsigned n_steps;
    bool too_long; /* stopped by us: nothing can be said of it */
    enum mls_status status;
    struct mls_error error;
};

static void predict_count(void *user, uint32_t step, uint64_t begin_ticks, uint64_t end_ticks)
{
    struct predicted *predicted = user;
    (void)step, (void)begin_ticks, (void)end_ticks;
    if (++predicted->n_steps < PREDICT_STEPS_MAX)
        return;
    predicted->too_long = true;
    mls_run_cancel(predicted->run);
}

static bool predict_is_small(const struct mls_plan *plan)
{
    uint64_t flops = 0;
    for (size_t i = 0; i < mls_plan_step_count(plan); i++) {
        const struct mls_step *step = mls_plan_step(plan, i);
        uint64_t bytes = step->cost.bytes_read + step->cost.bytes_written;
        if (step->cost.flops > PREDICT_FLOPS_MAX || bytes > PREDICT_FLOPS_MAX || flops > PREDICT_FLOPS_MAX)
            return false;
        flops += step->cost.flops + bytes;
    }
    return flops <= PREDICT_FLOPS_MAX;
}

/* Plans the first function and predicts once; `values` may watch what steps give. The caller calls predict_done. */
static void predict(const struct mls_model *model, struct mls_session_options options,
                    void (*values)(void *, uint32_t, struct mls_tensor *const *, uint32_t), struct predicted *ret)
{
    memset(ret, 0, sizeof *ret);
    options.max_memory_bytes = PREDICT_MEMORY_BYTES;
    ret->status = mls_session_create(model, &options, &ret->session, &ret->error);
    if (!ret->status)
        ret->status = mls_session_plan(ret->session, NULL, &ret->plan, &ret->error);
    if (!ret->status && !predict_is_small(ret->plan)) {
        ret->too_long = true;
        return;
    }
    if (!ret->status)
        ret->status = mls_run_create(ret->session, ret->plan, &ret->run, &ret->error);
    for (size_t i = 0; !ret->status && i < mls_session_interface(ret->session)->n_inputs; i++)
        ret->status = mls_feature_random(ret->run, i, 1, &ret->error);
    struct mls_observer observer = {.user = ret, .step = predict_count, .values = values};
    if (!ret->status)
        ret->status = mls_run_predict(ret->run, &observer, NULL, &ret->error);
}

static void predict_done(struct predicted *predicted)
{
    mls_run_free(predicted->run);
    mls_session_free(predicted->session);
}

static bool predict_is_nan(const struct mls_tensor *tensor, int64_t i)
{
    if (tensor->type.dtype == MLS_FP16)
        return (((const uint16_t *)tensor->data)[i] & 0x7fff) > 0x7c00;
    if (tensor->type.dtype == MLS_FP32)
        return isnan(((const float *)tensor->data)[i]);
    return tensor->type.dtype == MLS_FP64 && isnan(((const double *)tensor->data)[i]);
}

/* Whether two tensors hold the same bits; one NaN is as good as another. */
static bool predict_same_bits(const struct mls_tensor *a, const struct mls_tensor *b)
{
    size_t bytes = mls_type_bytes(&a->type);
    if (!mls_type_equal(&a->type, &b->type))
        return false;
    if (a->type.kind != MLS_KIND_TENSOR || a->type.dtype == MLS_TEXT || bytes == SIZE_MAX || !bytes ||
        !memcmp(a->data, b->data, bytes))
        return true;
    size_t size = mls_dtype_bits(a->type.dtype) / 8;
    for (int64_t i = 0; size && i < mls_type_elems(&a->type); i++)
        if (memcmp((const char *)a->data + (size_t)i * size, (const char *)b->data + (size_t)i * size, size) &&
            !(predict_is_nan(a, i) && predict_is_nan(b, i)))
            return false;
    return size != 0;
}

/* Aborts unless both ended the same way and, where they did well, with the same bits. */
static void predict_compare(const struct predicted *a, const struct predicted *b, const char *how)
{
    if (a->too_long || b->too_long)
        return;
    if (a->status != b->status) {
        fprintf(stderr, "%s: %s (%s) or %s (%s)\n", how, mls_status_name(a->status), a->error.text,
                mls_status_name(b->status), b->error.text);
        abort();
    }
    const struct mls_interface *interface = a->status ? NULL : mls_session_interface(a->session);
    for (size_t i = 0; interface && i < interface->n_outputs; i++)
        if (!predict_same_bits(mls_run_output(a->run, i), mls_run_output(b->run, i))) {
            fprintf(stderr, "%s: output %s differs\n", how, interface->outputs[i].name);
            abort();
        }
}

/* Passes that leave roundings out, and may change the last bits. */
static uint64_t predict_rounding_passes(void)
{
    uint64_t passes = 0;
    for (uint32_t i = 0; i < mls_pass_count(); i++)
        passes |= mls_pass_keeps_bits(i) ? 0 : (uint64_t)1 << i;
    return passes;
}

/* Aborts unless the results are the same bits with all passes that promise so and without any. */
static void predict_compare_passes(const struct mls_model *model)
{
    struct predicted with, without;
    predict(model, (struct mls_session_options){.threads = 1, .passes_off = predict_rounding_passes()}, NULL, &with);
    predict(model, (struct mls_session_options){.threads = 1, .no_fusion = true}, NULL, &without);
    predict_compare(&with, &without, "with fusion or without");
    predict_done(&with);
    predict_done(&without);
}
