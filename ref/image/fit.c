#include "fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/sizes.h"
#include "../base/system.h"
#include "resize.h"

#define MOST_SCALED ((size_t)1 << 30)

// A side times the scale, to the nearest integer (halves to even, as Python rounds), at least 1.
static size_t scale_side(size_t side, double scale)
{
    double scaled = rint((double)side * scale);
    if (scaled < 1.0)
        return 1;
    return scaled > (double)MOST_SCALED ? MOST_SCALED + 1 : (size_t)scaled;
}

static ff_status plan(size_t in_width, size_t in_height, ff_fit fit, size_t width, size_t height, ff_fit_layout *out,
                      ff_error *error)
{
    ff_fit_layout layout = {.scaled_width = width, .scaled_height = height};

    if (!in_width || !in_height || !width || !height)
        return ff_fail(error, FF_ERROR_INPUT, "a picture of %zu x %zu pixels cannot be fitted to %zu x %zu", in_width,
                       in_height, width, height);
    double across = (double)width / (double)in_width, down = (double)height / (double)in_height;
    switch (fit) {
    case FF_FIT_COVER:
        layout.scaled_width = ff_larger(width, scale_side(in_width, across > down ? across : down));
        layout.scaled_height = ff_larger(height, scale_side(in_height, across > down ? across : down));
        break;
    case FF_FIT_STRETCH:
        break;
    case FF_FIT_CROP:
        if (in_width < width || in_height < height)
            return ff_fail(error, FF_ERROR_INPUT,
                           "a picture of %zu x %zu pixels is too small to crop %zu x %zu from it; use cover or pad",
                           in_width, in_height, width, height);
        layout.scaled_width = in_width;
        layout.scaled_height = in_height;
        break;
    case FF_FIT_PAD:
        layout.scaled_width = ff_smaller(width, scale_side(in_width, across < down ? across : down));
        layout.scaled_height = ff_smaller(height, scale_side(in_height, across < down ? across : down));
        break;
    default:
        return ff_fail(error, FF_ERROR_INPUT, "%d is no way to fit a picture", (int)fit);
    }
    if (layout.scaled_width > MOST_SCALED || layout.scaled_height > MOST_SCALED)
        return ff_fail(error, FF_ERROR_INPUT, "a picture of %zu x %zu pixels is too long to fit to %zu x %zu", in_width,
                       in_height, width, height);

    layout.window_width = ff_smaller(width, layout.scaled_width);
    layout.window_height = ff_smaller(height, layout.scaled_height);
    layout.crop_x = (layout.scaled_width - layout.window_width) / 2;
    layout.crop_y = (layout.scaled_height - layout.window_height) / 2;
    layout.pad_x = (width - layout.window_width) / 2;
    layout.pad_y = (height - layout.window_height) / 2;
    layout.cropped = 1.0 - (double)layout.window_width / (double)layout.scaled_width
                             * ((double)layout.window_height / (double)layout.scaled_height);
    *out = layout;
    return FF_OK;
}

ff_status ff_fit_plan(size_t in_width, size_t in_height, ff_fit fit, size_t width, size_t height, ff_fit_layout *out,
                      ff_error *error)
{
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = plan(in_width, in_height, fit, width, height, out, error);
    ff_float_mode_leave(before);
    return status;
}

static ff_status fit_image(const ff_image *in, ff_fit fit, size_t width, size_t height, ff_image *out, double *cropped,
                           ff_error *error)
{
    ff_fit_layout layout = {0};
    size_t row_bytes, bytes;
    ff_image window = {0};

    *out = (ff_image){0};
    ff_status status = plan(in->width, in->height, fit, width, height, &layout, error);
    if (status != FF_OK)
        return status;
    uint8_t *rgb = NULL;
    if (ff_multiply_sizes(width, 3, &row_bytes) && ff_multiply_sizes(row_bytes, height, &bytes))
        rgb = calloc(bytes, 1);
    if (!rgb)
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for a picture of %zu x %zu pixels", width, height);

    window.width = layout.window_width;
    window.height = layout.window_height;
    bool whole = window.width == width && window.height == height;
    window.rgb = whole ? rgb : malloc(3 * window.width * window.height);
    status = window.rgb ? ff_image_resize_window(in, layout.scaled_width, layout.scaled_height, layout.crop_x,
                                                 layout.crop_y, &window, error)
                        : ff_fail(error, FF_ERROR_MEMORY, "out of memory for a picture of %zu x %zu pixels",
                                  window.width, window.height);
    if (!whole) {
        if (status == FF_OK)
            for (size_t y = 0; y < window.height; y++)
                memcpy(rgb + ((layout.pad_y + y) * width + layout.pad_x) * 3, window.rgb + 3 * y * window.width,
                       3 * window.width);
        free(window.rgb);
    }
    if (status != FF_OK) {
        free(rgb);
        return status;
    }
    *out = (ff_image){width, height, rgb};
    if (cropped)
        *cropped = layout.cropped;
    return FF_OK;
}

ff_status ff_fit_image(const ff_image *in, ff_fit fit, size_t width, size_t height, ff_image *out, double *cropped,
                       ff_error *error)
{
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = fit_image(in, fit, width, height, out, cropped, error);
    ff_float_mode_leave(before);
    return status;
}

// The largest multiple up to `length`, but at least one.
static size_t floor_multiple(size_t length, size_t multiple)
{
    return length < multiple ? multiple : length / multiple * multiple;
}

static double departure(double ratio, size_t width, size_t height)
{
    double found = (double)width / (double)height;
    return ratio > found ? ratio / found : found / ratio;
}

static void best_size(size_t still_width, size_t still_height, size_t area, size_t multiple_width,
                      size_t multiple_height, size_t *width, size_t *height)
{
    double ratio = (double)still_width / (double)still_height;
    double exact_width = sqrt((double)area * ratio), exact_height = (double)area / exact_width;
    // Either side may be rounded first, and the other takes what area is left; some must be left for one multiple.
    double most_width = (double)(area / multiple_height), most_height = (double)(area / multiple_width);

    size_t width_a = floor_multiple((size_t)fmin(exact_width, most_width), multiple_width);
    size_t height_a = floor_multiple(area / width_a, multiple_height);
    size_t height_b = floor_multiple((size_t)fmin(exact_height, most_height), multiple_height);
    size_t width_b = floor_multiple(area / height_b, multiple_width);

    bool first = departure(ratio, width_a, height_a) < departure(ratio, width_b, height_b);
    *width = first ? width_a : width_b;
    *height = first ? height_a : height_b;
}

void ff_fit_best_size(size_t still_width, size_t still_height, size_t area, size_t multiple_width,
                      size_t multiple_height, size_t *width, size_t *height)
{
    ff_float_mode before = ff_float_mode_enter();
    best_size(still_width, still_height, area, multiple_width, multiple_height, width, height);
    ff_float_mode_leave(before);
}
