// What the processor supports, and the kernels for it.
#include "simd.h"

#if defined(__x86_64__)

#include <cpuid.h>

// clang's __builtin_cpu_supports does not know it.
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static bool supported(ff_isa isa)
{
    switch (isa) {
    case FF_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    case FF_ISA_AVX512:
        return supported(FF_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    default: return false;
    }
}

static void overwrite(ff_isa isa, ff_kernels *table)
{
    if (isa == FF_ISA_AVX512) {
        ff_simd_matmul_avx512(table);
        ff_simd_convolution_avx512(table);
        ff_simd_attention_avx512(table);
        ff_simd_norms_avx512(table);
        ff_simd_activations_avx512(table);
        ff_simd_elementwise_avx512(table);
        ff_simd_peak_avx512(table);
    } else {
        ff_simd_matmul_avx2(table);
        ff_simd_convolution_avx2(table);
        ff_simd_attention_avx2(table);
        ff_simd_norms_avx2(table);
        ff_simd_activations_avx2(table);
        ff_simd_elementwise_avx2(table);
        ff_simd_peak_avx2(table);
    }
}

#elif defined(__aarch64__)

static bool supported(ff_isa isa)
{
    return isa == FF_ISA_NEON;  // part of the base instruction set
}

static void overwrite(ff_isa isa, ff_kernels *table)
{
    ff_simd_matmul_neon(table);
    ff_simd_convolution_neon(table);
    ff_simd_attention_neon(table);
    ff_simd_norms_neon(table);
    ff_simd_activations_neon(table);
    ff_simd_elementwise_neon(table);
    ff_simd_peak_neon(table);
}

#else

static bool supported(ff_isa isa)
{
    return false;
}

static void overwrite(ff_isa isa, ff_kernels *table)
{
}

#endif

const ff_fast_kernels ff_simd_kernels = {supported, overwrite};
