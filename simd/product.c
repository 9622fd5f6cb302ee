// Cuts a product into blocks that fit the caches and divides them among threads.
#include "product.h"

#include <omp.h>
#include <stdlib.h>

// Columns are packed in groups of at most this many floats, where they fit.
#define GROUP_FLOATS ((size_t)8 << 20)
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
    size_t panel = column / TILE_COLUMNS * TILE_COLUMNS;
    size_t pitch = count - panel > VEC ? TILE_COLUMNS : VEC;
    product->pack(product->source, first + column, ff_smaller(VEC, count - column), pitch,
                  packed + panel * product->depth + (column - panel));
}

// Of `columns` packed columns, the panel that begins at `column`, from k on.
static const float *column_panel(const float *packed, size_t depth, size_t columns, size_t column, size_t k)
{
    return packed + column * depth + k * (columns - column > VEC ? TILE_COLUMNS : VEC);
}

// While tile `at` of `tiles` is worked on, its share of the rows is brought near from k on.
static void expect_rows(const ff_product *product, size_t row, size_t count, size_t k, size_t at, size_t tiles)
{
    size_t first = count * at / tiles, end = count * (at + 1) / tiles;
    if (product->expect && k < product->depth && first < end)
        product->expect(product->source, row + first, end - first, k, ff_smaller(PANEL_DEPTH, product->depth - k));
}

void ff_product_block(const ff_product *product, size_t row, size_t count, size_t height, size_t first, size_t columns,
                      const float *packed, float *workspace)
{
    size_t depth = product->depth, k = 0, heights = divide_up(count, height);
    size_t tiles = heights * divide_up(columns, TILE_COLUMNS);
    do {
        size_t length = ff_smaller(PANEL_DEPTH, depth - k), at = 0;
        bool last = k + length == depth;
        const float *panels[BLOCK_PANELS];
        for (size_t i = 0; i < heights; i++)
            panels[i] = product->fetch(product->source, row + i * height, ff_smaller(height, count - i * height), k,
                                       length, workspace + i * PANEL_FLOATS);
        for (size_t column = 0; column < columns; column += TILE_COLUMNS) {
            size_t width = ff_smaller(TILE_COLUMNS, columns - column), vectors = width > VEC ? 2 : 1;
            const float *panel = column_panel(packed, depth, columns, column, k);
            const float *next = column + TILE_COLUMNS < columns
                                    ? column_panel(packed, depth, columns, column + TILE_COLUMNS, k)
                                    : column_panel(packed, depth, columns, 0, last ? 0 : k + length);
            for (size_t i = 0; i < heights; i++, at++) {
                size_t rows = ff_smaller(height, count - i * height);
                float *tile = workspace + BLOCK_PANELS * PANEL_FLOATS + (length < depth ? at : 0) * TILE_FLOATS;
                expect_rows(product, row, count, k + length, at, tiles);
                ff_tile_multiply(rows, vectors, length, panels[i], panel, k == 0, tile, next + i * length * TILE_AHEAD);
                if (last)
                    product->finish(product->source, row + i * height, rows, first + column, width, tile);
            }
        }
        k += length;
    } while (k < depth);
}

size_t ff_product_strip(size_t columns)
{
    size_t strips = divide_up(columns, BLOCK_COLUMNS);
    return divide_up(divide_up(columns, strips), TILE_COLUMNS) * TILE_COLUMNS;
}

// How a product is cut: `groups` of columns are packed one after the other; each is cut into `strips` of columns by
// `chunks` of rows, which threads take one by one.
typedef struct cut {
    size_t height, panels;  // of a row panel; of them in all
    size_t group_columns;
    size_t strip_columns;
    size_t chunks;
} cut;

static cut cut_product(const ff_product *p, size_t threads)
{
    cut c;
    c.panels = divide_up(p->rows, TILE_ROWS);
    c.height = divide_up(p->rows, c.panels);
    c.panels = divide_up(p->rows, c.height);
    size_t most = GROUP_FLOATS / (p->depth ? p->depth : 1) / TILE_COLUMNS * TILE_COLUMNS;
    c.group_columns = ff_smaller(p->columns, most > TILE_COLUMNS * 2 ? most : TILE_COLUMNS * 2);
    c.strip_columns = ff_product_strip(c.group_columns);
    size_t strips = divide_up(c.group_columns, c.strip_columns);
    c.chunks = divide_up(c.panels, BLOCK_PANELS);
    while (strips * c.chunks % threads != 0 && c.chunks < c.panels)
        c.chunks++;
    return c;
}

static void run_group(const ff_product *p, const cut *c, size_t first, size_t columns, float *packed, float *workspace)
{
    size_t strips = divide_up(columns, c->strip_columns);
#pragma omp for schedule(dynamic)
    for (size_t column = 0; column < columns; column += VEC)
        ff_product_pack(p, first, columns, column, packed);
#pragma omp for schedule(dynamic)
    for (size_t task = 0; task < strips * c->chunks; task++) {
        size_t strip = task / c->chunks * c->strip_columns, chunk = task % c->chunks;
        size_t row = c->panels * chunk / c->chunks * c->height;
        size_t end = ff_smaller(p->rows, c->panels * (chunk + 1) / c->chunks * c->height);
        ff_product_block(p, row, end - row, c->height, first + strip, ff_smaller(c->strip_columns, columns - strip),
                         packed + strip * p->depth, workspace);
    }
}

ff_status ff_product_run(const ff_product *p)
{
    if (p->rows == 0 || p->columns == 0)
        return FF_OK;
    bool alone = (double)p->rows * (double)p->columns * (double)p->depth < ALONE;
    size_t threads = alone ? 1 : (size_t)omp_get_max_threads(), floats, rest;
    cut c = cut_product(p, threads);
    if (!ff_product_packed(c.group_columns, p->depth, &floats) ||
        !ff_multiply_sizes(threads, WORKSPACE_FLOATS, &rest) || !ff_add_sizes(floats, rest, &floats))
        return FF_ERROR_MEMORY;
    float *memory = ff_product_memory(p->scratch, floats);
    if (!memory)
        return FF_ERROR_MEMORY;
#pragma omp parallel num_threads(threads) if (!alone)
    {
        float *workspace = memory + (size_t)omp_get_thread_num() * WORKSPACE_FLOATS;
        for (size_t first = 0; first < p->columns; first += c.group_columns)
            run_group(p, &c, first, ff_smaller(c.group_columns, p->columns - first),
                      memory + threads * WORKSPACE_FLOATS, workspace);
    }
    ff_product_leave(p->scratch, memory);
    return FF_OK;
}
