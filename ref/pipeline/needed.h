// The files in which people publish the parts of a model, for sentences that say what is needed.
#ifndef FF_NEEDED_H
#define FF_NEEDED_H

#include <stddef.h>

#include "recognise.h"

// "wan2.2_vae.safetensors (Comfy-Org/Wan_2.2_ComfyUI_Repackaged)".
//   kind: a part that a run is made of      channels: of the transformer's latents; 0: not known
const char *ff_published_file(ff_part_kind kind, size_t channels);

#endif
