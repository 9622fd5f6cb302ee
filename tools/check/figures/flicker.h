// Flicker: how much brightness and colour go to and fro from frame to frame.
//
//     flicker = mean over t and cells of  |c(t - 1) - 2 c(t) + c(t + 1)| / 4
//
// c(t) is the mean CIELAB colour of a cell of frame t, the picture being 8x8 cells; |.| is the length of the vector. A
// cell whose lightness alternates by +-d scores d; a steady picture, and a steady fade, score 0. Limits: fast motion of
// large things counts a little, since cells change as they pass.
#ifndef FF_MEASURE_FLICKER_H
#define FF_MEASURE_FLICKER_H

#include "image/view.h"

// frames: [count], of one size; fewer than 3 score 0.
double ff_measure_flicker(const ff_view *frames, size_t count);

#endif
