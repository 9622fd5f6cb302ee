#include "picture.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/threads.h"
#include "base/system.h"

#define WINDOW 11
#define SIGMA 1.5
#define MOMENTS 5  // means of a, b, a a, b b and a b

// A window's weights along one axis; they add up to 1.
static void gaussian(double weights[WINDOW])
{
    double sum = 0;
    for (int i = 0; i < WINDOW; i++) {
        int distance = i - WINDOW / 2;
        weights[i] = exp(-0.5 * distance * distance / (SIGMA * SIGMA));
        sum += weights[i];
    }
    for (int i = 0; i < WINDOW; i++)
        weights[i] /= sum;
}

// The moments of one colour's values in a row, weighted along it: out: [MOMENTS, width - WINDOW + 1]
// values: [2, width], room for both rows as numbers
static void filter_row(const uint8_t *a, const uint8_t *b, size_t width, const double weights[WINDOW], double *values,
                       double *out)
{
    size_t windows = width - WINDOW + 1;
    for (size_t x = 0; x < width; x++) {
        values[x] = a[3 * x];
        values[width + x] = b[3 * x];
    }
    for (size_t i = 0; i < MOMENTS * windows; i++)
        out[i] = 0;
    for (size_t k = 0; k < WINDOW; k++)
        for (size_t x = 0; x < windows; x++) {
            double p = values[x + k], q = values[width + x + k], w = weights[k];
            out[x] += w * p;
            out[windows + x] += w * q;
            out[2 * windows + x] += w * p * p;
            out[3 * windows + x] += w * q * q;
            out[4 * windows + x] += w * p * q;
        }
}

// moments: [MOMENTS, windows], of a row of windows
static double sum_similarities_in_row(size_t windows, const double *moments)
{
    const double c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255);
    double sum = 0;
    for (size_t x = 0; x < windows; x++) {
        double a = moments[x], b = moments[windows + x];
        double variance_a = moments[2 * windows + x] - a * a, variance_b = moments[3 * windows + x] - b * b;
        double covariance = moments[4 * windows + x] - a * b;
        sum += (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variance_a + variance_b + c2));
    }
    return sum;
}

// The sum over all windows of one colour.
// room: the last rows' moments [WINDOW, MOMENTS, windows], a row of windows' [MOMENTS, windows], values [2, width]
static double sum_similarities(const ff_image *a, const ff_image *b, size_t colour, double *room)
{
    size_t windows = a->width - WINDOW + 1, count = MOMENTS * windows;
    double weights[WINDOW], sum = 0, *moments = room + WINDOW * count, *values = moments + count;
    gaussian(weights);
    for (size_t y = 0; y < a->height; y++) {
        size_t at = 3 * y * a->width + colour;
        filter_row(a->rgb + at, b->rgb + at, a->width, weights, values, room + y % WINDOW * count);
        if (y + 1 < WINDOW)
            continue;
        for (size_t i = 0; i < count; i++)
            moments[i] = 0;
        for (size_t k = 0; k < WINDOW; k++) {
            const double *row = room + (y + 1 + k) % WINDOW * count;
            for (size_t i = 0; i < count; i++)
                moments[i] += weights[k] * row[i];
        }
        sum += sum_similarities_in_row(windows, moments);
    }
    return sum;
}

// The similarities of a picture's three colours, one after the other or at once.
typedef struct similarities {
    const ff_image *a, *b;
    size_t room;         // doubles that a colour takes
    double *rooms, sums[3];
} similarities;

static ff_status sum_colours(void *user)
{
    similarities *s = user;
#pragma omp parallel for
    for (size_t colour = 0; colour < 3; colour++)
        s->sums[colour] = sum_similarities(s->a, s->b, colour, s->rooms + colour * s->room);
    return FF_OK;
}

// Of the levels; also counts those that differ.
static double mean_square(const ff_image *a, const ff_image *b, ff_picture_distance *out)
{
    size_t values = 3 * a->width * a->height, sum = 0;
    for (size_t i = 0; i < values; i++) {
        size_t difference = (size_t)abs((int)a->rgb[i] - (int)b->rgb[i]);
        sum += difference * difference;
        out->different += difference > 0;
        out->largest = difference > out->largest ? difference : out->largest;
    }
    return values ? (double)sum / (double)values : 0;
}

static ff_status mean_similarity(const ff_image *a, const ff_image *b, double *out, ff_error *error)
{
    size_t windows = a->width - WINDOW + 1;
    similarities s = {.a = a, .b = b, .room = (WINDOW + 1) * MOMENTS * windows + 2 * a->width};
    s.rooms = malloc(3 * s.room * sizeof *s.rooms);
    if (!s.rooms)
        return ff_fail(error, FF_ERROR_MEMORY, "not enough memory to compare pictures of %zux%zu", a->width, a->height);
    ff_status status = ff_with_threads(0, sum_colours, &s, error);
    free(s.rooms);
    *out = (s.sums[0] + s.sums[1] + s.sums[2]) / (3.0 * (double)windows * (double)(a->height - WINDOW + 1));
    return status;
}

ff_status ff_picture_compare(const ff_image *a, const ff_image *b, ff_picture_distance *out, ff_error *error)
{
    ff_status status = FF_OK;
    ff_float_mode before = ff_float_mode_enter();
    *out = (ff_picture_distance){.ssim = a->width < WINDOW || a->height < WINDOW ? NAN : 1};
    out->squared_error = mean_square(a, b, out);
    if (!isnan(out->ssim) && out->different)
        status = mean_similarity(a, b, &out->ssim, error);
    ff_float_mode_leave(before);
    return status;
}

double ff_picture_psnr(double squared_error)
{
    return squared_error > 0 ? 10 * log10(255.0 * 255.0 / squared_error) : INFINITY;
}
