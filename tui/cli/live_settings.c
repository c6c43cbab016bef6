#include "cli/live_settings.h"

#include <stdio.h>
#include <string.h>

enum { DELAY_MS_MAX = 3600000, CONCURRENCY_MAX = 64 };

enum mls_status live_settings_read(const struct arguments *arguments, const struct mls_loader_options *loader,
                                   struct mls_settings *ret_settings, struct mls_error *reterr)
{
    struct mls_settings *settings = ret_settings;
    memset(settings, 0, sizeof *settings);
    double delay_ms = 0;
    uint64_t concurrency = 1;
    enum mls_status status = arguments_number(arguments, OPTION_DELAY, &delay_ms, reterr);
    if (!status)
        status = arguments_number(arguments, OPTION_RATE, &settings->rate_hz, reterr);
    if (!status)
        status = arguments_count(arguments, OPTION_CONCURRENCY, 1, CONCURRENCY_MAX, &concurrency, reterr);
    if (status)
        return status;
    if (loader->function && strlen(loader->function) >= sizeof settings->function)
        return mls_fail(reterr, MLS_ERR_FUNCTION_NOT_FOUND, "cannot run the function: its name is too long");
    snprintf(settings->function, sizeof settings->function, "%s", loader->function ? loader->function : "");
    settings->threads = loader->threads;
    settings->cpu_capped = loader->cpu_capped;
    settings->cpu = loader->cpu;
    settings->precision = loader->precision;
    settings->no_fusion = loader->no_fusion;
    settings->random_seed = loader->random_seed;
    settings->delay_ms = (uint32_t)(delay_ms < DELAY_MS_MAX ? delay_ms : DELAY_MS_MAX);
    settings->concurrency = (uint32_t)concurrency;
    return MLS_OK;
}
