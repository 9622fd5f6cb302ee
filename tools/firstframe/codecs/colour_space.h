// What a picture's numbers mean as colours: an ICC profile, or what PNG has in its place. It is never applied, only
// carried from a picture to what is made of it, since new pixels are made from old ones' numbers.
#ifndef FF_COLOUR_SPACE_H
#define FF_COLOUR_SPACE_H

#include "firstframe.h"

#define FF_PROFILE_MOST_BYTES ((size_t)4 << 20)   // those of printers take up to 3 MB
#define FF_COLOUR_CHUNKS 6

// A chunk of PNG that says something of colour and is no profile: cICP, sRGB, gAMA, cHRM, mDCV or cLLI.
typedef struct ff_colour_chunk {
    char type[5];
    size_t size;
    uint8_t bytes[32];
} ff_colour_chunk;

typedef struct ff_colour_space {
    uint8_t *profile;          // ICC, for RGB; NULL: none
    size_t profile_size;
    char profile_name[80];     // PNG has one
    ff_colour_chunk chunks[FF_COLOUR_CHUNKS];
    size_t chunk_count;
    char trouble[128];         // why a profile that is there cannot be carried: "it is larger than 4 MiB"; else empty
} ff_colour_space;

// Takes a copy of a profile, or notes in `trouble` what is wrong with it. FF_ERROR_MEMORY.
ff_status ff_colour_space_set_profile(ff_colour_space *space, const uint8_t *bytes, size_t size, ff_error *error);
void ff_colour_space_free(ff_colour_space *space);

// Whether numbers mean what they mean in a picture that says nothing: sRGB, by name or by its gamma and primaries.
bool ff_colour_space_is_srgb(const ff_colour_space *space);
// Whether its chunks say more than nothing at all, or than the profile beside them.
bool ff_colour_space_needs_chunks(const ff_colour_space *space);
bool ff_colour_space_equal(const ff_colour_space *a, const ff_colour_space *b);

#endif
