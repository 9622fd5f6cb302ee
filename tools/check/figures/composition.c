#include "composition.h"

#include <math.h>
#include <stdlib.h>

enum { LARGEST = 64, SCALES = 3, WINDOW = 7 };

#define STABLE 9.0            // (0.03 * 100)^2, as in SSIM
#define MOST_CONTRAST 2.0

// Sums over some pixels of both pictures.
typedef struct moments {
    double n, a, b, aa, bb, ab;
} moments;

static void add_pixel(moments *m, double a, double b)
{
    m->n++;
    m->a += a;
    m->b += b;
    m->aa += a * a;
    m->bb += b * b;
    m->ab += a * b;
}

// Two planes of one size; NaN where B is not seen.
typedef struct layout {
    size_t width, height;
    float *a, *b;
} layout;

static layout lay_out(const ff_view *a, const ff_view *b, const ff_alignment *alignment, size_t longest, float *room)
{
    layout l = {.a = room, .b = room + LARGEST * LARGEST};
    float *shrunk = l.b + LARGEST * LARGEST;
    ff_view_size(a->width, a->height, longest, &l.width, &l.height);
    ff_plane_shrink(a->planes, a->width, a->height, l.width, l.height, l.a);
    ff_plane_shrink(b->planes, b->width, b->height, l.width, l.height, shrunk);
    for (size_t y = 0; y < l.height; y++)
        for (size_t x = 0; x < l.width; x++) {
            double to_x, to_y, value;
            ff_alignment_apply(alignment, l.width, l.height, (double)x, (double)y, &to_x, &to_y);
            bool seen = ff_plane_sample(shrunk, l.width, l.height, to_x, to_y, &value);
            l.b[y * l.width + x] = seen ? (float)value : NAN;
        }
    return l;
}

// B times the factor that gives it A's contrast; negative if it is A's negative.
static void match_contrast(const layout *l)
{
    moments m = {0};
    for (size_t i = 0; i < l->width * l->height; i++)
        if (!isnan(l->b[i]))
            add_pixel(&m, l->a[i], l->b[i]);
    double variance_a = m.n * m.aa - m.a * m.a, variance_b = m.n * m.bb - m.b * m.b;
    double factor = variance_b > 0 && variance_a > 0 ? sqrt(variance_a / variance_b) : 1;
    factor = factor > MOST_CONTRAST ? MOST_CONTRAST : factor < 1 / MOST_CONTRAST ? 1 / MOST_CONTRAST : factor;
    if (m.n * m.ab - m.a * m.b < 0)
        factor = -factor;
    for (size_t i = 0; i < l->width * l->height; i++)
        l->b[i] = (float)(factor * l->b[i]);
}

// The similarity in the window whose left upper corner is (x, y). False if B is not seen in all of it.
static bool compare_window(const layout *l, size_t x, size_t y, size_t wide, size_t high, double *out)
{
    moments m = {0};
    for (size_t v = y; v < y + high; v++)
        for (size_t u = x; u < x + wide; u++) {
            double a = l->a[v * l->width + u], b = l->b[v * l->width + u];
            if (isnan(b))
                return false;
            add_pixel(&m, a, b);
        }
    double variance_a = m.aa / m.n - m.a / m.n * (m.a / m.n), variance_b = m.bb / m.n - m.b / m.n * (m.b / m.n);
    double covariance = m.ab / m.n - m.a / m.n * (m.b / m.n);
    *out = (2 * covariance + STABLE) / (variance_a + variance_b + STABLE);
    return true;
}

// Mean over all windows; of a picture smaller than a window, over itself. 1 if none is seen.
static double compare_windows(const layout *l)
{
    size_t wide = l->width < WINDOW ? l->width : WINDOW, high = l->height < WINDOW ? l->height : WINDOW, count = 0;
    double total = 0, similarity;
    for (size_t y = 0; y + high <= l->height; y++)
        for (size_t x = 0; x + wide <= l->width; x++)
            if (compare_window(l, x, y, wide, high, &similarity)) {
                total += similarity;
                count++;
            }
    return count ? total / (double)count : 1;
}

ff_status ff_measure_composition(const ff_view *a, const ff_view *b, const ff_alignment *alignment, double *out,
                                 ff_error *error)
{
    double total = 0;
    float *room = malloc(3 * LARGEST * LARGEST * sizeof *room);
    if (!room)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to measure the composition");
    for (size_t scale = 0; scale < SCALES; scale++) {
        layout l = lay_out(a, b, alignment, LARGEST >> scale, room);
        match_contrast(&l);
        total += 1 - compare_windows(&l);
    }
    free(room);
    *out = total / SCALES;
    return FF_OK;
}
