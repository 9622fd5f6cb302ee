// Amount of motion, so that a frozen clip cannot win by not moving.
//
//     motion = mean of |d| over blocks, weighted by their texture, per second, in percent of the longer side
//
// d is where a block of 8x8 pixels of L*, low-passed to 64 along the longer side, is found again half a second later
// (at least a frame), by the least mean square difference with the means taken off, within 8 pixels, to a fraction of a
// pixel by a parabola; staying where it is wins unless moving is clearly better. A block's weight is its standard
// deviation. A copied still scores 0 exactly. Limits: what moves farther than an eighth of the picture in half a second
// or has no texture is not followed; turning and changing shape count as far as they look like shifts.
#ifndef FF_MEASURE_MOTION_H
#define FF_MEASURE_MOTION_H

#include "image/view.h"

// frames: [count], of one size; fewer than 2 score 0. FF_ERROR_MEMORY.
ff_status ff_measure_motion(const ff_view *frames, size_t count, double fps, double *out, ff_error *error);

#endif
