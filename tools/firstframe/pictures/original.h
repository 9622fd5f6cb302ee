// A picture as its file holds it, before it becomes the 8-bit RGB that a model sees: with alpha, 16 bits, and what its
// numbers mean as colours.
#ifndef FF_ORIGINAL_H
#define FF_ORIGINAL_H

#include "../codecs/colour_space.h"

typedef struct ff_original {
    size_t width, height;
    unsigned channels;         // 3: red, green, blue; 4: and alpha, with which they are not multiplied
    unsigned depth;            // bits a sample: 8, or 16 in the machine's byte order
    void *samples;             // [height, width, channels], upright
    size_t frames;             // in the file; the samples are the first's
    ff_colour_space colours;
} ff_original;

void ff_original_free(ff_original *original);  // empties it

// To 8-bit RGB over a grey: samples v of 16 bits become round(v / 257), then round((v a + background (255 - a)) / 255).
// The caller frees out->rgb.
ff_status ff_original_flatten(const ff_original *original, uint8_t background, ff_image *out, ff_error *error);

// Red, green, blue and alpha of a pixel in 8 bits; alpha is 255 without an alpha channel.
void ff_original_pixel(const ff_original *original, size_t pixel, uint8_t rgba[4]);
bool ff_original_is_opaque(const ff_original *original);
// alpha: [height, width], 0 to 1. The picture has an alpha channel.
void ff_original_read_alpha(const ff_original *original, float *alpha);

// 8-bit samples of the same picture, where it has 16. out: to be freed.
ff_status ff_original_narrow(const ff_original *original, ff_original *out, ff_error *error);

// The picture with other pixels where a mask is 128 or above: colours of `painted`, an 8-bit picture over white, at the
// picture's depth, and `alpha`, from which the white is taken out again.
//   mask: [height, width]   alpha: [height, width], 0 to 1, not used for a picture without alpha   out: to be freed
ff_status ff_original_paint(const ff_original *original, const uint8_t *mask, const float *alpha,
                            const ff_image *painted, ff_original *out, ff_error *error);

#endif
