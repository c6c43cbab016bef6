/* file.h: whole files in, and files out that are whole or absent. */
#pragma once

#include "core/package.h"
#include "core/status.h"

/* file_map: the file's bytes, read-only; empty files have size 0. The caller calls file_unmap. */
enum mls_status file_map(const char *path, struct mls_bytes *ret_bytes, struct mls_error *reterr);
void file_unmap(struct mls_bytes bytes);

/* file_make_folder: creates the folder and those above it; an existing one is fine. */
enum mls_status file_make_folder(const char *path, struct mls_error *reterr);

/* file_write: writes the pieces one after the other as `folder`/`name`, under another name first. */
enum mls_status file_write(const char *folder, const char *name, const struct mls_bytes *pieces,
                           size_t n_pieces, struct mls_error *reterr);
