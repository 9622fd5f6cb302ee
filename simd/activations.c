// SiLU and the two kinds of GELU.
#include "vector_elementary.h"
#include "elements.h"
#include "simd.h"

#define SHARED (ALONE / 4)  // a function takes four times as long as an addition

static inline vec gelu_erf_of(vec x)
{
    const float root = 1.4142135623730951f;  // sqrt(2)
    vec erf = vec_erf(vec_div(x, vec_set(root)));
    return vec_mul(vec_mul(vec_set(0.5f), x), vec_add(vec_set(1.0f), erf));
}

static void silu(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
#pragma omp parallel for if (n > SHARED)
    for (size_t first = 0; first < n; first += BLOCK)
        FOR_VECTORS(first, block_end(first, n), PUT(out, vec_silu(GET(x))));
}

static void gelu_tanh(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
#pragma omp parallel for if (n > SHARED)
    for (size_t first = 0; first < n; first += BLOCK)
        FOR_VECTORS(first, block_end(first, n), PUT(out, vec_gelu_tanh(GET(x))));
}

static void gelu_erf(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
#pragma omp parallel for if (n > SHARED)
    for (size_t first = 0; first < n; first += BLOCK)
        FOR_VECTORS(first, block_end(first, n), PUT(out, gelu_erf_of(GET(x))));
}

void FF_SIMD_NAME(ff_simd_activations_)(ff_kernels *table)
{
    table->silu = silu;
    table->gelu_tanh = gelu_tanh;
    table->gelu_erf = gelu_erf;
}
