#include "clip.h"

#include <math.h>
#include <stdlib.h>

#include "base/sizes.h"
#include "base/system.h"
#include "flicker.h"
#include "motion.h"

// ---- means ----

typedef struct sum {
    double total;
    size_t count;
} sum;

static void add(sum *to, double value)
{
    if (isnan(value))
        return;
    to->total += value;
    to->count++;
}

static double mean(const sum *of)
{
    return of->count ? of->total / (double)of->count : NAN;
}

ff_drift ff_drift_mean(const ff_drift *drifts, size_t count)
{
    sum palette = {0}, composition = {0}, identity = {0}, style = {0};
    for (size_t i = 0; i < count; i++) {
        add(&palette, drifts[i].palette);
        add(&composition, drifts[i].composition);
        add(&identity, drifts[i].identity);
        add(&style, drifts[i].style);
    }
    return (ff_drift){mean(&palette), mean(&composition), mean(&identity), mean(&style)};
}

// ---- one clip ----

static ff_status measure_frames(const ff_clip *clip, ff_measured *still, ff_measured *first, size_t every,
                                const ff_encoder *encoder, ff_clip_drift *out, ff_view *views, ff_error *error)
{
    for (size_t t = 0; t < clip->count; t++) {
        const ff_encoder *used = t % every == 0 ? encoder : NULL;
        ff_measured frame;
        ff_status status = ff_measured_create(&clip->frames[t], encoder, &frame, error);
        if (status == FF_OK)
            status = ff_drift_measure(still, &frame, used, &out->from_still[t], error);
        if (status == FF_OK)
            status = ff_drift_measure(first, &frame, used, &out->from_first[t], error);
        views[t] = frame.view;        // kept for flicker and motion
        frame.view = (ff_view){0};
        ff_measured_free(&frame);
        if (status != FF_OK)
            return status;
    }
    return FF_OK;
}

static ff_status measure_clip(const ff_clip *clip, const ff_image *still, size_t every, const ff_encoder *encoder,
                              ff_clip_drift *out, ff_error *error)
{
    size_t count = clip->count;
    ff_measured reference = {0}, first = {0};
    ff_view *views = calloc(count, sizeof *views);
    ff_status status = FF_OK;
    *out = (ff_clip_drift){.count = count, .from_still = calloc(count, sizeof(ff_drift)),
                           .from_first = calloc(count, sizeof(ff_drift))};
    if (count == 0)
        status = ff_fail(error, FF_ERROR_INPUT, "a clip without frames cannot be measured");
    else if (!views || !out->from_still || !out->from_first)
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory to measure a clip of %zu frames", count);
    if (status == FF_OK)
        status = ff_measured_create(still, encoder, &reference, error);
    if (status == FF_OK)
        status = ff_measured_create(&clip->frames[0], encoder, &first, error);
    if (status == FF_OK)
        status = measure_frames(clip, &reference, &first, every, encoder, out, views, error);
    if (status == FF_OK)
        status = ff_measure_motion(views, count, clip->fps, &out->motion, error);
    if (status == FF_OK) {
        size_t later = count > 1;     // a single frame is all there is
        out->flicker = ff_measure_flicker(views, count);
        out->mean_from_still = ff_drift_mean(out->from_still + later, count - later);
        out->mean_from_first = ff_drift_mean(out->from_first + later, count - later);
    }
    for (size_t t = 0; views && t < count; t++)
        ff_view_free(&views[t]);
    free(views);
    ff_measured_free(&reference);
    ff_measured_free(&first);
    if (status != FF_OK)
        ff_clip_drift_free(out);
    return status;
}

ff_status ff_clip_measure(const ff_clip *clip, const ff_image *still, size_t every, const ff_encoder *encoder,
                          ff_clip_drift *out, ff_error *error)
{
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = measure_clip(clip, still, every, encoder, out, error);
    ff_float_mode_leave(before);
    return status;
}

void ff_clip_drift_free(ff_clip_drift *drift)
{
    free(drift->from_still);
    free(drift->from_first);
    *drift = (ff_clip_drift){0};
}

size_t ff_clip_measure_encodings(size_t count, size_t every)
{
    size_t samples = (count - 1) / every + 1;
    return 2 * (1 + samples);    // against the still and against frame 0: the reference and what is held against it
}

// ---- several clips ----

// All pairs at frame t, added to drifts[*found].
static ff_status measure_pairs(const ff_clip *const *clips, size_t count, size_t t, const ff_encoder *encoder,
                               ff_measured *frames, ff_drift *drifts, size_t *found, ff_error *error)
{
    ff_status status = FF_OK;
    for (size_t i = 0; i < count && status == FF_OK; i++)
        status = ff_measured_create(&clips[i]->frames[t], encoder, &frames[i], error);
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count && status == FF_OK; k++)
            status = ff_drift_measure(&frames[i], &frames[k], encoder, &drifts[(*found)++], error);
    for (size_t i = 0; i < count; i++)
        ff_measured_free(&frames[i]);
    return status;
}

// Frame 0 counts only if there is no other sample.
static size_t first_sample(size_t length, size_t every)
{
    return length > every ? every : 0;
}

static size_t count_samples(size_t length, size_t every)
{
    return length ? (length - 1 - first_sample(length, every)) / every + 1 : 0;
}

static ff_status measure_spread(const ff_clip *const *clips, size_t count, size_t every, const ff_encoder *encoder,
                                ff_drift *out, ff_error *error)
{
    size_t length = SIZE_MAX, pairs = 0, room, found = 0;
    ff_status status = FF_OK;
    *out = (ff_drift){NAN, NAN, NAN, NAN};
    if (count < 2)
        return FF_OK;
    for (size_t i = 0; i < count; i++)
        length = clips[i]->count < length ? clips[i]->count : length;
    size_t first = first_sample(length, every), samples = count_samples(length, every);
    if (!ff_multiply_sizes(count, (count - 1), &pairs) || !ff_multiply_sizes(pairs / 2, samples, &room))
        return ff_fail(error, FF_ERROR_MEMORY, "%zu clips are too many to compare", count);
    ff_drift *drifts = calloc(room, sizeof *drifts);
    ff_measured *frames = calloc(count, sizeof *frames);
    if (!drifts || !frames)
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory to compare %zu clips", count);
    for (size_t t = first; t < length && status == FF_OK; t += every)
        status = measure_pairs(clips, count, t, encoder, frames, drifts, &found, error);
    if (status == FF_OK)
        *out = ff_drift_mean(drifts, found);
    free(drifts);
    free(frames);
    return status;
}

ff_status ff_clip_spread(const ff_clip *const *clips, size_t count, size_t every, const ff_encoder *encoder,
                         ff_drift *out, ff_error *error)
{
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = measure_spread(clips, count, every, encoder, out, error);
    ff_float_mode_leave(before);
    return status;
}

size_t ff_clip_spread_encodings(size_t clips, size_t count, size_t every)
{
    // at each sample every clip but the last as a reference, and every pair's other one, aligned to it
    return clips < 2 ? 0 : count_samples(count, every) * (clips - 1 + clips * (clips - 1) / 2);
}
