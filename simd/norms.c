// Norms.
#include "vector_elementary.h"
#include "elements.h"
#include "lanes.h"
#include "simd.h"

#include <math.h>

#define ROWS LANE_ROWS  // that a thread takes at a time

static inline size_t rows_end(size_t first, size_t rows)
{
    return rows - first < ROWS ? rows : first + ROWS;
}

// The lane sums of rows [first, end) of n elements less what `minus` has for each (NULL: nothing), or of their squares.
static inline void sum_rows(bool squares, size_t first, size_t end, size_t n, const float *x, const float *minus,
                            float sums[ROWS])
{
    if (end - first == ROWS)
        lane_sums(squares, ROWS, n, x + first * n, n, minus, sums);
    else
        for (size_t row = first; row < end; row++)
            lane_sums(squares, 1, n, x + row * n, n, minus ? minus + (row - first) : NULL, sums + (row - first));
}

// What LayerNorm takes away from each of rows [first, end) and what it divides by.
static inline void measure_rows(size_t first, size_t end, size_t n, const float *x, float eps, float mean[ROWS],
                                float deviation[ROWS])
{
    sum_rows(false, first, end, n, x, NULL, mean);
    for (size_t i = 0; i < end - first; i++)
        mean[i] = mean[i] / (float)n;
    sum_rows(true, first, end, n, x, mean, deviation);
    for (size_t i = 0; i < end - first; i++)
        deviation[i] = sqrtf(deviation[i] / (float)n + eps);
}

static void layer_norm(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps,
                       const float *weight, const float *bias, float *out)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t first = 0; first < rows; first += ROWS) {
        float mean[ROWS], deviation[ROWS];
        size_t end = rows_end(first, rows);
        measure_rows(first, end, n, x, eps, mean, deviation);
        for (size_t row = first; row < end; row++) {
            const float *from = x + row * n;
            float *to = out + row * n;
            vec average = vec_set(mean[row - first]), divisor = vec_set(deviation[row - first]);
            FOR_VECTORS(0, n, {
                vec normal = vec_div(vec_sub(GET(from), average), divisor);
                if (weight)
                    normal = vec_mul(normal, GET(weight));
                if (bias)
                    normal = vec_add(normal, GET(bias));
                PUT(to, normal);
            });
        }
    }
}

static void layer_norm_modulate(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps,
                                ff_modulation modulation, float *out)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t first = 0; first < rows; first += ROWS) {
        float mean[ROWS], deviation[ROWS];
        size_t end = rows_end(first, rows);
        measure_rows(first, end, n, x, eps, mean, deviation);
        for (size_t row = first; row < end; row++) {
            const float *from = x + row * n;
            const float *row_scale = group_vector(modulation.groups, row, modulation.scale);
            const float *row_shift = group_vector(modulation.groups, row, modulation.shift);
            float *to = out + row * n;
            vec average = vec_set(mean[row - first]), divisor = vec_set(deviation[row - first]);
            FOR_VECTORS(0, n, {
                vec normal = vec_div(vec_sub(GET(from), average), divisor);
                vec factor = vec_add(vec_set(1.0f), GET(row_scale));
                PUT(to, vec_add(vec_mul(normal, factor), GET(row_shift)));
            });
        }
    }
}

static void rms_norm(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps, const float *weight,
                     float *out)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t first = 0; first < rows; first += ROWS) {
        float squares[ROWS];
        size_t end = rows_end(first, rows);
        sum_rows(true, first, end, n, x, NULL, squares);
        for (size_t row = first; row < end; row++) {
            const float *from = x + row * n;
            float *to = out + row * n;
            vec root = vec_set(sqrtf(squares[row - first] / (float)n + eps));
            FOR_VECTORS(0, n, PUT(to, vec_mul(vec_div(GET(from), root), GET(weight))));
        }
    }
}

static void channel_norm(const ff_kernels *kernels, size_t pixels, size_t n, const float *x, const float *gamma,
                         bool with_silu, float *out)
{
    vec root_n = vec_set(sqrtf((float)n));
#pragma omp parallel for if (pixels * n > ALONE)
    for (size_t first = 0; first < pixels; first += ROWS) {
        float squares[ROWS];
        size_t end = rows_end(first, pixels);
        sum_rows(true, first, end, n, x, NULL, squares);
        for (size_t pixel = first; pixel < end; pixel++) {
            const float *from = x + pixel * n;
            float *to = out + pixel * n;
            float root = sqrtf(squares[pixel - first]);
            vec length = vec_set(root < 1e-12f ? 1e-12f : root);  // a NaN stays
            FOR_VECTORS(0, n, {
                vec normal = vec_mul(vec_mul(vec_div(GET(from), length), root_n), GET(gamma));
                PUT(to, with_silu ? vec_silu(normal) : normal);
            });
        }
    }
}

void FF_SIMD_NAME(ff_simd_norms_)(ff_kernels *table)
{
    table->layer_norm = layer_norm;
    table->layer_norm_modulate = layer_norm_modulate;
    table->rms_norm = rms_norm;
    table->channel_norm = channel_norm;
}
