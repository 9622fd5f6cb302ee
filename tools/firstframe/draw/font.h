// A bitmap font for printable ASCII: letters of 5 x 7 pixels and two more rows for those that descend.
#ifndef FF_FONT_H
#define FF_FONT_H

#include <stdint.h>

#define FF_FONT_FIRST ' '
#define FF_FONT_GLYPHS 95
#define FF_FONT_WIDTH 5
#define FF_FONT_HEIGHT 9

// Rows from the top; bit 4 is the leftmost pixel.
extern const uint8_t ff_font[FF_FONT_GLYPHS][FF_FONT_HEIGHT];

#endif
