#include "dims.h"

#include "base/arena.h"
#include "base/sizes.h"
#include "random_elements.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FOUR(text) text "," text "," text "," text
#define SIXTEEN(text) FOUR(FOUR(text))
#define MOST_CONFIG 2048

// google/umt5-xxl, with a small vocabulary: a table that is looked up takes no time.
static const char umt5_xxl[] =
    "{\"model_type\": \"umt5\", \"vocab_size\": 1024, \"d_model\": 4096, \"d_kv\": 64, \"d_ff\": 10240,"
    " \"num_layers\": %zu, \"num_heads\": 64, \"feed_forward_proj\": \"gated-gelu\"}";

// Wan-AI's model cards on huggingface.co: transformer/config.json and vae/config.json of the -Diffusers folders. What
// normalises latents is left out.
static const ff_dims all_dims[] = {
    {.name = "ti2v-5b", .transformer_layers = 30, .text_encoder_layers = 24, .spatial_factor = 16, .temporal_factor = 4,
     .width = 640, .height = 352, .frames = 25, .expand_timesteps = true, .text_encoder = umt5_xxl,
     .transformer =
         "{\"attention_head_dim\": 128, \"num_attention_heads\": 24, \"num_layers\": %zu, \"ffn_dim\": 14336,"
         " \"in_channels\": 48, \"out_channels\": 48, \"text_dim\": 4096, \"freq_dim\": 256,"
         " \"patch_size\": [1, 2, 2]}",
     .vae =
         "{\"base_dim\": 160, \"decoder_base_dim\": 256, \"z_dim\": 48, \"dim_mult\": [1, 2, 4, 4],"
         " \"num_res_blocks\": 2, \"temperal_downsample\": [false, true, true], \"is_residual\": true,"
         " \"patch_size\": 2, \"in_channels\": 12, \"out_channels\": 12,"
         " \"latents_mean\": [" SIXTEEN("0, 0, 0") "], \"latents_std\": [" SIXTEEN("1, 1, 1") "]}"},
    {.name = "t2v-1.3b", .transformer_layers = 30, .text_encoder_layers = 24, .spatial_factor = 8, .temporal_factor = 4,
     .width = 416, .height = 240, .frames = 25, .text_encoder = umt5_xxl,
     .transformer =
         "{\"attention_head_dim\": 128, \"num_attention_heads\": 12, \"num_layers\": %zu, \"ffn_dim\": 8960,"
         " \"in_channels\": 16, \"out_channels\": 16, \"text_dim\": 4096, \"freq_dim\": 256,"
         " \"patch_size\": [1, 2, 2]}",
     .vae =
         "{\"base_dim\": 96, \"z_dim\": 16, \"dim_mult\": [1, 2, 4, 4], \"num_res_blocks\": 2,"
         " \"temperal_downsample\": [false, true, true],"
         " \"latents_mean\": [" SIXTEEN("0") "], \"latents_std\": [" SIXTEEN("1") "]}"},
};

const ff_dims *ff_dims_find(const char *name)
{
    for (size_t i = 0; i < sizeof all_dims / sizeof *all_dims; i++)
        if (strcmp(all_dims[i].name, name) == 0)
            return &all_dims[i];
    return NULL;
}

// ---- weights ----

// Any tensor that is asked for, in the shape that is asked for. Matrices keep the size of what they multiply, so that
// nothing overflows on its way through the layers.
static ff_status make_tensor(void *user, const char *name, ff_weight *view, bool *found, ff_error *error)
{
    ff_random_weights *to = user;
    char shape[FF_SHAPE_TEXT];
    size_t count = 1;
    bool fits = true;
    if (!(*found = view->rank > 0))  // whatever there is: nothing is
        return FF_OK;
    for (int i = 0; i < view->rank; i++)
        fits = fits && ff_multiply_sizes(count, view->shape[i], &count);
    size_t depth = view->rank > 1 && view->shape[0] ? count / view->shape[0] : 3;
    bool whole = view->rank == 2 && fits && depth % to->dtype->block == 0;
    ff_dtype dtype = to->dtype == FF_BF16 || whole ? to->dtype : FF_F32;
    size_t bytes = fits ? count / dtype->block : 0;
    fits = fits && ff_multiply_sizes(bytes, dtype->bytes, &bytes);
    if (fits && to->most && bytes > to->most - to->bytes)
        return ff_fail(error, FF_ERROR_MEMORY, "random weights of these dimensions need more than the %.1f GiB of "
                       "memory that are free: fewer blocks, or bf16, need less", (double)to->most / (1 << 30));
    void *data = fits ? ff_arena_take(to->memory, bytes, 1) : NULL;
    float *factor = ff_arena_floats(to->memory, 1);
    if (!data || !factor) {
        ff_print_shape(shape, view->rank, view->shape);
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for random weights of shape %s", shape);
    }
    *factor = ff_random_elements(to->drawn, count, dtype, sqrtf(3.0f / (float)(depth ? depth : 1)), data);
    to->drawn += count;
    to->bytes += bytes;
    view->data = data;
    view->dtype = dtype;
    view->scales = dtype->bytes == 1 ? factor : NULL;
    return FF_OK;
}

ff_status ff_random_weights_open(ff_random_weights *out, const char *config, size_t layers, ff_dtype dtype, size_t most,
                                 ff_error *error)
{
    char text[MOST_CONFIG];
    *out = (ff_random_weights){.dtype = dtype, .most = most, .memory = ff_arena_create()};
    if (!out->memory)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for random weights");
    snprintf(text, sizeof text, config, layers);
    ff_status status = ff_config_parse("(built-in config)", text, &out->config, error);
    const ff_weight_source source = {.user = out, .origin = "(memory)", .find = make_tensor};
    return status ? status : ff_weights_open_source(&source, NULL, &out->weights, error);
}

void ff_random_weights_close(ff_random_weights *weights)
{
    ff_weights_close(weights->weights);
    ff_config_close(weights->config);
    ff_arena_destroy(weights->memory);
    *weights = (ff_random_weights){0};
}
