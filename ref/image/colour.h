// sRGB and CIELAB (IEC 61966-2-1; CIE 15, with the white of sRGB, D65), computed with our own functions so that what
// follows from it is the same on every machine. L* runs from 0 to 100; a distance of 1 is about the least one sees.
#ifndef FF_IMAGE_COLOUR_H
#define FF_IMAGE_COLOUR_H

#include <stddef.h>
#include <stdint.h>

// Linear light of each of the 256 codes.
typedef struct ff_colour_table {
    double linear[256];
} ff_colour_table;
void ff_colour_table_fill(ff_colour_table *table);

void ff_colour_to_lab(const ff_colour_table *table, const uint8_t rgb[3], double lab[3]);
// The nearest code of each channel; what sRGB cannot show is clipped channel by channel.
void ff_colour_from_lab(const ff_colour_table *table, const double lab[3], uint8_t rgb[3]);

#endif
