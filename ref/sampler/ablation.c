#include "ablation.h"

#include <string.h>

typedef struct ablated {
    ff_conditioning conditioning;
    ff_conditioning *inner;
    ff_ablation what;
    size_t values;             // of the latents
} ablated;

static ff_status prepare(ff_conditioning *self, const ff_known *known, ff_error *error)
{
    ablated *a = (ablated *)self;
    a->values = known->channels * ff_extent_cells(known->lattice.cells);
    ff_status status = a->inner->prepare(a->inner, known, error);
    a->conditioning.original = a->inner->original;
    a->conditioning.unseen = a->inner->unseen;
    if (a->what == FF_ABLATE_ATTENTION)  // the first frame's tokens
        a->conditioning.unseen = ff_lattice_tokens(&known->lattice) / known->lattice.cells.frames;
    return status;
}

static void input(const ff_conditioning *self, const float *x, float *out)
{
    const ff_conditioning *inner = ((const ablated *)self)->inner;
    inner->input(inner, x, out);
}

// The latents as they are, noise in the place of what is known.
static void noisy_input(const ff_conditioning *self, const float *x, float *out)
{
    memcpy(out, x, ((const ablated *)self)->values * sizeof *out);
}

static size_t timesteps(const ff_conditioning *self, float timestep, float *out)
{
    const ff_conditioning *inner = ((const ablated *)self)->inner;
    return inner->timesteps(inner, timestep, out);
}

// Known tokens are told what the others are.
static size_t equal_timesteps(const ff_conditioning *self, float timestep, float *out)
{
    size_t count = timesteps(self, timestep, out);
    for (size_t i = 0; i < count; i++)
        out[i] = timestep;
    return count;
}

static void finish(const ff_conditioning *self, const float *x, float *out)
{
    const ff_conditioning *inner = ((const ablated *)self)->inner;
    inner->finish(inner, x, out);
}

ff_conditioning *ff_ablate(ff_arena *arena, ff_ablation what, ff_conditioning *inner)
{
    if (what == FF_ABLATE_NOTHING)
        return inner;
    ablated *made = ff_arena_take(arena, 1, sizeof *made);
    if (!made)
        return NULL;
    *made = (ablated){
        .conditioning = {.prepare = prepare,
                         .input = what == FF_ABLATE_KNOWN ? noisy_input : input,
                         .timesteps = what == FF_ABLATE_TIMESTEP ? equal_timesteps : timesteps,
                         .finish = finish},
        .inner = inner,
        .what = what,
    };
    return &made->conditioning;
}
