// Sums along a row as the contract has them: element j is added to lane j mod 16, which starts at +0; then the lanes
// fold 8, 4, 2, 1. Where a row ends inside the sixteen, the missing elements are added as +0: that changes no lane,
// for a lane that started at +0 is never -0.
#ifndef FF_SIMD_LANES_H
#define FF_SIMD_LANES_H

#include "vector.h"

#define LANES 16
#define LANE_VECTORS (LANES / VEC)  // vectors that hold one set of lanes
#define LANE_ROWS 4

// How many of the VEC elements from `first` on a row of n has.
static inline size_t lanes_left(size_t n, size_t first)
{
    return first >= n ? 0 : n - first < VEC ? n - first : VEC;
}

static inline float lanes_fold(const vec lanes[LANE_VECTORS])
{
    vec folded[LANE_VECTORS];
    for (size_t i = 0; i < LANE_VECTORS; i++)
        folded[i] = lanes[i];
    for (size_t half = LANE_VECTORS / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            folded[i] = vec_add(folded[i], folded[i + half]);
    return vec_fold(folded[0]);
}

// The sums of rows of n elements, or of their squares; x[row * stride] starts a row. With `minus`, minus[row] is taken
// from each element first. Rows go side by side, at most LANE_ROWS, so that the additions of one are under way while
// another's wait. Called with constants for `squares` and `rows`.
static inline void lane_sums(bool squares, size_t rows, size_t n, const float *x, size_t stride, const float *minus,
                             float *sums)
{
    vec lanes[LANE_ROWS][LANE_VECTORS];
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < LANE_VECTORS; i++)
            lanes[row][i] = vec_zero();
    size_t j = 0;
    for (; j + LANES <= n; j += LANES)
        for (size_t row = 0; row < rows; row++)
            for (size_t i = 0; i < LANE_VECTORS; i++) {
                vec value = vec_load(x + row * stride + j + i * VEC);
                if (minus)
                    value = vec_sub(value, vec_set(minus[row]));
                lanes[row][i] = vec_add(lanes[row][i], squares ? vec_mul(value, value) : value);
            }
    for (size_t i = 0; i < LANE_VECTORS && j < n; i++, j += VEC)
        for (size_t row = 0; row < rows; row++) {
            vec value = vec_load_some(x + row * stride + j, lanes_left(n, j));
            if (minus)
                value = vec_keep_some(vec_sub(value, vec_set(minus[row])), lanes_left(n, j));
            lanes[row][i] = vec_add(lanes[row][i], squares ? vec_mul(value, value) : value);
        }
    for (size_t row = 0; row < rows; row++)
        sums[row] = lanes_fold(lanes[row]);
}

static inline float lane_sum(size_t n, const float *x)
{
    float sum;
    lane_sums(false, 1, n, x, 0, NULL, &sum);
    return sum;
}

static inline float lane_sum_of_squares(size_t n, const float *x)
{
    float sum;
    lane_sums(true, 1, n, x, 0, NULL, &sum);
    return sum;
}

#endif
