// What a run takes: operations and memory.
#include "network.h"

// ---- operations ----

static double pixels(ff_vae_window window, size_t frames)
{
    return (double)frames * (double)window.count * (double)window.width;
}

// Multiply-adds of a convolution that puts out so many pixels.
static double multiply_adds(const ff_vae_convolution *convolution, double out_pixels)
{
    double taps = (double)(convolution->kernel_t * convolution->kernel_s * convolution->kernel_s);
    return out_pixels * taps * (double)convolution->in_channels * (double)convolution->out_channels;
}

static double layer_multiply_adds(const ff_vae_layer *layer, ff_vae_window in, ff_vae_window out)
{
    ff_vae_window between = ff_vae_layer_between(layer, out);
    double keys = (double)in.height * (double)in.width, n = pixels(out, out.frames);
    switch (layer->kind) {
    case FF_VAE_LINEAR:
    case FF_VAE_CONVOLUTION:
        return multiply_adds(&layer->first, n);
    case FF_VAE_RESIDUAL:
        return multiply_adds(&layer->first, pixels(between, out.frames)) + multiply_adds(&layer->second, n) +
               multiply_adds(&layer->shortcut, n);
    case FF_VAE_ATTENTION:
        return multiply_adds(&layer->first, n) + multiply_adds(&layer->second, n) +
               2 * n * keys * (double)layer->in_channels;
    case FF_VAE_DOWNSAMPLE:  // in space before in time; the first frame is not merged
        return multiply_adds(&layer->first, pixels(out, in.frames)) +
               multiply_adds(&layer->second, pixels(out, out.frames - 1));
    case FF_VAE_UPSAMPLE:    // in time before in space; the first frame is not doubled
        return multiply_adds(&layer->first, n) + multiply_adds(&layer->second, pixels(in, in.frames - 1));
    case FF_VAE_BRANCH:
    case FF_VAE_AVERAGE_DOWN:
    case FF_VAE_REPEAT_UP:
        break;
    }
    return 0;
}

double ff_vae_part_flop(const ff_vae_part *part)
{
    double total = 0;
    ff_vae_window out = part->out;
    for (size_t i = part->end; i-- > part->first;) {
        const ff_vae_layer *layer = &part->network->layers[i];
        ff_vae_window in = ff_vae_layer_input(layer, out);
        total += layer_multiply_adds(layer, in, out);
        out = in;
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

// Floats of one frame, channels at least 1; SIZE_MAX, which no take survives, if they do not fit.
static size_t frame_floats(ff_vae_window window, size_t channels)
{
    size_t floats = SIZE_MAX;
    if (!ff_multiply_sizes(window.count, window.width, &floats) || !ff_multiply_sizes(floats, channels, &floats))
        return SIZE_MAX;
    return floats;
}

// frames: that pass by. The last of them need not be kept, nor any that three more follow.
static ff_vae_history take_history(room *from, size_t frames, size_t floats)
{
    ff_vae_history history = {.capacity = frames > 2 ? 2 : frames - 1, .floats = floats};
    for (size_t i = 0; i < history.capacity; i++)
        history.frames[i] = take(from, floats, sizeof(float));
    return history;
}

// What a layer keeps between frames.
static ff_vae_state take_state(room *from, const ff_vae_layer *layer, ff_vae_window in, ff_vae_window out)
{
    ff_vae_state state = {.in = in, .between = ff_vae_layer_between(layer, out), .out = out};
    size_t in_floats = frame_floats(in, layer->in_channels);
    switch (layer->kind) {
    case FF_VAE_CONVOLUTION:
        state.first = take_history(from, in.frames, in_floats);
        break;
    case FF_VAE_RESIDUAL:
        state.first = take_history(from, in.frames, in_floats);
        state.second = take_history(from, in.frames, frame_floats(state.between, layer->out_channels));
        break;
    case FF_VAE_DOWNSAMPLE:
        if (layer->temporal)
            state.second = take_history(from, in.frames, frame_floats(out, layer->in_channels));
        break;
    case FF_VAE_UPSAMPLE:
        if (layer->temporal && in.frames > 1) {  // the first frame passes by its convolution over time
            state.second = take_history(from, in.frames - 1, in_floats);
            state.pair = take(from, frame_floats(in, 2 * layer->in_channels), sizeof(float));
        }
        break;
    case FF_VAE_BRANCH:  // holds also the frame that is on its way
        state.first = take_history(from, layer->temporal && in.frames > 1 ? 3 : 2, in_floats);
        break;
    case FF_VAE_LINEAR:
    case FF_VAE_ATTENTION:
    case FF_VAE_AVERAGE_DOWN:
    case FF_VAE_REPEAT_UP:
        break;
    }
    return state;
}

// Most floats that a layer finds in `frame` or puts there or into a spare.
static size_t working_floats(const ff_vae_layer *layer, const ff_vae_state *state)
{
    size_t out = frame_floats(state->out, layer->out_channels);
    switch (layer->kind) {
    case FF_VAE_ATTENTION:  // queries, keys and values
        return frame_floats(state->in, 3 * layer->in_channels);
    case FF_VAE_RESIDUAL:
        out = ff_larger(out, frame_floats(state->between, layer->out_channels));
        break;
    case FF_VAE_UPSAMPLE:
        out = ff_larger(out, frame_floats(state->between, layer->in_channels));
        break;
    case FF_VAE_AVERAGE_DOWN:  // in place; in_channels are the branch's
    case FF_VAE_REPEAT_UP:
        return out;
    default:
        break;
    }
    return ff_larger(out, frame_floats(state->in, layer->in_channels));
}

ff_status ff_vae_run_prepare(ff_vae_run *run, const ff_vae_part *part, ff_arena *arena, size_t *bytes,
                             ff_error *error)
{
    room from = {.arena = arena};
    ff_vae_window out = part->out;
    size_t working = 0;
    run->part = *part;
    run->error = error;
    run->states = take(&from, part->network->count, sizeof *run->states);
    for (size_t i = part->end; i-- > part->first;) {
        const ff_vae_layer *layer = &part->network->layers[i];
        ff_vae_window in = ff_vae_layer_input(layer, out);
        ff_vae_state state = take_state(&from, layer, in, out);
        if (run->states)
            run->states[i] = state;
        working = ff_larger(working, working_floats(layer, &state));
        out = in;
    }
    run->frame = take(&from, working, sizeof(float));
    run->spare = take(&from, working, sizeof(float));
    run->spare2 = take(&from, working, sizeof(float));
    if (from.overflow)
        return ff_fail(error, FF_ERROR_INPUT, "frames of %zu x %zu are too large for this machine", out.width,
                       out.height);
    if (from.exhausted)
        return ff_fail(error, FF_ERROR_MEMORY, "not enough memory for the VAE: it takes %zu MB for this size",
                       from.bytes >> 20);
    *bytes = from.bytes;
    return FF_OK;
}
