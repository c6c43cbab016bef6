#include "cli/diagnose.h"

#include <stdlib.h>

#include "profiler/text.h"

static bool write_texts(struct console *console, const char *label, const char *text)
{
    if (!*text)
        return true;
    char *safe = mls_text_safe(text, console->ascii);
    bool ok = safe && mls_writef(&console->out, "    %-12s", label) && mls_write(&console->out, safe) &&
              mls_write(&console->out, "\n");
    free(safe);
    return ok;
}

static bool write_finding(struct console *console, const struct mls_finding *finding)
{
    static const char *const colors[MLS_SEVERITY_COUNT] = {[MLS_SEVERITY_ERROR] = "\033[1;31m",
                                                           [MLS_SEVERITY_WARNING] = "\033[1;33m",
                                                           [MLS_SEVERITY_INFO] = "\033[1;36m"};
    char *title = mls_text_safe(finding->title, console->ascii);
    bool ok =
        title &&
        mls_writef(&console->out, "%s%s%s  %s  ", console->color ? colors[finding->severity] : "",
                   mls_severity_name(finding->severity), console->color ? "\033[0m" : "", finding->id) &&
        mls_write(&console->out, title) && mls_write(&console->out, "\n");
    free(title);
    for (size_t i = 0; ok && i < finding->n_evidence; i++)
        ok = write_texts(console, i ? "" : "evidence", finding->evidence[i]);
    ok = ok && write_texts(console, "why", finding->why) && write_texts(console, "fix", finding->fix);
    if (ok && console->verbose)
        ok = write_texts(console, "source", finding->source);
    char gain[MLS_TEXT_BYTES];
    if (ok && finding->gain_ns)
        ok = mls_writef(&console->out, "    %-12s%s for each prediction, at most\n", "gain",
                        mls_text_duration(finding->gain_ns, console->ascii, gain));
    return ok && mls_writef(&console->out, "    %-12s%s\n\n", "confidence",
                            mls_confidence_name(finding->confidence));
}

void diagnose_write_text(struct console *console, const struct mls_report *report)
{
    bool ok = true;
    for (size_t i = 0; ok && i < report->n_findings; i++)
        ok = write_finding(console, &report->findings[i]);
    for (size_t i = 0; ok && i < report->n_not_understood; i++)
        ok = write_texts(console, i ? "" : "unknown", report->not_understood[i]);
    char *summary = mls_text_safe(report->summary, console->ascii);
    console_printf(console, "%s\n", summary ? summary : "");
    free(summary);
}
