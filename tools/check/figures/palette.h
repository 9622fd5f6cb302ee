// Palette: how far apart the colours of two pictures are, wherever they stand in them.
//
//     palette(A, B) = 2 * mean over 13 directions u of CIELAB of  integral |F_A(x) - F_B(x)| dx
//
// F_A is the distribution function of u . lab over A's pixels: the sliced Wasserstein distance (Rabin et al. 2011), in
// bins a quarter of a unit wide. The unit is CIELAB's: a picture whose colours all move by d scores d, within a tenth,
// since the mean of |u . d| over directions is half of |d|. Limits: new things of other colours count as well.
#ifndef FF_MEASURE_PALETTE_H
#define FF_MEASURE_PALETTE_H

#include "image/view.h"

// Views of any sizes. FF_ERROR_MEMORY.
ff_status ff_measure_palette(const ff_view *a, const ff_view *b, double *out, ff_error *error);

#endif
