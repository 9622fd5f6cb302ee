// Reading JPEG by libjpeg-turbo.
#ifndef FF_CODEC_JPEG_H
#define FF_CODEC_JPEG_H

#include "../pictures/original.h"

bool ff_jpeg_recognise(const uint8_t *bytes, size_t size);

// A whole file in memory, turned upright as EXIF asks; name is what errors call it. Grey becomes RGB.
// FF_ERROR_INPUT if it is damaged, cut off, too large or in CMYK; a damaged colour profile is only told of.
ff_status ff_jpeg_read(const uint8_t *bytes, size_t size, const char *name, ff_original *out, ff_error *error);

#endif
