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

// Overwrites the matrix product with OpenBLAS's, and the name.
void ff_openblas_products(ff_kernels *);
// The processor that OpenBLAS took this one for, by its name for it.
const char *ff_openblas_core(void);

#endif
