// Lanczos resizing with the arithmetic of Pillow 13's 8-bit path (libImaging/Resample.c): weights in double, normalised
// and rounded to 22 fractional bits; integer sums; two passes, rounded to 8 bits in between. A pass that would not
// change the size is left out. The horizontal pass comes first unless the height loses more pixels than twice what the
// width loses (before Pillow 13 it always came first).
#include "resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/sizes.h"
#include "../kernels/mathematics.h"
#include "../base/system.h"
#include "../base/tensor.h"

#define LOBES 3.0              // a of the Lanczos window
#define FRACTION_BITS 22       // 32 bits less 8 for the sample and 2 for lobes that overshoot
#define PI 3.14159265358979323846

// For each of `count` outputs along one axis: the first input it draws on, how many, and their weights.
typedef struct coefficients {
    size_t count, most;        // weights are stored `most` apart
    size_t *first, *length;    // [count]
    int32_t *weight;           // [count, most]
} coefficients;

static double sinc(double x)
{
    if (x == 0.0)
        return 1.0;
    x = x * PI;
    return ff_sin(x) / x;
}

static double lanczos(double x)
{
    return -LOBES <= x && x < LOBES ? sinc(x) * sinc(x / LOBES) : 0.0;
}

static void coefficients_free(coefficients *made)
{
    free(made->first);
    free(made->length);
    free(made->weight);
}

// Those for outputs [start, start + count) of `full` outputs made from `in` inputs; to be freed also on failure.
static ff_status coefficients_make(coefficients *out, size_t in, size_t full, size_t start, size_t count,
                                   ff_error *error)
{
    double scale = (double)in / (double)full;
    double stretch = scale < 1.0 ? 1.0 : scale;
    double support = LOBES * stretch;
    double shrink = 1.0 / stretch;
    size_t weights, bytes;
    double *exact = NULL;

    *out = (coefficients){.count = count, .most = 2 * (size_t)ceil(support) + 1};
    if (out->most > in)
        out->most = in;
    if (ff_multiply_sizes(count, out->most, &weights) && ff_multiply_sizes(weights, sizeof(int32_t), &bytes)
        && count <= SIZE_MAX / sizeof(size_t) && out->most <= SIZE_MAX / sizeof(double)) {
        out->first = malloc(count * sizeof(size_t));
        out->length = malloc(count * sizeof(size_t));
        out->weight = malloc(bytes);
        exact = malloc(out->most * sizeof(double));
    }
    if (!out->first || !out->length || !out->weight || !exact) {
        free(exact);
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory resizing %zu to %zu pixels", in, full);
    }
    for (size_t i = 0; i < count; i++) {
        double centre = ((double)(start + i) + 0.5) * scale;
        double low = centre - support + 0.5, high = centre + support + 0.5;
        size_t first = low > 0.0 ? (size_t)low : 0;
        size_t end = high < (double)in ? (size_t)high : in;
        double sum = 0.0;
        for (size_t j = 0; j < end - first; j++) {
            exact[j] = lanczos(((double)(j + first) - centre + 0.5) * shrink);
            sum += exact[j];
        }
        for (size_t j = 0; j < end - first; j++) {
            double weight = (sum != 0.0 ? exact[j] / sum : exact[j]) * (1 << FRACTION_BITS);
            out->weight[i * out->most + j] = (int32_t)(weight < 0.0 ? weight - 0.5 : weight + 0.5);
        }
        out->first[i] = first;
        out->length[i] = end - first;
    }
    free(exact);
    return FF_OK;
}

