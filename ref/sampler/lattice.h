// Where a clip's latents lie: cells, in patches that the transformer reads as one token each.
#ifndef FF_LATTICE_H
#define FF_LATTICE_H

#include "../base/sizes.h"

typedef struct ff_lattice {
    ff_extent cells;   // a multiple of the patch along every axis
    ff_extent patch;   // cells under a token
} ff_lattice;

static inline size_t ff_lattice_tokens(const ff_lattice *lattice)
{
    return lattice->cells.frames / lattice->patch.frames * (lattice->cells.height / lattice->patch.height) *
           (lattice->cells.width / lattice->patch.width);
}

#endif
