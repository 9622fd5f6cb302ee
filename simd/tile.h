// The register tile: a few rows by one or two vectors of columns, each output one chain in one register.
//
//   a row panel       [rows of at most TILE_ROWS, PANEL_STRIDE], PANEL_DEPTH of them used: elements of a row lie
//                     together
//   a column panel    [depth, TILE_COLUMNS], or [depth, VEC] for the last if VEC columns are enough for what is left;
//                     columns beyond the last are zeros
//   a tile            [TILE_ROWS, TILE_COLUMNS]
#ifndef FF_TILE_H
#define FF_TILE_H

#include "simd.h"
#include "vector.h"

// As many rows as registers allow: two vectors of sums for each row, two of columns, one of a row's element.
#if VEC_REGISTERS == 32
#define TILE_ROWS (VEC == 4 ? 12 : 14)
#else
#define TILE_ROWS 6
#endif
#define TILE_COLUMNS (2 * VEC)
#define TILE_FLOATS (TILE_ROWS * TILE_COLUMNS)

#define PANEL_DEPTH ((size_t)768)
#define PANEL_STRIDE ((size_t)784)  // not a power of two, so that the rows of a panel do not compete for places in L1
#define PANEL_FLOATS (TILE_ROWS * PANEL_STRIDE)

#define TILES_AHEAD ((size_t)4)  // so many tiles bring a whole column panel near
#define TILE_AHEAD (TILE_COLUMNS / TILES_AHEAD)

// tile[r, c] = fma(row[r, k], column[k, c], tile[r, c]) for k ascending; from +0 if `fresh`.
//   rows: 1 to TILE_ROWS   vectors: 1 or 2, the width of the column panel
//   ahead: memory wanted soon, brought into L2 meanwhile, TILE_AHEAD floats for each k; it need not exist
#define ff_tile_multiply FF_SIMD_NAME(ff_tile_multiply_)
void ff_tile_multiply(size_t rows, size_t vectors, size_t depth, const float *row, const float *column, bool fresh,
                      float *tile, const float *ahead);

static inline size_t divide_up(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

#endif
