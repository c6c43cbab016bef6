/*
 * op_coverage.h: notes the rows of the table of operations that a test has run, in a file of the folder
 * $MLS_OP_COVERAGE (nothing without it). The test core/ops/coverage wants every row to be in one of the
 * files.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op.h"

enum { OP_COVERAGE_ROWS = 512 };

static inline void op_coverage_add(const struct mls_op_row *row)
{
    static const struct mls_op_row *seen[OP_COVERAGE_ROWS];
    static unsigned n_seen;
    const char *folder = getenv("MLS_OP_COVERAGE");
    for (unsigned i = 0; i < n_seen; i++)
        if (seen[i] == row)
            return;
    if (!folder || n_seen == OP_COVERAGE_ROWS)
        return;
    seen[n_seen++] = row;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, program_invocation_short_name);
    FILE *file = fopen(path, n_seen == 1 ? "w" : "a");
    if (!file)
        abort();
    fprintf(file, "%s %u\n", row->name, (unsigned)row->since);
    fclose(file);
}
