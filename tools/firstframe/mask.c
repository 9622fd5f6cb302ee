#include "mask.h"

#include <stdlib.h>
#include <string.h>

ff_status ff_mask_from_box(const ff_box *box, size_t width, size_t height, uint8_t **out, ff_error *error)
{
    if (box->x >= width || box->width > width - box->x || box->y >= height || box->height > height - box->y)
        return ff_fail(error, FF_ERROR_INPUT, "--box %zu,%zu,%zu,%zu reaches outside the picture, which is %zux%zu",
                       box->x, box->y, box->width, box->height, width, height);
    uint8_t *mask = calloc(width, height);
    if (!mask)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for a mask of %zux%zu", width, height);
    for (size_t y = box->y; y < box->y + box->height; y++)
        memset(mask + y * width + box->x, 255, box->width);
    *out = mask;
    return FF_OK;
}

ff_status ff_mask_from_picture(const ff_original *picture, uint8_t **out, ff_error *error)
{
    ff_image flat;
    ff_status status = ff_original_flatten(picture, 0, &flat, error);
    if (status != FF_OK)
        return status;
    for (size_t i = 0; i < flat.width * flat.height; i++) {
        const uint8_t *pixel = flat.rgb + 3 * i;
        // 0.299, 0.587 and 0.114 in 16 bits; they sum to 1
        flat.rgb[i] = (uint8_t)((19595u * pixel[0] + 38470u * pixel[1] + 7471u * pixel[2] + 32768u) >> 16);
    }
    *out = flat.rgb;
    return FF_OK;
}
