// The anchor: latents that are known and a mask that says where. The one mechanism by which a still holds a video, a
// last frame ends it, and a picture's surroundings hold a repaired spot (Wan 2.2 TI2V conditions its first frame so).
#ifndef FF_ANCHOR_H
#define FF_ANCHOR_H

#include "conditioning.h"

// A last frame is encoded as a tail group: after a first frame, the four that the encoder takes next.
enum { FF_TAIL_FRAMES = 5 };

typedef struct ff_anchor {
    ff_conditioning conditioning;
    ff_lattice lattice;
    size_t channels;
    const float *known;   // [channels, frames, height, width]; not read where the mask is 1
    const float *mask;    // [frames, height, width]: 0 known, 1 to be generated; constant over each patch
} ff_anchor;

// out = known where the mask is 0, x where it is 1.   x, out: [channels, frames, height, width]; out may be x
void ff_anchor_select(const ff_anchor *anchor, const float *x, float *out);

// One timestep per token: mask * timestep.   out: [tokens]
void ff_anchor_timesteps(const ff_anchor *anchor, float timestep, float *out);

// The anchor as a run's conditioning, "anchor": of pictures that are frames, those latent frames are known; of one that
// is to be repaired, what is not repainted; of none, nothing. Both tensors pass the tap as anchor.known and anchor.mask.
// FF_ERROR_INPUT as the masks below have it.
extern const ff_conditioning_kind ff_anchored;

// ---- masks ----   each fills mask: [frames, height, width]

// Nothing is known: text-to-image, text-to-video.
void ff_mask_generate(const ff_lattice *lattice, float *mask);

// The first latent frame is known and, with last, the final one: image-to-video.
// FF_ERROR_INPUT if a patch would hold a known and an unknown frame.
ff_status ff_mask_frames(const ff_lattice *lattice, bool last, float *mask, ff_error *error);

// Inpainting. pixels: [height * factor, width * factor], 128 and above repaints; every frame of the mask is the same.
// A patch is known only if every pixel under it is. FF_ERROR_INPUT if that leaves nothing to repaint.
ff_status ff_mask_pixels(const ff_lattice *lattice, size_t factor, const uint8_t *pixels, float *mask,
                         ff_error *error);

// FF_ERROR_INPUT unless the mask, from wherever it came, holds 0 and 1 only and is constant over each patch.
ff_status ff_mask_check(const ff_lattice *lattice, const float *mask, ff_error *error);

#endif
