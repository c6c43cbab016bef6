/* verify.h: the rules of MIL that later stages rely on. What single operations take is not among them
 * (core/ops). */
#pragma once

#include "core/model.h"

/*
 * ir_verify_program: every index is in range; blocks and operations stand where they say; a value is defined
 * once, and used only where it is visible: after its definition, in its block or in blocks within. Nesting
 * within MLS_LIMIT_BLOCK_DEPTH, opsets known. Fails with PROGRAM_INVALID, LIMIT or OPSET_UNKNOWN, function
 * and operation set.
 */
enum mls_status ir_verify_program(const struct mls_program *program, struct mls_error *reterr);

/*
 * ir_verify_interface: the function exists, its inputs are the inputs and states of the description, and its
 * outputs give those of the description. INTERFACE_MISMATCH with the name.
 */
enum mls_status ir_verify_interface(const struct mls_program *program, const struct mls_interface *interface,
                                    struct mls_error *reterr);
