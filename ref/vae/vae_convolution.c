// A convolution by itself.
//   linear:       1x1, of one frame                   first: it
//   convolution:  causal 3x3x3; with norm1, of SiLU(norm(x))   first: it
#include "vae_layer.h"

static double multiply_adds(const ff_vae_layer *layer, const ff_vae_state *state)
{
    return ff_vae_multiply_adds(&layer->first, &state->out, state->out.extent.frames);
}

// ---- linear ----

static ff_status run_linear(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, size_t *frames)
{
    ff_status status = ff_vae_apply_linear(run, &layer->first, ff_vae_pixels(&state->in), run->frame, run->spare);
    ff_vae_exchange(&run->frame, &run->spare);
    return status;
}

static void count_linear(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state)
{
    ff_vae_apply_linear(run, &layer->first, ff_vae_pixels(&state->in), NULL, NULL);
}

const ff_vae_layer_ops ff_vae_linear_ops = {
    .multiply_adds = multiply_adds,
    .count = count_linear,
    .run = run_linear,
};

// ---- causal convolution ----

static ff_vae_window input(const ff_vae_layer *layer, ff_vae_window out)
{
    return ff_vae_widen(out, 1);
}

static void keep(const ff_vae_layer *layer, ff_vae_room *room, ff_vae_state *state)
{
    state->first = ff_vae_take_history(room, state->in.extent.frames,
                                       ff_vae_frame_floats(&state->in, layer->in_channels));
}

static ff_status run_convolution(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, size_t *frames)
{
    if (layer->norm1)
        run->kernels->channel_norm(run->kernels, ff_vae_pixels(&state->in), layer->in_channels, run->frame,
                                   layer->norm1, true, run->frame);
    ff_status status = ff_vae_apply_causal(run, &layer->first, &state->first,
                                           (ff_vae_rows){&state->in, &state->out, 1}, run->frame, run->spare);
    ff_vae_exchange(&run->frame, &run->spare);
    return status;
}

static void count_convolution(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state)
{
    ff_vae_apply_convolution(run, &layer->first, (ff_vae_rows){&state->in, &state->out, 1}, NULL, NULL);
}

const ff_vae_layer_ops ff_vae_convolution_ops = {
    .input = input,
    .multiply_adds = multiply_adds,
    .count = count_convolution,
    .keep = keep,
    .run = run_convolution,
};
