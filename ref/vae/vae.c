// The VAE's two directions, between the caller's layouts and the networks' frames.
#include "network.h"

#include <string.h>

// The encoder's chunks in diffusers: one frame, then fours. A clip that ends within a chunk would lose frames there.
#define CHUNK_FRAMES 4

// The bytes of [frames, height, width, channels] fit a size_t.
static bool clip_fits(size_t frames, size_t height, size_t width, size_t channels)
{
    size_t bytes = sizeof(float);
    return ff_multiply_sizes(bytes, frames, &bytes) && ff_multiply_sizes(bytes, height, &bytes) &&
           ff_multiply_sizes(bytes, width, &bytes) && ff_multiply_sizes(bytes, channels, &bytes);
}

// ---- encoder ----

// A network pixel holds its patch x patch pixels colour by colour, in each by column, then row.
//   pixels: [height * patch, width * patch, 3]      out: [height, width, 3 * patch * patch]
static void patchify(size_t height, size_t width, size_t patch, const float *pixels, float *out)
{
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            for (size_t colour = 0; colour < 3; colour++)
                for (size_t column = 0; column < patch; column++)
                    for (size_t row = 0; row < patch; row++)
                        *out++ = pixels[((y * patch + row) * width * patch + x * patch + column) * 3 + colour];
}

typedef struct latents_out {
    const ff_vae *vae;
    size_t frames, cells;   // of the latents; cells of a frame
    size_t index;           // of the next frame
    float *latents;         // [latent_channels, frames, cells]
} latents_out;

static ff_status put_latents(ff_vae_run *run)
{
    latents_out *to = run->user;
    const ff_vae *vae = to->vae;
    size_t channels = vae->shape.latent_channels;
    for (size_t channel = 0; channel < channels; channel++) {
        float *out = to->latents + (channel * to->frames + to->index) * to->cells;
        for (size_t cell = 0; cell < to->cells; cell++)
            out[cell] = (run->frame[cell * channels + channel] - vae->mean[channel]) * vae->inverse_std[channel];
    }
    to->index++;
    return FF_OK;
}

ff_status ff_vae_encode_frames(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, ff_vae_source source,
                               void *user, size_t frames, size_t height, size_t width, float *latents,
                               ff_error *error)
{
    size_t factor = vae->shape.spatial_factor, patch = vae->shape.patch, bytes;
    if (frames % CHUNK_FRAMES != 1)
        return ff_fail(error, FF_ERROR_INPUT,
                       "the VAE cannot encode %zu frames; expected one more than a multiple of %d", frames,
                       CHUNK_FRAMES);
    if (height == 0 || width == 0 || height % factor != 0 || width % factor != 0)
        return ff_fail(error, FF_ERROR_INPUT, "the VAE cannot encode frames of %zu x %zu; expected multiples of %zu",
                       width, height, factor);
    if (!clip_fits(frames, height, width, 3 * vae->shape.latent_channels))  // bounds video and latents
        return ff_fail(error, FF_ERROR_INPUT, "%zu frames of %zu x %zu are too large for this machine", frames, width,
                       height);

    latents_out to = {
        .vae = vae,
        .frames = 1 + (frames - 1) / vae->shape.temporal_factor,
        .cells = (height / factor) * (width / factor),
        .latents = latents,
    };
    ff_vae_run run = {.kernels = kernels, .emit = put_latents, .user = &to};
    ff_arena_mark mark = ff_arena_here(arena);
    ff_status status = ff_vae_run_prepare(&run, &vae->encoder, height / patch, width / patch, arena, &bytes, error);
    for (size_t i = 0; i < frames && status == FF_OK; i++) {
        const float *pixels;
        status = source(user, i, &pixels, error);
        if (status)
            break;
        patchify(height / patch, width / patch, patch, pixels, run.frame);
        status = ff_vae_run_frame(&run, 0);
    }
    ff_arena_return(arena, mark);
    return status;
}

typedef struct whole_video {
    const float *pixels;
    size_t frame_floats;
} whole_video;

static ff_status point_at_frame(void *user, size_t index, const float **pixels, ff_error *error)
{
    const whole_video *video = user;
    (void)error;
    *pixels = video->pixels + index * video->frame_floats;
    return FF_OK;
}

