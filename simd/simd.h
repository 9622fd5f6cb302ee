// The groups of fast kernels. Each function overwrites its entries of a table with kernels for one instruction set.
#ifndef FF_SIMD_H
#define FF_SIMD_H

#include "../ref/kernels/kernels.h"

#define FF_SIMD_GROUPS(isa)                        \
    void ff_simd_matmul_##isa(ff_kernels *);       \
    void ff_simd_convolution_##isa(ff_kernels *);  \
    void ff_simd_attention_##isa(ff_kernels *);    \
    void ff_simd_norms_##isa(ff_kernels *);        \
    void ff_simd_activations_##isa(ff_kernels *);  \
    void ff_simd_elementwise_##isa(ff_kernels *);  \
    void ff_simd_peak_##isa(ff_kernels *);

FF_SIMD_GROUPS(avx2)
FF_SIMD_GROUPS(avx512)
FF_SIMD_GROUPS(neon)

// The fastest kernels the processor has for `isa`, as ff_kernels_choose gives them without another backend.
ff_status ff_simd_choose(ff_isa isa, ff_kernels *out, ff_error *error);

// Loads OpenBLAS and starts its threads. *core: the processor that it took this one for, by its name for it.
// FF_ERROR_INPUT if it cannot be loaded; FF_ERROR_MEMORY.
ff_status ff_openblas_start(size_t threads, const char **core, ff_error *error);
// Loads OpenBLAS and overwrites the matrix product with its, and the name. A product takes as many threads as OpenMP
// would, or fewer where there is no memory for so many.
ff_status ff_openblas_products(ff_kernels *, ff_error *error);

#endif
