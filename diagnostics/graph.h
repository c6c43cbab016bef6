/* graph.h: small questions that rules ask about the operations of a program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/model.h"

/* graph_operand: the first value of the argument called `name`, or NULL. */
const struct mls_value *graph_operand(const struct mls_program *program, const struct mls_op *op,
                                      const char *name);

/* graph_producer: the operation that computes the value, or NULL (inputs, constants, immediate values). */
const struct mls_op *graph_producer(const struct mls_program *program, const struct mls_value *value);

/*
 * graph_source: goes from a value to its producer, through operations whose type is one of the words in
 * `through` (by their operands x, y, a, b and input), at most `steps` of them, until a producer of type
 * `wanted`; NULL when there is none.
 */
const struct mls_op *graph_source(const struct mls_program *program, const struct mls_value *value,
                                  const char *wanted, const char *through, unsigned steps);

/* graph_attention: the softmax between two products of which `op` is the second; NULL when it is no
 * attention. */
const struct mls_op *graph_attention(const struct mls_program *program, const struct mls_op *op);

/* graph_has_word: whether `word` stands in a list of words separated by single spaces. */
bool graph_has_word(const char *list, const char *word);

enum { GRAPH_RANGE_BYTES = 64 };

/* graph_range_format: "from 1 to 8" or "from 1, no upper bound", into text[GRAPH_RANGE_BYTES]; returns text.
 */
const char *graph_range_format(const struct mls_range *range, char *text);
