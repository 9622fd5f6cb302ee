// One function for each kind of layer, and the way of a frame through them.
//
// run->frame holds a layer's input x: [height, width, in_channels] and then its output; spare and spare2 hold what is
// between. Every function but the shortcuts follows the formula beside its kind in network.h.
//
// Where a strip is computed, a layer takes the rows state->in of a frame and puts out the rows state->out. Beyond the
// rows it takes there are zeros only at the picture's border, where they are the padding.
#include "network.h"

#include <math.h>

#include "../weights/linear.h"

// ---- feature caches ----

// The frame that came `age` frames before the newest; NULL, which stands for zeros, if there was none.
static const float *recall(const ff_vae_history *history, size_t age)
{
    return age < history->seen ? history->frames[(history->seen - 1 - age) % history->capacity] : NULL;
}

static void remember(ff_vae_run *run, ff_vae_history *history, const float *frame)
{
    if (history->capacity == 0)  // no frame follows
        return;
    run->kernels->copy(run->kernels, history->floats, frame, history->frames[history->seen % history->capacity]);
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
    // the first rows of the weight: the encoder wants the means that quant_conv puts before the variances
    const ff_linear linear = {.weight = {.data = convolution->weight.data, .dtype = convolution->weight.dtype,
                                         .rank = 2, .shape = {convolution->out_channels, convolution->in_channels}},
                              .bias = convolution->bias};
    return computed(run, ff_linear_apply(&linear, run->kernels, pixels, x, NULL, out));
}

static size_t pixels_of(const ff_vae_window *window)
{
    return window->count * window->width;
}

// Rows `out` of one frame from rows `in` of kernel_t frames, each [rows, width, in_channels]; the borders are zeros.
// stride 1: out has the same size. stride 2: half of it, padded at the right and below only.
static ff_status apply_convolution(ff_vae_run *run, const ff_vae_convolution *convolution, const ff_vae_window *in,
                                   const ff_vae_window *out, size_t stride, const float *const *frames, float *to)
{
    size_t padding = stride == 1 ? convolution->kernel_s / 2 : 0;
    return computed(run, run->kernels->convolution(run->kernels, &(ff_convolution){
        .in_channels = convolution->in_channels, .in_height = in->count, .in_width = in->width,
        .out_channels = convolution->out_channels,
        .out_frames = 1, .out_height = out->count, .out_width = out->width,
        .kernel_t = convolution->kernel_t, .kernel_h = convolution->kernel_s, .kernel_w = convolution->kernel_s,
        .stride_t = 1, .stride_h = stride, .stride_w = stride,
        .pad_top = padding - (out->first * stride - in->first), .pad_left = padding,
        .frames = frames,
        .weight = {convolution->weight.data, convolution->weight.dtype},
        .bias = convolution->bias,
        .out = to,
    }));
}

// Convolves x with the two frames before it, then remembers x.
static ff_status apply_causal(ff_vae_run *run, const ff_vae_convolution *convolution, ff_vae_history *history,
                              const ff_vae_window *in, const ff_vae_window *out, const float *x, float *to)
{
    const float *frames[3] = {recall(history, 1), recall(history, 0), x};
    ff_status status = apply_convolution(run, convolution, in, out, 1, frames, to);
    remember(run, history, x);
    return status;
}

static void exchange(float **a, float **b)
{
    float *before = *a;
    *a = *b;
    *b = before;
}

// ---- layers ----

static ff_status pointwise(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state)
{
    ff_status status = apply_linear(run, &layer->first, pixels_of(&state->in), run->frame, run->spare);
    exchange(&run->frame, &run->spare);
    return status;
}

static ff_status convolution(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state)
{
    if (layer->norm1)
        run->kernels->channel_norm(run->kernels, pixels_of(&state->in), layer->in_channels, run->frame, layer->norm1,
                                   true, run->frame);
    ff_status status =
        apply_causal(run, &layer->first, &state->first, &state->in, &state->out, run->frame, run->spare);
    exchange(&run->frame, &run->spare);
    return status;
}

static ff_status residual(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state)
{
    const ff_vae_window *in = &state->in, *between = &state->between, *end = &state->out;
    const float *x = run->frame + (end->first - in->first) * in->width * layer->in_channels;  // from row end->first on
    float *normed = run->spare, *hidden = run->spare2, *out = run->spare, *shortcut = run->spare2;
    ff_status status;

    run->kernels->channel_norm(run->kernels, pixels_of(in), layer->in_channels, run->frame, layer->norm1, true, normed);
    if ((status = apply_causal(run, &layer->first, &state->first, in, between, normed, hidden)))
        return status;
    run->kernels->channel_norm(run->kernels, pixels_of(between), layer->out_channels, hidden, layer->norm2, true,
                               hidden);
    if ((status = apply_causal(run, &layer->second, &state->second, between, end, hidden, out)))
        return status;
    if (layer->shortcut.weight.data) {
        if ((status = apply_linear(run, &layer->shortcut, pixels_of(end), x, shortcut)))
            return status;
        x = shortcut;
    }
    run->kernels->add(run->kernels, pixels_of(end) * layer->out_channels, out, x, out);
    exchange(&run->frame, &run->spare);
    return FF_OK;
}

