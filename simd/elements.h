// The way over elements, a vector at a time.
#ifndef FF_SIMD_ELEMENTS_H
#define FF_SIMD_ELEMENTS_H

#include "../ref/kernels/kernels.h"
#include "vector.h"

#define ALONE 32768  // elements that one thread adds faster than several agree to share
#define BLOCK 1024   // elements that one thread takes at a time; whole vectors

// Runs a statement for each vector of the elements [first, end): i is its first element, count how many it has, VEC for
// all but the last. The statement stands there twice, so that count is a constant for whole vectors.
#define FOR_VECTORS(first, end, ...)                \
    do {                                            \
        size_t i = (first);                         \
        for (; i + VEC <= (end); i += VEC) {        \
            enum { count = VEC };                   \
            __VA_ARGS__;                            \
        }                                           \
        if (i < (end)) {                            \
            size_t count = (end) - i;               \
            __VA_ARGS__;                            \
        }                                           \
    } while (0)

// Within FOR_VECTORS: the vector of an array, and putting one there.
#define GET(p) elements_get((p) + i, count)
#define PUT(p, a) elements_put((p) + i, count, a)

static inline vec elements_get(const float *p, size_t count)
{
    return count == VEC ? vec_load(p) : vec_load_some(p, count);
}

static inline void elements_put(float *p, size_t count, vec a)
{
    if (count == VEC)
        vec_store(p, a);
    else
        vec_store_some(p, count, a);
}

// Where the block that begins at `first` ends, of n elements.
static inline size_t block_end(size_t first, size_t n)
{
    return n - first < BLOCK ? n : first + BLOCK;
}

// The block of modulation vectors that a row uses.
static inline const float *group_vector(ff_groups groups, size_t row, const float *vectors)
{
    return groups.group ? vectors + groups.group[row] * groups.stride : vectors;
}

#endif
