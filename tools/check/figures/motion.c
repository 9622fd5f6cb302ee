#include "motion.h"

#include <math.h>
#include <stdlib.h>

enum { LONGEST = 64, BLOCK = 8, REACH = 8 };

#define CLEARLY 0.8           // a move's difference over that of staying, at most
#define NOISE 1.0             // of L*: a squared difference that says nothing
#define SLOPE 0.02            // of staying's difference, that each pixel of a longer way must gain

typedef struct planes {
    size_t width, height;
    const float *now, *later;
} planes;

// [1 2 1] / 4 along rows or columns, the border continued outside.   step: to the next value along
static void smooth_lines(float *plane, size_t lines, size_t line_step, size_t length, size_t step)
{
    for (size_t line = 0; line < lines; line++) {
        float *at = plane + line * line_step, before = at[0];
        for (size_t i = 0; i < length; i++, at += step) {
            float value = at[0], after = i + 1 < length ? at[step] : value;
            at[0] = (before + 2 * value + after) / 4;
            before = value;
        }
    }
}

// L* of a frame, low-passed, so that squared differences are smooth enough for a parabola.
static void prepare_plane(const ff_view *frame, size_t width, size_t height, float *out)
{
    ff_plane_shrink(frame->planes, frame->width, frame->height, width, height, out);
    for (int times = 0; times < 2; times++) {
        smooth_lines(out, height, width, width, 1);
        smooth_lines(out, width, 1, height, width);
    }
}

// Mean squared difference, means taken off, of the block at (x, y) and the one (dx, dy) from it. Infinite outside.
static double difference(const planes *p, size_t x, size_t y, long dx, long dy)
{
    long left = (long)x + dx, top = (long)y + dy;
    double sum = 0, squares = 0;
    if (left < 0 || top < 0 || left + BLOCK > (long)p->width || top + BLOCK > (long)p->height)
        return INFINITY;
    for (size_t v = 0; v < BLOCK; v++)
        for (size_t u = 0; u < BLOCK; u++) {
            double gap = (double)p->later[((size_t)top + v) * p->width + (size_t)left + u] -
                         (double)p->now[(y + v) * p->width + x + u];
            sum += gap;
            squares += gap * gap;
        }
    double mean = sum / (BLOCK * BLOCK);
    return squares / (BLOCK * BLOCK) - mean * mean;
}

// Where between -1/2 and 1/2 a parabola through three values at -1, 0, 1 is lowest; the middle one is the least.
static double lowest(double before, double middle, double after)
{
    double bend = before - 2 * middle + after;
    return isfinite(bend) && bend > 0 ? (before - after) / (2 * bend) : 0;
}

// How far the block at (x, y) has gone, in pixels.
static double follow(const planes *p, size_t x, size_t y)
{
    double still = difference(p, x, y, 0, 0), least = still;
    long best_x = 0, best_y = 0;
    for (long dy = -REACH; dy <= REACH; dy++)
        for (long dx = -REACH; dx <= REACH; dx++) {
            double way = sqrt((double)(dx * dx + dy * dy));
            double found = difference(p, x, y, dx, dy) + SLOPE * still * way;
            if (found < least) {
                least = found;
                best_x = dx;
                best_y = dy;
            }
        }
    least = difference(p, x, y, best_x, best_y);
    double far_x = (double)best_x + lowest(difference(p, x, y, best_x - 1, best_y), least,
                                           difference(p, x, y, best_x + 1, best_y));
    double far_y = (double)best_y + lowest(difference(p, x, y, best_x, best_y - 1), least,
                                           difference(p, x, y, best_x, best_y + 1));
    bool moved = (best_x || best_y) ? least < CLEARLY * still : still > NOISE / 4;
    return still > 0 && moved ? sqrt(far_x * far_x + far_y * far_y) : 0;
}

static double deviation(const planes *p, size_t x, size_t y)
{
    double sum = 0, squares = 0;
    for (size_t v = 0; v < BLOCK; v++)
        for (size_t u = 0; u < BLOCK; u++) {
            double value = p->now[(y + v) * p->width + x + u];
            sum += value;
            squares += value * value;
        }
    double mean = sum / (BLOCK * BLOCK), variance = squares / (BLOCK * BLOCK) - mean * mean;
    return variance > NOISE ? sqrt(variance) : 0;
}

ff_status ff_measure_motion(const ff_view *frames, size_t count, double fps, double *out, ff_error *error)
{
    planes p;
    double total = 0, weights = 0;
    *out = 0;
    if (count < 2)
        return FF_OK;
    size_t stride = fps / 2 + 0.5 < 1 ? 1 : (size_t)(fps / 2 + 0.5);
    stride = stride < count ? stride : count - 1;
    ff_view_size(frames[0].width, frames[0].height, LONGEST, &p.width, &p.height);
    float *room = malloc(2 * p.width * p.height * sizeof *room);
    if (!room)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to measure motion");
    p.now = room;
    p.later = room + p.width * p.height;
    for (size_t t = 0; t + stride < count; t += stride) {
        prepare_plane(&frames[t], p.width, p.height, room);
        prepare_plane(&frames[t + stride], p.width, p.height, room + p.width * p.height);
        for (size_t y = 0; y + BLOCK <= p.height; y += BLOCK)
            for (size_t x = 0; x + BLOCK <= p.width; x += BLOCK) {
                double weight = deviation(&p, x, y);
                total += weight > 0 ? weight * follow(&p, x, y) : 0;
                weights += weight;
            }
    }
    double longer = (double)(p.width > p.height ? p.width : p.height);
    if (weights > 0)
        *out = 100 * total / weights / longer * fps / (double)stride;
    free(room);
    return FF_OK;
}
