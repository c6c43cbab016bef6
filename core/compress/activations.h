/* activations.h: int8 inputs for operations with weights: a quantize and a dequantize before each, by
 * calibrated ranges. */
#pragma once

#include "core/compress.h"
#include "format/edit.h"

enum { ACTIVATIONS_OPSET = 7 };

/*
 * activations_quantize: puts the pair before every linear and conv of the functions whose inputs the
 * calibration knows.
 */
enum mls_status activations_quantize(const struct mls_program *program,
                                     const struct mls_calibration *calibration, struct spec_edit *edit,
                                     struct mls_arena *arena, struct mls_error *reterr);
