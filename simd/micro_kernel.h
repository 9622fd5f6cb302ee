// The micro-kernel: MR rows by NR columns of the product, one or two vectors wide, each output one chain in one
// register.
//
//   a micro-panel of rows       [MR or fewer, KC_STRIDE], KC of them used: elements of a row lie together
//   a micro-panel of columns    [depth, NR], or [depth, VEC] for the last if VEC columns are enough for what is left;
//                               columns beyond the last are zeros
//   a micro-tile                [MR, NR] sums
#ifndef FF_MICRO_KERNEL_H
#define FF_MICRO_KERNEL_H

#include "simd.h"
#include "vector.h"

// As many rows as registers allow: two vectors of sums for each row, two of columns, one of a row's element.
#if VEC_REGISTERS == 32
#define MR (VEC == 4 ? 12 : 14)
#else
#define MR 6
#endif
#define NR (2 * VEC)
#define MICRO_TILE_FLOATS (MR * NR)

#define KC ((size_t)768)
#define KC_STRIDE ((size_t)784)  // not a power of two, so that a micro-panel's rows do not compete for places in L1
#define ROW_PANEL_FLOATS (MR * KC_STRIDE)

#define PREFETCH_CALLS ((size_t)4)  // so many calls prefetch a whole micro-panel of columns
#define PREFETCH_FLOATS (NR / PREFETCH_CALLS)

// tile[r, c] = fma(row[r, k], column[k, c], tile[r, c]) for k ascending; from +0 if `fresh`.
//   rows: 1 to MR   vectors: 1 or 2, the width of the micro-panel of columns
//   ahead: memory that is prefetched into L2, PREFETCH_FLOATS for each k; it need not exist
#define ff_micro_kernel FF_SIMD_NAME(ff_micro_kernel_)
void ff_micro_kernel(size_t rows, size_t vectors, size_t depth, const float *row, const float *column, bool fresh,
                     float *tile, const float *ahead);

static inline size_t divide_up(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

#endif
