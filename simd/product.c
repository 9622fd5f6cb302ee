// The loops around the micro-kernel: blocks that fit the caches, divided among threads.
#include "product.h"

#include <omp.h>
#include <stdlib.h>

// So many floats of columns are packed at a time, at most.
#define PACKED_FLOATS ((size_t)8 << 20)
#define ALONE 1e6  // multiply-adds that one thread does faster than several agree to share

bool ff_product_packed(size_t columns, size_t depth, size_t *floats)
{
    return ff_multiply_sizes(divide_up(columns, VEC) * VEC, depth, floats);
}

float *ff_product_memory(ff_scratch *scratch, size_t floats)
{
    ff_scratch own = {0};
    return floats > SIZE_MAX / sizeof(float) ? NULL : ff_scratch_take(scratch ? scratch : &own, floats * sizeof(float));
}

void ff_product_leave(ff_scratch *scratch, float *memory)
{
    if (!scratch)
        free(memory);
}

void ff_product_pack(const ff_product *product, size_t first, size_t count, size_t column, float *packed)
{
    size_t panel = column / NR * NR;
    size_t pitch = count - panel > VEC ? NR : VEC;
    product->pack(product->source, first + column, ff_smaller(VEC, count - column), pitch,
                  packed + panel * product->depth + (column - panel));
}

// Of `columns` packed columns, the micro-panel that begins at `column`, from k on.
static const float *column_panel(const float *packed, size_t depth, size_t columns, size_t column, size_t k)
{
    return packed + column * depth + k * (columns - column > VEC ? NR : VEC);
}

// Micro-tile `at` of `tiles`: prefetches its share of the rows from k on.
static void prefetch_rows(const ff_product *product, size_t row, size_t count, size_t k, size_t at, size_t tiles)
{
    size_t first = count * at / tiles, end = count * (at + 1) / tiles;
    if (product->prefetch && k < product->depth && first < end)
        product->prefetch(product->source, row + first, end - first, k, ff_smaller(KC, product->depth - k));
}

void ff_product_macro_kernel(const ff_product *product, size_t row, size_t count, size_t mr, size_t first,
                             size_t columns, const float *packed, float *workspace)
{
    size_t depth = product->depth, k = 0, row_panels = divide_up(count, mr);
    size_t tiles = row_panels * divide_up(columns, NR);
    do {
        size_t length = ff_smaller(KC, depth - k), at = 0;
        bool last = k + length == depth;
        const float *panels[MC_PANELS];
        for (size_t i = 0; i < row_panels; i++)
            panels[i] = product->fetch(product->source, row + i * mr, ff_smaller(mr, count - i * mr), k,
                                       length, workspace + i * ROW_PANEL_FLOATS);
        for (size_t column = 0; column < columns; column += NR) {
            size_t width = ff_smaller(NR, columns - column), vectors = width > VEC ? 2 : 1;
            const float *panel = column_panel(packed, depth, columns, column, k);
            const float *next = column + NR < columns ? column_panel(packed, depth, columns, column + NR, k)
                                                      : column_panel(packed, depth, columns, 0, last ? 0 : k + length);
            for (size_t i = 0; i < row_panels; i++, at++) {
                size_t rows = ff_smaller(mr, count - i * mr);
                float *tile = workspace + MC_PANELS * ROW_PANEL_FLOATS + (length < depth ? at : 0) * MICRO_TILE_FLOATS;
                prefetch_rows(product, row, count, k + length, at, tiles);
                ff_micro_kernel(rows, vectors, length, panels[i], panel, k == 0, tile,
                                next + i * length * PREFETCH_FLOATS);
                if (last)
                    product->finish(product->source, row + i * mr, rows, first + column, width, tile);
            }
        }
        k += length;
    } while (k < depth);
}

size_t ff_product_nc(size_t columns)
{
    size_t column_blocks = divide_up(columns, NC);
    return divide_up(divide_up(columns, column_blocks), NR) * NR;
}

// How a product is blocked: so many columns are packed at a time; macro-kernels of nc of them by one of the row blocks
// are what threads take one by one.
typedef struct blocking {
    size_t mr, row_panels;   // rows of a micro-panel, MR or fewer; micro-panels of rows in all
    size_t packed_columns, nc;
    size_t row_blocks;
} blocking;

static blocking choose_blocking(const ff_product *p, size_t threads)
{
    blocking c;
    c.row_panels = divide_up(p->rows, MR);
    c.mr = divide_up(p->rows, c.row_panels);
    c.row_panels = divide_up(p->rows, c.mr);
    size_t most = PACKED_FLOATS / (p->depth ? p->depth : 1) / NR * NR;
    c.packed_columns = ff_smaller(p->columns, most > NR * 2 ? most : NR * 2);
    c.nc = ff_product_nc(c.packed_columns);
    size_t column_blocks = divide_up(c.packed_columns, c.nc);
    c.row_blocks = divide_up(c.row_panels, MC_PANELS);
    while (column_blocks * c.row_blocks % threads != 0 && c.row_blocks < c.row_panels)
        c.row_blocks++;
    return c;
}

static void multiply_packed(const ff_product *p, const blocking *c, size_t first, size_t columns, float *packed,
                            float *workspace)
{
    size_t column_blocks = divide_up(columns, c->nc);
#pragma omp for schedule(dynamic)
    for (size_t column = 0; column < columns; column += VEC)
        ff_product_pack(p, first, columns, column, packed);
#pragma omp for schedule(dynamic)
    for (size_t task = 0; task < column_blocks * c->row_blocks; task++) {
        size_t column = task / c->row_blocks * c->nc, block = task % c->row_blocks;
        size_t row = c->row_panels * block / c->row_blocks * c->mr;
        size_t end = ff_smaller(p->rows, c->row_panels * (block + 1) / c->row_blocks * c->mr);
        ff_product_macro_kernel(p, row, end - row, c->mr, first + column, ff_smaller(c->nc, columns - column),
                                packed + column * p->depth, workspace);
    }
}

ff_status ff_product_run(const ff_product *p)
{
    if (p->rows == 0 || p->columns == 0)
        return FF_OK;
    bool alone = (double)p->rows * (double)p->columns * (double)p->depth < ALONE;
    size_t threads = alone ? 1 : (size_t)omp_get_max_threads(), floats, rest;
    blocking c = choose_blocking(p, threads);
    if (!ff_product_packed(c.packed_columns, p->depth, &floats) ||
        !ff_multiply_sizes(threads, WORKSPACE_FLOATS, &rest) || !ff_add_sizes(floats, rest, &floats))
        return FF_ERROR_MEMORY;
    float *memory = ff_product_memory(p->scratch, floats);
    if (!memory)
        return FF_ERROR_MEMORY;
#pragma omp parallel num_threads(threads) if (!alone)
    {
        float *workspace = memory + (size_t)omp_get_thread_num() * WORKSPACE_FLOATS;
        for (size_t first = 0; first < p->columns; first += c.packed_columns)
            multiply_packed(p, &c, first, ff_smaller(c.packed_columns, p->columns - first),
                            memory + threads * WORKSPACE_FLOATS, workspace);
    }
    ff_product_leave(p->scratch, memory);
    return FF_OK;
}
