// Masks: what is to be painted anew, from a rectangle or from a picture that is white there.
#ifndef FF_MASK_H
#define FF_MASK_H

#include "options.h"
#include "original.h"

// *out: [height, width], 255 in the box; the caller's, to be freed.
ff_status ff_mask_from_box(const ff_box *box, size_t width, size_t height, uint8_t **out, ff_error *error);

// *out: [height, width] of the picture, the caller's, to be freed: its luma (ITU-R 601), of which 128 and above is painted.
// What is transparent counts as black, so that white strokes on an empty layer are a mask.
ff_status ff_mask_from_picture(const ff_original *picture, uint8_t **out, ff_error *error);

#endif
