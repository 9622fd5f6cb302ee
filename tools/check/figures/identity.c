#include "identity.h"

#include <stdlib.h>

#include "kernels/mathematics.h"

#define WIDTH 0.25            // of the Gaussian, in sides
#define UNLIKE 15.0           // CIELAB distance that is clearly another colour
#define LEAST 0.05
#define ROUNDING 1e-12        // features that vary no more than this, relatively, squared, are constant

static double squared_distance(const float *colours, size_t cells, size_t i, size_t k)
{
    double sum = 0;
    for (size_t c = 0; c < 3; c++) {
        double gap = (double)colours[c * cells + i] - (double)colours[c * cells + k];
        sum += gap * gap;
    }
    return sum;
}

// The squared distance of a cell's colour to the nearest one along the top and the sides.
static double unlike_surroundings(const float *colours, size_t columns, size_t rows, size_t cell)
{
    double nearest = 1e9;
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < columns; x++) {
            double found = squared_distance(colours, columns * rows, cell, y * columns + x);
            if ((y == 0 || x == 0 || x + 1 == columns) && found < nearest)
                nearest = found;
        }
    return nearest;
}

ff_status ff_measure_subject(const ff_view *view, size_t columns, size_t rows, double *weights, ff_error *error)
{
    size_t cells = columns * rows;
    float *colours = malloc(3 * cells * sizeof *colours);
    if (!colours)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to find the subject");
    for (size_t c = 0; c < 3; c++)
        ff_plane_shrink(view->planes + c * view->width * view->height, view->width, view->height, columns, rows,
                        colours + c * cells);
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < columns; x++) {
            double u = ((double)x + 0.5) / (double)columns - 0.5, v = ((double)y + 0.5) / (double)rows - 0.5;
            double apart = unlike_surroundings(colours, columns, rows, y * columns + x);
            weights[y * columns + x] = ff_exp(-(u * u + v * v) / (2 * WIDTH * WIDTH)) *
                                       (LEAST + apart / (apart + UNLIKE * UNLIKE));
        }
    free(colours);
    return FF_OK;
}

double ff_measure_identity(const float *a, const float *b, size_t channels, size_t cells, const double *weights)
{
    double apart = 0, squares = 0, raw = 0, weight = 0;
    for (size_t i = 0; i < cells; i++)
        weight += weights[i];
    for (size_t c = 0; c < channels; c++, a += cells, b += cells) {
        double mean_a = 0, mean_b = 0;
        for (size_t i = 0; i < cells; i++) {
            mean_a += weights[i] * a[i];
            mean_b += weights[i] * b[i];
        }
        mean_a /= weight;
        mean_b /= weight;
        for (size_t i = 0; i < cells; i++) {
            double x = a[i] - mean_a, y = b[i] - mean_b;
            apart += weights[i] * (x - y) * (x - y);
            squares += weights[i] * (x * x + y * y);
            raw += weights[i] * ((double)a[i] * a[i] + (double)b[i] * b[i]);
        }
    }
    return squares > ROUNDING * raw ? apart / squares : 0;
}
