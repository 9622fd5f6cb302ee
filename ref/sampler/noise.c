#include "noise.h"

#include <math.h>

#include "../kernels/mathematics.h"

enum { WORDS = 624, MIDDLE = 397, BLOCK = 16 };

// Matsumoto and Nishimura, "Mersenne Twister", 1998, with the initialisation of 2002.
void ff_generator_seed(ff_generator *generator, uint64_t seed)
{
    uint32_t word = (uint32_t)seed;
    for (size_t i = 0; i < WORDS; i++) {
        generator->words[i] = word;
        word = 1812433253u * (word ^ (word >> 30)) + (uint32_t)(i + 1);
    }
    generator->used = WORDS;
    generator->has_normal = false;
    generator->normal = 0;
}

static void renew_words(uint32_t *words)
{
    for (size_t i = 0; i < WORDS; i++) {
        uint32_t joined = (words[i] & 0x80000000u) | (words[(i + 1) % WORDS] & 0x7FFFFFFFu);
        words[i] = words[(i + MIDDLE) % WORDS] ^ (joined >> 1) ^ (joined & 1u ? 0x9908B0DFu : 0u);
    }
}

static uint32_t random_word(ff_generator *generator)
{
    if (generator->used == WORDS) {
        renew_words(generator->words);
        generator->used = 0;
    }
    uint32_t word = generator->words[generator->used++];
    word ^= word >> 11;
    word ^= (word << 7) & 0x9D2C5680u;
    word ^= (word << 15) & 0xEFC60000u;
    return word ^ (word >> 18);
}

// In [0, 1), a multiple of 2^-24.
static float uniform_float(ff_generator *generator)
{
    return (float)(random_word(generator) & 0xFFFFFFu) * 0x1p-24f;
}

// In [0, 1), a multiple of 2^-53, from two words, the first one on top.
static double uniform_double(ff_generator *generator)
{
    uint64_t high = random_word(generator);
    uint64_t both = high << 32 | random_word(generator);
    return (double)(both & 0x1FFFFFFFFFFFFFu) * 0x1p-53;
}

// 16 uniform numbers to 16 normal ones, in place: value j is the radius, value j + 8 the angle of a pair.
static void transform_block(float *block)
{
    const float two_pi = 0x1.921fb6p2f;
    for (size_t j = 0; j < BLOCK / 2; j++) {
        float radius = sqrtf(-2.0f * ff_logf(1.0f - block[j]));
        float theta = two_pi * block[j + BLOCK / 2];
        block[j] = radius * ff_cosf(theta);
        block[j + BLOCK / 2] = radius * ff_sinf(theta);
    }
}

// One pair at a time, in double, the second value kept for the next call.
static double scalar_normal(ff_generator *generator)
{
    const double two_pi = 0x1.921fb54442d18p2;
    if (generator->has_normal) {
        generator->has_normal = false;
        return generator->normal;
    }
    double theta = two_pi * uniform_double(generator);
    double radius = sqrt(-2.0 * ff_log1p(-uniform_double(generator)));
    generator->normal = radius * ff_sin(theta);
    generator->has_normal = true;
    return radius * ff_cos(theta);
}

void ff_generator_normal(ff_generator *generator, size_t count, float *out)
{
    if (count < BLOCK) {
        for (size_t i = 0; i < count; i++)
            out[i] = (float)scalar_normal(generator);
        return;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = uniform_float(generator);
    for (size_t i = 0; i < count / BLOCK; i++)
        transform_block(out + i * BLOCK);
    if (count % BLOCK) {  // the last 16 values anew, overlapping the block before
        float *last = out + count - BLOCK;
        for (size_t i = 0; i < BLOCK; i++)
            last[i] = uniform_float(generator);
        transform_block(last);
    }
}

void ff_noise_normal(uint64_t seed, size_t count, float *out)
{
    ff_generator generator;
    ff_generator_seed(&generator, seed);
    ff_generator_normal(&generator, count, out);
}
