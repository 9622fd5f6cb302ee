// Frames pass the tap, and are checked, after each stage of a network.
#include <stdio.h>

#include "../base/finite.h"
#include "network.h"

static size_t stages_of(const ff_vae_network *network)
{
    size_t stages = 0;
    for (size_t i = 0; i < network->count; i++)
        stages += network->layers[i].stage[0] != 0;
    return stages;
}

size_t ff_vae_stages(const ff_vae *vae, bool decoder)
{
    return stages_of(decoder ? &vae->decoder : &vae->encoder);
}

void ff_vae_name_stage(ff_vae_network *network, const char *name, size_t number)
{
    ff_vae_layer *last = &network->layers[network->count - 1];
    if (number == SIZE_MAX)
        snprintf(last->stage, sizeof last->stage, "%s", name);
    else
        snprintf(last->stage, sizeof last->stage, "%s.%zu", name, number);
}

// Only whole frames pass the tap: a traced run works in one strip.
ff_status ff_vae_tap_stage(ff_vae_run *run, size_t index)
{
    const ff_vae_layer *layer = &run->part.network->layers[index];
    ff_vae_state *state = &run->states[index];
    size_t shape[3] = {state->out.extent.height, state->out.extent.width, layer->out_channels}, frame = state->shown;
    ff_status status = FF_OK;
    if (!layer->stage[0])
        return FF_OK;
    state->shown++;
    if (ff_traced(run->tap.trace, FF_DUMP_OP) && state->out.count == state->out.extent.height)
        status = ff_tap(run->tap.trace, FF_DUMP_OP, (ff_tapped){FF_F32, 3, shape, run->frame}, run->error,
                        "%s.%03zu.%s", run->tap.prefix, frame, layer->stage);
    if (status || !run->checked)
        return status;
    return ff_check_finite(state->out.count * shape[1] * shape[2], run->frame, run->error, "%s.%03zu.%s",
                           run->checked, frame, layer->stage);
}
