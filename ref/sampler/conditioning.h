// How a model is told what is known of the clip that it makes: a conditioning turns pictures and masks into what the
// transformer reads. The loop of the sampler is the same for all of them; each is a file of its own, and the model's
// weights choose (ff_conditioning_kind).
#ifndef FF_CONDITIONING_H
#define FF_CONDITIONING_H

#include "../base/arena.h"
#include "../base/trace.h"
#include "lattice.h"

// A picture that a run may have: the clip's first (of an inpainting, the only one) and its last.
typedef enum ff_known_picture { FF_KNOWN_FIRST, FF_KNOWN_LAST } ff_known_picture;

// What is known before sampling, as a conditioning is handed it; valid while it prepares.
typedef struct ff_known {
    ff_lattice lattice;            // the clip's latents,
    size_t channels;               // and their channels
    size_t spatial_factor, temporal_factor;  // pixels along a side of a latent cell, frames in a latent frame
    bool first, last;              // which pictures there are
    const uint8_t *repaint;        // a mask over the first picture's pixels, 128 and above is to be made anew; NULL:
                                   // pictures are frames, known as a whole
    ff_arena *arena;               // what is taken from it lives as long as the run
    const ff_trace *trace;
    // What the VAE makes of a picture that stands still for so many frames.
    //   latents: [channels, 1 + (frames - 1) / temporal_factor, cells.height, cells.width], normalised
    ff_status (*encode)(void *user, ff_known_picture which, size_t frames, float *latents, ff_error *error);
    void *user;
} ff_known;

// One run's; the first member of what an implementation keeps for itself.
typedef struct ff_conditioning ff_conditioning;
struct ff_conditioning {
    // Encodes what is known and keeps it; called once, before all others. An error ends the run.
    ff_status (*prepare)(ff_conditioning *self, const ff_known *known, ff_error *error);
    // What the transformer reads of the latents x.
    //   x: [channels, cells]      input: [the transformer's in_channels, cells]
    void (*input)(const ff_conditioning *self, const float *x, float *input);
    // The timesteps beside it. Returns how many: one, or one for each token, for which out has room.
    size_t (*timesteps)(const ff_conditioning *self, float timestep, float *out);
    // The latents as they are to be decoded: x, with what is known put back.   x, out: [channels, cells]; out may be x
    void (*finish)(const ff_conditioning *self, const float *x, float *out);
    const float *original;         // the first picture, [channels, cells], which a run may noise and start from; set by
                                   // prepare where there is one
    size_t unseen;                 // for an experiment, set by prepare: so many tokens at the start are hidden from the
                                   // self-attention of the others
};

typedef struct ff_conditioning_kind {
    const char *name;              // ff_model_facts.conditioning
    bool holds_pictures;           // whether a run may have any
    ff_conditioning *(*create)(ff_arena *arena);  // taken from the arena; NULL without memory
} ff_conditioning_kind;

#endif
