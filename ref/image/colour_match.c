#include "colour_match.h"

#include <stdlib.h>
#include <string.h>

#include "colour.h"
#include "../base/system.h"
#include "align.h"

enum { ROUNDS = 10, BINS = 2048 };

#define BIN 0.25              // of a difference, when looking for the median
#define OUTLIER 6.0           // a CIELAB difference that hardly counts
#define MOST_GAIN 1.25
#define STIFF 4.0             // variance by which the gain is held at 1

typedef struct fit {
    double gain[3], offset[3];
} fit;

// What still and frame show at the same place: [3, count] each.
typedef struct samples {
    size_t count;
    float *still, *frame;
} samples;

static double median_difference(const float *still, const float *frame, size_t count)
{
    size_t bins[BINS] = {0}, below = 0, i = 0;
    for (size_t k = 0; k < count; k++) {
        double bin = ((double)still[k] - (double)frame[k]) / BIN + BINS / 2.0;
        bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : (size_t)bin]++;
    }
    while (i + 1 < BINS && below + bins[i] <= count / 2)
        below += bins[i++];
    return ((double)i + 0.5 - BINS / 2.0) * BIN;
}

static double weight_of(const samples *s, const fit *f, size_t i)
{
    double squares = 0;
    for (size_t c = 0; c < 3; c++) {
        size_t at = c * s->count + i;
        double gap = s->still[at] - (f->gain[c] * s->frame[at] + f->offset[c]);
        squares += gap * gap;
    }
    double root = 1 + squares / (OUTLIER * OUTLIER);
    return 1 / (root * root);
}

// The weighted least squares for each channel, given the weights.
static fit solve(const samples *s, const double *weights)
{
    fit out;
    for (size_t c = 0; c < 3; c++) {
        const float *x = s->frame + c * s->count, *y = s->still + c * s->count;
        double n = 0, sum_x = 0, sum_y = 0, xx = 0, xy = 0;
        for (size_t i = 0; i < s->count; i++) {
            n += weights[i];
            sum_x += weights[i] * x[i];
            sum_y += weights[i] * y[i];
        }
        double mean_x = sum_x / n, mean_y = sum_y / n;
        for (size_t i = 0; i < s->count; i++) {
            xx += weights[i] * (x[i] - mean_x) * (x[i] - mean_x);
            xy += weights[i] * (x[i] - mean_x) * (y[i] - mean_y);
        }
        double gain = (xy / n + STIFF) / (xx / n + STIFF);
        out.gain[c] = gain > MOST_GAIN ? MOST_GAIN : gain < 1 / MOST_GAIN ? 1 / MOST_GAIN : gain;
        out.offset[c] = mean_y - out.gain[c] * mean_x;
    }
    return out;
}

// Pixels of the still's view that the frame shows too. FF_ERROR_MEMORY.
static ff_status gather(const ff_view *still, const ff_view *frame, samples *out, ff_error *error)
{
    ff_alignment alignment;
    size_t cells = still->width * still->height;
    ff_status status = ff_align(still, frame, &alignment, error);
    if (status)
        return status;
    *out = (samples){.still = malloc(6 * cells * sizeof(float))};
    if (!out->still)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to match colours");
    out->frame = out->still + 3 * cells;
    for (int pass = 0; pass < 2; pass++) {          // count, then fill
        size_t seen = 0;
        for (size_t i = 0; i < cells; i++) {
            double x, y, value;
            ff_alignment_apply(&alignment, still->width, still->height, (double)(i % still->width),
                               (double)(i / still->width), &x, &y);
            if (!ff_plane_sample(frame->planes, still->width, still->height, x, y, &value))
                continue;
            for (size_t c = 0; pass && c < 3; c++) {
                ff_plane_sample(frame->planes + c * cells, still->width, still->height, x, y, &value);
                out->still[c * out->count + seen] = still->planes[c * cells + i];
                out->frame[c * out->count + seen] = (float)value;
            }
            seen++;
        }
        out->count = seen;
    }
    return FF_OK;
}

static ff_status find_fit(const ff_view *still, const ff_view *frame, fit *out, ff_error *error)
{
    samples s;
    ff_status status = gather(still, frame, &s, error);
    if (status)
        return status;
    double *weights = malloc(s.count * sizeof *weights);
    if (!weights)
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory to match colours");
    for (size_t c = 0; c < 3; c++) {
        out->gain[c] = 1;
        out->offset[c] = median_difference(s.still + c * s.count, s.frame + c * s.count, s.count);
    }
    for (int round = 0; weights && round < ROUNDS; round++) {
        for (size_t i = 0; i < s.count; i++)
            weights[i] = weight_of(&s, out, i);
        *out = solve(&s, weights);
    }
    free(weights);
    free(s.still);
    return status;
}

static ff_status match(const ff_image *still, ff_image *frame, ff_error *error)
{
    size_t pixels = frame->width * frame->height;
    ff_view a = {0}, b = {0};
    ff_colour_table table;
    fit f;
    if (still->width != frame->width || still->height != frame->height)
        return ff_fail(error, FF_ERROR_INPUT, "colours of %zux%zu and %zux%zu cannot be matched: one size is needed",
                       still->width, still->height, frame->width, frame->height);
    if (memcmp(still->rgb, frame->rgb, 3 * pixels) == 0)
        return FF_OK;
    ff_status status = ff_view_create(still, &a, error);
    if (status == FF_OK)
        status = ff_view_create(frame, &b, error);
    if (status == FF_OK)
        status = find_fit(&a, &b, &f, error);
    ff_view_free(&a);
    ff_view_free(&b);
    if (status)
        return status;
    ff_colour_table_fill(&table);
    for (size_t i = 0; i < pixels; i++) {
        double lab[3];
        ff_colour_to_lab(&table, frame->rgb + 3 * i, lab);
        for (int c = 0; c < 3; c++)
            lab[c] = f.gain[c] * lab[c] + f.offset[c];
        ff_colour_from_lab(&table, lab, frame->rgb + 3 * i);
    }
    return FF_OK;
}

ff_status ff_colour_match(const ff_image *still, ff_image *frame, ff_error *error)
{
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = match(still, frame, error);
    ff_float_mode_leave(before);
    return status;
}
