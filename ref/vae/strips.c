// Where a network is cut into a middle and strips, and how many strips a run takes.
//
// Memory goes to the large frames far from the latents: a feature cache of each of their convolutions, for every pixel.
// Computing them in strips divides that. A strip takes in, beyond its own rows, all rows its receptive field reaches
// and computes them again, so that it puts out the bits of a whole frame; few strips, few rows twice. Attention reaches
// every row, so the layers around it, which hold little and cost little, stay whole.
#include "strips.h"

#include "vae_layer.h"

#define MOST_STRIPS 64

// The layer after the sampler (and its shortcut) that is nearest to the latents among those between the pixels and the
// first layer that needs all rows. Without one, the network's end at the pixels: the middle is all there is.
static size_t find_cut(const ff_vae_network *network, bool decoder)
{
    size_t count = network->count, cut = decoder ? count : 0;
    for (size_t passed = 0; passed < count; passed++) {
        size_t i = decoder ? count - 1 - passed : passed;
        const ff_vae_layer_ops *ops = network->layers[i].ops;
        if (ops->all_rows)
            break;
        if (ops->resamples)
            cut = i + 1 < count && network->layers[i + 1].ops->joins ? i + 2 : i + 1;
    }
    return cut;
}

ff_vae_part ff_vae_strips_all(const ff_vae_strips *strips)
{
    return (ff_vae_part){strips->network, 0, strips->network->count, ff_vae_whole(strips->out)};
}

ff_vae_part ff_vae_strips_middle(const ff_vae_strips *strips)
{
    if (strips->decoder)
        return (ff_vae_part){strips->network, 0, strips->cut, ff_vae_whole(strips->at_cut)};
    return (ff_vae_part){strips->network, strips->cut, strips->network->count, ff_vae_whole(strips->out)};
}

// Strips divide the rows at the cut evenly.
ff_vae_part ff_vae_strips_strip(const ff_vae_strips *strips, size_t i)
{
    ff_vae_window out = ff_vae_whole(strips->decoder ? strips->out : strips->at_cut);
    size_t scale = out.extent.height / strips->at_cut.height;
    size_t first = strips->at_cut.height * i / strips->count, end = strips->at_cut.height * (i + 1) / strips->count;
    out.first = first * scale;
    out.count = (end - first) * scale;
    if (strips->decoder)
        return (ff_vae_part){strips->network, strips->cut, strips->network->count, out};
    return (ff_vae_part){strips->network, 0, strips->cut, out};
}

size_t ff_vae_strips_row_floats(const ff_vae_strips *strips)
{
    return strips->network->layers[strips->cut - 1].out_channels * strips->at_cut.width;
}

static size_t part_memory(ff_vae_part part)
{
    ff_vae_run run;
    size_t bytes;
    return ff_vae_run_prepare(&run, &part, NULL, &bytes, NULL) ? SIZE_MAX : bytes;
}

size_t ff_vae_strips_frame_floats(const ff_vae_strips *strips)
{
    size_t channels = strips->network->layers[strips->network->count - 1].out_channels, floats = SIZE_MAX;
    if (!ff_multiply_sizes(channels, strips->out.height, &floats) ||
        !ff_multiply_sizes(floats, strips->out.width, &floats))
        return SIZE_MAX;
    return floats;
}

// The larger of what the middle takes and `most` bytes, and the frame that a decoder's strips are put together in.
static size_t with_frame(const ff_vae_strips *strips, size_t most)
{
    size_t bytes = ff_larger(part_memory(ff_vae_strips_middle(strips)), most), frame = 0;
    if (strips->decoder && (!ff_multiply_sizes(ff_vae_strips_frame_floats(strips), sizeof(float), &frame) ||
                            !ff_add_sizes(frame, 63, &frame)))
        return SIZE_MAX;
    return ff_add_sizes(bytes, frame & ~(size_t)63, &bytes) ? bytes : SIZE_MAX;
}

size_t ff_vae_strips_memory(const ff_vae_strips *strips)
{
    size_t most = 0;
    if (strips->count == 1)
        return part_memory(ff_vae_strips_all(strips));
    for (size_t i = 0; i < strips->count; i++)
        most = ff_larger(most, part_memory(ff_vae_strips_strip(strips, i)));
    return with_frame(strips, most);
}

double ff_vae_strips_flop(const ff_vae_strips *strips)
{
    ff_vae_part part = strips->count == 1 ? ff_vae_strips_all(strips) : ff_vae_strips_middle(strips);
    double flop = ff_vae_part_flop(&part);
    for (size_t i = 0; strips->count > 1 && i < strips->count; i++) {
        part = ff_vae_strips_strip(strips, i);
        flop += ff_vae_part_flop(&part);
    }
    return flop;
}

size_t ff_vae_strips_scratch(const ff_vae_strips *strips, const ff_kernels *kernels)
{
    ff_vae_part part = strips->count == 1 ? ff_vae_strips_all(strips) : ff_vae_strips_middle(strips);
    size_t most = ff_vae_part_scratch(&part, kernels);
    for (size_t i = 0; strips->count > 1 && i < strips->count; i++) {
        part = ff_vae_strips_strip(strips, i);
        most = ff_larger(most, ff_vae_part_scratch(&part, kernels));
    }
    return most;
}

ff_vae_strips ff_vae_strips_plan(const ff_vae_network *network, bool decoder, ff_extent in, size_t count)
{
    ff_vae_strips strips = {
        .network = network, .decoder = decoder, .cut = find_cut(network, decoder), .out = in, .count = 1};
    for (size_t i = 0; i < network->count; i++) {
        if (i == strips.cut)
            strips.at_cut = strips.out;
        strips.out = ff_vae_layer_output(&network->layers[i], strips.out);
    }
    if (strips.cut == 0 || strips.cut == network->count)
        return strips;
    size_t rows = strips.at_cut.height, most = rows < MOST_STRIPS ? rows : MOST_STRIPS;
    if (count > 0) {
        strips.count = count < rows ? count : rows;
        return strips;
    }
    size_t memory = ff_larger(FF_VAE_MEMORY, with_frame(&strips, 0));
    while (strips.count < most && ff_vae_strips_memory(&strips) > memory)
        strips.count++;
    return strips;
}
