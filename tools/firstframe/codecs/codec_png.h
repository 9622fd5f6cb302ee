// PNG by libpng. Readers take a whole file in memory; name is what errors call it.
#ifndef FF_CODEC_PNG_H
#define FF_CODEC_PNG_H

#include <stdio.h>

#include "../pictures/original.h"

bool ff_png_recognise(const uint8_t *bytes, size_t size);

// Any PNG, upright. FF_ERROR_INPUT if it is damaged, cut off or too large; a damaged colour profile is only told of.
ff_status ff_png_read(const uint8_t *bytes, size_t size, const char *name, ff_original *out, ff_error *error);

// The text (tEXt, zTXt or iTXt) with that keyword, the caller's to be freed; *text is NULL if there is none.
ff_status ff_png_read_text(const uint8_t *bytes, size_t size, const char *name, const char *keyword, char **text,
                           ff_error *error);

// A whole file, written from where `file` stands, with the picture's depth, alpha and colours. FF_ERROR_IO if it cannot
// be written.
ff_status ff_png_write_original(FILE *file, const char *name, const ff_original *picture, ff_error *error);
ff_status ff_png_write(FILE *file, const char *name, const ff_image *image, ff_error *error);

// Puts an iTXt chunk at the end of a file that one of these wrote. utf8: any text.
ff_status ff_png_append_text(FILE *file, const char *name, const char *keyword, const char *utf8, ff_error *error);

#endif
