// Gaussian noise as torch.randn draws it from torch.Generator("cpu").manual_seed(seed): mt19937, then Box-Muller in
// one of two forms according to the size of the draw. A draw's size therefore matters: two halves are not the whole.
#ifndef FF_NOISE_H
#define FF_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ff_generator {
    uint32_t words[624];   // mt19937
    size_t used;           // words already handed out
    bool has_normal;       // the second value of the last scalar pair, which the next small draw begins with
    double normal;
} ff_generator;

// Only the low 32 bits of the seed count, as in torch; a negative seed is its two's complement.
void ff_generator_seed(ff_generator *generator, uint64_t seed);

// out: [count], what torch.randn(count, generator=...) gives next. Within 1e-6 of it, for any count.
void ff_generator_normal(ff_generator *generator, size_t count, float *out);

// The first draw of a fresh generator.
void ff_noise_normal(uint64_t seed, size_t count, float *out);

#endif
