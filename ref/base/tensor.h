// Element types and views of weights.
#ifndef FF_TENSOR_H
#define FF_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../firstframe.h"

#define FF_MAX_RANK 5

// Models hold the first three, dumps the first five; the others come from other programs' dumps.
typedef enum ff_dtype { FF_F32, FF_F16, FF_BF16, FF_I64, FF_U8, FF_F64, FF_I32, FF_BOOL } ff_dtype;

// Bytes in one element, and the name a safetensors header gives the type.
size_t ff_dtype_size(ff_dtype dtype);
const char *ff_dtype_name(ff_dtype dtype);

// One element of a weight as f32. Exact for all three floating types.
float ff_widen_f16(uint16_t bits);
float ff_widen_bf16(uint16_t bits);

// A read-only tensor, row-major, in a mapped file. `data` is aligned to its element.
typedef struct ff_weight {
    const void *data;
    ff_dtype dtype;
    int rank;
    size_t shape[FF_MAX_RANK];
} ff_weight;

// A shape as "[2, 3]".   rank: at most FF_MAX_RANK
#define FF_SHAPE_TEXT 128
void ff_print_shape(char text[FF_SHAPE_TEXT], int rank, const size_t *shape);

// Copies elements [first, first + count) of a floating-point weight to f32.
void ff_weight_widen(const ff_weight *weight, size_t first, size_t count, float *out);

#endif
