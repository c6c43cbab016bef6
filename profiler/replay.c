#include "replay.h"

#include <stdlib.h>

#include "sampler/join.h"

bool profile_replay(const struct mls_profile *profile, struct mls_hot *hot)
{
    size_t n_events, n_predictions;
    const struct mls_trace_event *events = mls_profile_trace(profile, &n_events);
    const struct mls_trace_prediction *predictions = mls_profile_trace_predictions(profile, &n_predictions);
    struct hot_span *spans = calloc(n_events ? n_events : 1, sizeof *spans);
    if (!spans)
        return false;
    bool alone = true;
    for (size_t i = 1; i < n_predictions; i++)
        alone = alone && predictions[i].recorder == predictions[0].recorder;
    size_t at = 0;
    for (size_t i = 0; i < n_predictions; i++) {
        const struct mls_trace_prediction *prediction = &predictions[i];
        size_t n = 0;
        for (; at < n_events && events[at].recorder == prediction->recorder &&
               events[at].prediction == prediction->prediction;
             at++)
            spans[n++] = (struct hot_span){
                .step = events[at].step, .begin_ns = events[at].begin_ns, .end_ns = events[at].end_ns};
        hot_join(hot, &(struct hot_prediction){.thread = prediction->thread,
                                               .timed = prediction->timed,
                                               .alone = alone,
                                               .begin_ns = prediction->begin_ns,
                                               .end_ns = prediction->end_ns,
                                               .spans = spans,
                                               .n_spans = n});
    }
    free(spans);
    return true;
}
