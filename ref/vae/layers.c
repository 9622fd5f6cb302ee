// The way of a frame through the layers, and what the layers' kinds are written with.
#include "vae_layer.h"

#include "../weights/linear.h"

// ---- feature caches ----

ff_vae_history ff_vae_take_history(ff_vae_room *room, size_t frames, size_t floats)
{
    ff_vae_history history = {.capacity = frames > 2 ? 2 : frames - 1, .floats = floats};
    for (size_t i = 0; i < history.capacity; i++)
        history.frames[i] = ff_vae_take(room, floats, sizeof(float));
    return history;
}

const float *ff_vae_recall(const ff_vae_history *history, size_t age)
{
    return age < history->seen ? history->frames[(history->seen - 1 - age) % history->capacity] : NULL;
}

void ff_vae_remember(ff_vae_run *run, ff_vae_history *history, const float *frame)
{
    if (history->capacity == 0)  // no frame follows
        return;
    run->kernels->copy(run->kernels, history->floats, frame, history->frames[history->seen % history->capacity]);
    history->seen++;
}

// ---- products ----

ff_status ff_vae_computed(ff_vae_run *run, ff_status status)
{
    return status ? ff_fail(run->error, status, "not enough memory for a product in the VAE") : FF_OK;
}

ff_status ff_vae_apply_linear(ff_vae_run *run, const ff_vae_convolution *convolution, size_t pixels, const float *x,
                              float *out)
{
    // the first rows of the weight: the encoder wants the means that quant_conv puts before the variances
    ff_linear linear = {.weight = convolution->weight, .bias = convolution->bias};
    linear.weight.shape[0] = convolution->out_channels;
    return ff_vae_computed(run, ff_linear_apply(&linear, run->kernels, pixels, x, NULL, out));
}

ff_status ff_vae_apply_convolution(ff_vae_run *run, const ff_vae_convolution *convolution, ff_vae_rows rows,
                                   const float *const *frames, float *to)
{
    const ff_vae_window *in = rows.in, *out = rows.out;
    size_t stride = rows.stride, padding = stride == 1 ? convolution->kernel_s / 2 : 0;
    return ff_vae_computed(run, run->kernels->convolution(run->kernels, &(ff_convolution){
        .in_channels = convolution->in_channels, .in_height = in->count, .in_width = in->extent.width,
        .out_channels = convolution->out_channels,
        .out_frames = 1, .out_height = out->count, .out_width = out->extent.width,
        .kernel_t = convolution->kernel_t, .kernel_h = convolution->kernel_s, .kernel_w = convolution->kernel_s,
        .stride_t = 1, .stride_h = stride, .stride_w = stride,
        .pad_top = padding - (out->first * stride - in->first), .pad_left = padding,
        .frames = frames,
        .weight = ff_weight_operand(&convolution->weight),
        .bias = convolution->bias,
        .out = to,
    }));
}

ff_status ff_vae_apply_causal(ff_vae_run *run, const ff_vae_convolution *convolution, ff_vae_history *history,
                              ff_vae_rows rows, const float *x, float *to)
{
    const float *frames[3] = {ff_vae_recall(history, 1), ff_vae_recall(history, 0), x};
    ff_status status = ff_vae_apply_convolution(run, convolution, rows, frames, to);
    ff_vae_remember(run, history, x);
    return status;
}

// ---- all layers ----

ff_status ff_vae_run_frame(ff_vae_run *run, size_t first)
{
    for (size_t i = first; i < run->part.end; i++) {
        const ff_vae_layer *layer = &run->part.network->layers[i];
        ff_vae_state *state = &run->states[i];
        size_t frames = 1;
        ff_status status = layer->ops->run(run, layer, state, &frames);
        if (frames != 1) {  // none, or several: each passes all layers that follow
            for (size_t piece = 0; piece < frames && status == FF_OK; piece++)
                if (!(status = layer->ops->piece(run, layer, state, piece)) && !(status = ff_vae_tap_stage(run, i)))
                    status = ff_vae_run_frame(run, i + 1);
            return status;
        }
        if (status || (status = ff_vae_tap_stage(run, i)))
            return status;
    }
    return run->emit(run, run->emitted++);
}
