// The config.json of a folder as Wan publishes it, which calls a transformer's settings otherwise than diffusers.
#ifndef FF_WAN_CONFIG_H
#define FF_WAN_CONFIG_H

#include "../weights/weights.h"

bool ff_wan_config_is(const ff_config *config);
// The same with diffusers' keys, under the same path.
ff_status ff_wan_config_translate(const ff_config *config, ff_config **out, ff_error *error);
// Whether the model takes a still as known latents, with a timestep per token.
ff_status ff_wan_config_expands(const ff_config *config, bool *out, ff_error *error);

#endif
