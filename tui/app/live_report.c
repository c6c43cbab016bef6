#include "app/live_report.h"

#include <time.h>

#include "core/clock.h"
#include "profiler/waiting.h"

enum { FIRST_REPORT_RUNS = 20 };

static const uint64_t report_every_ns = 10000000000u;

static uint64_t cpu_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Growth counts from the first report on: by then the screen has what it needs, and warm-up is over. */
static struct mls_growth growth_since(struct live_report *live, const struct mls_settings *settings,
                                      bool alone, const struct mls_snapshot *snapshot)
{
    bool waits = settings->delay_ms > 0 || settings->rate_hz > 0;
    uint64_t wait_ns;
    bool known = mls_waiting_read(&wait_ns);
    if (!live->begin.wall_ns || !alone) { /* what else goes on takes memory and processors of its own */
        live->begin = (struct mls_growth){.n_predictions = snapshot->predictions.runs,
                                          .rss_first_bytes = snapshot->memory.rss_bytes,
                                          .wall_ns = mls_clock_ns(),
                                          .cpu_ns = cpu_ns(),
                                          .waits_known = known,
                                          .wait_ns = wait_ns};
        return (struct mls_growth){.n_predictions = 0};
    }
    return (struct mls_growth){.n_predictions = snapshot->predictions.runs - live->begin.n_predictions,
                               .rss_first_bytes = live->begin.rss_first_bytes,
                               .rss_last_bytes = snapshot->memory.rss_bytes,
                               .wall_ns = waits ? 0 : mls_clock_ns() - live->begin.wall_ns,
                               .cpu_ns = cpu_ns() - live->begin.cpu_ns,
                               .waits_known = known && live->begin.waits_known,
                               .wait_ns = wait_ns > live->begin.wait_ns ? wait_ns - live->begin.wait_ns : 0};
}

/* The measurement of `mlscope diagnose`, with the latest predictions for its samples. */
static bool read_measurement(struct live_report *live, const struct mls_engine *engine,
                             const struct mls_profile *profile, const struct mls_settings *settings,
                             const struct mls_snapshot *snapshot, uint64_t samples_ns[MLS_SNAPSHOT_RECENT],
                             struct mls_measurement *ret_measurement)
{
    if (!profile || snapshot->synthetic || snapshot->predictions.runs < FIRST_REPORT_RUNS ||
        mls_measurement_read(snapshot->loaded, profile, ret_measurement, NULL) != MLS_OK)
        return false;
    struct mls_engine_examination examination = mls_engine_examination(engine);
    bool alone = !snapshot->sweep.busy && !examination.walking;
    ret_measurement->growth = growth_since(live, settings, alone, snapshot);
    if (alone) {
        ret_measurement->samples_ns = samples_ns;
        ret_measurement->n_samples = mls_profile_recent(profile, samples_ns, MLS_SNAPSHOT_RECENT);
    }
    ret_measurement->load_rss_bytes = examination.memory.rss_bytes;
    ret_measurement->load_peak_rss_bytes = examination.memory.peak_rss_bytes;
    return true;
}

static void make_report(struct live_report *live, const struct mls_engine *engine,
                        const struct mls_profile *profile, const struct mls_settings *settings,
                        bool inputs_given, struct mls_snapshot *snapshot)
{
    uint64_t samples_ns[MLS_SNAPSHOT_RECENT];
    struct mls_measurement measurement = {0};
    struct mls_report *report;
    struct mls_facts facts = mls_facts_read(snapshot->loaded, snapshot->placements, snapshot->setting);
    live->measured = read_measurement(live, engine, profile, settings, snapshot, samples_ns, &measurement);
    facts.error = snapshot->error;
    facts.measurement = live->measured ? &measurement : NULL;
    facts.inputs_given = inputs_given;
    if (live->measured) {
        struct mls_engine_examination examination = mls_engine_examination(engine);
        facts.survey = examination.survey;
        facts.walk = examination.walk;
        live->examined = examination.state;
    }
    live->setting = snapshot->setting;
    if (mls_diagnose(&facts, &report, NULL) == MLS_OK) {
        mls_report_free(live->report);
        live->report = report;
        snapshot->report = report;
        live->at_ns = mls_clock_ns();
    }
    mls_measurement_done(&measurement);
}

void live_report_update(struct live_report *live, const struct mls_engine *engine,
                        const struct mls_profile *profile, const struct mls_settings *settings,
                        bool inputs_given, bool now, struct mls_snapshot *snapshot)
{
    bool measures = profile && !snapshot->synthetic && snapshot->predictions.runs >= FIRST_REPORT_RUNS;
    bool more = measures && (!live->measured || live->examined != mls_engine_examination(engine).state);
    bool old = live->measured && mls_clock_ns() - live->at_ns > report_every_ns;
    if (now || !live->report || more || old || live->setting != snapshot->setting)
        make_report(live, engine, profile, settings, inputs_given, snapshot);
}

void live_report_reset(struct live_report *live)
{
    live->begin.wall_ns = 0;
}

void live_report_clear(struct live_report *live)
{
    mls_report_free(live->report);
    *live = (struct live_report){.report = NULL};
}
