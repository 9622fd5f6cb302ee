#include "needed.h"

const char *ff_published_file(ff_part_kind kind, size_t channels)
{
    switch (kind) {
    case FF_PART_TRANSFORMER:
        if (channels == 16)
            return "wan2.1_t2v_1.3B_fp16.safetensors (Comfy-Org/Wan_2.1_ComfyUI_repackaged)";
        return "wan2.2_ti2v_5B_fp16.safetensors (Comfy-Org/Wan_2.2_ComfyUI_Repackaged) or "
               "Wan2.2-TI2V-5B-Q4_K_M.gguf (QuantStack/Wan2.2-TI2V-5B-GGUF)";
    case FF_PART_VAE:
        if (channels == 16)
            return "wan_2.1_vae.safetensors (Comfy-Org/Wan_2.1_ComfyUI_repackaged)";
        if (channels == 48)
            return "wan2.2_vae.safetensors (Comfy-Org/Wan_2.2_ComfyUI_Repackaged)";
        return "wan2.2_vae.safetensors (Comfy-Org/Wan_2.2_ComfyUI_Repackaged) for 48 channels, wan_2.1_vae.safetensors "
               "(Comfy-Org/Wan_2.1_ComfyUI_repackaged) for 16";
    default:
        return "umt5_xxl_fp8_e4m3fn_scaled.safetensors (Comfy-Org/Wan_2.1_ComfyUI_repackaged) or "
               "umt5-xxl-encoder-Q5_K_M.gguf (city96/umt5-xxl-encoder-gguf)";
    }
}
