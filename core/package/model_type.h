/* model_type.h: the types of models, by the field number of the specification's outermost message. Compiled
 * models carry the same number. */
#pragma once

#include <stdint.h>

#include "core/package.h"

/* package_model_type_name: "mlProgram", "neuralNetwork" …; NULL for numbers not known; static. */
const char *package_model_type_name(uint32_t number);

/* package_is_mil_text: whether the bytes begin as MIL text does. */
bool package_is_mil_text(struct mls_bytes bytes);
