// Pixels between bytes and what the VAE takes and gives, value by value, as diffusers' VideoProcessor computes it.
#ifndef FF_PIXELS_H
#define FF_PIXELS_H

#include <stddef.h>
#include <stdint.h>

// 2 * (u / 255) - 1
void ff_pixels_normalise(size_t n, const uint8_t *bytes, float *out);
// x * 0.5 + 0.5 within 0..1; NaN stays.
void ff_pixels_finish(size_t n, const float *pixels, float *values);
// 0..1 to 0..255, halves to even, NaN to 0.
void ff_pixels_round(size_t n, const float *values, uint8_t *bytes);

#endif
