#include "figures.h"

#include <stdlib.h>
#include <string.h>

#include "check/figures/clip.h"
#include "image/colour_match.h"

#define FACTOR 8

// Means of a picture's cells, for features.
static ff_status encode(void *user, const ff_image *image, float *features, ff_error *error)
{
    size_t columns = image->width / FACTOR, rows = image->height / FACTOR;
    for (size_t cell = 0; cell < columns * rows; cell++) {
        unsigned sum = 0;
        for (size_t i = 0; i < FACTOR * FACTOR; i++) {
            size_t x = cell % columns * FACTOR + i % FACTOR, y = cell / columns * FACTOR + i / FACTOR;
            sum += image->rgb[3 * (y * image->width + x)];
        }
        features[cell] = (float)sum / 255;
    }
    return FF_OK;
}

static ff_status hash_colours(const ff_image *a, const ff_image *b, ff_sha256 *hash, ff_error *error)
{
    size_t bytes = 3 * b->width * b->height;
    ff_image copy = {b->width, b->height, malloc(bytes)};
    if (!copy.rgb)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for a copy");
    memcpy(copy.rgb, b->rgb, bytes);
    ff_status status = ff_colour_match(a, &copy, error);
    ff_sha256_add(hash, copy.rgb, bytes);
    free(copy.rgb);
    return status;
}

ff_status hash_figures(const ff_image *a, const ff_image *b, ff_sha256 *hash, ff_error *error)
{
    ff_image there[3] = {*a, *b, *a}, back[3] = {*b, *a, *b};
    const ff_clip first = {3, there, 8}, second = {3, back, 8}, *const both[2] = {&first, &second};
    const ff_encoder encoder = {.channels = 1, .factor = FACTOR, .encode = encode};
    ff_clip_drift drift = {0};
    ff_drift spread, alone;
    ff_measured reference = {0}, picture = {0};
    ff_status status;
    if (!(status = ff_clip_measure(&first, a, 1, &encoder, &drift, error))) {
        ff_sha256_add(hash, drift.from_still, 3 * sizeof *drift.from_still);
        ff_sha256_add(hash, &drift.mean_from_first, sizeof drift.mean_from_first);
        ff_sha256_add(hash, &drift.flicker, sizeof drift.flicker);
        ff_sha256_add(hash, &drift.motion, sizeof drift.motion);
        ff_clip_drift_free(&drift);
    }
    if (!status && !(status = ff_clip_spread(both, 2, 1, &encoder, &spread, error)))
        ff_sha256_add(hash, &spread, sizeof spread);
    if (!status && !(status = ff_measured_create(a, &encoder, &reference, error)) &&
        !(status = ff_measured_create(b, &encoder, &picture, error)) &&
        !(status = ff_drift_measure(&reference, &picture, &encoder, &alone, error)))
        ff_sha256_add(hash, &alone, sizeof alone);
    ff_measured_free(&reference);
    ff_measured_free(&picture);
    return status ? status : hash_colours(a, b, hash, error);
}
