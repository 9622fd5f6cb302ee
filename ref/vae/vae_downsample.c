// Half the size, by a 3x3 convolution with stride 2; temporal: then each two frames after the first become one, by a
// causal convolution over time with stride 2. The first frame passes alone.
//   first: resample.1   second: time_conv, if temporal
#include "vae_layer.h"

static ff_extent output(const ff_vae_layer *layer, ff_extent in)
{
    return (ff_extent){layer->temporal ? 1 + (in.frames - 1) / 2 : in.frames, in.height / 2, in.width / 2};
}

// Row y reads 2y to 2y + 2; the last of them is padding.
static ff_vae_window input(const ff_vae_layer *layer, ff_vae_window out)
{
    ff_vae_window in = {.first = 2 * out.first, .count = 2 * out.count + 1};
    in.extent = (ff_extent){layer->temporal ? 1 + (out.extent.frames - 1) * 2 : out.extent.frames,
                            2 * out.extent.height, 2 * out.extent.width};
    if (in.first + in.count > in.extent.height)
        in.count--;
    return in;
}

static double multiply_adds(const ff_vae_layer *layer, const ff_vae_state *state)
{
    return ff_vae_multiply_adds(&layer->first, &state->out, state->in.extent.frames) +
           ff_vae_multiply_adds(&layer->second, &state->out, state->out.extent.frames - 1);
}

static void count(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state)
{
    ff_vae_apply_convolution(run, &layer->first, (ff_vae_rows){&state->in, &state->out, 2}, NULL, NULL);
    if (layer->temporal)
        ff_vae_apply_convolution(run, &layer->second, (ff_vae_rows){&state->out, &state->out, 1}, NULL, NULL);
}

static void keep(const ff_vae_layer *layer, ff_vae_room *room, ff_vae_state *state)
{
    if (layer->temporal)
        state->second = ff_vae_take_history(room, state->in.extent.frames,
                                            ff_vae_frame_floats(&state->out, layer->in_channels));
}

// Of two frames that become one, the first is kept back.
static ff_status run_downsample(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, size_t *frames)
{
    ff_vae_rows halving = {&state->in, &state->out, 2}, merging = {&state->out, &state->out, 1};
    ff_status status = ff_vae_apply_convolution(run, &layer->first, halving, (const float *const[]){run->frame},
                                                run->spare);
    ff_vae_exchange(&run->frame, &run->spare);
    if (status || !layer->temporal)
        return status;

    size_t index = state->second.seen;
    const float *taken[3] = {ff_vae_recall(&state->second, 1), ff_vae_recall(&state->second, 0), run->frame};
    bool merges = index > 0 && index % 2 == 0;
    if (merges)
        status = ff_vae_apply_convolution(run, &layer->second, merging, taken, run->spare);
    ff_vae_remember(run, &state->second, run->frame);
    if (merges)
        ff_vae_exchange(&run->frame, &run->spare);
    *frames = index % 2 == 0 ? 1 : 0;
    return status;
}

const ff_vae_layer_ops ff_vae_downsample_ops = {
    .resamples = true,
    .output = output,
    .input = input,
    .multiply_adds = multiply_adds,
    .count = count,
    .keep = keep,
    .run = run_downsample,
};
