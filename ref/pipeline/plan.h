// A request resolved against a model: sizes, masks' lattice, geometry of the inpainting crop.
#ifndef FF_PLAN_H
#define FF_PLAN_H

#include "../sampler/anchor.h"
#include "model.h"

ff_lattice ff_plan_lattice(const ff_model *model, const ff_plan *plan);

// What the predictions of an expert are guided with. Whether there is guidance at all, the plan's scale says.
double ff_plan_guidance(const ff_model *model, const ff_request *request, size_t expert);

// The step a run starts with: 0 but for inpainting below strength 1.
size_t ff_plan_first_step(const ff_request *request, const ff_plan *plan);

// Values of latents: latent_channels * latent_frames * latent_height * latent_width.
size_t ff_plan_elements(const ff_plan *plan);

// Strips that the VAE works in: 0, as few as memory asks for; 1 if what passes is shown, which takes whole frames.
size_t ff_plan_strips(const ff_request *request);

#endif
