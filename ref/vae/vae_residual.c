// A residual block: shortcut(x) + conv2(SiLU(norm2(conv1(SiLU(norm1(x))))))
//   first: conv1   second: conv2   shortcut: conv_shortcut, if the channels change; else x itself
#include "vae_layer.h"

static ff_vae_window between(const ff_vae_layer *layer, ff_vae_window out)
{
    return ff_vae_widen(out, 1);  // the reach of conv2
}

static ff_vae_window input(const ff_vae_layer *layer, ff_vae_window out)
{
    return ff_vae_widen(out, 2);
}

static double multiply_adds(const ff_vae_layer *layer, const ff_vae_state *state)
{
    size_t frames = state->out.extent.frames;
    return ff_vae_multiply_adds(&layer->first, &state->between, frames) +
           ff_vae_multiply_adds(&layer->second, &state->out, frames) +
           ff_vae_multiply_adds(&layer->shortcut, &state->out, frames);
}

static void count(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state)
{
    ff_vae_apply_convolution(run, &layer->first, (ff_vae_rows){&state->in, &state->between, 1}, NULL, NULL);
    ff_vae_apply_convolution(run, &layer->second, (ff_vae_rows){&state->between, &state->out, 1}, NULL, NULL);
    if (layer->shortcut.weight.data)
        ff_vae_apply_linear(run, &layer->shortcut, ff_vae_pixels(&state->out), NULL, NULL);
}

static void keep(const ff_vae_layer *layer, ff_vae_room *room, ff_vae_state *state)
{
    size_t frames = state->in.extent.frames;
    state->first = ff_vae_take_history(room, frames, ff_vae_frame_floats(&state->in, layer->in_channels));
    state->second = ff_vae_take_history(room, frames, ff_vae_frame_floats(&state->between, layer->out_channels));
}

static size_t working_floats(const ff_vae_layer *layer, const ff_vae_state *state)
{
    return ff_larger(ff_vae_frame_floats(&state->in, layer->in_channels),
                     ff_vae_frame_floats(&state->between, layer->out_channels));
}

static ff_status run_block(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, size_t *frames)
{
    const ff_vae_window *in = &state->in, *middle = &state->between, *end = &state->out;
    const float *x = run->frame + (end->first - in->first) * in->extent.width * layer->in_channels;  // where end begins
    float *normed = run->spare, *hidden = run->spare2, *out = run->spare, *shortcut = run->spare2;
    ff_status status;

    run->kernels->channel_norm(run->kernels, ff_vae_pixels(in), layer->in_channels, run->frame, layer->norm1, true,
                               normed);
    if ((status = ff_vae_apply_causal(run, &layer->first, &state->first, (ff_vae_rows){in, middle, 1}, normed,
                                      hidden)))
        return status;
    run->kernels->channel_norm(run->kernels, ff_vae_pixels(middle), layer->out_channels, hidden, layer->norm2, true,
                               hidden);
    if ((status = ff_vae_apply_causal(run, &layer->second, &state->second, (ff_vae_rows){middle, end, 1}, hidden,
                                      out)))
        return status;
    if (layer->shortcut.weight.data) {
        if ((status = ff_vae_apply_linear(run, &layer->shortcut, ff_vae_pixels(end), x, shortcut)))
            return status;
        x = shortcut;
    }
    run->kernels->add(run->kernels, ff_vae_pixels(end) * layer->out_channels, out, x, out);
    ff_vae_exchange(&run->frame, &run->spare);
    return FF_OK;
}

const ff_vae_layer_ops ff_vae_residual_ops = {
    .input = input,
    .between = between,
    .multiply_adds = multiply_adds,
    .count = count,
    .keep = keep,
    .working_floats = working_floats,
    .run = run_block,
};
