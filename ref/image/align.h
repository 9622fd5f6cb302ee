// Where a picture's content has gone in another one, as far as a camera can have moved it: a shift and a zoom. So that
// a push-in is not punished as another composition, nor a step aside as another face.
#ifndef FF_MEASURE_ALIGN_H
#define FF_MEASURE_ALIGN_H

#include "view.h"

// The point p of A lies at  scale * p + (x, y)  in B. Points are measured from the centre; the longer side is 1.
typedef struct ff_alignment {
    double scale, x, y;
} ff_alignment;

#define FF_ALIGNMENT_NONE ((ff_alignment){1, 0, 0})

// Shifts up to 3/16 of the longer side and zooms up to 5/4 are searched, coarse to fine, for the highest correlation of
// luminance (in either sign) where the pictures overlap, less a little for moving at all, so that where nothing speaks
// for a move there is none. Both views have one size, else the result is none. FF_ERROR_MEMORY.
ff_status ff_align(const ff_view *a, const ff_view *b, ff_alignment *out, ff_error *error);

// Linear interpolation in a plane [height, width] at pixel coordinates (pixel centres are whole). False if outside.
bool ff_plane_sample(const float *plane, size_t width, size_t height, double x, double y, double *out);

// Where pixel (x, y) of a width x height picture A lies in B of the same size.
void ff_alignment_apply(const ff_alignment *alignment, size_t width, size_t height, double x, double y, double *to_x,
                        double *to_y);

// B brought back to where A is: what B shows of A's pixel, and A's own where B does not show it.
//   a, b: of one size   out->rgb: the caller's to free   FF_ERROR_MEMORY
ff_status ff_align_picture(const ff_image *a, const ff_image *b, const ff_alignment *alignment, ff_image *out,
                           ff_error *error);

#endif
