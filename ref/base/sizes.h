// Arithmetic on sizes.
#ifndef FF_SIZES_H
#define FF_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Each returns false, and leaves *out alone, if the true result does not fit.
bool ff_multiply_sizes(size_t a, size_t b, size_t *out);
bool ff_add_sizes(size_t a, size_t b, size_t *out);

static inline size_t ff_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static inline size_t ff_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// How far a clip reaches, in whatever is counted: pixels, latent cells, tokens.
typedef struct ff_extent {
    size_t frames, height, width;
} ff_extent;

// Of an extent that is known to fit.
static inline size_t ff_extent_cells(ff_extent extent)
{
    return extent.frames * extent.height * extent.width;
}

#endif
