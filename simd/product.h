// A product of any size from tiles: rows that are fetched a panel at a time, columns that are packed before.
#ifndef FF_PRODUCT_H
#define FF_PRODUCT_H

#include "tile.h"

// Row panels that a thread works on at once: they stay in its L2 while columns pass by, PANEL_DEPTH of one column panel
// after the other.
#define BLOCK_PANELS TILES_AHEAD
// Columns that pass by before the row panels go PANEL_DEPTH further. The unfinished tiles stay in L2 too.
#define BLOCK_COLUMNS ((size_t)1408)
#define BLOCK_TILES (BLOCK_PANELS * (BLOCK_COLUMNS / TILE_COLUMNS))

// What one thread needs: row panels and unfinished tiles.
#define WORKSPACE_FLOATS (BLOCK_PANELS * PANEL_FLOATS + BLOCK_TILES * TILE_FLOATS)

typedef struct ff_product {
    size_t rows, columns, depth;
    ff_scratch *scratch;
    const void *source;  // handed to the functions below

    // Elements [k, k + n) of rows [row, row + count) as a row panel, in `room` or where the source has it.
    const float *(*fetch)(const void *source, size_t row, size_t count, size_t k, size_t n, float *room);
    // May be NULL: rows that fetch will read before long, to be brought near meanwhile.
    void (*expect)(const void *source, size_t row, size_t count, size_t k, size_t n);
    // Columns [column, column + count), at most VEC, over the whole depth: to[k * pitch + i]; zeros from count to VEC.
    void (*pack)(const void *source, size_t column, size_t count, size_t pitch, float *to);
    // Takes the finished sums of rows [row, row + count) and columns [column, column + width).
    void (*finish)(const void *source, size_t row, size_t count, size_t column, size_t width, float *tile);
} ff_product;

// Floats that `columns` packed columns take; false if that is too many.
#define ff_product_packed FF_SIMD_NAME(ff_product_packed_)
bool ff_product_packed(size_t columns, size_t depth, size_t *floats);

// Into how many columns a block's share of `columns` is cut: at most BLOCK_COLUMNS, all strips about the same.
#define ff_product_strip FF_SIMD_NAME(ff_product_strip_)
size_t ff_product_strip(size_t columns);

// Packs the panel of VEC columns that begins at `column` of columns [first, first + count).   packed: all of them
#define ff_product_pack FF_SIMD_NAME(ff_product_pack_)
void ff_product_pack(const ff_product *product, size_t first, size_t count, size_t column, float *packed);

// A block of the product, by one thread: rows [row, row + count) in panels of `height`, columns
// [first, first + columns), which `packed` holds. At most BLOCK_PANELS panels and BLOCK_COLUMNS columns.
#define ff_product_block FF_SIMD_NAME(ff_product_block_)
void ff_product_block(const ff_product *product, size_t row, size_t count, size_t height, size_t first, size_t columns,
                      const float *packed, float *workspace);

// Memory for a product: the scratch's, or, without one, its own, which ff_product_leave frees.
#define ff_product_memory FF_SIMD_NAME(ff_product_memory_)
float *ff_product_memory(ff_scratch *scratch, size_t floats);
#define ff_product_leave FF_SIMD_NAME(ff_product_leave_)
void ff_product_leave(ff_scratch *scratch, float *memory);

// The whole product, by all threads. FF_ERROR_MEMORY if there is none to pack into.
#define ff_product_run FF_SIMD_NAME(ff_product_run_)
ff_status ff_product_run(const ff_product *product);

#endif
