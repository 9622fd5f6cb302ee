// The anchor: latents that are known and a mask that says where. The one mechanism by which a still holds a video, a
// last frame ends it, and a picture's surroundings hold a repaired spot (Wan 2.2 TI2V conditions its first frame so).
#ifndef FF_ANCHOR_H
#define FF_ANCHOR_H

#include "../base/tensor.h"

// Latent cells: frames * height * width of them, in patches of patch_t * patch_h * patch_w, each patch one token.
// Every size is a multiple of its patch's.
typedef struct ff_lattice {
    size_t frames, height, width;
    size_t patch_t, patch_h, patch_w;
} ff_lattice;

typedef struct ff_anchor {
    ff_lattice lattice;
    size_t channels;
    const float *known;   // [channels, frames, height, width]; not read where the mask is 1
    const float *mask;    // [frames, height, width]: 0 known, 1 to be generated; constant over each patch
} ff_anchor;

// out = known where the mask is 0, x where it is 1.   x, out: [channels, frames, height, width]; out may be x
void ff_anchor_select(const ff_anchor *anchor, const float *x, float *out);

// One timestep per token: mask * timestep.   out: [frames/patch_t, height/patch_h, width/patch_w]
void ff_anchor_timesteps(const ff_anchor *anchor, float timestep, float *out);

size_t ff_lattice_tokens(const ff_lattice *lattice);

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
