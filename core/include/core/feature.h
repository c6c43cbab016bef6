/*
 * feature.h: features from and to files, as CONTRACT.md says: .npy, .npz, .json, PNG and JPEG in; outputs.json with .npy
 * files out. Conversions between a feature's declared type and the program's type happen here.
 */
#pragma once

#include <stdint.h>

#include "core/session.h"

/*
 * mls_feature_read: fills input `index` of the run from a file. Images are checked against the declared sizes and
 * converted to the declared colour layout; arrays must have the declared (or an allowed) shape; dtypes are converted
 * where no value is lost beyond rounding. A rank-0 input may come as shape [1].
 */
enum mls_status mls_feature_read(struct mls_run *run, size_t index, const char *path, struct mls_error *reterr);

/* mls_feature_read_npz: fills every input named in the .npz file; names it does not know are an error. */
enum mls_status mls_feature_read_npz(struct mls_run *run, const char *path, bool *ret_filled, struct mls_error *reterr);

/* mls_feature_file_shape: the shape that `feature` would have from this file, to plan for it before a run exists. */
enum mls_status mls_feature_file_shape(const struct mls_feature *feature, const char *path, struct mls_shape *ret_shape,
                                       struct mls_error *reterr);

/* mls_feature_npz_shapes: the same for every flexible input in the .npz file, into shapes[] by index; the others stay. */
enum mls_status mls_feature_npz_shapes(const struct mls_interface *interface, const char *path, struct mls_shape *shapes,
                                       struct mls_error *reterr);

/*
 * mls_feature_random: fills input `index` reproducibly from the seed, by the model's own description: images uniform in
 * 0…255, floats normal with deviation 1, integers small and not negative (0 or 1 where the name speaks of a mask),
 * optional inputs with a default their default, other optional inputs 0 (doubles NaN: models take their own value then),
 * texts, dictionaries and sequences empty. The values depend on seed and feature name only.
 */
enum mls_status mls_feature_random(struct mls_run *run, size_t index, uint64_t seed, struct mls_error *reterr);

/* mls_feature_write_outputs: writes DIR/outputs.json and its files, in the order of the description. Creates DIR. 8-bit
 * images come as PNG too: member "png" of their entries. */
enum mls_status mls_feature_write_outputs(const struct mls_run *run, const char *directory, struct mls_error *reterr);

/* mls_feature_read_states, _write_states: DIR/states.json and its files. */
enum mls_status mls_feature_read_states(struct mls_run *run, const char *directory, struct mls_error *reterr);
enum mls_status mls_feature_write_states(const struct mls_run *run, const char *directory, struct mls_error *reterr);

/* mls_run_session: the session that a run belongs to. */
struct mls_session *mls_run_session(const struct mls_run *run);
