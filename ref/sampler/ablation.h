// For experiments: a conditioning with one of the known tokens' advantages taken away.
#ifndef FF_ABLATION_H
#define FF_ABLATION_H

#include "conditioning.h"

// A conditioning around `inner` that takes it away; `inner` itself for FF_ABLATE_NOTHING. Taken from the arena; NULL
// without memory.
ff_conditioning *ff_ablate(ff_arena *arena, ff_ablation what, ff_conditioning *inner);

#endif