ff_status ff_vae_encode(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, const float *video,
                        size_t frames, size_t height, size_t width, float *latents, ff_error *error)
{
    whole_video source = {video, height * width * 3};
    return ff_vae_encode_frames(vae, kernels, arena, point_at_frame, &source, frames, height, width, latents, error);
}

// ---- decoder ----

// The inverse of patchify, within -1..1 (NaN stays NaN).
static void unpatchify(size_t height, size_t width, size_t patch, const float *in, float *pixels)
{
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            for (size_t colour = 0; colour < 3; colour++)
                for (size_t column = 0; column < patch; column++)
                    for (size_t row = 0; row < patch; row++, in++)
                        pixels[((y * patch + row) * width * patch + x * patch + column) * 3 + colour] =
                            *in < -1.0f ? -1.0f : *in > 1.0f ? 1.0f : *in;
}

typedef struct frames_out {
    size_t height, width, patch;   // the network's pixels; their side
    size_t index;                  // of the next frame
    ff_vae_sink sink;
    void *user;
} frames_out;

static ff_status put_frame(ff_vae_run *run)
{
    frames_out *to = run->user;
    unpatchify(to->height, to->width, to->patch, run->frame, run->spare);
    return to->sink(to->user, to->index++, run->spare, run->error);
}

// Frame `index` of latents: [latent_channels, frames, cells], denormalised, channels last.   out: [cells, channels]
static void get_latents(const ff_vae *vae, const float *latents, size_t frames, size_t cells, size_t index, float *out)
{
    size_t channels = vae->shape.latent_channels;
    for (size_t cell = 0; cell < cells; cell++)
        for (size_t channel = 0; channel < channels; channel++) {
            float latent = latents[(channel * frames + index) * cells + cell];
            *out++ = latent / vae->inverse_std[channel] + vae->mean[channel];
        }
}

ff_status ff_vae_decode(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, const float *latents,
                        size_t frames, size_t height, size_t width, ff_vae_sink sink, void *user, ff_error *error)
{
    size_t factor = vae->shape.spatial_factor, patch = vae->shape.patch, bytes;
    if (frames == 0 || height == 0 || width == 0)
        return ff_fail(error, FF_ERROR_INPUT, "the VAE cannot decode latents of %zu frames of %zu x %zu", frames, width,
                       height);
    if (!clip_fits(frames, height, width, factor * factor * (3 + vae->shape.latent_channels)))  // latents and a frame
        return ff_fail(error, FF_ERROR_INPUT, "latents of %zu frames of %zu x %zu are too large for this machine",
                       frames, width, height);

    frames_out to = {
        .height = height * factor / patch, .width = width * factor / patch, .patch = patch, .sink = sink, .user = user,
    };
    ff_vae_run run = {.kernels = kernels, .emit = put_frame, .user = &to};
    ff_arena_mark mark = ff_arena_here(arena);
    ff_status status = ff_vae_run_prepare(&run, &vae->decoder, height, width, arena, &bytes, error);
    for (size_t i = 0; i < frames && status == FF_OK; i++) {
        get_latents(vae, latents, frames, height * width, i, run.frame);
        status = ff_vae_run_frame(&run, 0);
    }
    ff_arena_return(arena, mark);
    return status;
}

// ---- estimates ----

double ff_vae_encode_flop(const ff_vae *vae, size_t frames, size_t height, size_t width)
{
    size_t patch = vae->shape.patch;
    return ff_vae_network_flop(&vae->encoder, (ff_vae_extent){frames, height / patch, width / patch});
}

double ff_vae_decode_flop(const ff_vae *vae, size_t frames, size_t height, size_t width)
{
    return ff_vae_network_flop(&vae->decoder, (ff_vae_extent){frames, height, width});
}

size_t ff_vae_encode_memory(const ff_vae *vae, size_t height, size_t width)
{
    ff_vae_run run = {0};
    size_t patch = vae->shape.patch, bytes;
    if (ff_vae_run_prepare(&run, &vae->encoder, height / patch, width / patch, NULL, &bytes, NULL))
        return SIZE_MAX;
    return bytes;
}

size_t ff_vae_decode_memory(const ff_vae *vae, size_t height, size_t width)
{
    ff_vae_run run = {0};
    size_t bytes;
    if (ff_vae_run_prepare(&run, &vae->decoder, height, width, NULL, &bytes, NULL))
        return SIZE_MAX;
    return bytes;
}
