// What the processor can do at most: the peak that products are held against.
#include "simd.h"
#include "vector.h"

// Enough for two units of five cycles' latency, or four of four cycles where there are registers for it.
#define CHAINS (VEC_REGISTERS == 16 ? 12 : 16)

static double multiply_adds(const ff_kernels *kernels, size_t rounds, float *sum)
{
    vec acc[CHAINS], half = vec_set(0.5f), one = vec_set(1.0f);
    float lanes[VEC];
    for (int i = 0; i < CHAINS; i++)
        acc[i] = vec_zero();
    for (size_t round = 0; round < rounds; round++)
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++)
            acc[i] = vec_fma(acc[i], half, one);
    for (int i = 1; i < CHAINS; i++)
        acc[0] = vec_add(acc[0], acc[i]);
    vec_store(lanes, acc[0]);
    *sum = 0;
    for (int lane = 0; lane < VEC; lane++)
        *sum += lanes[lane];
    return 2.0 * CHAINS * VEC * (double)rounds;
}

void FF_SIMD_NAME(ff_simd_peak_)(ff_kernels *table)
{
    table->multiply_adds = multiply_adds;
}
