// What a run takes: operations and memory.
#include "network.h"

// ---- extents and operations ----

ff_vae_extent ff_vae_layer_extent(const ff_vae_layer *layer, ff_vae_extent in)
{
    if (layer->kind == FF_VAE_DOWNSAMPLE)
        return (ff_vae_extent){layer->temporal ? 1 + (in.frames - 1) / 2 : in.frames, in.height / 2, in.width / 2};
    if (layer->kind == FF_VAE_UPSAMPLE)
        return (ff_vae_extent){layer->temporal ? 1 + (in.frames - 1) * 2 : in.frames, in.height * 2, in.width * 2};
    return in;
}

static double pixels(ff_vae_extent extent)
{
    return (double)extent.frames * (double)extent.height * (double)extent.width;
}

// Multiply-adds of a convolution that puts out so many pixels.
static double multiply_adds(const ff_vae_convolution *convolution, double out_pixels)
{
    double taps = (double)(convolution->kernel_t * convolution->kernel_s * convolution->kernel_s);
    return out_pixels * taps * (double)convolution->in_channels * (double)convolution->out_channels;
}

double ff_vae_network_flop(const ff_vae_network *network, ff_vae_extent extent)
{
    double total = 0;
    for (size_t i = 0; i < network->count; i++) {
        const ff_vae_layer *layer = &network->layers[i];
        ff_vae_extent out = ff_vae_layer_extent(layer, extent);
        ff_vae_extent doubled = {extent.frames - 1, extent.height, extent.width};
        ff_vae_extent merged = {out.frames - 1, out.height, out.width};
        ff_vae_extent shrunk = {extent.frames, out.height, out.width};
        double keys = (double)extent.height * (double)extent.width;
        switch (layer->kind) {
        case FF_VAE_LINEAR:
        case FF_VAE_CONVOLUTION:
        case FF_VAE_RESIDUAL:
            total += multiply_adds(&layer->first, pixels(extent)) + multiply_adds(&layer->second, pixels(extent)) +
                     multiply_adds(&layer->shortcut, pixels(extent));
            break;
        case FF_VAE_ATTENTION:
            total += multiply_adds(&layer->first, pixels(extent)) + multiply_adds(&layer->second, pixels(extent)) +
                     2 * pixels(extent) * keys * (double)layer->in_channels;
            break;
        case FF_VAE_DOWNSAMPLE:  // in space before in time; the first frame is not merged
            total += multiply_adds(&layer->first, pixels(shrunk)) + multiply_adds(&layer->second, pixels(merged));
            break;
        case FF_VAE_UPSAMPLE:    // in time before in space; the first frame is not doubled
            total += multiply_adds(&layer->first, pixels(out)) + multiply_adds(&layer->second, pixels(doubled));
            break;
        case FF_VAE_BRANCH:
        case FF_VAE_AVERAGE_DOWN:
        case FF_VAE_REPEAT_UP:
            break;
        }
        extent = out;
    }
    return 2 * total;
}

// ---- memory ----

// Memory taken for a run. With arena NULL it is only counted.
typedef struct room {
    ff_arena *arena;
    size_t bytes;
    bool overflow, exhausted;
} room;

static void *take(room *from, size_t count, size_t element_size)
{
    size_t bytes = 0;
    if (!ff_multiply_sizes(count, element_size, &bytes) || !ff_add_sizes(bytes, 63, &bytes) ||
        !ff_add_sizes(from->bytes, bytes & ~(size_t)63, &from->bytes))
        from->overflow = true;
    if (!from->arena || from->overflow || from->exhausted)
        return NULL;
    void *memory = ff_arena_take(from->arena, count, element_size);
    from->exhausted = !memory;
    return memory;
}

// height * width * channels, all at least 1; SIZE_MAX, which no take survives, if that does not fit.
static size_t frame_floats(size_t height, size_t width, size_t channels)
{
    size_t floats = SIZE_MAX;
    if (!ff_multiply_sizes(height, width, &floats) || !ff_multiply_sizes(floats, channels, &floats))
        return SIZE_MAX;
    return floats;
}

static ff_vae_history take_history(room *from, size_t capacity, size_t floats)
{
    ff_vae_history history = {.capacity = capacity, .floats = floats};
    for (size_t i = 0; i < capacity; i++)
        history.frames[i] = take(from, floats, sizeof(float));
    return history;
}

// What a layer keeps between frames of height x width.
static ff_vae_state take_state(room *from, const ff_vae_layer *layer, size_t height, size_t width)
{
    ff_vae_state state = {.height = height, .width = width};
    size_t in_floats = frame_floats(height, width, layer->in_channels);
    switch (layer->kind) {
    case FF_VAE_CONVOLUTION:
        state.first = take_history(from, 2, in_floats);
        break;
    case FF_VAE_RESIDUAL:
        state.first = take_history(from, 2, in_floats);
        state.second = take_history(from, 2, frame_floats(height, width, layer->out_channels));
        break;
    case FF_VAE_DOWNSAMPLE:
        if (layer->temporal)
            state.second = take_history(from, 2, frame_floats(height / 2, width / 2, layer->in_channels));
        break;
    case FF_VAE_UPSAMPLE:
        if (layer->temporal) {
            state.second = take_history(from, 2, in_floats);
            state.pair = take(from, frame_floats(height, width, 2 * layer->in_channels), sizeof(float));
        }
        break;
    case FF_VAE_BRANCH:
        state.first = take_history(from, layer->temporal ? 2 : 1, in_floats);
        break;
    case FF_VAE_LINEAR:
    case FF_VAE_ATTENTION:
    case FF_VAE_AVERAGE_DOWN:
    case FF_VAE_REPEAT_UP:
        break;
    }
    return state;
}

// Most floats that a layer puts into `frame` or a spare.
static size_t working_floats(const ff_vae_layer *layer, size_t height, size_t width)
{
    size_t channels = layer->in_channels > layer->out_channels ? layer->in_channels : layer->out_channels;
    if (layer->kind == FF_VAE_ATTENTION)
        return frame_floats(height, width, 3 * channels);
    if (layer->kind == FF_VAE_UPSAMPLE)
        return frame_floats(height, width, 4 * channels);
    return frame_floats(height, width, channels);
}

ff_status ff_vae_run_prepare(ff_vae_run *run, const ff_vae_network *network, size_t height, size_t width,
                             ff_arena *arena, size_t *bytes, ff_error *error)
{
    room from = {.arena = arena};
    ff_vae_extent extent = {1, height, width};
    size_t working = 0;
    run->network = network;
    run->error = error;
    run->states = take(&from, network->count, sizeof *run->states);
    for (size_t i = 0; i < network->count; i++) {
        const ff_vae_layer *layer = &network->layers[i];
        size_t floats = working_floats(layer, extent.height, extent.width);
        ff_vae_state state = take_state(&from, layer, extent.height, extent.width);
        if (run->states)
            run->states[i] = state;
        working = floats > working ? floats : working;
        extent = ff_vae_layer_extent(layer, extent);
    }
    run->frame = take(&from, working, sizeof(float));
    run->spare = take(&from, working, sizeof(float));
    run->spare2 = take(&from, working, sizeof(float));
    if (from.overflow)
        return ff_fail(error, FF_ERROR_INPUT, "frames of %zu x %zu are too large for this machine", width, height);
    if (from.exhausted)
        return ff_fail(error, FF_ERROR_MEMORY, "not enough memory for the VAE: it takes %zu MB for this size",
                       from.bytes >> 20);
    *bytes = from.bytes;
    return FF_OK;
}
