// A product of any size, blocked as in Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (ACM
// TOMS 2008), with the names of Van Zee and van de Geijn, "BLIS: A Framework for Rapidly Instantiating BLAS
// Functionality" (ACM TOMS 2015): the micro-kernel does MR x NR outputs over KC of the depth (micro_kernel.h), the
// macro-kernel MC x NC outputs. Columns are packed over the whole depth before, rows KC at a time by each thread.
#ifndef FF_PRODUCT_H
#define FF_PRODUCT_H

#include "micro_kernel.h"

// MC = MC_PANELS * MR rows, which stay in a thread's L2 while NC columns pass by, a micro-panel of KC after the other.
#define MC_PANELS PREFETCH_CALLS
// Columns that pass by before the rows go KC further. The unfinished micro-tiles stay in L2 too.
#define NC ((size_t)1408)
#define MACRO_TILES (MC_PANELS * (NC / NR))

// What one thread needs: micro-panels of rows and unfinished micro-tiles.
#define WORKSPACE_FLOATS (MC_PANELS * ROW_PANEL_FLOATS + MACRO_TILES * MICRO_TILE_FLOATS)

typedef struct ff_product {
    size_t rows, columns, depth;
    ff_scratch *scratch;
    const void *source;  // handed to the functions below

    // Elements [k, k + n) of rows [row, row + count) as a micro-panel, in `room` or where the source has it.
    const float *(*fetch)(const void *source, size_t row, size_t count, size_t k, size_t n, float *room);
    // Prefetches what fetch will read next. May be NULL.
    void (*prefetch)(const void *source, size_t row, size_t count, size_t k, size_t n);
    // Columns [column, column + count), at most VEC, over the whole depth: to[k * pitch + i]; zeros from count to VEC.
    void (*pack)(const void *source, size_t column, size_t count, size_t pitch, float *to);
    // Takes the finished sums of rows [row, row + count) and columns [column, column + width).
    void (*finish)(const void *source, size_t row, size_t count, size_t column, size_t width, float *tile);
} ff_product;

// Floats that `columns` packed columns take; false if that is too many.
#define ff_product_packed FF_SIMD_NAME(ff_product_packed_)
bool ff_product_packed(size_t columns, size_t depth, size_t *floats);

// The columns of one macro-kernel, where there are `columns`: at most NC, so that all get about as many.
#define ff_product_nc FF_SIMD_NAME(ff_product_nc_)
size_t ff_product_nc(size_t columns);

// Packs the VEC columns that begin at `column` of columns [first, first + count).   packed: all of them
#define ff_product_pack FF_SIMD_NAME(ff_product_pack_)
void ff_product_pack(const ff_product *product, size_t first, size_t count, size_t column, float *packed);

// The macro-kernel, by one thread: rows [row, row + count) in micro-panels of `mr`, columns
// [first, first + columns), which `packed` holds. At most MC_PANELS micro-panels and NC columns.
#define ff_product_macro_kernel FF_SIMD_NAME(ff_product_macro_kernel_)
void ff_product_macro_kernel(const ff_product *product, size_t row, size_t count, size_t mr, size_t first,
                             size_t columns, const float *packed, float *workspace);

// Memory for a product: the scratch's, or, without one, its own, which ff_product_leave frees.
#define ff_product_memory FF_SIMD_NAME(ff_product_memory_)
float *ff_product_memory(ff_scratch *scratch, size_t floats);
#define ff_product_leave FF_SIMD_NAME(ff_product_leave_)
void ff_product_leave(ff_scratch *scratch, float *memory);

// The whole product, by all threads. FF_ERROR_MEMORY if there is none to pack into.
#define ff_product_run FF_SIMD_NAME(ff_product_run_)
ff_status ff_product_run(const ff_product *product);

#endif
