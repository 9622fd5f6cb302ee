// Reading pictures: PNG, JPEG and WebP, told apart by what is in the file, not by its name. EXIF orientation is
// applied, an animation gives its first frame, and colour profiles and gamma are left alone. What asks for RGB gets 8
// bits a sample, to which 16 are rounded.
#ifndef FF_PICTURES_H
#define FF_PICTURES_H

#include "original.h"

// Larger pictures are refused before memory is asked for.
#define FF_PICTURE_MOST_PIXELS ((size_t)1 << 28)

// What is transparent shows white. out->rgb is the caller's; ff_picture_free releases it.
// FF_ERROR_INPUT: no such file, or one that is not a whole picture; out is then empty.
ff_status ff_picture_read(const char *path, ff_image *out, ff_error *error);

// A file already in memory; name is what errors call it. background: the grey that shows through transparency.
ff_status ff_picture_decode(const void *bytes, size_t size, const char *name, uint8_t background, ff_image *out,
                            ff_error *error);

// The same with all that the file holds; ff_original_free releases it.
ff_status ff_picture_decode_original(const void *bytes, size_t size, const char *name, ff_original *out,
                                     ff_error *error);

// A picture that was decoded as 8-bit RGB. Its samples may move to *out.
ff_status ff_picture_reduce(ff_original *picture, uint8_t background, ff_image *out, ff_error *error);

// A whole file or pipe. *bytes is the caller's, to be freed.
ff_status ff_picture_load(const char *path, uint8_t **bytes, size_t *size, ff_error *error);

void ff_picture_free(ff_image *image);  // empties it; NULL allowed

#endif
