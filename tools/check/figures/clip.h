// A clip's figures over time, and how differently several clips draw the same idea.
#ifndef FF_MEASURE_CLIP_H
#define FF_MEASURE_CLIP_H

#include "drift.h"

typedef struct ff_clip {
    size_t count;
    ff_image *frames;         // [count], of one size
    double fps;
} ff_clip;

typedef struct ff_clip_drift {
    size_t count;
    ff_drift *from_still;     // [count], frame by frame; identity is NaN where it was not measured
    ff_drift *from_first;     // [count], from the clip's own frame 0
    ff_drift mean_from_still, mean_from_first;   // over the frames after the first
    double flicker, motion;
} ff_clip_drift;

// still: of the frames' size. every: identity, which costs an encoding, is measured at each `every`-th frame.
// out: freed by ff_clip_drift_free. FF_ERROR_MEMORY, FF_ERROR_INPUT, or what the encoder returns.
ff_status ff_clip_measure(const ff_clip *clip, const ff_image *still, size_t every, const ff_encoder *encoder,
                          ff_clip_drift *out, ff_error *error);
void ff_clip_drift_free(ff_clip_drift *drift);   // empties it
// How many pictures ff_clip_measure has encoded for a clip of `count` frames, above 0.
size_t ff_clip_measure_encodings(size_t count, size_t every);

// The mean over all pairs of clips and each `every`-th frame but the first, of the drift from one clip's frame to the
// other's. NaN for fewer than two clips.
ff_status ff_clip_spread(const ff_clip *const *clips, size_t count, size_t every, const ff_encoder *encoder,
                         ff_drift *out, ff_error *error);
// How many pictures it has encoded for `clips` clips of `count` frames.
size_t ff_clip_spread_encodings(size_t clips, size_t count, size_t every);

// Means over several drifts, figure by figure; values that are NaN are left out.
ff_drift ff_drift_mean(const ff_drift *drifts, size_t count);

#endif
