// What others than diffusers and transformers call the tensors of Wan's parts, held against golden/diffusers/names.
#ifndef FF_NAMES_WAN_H
#define FF_NAMES_WAN_H

#include "names.h"

extern const ff_name_table ff_names_transformer;    // of Wan's own code; with VACE's and the image embedder's tensors
extern const ff_name_table ff_names_vae_21;         // of Wan2.1's own code
extern const ff_name_table ff_names_vae_22;         // of Wan2.2's
extern const ff_name_table ff_names_umt5;           // of Wan's own code
extern const ff_name_table ff_names_umt5_gguf;      // of llama.cpp's GGUF

#endif
