// What the picture readers share: memory within the limit, alpha, EXIF orientation.
#ifndef FF_CODEC_PIXELS_H
#define FF_CODEC_PIXELS_H

#include "firstframe.h"

// channels * width * height bytes, the caller's to be freed. name is what errors call the file.
// FF_ERROR_INPUT: no pixels, or more than FF_PICTURE_MOST_PIXELS.
ff_status ff_pixels_allocate(const char *name, size_t width, size_t height, size_t channels, uint8_t **out,
                             ff_error *error);

// count RGBA pixels (alpha not premultiplied) to RGB over a grey, in place: round((v a + background (255 - a)) / 255).
void ff_pixels_flatten(uint8_t *pixels, size_t count, uint8_t background);

// The orientation, 1 to 8, that an EXIF block asks for; 1 if it is absent or malformed.
int ff_pixels_orientation(const uint8_t *exif, size_t size);

// Turns a picture with that orientation upright. image->rgb is replaced by other memory unless orientation is 1.
ff_status ff_pixels_turn(ff_image *image, int orientation, ff_error *error);

#endif
