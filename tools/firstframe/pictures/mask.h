// Masks: what is to be painted anew, from a rectangle or from a picture that is white there, or transparent.
#ifndef FF_MASK_H
#define FF_MASK_H

#include "../line/options.h"
#include "original.h"

// What of a picture says that it is to be painted. UNSAID: white, but a picture for which transparency was more likely
// meant is refused.
typedef enum ff_mask_source { FF_MASK_WHITE, FF_MASK_ALPHA, FF_MASK_UNSAID } ff_mask_source;

// *out: [height, width], 255 in the box; the caller's, to be freed.
ff_status ff_mask_from_box(const ff_box *box, size_t width, size_t height, uint8_t **out, ff_error *error);

// *out: [height, width] of the picture, the caller's, to be freed; 128 and above is painted. From white: luma (ITU-R
// 601), and what is transparent counts as black, so that white strokes on an empty layer are a mask. From alpha: 255
// less it. name is what errors call the picture.
// remark: empty, or something that should be known of a mask that was accepted.
ff_status ff_mask_from_picture(const ff_original *picture, const char *name, ff_mask_source source, uint8_t **out,
                               char remark[256], ff_error *error);

#endif
