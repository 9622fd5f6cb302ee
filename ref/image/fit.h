// Bringing a still to the size the model works at.
#ifndef FF_IMAGE_FIT_H
#define FF_IMAGE_FIT_H

#include "../firstframe.h"

// How a picture comes to its place: it is resized to scaled_width x scaled_height; of that, the window at (crop_x,
// crop_y) lands at (pad_x, pad_y) of the result, window_width x window_height pixels; the rest of the result is black.
typedef struct ff_fit_layout {
    size_t scaled_width, scaled_height;
    size_t crop_x, crop_y, pad_x, pad_y;
    size_t window_width, window_height;
    double cropped;  // part of the picture's area left out, 0 to 1
} ff_fit_layout;

//   cover    resized by max(width / in_width, height / in_height), sides rounded to even halves, then centre-cropped
//            (Wan2.2, wan/textimage2video.py)
//   stretch  resized to width x height whatever its aspect (diffusers)
//   crop     the centre of the original pixels, not resized; FF_ERROR_INPUT if the picture is smaller
//   pad      resized by the smaller of the two ratios and centred on black
// FF_ERROR_INPUT if a size is 0 or a scaled side exceeds 2^30.
ff_status ff_fit_plan(size_t in_width, size_t in_height, ff_fit fit, size_t width, size_t height, ff_fit_layout *out,
                      ff_error *error);

// in, fitted to width x height as ff_fit_plan says. out->rgb is allocated here and is the caller's to free().
// *cropped, if not NULL, receives the part of the picture's area left out.
ff_status ff_fit_image(const ff_image *in, ff_fit fit, size_t width, size_t height, ff_image *out, double *cropped,
                       ff_error *error);

// The size nearest to the still's aspect ratio with sides that are multiples and an area of at most `area`
// (Wan2.2, wan/utils/utils.py, best_output_size). A still so long that a side would be 0 gets one multiple there.
// multiple_width * multiple_height must be at most area.
void ff_fit_best_size(size_t still_width, size_t still_height, size_t area, size_t multiple_width,
                      size_t multiple_height, size_t *width, size_t *height);

#endif
