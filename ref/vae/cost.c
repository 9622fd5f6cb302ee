// What a run takes: operations and memory.
#include "vae_layer.h"

// ---- operations ----

double ff_vae_multiply_adds(const ff_vae_convolution *convolution, const ff_vae_window *out, size_t frames)
{
    double pixels = (double)frames * (double)ff_vae_pixels(out);
    double taps = (double)(convolution->kernel_t * convolution->kernel_s * convolution->kernel_s);
    return pixels * taps * (double)convolution->in_channels * (double)convolution->out_channels;
}

double ff_vae_part_flop(const ff_vae_part *part)
{
    double total = 0;
    ff_vae_window out = part->out;
    for (size_t i = part->end; i-- > part->first;) {
        const ff_vae_layer *layer = &part->network->layers[i];
        ff_vae_state state = ff_vae_layer_windows(layer, out);
        if (layer->ops->multiply_adds)
            total += layer->ops->multiply_adds(layer, &state);
        out = state.in;
    }
    return 2 * total;
}

// ---- memory ----

void *ff_vae_take(ff_vae_room *room, size_t count, size_t element_size)
{
    size_t bytes = 0;
    if (!ff_multiply_sizes(count, element_size, &bytes) || !ff_add_sizes(bytes, 63, &bytes) ||
        !ff_add_sizes(room->bytes, bytes & ~(size_t)63, &room->bytes))
        room->overflow = true;
    if (!room->arena || room->overflow || room->exhausted)
        return NULL;
    void *memory = ff_arena_take(room->arena, count, element_size);
    room->exhausted = !memory;
    return memory;
}

size_t ff_vae_frame_floats(const ff_vae_window *window, size_t channels)
{
    size_t floats = SIZE_MAX;
    if (!ff_multiply_sizes(window->count, window->extent.width, &floats) ||
        !ff_multiply_sizes(floats, channels, &floats))
        return SIZE_MAX;
    return floats;
}

static size_t working_floats(const ff_vae_layer *layer, const ff_vae_state *state)
{
    if (layer->ops->working_floats)
        return layer->ops->working_floats(layer, state);
    return ff_larger(ff_vae_frame_floats(&state->in, layer->in_channels),
                     ff_vae_frame_floats(&state->out, layer->out_channels));
}

ff_status ff_vae_run_prepare(ff_vae_run *run, const ff_vae_part *part, ff_arena *arena, size_t *bytes,
                             ff_error *error)
{
    ff_vae_room room = {.arena = arena};
    ff_vae_window out = part->out;
    size_t working = 0;
    run->part = *part;
    run->error = error;
    run->states = ff_vae_take(&room, part->network->count, sizeof *run->states);
    for (size_t i = part->end; i-- > part->first;) {
        const ff_vae_layer *layer = &part->network->layers[i];
        ff_vae_state state = ff_vae_layer_windows(layer, out);
        if (layer->ops->keep)
            layer->ops->keep(layer, &room, &state);
        if (run->states)
            run->states[i] = state;
        working = ff_larger(working, working_floats(layer, &state));
        out = state.in;
    }
    run->frame = ff_vae_take(&room, working, sizeof(float));
    run->spare = ff_vae_take(&room, working, sizeof(float));
    run->spare2 = ff_vae_take(&room, working, sizeof(float));
    if (room.overflow)
        return ff_fail(error, FF_ERROR_INPUT, "frames of %zu x %zu are too large for this machine", out.extent.width,
                       out.extent.height);
    if (room.exhausted)
        return ff_fail(error, FF_ERROR_MEMORY, "not enough memory for the VAE: it takes %zu MB for this size",
                       room.bytes >> 20);
    *bytes = room.bytes;
    return FF_OK;
}

// ---- what the kernels pack ----

size_t ff_vae_part_scratch(const ff_vae_part *part, const ff_kernels *kernels)
{
    ff_scratch scratch;
    const ff_kernels counting = ff_kernels_counting(kernels, &scratch);
    ff_vae_run run = {.kernels = &counting};
    ff_vae_window out = part->out;
    for (size_t i = part->end; i-- > part->first;) {
        const ff_vae_layer *layer = &part->network->layers[i];
        const ff_vae_state state = ff_vae_layer_windows(layer, out);
        if (layer->ops->count)
            layer->ops->count(&run, layer, &state);
        out = state.in;
    }
    return scratch.size;
}
