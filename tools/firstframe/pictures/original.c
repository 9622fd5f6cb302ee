#include "original.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WHITE 255

void ff_original_free(ff_original *original)
{
    free(original->samples);
    ff_colour_space_free(&original->colours);
    *original = (ff_original){0};
}

static ff_status fail_memory(const ff_original *original, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "out of memory for a picture of %zu x %zu pixels", original->width,
                   original->height);
}

static size_t pixels_of(const ff_original *original)
{
    return original->width * original->height;
}

static unsigned sample(const ff_original *original, size_t i)
{
    return original->depth == 16 ? ((const uint16_t *)original->samples)[i] : ((const uint8_t *)original->samples)[i];
}

static void set_sample(ff_original *original, size_t i, unsigned value)
{
    if (original->depth == 16)
        ((uint16_t *)original->samples)[i] = (uint16_t)value;
    else
        ((uint8_t *)original->samples)[i] = (uint8_t)value;
}

static unsigned most_of(const ff_original *original)
{
    return original->depth == 16 ? 65535 : 255;
}

static uint8_t narrow_sample(const ff_original *original, size_t i)
{
    unsigned value = sample(original, i);
    return (uint8_t)(original->depth == 16 ? (value * 255 + 32895) >> 16 : value);  // round(value / 257)
}

void ff_original_pixel(const ff_original *original, size_t pixel, uint8_t rgba[4])
{
    size_t channels = original->channels;
    for (size_t c = 0; c < 3; c++)
        rgba[c] = narrow_sample(original, channels * pixel + c);
    rgba[3] = channels == 4 ? narrow_sample(original, 4 * pixel + 3) : 255;
}

bool ff_original_is_opaque(const ff_original *original)
{
    for (size_t i = 0; i < pixels_of(original) && original->channels == 4; i++)
        if (sample(original, 4 * i + 3) != most_of(original))
            return false;
    return true;
}

void ff_original_read_alpha(const ff_original *original, float *alpha)
{
    for (size_t i = 0; i < pixels_of(original); i++)
        alpha[i] = (float)sample(original, 4 * i + 3) / (float)most_of(original);
}

ff_status ff_original_flatten(const ff_original *original, uint8_t background, ff_image *out, ff_error *error)
{
    size_t pixels = pixels_of(original);
    *out = (ff_image){original->width, original->height, malloc(3 * pixels)};
    if (!out->rgb) {
        *out = (ff_image){0};
        return fail_memory(original, error);
    }
    if (original->depth == 8 && original->channels == 3) {
        memcpy(out->rgb, original->samples, 3 * pixels);
        return FF_OK;
    }
    for (size_t i = 0; i < pixels; i++) {
        uint8_t rgba[4];
        ff_original_pixel(original, i, rgba);
        unsigned alpha = rgba[3];
        for (size_t c = 0; c < 3; c++)
            out->rgb[3 * i + c] = (uint8_t)((rgba[c] * alpha + background * (255 - alpha) + 127) / 255);
    }
    return FF_OK;
}

ff_status ff_original_narrow(const ff_original *original, ff_original *out, ff_error *error)
{
    size_t samples = pixels_of(original) * original->channels;
    *out = (ff_original){original->width, original->height, original->channels, 8, malloc(samples), 1, {0}};
    if (!out->samples)
        return fail_memory(original, error);
    for (size_t i = 0; i < samples; i++)
        set_sample(out, i, narrow_sample(original, i));
    return FF_OK;
}

// out, a copy of the original, gets pixel i. The painted colour is (1 - alpha) white + alpha times the colour that is
// meant.
static void paint_pixel(ff_original *out, size_t i, const uint8_t *painted, float alpha)
{
    unsigned most = most_of(out), opacity = (unsigned)lroundf(alpha * (float)most);
    size_t at = out->channels * i;
    for (size_t c = 0; c < 3; c++) {
        float share = (float)opacity / (float)most, value = (float)painted[c] / WHITE;
        if (out->channels == 3 || opacity == most)
            set_sample(out, at + c, painted[c] * (most / 255));
        else if (opacity)
            set_sample(out, at + c, (unsigned)lroundf(fminf(fmaxf((value - (1 - share)) / share, 0), 1) * (float)most));
    }
    if (out->channels == 4)
        set_sample(out, at + 3, opacity);
}

ff_status ff_original_paint(const ff_original *original, const uint8_t *mask, const float *alpha,
                            const ff_image *painted, ff_original *out, ff_error *error)
{
    size_t pixels = pixels_of(original), bytes = pixels * original->channels * (original->depth / 8);
    *out = (ff_original){original->width, original->height, original->channels, original->depth, malloc(bytes), 1, {0}};
    if (!out->samples)
        return fail_memory(original, error);
    memcpy(out->samples, original->samples, bytes);
    for (size_t i = 0; i < pixels; i++)
        if (mask[i] >= 128)
            paint_pixel(out, i, painted->rgb + 3 * i, out->channels == 4 ? alpha[i] : 1.0f);
    return FF_OK;
}
