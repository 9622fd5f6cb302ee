// Drift: how far a picture is from a reference, in four figures, each in a file of its own with its formula and limits.
// Computed without a network; only identity asks for an encoder.
#ifndef FF_MEASURE_DRIFT_H
#define FF_MEASURE_DRIFT_H

#include "image/align.h"

typedef struct ff_drift {
    double palette;       // palette.h: CIELAB units
    double composition;   // composition.h: 0 to about 1
    double identity;      // identity.h: 0 to about 1
    double style;         // style.h: 0 to 1
} ff_drift;

// What turns a picture into features.
typedef struct ff_encoder {
    size_t channels;
    size_t factor;        // pixels along a side of a cell; pictures' sides must be multiples
    // features: [channels, height / factor, width / factor]
    ff_status (*encode)(void *user, const ff_image *image, float *features, ff_error *error);
    void *user;
} ff_encoder;

// A picture made ready to be measured: at most FF_VIEW_MOST_SIDE along its longer side, and with an encoder, with sides
// that suit it.
typedef struct ff_measured {
    ff_image picture;
    ff_view view;
    size_t columns, rows;
    float *features;      // [channels, rows, columns]; NULL until it was a reference
    double *subject;      // [rows, columns]; likewise
} ff_measured;

// FF_ERROR_MEMORY, or FF_ERROR_INPUT: the picture has no pixels.
ff_status ff_measured_create(const ff_image *picture, const ff_encoder *encoder, ff_measured *out, ff_error *error);
void ff_measured_free(ff_measured *measured);   // empties it

// Both made ready with the same encoder, and of one size. encoder NULL: identity is NaN.
ff_status ff_drift_measure(ff_measured *reference, const ff_measured *picture, const ff_encoder *encoder,
                           ff_drift *out, ff_error *error);

#endif
