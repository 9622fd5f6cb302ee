#include "geometry.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../weights/json.h"

#define HEAD_DIM 128
#define MOST_LAYERS ((size_t)4096)

// Settings being gathered; after a failure what follows does nothing.
typedef struct geometry {
    const ff_weights *weights;
    cJSON *json;
    ff_error *error;
    ff_status status;
} geometry;

static void set(geometry *g, cJSON *item, const char *key)
{
    if (g->status == FF_OK && (!item || !cJSON_AddItemToObject(g->json, key, item)))
        g->status = ff_fail(g->error, FF_ERROR_MEMORY, "%s: out of memory", ff_weights_origin(g->weights));
    else if (g->status)
        cJSON_Delete(item);
}

static void set_size(geometry *g, const char *key, size_t value)
{
    set(g, cJSON_CreateNumber((double)value), key);
}

static bool has(const geometry *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool has(const geometry *g, const char *format, ...)
{
    char name[256];
    ff_weight view;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return ff_weights_has(g->weights, name, &view);
}

// The size of a tensor along an axis; 0 after a failure, as where there is no such tensor or axis.
static size_t size_of(geometry *g, int axis, const char *format, ...) __attribute__((format(printf, 3, 4)));
static size_t size_of(geometry *g, int axis, const char *format, ...)
{
    char name[256];
    ff_weight view;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    if (g->status)
        return 0;
    if (!ff_weights_has(g->weights, name, &view)) {
        g->status = ff_fail(g->error, FF_ERROR_INPUT, "%s: tensor %s is missing, so the model's sizes are not known",
                            ff_weights_origin(g->weights), name);
        return 0;
    }
    if (axis >= view.rank || view.shape[axis] == 0) {
        char shape[FF_SHAPE_TEXT];
        ff_print_shape(shape, view.rank, view.shape);
        g->status = ff_fail(g->error, FF_ERROR_INPUT, "%s: tensor %s has shape %s, from which the model's sizes cannot "
                            "be told", ff_weights_origin(g->weights), name, shape);
        return 0;
    }
    return view.shape[axis];
}

// How many of the tensors that `format` names by one number follow each other from 0 on.
static size_t count_of(const geometry *g, const char *format)
{
    size_t count = 0;
    char name[256];
    ff_weight view;
    for (; count < MOST_LAYERS; count++) {
        snprintf(name, sizeof name, format, count);
        if (!ff_weights_has(g->weights, name, &view))
            break;
    }
    return count;
}

static ff_status fail(geometry *g, const char *sentence)
{
    if (g->status == FF_OK)
        g->status = ff_fail(g->error, FF_ERROR_INPUT, "%s: %s", ff_weights_origin(g->weights), sentence);
    return g->status;
}

static ff_status start(geometry *g, const ff_weights *weights, ff_config **out, ff_error *error)
{
    *out = NULL;
    *g = (geometry){.weights = weights, .json = cJSON_CreateObject(), .error = error};
    if (!g->json)
        g->status = ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", ff_weights_origin(weights));
    return g->status;
}

static ff_status finish(geometry *g, ff_config **out)
{
    char *text = g->status ? NULL : cJSON_PrintUnformatted(g->json);
    if (!g->status && !text)
        g->status = ff_fail(g->error, FF_ERROR_MEMORY, "%s: out of memory", ff_weights_origin(g->weights));
    if (text)
        g->status = ff_config_parse(ff_weights_origin(g->weights), text, out, g->error);
    cJSON_free(text);
    cJSON_Delete(g->json);
    return g->status;
}

// ---- transformer ----

ff_status ff_geometry_transformer(const ff_weights *weights, ff_config **out, ff_error *error)
{
    static const char embedding[] = "patch_embedding.weight";
    geometry g;
    if (start(&g, weights, out, error))
        return g.status;
    size_t dim = size_of(&g, 0, "condition_embedder.time_embedder.linear_2.weight"), cells = 1;
    ff_weight view;
    bool merged = ff_weights_has(weights, embedding, &view) && view.rank == 4;   // the first two axes are one
    cJSON *patch = cJSON_CreateArray();
    for (int axis = 2; axis < 5; axis++) {
        size_t side = size_of(&g, axis - merged, embedding);
        cells *= side;
        cJSON_AddItemToArray(patch, cJSON_CreateNumber((double)side));
    }
    set(&g, patch, "patch_size");
    set(&g, cJSON_CreateString("WanTransformer3DModel"), "_class_name");
    set_size(&g, "in_channels", merged ? size_of(&g, 0, embedding) / (dim ? dim : 1) : size_of(&g, 1, embedding));
    size_t out_values = size_of(&g, 0, "proj_out.weight");
    if (!g.status && dim % HEAD_DIM)
        fail(&g, "the transformer's width is no multiple of 128, which all heads of published models have; it needs a "
             "config.json");
    if (!g.status && out_values % cells)
        fail(&g, "tensor proj_out.weight gives no whole number of channels a patch");
    set_size(&g, "out_channels", cells ? out_values / cells : 0);
    set_size(&g, "attention_head_dim", HEAD_DIM);
    set_size(&g, "num_attention_heads", dim / HEAD_DIM);
    set_size(&g, "num_layers", count_of(&g, "blocks.%zu.attn1.to_q.weight"));
    set_size(&g, "ffn_dim", size_of(&g, 0, "blocks.0.ffn.net.0.proj.weight"));
    set_size(&g, "freq_dim", size_of(&g, 1, "condition_embedder.time_embedder.linear_1.weight"));
    set_size(&g, "text_dim", size_of(&g, 1, "condition_embedder.text_embedder.linear_1.weight"));
    set(&g, cJSON_CreateBool(has(&g, "blocks.0.norm2.weight")), "cross_attn_norm");
    if (has(&g, "condition_embedder.image_embedder.norm1.weight"))
        set_size(&g, "image_dim", size_of(&g, 0, "condition_embedder.image_embedder.norm1.weight"));
    if (has(&g, "blocks.0.attn2.add_k_proj.weight"))
        set_size(&g, "added_kv_proj_dim", size_of(&g, 1, "blocks.0.attn2.add_k_proj.weight"));
    if (has(&g, "condition_embedder.image_embedder.pos_embed"))
        set_size(&g, "pos_embed_seq_len", size_of(&g, 1, "condition_embedder.image_embedder.pos_embed"));
    return finish(&g, out);
}

// ---- VAE ----

// Of the latents, as AutoencoderKLWan of diffusers has them by default and as the vae2_2 module of Wan2.2.
static const double mean_21[16] = {
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
};
static const double std_21[16] = {
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
};
static const double mean_22[48] = {
    -0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542, 0.2813, 0.0891,
    0.1570, -0.0098, 0.0375, -0.1825, -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502,
    -0.2055, -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230, -0.0313, -0.1649, 0.0117, 0.0723,
    -0.2839, -0.2083, -0.0520, 0.3748, 0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667,
};
static const double std_22[48] = {
    0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894, 1.0901,
    0.6885, 0.6165, 0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659,
    0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944,
    0.5726, 1.2042, 0.5458, 1.6887, 0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744,
};

static void set_normalisation(geometry *g, bool residual, size_t channels)
{
    if (!g->status && channels != (residual ? 48u : 16u)) {
        g->status = ff_fail(g->error, FF_ERROR_INPUT, "%s: a VAE of %zu latent channels, whose latents_mean and "
                            "latents_std are not known; it needs a config.json", ff_weights_origin(g->weights),
                            channels);
        return;
    }
    set(g, cJSON_CreateDoubleArray(residual ? mean_22 : mean_21, residual ? 48 : 16), "latents_mean");
    set(g, cJSON_CreateDoubleArray(residual ? std_22 : std_21, residual ? 48 : 16), "latents_std");
}

// The encoder's levels: their channels as multiples of base, the residual blocks of each, and where time is halved.
//   *first: the layer, of those numbered through, that a level of the Wan2.1 VAE begins with
static bool add_level(geometry *g, bool residual, size_t level, size_t *first, cJSON *dim_mult, cJSON *temporal,
                      size_t base, size_t *blocks)
{
    char name[64], sampler[64];
    size_t count = 0;
    for (;; count++) {
        if (residual)
            snprintf(name, sizeof name, "encoder.down_blocks.%zu.resnets.%zu", level, count);
        else
            snprintf(name, sizeof name, "encoder.down_blocks.%zu", *first + count);
        if (count == MOST_LAYERS || !has(g, "%s.conv1.weight", name))
            break;
    }
    if (count == 0)
        return false;
    if (residual)
        snprintf(name, sizeof name, "encoder.down_blocks.%zu.resnets.0", level);
    else
        snprintf(name, sizeof name, "encoder.down_blocks.%zu", *first);
    size_t channels = size_of(g, 0, "%s.conv1.weight", name);
    if (!g->status && (channels % base || (level && count != *blocks)))
        fail(g, "the VAE's levels are none that Wan's have");
    *blocks = count;
    *first += count;
    cJSON_AddItemToArray(dim_mult, cJSON_CreateNumber((double)(channels / (base ? base : 1))));
    if (residual)
        snprintf(sampler, sizeof sampler, "encoder.down_blocks.%zu.downsampler", level);
    else
        snprintf(sampler, sizeof sampler, "encoder.down_blocks.%zu", *first);
    if (!has(g, "%s.resample.1.weight", sampler))
        return false;
    cJSON_AddItemToArray(temporal, cJSON_CreateBool(has(g, "%s.time_conv.weight", sampler)));
    (*first)++;
    return true;
}

ff_status ff_geometry_vae(const ff_weights *weights, ff_config **out, ff_error *error)
{
    geometry g;
    if (start(&g, weights, out, error))
        return g.status;
    bool residual = has(&g, "encoder.down_blocks.0.resnets.0.conv1.weight");
    size_t base = size_of(&g, 0, "encoder.conv_in.weight"), pixels = size_of(&g, 1, "encoder.conv_in.weight");
    size_t channels = size_of(&g, 0, "post_quant_conv.weight"), patch = 1, first = 0, blocks = 0;
    cJSON *dim_mult = cJSON_CreateArray(), *temporal = cJSON_CreateArray();
    for (size_t level = 0; !g.status && level < 16; level++)
        if (!add_level(&g, residual, level, &first, dim_mult, temporal, base, &blocks))
            break;
    while (patch * patch * 3 < pixels)
        patch++;
    if (!g.status && patch * patch * 3 != pixels)
        fail(&g, "tensor encoder.conv_in.weight takes no patches of red, green and blue");
    if (!g.status && blocks == 0)
        fail(&g, "tensors of the VAE's encoder are missing");
    set(&g, dim_mult, "dim_mult");
    set(&g, temporal, "temperal_downsample");
    set(&g, cJSON_CreateString("AutoencoderKLWan"), "_class_name");
    set(&g, cJSON_CreateBool(residual), "is_residual");
    set_size(&g, "base_dim", base);
    set_size(&g, "decoder_base_dim", size_of(&g, 0, "decoder.norm_out.gamma"));
    set_size(&g, "z_dim", channels);
    set_size(&g, "num_res_blocks", blocks);
    if (patch > 1)
        set_size(&g, "patch_size", patch);
    set_normalisation(&g, residual, channels);
    return finish(&g, out);
}

// ---- text encoder ----

ff_status ff_geometry_text_encoder(const ff_weights *weights, ff_config **out, ff_error *error)
{
    static const char attention[] = "encoder.block.0.layer.0.SelfAttention", forward[] = "encoder.block.0.layer.1";
    geometry g;
    if (start(&g, weights, out, error))
        return g.status;
    bool gated = has(&g, "%s.DenseReluDense.wi_0.weight", forward);
    size_t heads = size_of(&g, 1, "%s.relative_attention_bias.weight", attention);
    size_t inner = size_of(&g, 0, "%s.q.weight", attention);
    if (!g.status && inner % heads)
        fail(&g, "the text encoder's heads do not divide its queries");
    set(&g, cJSON_CreateString("umt5"), "model_type");
    set(&g, cJSON_CreateString(gated ? "gated-gelu" : "gelu_new"), "feed_forward_proj");
    const char *embedding = has(&g, "shared.weight") ? "shared.weight" : "encoder.embed_tokens.weight";
    set_size(&g, "vocab_size", size_of(&g, 0, "%s", embedding));
    set_size(&g, "d_model", size_of(&g, 1, "%s", embedding));
    set_size(&g, "d_kv", heads ? inner / heads : 0);
    set_size(&g, "d_ff", size_of(&g, 0, "%s.DenseReluDense.%s.weight", forward, gated ? "wi_0" : "wi"));
    set_size(&g, "num_heads", heads);
    set_size(&g, "num_layers", count_of(&g, "encoder.block.%zu.layer.0.SelfAttention.q.weight"));
    set_size(&g, "relative_attention_num_buckets", size_of(&g, 0, "%s.relative_attention_bias.weight", attention));
    return finish(&g, out);
}
