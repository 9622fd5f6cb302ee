// Style: how strong edges and texture are, wherever they stand.
//
//     style(A, B) = mean over 3 octaves and 2 kinds of  integral |F_A(x) - F_B(x)| dx / (mean_A + mean_B)
//
// F_A is the distribution over A's pixels of the kind: edges, the length of L*'s gradient by central differences; and
// texture, |L* - its mean over 3x3|. An octave is half the size of the one before. 0 for a copy, 1 at most: soft
// against hard, flat against grainy. Limits: what was enlarged or compressed changes as well; strokes' directions and
// colours do not count.
#ifndef FF_MEASURE_STYLE_H
#define FF_MEASURE_STYLE_H

#include "image/view.h"

// Views of any sizes. FF_ERROR_MEMORY.
ff_status ff_measure_style(const ff_view *a, const ff_view *b, double *out, ff_error *error);

#endif
