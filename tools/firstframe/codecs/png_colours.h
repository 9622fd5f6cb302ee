// The part of a PNG that says what its numbers mean as colours.
#ifndef FF_PNG_COLOURS_H
#define FF_PNG_COLOURS_H

#include "colour_space.h"

// A chunk as it goes into a file. The caller frees bytes.
typedef struct ff_png_chunk {
    char type[5];
    uint8_t *bytes;
    size_t size;
} ff_png_chunk;

// From a file that libpng could read. Of several chunks of a kind the first counts; what is damaged counts for nothing.
// frames: of an APNG; 1 for others.
ff_status ff_png_read_colours(const uint8_t *bytes, size_t size, ff_colour_space *out, size_t *frames, ff_error *error);

// The profile as an iCCP chunk; *out is empty if there is none.
ff_status ff_png_pack_profile(const ff_colour_space *space, ff_png_chunk *out, ff_error *error);

#endif
