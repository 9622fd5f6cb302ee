// Drawing plots: rectangles, lines and text on a white picture, clipped at its borders.
#ifndef FF_CANVAS_H
#define FF_CANVAS_H

#include "firstframe.h"

typedef struct ff_colour {
    uint8_t red, green, blue;
} ff_colour;

// image->rgb is the caller's, to be freed. FF_ERROR_MEMORY
ff_status ff_canvas_create(size_t width, size_t height, ff_image *image, ff_error *error);

void ff_canvas_fill(ff_image *image, long x, long y, long width, long height, ff_colour colour);
// Letters of the font, `scale` times as large. ff_canvas_text_width tells how wide that is.
void ff_canvas_text(ff_image *image, long x, long y, long scale, ff_colour colour, const char *text);
long ff_canvas_text_width(const char *text, long scale);
// Each pixel of `picture` a square of `scale`.
void ff_canvas_picture(ff_image *image, long x, long y, long scale, const ff_image *picture);

// As PNG; the file appears whole.
ff_status ff_canvas_write(const ff_image *image, const char *path, ff_error *error);

#endif
