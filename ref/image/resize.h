// Resizing a part of a picture: what ff_image_resize does, for a window of the result.
#ifndef FF_IMAGE_RESIZE_H
#define FF_IMAGE_RESIZE_H

#include "../firstframe.h"

// Of `in` resized to full_width x full_height, the window whose left upper corner is (x, y) and whose size is that of
// out. The same bytes as resizing all of it and cropping. out->rgb must hold 3 * out->width * out->height bytes.
// FF_ERROR_INPUT if a size is 0 or the window does not lie inside.
ff_status ff_image_resize_window(const ff_image *in, size_t full_width, size_t full_height, size_t x, size_t y,
                                 ff_image *out, ff_error *error);

#endif
