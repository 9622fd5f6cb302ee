// One function for each kind of layer, and the way of a frame through them.
//
// run->frame holds a layer's input x: [height, width, in_channels] and then its output; spare and spare2 hold what is
// between. Every function but the shortcuts follows the formula beside its kind in network.h.
#include "network.h"

#include <math.h>
#include <string.h>

// ---- feature caches ----

// The frame that came `age` frames before the newest; NULL, which stands for zeros, if there was none.
static const float *recall(const ff_vae_history *history, size_t age)
{
    return age < history->seen ? history->frames[(history->seen - 1 - age) % history->capacity] : NULL;
}

static void remember(ff_vae_history *history, const float *frame)
{
    memcpy(history->frames[history->seen % history->capacity], frame, history->floats * sizeof *frame);
    history->seen++;
}

// ---- products ----

static ff_status computed(ff_vae_run *run, ff_status status)
{
    return status ? ff_fail(run->error, status, "not enough memory for a product in the VAE") : FF_OK;
}

// 1x1 convolution: out[pixel] = weight x[pixel] + bias
static ff_status apply_linear(ff_vae_run *run, const ff_vae_convolution *convolution, size_t pixels, const float *x,
                              float *out)
{
    return computed(run, run->kernels->matmul(&(ff_matmul){
        .rows = pixels, .columns = convolution->out_channels, .depth = convolution->in_channels,
        .a = x, .a_stride = convolution->in_channels,
        .b = convolution->weight.data, .b_dtype = convolution->weight.dtype,
        .bias = convolution->bias,
        .out = out, .out_stride = convolution->out_channels,
    }));
}

// One frame out of kernel_t frames in, each [height, width, in_channels]; the borders are zeros.
// stride 1: out has the same size. stride 2: half of it, padded at the right and below only.
static ff_status apply_convolution(ff_vae_run *run, const ff_vae_convolution *convolution, size_t height, size_t width,
                                   size_t stride, const float *const *frames, float *out)
{
    size_t padding = stride == 1 ? convolution->kernel_s / 2 : 0;
    return computed(run, run->kernels->convolution(&(ff_convolution){
        .in_channels = convolution->in_channels, .in_height = height, .in_width = width,
        .out_channels = convolution->out_channels,
        .out_frames = 1, .out_height = height / stride, .out_width = width / stride,
        .kernel_t = convolution->kernel_t, .kernel_h = convolution->kernel_s, .kernel_w = convolution->kernel_s,
        .stride_t = 1, .stride_h = stride, .stride_w = stride,
        .pad_top = padding, .pad_left = padding,
        .frames = frames,
        .weight = convolution->weight.data, .weight_dtype = convolution->weight.dtype,
        .bias = convolution->bias,
        .out = out,
    }));
}

// Convolves x with the two frames before it, then remembers x.
static ff_status apply_causal(ff_vae_run *run, const ff_vae_convolution *convolution, ff_vae_history *history,
                              size_t height, size_t width, const float *x, float *out)
{
    const float *frames[3] = {recall(history, 1), recall(history, 0), x};
    ff_status status = apply_convolution(run, convolution, height, width, 1, frames, out);
    remember(history, x);
    return status;
}

static void exchange(float **a, float **b)
{
    float *before = *a;
    *a = *b;
    *b = before;
}

// ---- layers ----

static ff_status linear(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state)
{
    ff_status status = apply_linear(run, &layer->first, state->height * state->width, run->frame, run->spare);
    exchange(&run->frame, &run->spare);
    return status;
}

static ff_status convolution(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state)
{
    if (layer->norm1)
        run->kernels->channel_norm(state->height * state->width, layer->in_channels, run->frame, layer->norm1, true,
                                   run->frame);
    ff_status status =
        apply_causal(run, &layer->first, &state->first, state->height, state->width, run->frame, run->spare);
    exchange(&run->frame, &run->spare);
    return status;
}

