// Which rows of its input a layer needs for some rows of its output: exactly, so that strips join without a seam.
#include "network.h"

ff_vae_window ff_vae_whole(size_t frames, size_t height, size_t width)
{
    return (ff_vae_window){frames, height, width, 0, height};
}

// `border` more rows above and below, inside the picture.
static ff_vae_window widen(ff_vae_window window, size_t border)
{
    size_t end = window.first + window.count;
    size_t above = window.first < border ? window.first : border;
    size_t below = window.height - end < border ? window.height - end : border;
    window.first -= above;
    window.count += above + below;
    return window;
}

ff_vae_window ff_vae_layer_output(const ff_vae_layer *layer, ff_vae_window in)
{
    if (layer->kind == FF_VAE_DOWNSAMPLE)
        return ff_vae_whole(layer->temporal ? 1 + (in.frames - 1) / 2 : in.frames, in.height / 2, in.width / 2);
    if (layer->kind == FF_VAE_UPSAMPLE)
        return ff_vae_whole(layer->temporal ? 1 + (in.frames - 1) * 2 : in.frames, in.height * 2, in.width * 2);
    return in;
}

ff_vae_window ff_vae_layer_between(const ff_vae_layer *layer, ff_vae_window out)
{
    if (layer->kind == FF_VAE_RESIDUAL || layer->kind == FF_VAE_UPSAMPLE)
        return widen(out, 1);  // the reach of their second convolution, 3x3
    return out;
}

ff_vae_window ff_vae_layer_input(const ff_vae_layer *layer, ff_vae_window out)
{
    ff_vae_window between = ff_vae_layer_between(layer, out), in = out;
    switch (layer->kind) {
    case FF_VAE_CONVOLUTION:
    case FF_VAE_RESIDUAL:
        return widen(between, 1);
    case FF_VAE_ATTENTION:
        return ff_vae_whole(out.frames, out.height, out.width);
    case FF_VAE_DOWNSAMPLE:  // row y reads 2y to 2y + 2; the last of them is padding
        in = (ff_vae_window){out.frames, 2 * out.height, 2 * out.width, 2 * out.first, 2 * out.count + 1};
        if (in.first + in.count > in.height)
            in.count--;
        in.frames = layer->temporal ? 1 + (out.frames - 1) * 2 : out.frames;
        return in;
    case FF_VAE_UPSAMPLE: {  // row y of the doubled frame is row y / 2
        size_t last = (between.first + between.count - 1) / 2;
        in = (ff_vae_window){out.frames, out.height / 2, out.width / 2, between.first / 2, 0};
        in.count = last - in.first + 1;
        in.frames = layer->temporal ? 1 + (out.frames - 1) / 2 : out.frames;
        return in;
    }
    case FF_VAE_LINEAR:
    case FF_VAE_BRANCH:        // whose shortcut needs no more than the layers beside it do
    case FF_VAE_AVERAGE_DOWN:
    case FF_VAE_REPEAT_UP:
        break;
    }
    return in;
}

ff_vae_window ff_vae_part_input(const ff_vae_part *part)
{
    ff_vae_window window = part->out;
    for (size_t i = part->end; i-- > part->first;)
        window = ff_vae_layer_input(&part->network->layers[i], window);
    return window;
}
