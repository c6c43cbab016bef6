/* form_read.h: compressed weights of a program as forms, so that they can be compressed further, written for
 * another opset, or made plain. */
#pragma once

#include "compress/form.h"
#include "core/model.h"

/*
 * form_read: the weight that a constexpr operation gives. `form` has arena, type and n; what it was before
 * (`plain`) becomes the dense values. Returns why it cannot be read, static, or NULL.
 */
const char *form_read(const struct mls_program *program, mls_op_id op, struct weight_form *form);