static ff_status residual(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state)
{
    size_t height = state->height, width = state->width, pixels = height * width;
    const float *x = run->frame;
    float *normed = run->spare, *hidden = run->spare2, *out = run->spare, *shortcut = run->spare2;
    ff_status status;

    run->kernels->channel_norm(pixels, layer->in_channels, x, layer->norm1, true, normed);
    if ((status = apply_causal(run, &layer->first, &state->first, height, width, normed, hidden)))
        return status;
    run->kernels->channel_norm(pixels, layer->out_channels, hidden, layer->norm2, true, hidden);
    if ((status = apply_causal(run, &layer->second, &state->second, height, width, hidden, out)))
        return status;
    if (layer->shortcut.weight.data) {
        if ((status = apply_linear(run, &layer->shortcut, pixels, x, shortcut)))
            return status;
        x = shortcut;
    }
    run->kernels->add(pixels * layer->out_channels, out, x, out);
    exchange(&run->frame, &run->spare);
    return FF_OK;
}

// One head as wide as the channels; each frame for itself.
static ff_status attention(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state)
{
    size_t pixels = state->height * state->width, channels = layer->in_channels;
    float *normed = run->spare, *qkv = run->spare2, *attended = run->spare, *projected = run->spare2;
    ff_status status;

    run->kernels->channel_norm(pixels, channels, run->frame, layer->norm1, false, normed);
    if ((status = apply_linear(run, &layer->first, pixels, normed, qkv)))
        return status;
    status = computed(run, run->kernels->attention(&(ff_attention){
        .queries = pixels, .keys = pixels, .heads = 1, .head_dim = channels,
        .q = qkv, .k = qkv + channels, .v = qkv + 2 * channels,
        .q_stride = 3 * channels, .k_stride = 3 * channels, .v_stride = 3 * channels,
        .scale = (float)(1.0 / sqrt((double)channels)),
        .out = attended,
    }));
    if (status || (status = apply_linear(run, &layer->second, pixels, attended, projected)))
        return status;
    run->kernels->add(pixels * channels, projected, run->frame, run->frame);
    return FF_OK;
}

// The first frame passes alone; of those after it, two become one. *whole is false after the first of two.
static ff_status downsample(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, bool *whole)
{
    ff_status status = apply_convolution(run, &layer->first, state->height, state->width, 2,
                                         (const float *const[]){run->frame}, run->spare);
    *whole = true;
    exchange(&run->frame, &run->spare);
    if (status || !layer->temporal)
        return status;

    size_t index = state->second.seen;
    const float *frames[3] = {recall(&state->second, 1), recall(&state->second, 0), run->frame};
    bool merges = index > 0 && index % 2 == 0;
    if (merges)
        status = apply_convolution(run, &layer->second, state->height / 2, state->width / 2, 1, frames, run->spare);
    remember(&state->second, run->frame);
    if (merges)
        exchange(&run->frame, &run->spare);
    *whole = index % 2 == 0;
    return status;
}

// Nearest-exact: each of x: [height, width, channels], pixels `stride` apart, becomes 2 by 2 of them in out.
static void double_size(size_t height, size_t width, size_t channels, size_t stride, const float *x, float *out)
{
    for (size_t y = 0; y < 2 * height; y++)
        for (size_t column = 0; column < 2 * width; column++, out += channels)
            memcpy(out, x + (y / 2 * width + column / 2) * stride, channels * sizeof *out);
}

static ff_status upsample(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state, const float *x,
                          size_t stride)
{
    double_size(state->height, state->width, layer->in_channels, stride, x, run->spare);
    ff_status status = apply_convolution(run, &layer->first, 2 * state->height, 2 * state->width, 1,
                                         (const float *const[]){run->spare}, run->spare2);
    exchange(&run->frame, &run->spare2);
    return status;
}

// A frame after the first becomes two, its earlier and its later half: the two halves of the channels of a causal
// convolution, which does not see the first frame. Each goes its way through the layers that follow.
static ff_status upsample_pair(ff_vae_run *run, size_t index)
{
    const ff_vae_layer *layer = &run->network->layers[index];
    ff_vae_state *state = &run->states[index];
    ff_status status = apply_causal(run, &layer->second, &state->second, state->height, state->width, run->frame,
                                    state->pair);
    for (size_t half = 0; half < 2 && status == FF_OK; half++) {
        status = upsample(run, layer, state, state->pair + half * layer->in_channels, 2 * layer->in_channels);
        if (status == FF_OK)
            status = ff_vae_run_frame(run, index + 1);
    }
    return status;
}

