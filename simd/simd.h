// The fast kernels, file by file: each function overwrites its entries of a table with kernels for one instruction set.
#ifndef FF_SIMD_H
#define FF_SIMD_H

#include "../ref/kernels/choose.h"

#define FF_SIMD_FILES(isa)                        \
    void ff_simd_matmul_##isa(ff_kernels *);       \
    void ff_simd_convolution_##isa(ff_kernels *);  \
    void ff_simd_attention_##isa(ff_kernels *);    \
    void ff_simd_norms_##isa(ff_kernels *);        \
    void ff_simd_activations_##isa(ff_kernels *);  \
    void ff_simd_elementwise_##isa(ff_kernels *);  \
    void ff_simd_peak_##isa(ff_kernels *);

FF_SIMD_FILES(avx2)
FF_SIMD_FILES(avx512)
FF_SIMD_FILES(neon)

extern const ff_fast_kernels ff_simd_kernels;

#endif
