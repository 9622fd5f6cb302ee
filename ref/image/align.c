#include "align.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COARSE = 32, FINE = 64, MOST_ROUNDS = 12 };

#define MOST_SHIFT 0.1875
#define MOST_ZOOM 1.25
#define LEAST_OVERLAP 0.5     // of A's pixels that B must show
// Correlation that a move by all of MOST_SHIFT or MOST_ZOOM must gain: enough to tell a move from chance, then too
// little to pull it off its place.
#define COARSE_COST 0.05
#define FINE_COST 0.002

bool ff_plane_sample(const float *plane, size_t width, size_t height, double x, double y, double *out)
{
    const double slack = 1e-9;    // of rounding
    if (!(x >= -slack && y >= -slack && x <= (double)(width - 1) + slack && y <= (double)(height - 1) + slack))
        return false;
    x = x < 0 ? 0 : x;
    y = y < 0 ? 0 : y;
    size_t left = (size_t)x, top = (size_t)y;
    left -= left + 1 == width && left > 0;
    top -= top + 1 == height && top > 0;
    double u = x - (double)left, v = y - (double)top;
    size_t right = width > 1 ? 1 : 0, below = height > 1 ? width : 0;
    const float *at = plane + top * width + left;
    *out = (1 - v) * ((1 - u) * at[0] + u * at[right]) + v * ((1 - u) * at[below] + u * at[below + right]);
    return true;
}

void ff_alignment_apply(const ff_alignment *alignment, size_t width, size_t height, double x, double y, double *to_x,
                        double *to_y)
{
    double longer = (double)(width > height ? width : height);
    double centre_x = (double)(width - 1) / 2, centre_y = (double)(height - 1) / 2;
    *to_x = centre_x + alignment->scale * (x - centre_x) + alignment->x * longer;
    *to_y = centre_y + alignment->scale * (y - centre_y) + alignment->y * longer;
}

// Two planes of one size.
typedef struct pair {
    size_t width, height;
    float *a, *b;
    double cost;
} pair;

// |correlation| over the overlap, less the cost of the move; -1 if the overlap is too small.
static double score(const pair *p, ff_alignment move)
{
    double n = 0, sum_a = 0, sum_b = 0, sum_aa = 0, sum_bb = 0, sum_ab = 0, x_to, y_to, b;
    for (size_t y = 0; y < p->height; y++)
        for (size_t x = 0; x < p->width; x++) {
            ff_alignment_apply(&move, p->width, p->height, (double)x, (double)y, &x_to, &y_to);
            if (!ff_plane_sample(p->b, p->width, p->height, x_to, y_to, &b))
                continue;
            double a = p->a[y * p->width + x];
            n++;
            sum_a += a;
            sum_b += b;
            sum_aa += a * a;
            sum_bb += b * b;
            sum_ab += a * b;
        }
    if (n < LEAST_OVERLAP * (double)(p->width * p->height))
        return -1;
    double variances = (sum_aa - sum_a * sum_a / n) * (sum_bb - sum_b * sum_b / n);
    double correlation = variances > 1e-6 * n * n ? fabs(sum_ab - sum_a * sum_b / n) / sqrt(variances) : 0;
    double zoom = move.scale > 1 ? move.scale - 1 : 1 / move.scale - 1;
    return correlation - p->cost * ((fabs(move.x) + fabs(move.y)) / MOST_SHIFT + zoom / (MOST_ZOOM - 1));
}

// Every coarse move.
static ff_alignment search_all(const pair *p)
{
    static const double zooms[] = {1, 0.9, 1 / 0.9, 1 / MOST_ZOOM, MOST_ZOOM};
    ff_alignment best = FF_ALIGNMENT_NONE;
    double highest = score(p, best);
    for (size_t zoom = 0; zoom < sizeof zooms / sizeof *zooms; zoom++)
        for (int y = -3; y <= 3; y++)
            for (int x = -3; x <= 3; x++) {
                ff_alignment move = {zooms[zoom], x * MOST_SHIFT / 3, y * MOST_SHIFT / 3};
                double found = score(p, move);
                if (found > highest) {
                    highest = found;
                    best = move;
                }
            }
    return best;
}

// Uphill from `best` by steps of `shift` and `zoom`.
static ff_alignment climb(const pair *p, ff_alignment best, double shift, double zoom)
{
    double highest = score(p, best);
    for (int round = 0; round < MOST_ROUNDS; round++) {
        ff_alignment from = best;
        const ff_alignment moves[] = {
            {from.scale, from.x + shift, from.y}, {from.scale, from.x - shift, from.y},
            {from.scale, from.x, from.y + shift}, {from.scale, from.x, from.y - shift},
            {from.scale * (1 + zoom), from.x, from.y}, {from.scale / (1 + zoom), from.x, from.y},
        };
        for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
            double found = score(p, moves[i]);
            if (found > highest) {
                highest = found;
                best = moves[i];
            }
        }
        if (memcmp(&best, &from, sizeof best) == 0)
            break;
    }
    return best;
}

static pair shrink_pair(const ff_view *a, const ff_view *b, size_t longest, double cost, float *room)
{
    pair p = {.a = room, .cost = cost};
    ff_view_size(a->width, a->height, longest, &p.width, &p.height);
    p.b = room + p.width * p.height;
    ff_plane_shrink(a->planes, a->width, a->height, p.width, p.height, p.a);
    ff_plane_shrink(b->planes, b->width, b->height, p.width, p.height, p.b);
    return p;
}

ff_status ff_align(const ff_view *a, const ff_view *b, ff_alignment *out, ff_error *error)
{
    *out = FF_ALIGNMENT_NONE;
    if (a->width != b->width || a->height != b->height)
        return FF_OK;
    float *room = malloc(2 * FINE * FINE * sizeof *room);
    if (!room)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to align two pictures");
    pair p = shrink_pair(a, b, COARSE, COARSE_COST, room);
    *out = search_all(&p);
    *out = climb(&p, *out, 1.0 / 32, 0.05);
    p = shrink_pair(a, b, FINE, FINE_COST, room);
    for (double step = 1.0 / 64; step >= 1.0 / 1024; step /= 2)
        *out = climb(&p, *out, step, 2 * step);
    free(room);
    return FF_OK;
}

ff_status ff_align_picture(const ff_image *a, const ff_image *b, const ff_alignment *alignment, ff_image *out,
                           ff_error *error)
{
    size_t cells = a->width * a->height;
    *out = (ff_image){a->width, a->height, malloc(3 * cells)};
    float *plane = malloc(cells * sizeof *plane);
    if (!out->rgb || !plane) {
        free(out->rgb);
        free(plane);
        *out = (ff_image){0};
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to align two pictures");
    }
    for (size_t c = 0; c < 3; c++) {
        for (size_t i = 0; i < cells; i++)
            plane[i] = b->rgb[3 * i + c];
        for (size_t y = 0; y < a->height; y++)
            for (size_t x = 0; x < a->width; x++) {
                size_t i = 3 * (y * a->width + x) + c;
                double to_x, to_y, value;
                ff_alignment_apply(alignment, a->width, a->height, (double)x, (double)y, &to_x, &to_y);
                bool shown = ff_plane_sample(plane, a->width, a->height, to_x, to_y, &value);
                out->rgb[i] = shown ? (uint8_t)(value + 0.5) : a->rgb[i];
            }
    }
    free(plane);
    return FF_OK;
}
