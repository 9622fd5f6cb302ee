#include "mask.h"

#include <stdlib.h>
#include <string.h>

#define PAINTED 128          // from here on
#define NEAR_BLACK 48
#define NEAR_WHITE 207
#define MOST_OTHERS 0.1      // of the opaque pixels of a mask that are neither black nor white: edges

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

static ff_status read_luma(const ff_original *picture, uint8_t **out, ff_error *error)
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

static ff_status read_alpha(const ff_original *picture, uint8_t **out, ff_error *error)
{
    size_t pixels = picture->width * picture->height;
    uint8_t *mask = malloc(pixels);
    if (!mask)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for a mask of %zux%zu", picture->width, picture->height);
    for (size_t i = 0; i < pixels; i++) {
        uint8_t rgba[4];
        ff_original_pixel(picture, i, rgba);
        mask[i] = (uint8_t)(255 - rgba[3]);
    }
    *out = mask;
    return FF_OK;
}

// What is in a picture that is to be a mask, in shares of its pixels.
typedef struct contents {
    double clear;            // transparent rather than opaque
    double painted;          // in the mask that was made of it
    double black, others;    // of the opaque pixels; others: neither black nor white
} contents;

static contents look_at(const ff_original *picture, const uint8_t *mask)
{
    size_t pixels = picture->width * picture->height, clear = 0, painted = 0, black = 0, others = 0;
    for (size_t i = 0; i < pixels; i++) {
        uint8_t c[4];
        ff_original_pixel(picture, i, c);
        painted += mask[i] >= PAINTED;
        if (c[3] < 128)
            clear++;
        else if (c[0] <= NEAR_BLACK && c[1] <= NEAR_BLACK && c[2] <= NEAR_BLACK)
            black++;
        else
            others += c[0] < NEAR_WHITE || c[1] < NEAR_WHITE || c[2] < NEAR_WHITE;
    }
    double all = (double)pixels, solid = pixels > clear ? (double)(pixels - clear) : 1;
    return (contents){(double)clear / all, (double)painted / all, (double)black / solid, (double)others / solid};
}

// Percent of the picture that is transparent, but not 0 for a few pixels.
static double percent(double share)
{
    return share > 0 && share < 0.01 ? 1 : 100 * share;
}

// Transparency that --mask-from did not say the meaning of.
static ff_status judge(const contents *found, const char *name, char remark[256], ff_error *error)
{
    const char *says = "--mask-from alpha paints what is transparent, --mask-from white what is white";
    if (found->clear == 0)
        return FF_OK;
    if (found->others > MOST_OTHERS)
        return ff_fail(error, FF_ERROR_INPUT, "%s: %.0f %% of it is transparent, and the rest is a picture, not black "
                       "and white: which part is the mask? %s", name, percent(found->clear), says);
    if (found->painted == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: nothing in it is white, and %.0f %% is transparent; %s", name,
                       percent(found->clear), says);
    if (found->painted > 0.5 && found->black == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: it is white but for a hole, %.0f %% of it: which part is the mask? "
                       "%s", name, percent(found->clear), says);
    snprintf(remark, 256, "what is white in the mask is painted, and the %.0f %% of it that is transparent stays; "
             "--mask-from alpha paints that", percent(found->clear));
    return FF_OK;
}

static ff_status check(const contents *found, const char *name, ff_mask_source source, char remark[256],
                       ff_error *error)
{
    if (source == FF_MASK_ALPHA && found->painted == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: nothing in it is transparent, which --mask-from alpha would paint",
                       name);
    if (source == FF_MASK_UNSAID) {
        ff_status status = judge(found, name, remark, error);
        if (status != FF_OK)
            return status;
    }
    if (found->painted == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: nothing in it is white (128 of 255 or above), so it paints nothing",
                       name);
    if (found->painted == 1)
        snprintf(remark, 256, "the mask paints the whole picture");
    return FF_OK;
}

ff_status ff_mask_from_picture(const ff_original *picture, const char *name, ff_mask_source source, uint8_t **out,
                               char remark[256], ff_error *error)
{
    uint8_t *mask = NULL;
    remark[0] = 0;
    *out = NULL;
    ff_status status = source == FF_MASK_ALPHA ? read_alpha(picture, &mask, error) : read_luma(picture, &mask, error);
    if (status != FF_OK)
        return status;
    contents found = look_at(picture, mask);
    status = check(&found, name, source, remark, error);
    if (status == FF_OK)
        *out = mask;
    else
        free(mask);
    return status;
}
