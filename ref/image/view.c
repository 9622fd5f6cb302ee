#include "view.h"

#include <stdlib.h>

#include "colour.h"

void ff_view_size(size_t width, size_t height, size_t longest, size_t *out_width, size_t *out_height)
{
    size_t longer = width > height ? width : height;
    *out_width = width;
    *out_height = height;
    if (longer <= longest)
        return;
    *out_width = (size_t)((double)width * (double)longest / (double)longer + 0.5);
    *out_height = (size_t)((double)height * (double)longest / (double)longer + 0.5);
    *out_width += *out_width == 0;
    *out_height += *out_height == 0;
}

void ff_plane_shrink(const float *in, size_t width, size_t height, size_t out_width, size_t out_height, float *out)
{
    for (size_t y = 0; y < out_height; y++)
        for (size_t x = 0; x < out_width; x++) {
            size_t top = y * height / out_height, bottom = (y + 1) * height / out_height;
            size_t left = x * width / out_width, right = (x + 1) * width / out_width;
            double sum = 0;
            for (size_t v = top; v < bottom; v++)
                for (size_t u = left; u < right; u++)
                    sum += in[v * width + u];
            out[y * out_width + x] = (float)(sum / (double)((bottom - top) * (right - left)));
        }
}

ff_status ff_view_create(const ff_image *image, ff_view *out, ff_error *error)
{
    size_t width, height;
    ff_colour_table table;
    ff_view_size(image->width, image->height, FF_VIEW_MOST_SIDE, &width, &height);
    size_t cells = width * height;   // at most 2^16
    *out = (ff_view){width, height, malloc(3 * cells * sizeof *out->planes)};
    if (!out->planes)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to measure a picture of %zux%zu", image->width,
                       image->height);
    ff_colour_table_fill(&table);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            size_t top = y * image->height / height, bottom = (y + 1) * image->height / height;
            size_t left = x * image->width / width, right = (x + 1) * image->width / width;
            double sum[3] = {0}, lab[3];
            for (size_t v = top; v < bottom; v++)
                for (size_t u = left; u < right; u++) {
                    ff_colour_to_lab(&table, image->rgb + 3 * (v * image->width + u), lab);
                    for (int c = 0; c < 3; c++)
                        sum[c] += lab[c];
                }
            for (size_t c = 0; c < 3; c++)
                out->planes[c * cells + y * width + x] = (float)(sum[c] / (double)((bottom - top) * (right - left)));
        }
    return FF_OK;
}

void ff_view_free(ff_view *view)
{
    free(view->planes);
    *view = (ff_view){0};
}
