/* panel_codes.h: what panels.c leaves to panel_codes.c: codes, or values without zeros, in the order of panels. */
#pragma once

#include "kernels/matvec/panels.h"

struct mls_panel_job {
    const struct mls_kernels *kernels;
    const struct mls_coded *coded;
    bool transposed;
    const struct mls_panels *panels; /* planned */
    uint8_t *codes;                  /* of all panels */
    uint8_t *values;                 /* SPARSE16 */
    size_t *starts;                  /* SPARSE16: first the bytes of each panel's values, then where they begin */
};

/* mls_panel_pack_codes: fills job->codes. */
void mls_panel_pack_codes(struct mls_panel_job *job, struct mls_pool *pool);

/* mls_panel_pack_sparse: the same of SPARSE16; values and starts, with memory from `arena`. */
enum mls_status mls_panel_pack_sparse(struct mls_panel_job *job, struct mls_pool *pool, struct mls_arena *arena,
                                      struct mls_panels *panels);
