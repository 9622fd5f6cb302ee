// Shortcuts around the layers of a level, of Wan2.2's VAE. A branch keeps x where one begins; where it ends,
//   average_down:  x + what the branch kept, averaged down to x's shape (AvgDown3D)
//   repeat_up:     x + what the branch kept, repeated up to x's shape (DupUp3D)
// They need no other rows than the layers beside them do.
#include "vae_layer.h"

// ---- branch ----

// The frame being computed is kept too.
static void keep_branch(const ff_vae_layer *layer, ff_vae_room *room, ff_vae_state *state)
{
    state->first = ff_vae_take_history(room, layer->temporal && state->in.extent.frames > 1 ? 3 : 2,
                                       ff_vae_frame_floats(&state->in, layer->in_channels));
}

static ff_status run_branch(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, size_t *frames)
{
    ff_vae_remember(run, &state->first, run->frame);
    return FF_OK;
}

const ff_vae_layer_ops ff_vae_branch_ops = {
    .keep = keep_branch,
    .run = run_branch,
};

// ---- its end ----

// In place; in_channels are the branch's.
static size_t working_floats(const ff_vae_layer *layer, const ff_vae_state *state)
{
    return ff_vae_frame_floats(&state->out, layer->out_channels);
}

// A frame before the first is zeros.
static ff_status average_down(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, size_t *frames)
{
    const ff_vae_state *branch = &run->states[layer->branch];
    size_t factor_t = layer->temporal ? 2 : 1, factor_s = layer->spatial ? 2 : 1;
    size_t skipped = (state->out.first * factor_s - branch->out.first) * branch->out.extent.width * layer->in_channels;
    const float *kept[2] = {0};
    for (size_t time = 0; time < factor_t; time++) {
        const float *frame = ff_vae_recall(&branch->first, factor_t - 1 - time);
        kept[time] = frame ? frame + skipped : NULL;
    }
    run->kernels->average_down(run->kernels, &(ff_average_down){
        .rows = state->out.count, .width = state->out.extent.width,
        .in_channels = layer->in_channels, .out_channels = layer->out_channels,
        .factor_t = factor_t, .factor_s = factor_s,
        .frames = {kept[0], kept[1]},
        .out = run->frame,
    });
    return FF_OK;
}

// The first frame takes the place of the later of two.
static ff_status repeat_up(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, size_t *frames)
{
    const ff_vae_state *branch = &run->states[layer->branch];
    size_t factor_t = layer->temporal ? 2 : 1;
    run->kernels->repeat_up(run->kernels, &(ff_repeat_up){
        .first = state->out.first, .rows = state->out.count, .width = state->out.extent.width,
        .in_channels = layer->in_channels, .out_channels = layer->out_channels,
        .factor_t = factor_t, .time = state->seen == 0 ? factor_t - 1 : (state->seen - 1) % factor_t,
        .x = ff_vae_recall(&branch->first, 0) +
             (state->out.first / 2 - branch->out.first) * branch->out.extent.width * layer->in_channels,
        .out = run->frame,
    });
    state->seen++;
    return FF_OK;
}

const ff_vae_layer_ops ff_vae_average_down_ops = {
    .joins = true,
    .working_floats = working_floats,
    .run = average_down,
};

const ff_vae_layer_ops ff_vae_repeat_up_ops = {
    .joins = true,
    .working_floats = working_floats,
    .run = repeat_up,
};
