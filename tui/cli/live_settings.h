/* live_settings.h: what the screen and `record` take from the command line. */
#pragma once

#include "app/settings.h"
#include "cli/open.h"

/* live_settings_read: how the model is to run, from the options of open_options and those that pace
 * predictions. */
enum mls_status live_settings_read(const struct arguments *arguments, const struct mls_loader_options *loader,
                                   struct mls_settings *ret_settings, struct mls_error *reterr);
