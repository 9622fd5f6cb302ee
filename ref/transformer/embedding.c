// What surrounds the blocks: timestep sinusoids, rotary angles, patches. Host mathematics in double, rounded once.
#include "transformer_weights.h"

#include <string.h>

#include "../kernels/mathematics.h"

#define MINUS_LOG_10000 (-9.210340371976184)
#define ROTARY_THETA 10000.0

// The exponent and the angle are single-precision products, as diffusers' get_timestep_embedding takes them; an odd
// freq_dim ends with a zero.
void ff_timestep_embedding(size_t count, const float *timesteps, size_t freq_dim, float *out)
{
    size_t half = freq_dim / 2;
    for (size_t i = 0; i < half; i++) {
        float exponent = (float)MINUS_LOG_10000 * (float)i / (float)half;
        float frequency = (float)ff_exp((double)exponent);
        for (size_t row = 0; row < count; row++) {
            double angle = (double)(timesteps[row] * frequency);
            out[row * freq_dim + i] = (float)ff_cos(angle);
            out[row * freq_dim + half + i] = (float)ff_sin(angle);
        }
    }
    if (freq_dim % 2 != 0)
        for (size_t row = 0; row < count; row++)
            out[row * freq_dim + freq_dim - 1] = 0;
}

void ff_timesteps_group(size_t count, const float *timesteps, ff_timestep_groups *groups)
{
    groups->count = 0;
    for (size_t i = 0; i < count; i++) {
        // neighbours mostly agree, so the search starts with the last one's group
        size_t found = i > 0 ? groups->group[i - 1] : 0;
        if (i == 0 || memcmp(&groups->timesteps[found], &timesteps[i], sizeof *timesteps) != 0)
            for (found = 0; found < groups->count; found++)
                if (memcmp(&groups->timesteps[found], &timesteps[i], sizeof *timesteps) == 0)
                    break;
        if (found == groups->count)
            groups->timesteps[groups->count++] = timesteps[i];
        groups->group[i] = (uint32_t)found;
    }
}

// The angles of one axis (RoFormer, 3.2.2).   dim: elements of a head that turn with it
// out: [tokens, head_dim / 2, 2], of which pairs [first, first + dim / 2) are filled. Along the axis the position
// changes every `inner` tokens and starts over after `length` positions.
static void rotary_axis(size_t tokens, size_t inner, size_t length, size_t head_dim, size_t first, size_t dim,
                        float *out)
{
    size_t outer = tokens / (inner * length);
    for (size_t pair = 0; pair < dim / 2; pair++) {
        double frequency = 1.0 / ff_pow(ROTARY_THETA, (double)(2 * pair) / (double)dim);
        for (size_t position = 0; position < length; position++) {
            double angle = (double)position * frequency;
            float cosine = (float)ff_cos(angle), sine = (float)ff_sin(angle);
            for (size_t o = 0; o < outer; o++) {
                float *at = out + (o * length + position) * inner * head_dim + 2 * (first + pair);
                for (size_t i = 0; i < inner; i++, at += head_dim) {
                    at[0] = cosine;
                    at[1] = sine;
                }
            }
        }
    }
}

// A third of the head, rounded down to even, for rows and as much for columns; the rest for frames.
void ff_rotary_table(ff_extent grid, size_t head_dim, float *out)
{
    size_t tokens = grid.frames * grid.height * grid.width;
    size_t space = 2 * (head_dim / 6), time = head_dim - 2 * space;
    rotary_axis(tokens, grid.height * grid.width, grid.frames, head_dim, 0, time, out);
    rotary_axis(tokens, grid.width, grid.height, head_dim, time / 2, space, out);
    rotary_axis(tokens, 1, grid.width, head_dim, time / 2 + space / 2, space, out);
}

void ff_latents_to_channels_last(size_t channels, size_t pixels, const float *latents, float *out)
{
    for (size_t channel = 0; channel < channels; channel++)
        for (size_t pixel = 0; pixel < pixels; pixel++)
            out[pixel * channels + channel] = latents[channel * pixels + pixel];
}

void ff_tokens_to_latents(ff_extent grid, const size_t patch[3], size_t channels, const float *tokens,
                          float *latents)
{
    size_t frames = grid.frames * patch[0], height = grid.height * patch[1], width = grid.width * patch[2];
    size_t values = patch[0] * patch[1] * patch[2] * channels;
    for (size_t t = 0; t < frames; t++)
        for (size_t y = 0; y < height; y++)
            for (size_t x = 0; x < width; x++) {
                size_t token = (t / patch[0] * grid.height + y / patch[1]) * grid.width + x / patch[2];
                size_t cell = (t % patch[0] * patch[1] + y % patch[1]) * patch[2] + x % patch[2];
                const float *from = tokens + token * values + cell * channels;
                for (size_t channel = 0; channel < channels; channel++)
                    latents[((channel * frames + t) * height + y) * width + x] = from[channel];
            }
}
