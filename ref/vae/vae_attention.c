// Attention among the pixels of a frame: x + proj(softmax(q k^T / sqrt(channels)) v), q, k, v = to_qkv(norm1(x))
//   first: to_qkv   second: proj
#include "vae_layer.h"

#include <math.h>

static ff_vae_window input(const ff_vae_layer *layer, ff_vae_window out)
{
    return ff_vae_whole(out.extent);
}

static double multiply_adds(const ff_vae_layer *layer, const ff_vae_state *state)
{
    size_t frames = state->out.extent.frames;
    double keys = (double)ff_vae_pixels(&state->in), queries = (double)frames * (double)ff_vae_pixels(&state->out);
    return ff_vae_multiply_adds(&layer->first, &state->out, frames) +
           ff_vae_multiply_adds(&layer->second, &state->out, frames) +
           2 * queries * keys * (double)layer->in_channels;
}

// One head as wide as the channels; each frame for itself. Queries, keys and values lie side by side.
static ff_attention attention_among(size_t pixels, size_t channels)
{
    return (ff_attention){
        .queries = pixels, .keys = pixels, .heads = 1, .head_dim = channels,
        .q_stride = 3 * channels, .k_stride = 3 * channels, .v_stride = 3 * channels,
        .scale = (float)(1.0 / sqrt((double)channels)),
    };
}

static void count(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state)
{
    size_t pixels = ff_vae_pixels(&state->in);
    const ff_attention p = attention_among(pixels, layer->in_channels);
    run->kernels->attention(run->kernels, &p);
    ff_vae_apply_linear(run, &layer->first, pixels, NULL, NULL);
    ff_vae_apply_linear(run, &layer->second, pixels, NULL, NULL);
}

static size_t working_floats(const ff_vae_layer *layer, const ff_vae_state *state)
{
    return ff_vae_frame_floats(&state->in, 3 * layer->in_channels);  // queries, keys and values
}

static ff_status run_attention(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, size_t *frames)
{
    size_t pixels = ff_vae_pixels(&state->in), channels = layer->in_channels;
    float *normed = run->spare, *qkv = run->spare2, *attended = run->spare, *projected = run->spare2;
    ff_status status;

    run->kernels->channel_norm(run->kernels, pixels, channels, run->frame, layer->norm1, false, normed);
    if ((status = ff_vae_apply_linear(run, &layer->first, pixels, normed, qkv)))
        return status;
    ff_attention p = attention_among(pixels, channels);
    p.q = qkv;
    p.k = qkv + channels;
    p.v = qkv + 2 * channels;
    p.out = attended;
    status = ff_vae_computed(run, run->kernels->attention(run->kernels, &p));
    if (status || (status = ff_vae_apply_linear(run, &layer->second, pixels, attended, projected)))
        return status;
    run->kernels->add(run->kernels, pixels * channels, projected, run->frame, run->frame);
    return FF_OK;
}

const ff_vae_layer_ops ff_vae_attention_ops = {
    .all_rows = true,
    .input = input,
    .multiply_adds = multiply_adds,
    .count = count,
    .working_floats = working_floats,
    .run = run_attention,
};
