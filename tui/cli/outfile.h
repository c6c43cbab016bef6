/* outfile.h: a file that is whole or absent. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "core/model.h"
#include "core/partial.h"
#include "core/status.h"

struct outfile {
    struct mls_partial partial;
    FILE *file;
    struct mls_writer writer; /* user is this object */
};

/* outfile_open: begins to write `path`, beside it. The object must not move until outfile_close. */
enum mls_status outfile_open(const char *path, struct outfile *ret_file, struct mls_error *reterr);

/* outfile_close: with `keep` gives the file its name, else removes it. OUTPUT when not all could be written. */
enum mls_status outfile_close(struct outfile *file, bool keep, struct mls_error *reterr);
