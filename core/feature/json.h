/* json.h: arrays from JSON: a number, true or false, or lists of them nested as deep as the rank. */
#pragma once

#include "array.h"

/*
 * json_read: the array in the text; int64 when every number is an integer, else float64. "NaN", "Infinity"
 * and
 * "-Infinity" stand for the numbers that JSON lacks. The caller calls array_done.
 */
enum mls_status json_read(const char *name, struct mls_bytes bytes, struct array *ret_array,
                          struct mls_error *reterr);