// One head as wide as the channels; each frame for itself. Queries, keys and values lie side by side.
static ff_attention attention_among(const ff_vae_run *run, size_t pixels, size_t channels)
{
    return (ff_attention){
        .queries = pixels, .keys = pixels, .heads = 1, .head_dim = channels,
        .q_stride = 3 * channels, .k_stride = 3 * channels, .v_stride = 3 * channels,
        .scale = (float)(1.0 / sqrt((double)channels)),
    };
}

static ff_status attention(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state)
{
    size_t pixels = pixels_of(&state->in), channels = layer->in_channels;
    float *normed = run->spare, *qkv = run->spare2, *attended = run->spare, *projected = run->spare2;
    ff_status status;

    run->kernels->channel_norm(run->kernels, pixels, channels, run->frame, layer->norm1, false, normed);
    if ((status = apply_linear(run, &layer->first, pixels, normed, qkv)))
        return status;
    ff_attention p = attention_among(run, pixels, channels);
    p.q = qkv;
    p.k = qkv + channels;
    p.v = qkv + 2 * channels;
    p.out = attended;
    status = computed(run, run->kernels->attention(run->kernels, &p));
    if (status || (status = apply_linear(run, &layer->second, pixels, attended, projected)))
        return status;
    run->kernels->add(run->kernels, pixels * channels, projected, run->frame, run->frame);
    return FF_OK;
}

// The first frame passes alone; of those after it, two become one. *whole is false after the first of two.
static ff_status downsample(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, bool *whole)
{
    ff_status status = apply_convolution(run, &layer->first, &state->in, &state->out, 2,
                                         (const float *const[]){run->frame}, run->spare);
    *whole = true;
    exchange(&run->frame, &run->spare);
    if (status || !layer->temporal)
        return status;

    size_t index = state->second.seen;
    const float *frames[3] = {recall(&state->second, 1), recall(&state->second, 0), run->frame};
    bool merges = index > 0 && index % 2 == 0;
    if (merges)
        status = apply_convolution(run, &layer->second, &state->out, &state->out, 1, frames, run->spare);
    remember(run, &state->second, run->frame);
    if (merges)
        exchange(&run->frame, &run->spare);
    *whole = index % 2 == 0;
    return status;
}

static ff_status upsample(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state, const float *x,
                          size_t stride)
{
    const ff_vae_window *in = &state->in, *doubled = &state->between;
    run->kernels->double_size(run->kernels, &(ff_double_size){
        .first = doubled->first, .rows = doubled->count, .width = doubled->width,
        .channels = layer->in_channels, .stride = stride,
        .x = x + (doubled->first / 2 - in->first) * in->width * stride,
        .out = run->spare,
    });
    ff_status status = apply_convolution(run, &layer->first, &state->between, &state->out, 1,
                                         (const float *const[]){run->spare}, run->spare2);
    exchange(&run->frame, &run->spare2);
    return status;
}

// A frame after the first becomes two, its earlier and its later half: the two halves of the channels of a causal
// convolution, which does not see the first frame. Each goes its way through the layers that follow.
static ff_status upsample_pair(ff_vae_run *run, size_t index)
{
    const ff_vae_layer *layer = &run->part.network->layers[index];
    ff_vae_state *state = &run->states[index];
    ff_status status =
        apply_causal(run, &layer->second, &state->second, &state->in, &state->in, run->frame, state->pair);
    for (size_t half = 0; half < 2 && status == FF_OK; half++) {
        status = upsample(run, layer, state, state->pair + half * layer->in_channels, 2 * layer->in_channels);
        if (status == FF_OK)
            status = ff_vae_tap_stage(run, index);
        if (status == FF_OK)
            status = ff_vae_run_frame(run, index + 1);
    }
    return status;
}

// ---- shortcuts ----

// A frame before the first is zeros.
static void average_down(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state)
{
    const ff_vae_state *branch = &run->states[layer->branch];
    size_t factor_t = layer->temporal ? 2 : 1, factor_s = layer->spatial ? 2 : 1;
    size_t skipped = (state->out.first * factor_s - branch->out.first) * branch->out.width * layer->in_channels;
    const float *frames[2] = {0};
    for (size_t time = 0; time < factor_t; time++) {
        const float *frame = recall(&branch->first, factor_t - 1 - time);
        frames[time] = frame ? frame + skipped : NULL;
    }
    run->kernels->average_down(run->kernels, &(ff_average_down){
        .rows = state->out.count, .width = state->out.width,
        .in_channels = layer->in_channels, .out_channels = layer->out_channels,
        .factor_t = factor_t, .factor_s = factor_s,
        .frames = {frames[0], frames[1]},
        .out = run->frame,
    });
}

