// The conditioning of models that make video from text alone: the transformer reads the latents as they are, at one
// timestep.
#ifndef FF_UNCONDITIONED_H
#define FF_UNCONDITIONED_H

#include "conditioning.h"

extern const ff_conditioning_kind ff_unconditioned;  // "none"

#endif
