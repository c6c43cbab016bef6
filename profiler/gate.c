#include "profiler/measure.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static enum mls_status not_a_profile(const char *path, const char *why, struct mls_error *reterr)
{
    mls_fail(reterr, MLS_ERR_USAGE, "cannot use %s as a baseline: %s", path, why);
    mls_error_hint(reterr, "make one with: mlscope profile MODEL --json > FILE");
    return MLS_ERR_USAGE;
}

static enum mls_status read_baseline(const char *path, struct mls_gate *gate, struct mls_error *reterr)
{
    json_error_t why;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return not_a_profile(path, why.text, reterr);
    const char *schema = json_string_value(json_object_get(root, "schema"));
    const json_t *p50 = json_object_get(json_object_get(root, "predict"), "p50_ns");
    const json_t *peak = json_object_get(json_object_get(root, "memory"), "peak_rss_bytes");
    enum mls_status status = MLS_OK;
    if (!schema || strcmp(schema, "mlscope.profile") != 0)
        status = not_a_profile(path, "its schema is not mlscope.profile", reterr);
    else if (!json_is_integer(p50) || json_integer_value(p50) <= 0)
        status = not_a_profile(path, "it holds no predict.p50_ns", reterr);
    else {
        gate->baseline_p50_ns = (uint64_t)json_integer_value(p50);
        gate->baseline_peak_rss_bytes = json_integer_value(peak) > 0 ? (uint64_t)json_integer_value(peak) : 0;
    }
    json_decref(root);
    return status;
}

enum mls_status mls_gate_check(const char *baseline_path, double max_ratio, uint64_t measured_p50_ns,
                               uint64_t measured_peak_rss_bytes, struct mls_gate *ret_gate,
                               struct mls_error *reterr)
{
    struct mls_gate gate = {.measured_p50_ns = measured_p50_ns,
                            .measured_peak_rss_bytes = measured_peak_rss_bytes};
    if (!(max_ratio > 0) || !isfinite(max_ratio))
        return mls_fail(reterr, MLS_ERR_USAGE, "cannot check the gate: the ratio must be a number above 0");
    enum mls_status status = read_baseline(baseline_path, &gate, reterr);
    if (status)
        return status;
    gate.latency_ratio = (double)measured_p50_ns / (double)gate.baseline_p50_ns;
    if (gate.baseline_peak_rss_bytes && measured_peak_rss_bytes)
        gate.memory_ratio = (double)measured_peak_rss_bytes / (double)gate.baseline_peak_rss_bytes;
    gate.broken = gate.latency_ratio > max_ratio || gate.memory_ratio > max_ratio;
    *ret_gate = gate;
    if (!gate.broken)
        return MLS_OK;
    if (gate.latency_ratio > max_ratio)
        return mls_fail(
            reterr, MLS_ERR_GATE,
            "the gate is broken: P50 is %.3f ms, %.3f times the baseline's %.3f ms; allowed is %.3f",
            (double)measured_p50_ns / 1e6, gate.latency_ratio, (double)gate.baseline_p50_ns / 1e6, max_ratio);
    return mls_fail(
        reterr, MLS_ERR_GATE,
        "the gate is broken: peak memory is %.1f MiB, %.3f times the baseline's %.1f MiB; allowed is %.3f",
        (double)measured_peak_rss_bytes / (1 << 20), gate.memory_ratio,
        (double)gate.baseline_peak_rss_bytes / (1 << 20), max_ratio);
}
