/* second_order.h: rounding that makes up for its errors: what one input channel loses, the later ones take
 * on. */
#pragma once

#include "compress/form.h"
#include "kernels/compress/compress.h"

/*
 * second_order_round: chooses the indices or integers of a form anew, tables and scales as they are, so that
 * the outputs of the operation change least on inputs with these moments (GPTQ, Frantar et al. 2022).
 * `moments` is n x n: sums of x xT over n_rows inputs. Does nothing to forms that it is not for: more than a
 * matrix, pruned, joint, of vectors. False when out of memory.
 */
bool second_order_round(struct weight_form *form, const float *moments, size_t n, size_t n_rows,
                        const struct mls_compress_kernels *kernels);
