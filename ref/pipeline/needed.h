// The files in which people publish the parts of a model, for sentences that say what is needed.
#ifndef FF_NEEDED_H
#define FF_NEEDED_H

#include "recognise.h"

// "split_files/vae/wan_2.1_vae.safetensors of Comfy-Org/Wan_2.1_ComfyUI_repackaged", from the table of recipes.
//   kind: a part that a run is made of      channels: of the transformer's latents; 0: not known
#define FF_NEEDED_TEXT 256
void ff_needed_file(ff_part_kind kind, size_t channels, char out[FF_NEEDED_TEXT]);

#endif
