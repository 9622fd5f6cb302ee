// What the picture readers share: memory within the limit, EXIF orientation.
#ifndef FF_CODEC_PIXELS_H
#define FF_CODEC_PIXELS_H

#include "../pictures/original.h"

// pixel_bytes * width * height bytes, the caller's to be freed. name is what errors call the file.
// FF_ERROR_INPUT: no pixels, or more than FF_PICTURE_MOST_PIXELS.
ff_status ff_pixels_allocate(const char *name, size_t width, size_t height, size_t pixel_bytes, uint8_t **out,
                             ff_error *error);

// The orientation, 1 to 8, that an EXIF block asks for; 1 if it is absent or malformed.
int ff_pixels_orientation(const uint8_t *exif, size_t size);

// Turns a picture with that orientation upright. Its samples are replaced by other memory unless orientation is 1.
ff_status ff_pixels_turn(ff_original *picture, int orientation, ff_error *error);

#endif
