// Fills the table of kernels: the scalar ones first, then what the processor, or the caller, asks for.
#include "sha256.h"
#include "simd.h"

#if defined(__x86_64__)

#include <cpuid.h>

// clang's __builtin_cpu_supports does not know these two.
static bool has_sha256(void)
{
    unsigned a, b, c, d;
    return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

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

#include <sys/auxv.h>

static bool has_sha256(void)
{
    return getauxval(AT_HWCAP) & HWCAP_SHA2;
}

static bool supported(ff_isa isa)
{
    return isa == FF_ISA_NEON;  // part of the base instruction set
}

static void overwrite(ff_isa isa, ff_kernels *table)
{
    (void)isa;
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
    (void)isa;
    return false;
}

static void overwrite(ff_isa isa, ff_kernels *table)
{
    (void)isa;
    (void)table;
}

#endif

static const char *const names[] = {
    [FF_ISA_SCALAR] = "scalar", [FF_ISA_AVX2] = "avx2", [FF_ISA_AVX512] = "avx512", [FF_ISA_NEON] = "neon",
};

static ff_isa best(void)
{
    static const ff_isa order[] = {FF_ISA_AVX512, FF_ISA_AVX2, FF_ISA_NEON};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (supported(order[i]))
            return order[i];
    return FF_ISA_SCALAR;
}

ff_status ff_simd_choose(ff_isa isa, ff_kernels *out, ff_error *error)
{
    if (isa == FF_ISA_AUTO)
        isa = best();
    *out = *ff_kernels_scalar();
    if (isa == FF_ISA_SCALAR)
        return FF_OK;
    if ((unsigned)isa > FF_ISA_NEON)
        return ff_fail(error, FF_ERROR_INPUT, "%d is no instruction set", (int)isa);
    if (!supported(isa))
        return ff_fail(error, FF_ERROR_INPUT, "this processor has no %s; its best kernels are %s", names[isa],
                       names[best()]);
    overwrite(isa, out);
    out->name = names[isa];
    return FF_OK;
}

#define WORTH_ASKING 32  // blocks; what a processor has can take a microsecond to learn on a virtual machine

void ff_sha256_blocks(uint32_t state[8], size_t blocks, const uint8_t *bytes)
{
#if defined(__x86_64__) || defined(__aarch64__)
    if (blocks >= WORTH_ASKING && has_sha256()) {
        ff_simd_sha256_blocks(state, blocks, bytes);
        return;
    }
#endif
    ff_sha256_blocks_plain(state, blocks, bytes);
}
