#include "frames_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../draw/canvas.h"

#define GUTTER 16
#define LABEL 34              // height of what stands above a panel
#define SCALE_HEIGHT 58       // of the colour scale below all
#define LEAST_PANEL 256       // pixels along a panel's width, reached by enlarging
#define MOST_PIXELS ((size_t)1 << 28)

// Black, violet, red, orange, white: as far as the part of the largest difference says.
static ff_colour heat(double part)
{
    static const uint8_t stops[5][3] = {{0, 0, 0}, {85, 15, 110}, {190, 55, 60}, {250, 155, 10}, {255, 255, 235}};
    double at = part * 4;
    int below = at >= 4 ? 3 : (int)at;
    double mix = at - below;
    uint8_t levels[3];
    for (int i = 0; i < 3; i++)
        levels[i] = (uint8_t)(stops[below][i] * (1 - mix) + stops[below + 1][i] * mix + 0.5);
    return (ff_colour){levels[0], levels[1], levels[2]};
}

static int largest_of(const uint8_t *pixel)
{
    int largest = pixel[0] > pixel[1] ? pixel[0] : pixel[1];
    return pixel[2] > largest ? pixel[2] : largest;
}

// Differences of colours to the heat of the largest of the three.
static void colour_in(const ff_image *differences, int most, ff_image *out)
{
    for (size_t i = 0; i < out->width * out->height; i++) {
        ff_colour colour = heat(most ? (double)largest_of(differences->rgb + 3 * i) / most : 0);
        memcpy(out->rgb + 3 * i, &colour, 3);
    }
}

static void draw_scale(ff_image *canvas, long y, int most)
{
    static const ff_colour ink = {40, 40, 40};
    long width = (long)canvas->width - 2 * GUTTER;
    char label[48];
    for (long x = 0; x < width; x++)
        ff_canvas_fill(canvas, GUTTER + x, y, 1, 14, heat((double)x / (double)width));
    ff_canvas_text(canvas, GUTTER, y + 20, 2, ink, "0");
    snprintf(label, sizeof label, "%d of 255 levels", most);
    ff_canvas_text(canvas, GUTTER + width - ff_canvas_text_width(label, 2), y + 20, 2, ink, label);
}

ff_status ff_heat_map_write(const ff_frames_diff *diff, const char *path, ff_error *error)
{
    static const ff_colour ink = {40, 40, 40};
    size_t panels = diff->count > 1 ? 4 : 3, scale = LEAST_PANEL / diff->width + 1;
    size_t panel_width = diff->width * scale, panel_height = diff->height * scale;
    size_t bytes = 3 * diff->width * diff->height;
    size_t columns = panel_width > 2 * LEAST_PANEL ? 2 : panels, rows = (panels + columns - 1) / columns;
    char labels[4][48];
    int most = 0;
    ff_image canvas = {0}, worst = {diff->width, diff->height, malloc(bytes)};
    ff_image all = {diff->width, diff->height, malloc(bytes)};
    ff_status status = FF_OK;
    if (!worst.rgb || !all.rgb)
        status = ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    else if (panel_width > MOST_PIXELS / panel_height / panels)
        status = ff_fail(error, FF_ERROR_INPUT, "%s: frames of %zux%zu are too large to draw", path, diff->width,
                         diff->height);
    if (!status)
        status = ff_canvas_create(columns * (panel_width + GUTTER) + GUTTER,
                                  rows * (panel_height + LABEL) + GUTTER + SCALE_HEIGHT, &canvas, error);
    if (!status) {
        for (size_t i = 0; i < bytes; i++) {
            worst.rgb[i] = (uint8_t)abs((int)diff->a.rgb[i] - (int)diff->b.rgb[i]);
            most = diff->largest.rgb[i] > most ? diff->largest.rgb[i] : most;
        }
        colour_in(&worst, most, &worst);
        colour_in(&diff->largest, most, &all);
        snprintf(labels[0], sizeof labels[0], "A, frame %zu", diff->worst);
        snprintf(labels[1], sizeof labels[1], "B, frame %zu", diff->worst);
        snprintf(labels[2], sizeof labels[2], "difference");
        snprintf(labels[3], sizeof labels[3], "most in any frame");
        const ff_image *const pictures[4] = {&diff->a, &diff->b, &worst, &all};
        for (size_t i = 0; i < panels; i++) {
            long x = (long)(GUTTER + i % columns * (panel_width + GUTTER));
            long y = (long)(i / columns * (panel_height + LABEL));
            ff_canvas_text(&canvas, x, y + 12, 2, ink, labels[i]);
            ff_canvas_picture(&canvas, x, y + LABEL, (long)scale, pictures[i]);
        }
        draw_scale(&canvas, (long)(rows * (panel_height + LABEL) + GUTTER), most);
        status = ff_canvas_write(&canvas, path, error);
    }
    free(worst.rgb);
    free(all.rgb);
    free(canvas.rgb);
    return status;
}
