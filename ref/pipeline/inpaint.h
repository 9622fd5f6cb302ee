// Inpainting works on a crop around the mask, enlarged to the model's size, and pastes the result back.
#ifndef FF_INPAINT_H
#define FF_INPAINT_H

#include "../base/tensor.h"

// Sets plan->crop_*: the mask's box times `context`, widened to the aspect ratio aspect_w : aspect_h and kept inside
// the picture.   mask: [height, width], 128 and above repaints.   FF_ERROR_INPUT if the mask paints nothing.
ff_status ff_inpaint_crop(size_t width, size_t height, const uint8_t *mask, double context, size_t aspect_w,
                          size_t aspect_h, ff_plan *plan, ff_error *error);

typedef struct ff_inpaint {
    ff_image original;   // the crop as it is
    ff_image filled;     // the crop, its masked pixels filled in from the border
    ff_image enlarged;   // what the model works on: `filled` or `original` at the model's size
    uint8_t *mask;       // [model_height, model_width], 255 repaints: any masked pixel beneath
    uint8_t *crop_mask;  // [crop height, crop width], 255 or 0
} ff_inpaint;

// fill: take `filled` as the model's picture, else `original`.
ff_status ff_inpaint_prepare(const ff_image *picture, const uint8_t *mask, const ff_plan *plan, bool fill,
                             ff_inpaint *out, ff_error *error);
void ff_inpaint_free(ff_inpaint *inpaint);

// The picture with the model's result in the masked pixels, tinted there to meet what is around the mask, and feathered
// inside it; every other byte is picture's.
// result: [model_height, model_width, 3]   fill: as above; feathering runs toward it.   out->rgb: as large as picture's
ff_status ff_inpaint_paste(const ff_inpaint *inpaint, const ff_image *picture, const ff_image *result,
                           const ff_plan *plan, bool fill, ff_image *out, ff_error *error);

#endif
