#include "recipes.h"

#include <stdio.h>
#include <string.h>

#define GIB 1.073741824   // 10^9 bytes

#define TI2V_CHANNELS 48
#define T2V_CHANNELS 16
#define TI2V_MEMORY 3.2   // measured while 1280x704 was decoded; the transformer takes less

#define ENCODER_Q5                                                                                                    \
    {FF_PUBLISHED_TEXT_ENCODER, "city96/umt5-xxl-encoder-gguf", "umt5-xxl-encoder-Q5_K_M.gguf", 4.15}
#define STILL_TO_CLIP "-i still.png -p \"gentle breeze moves her hair\" --frames 25 -o clip.webp"

const ff_recipe ff_recipes[] = {
    {.name = "ti2v-5b-q4",
     .about = "Wan2.2-TI2V-5B in 4 bits, for a computer with 16 GB of memory: stills, and clips from a still",
     .latent_channels = TI2V_CHANNELS, .memory_gigabytes = TI2V_MEMORY, .count = 3,
     .files = {{FF_PUBLISHED_TRANSFORMER, "QuantStack/Wan2.2-TI2V-5B-GGUF", "Wan2.2-TI2V-5B-Q4_K_M.gguf", 3.20 * GIB},
               {FF_PUBLISHED_VAE, "QuantStack/Wan2.2-TI2V-5B-GGUF", "VAE/Wan2.2_VAE.safetensors", 1.31 * GIB},
               ENCODER_Q5},
     .command = "i2v", .arguments = STILL_TO_CLIP},
    {.name = "ti2v-5b-q8",
     .about = "the same in 8 bits, nearer to the original",
     .latent_channels = TI2V_CHANNELS, .memory_gigabytes = TI2V_MEMORY, .count = 3,
     .files = {{FF_PUBLISHED_TRANSFORMER, "QuantStack/Wan2.2-TI2V-5B-GGUF", "Wan2.2-TI2V-5B-Q8_0.gguf", 5.03 * GIB},
               {FF_PUBLISHED_VAE, "QuantStack/Wan2.2-TI2V-5B-GGUF", "VAE/Wan2.2_VAE.safetensors", 1.31 * GIB},
               {FF_PUBLISHED_TEXT_ENCODER, "city96/umt5-xxl-encoder-gguf", "umt5-xxl-encoder-Q8_0.gguf", 6.04}},
     .command = "i2v", .arguments = STILL_TO_CLIP},
    {.name = "ti2v-5b-comfyui",
     .about = "the same as ComfyUI's users have it: the transformer in 16 bits, the text encoder in 8",
     .latent_channels = TI2V_CHANNELS, .memory_gigabytes = TI2V_MEMORY, .count = 3,
     .files = {{FF_PUBLISHED_TRANSFORMER, "Comfy-Org/Wan_2.2_ComfyUI_Repackaged",
                "split_files/diffusion_models/wan2.2_ti2v_5B_fp16.safetensors", 9.31 * GIB},
               {FF_PUBLISHED_VAE, "Comfy-Org/Wan_2.2_ComfyUI_Repackaged", "split_files/vae/wan2.2_vae.safetensors",
                1.31 * GIB},
               {FF_PUBLISHED_TEXT_ENCODER, "Comfy-Org/Wan_2.2_ComfyUI_Repackaged",
                "split_files/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors", 6.27 * GIB}},
     .command = "i2v", .arguments = STILL_TO_CLIP},
    {.name = "ti2v-5b-diffusers",
     .about = "the same as diffusers has it, unchanged",
     .latent_channels = TI2V_CHANNELS, .memory_gigabytes = TI2V_MEMORY, .count = 1,
     .files = {{FF_PUBLISHED_FOLDER, "Wan-AI/Wan2.2-TI2V-5B-Diffusers", NULL, 0}},
     .command = "i2v", .arguments = STILL_TO_CLIP},
    {.name = "t2v-1.3b-diffusers",
     .about = "Wan2.1-T2V-1.3B, small: stills and clips from text alone",
     .latent_channels = T2V_CHANNELS, .count = 1,
     .files = {{FF_PUBLISHED_FOLDER, "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", NULL, 0}},
     .command = "t2v", .arguments = "-p \"a red fox runs through snow\" --frames 25 -o clip.webp"},
};
const size_t ff_recipe_count = sizeof ff_recipes / sizeof *ff_recipes;

// Parts that no recipe above lists for its transformer, but that are published.
static const struct {
    size_t latent_channels;
    ff_published_file file;
} others[] = {
    {T2V_CHANNELS, {FF_PUBLISHED_VAE, "Comfy-Org/Wan_2.1_ComfyUI_repackaged",
                    "split_files/vae/wan_2.1_vae.safetensors", 0}},
    {T2V_CHANNELS, ENCODER_Q5},
};

double ff_recipe_gigabytes(const ff_recipe *recipe)
{
    double sum = 0;
    for (size_t i = 0; i < recipe->count; i++) {
        if (recipe->files[i].gigabytes == 0)
            return 0;
        sum += recipe->files[i].gigabytes;
    }
    return sum;
}

// "Wan2.2-TI2V-5B-Diffusers" of "Wan-AI/Wan2.2-TI2V-5B-Diffusers"
static const char *name_of(const char *repository)
{
    return strchr(repository, '/') + 1;
}

void ff_recipe_download(const ff_published_file *file, const char *folder, char *out, size_t capacity)
{
    if (file->path)
        snprintf(out, capacity, "hf download %s %s --local-dir %s", file->repository, file->path, folder);
    else
        snprintf(out, capacity, "hf download %s --local-dir %s/%s", file->repository, folder,
                 name_of(file->repository));
}

void ff_recipe_run(const ff_recipe *recipe, const char *folder, char *out, size_t capacity)
{
    static const char *const options[] = {
        [FF_PUBLISHED_FOLDER] = "-m", [FF_PUBLISHED_TRANSFORMER] = "-m", [FF_PUBLISHED_VAE] = "--vae",
        [FF_PUBLISHED_TEXT_ENCODER] = "--text-encoder",
    };
    size_t length = (size_t)snprintf(out, capacity, "firstframe %s", recipe->command);
    for (size_t i = 0; i < recipe->count && length < capacity; i++) {
        const ff_published_file *file = &recipe->files[i];
        length += (size_t)snprintf(out + length, capacity - length, " %s %s/%s", options[file->part], folder,
                                   file->path ? file->path : name_of(file->repository));
    }
    if (length < capacity)
        snprintf(out + length, capacity - length, " %s", recipe->arguments);
}

static bool tell(const ff_published_file *file, ff_published_part part, char *out, size_t capacity)
{
    if (file->part != part)
        return false;
    if (file->path)
        snprintf(out, capacity, "%s of %s", file->path, file->repository);
    else
        snprintf(out, capacity, "%s", file->repository);
    return true;
}

bool ff_recipe_publishes(ff_published_part part, size_t latent_channels, char *out, size_t capacity)
{
    *out = 0;
    for (size_t i = 0; i < ff_recipe_count; i++)
        for (size_t k = 0; ff_recipes[i].latent_channels == latent_channels && k < ff_recipes[i].count; k++)
            if (tell(&ff_recipes[i].files[k], part, out, capacity))
                return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].latent_channels == latent_channels && tell(&others[i].file, part, out, capacity))
            return true;
    return false;
}
