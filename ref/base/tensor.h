// Views of tensors.
#ifndef FF_TENSOR_H
#define FF_TENSOR_H

#include <stdbool.h>

#include "../firstframe.h"
#include "element.h"

#define FF_MAX_RANK 5

// A read-only tensor, row-major. `data` is aligned to its element, where blocks are of one.
typedef struct ff_weight {
    const void *data;
    ff_dtype dtype;
    int rank;
    size_t shape[FF_MAX_RANK];
    const float *scales;  // as in ff_operand; a row is all that lies under one index of the first axis
    size_t scale_step;
} ff_weight;

static inline ff_operand ff_weight_operand(const ff_weight *weight)
{
    return (ff_operand){weight->data, weight->dtype, weight->scales, weight->scale_step};
}

size_t ff_shape_elements(int rank, const size_t *shape);  // of a shape that is known to fit
size_t ff_weight_elements(const ff_weight *weight);
size_t ff_weight_bytes(const ff_weight *weight);     // as stored
size_t ff_weight_row(const ff_weight *weight);  // elements of a row; 0 where there is none

// A shape as "[2, 3]".   rank: at most FF_MAX_RANK
#define FF_SHAPE_TEXT 128
void ff_print_shape(char text[FF_SHAPE_TEXT], int rank, const size_t *shape);

// Elements [first, first + count) of a weight as f32.
void ff_weight_widen(const ff_weight *weight, size_t first, size_t count, float *out);

#endif
