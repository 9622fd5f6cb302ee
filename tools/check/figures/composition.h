// Composition: how differently light and dark are laid out.
//
//     composition(A, B) = 1 - mean over 3 scales and all windows of  (2 s cov(A, B) + C) / (var(A) + var(B) + C)
//
// The structure of SSIM (Wang et al. 2003, multi-scale) of L*, low-passed to 64, 32 and 16 pixels along the longer
// side, in windows of 7x7; C = 9. Before, B is brought to A's place (image/align.h), to its contrast (within a factor of 2),
// and s = -1 if the two are each other's negatives, so that a camera push, another exposure and other colours of the
// same shapes are not punished. Means of windows do not count. 0 for a copy, about 1 for unrelated pictures, 2 at most.
// Limits: only what overlaps is compared; colours that swap their order of lightness count as another layout.
#ifndef FF_MEASURE_COMPOSITION_H
#define FF_MEASURE_COMPOSITION_H

#include "image/align.h"

// Views of one size. FF_ERROR_MEMORY.
ff_status ff_measure_composition(const ff_view *a, const ff_view *b, const ff_alignment *alignment, double *out,
                                 ff_error *error);

#endif
