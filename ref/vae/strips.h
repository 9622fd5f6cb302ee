// How a network is computed in strips.
#ifndef FF_VAE_STRIPS_H
#define FF_VAE_STRIPS_H

#include "network.h"

// A network in two parts: the middle, next to the latents, where attention sees whole frames, and the rest, which is
// computed in `count` strips of rows, all frames of a strip before the next. With count 1 there are no parts.
typedef struct ff_vae_strips {
    const ff_vae_network *network;
    bool decoder;                   // the middle comes first
    size_t cut;                     // layers before it belong to the first part
    ff_extent at_cut, out;          // of frames there, and of those that come out
    size_t count;
} ff_vae_strips;

// count: how many, but at most a row of the cut each; 0: as few as keep a run within FF_VAE_MEMORY or, where that is
// more, within what the middle takes.
ff_vae_strips ff_vae_strips_plan(const ff_vae_network *network, bool decoder, ff_extent in, size_t count);
ff_vae_part ff_vae_strips_all(const ff_vae_strips *strips);
ff_vae_part ff_vae_strips_middle(const ff_vae_strips *strips);
ff_vae_part ff_vae_strips_strip(const ff_vae_strips *strips, size_t i);
size_t ff_vae_strips_row_floats(const ff_vae_strips *strips);    // of a frame at the cut
size_t ff_vae_strips_frame_floats(const ff_vae_strips *strips);  // of one that comes out; SIZE_MAX if they do not fit
double ff_vae_strips_flop(const ff_vae_strips *strips);
size_t ff_vae_strips_memory(const ff_vae_strips *strips);  // SIZE_MAX if it does not fit a size_t
size_t ff_vae_strips_scratch(const ff_vae_strips *strips, const ff_kernels *kernels);

#endif
