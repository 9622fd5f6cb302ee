// A picture as the figures see it: CIELAB, at most 256 pixels along its longer side.
#ifndef FF_MEASURE_VIEW_H
#define FF_MEASURE_VIEW_H

#include "../base/tensor.h"

enum { FF_VIEW_MOST_SIDE = 256 };

// One plane per channel: L*, a*, b*.
typedef struct ff_view {
    size_t width, height;
    float *planes;          // [3, height, width]
} ff_view;

// image: at least 1 pixel. Pixels are averaged over boxes. FF_ERROR_MEMORY.
ff_status ff_view_create(const ff_image *image, ff_view *out, ff_error *error);
void ff_view_free(ff_view *view);   // empties it

// One channel, averaged over boxes to out_width x out_height, each at most the plane's.
//   in: [height, width]   out: [out_height, out_width]
void ff_plane_shrink(const float *in, size_t width, size_t height, size_t out_width, size_t out_height, float *out);

// The size that has `longest` pixels along its longer side and the picture's shape, each side at least 1; never larger
// than the picture.
void ff_view_size(size_t width, size_t height, size_t longest, size_t *out_width, size_t *out_height);

#endif
