/* export.h: a view's rows, filtered and sorted as shown, into a file. */
#pragma once

#include <stdbool.h>

#include "view/view.h"

/* mls_export: the format follows from the ending: .txt, .csv or .json. On failure *ret_reason says why
 * (static). */
bool mls_export(const struct mls_view *view, const char *path, const char **ret_reason);
