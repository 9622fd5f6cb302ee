// How far two pictures are apart to the eye.
#ifndef FF_PICTURE_H
#define FF_PICTURE_H

#include "base/tensor.h"

typedef struct ff_picture_distance {
    double squared_error;  // mean over pixels and colours of (a - b)^2, in levels of 255
    double ssim;           // mean over windows and colours; NaN for pictures of fewer than 11 pixels along a side
    size_t largest;        // |a - b| in levels
    size_t different;      // values of colours that differ
} ff_picture_distance;

// a, b: of the same size. SSIM as Wang and others define it (2004): Gaussian windows of 11 pixels with a standard
// deviation of 1.5, all inside the picture; each colour for itself.
// FF_ERROR_MEMORY
ff_status ff_picture_compare(const ff_image *a, const ff_image *b, ff_picture_distance *out, ff_error *error);

// 10 log10(255^2 / mean squared error); infinite without an error.
double ff_picture_psnr(double squared_error);

#endif
