// Twice the size, nearest-exact, then a 3x3 convolution; temporal: before that, each frame after the first becomes two,
// its earlier and its later half: the two halves of the channels of a causal convolution, which does not see the first
// frame.
//   first: resample.1   second: time_conv, if temporal
#include "vae_layer.h"

static ff_extent output(const ff_vae_layer *layer, ff_extent in)
{
    return (ff_extent){layer->temporal ? 1 + (in.frames - 1) * 2 : in.frames, in.height * 2, in.width * 2};
}

// The rows of the doubled frame.
static ff_vae_window between(const ff_vae_layer *layer, ff_vae_window out)
{
    return ff_vae_widen(out, 1);
}

// Row y of the doubled frame is row y / 2.
static ff_vae_window input(const ff_vae_layer *layer, ff_vae_window out)
{
    ff_vae_window doubled = ff_vae_widen(out, 1), in = {.first = doubled.first / 2};
    in.count = (doubled.first + doubled.count - 1) / 2 - in.first + 1;
    in.extent = (ff_extent){layer->temporal ? 1 + (out.extent.frames - 1) / 2 : out.extent.frames,
                            out.extent.height / 2, out.extent.width / 2};
    return in;
}

static double multiply_adds(const ff_vae_layer *layer, const ff_vae_state *state)
{
    return ff_vae_multiply_adds(&layer->first, &state->out, state->out.extent.frames) +
           ff_vae_multiply_adds(&layer->second, &state->in, state->in.extent.frames - 1);
}

static void count(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state)
{
    ff_vae_apply_convolution(run, &layer->first, (ff_vae_rows){&state->between, &state->out, 1}, NULL, NULL);
    if (layer->temporal)
        ff_vae_apply_convolution(run, &layer->second, (ff_vae_rows){&state->in, &state->in, 1}, NULL, NULL);
}

static void keep(const ff_vae_layer *layer, ff_vae_room *room, ff_vae_state *state)
{
    size_t frames = state->in.extent.frames;
    if (!layer->temporal || frames == 1)  // the first frame passes by the convolution over time
        return;
    state->second = ff_vae_take_history(room, frames - 1, ff_vae_frame_floats(&state->in, layer->in_channels));
    state->pair = ff_vae_take(room, ff_vae_frame_floats(&state->in, 2 * layer->in_channels), sizeof(float));
}

static size_t working_floats(const ff_vae_layer *layer, const ff_vae_state *state)
{
    return ff_larger(ff_vae_frame_floats(&state->out, layer->out_channels),
                     ff_larger(ff_vae_frame_floats(&state->between, layer->in_channels),
                               ff_vae_frame_floats(&state->in, layer->in_channels)));
}

// x: rows `in`, with `stride` floats from a pixel to the next
static ff_status upsample(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state, const float *x,
                          size_t stride)
{
    const ff_vae_window *in = &state->in, *doubled = &state->between;
    run->kernels->double_size(run->kernels, &(ff_double_size){
        .first = doubled->first, .rows = doubled->count, .width = doubled->extent.width,
        .channels = layer->in_channels, .stride = stride,
        .x = x + (doubled->first / 2 - in->first) * in->extent.width * stride,
        .out = run->spare,
    });
    ff_status status = ff_vae_apply_convolution(run, &layer->first, (ff_vae_rows){doubled, &state->out, 1},
                                                (const float *const[]){run->spare}, run->spare2);
    ff_vae_exchange(&run->frame, &run->spare2);
    return status;
}

static ff_status run_upsample(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, size_t *frames)
{
    if (!layer->temporal || state->seen++ == 0)
        return upsample(run, layer, state, run->frame, layer->in_channels);
    *frames = 2;
    return ff_vae_apply_causal(run, &layer->second, &state->second, (ff_vae_rows){&state->in, &state->in, 1},
                               run->frame, state->pair);
}

static ff_status piece(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state, size_t i)
{
    return upsample(run, layer, state, state->pair + i * layer->in_channels, 2 * layer->in_channels);
}

const ff_vae_layer_ops ff_vae_upsample_ops = {
    .resamples = true,
    .output = output,
    .input = input,
    .between = between,
    .multiply_adds = multiply_adds,
    .count = count,
    .keep = keep,
    .working_floats = working_floats,
    .run = run_upsample,
    .piece = piece,
};
