// The innermost loops, one for each height and width of a micro-tile.
#include "micro_kernel.h"

static inline __attribute__((always_inline)) void multiply(size_t rows, size_t vectors, size_t depth, const float *row,
                                                           const float *column, bool fresh, float *tile,
                                                           const float *ahead)
{
    vec sum[MR][2];
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (size_t v = 0; v < vectors; v++)
            sum[r][v] = fresh ? vec_zero() : vec_load(tile + r * NR + v * VEC);
#pragma GCC unroll 1
    for (size_t k = 0; k < depth; k++) {
        vec columns[2];
        __builtin_prefetch(ahead + k * PREFETCH_FLOATS, 0, 2);
#pragma GCC unroll 2
        for (size_t v = 0; v < vectors; v++)
            columns[v] = vec_load(column + (k * vectors + v) * VEC);
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; r++) {
            vec element = vec_set(row[r * KC_STRIDE + k]);
#pragma GCC unroll 2
            for (size_t v = 0; v < vectors; v++)
                sum[r][v] = vec_fma(element, columns[v], sum[r][v]);
        }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (size_t v = 0; v < vectors; v++)
            vec_store(tile + r * NR + v * VEC, sum[r][v]);
}

#define HEIGHT(rows)                                                                                              \
    case rows:                                                                                                    \
        if (vectors == 2)                                                                                         \
            multiply(rows, 2, depth, row, column, fresh, tile, ahead);                                             \
        else                                                                                                      \
            multiply(rows, 1, depth, row, column, fresh, tile, ahead);                                             \
        break;

void ff_micro_kernel(size_t rows, size_t vectors, size_t depth, const float *row, const float *column, bool fresh,
                     float *tile, const float *ahead)
{
    switch (rows) {
        HEIGHT(1)
        HEIGHT(2)
        HEIGHT(3)
        HEIGHT(4)
        HEIGHT(5)
        HEIGHT(6)
#if VEC_REGISTERS == 32
        HEIGHT(7)
        HEIGHT(8)
        HEIGHT(9)
        HEIGHT(10)
        HEIGHT(11)
        HEIGHT(12)
#if VEC == 16
        HEIGHT(13)
        HEIGHT(14)
#endif
#endif
    }
}
