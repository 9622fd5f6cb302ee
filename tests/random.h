// Random numbers that are the same in every run.
#ifndef FF_TEST_RANDOM_H
#define FF_TEST_RANDOM_H

#include <stddef.h>
#include <stdint.h>

static uint64_t random_state = 1;

static inline uint32_t random_bits(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 32);
}

static inline size_t random_below(size_t limit)
{
    return random_bits() % limit;
}

#endif