static uint8_t round_to_byte(int32_t sum)
{
    if (sum < 0)
        return 0;
    sum >>= FRACTION_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

// The pixels of a larger picture from column x and row y on, rows stride bytes apart.
typedef struct ff_part {
    const uint8_t *rgb;
    size_t stride, x, y, width, height;
} ff_part;

// in: holds every column that is drawn on      out: [in->height, along->count, 3]
static void resize_across(const coefficients *along, const ff_part *in, uint8_t *out)
{
    for (size_t y = 0; y < in->height; y++)
        for (size_t i = 0; i < along->count; i++, out += 3) {
            const int32_t *weight = along->weight + i * along->most;
            const uint8_t *pixel = in->rgb + y * in->stride + 3 * (along->first[i] - in->x);
            int32_t red = 1 << (FRACTION_BITS - 1), green = red, blue = red;
            for (size_t j = 0; j < along->length[i]; j++, pixel += 3) {
                red += pixel[0] * weight[j];
                green += pixel[1] * weight[j];
                blue += pixel[2] * weight[j];
            }
            out[0] = round_to_byte(red);
            out[1] = round_to_byte(green);
            out[2] = round_to_byte(blue);
        }
}

// in: holds every row that is drawn on      sums: [3 * in->width]      out: [along->count, in->width, 3]
static void resize_down(const coefficients *along, const ff_part *in, int32_t *sums, uint8_t *out)
{
    size_t samples = 3 * in->width;
    for (size_t i = 0; i < along->count; i++, out += samples) {
        for (size_t x = 0; x < samples; x++)
            sums[x] = 1 << (FRACTION_BITS - 1);
        for (size_t j = 0; j < along->length[i]; j++) {
            const uint8_t *row = in->rgb + (along->first[i] + j - in->y) * in->stride;
            int32_t weight = along->weight[i * along->most + j];
            for (size_t x = 0; x < samples; x++)
                sums[x] += row[x] * weight;
        }
        for (size_t x = 0; x < samples; x++)
            out[x] = round_to_byte(sums[x]);
    }
}

// Both passes. middle: holds what the first one leaves      sums: as in resize_down      out: [rows, columns, 3]
static void resize_both(const coefficients *columns, const coefficients *rows, bool down_first, const ff_part *in,
                        uint8_t *middle, int32_t *sums, uint8_t *out)
{
    ff_part half = *in;
    half.rgb = middle;
    if (down_first) {
        resize_down(rows, in, sums, middle);
        half.stride = 3 * in->width;
        half.height = rows->count;
        resize_across(columns, &half, out);
    } else {
        resize_across(columns, in, middle);
        half.stride = 3 * columns->count;
        half.width = columns->count;
        resize_down(rows, &half, sums, out);
    }
}

// 3 * width * height samples, or NULL.
static void *allocate_samples(size_t width, size_t height, size_t sample_size)
{
    size_t bytes;
    if (ff_multiply_sizes(width, height, &bytes) && ff_multiply_sizes(bytes, 3 * sample_size, &bytes))
        return malloc(bytes);
    return NULL;
}

ff_status ff_image_resize_window(const ff_image *in, size_t full_width, size_t full_height, size_t x, size_t y,
                                 ff_image *out, ff_error *error)
{
    bool across = full_width != in->width, down = full_height != in->height;
    coefficients columns = {0}, rows = {0};
    ff_part part = {.stride = 3 * in->width, .x = x, .y = y, .width = out->width, .height = out->height};
    uint8_t *middle = NULL;
    int32_t *sums = NULL;
    ff_status status = FF_OK;

    if (!in->width || !in->height || !out->width || !out->height)
        return ff_fail(error, FF_ERROR_INPUT, "a picture of %zu x %zu pixels cannot be resized to %zu x %zu", in->width,
                       in->height, full_width, full_height);
    if (out->width > full_width || x > full_width - out->width || out->height > full_height
        || y > full_height - out->height)
        return ff_fail(error, FF_ERROR_INPUT, "a window of %zu x %zu at %zu, %zu lies outside a picture of %zu x %zu",
                       out->width, out->height, x, y, full_width, full_height);
    if (across) {
        if ((status = coefficients_make(&columns, in->width, full_width, x, out->width, error)) != FF_OK)
            goto done;
        part.x = columns.first[0];
        part.width = columns.first[columns.count - 1] + columns.length[columns.count - 1] - part.x;
    }
    if (down) {
        if ((status = coefficients_make(&rows, in->height, full_height, y, out->height, error)) != FF_OK)
            goto done;
        part.y = rows.first[0];
        part.height = rows.first[rows.count - 1] + rows.length[rows.count - 1] - part.y;
    }
    part.rgb = in->rgb + part.y * part.stride + 3 * part.x;

    // in->height - full_height > 2 * (in->width - full_width), where either difference may be negative
    bool down_first = in->height > full_height
                      && (full_width >= in->width
                          || (double)(in->height - full_height) / 2.0 > (double)(in->width - full_width));
    if (down && !(sums = allocate_samples(across && !down_first ? out->width : part.width, 1, sizeof(int32_t))))
        status = FF_ERROR_MEMORY;
    if (across && down && !(middle = down_first ? allocate_samples(part.width, out->height, 1)
                                                : allocate_samples(out->width, part.height, 1)))
        status = FF_ERROR_MEMORY;
    if (status != FF_OK) {
        ff_fail(error, status, "out of memory resizing a picture to %zu x %zu pixels", full_width, full_height);
        goto done;
    }
    if (across && down)
        resize_both(&columns, &rows, down_first, &part, middle, sums, out->rgb);
    else if (across)
        resize_across(&columns, &part, out->rgb);
    else if (down)
        resize_down(&rows, &part, sums, out->rgb);
    else
        for (size_t i = 0; i < out->height; i++)
            memcpy(out->rgb + 3 * i * out->width, part.rgb + i * part.stride, 3 * out->width);
done:
    coefficients_free(&columns);
    coefficients_free(&rows);
    free(middle);
    free(sums);
    return status;
}

ff_status ff_image_resize(const ff_image *in, ff_image *out, ff_error *error)
{
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = ff_image_resize_window(in, out->width, out->height, 0, 0, out, error);
    ff_float_mode_leave(before);
    return status;
}
