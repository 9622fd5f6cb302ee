#include "pixels.h"

void ff_pixels_normalise(size_t n, const uint8_t *bytes, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = 2.0f * ((float)bytes[i] / 255.0f) - 1.0f;
}

void ff_pixels_finish(size_t n, const float *pixels, float *values)
{
    for (size_t i = 0; i < n; i++) {
        float value = pixels[i] * 0.5f + 0.5f;
        values[i] = value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
    }
}

void ff_pixels_round(size_t n, const float *values, uint8_t *bytes)
{
    for (size_t i = 0; i < n; i++) {
        float value = values[i] < 0.0f ? 0.0f : values[i] > 1.0f ? 1.0f : values[i];
        float scaled = value == value ? value * 255.0f : 0.0f;
        // adding 2^23 rounds to a whole number, halves to even
        bytes[i] = (uint8_t)((scaled + 0x1p23f) - 0x1p23f);
    }
}
