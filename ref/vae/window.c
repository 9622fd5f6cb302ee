// Which rows of its input a layer needs for some rows of its output: exactly, so that strips join without a seam.
#include "vae_layer.h"

ff_vae_window ff_vae_whole(ff_extent extent)
{
    return (ff_vae_window){extent, 0, extent.height};
}

ff_vae_window ff_vae_widen(ff_vae_window window, size_t border)
{
    size_t below = window.extent.height - (window.first + window.count), above = ff_smaller(window.first, border);
    window.first -= above;
    window.count += above + ff_smaller(below, border);
    return window;
}

ff_extent ff_vae_layer_output(const ff_vae_layer *layer, ff_extent in)
{
    return layer->ops->output ? layer->ops->output(layer, in) : in;
}

ff_vae_state ff_vae_layer_windows(const ff_vae_layer *layer, ff_vae_window out)
{
    const ff_vae_layer_ops *ops = layer->ops;
    return (ff_vae_state){.in = ops->input ? ops->input(layer, out) : out,
                          .between = ops->between ? ops->between(layer, out) : out,
                          .out = out};
}

ff_vae_window ff_vae_part_input(const ff_vae_part *part)
{
    ff_vae_window window = part->out;
    for (size_t i = part->end; i-- > part->first;)
        window = ff_vae_layer_windows(&part->network->layers[i], window).in;
    return window;
}
