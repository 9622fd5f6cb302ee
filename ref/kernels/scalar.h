// What the two sources of the scalar kernels share, for each of their three builds.
#ifndef FF_SCALAR_H
#define FF_SCALAR_H

#include "kernels.h"
#include "real.h"

#define LANES 16
#define ALONE 4096  // work that one thread does faster than several agree to share: elements, or thousands of products
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#define ff_scalar_matmul JOIN(ff_scalar_matmul_, FF_BUILD)
ff_status ff_scalar_matmul(const ff_kernels *kernels, const ff_matmul *p);
#define ff_scalar_convolution JOIN(ff_scalar_convolution_, FF_BUILD)
ff_status ff_scalar_convolution(const ff_kernels *kernels, const ff_convolution *p);
#define ff_scalar_attention JOIN(ff_scalar_attention_, FF_BUILD)
ff_status ff_scalar_attention(const ff_kernels *kernels, const ff_attention *p);

static inline const float *group_vector(ff_groups groups, size_t row, const float *vectors)
{
    return groups.group ? vectors + groups.group[row] * groups.stride : vectors;
}

static inline real gelu_tanh_of(real x)
{
    const real root = (real)0.7978845608028654;  // sqrt(2 / pi)
    real cube = x * x * x;
    return (real)0.5 * x * (1 + tanh_of(root * (x + (real)0.044715 * cube)));
}

static inline real fold_lanes(real lanes[LANES])
{
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t lane = 0; lane < half; lane++)
            lanes[lane] = lanes[lane] + lanes[lane + half];
    return lanes[0];
}

#endif
