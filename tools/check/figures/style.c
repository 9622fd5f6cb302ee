#include "style.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OCTAVES = 3, BINS = 2048 };

#define BIN 0.0625            // of L*; what is beyond the last bin counts in it

typedef enum kind { EDGES, TEXTURE, KINDS } kind;

// L* at (x, y), the border continued outside.
static double at(const float *plane, size_t width, size_t height, long x, long y)
{
    x = x < 0 ? 0 : x >= (long)width ? (long)width - 1 : x;
    y = y < 0 ? 0 : y >= (long)height ? (long)height - 1 : y;
    return plane[(size_t)y * width + (size_t)x];
}

static double response(const float *plane, size_t width, size_t height, long x, long y, kind what)
{
    if (what == EDGES) {
        double u = (at(plane, width, height, x + 1, y) - at(plane, width, height, x - 1, y)) / 2;
        double v = (at(plane, width, height, x, y + 1) - at(plane, width, height, x, y - 1)) / 2;
        return sqrt(u * u + v * v);
    }
    double sum = 0;
    for (long v = -1; v <= 1; v++)
        for (long u = -1; u <= 1; u++)
            sum += at(plane, width, height, x + u, y + v);
    return fabs(at(plane, width, height, x, y) - sum / 9);
}

// Counts responses in bins and returns their mean, in bins.
static double count_responses(const float *plane, size_t width, size_t height, kind what, size_t *bins)
{
    double total = 0;
    memset(bins, 0, BINS * sizeof *bins);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            double bin = response(plane, width, height, (long)x, (long)y, what) / BIN;
            size_t index = bin >= BINS ? BINS - 1 : (size_t)bin;
            bins[index]++;
            total += (double)index;
        }
    return total / (double)(width * height);
}

// One view's octaves, one after the other; each is given by the size.
static double compare(const float *a, const float *b, const size_t size_a[2], const size_t size_b[2], kind what,
                      size_t *bins)
{
    double mean_a = count_responses(a, size_a[0], size_a[1], what, bins);
    double mean_b = count_responses(b, size_b[0], size_b[1], what, bins + BINS);
    double cells_a = (double)(size_a[0] * size_a[1]), cells_b = (double)(size_b[0] * size_b[1]), apart = 0;
    size_t below_a = 0, below_b = 0;
    for (size_t i = 0; i < BINS; i++) {
        below_a += bins[i];
        below_b += bins[BINS + i];
        apart += fabs((double)below_a / cells_a - (double)below_b / cells_b);
    }
    return mean_a + mean_b > 0 ? apart / (mean_a + mean_b) : 0;
}

// Halves a plane in place. The size becomes the new one; a side of 1 stays.
static void halve(float *plane, float *spare, size_t size[2])
{
    size_t width = size[0] > 1 ? size[0] / 2 : 1, height = size[1] > 1 ? size[1] / 2 : 1;
    ff_plane_shrink(plane, size[0], size[1], width, height, spare);
    memcpy(plane, spare, width * height * sizeof *plane);
    size[0] = width;
    size[1] = height;
}

ff_status ff_measure_style(const ff_view *a, const ff_view *b, double *out, ff_error *error)
{
    size_t size_a[2] = {a->width, a->height}, size_b[2] = {b->width, b->height};
    size_t cells_a = a->width * a->height, cells_b = b->width * b->height;
    size_t *bins = malloc(2 * BINS * sizeof *bins);
    float *room = malloc((cells_a + cells_b + (cells_a > cells_b ? cells_a : cells_b)) * sizeof *room);
    double total = 0;
    if (!bins || !room) {
        free(bins);
        free(room);
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to measure the style");
    }
    float *plane_a = room, *plane_b = room + cells_a, *spare = plane_b + cells_b;
    memcpy(plane_a, a->planes, cells_a * sizeof *room);
    memcpy(plane_b, b->planes, cells_b * sizeof *room);
    for (int octave = 0; octave < OCTAVES; octave++) {
        for (kind what = EDGES; what < KINDS; what++)
            total += compare(plane_a, plane_b, size_a, size_b, what, bins);
        halve(plane_a, spare, size_a);
        halve(plane_b, spare, size_b);
    }
    free(bins);
    free(room);
    *out = total / (OCTAVES * KINDS);
    return FF_OK;
}
