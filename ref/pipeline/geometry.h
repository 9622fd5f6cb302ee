// What a part's config.json would say, for files that come without one: read off the shapes of its tensors.
#ifndef FF_GEOMETRY_H
#define FF_GEOMETRY_H

#include "../weights/weights.h"

// Each finds tensors by diffusers' names and writes the settings that ff_transformer_open, ff_vae_open and
// ff_text_encoder_open read. origin: what messages call the config.
// FF_ERROR_INPUT: a tensor that the geometry hangs on is missing, or its shape is none that Wan's models have.

// Heads are 128 wide, as in every published model.
ff_status ff_geometry_transformer(const ff_weights *weights, ff_config **out, ff_error *error);
// latents_mean and latents_std are Wan's, which no file of weights carries: of 16 channels for Wan2.1's VAE and of 48
// for Wan2.2's. Other numbers of channels are refused.
ff_status ff_geometry_vae(const ff_weights *weights, ff_config **out, ff_error *error);
ff_status ff_geometry_text_encoder(const ff_weights *weights, ff_config **out, ff_error *error);

#endif
