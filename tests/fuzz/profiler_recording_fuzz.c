/* Recordings: any bytes give a recording that can be walked, or an error. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "diagnostics/recorded.h"
#include "profiler/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads everything that a view would. */
static size_t walk(const struct mls_record *record)
{
    size_t sum = record->n_recent + record->n_kept;
    for (size_t i = 0; i < record->n_steps; i++) {
        sum += strlen(record->steps[i]->name) + strlen(record->steps[i]->type) + record->stats[i].time.runs;
        for (uint32_t k = 0; k < record->steps[i]->n_inputs; k++)
            sum += strlen(record->steps[i]->inputs[k].name);
    }
    for (size_t i = 0; i < record->n_attributes; i++)
        sum += strlen(record->attributes[i].value) + strlen(record->steps[record->attributes[i].step]->name);
    for (size_t i = 0; i < record->n_kept; i++)
        for (size_t k = 0; k < record->kept[i].n_events; k++)
            sum += strlen(record->steps[record->kept[i].events[k].step]->name);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mls_recording *recording;
    if (mls_recording_parse(data, size, &recording, NULL) != MLS_OK)
        return 0;
    size_t sum = walk(mls_recording_record(recording));
    const struct mls_placement *placements[MLS_COMPUTE_UNITS_COUNT];
    struct mls_arena *arena = mls_recording_arena(recording);
    struct mls_cursor section = mls_recording_section(recording, MLS_RECORD_PLACEMENTS);
    mls_placements_take(&section, arena, placements);
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        for (uint32_t k = 0; placements[i] && k < placements[i]->n_ops; k++)
            sum += strlen(placements[i]->ops[k].name);
    section = mls_recording_section(recording, MLS_RECORD_FINDINGS);
    const struct mls_report *report = section.size_bytes ? mls_report_take(&section, arena) : NULL;
    for (size_t i = 0; report && i < report->n_findings; i++)
        sum += strlen(report->findings[i].title);
    mls_recording_free(recording);
    return sum == SIZE_MAX;
}