// ---- shortcuts ----
// The values that meet in one pixel of the smaller frame are numbered by channel, then time, row and column. AvgDown3D
// averages each `group` of them that follow each other; DupUp3D gives each channel to `repeats` of them.

// The mean is a plain sum from +0, in order, divided by the group's size. A frame before the first is zeros.
static void average_down(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state)
{
    const ff_vae_state *branch = &run->states[layer->branch];
    size_t factor_t = layer->temporal ? 2 : 1, factor_s = layer->spatial ? 2 : 1;
    size_t in_channels = layer->in_channels, out_channels = layer->out_channels;
    size_t group = in_channels * factor_t * factor_s * factor_s / out_channels;
    float *out = run->frame;
    for (size_t y = 0; y < state->height; y++)
        for (size_t x = 0; x < state->width; x++)
            for (size_t channel = 0; channel < out_channels; channel++, out++) {
                float sum = 0;
                for (size_t i = channel * group; i < (channel + 1) * group; i++) {
                    size_t column = x * factor_s + i % factor_s;
                    size_t row = y * factor_s + i / factor_s % factor_s;
                    size_t time = i / (factor_s * factor_s) % factor_t;
                    size_t from = i / (factor_s * factor_s * factor_t);
                    const float *frame = recall(&branch->first, factor_t - 1 - time);
                    sum += frame ? frame[(row * branch->width + column) * in_channels + from] : 0;
                }
                *out += sum / (float)group;
            }
}

// The first frame takes the place of the later of two.
static void repeat_up(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state)
{
    const ff_vae_state *branch = &run->states[layer->branch];
    const float *frame = recall(&branch->first, 0);
    size_t factor_t = layer->temporal ? 2 : 1;
    size_t time = state->seen == 0 ? factor_t - 1 : (state->seen - 1) % factor_t;
    size_t repeats = layer->out_channels * factor_t * 4 / layer->in_channels;
    float *out = run->frame;
    for (size_t y = 0; y < state->height; y++)
        for (size_t x = 0; x < state->width; x++) {
            const float *pixel = frame + (y / 2 * branch->width + x / 2) * layer->in_channels;
            for (size_t channel = 0; channel < layer->out_channels; channel++, out++)
                *out += pixel[(((channel * factor_t + time) * 2 + y % 2) * 2 + x % 2) / repeats];
        }
    state->seen++;
}

// ---- all layers ----

ff_status ff_vae_run_frame(ff_vae_run *run, size_t first)
{
    for (size_t i = first; i < run->network->count; i++) {
        const ff_vae_layer *layer = &run->network->layers[i];
        ff_vae_state *state = &run->states[i];
        ff_status status = FF_OK;
        bool whole = true;
        switch (layer->kind) {
        case FF_VAE_LINEAR: status = linear(run, layer, state); break;
        case FF_VAE_CONVOLUTION: status = convolution(run, layer, state); break;
        case FF_VAE_RESIDUAL: status = residual(run, layer, state); break;
        case FF_VAE_ATTENTION: status = attention(run, layer, state); break;
        case FF_VAE_DOWNSAMPLE: status = downsample(run, layer, state, &whole); break;
        case FF_VAE_UPSAMPLE:
            if (layer->temporal && state->seen++ > 0)
                return upsample_pair(run, i);
            status = upsample(run, layer, state, run->frame, layer->in_channels);
            break;
        case FF_VAE_BRANCH: remember(&state->first, run->frame); break;
        case FF_VAE_AVERAGE_DOWN: average_down(run, layer, state); break;
        case FF_VAE_REPEAT_UP: repeat_up(run, layer, state); break;
        }
        if (status || !whole)
            return status;
    }
    return run->emit(run);
}