// The first frame takes the place of the later of two.
static void repeat_up(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state)
{
    const ff_vae_state *branch = &run->states[layer->branch];
    size_t factor_t = layer->temporal ? 2 : 1;
    run->kernels->repeat_up(run->kernels, &(ff_repeat_up){
        .first = state->out.first, .rows = state->out.count, .width = state->out.width,
        .in_channels = layer->in_channels, .out_channels = layer->out_channels,
        .factor_t = factor_t, .time = state->seen == 0 ? factor_t - 1 : (state->seen - 1) % factor_t,
        .x = recall(&branch->first, 0) +
             (state->out.first / 2 - branch->out.first) * branch->out.width * layer->in_channels,
        .out = run->frame,
    });
    state->seen++;
}

// ---- all layers ----

ff_status ff_vae_run_frame(ff_vae_run *run, size_t first)
{
    for (size_t i = first; i < run->part.end; i++) {
        const ff_vae_layer *layer = &run->part.network->layers[i];
        ff_vae_state *state = &run->states[i];
        ff_status status = FF_OK;
        bool whole = true;
        switch (layer->kind) {
        case FF_VAE_LINEAR: status = pointwise(run, layer, state); break;
        case FF_VAE_CONVOLUTION: status = convolution(run, layer, state); break;
        case FF_VAE_RESIDUAL: status = residual(run, layer, state); break;
        case FF_VAE_ATTENTION: status = attention(run, layer, state); break;
        case FF_VAE_DOWNSAMPLE: status = downsample(run, layer, state, &whole); break;
        case FF_VAE_UPSAMPLE:
            if (layer->temporal && state->seen++ > 0)
                return upsample_pair(run, i);
            status = upsample(run, layer, state, run->frame, layer->in_channels);
            break;
        case FF_VAE_BRANCH: remember(run, &state->first, run->frame); break;
        case FF_VAE_AVERAGE_DOWN: average_down(run, layer, state); break;
        case FF_VAE_REPEAT_UP: repeat_up(run, layer, state); break;
        }
        if (status || !whole || (status = ff_vae_tap_stage(run, i)))
            return status;
    }
    return run->emit(run, run->emitted++);
}

// ---- what the kernels pack ----

// Each product of a layer once, with a scratch that counts and so without operands.
static void count_layer(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_window in, ff_vae_window out)
{
    ff_vae_window between = ff_vae_layer_between(layer, out);
    switch (layer->kind) {
    case FF_VAE_LINEAR:
        apply_linear(run, &layer->first, pixels_of(&in), NULL, NULL);
        break;
    case FF_VAE_CONVOLUTION:
        apply_convolution(run, &layer->first, &in, &out, 1, NULL, NULL);
        break;
    case FF_VAE_RESIDUAL:
        apply_convolution(run, &layer->first, &in, &between, 1, NULL, NULL);
        apply_convolution(run, &layer->second, &between, &out, 1, NULL, NULL);
        if (layer->shortcut.weight.data)
            apply_linear(run, &layer->shortcut, pixels_of(&out), NULL, NULL);
        break;
    case FF_VAE_ATTENTION: {
        const ff_attention p = attention_among(run, pixels_of(&in), layer->in_channels);
        run->kernels->attention(run->kernels, &p);
        apply_linear(run, &layer->first, pixels_of(&in), NULL, NULL);
        apply_linear(run, &layer->second, pixels_of(&in), NULL, NULL);
        break;
    }
    case FF_VAE_DOWNSAMPLE:
        apply_convolution(run, &layer->first, &in, &out, 2, NULL, NULL);
        if (layer->temporal)
            apply_convolution(run, &layer->second, &out, &out, 1, NULL, NULL);
        break;
    case FF_VAE_UPSAMPLE:
        apply_convolution(run, &layer->first, &between, &out, 1, NULL, NULL);
        if (layer->temporal)
            apply_convolution(run, &layer->second, &in, &in, 1, NULL, NULL);
        break;
    case FF_VAE_BRANCH:
    case FF_VAE_AVERAGE_DOWN:
    case FF_VAE_REPEAT_UP:
        break;
    }
}

size_t ff_vae_part_scratch(const ff_vae_part *part, const ff_kernels *kernels)
{
    ff_scratch scratch;
    const ff_kernels counting = ff_kernels_counting(kernels, &scratch);
    ff_vae_run run = {.kernels = &counting};
    ff_vae_window out = part->out;
    for (size_t i = part->end; i-- > part->first;) {
        ff_vae_window in = ff_vae_layer_input(&part->network->layers[i], out);
        count_layer(&run, &part->network->layers[i], in, out);
        out = in;
    }
    return scratch.size;
}
