// The golden VAEs, their inputs, and callbacks that take frames and give them.
#ifndef FF_TEST_VAE_MODELS_H
#define FF_TEST_VAE_MODELS_H

#include "golden.h"
#include "vae/vae.h"

enum { VAE_MODELS = 7 };
extern const char *const vae_models[VAE_MODELS];

typedef struct vae_model {
    ff_config *config;
    ff_weights *weights, *golden;
    ff_vae *vae;
    ff_vae_shape shape;
    ff_weight encoded, decoded;   // [z, F, h, w] and [T, H, W, 3]
} vae_model;

vae_model vae_model_open(const char *name);
void vae_model_close(vae_model *m);

float *allocate_floats(size_t count);
// The inputs of the goldens: `pattern` of the script, times scale.
float *vae_pattern(uint32_t seed, size_t count, float scale);
// The golden's latents are drawn frame by frame, [F, z, h, w]; the first `frames` of them as [z, frames, h, w].
float *vae_latents(const vae_model *m, size_t frames);

typedef struct vae_collector {
    float *pixels;
    size_t frame_floats, count, stop_at;
} vae_collector;

// Takes frames in order into pixels, unless they are NULL, and is cancelled at stop_at.   user: vae_collector
ff_status vae_collect(void *user, size_t index, const float *pixels, ff_error *error);

typedef struct vae_single_frame {
    float *pixels;   // the one place every frame comes to
    const float *video;
    size_t frame_floats, stop_at;
} vae_single_frame;

// Fails at stop_at.   user: vae_single_frame
ff_status vae_give_frame(void *user, size_t index, const float **pixels, ff_error *error);

#endif
