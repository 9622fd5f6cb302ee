// The VAE's two directions, between the caller's layouts and the networks' frames.
#include "spill.h"
#include "strips.h"

#include <string.h>

// The encoder's chunks in diffusers: one frame, then fours. A clip that ends within a chunk would lose frames there.
#define CHUNK_FRAMES 4

// The bytes of [frames, height, width, channels] fit a size_t.
static bool clip_fits(ff_extent extent, size_t channels)
{
    size_t bytes = sizeof(float);
    return ff_multiply_sizes(bytes, extent.frames, &bytes) && ff_multiply_sizes(bytes, extent.height, &bytes) &&
           ff_multiply_sizes(bytes, extent.width, &bytes) && ff_multiply_sizes(bytes, channels, &bytes);
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

typedef struct encoding {
    const ff_vae *vae;
    const ff_vae_encoding *request;
    ff_vae_strips strips;
    ff_vae_spill spill;  // with strips: the frames at the cut
} encoding;

static ff_status put_latents(ff_vae_run *run, size_t index)
{
    encoding *to = run->user;
    const ff_vae *vae = to->vae;
    ff_extent extent = run->part.out.extent;
    size_t channels = vae->shape.latent_channels, cells = extent.height * extent.width;
    for (size_t channel = 0; channel < channels; channel++) {
        float *out = to->request->latents + (channel * extent.frames + index) * cells;
        for (size_t cell = 0; cell < cells; cell++)
            out[cell] = (run->frame[cell * channels + channel] - vae->mean[channel]) * vae->inverse_std[channel];
    }
    return FF_OK;
}

static ff_status put_strip_of_latents(ff_vae_run *run, size_t index)
{
    encoding *to = run->user;
    return ff_vae_spill_put(&to->spill, index, run->part.out.first, run->part.out.count, run->frame, run->error);
}

// Rows `in` of frame `index` of the video, as the network takes them.
static ff_status get_pixels(const encoding *from, size_t index, const ff_vae_window *in, float *out, ff_error *error)
{
    const ff_vae_encoding *request = from->request;
    size_t patch = from->vae->shape.patch, row = 3 * request->extent.width;
    const float *pixels = request->video ? request->video + index * request->extent.height * row : NULL;
    ff_status status = pixels ? FF_OK : request->source(request->user, index, &pixels, error);
    if (status == FF_OK)
        patchify(in->count, in->extent.width, patch, pixels + in->first * patch * row, out);
    return status;
}

static ff_status encode_part(encoding *from, const ff_kernels *kernels, ff_arena *arena, ff_vae_part part,
                             ff_status (*emit)(ff_vae_run *, size_t), ff_error *error)
{
    ff_vae_window in = ff_vae_part_input(&part);
    size_t bytes;
    ff_vae_run run = {.kernels = kernels, .tap = from->request->tap, .emit = emit, .user = from,
                      .checked = "vae_encode"};
    ff_arena_mark mark = ff_arena_here(arena);
    ff_status status = ff_vae_run_prepare(&run, &part, arena, &bytes, error);
    for (size_t i = 0; i < in.extent.frames && status == FF_OK; i++) {
        if (part.first > 0)
            status = ff_vae_spill_get(&from->spill, i, in.first, in.count, run.frame, error);
        else
            status = get_pixels(from, i, &in, run.frame, error);
        if (status == FF_OK)
            status = ff_vae_run_frame(&run, part.first);
    }
    ff_arena_return(arena, mark);
    return status;
}

// Bounds video and latents.
static bool encoding_fits(const ff_vae *vae, ff_extent extent)
{
    return clip_fits(extent, 3 * vae->shape.latent_channels);
}

static ff_vae_strips plan_encoding(const ff_vae *vae, size_t strips, ff_extent extent)
{
    extent.height /= vae->shape.patch;
    extent.width /= vae->shape.patch;
    return ff_vae_strips_plan(&vae->encoder, false, extent, strips);
}

static ff_status check_video(const ff_vae *vae, ff_extent extent, ff_error *error)
{
    size_t factor = vae->shape.spatial_factor;
    if (extent.frames % CHUNK_FRAMES != 1)
        return ff_fail(error, FF_ERROR_INPUT,
                       "the VAE cannot encode %zu frames; expected one more than a multiple of %d", extent.frames,
                       CHUNK_FRAMES);
    if (extent.height == 0 || extent.width == 0 || extent.height % factor != 0 || extent.width % factor != 0)
        return ff_fail(error, FF_ERROR_INPUT, "the VAE cannot encode frames of %zu x %zu; expected multiples of %zu",
                       extent.width, extent.height, factor);
    if (!encoding_fits(vae, extent))
        return ff_fail(error, FF_ERROR_INPUT, "%zu frames of %zu x %zu are too large for this machine", extent.frames,
                       extent.width, extent.height);
    return FF_OK;
}

ff_status ff_vae_encode(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, const ff_vae_encoding *request,
                        ff_error *error)
{
    ff_status status = check_video(vae, request->extent, error);
    if (status)
        return status;
    encoding e = {.vae = vae, .request = request};
    e.strips = plan_encoding(vae, request->strips, request->extent);
    if (e.strips.count == 1)
        return encode_part(&e, kernels, arena, ff_vae_strips_all(&e.strips), put_latents, error);
    status = ff_vae_spill_open(&e.spill, e.strips.at_cut.frames, e.strips.at_cut.height,
                               ff_vae_strips_row_floats(&e.strips), error);
    for (size_t i = 0; i < e.strips.count && status == FF_OK; i++)
        status = encode_part(&e, kernels, arena, ff_vae_strips_strip(&e.strips, i), put_strip_of_latents, error);
    if (status == FF_OK)
        status = encode_part(&e, kernels, arena, ff_vae_strips_middle(&e.strips), put_latents, error);
    ff_vae_spill_close(&e.spill);
    return status;
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

// Frame `index` of the latents, denormalised, channels last.   out: [height * width, latent_channels]
static void get_latents(const ff_vae *vae, const ff_vae_decoding *request, size_t index, float *out)
{
    size_t frames = request->extent.frames, cells = request->extent.height * request->extent.width;
    size_t channels = vae->shape.latent_channels;
    for (size_t cell = 0; cell < cells; cell++)
        for (size_t channel = 0; channel < channels; channel++) {
            float latent = request->latents[(channel * frames + index) * cells + cell];
            *out++ = latent / vae->inverse_std[channel] + vae->mean[channel];
        }
}

typedef struct decoding {
    const ff_vae *vae;
    const ff_vae_decoding *request;
    ff_vae_strips strips;
    size_t strip;              // the one being computed
    ff_vae_spill spill, rows;  // with strips: the frames at the cut; what strips have put out
    float *whole;              // with strips: a frame put together, [height, width, 3]
} decoding;

static ff_status put_middle(ff_vae_run *run, size_t index)
{
    decoding *to = run->user;
    return ff_vae_spill_put(&to->spill, index, 0, run->part.out.extent.height, run->frame, run->error);
}

// A frame's rows; with the last strip the frame is whole.
static ff_status put_frame(ff_vae_run *run, size_t index)
{
    decoding *to = run->user;
    const ff_vae_decoding *request = to->request;
    const ff_vae_window *out = &run->part.out;
    const float *frame = run->spare;
    size_t patch = to->vae->shape.patch, strips = to->strips.count, frames = out->extent.frames;
    ff_status status = FF_OK;
    unpatchify(out->count, out->extent.width, patch, run->frame, run->spare);
    if (strips > 1) {
        status = ff_vae_spill_put(&to->rows, index, out->first * patch, out->count * patch, run->spare, run->error);
        if (status == FF_OK && to->strip + 1 == strips)
            status = ff_vae_spill_get(&to->rows, index, 0, out->extent.height * patch, to->whole, run->error);
        frame = to->whole;
    }
    if (status == FF_OK && to->strip + 1 == strips)
        status = request->sink(request->user, index, frame, run->error);
    if (status == FF_OK && request->progress)
        status = request->progress(request->user, to->strip * frames + index + 1, strips * frames, run->error);
    return status;
}

static ff_status decode_part(decoding *from, const ff_kernels *kernels, ff_arena *arena, ff_vae_part part,
                             ff_status (*emit)(ff_vae_run *, size_t), ff_error *error)
{
    ff_vae_window in = ff_vae_part_input(&part);
    size_t bytes;
    ff_vae_run run = {.kernels = kernels, .tap = from->request->tap, .emit = emit, .user = from,
                      .checked = "vae_decode"};
    ff_arena_mark mark = ff_arena_here(arena);
    ff_status status = ff_vae_run_prepare(&run, &part, arena, &bytes, error);
    for (size_t i = 0; i < in.extent.frames && status == FF_OK; i++) {
        if (part.first > 0)
            status = ff_vae_spill_get(&from->spill, i, in.first, in.count, run.frame, error);
        else
            get_latents(from->vae, from->request, i, run.frame);
        if (status == FF_OK)
            status = ff_vae_run_frame(&run, part.first);
    }
    ff_arena_return(arena, mark);
    return status;
}

static ff_status decode_strips(decoding *d, const ff_kernels *kernels, ff_arena *arena, ff_error *error)
{
    size_t patch = d->vae->shape.patch;
    size_t height = d->strips.out.height * patch, row_floats = d->strips.out.width * patch * 3;
    ff_status status;
    d->whole = ff_arena_floats(arena, ff_vae_strips_frame_floats(&d->strips));
    if (!d->whole)
        return ff_fail(error, FF_ERROR_MEMORY, "not enough memory for a frame");
    if ((status = ff_vae_spill_open(&d->spill, d->strips.at_cut.frames, d->strips.at_cut.height,
                                    ff_vae_strips_row_floats(&d->strips), error)) ||
        (status = ff_vae_spill_open(&d->rows, d->strips.out.frames, height, row_floats, error)) ||
        (status = decode_part(d, kernels, arena, ff_vae_strips_middle(&d->strips), put_middle, error)))
        return status;
    for (d->strip = 0; d->strip < d->strips.count && status == FF_OK; d->strip++)
        status = decode_part(d, kernels, arena, ff_vae_strips_strip(&d->strips, d->strip), put_frame, error);
    return status;
}

// Bounds latents and a frame.
static bool decoding_fits(const ff_vae *vae, ff_extent extent)
{
    size_t factor = vae->shape.spatial_factor;
    return clip_fits(extent, factor * factor * (3 + vae->shape.latent_channels));
}

static ff_vae_strips plan_decoding(const ff_vae *vae, size_t strips, ff_extent extent)
{
    return ff_vae_strips_plan(&vae->decoder, true, extent, strips);
}

ff_status ff_vae_decode(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, const ff_vae_decoding *request,
                        ff_error *error)
{
    ff_extent extent = request->extent;
    if (extent.frames == 0 || extent.height == 0 || extent.width == 0)
        return ff_fail(error, FF_ERROR_INPUT, "the VAE cannot decode latents of %zu frames of %zu x %zu", extent.frames,
                       extent.width, extent.height);
    if (!decoding_fits(vae, extent))
        return ff_fail(error, FF_ERROR_INPUT, "latents of %zu frames of %zu x %zu are too large for this machine",
                       extent.frames, extent.width, extent.height);

    decoding d = {.vae = vae, .request = request, .strips = plan_decoding(vae, request->strips, extent)};
    ff_arena_mark mark = ff_arena_here(arena);
    ff_status status;
    if (d.strips.count == 1)
        status = decode_part(&d, kernels, arena, ff_vae_strips_all(&d.strips), put_frame, error);
    else
        status = decode_strips(&d, kernels, arena, error);
    ff_vae_spill_close(&d.spill);
    ff_vae_spill_close(&d.rows);
    ff_arena_return(arena, mark);
    return status;
}

// ---- estimates ----

static ff_vae_cost cost_of(const ff_vae_strips *strips)
{
    ff_vae_strips whole = *strips;
    whole.count = 1;
    ff_vae_cost cost = {
        .strips = strips->count,
        .flop = ff_vae_strips_flop(strips),
        .flop_whole = ff_vae_strips_flop(&whole),
        .memory = ff_vae_strips_memory(strips),
    };
    if (strips->count > 1)
        cost.disk = ff_vae_spill_bytes(strips->at_cut.frames, strips->at_cut.height, ff_vae_strips_row_floats(strips));
    return cost;
}

ff_vae_cost ff_vae_encode_cost(const ff_vae *vae, size_t strips, ff_extent extent)
{
    if (!encoding_fits(vae, extent))
        return (ff_vae_cost){.strips = 1, .memory = SIZE_MAX};
    ff_vae_strips plan = plan_encoding(vae, strips, extent);
    return cost_of(&plan);
}

ff_vae_cost ff_vae_decode_cost(const ff_vae *vae, size_t strips, ff_extent extent)
{
    size_t factor = vae->shape.spatial_factor;
    if (!decoding_fits(vae, extent))
        return (ff_vae_cost){.strips = 1, .memory = SIZE_MAX};
    ff_vae_strips plan = plan_decoding(vae, strips, extent);
    ff_vae_cost cost = cost_of(&plan);
    if (cost.strips > 1) {
        size_t rows = ff_vae_spill_bytes(plan.out.frames, factor * extent.height, factor * extent.width * 3);
        if (!ff_add_sizes(cost.disk, rows, &cost.disk))
            cost.disk = SIZE_MAX;
    }
    return cost;
}

size_t ff_vae_encode_scratch(const ff_vae *vae, const ff_kernels *kernels, size_t strips, ff_extent extent)
{
    if (!encoding_fits(vae, extent))
        return SIZE_MAX;
    ff_vae_strips plan = plan_encoding(vae, strips, extent);
    return ff_vae_strips_scratch(&plan, kernels);
}

size_t ff_vae_decode_scratch(const ff_vae *vae, const ff_kernels *kernels, size_t strips, ff_extent extent)
{
    if (!decoding_fits(vae, extent))
        return SIZE_MAX;
    ff_vae_strips plan = plan_decoding(vae, strips, extent);
    return ff_vae_strips_scratch(&plan, kernels);
}
