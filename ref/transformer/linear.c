// A linear layer as a product for the kernels.
#include "transformer_weights.h"

ff_matmul ff_linear_product(const ff_linear *linear, const ff_kernels *kernels, size_t rows, const float *x, float *out)
{
    size_t columns = linear->weight.shape[0], depth = linear->weight.shape[1];
    return (ff_matmul){.rows = rows, .columns = columns, .depth = depth,
                       .a = x, .a_stride = depth,
                       .b = linear->weight.data, .b_dtype = linear->weight.dtype,
                       .bias = linear->bias, .out = out, .out_stride = columns};
}

ff_status ff_linear_apply(const ff_linear *linear, const ff_kernels *kernels, size_t rows, const float *x, float *out)
{
    ff_matmul p = ff_linear_product(linear, kernels, rows, x, out);
    return kernels->matmul(kernels, &p);
}
