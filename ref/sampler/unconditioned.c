#include "unconditioned.h"

#include <string.h>

typedef struct unconditioned {
    ff_conditioning conditioning;
    size_t values;             // of the latents
} unconditioned;

static ff_status prepare(ff_conditioning *self, const ff_known *known, ff_error *error)
{
    ((unconditioned *)self)->values = known->channels * ff_extent_cells(known->lattice.cells);
    return FF_OK;
}

static void copy(const ff_conditioning *self, const float *x, float *out)
{
    memmove(out, x, ((const unconditioned *)self)->values * sizeof *out);
}

static size_t one_timestep(const ff_conditioning *self, float timestep, float *out)
{
    out[0] = timestep;
    return 1;
}

static ff_conditioning *create(ff_arena *arena)
{
    unconditioned *made = ff_arena_take(arena, 1, sizeof *made);
    if (!made)
        return NULL;
    *made = (unconditioned){.conditioning = {.prepare = prepare, .input = copy, .timesteps = one_timestep,
                                             .finish = copy}};
    return &made->conditioning;
}

const ff_conditioning_kind ff_unconditioned = {.name = "none", .create = create};
