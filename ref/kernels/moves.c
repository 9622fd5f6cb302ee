// Kernels that move values and hardly compute: what there is to gain is that threads share them, and that they count
// upwards instead of dividing.
#include "moves.h"

#include <string.h>

#define ALONE 32768  // elements that one thread moves faster than several agree to share
#define BLOCK 4096

void ff_copy(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t first = 0; first < n; first += BLOCK)
        memcpy(out + first, x + first, (n - first < BLOCK ? n - first : BLOCK) * sizeof *out);
}

// ---- AvgDown3D ----

static void average_pixel(const ff_average_down *p, size_t y, size_t x, float *out)
{
    const size_t group = p->in_channels * p->factor_t * p->factor_s * p->factor_s / p->out_channels;
    const size_t line = p->width * p->factor_s * p->in_channels;
    const size_t corner = y * p->factor_s * line + x * p->factor_s * p->in_channels;
    size_t summed = 0;
    float sum = 0;
    for (size_t channel = 0; channel < p->in_channels; channel++)
        for (size_t time = 0; time < p->factor_t; time++)
            for (size_t row = 0; row < p->factor_s; row++)
                for (size_t column = 0; column < p->factor_s; column++) {
                    const float *frame = p->frames[time];
                    sum += frame ? frame[corner + row * line + column * p->in_channels + channel] : 0;
                    if (++summed == group) {
                        *out++ += sum / (float)group;
                        summed = 0;
                        sum = 0;
                    }
                }
}

void ff_average_frames_down(const ff_kernels *kernels, const ff_average_down *p)
{
#pragma omp parallel for if (p->rows * p->width * p->out_channels > ALONE)
    for (size_t y = 0; y < p->rows; y++)
        for (size_t x = 0; x < p->width; x++)
            average_pixel(p, y, x, p->out + (y * p->width + x) * p->out_channels);
}

// ---- DupUp3D ----

// The value of out channel c is that of in channel (c * step + offset) / repeats.
static void repeat_pixel(const ff_repeat_up *p, size_t y, size_t x, float *out)
{
    const size_t step = p->factor_t * 4, repeats = p->out_channels * step / p->in_channels;
    const size_t offset = (p->time * 2 + y % 2) * 2 + x % 2, whole = step / repeats, rest = step % repeats;
    const float *from = p->x + ((y / 2 - p->first / 2) * (p->width / 2) + x / 2) * p->in_channels + offset / repeats;
    if (rest == 0) {
        for (size_t channel = 0; channel < p->out_channels; channel++)
            out[channel] += from[channel * whole];
        return;
    }
    size_t over = offset % repeats;
    for (size_t channel = 0; channel < p->out_channels; channel++) {
        out[channel] += *from;
        over += rest;
        from += whole + (over >= repeats);
        over -= over >= repeats ? repeats : 0;
    }
}

void ff_repeat_frame_up(const ff_kernels *kernels, const ff_repeat_up *p)
{
#pragma omp parallel for if (p->rows * p->width * p->out_channels > ALONE)
    for (size_t y = p->first; y < p->first + p->rows; y++)
        for (size_t x = 0; x < p->width; x++)
            repeat_pixel(p, y, x, p->out + ((y - p->first) * p->width + x) * p->out_channels);
}

// ---- nearest-exact ----

void ff_double_frame(const ff_kernels *kernels, const ff_double_size *p)
{
#pragma omp parallel for if (p->rows * p->width * p->channels > ALONE)
    for (size_t y = p->first; y < p->first + p->rows; y++)
        for (size_t x = 0; x < p->width; x++) {
            const float *from = p->x + ((y / 2 - p->first / 2) * (p->width / 2) + x / 2) * p->stride;
            memcpy(p->out + ((y - p->first) * p->width + x) * p->channels, from, p->channels * sizeof *from);
        }
}
