#include "palette.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BIN 0.25
#define REACH 256.0          // no projection of a colour of sRGB is longer
enum { BINS = 2048, DIRECTIONS = 13 };

// The axes, the diagonals of their planes and those of space.
static const double directions[DIRECTIONS][3] = {
    {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}, {1, -1, 0}, {1, 0, 1}, {1, 0, -1}, {0, 1, 1}, {0, 1, -1},
    {1, 1, 1}, {1, 1, -1}, {1, -1, 1}, {1, -1, -1},
};

static void count_projections(const ff_view *view, const double direction[3], size_t *bins)
{
    size_t cells = view->width * view->height;
    const float *l = view->planes, *a = l + cells, *b = a + cells;
    double length = sqrt(direction[0] * direction[0] + direction[1] * direction[1] + direction[2] * direction[2]);
    memset(bins, 0, BINS * sizeof *bins);
    for (size_t i = 0; i < cells; i++) {
        double at = (direction[0] * l[i] + direction[1] * a[i] + direction[2] * b[i]) / length;
        double bin = (at + REACH) / BIN;
        bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : (size_t)bin]++;
    }
}

ff_status ff_measure_palette(const ff_view *a, const ff_view *b, double *out, ff_error *error)
{
    size_t *bins = malloc(2 * BINS * sizeof *bins);
    double cells_a = (double)(a->width * a->height), cells_b = (double)(b->width * b->height), total = 0;
    if (!bins)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to measure the palette");
    for (int d = 0; d < DIRECTIONS; d++) {
        size_t below_a = 0, below_b = 0;
        count_projections(a, directions[d], bins);
        count_projections(b, directions[d], bins + BINS);
        for (size_t i = 0; i < BINS; i++) {
            below_a += bins[i];
            below_b += bins[BINS + i];
            total += fabs((double)below_a / cells_a - (double)below_b / cells_b) * BIN;
        }
    }
    free(bins);
    *out = 2 * total / DIRECTIONS;
    return FF_OK;
}
