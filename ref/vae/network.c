// Lists the layers of the encoder and the decoder and finds their weights, under the names diffusers gives them.
#include "vae_layer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// A network being listed; once `status` is set, nothing is looked up any more.
typedef struct builder {
    ff_weights *weights;
    const ff_vae_config *config;
    ff_vae_network *network;
    ff_error *error;
    ff_status status;
    size_t parameters;
} builder;

// The name of a module.
typedef struct module {
    char name[80];
} module;

static module named(const char *format, ...) __attribute__((format(printf, 1, 2)));
static module named(const char *format, ...)
{
    module result;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result.name, sizeof result.name, format, arguments);
    va_end(arguments);
    return result;
}

// ---- weights ----

static const float *find_vector(builder *to, module at, const char *name, size_t count)
{
    const float *vector = NULL;
    if (to->status == FF_OK)
        to->status = ff_weights_get_f32(to->weights, &vector, to->error, count, "%s.%s", at.name, name);
    to->parameters += count;
    return vector;
}

// dimensions: 2 for a convolution of pictures, 3 for one of videos; with kernel_s 1, both are products with a matrix.
static ff_vae_convolution find_convolution(builder *to, module at, int dimensions, size_t in_channels,
                                           size_t out_channels, size_t kernel_t, size_t kernel_s)
{
    ff_vae_convolution found = {in_channels, out_channels, kernel_t, kernel_s, {0}, NULL};
    size_t video[5] = {out_channels, in_channels, kernel_t, kernel_s, kernel_s};
    size_t picture[4] = {out_channels, in_channels, kernel_s, kernel_s};
    if (to->status == FF_OK)
        to->status = ff_weights_get(to->weights, &found.weight, to->error, dimensions + 2,
                                    dimensions == 3 ? video : picture, "%s.weight", at.name);
    to->parameters += out_channels * in_channels * kernel_t * kernel_s * kernel_s;
    found.bias = find_vector(to, at, "bias", out_channels);
    return found;
}

// ---- layers ----

static ff_vae_layer *add_layer(builder *to, const ff_vae_layer_ops *ops, size_t in_channels, size_t out_channels)
{
    ff_vae_layer *layer = &to->network->layers[to->network->count++];
    *layer = (ff_vae_layer){.ops = ops, .in_channels = in_channels, .out_channels = out_channels};
    return layer;
}

// The first `used` outputs of a 1x1 convolution.
static void add_linear(builder *to, const char *name, size_t in_channels, size_t out_channels, size_t used)
{
    ff_vae_layer *layer = add_layer(to, &ff_vae_linear_ops, in_channels, used);
    layer->first = find_convolution(to, named("%s", name), 3, in_channels, out_channels, 1, 1);
    layer->first.out_channels = used;
    ff_vae_name_stage(to->network, name, SIZE_MAX);
}

static void add_convolution_in(builder *to, const char *network, size_t in_channels, size_t out_channels)
{
    ff_vae_layer *layer = add_layer(to, &ff_vae_convolution_ops, in_channels, out_channels);
    layer->first = find_convolution(to, named("%s.conv_in", network), 3, in_channels, out_channels, 3, 3);
    ff_vae_name_stage(to->network, "conv_in", SIZE_MAX);
}

static void add_convolution_out(builder *to, const char *network, size_t in_channels, size_t out_channels)
{
    ff_vae_layer *layer = add_layer(to, &ff_vae_convolution_ops, in_channels, out_channels);
    layer->norm1 = find_vector(to, named("%s.norm_out", network), "gamma", in_channels);
    layer->first = find_convolution(to, named("%s.conv_out", network), 3, in_channels, out_channels, 3, 3);
    ff_vae_name_stage(to->network, "conv_out", SIZE_MAX);
}

static void add_residual(builder *to, module at, size_t in_channels, size_t out_channels)
{
    ff_vae_layer *layer = add_layer(to, &ff_vae_residual_ops, in_channels, out_channels);
    layer->norm1 = find_vector(to, named("%s.norm1", at.name), "gamma", in_channels);
    layer->first = find_convolution(to, named("%s.conv1", at.name), 3, in_channels, out_channels, 3, 3);
    layer->norm2 = find_vector(to, named("%s.norm2", at.name), "gamma", out_channels);
    layer->second = find_convolution(to, named("%s.conv2", at.name), 3, out_channels, out_channels, 3, 3);
    if (in_channels != out_channels)
        layer->shortcut =
            find_convolution(to, named("%s.conv_shortcut", at.name), 3, in_channels, out_channels, 1, 1);
}

static void add_attention(builder *to, module at, size_t channels)
{
    ff_vae_layer *layer = add_layer(to, &ff_vae_attention_ops, channels, channels);
    layer->norm1 = find_vector(to, named("%s.norm", at.name), "gamma", channels);
    layer->first = find_convolution(to, named("%s.to_qkv", at.name), 2, channels, 3 * channels, 1, 1);
    layer->second = find_convolution(to, named("%s.proj", at.name), 2, channels, channels, 1, 1);
}

static void add_downsample(builder *to, module at, size_t channels, bool temporal)
{
    ff_vae_layer *layer = add_layer(to, &ff_vae_downsample_ops, channels, channels);
    layer->spatial = true;
    layer->temporal = temporal;
    layer->first = find_convolution(to, named("%s.resample.1", at.name), 2, channels, channels, 1, 3);
    if (temporal)
        layer->second = find_convolution(to, named("%s.time_conv", at.name), 3, channels, channels, 3, 1);
}

static void add_upsample(builder *to, module at, size_t in_channels, size_t out_channels, bool temporal)
{
    ff_vae_layer *layer = add_layer(to, &ff_vae_upsample_ops, in_channels, out_channels);
    layer->spatial = true;
    layer->temporal = temporal;
    layer->first = find_convolution(to, named("%s.resample.1", at.name), 2, in_channels, out_channels, 1, 3);
    if (temporal)
        layer->second = find_convolution(to, named("%s.time_conv", at.name), 3, in_channels, 2 * in_channels, 3, 1);
}

// Values in a cell of pixels and frames that a sampler makes one of, or one into.
static size_t cell_size(bool spatial, bool temporal)
{
    return (spatial ? 4u : 1u) * (temporal ? 2u : 1u);
}

// Begins a shortcut between `many` values and `few`. Returns the index to end it with.
static size_t add_branch(builder *to, size_t channels, bool temporal, size_t many, size_t few)
{
    if (to->status == FF_OK && many % few != 0)
        to->status = ff_fail(to->error, FF_ERROR_INPUT,
                             "%s: dim_mult asks for a shortcut between %zu and %zu channels; expected a multiple",
                             to->config->path, many, few);
    add_layer(to, &ff_vae_branch_ops, channels, channels)->temporal = temporal;
    return to->network->count - 1;
}

static void add_shortcut(builder *to, const ff_vae_layer_ops *ops, size_t branch, size_t in_channels,
                         size_t out_channels, bool spatial, bool temporal)
{
    ff_vae_layer *layer = add_layer(to, ops, in_channels, out_channels);
    layer->spatial = spatial;
    layer->temporal = temporal;
    layer->branch = branch;
}

// ---- networks ----

static void add_middle(builder *to, const char *network, size_t channels)
{
    add_residual(to, named("%s.mid_block.resnets.0", network), channels, channels);
    add_attention(to, named("%s.mid_block.attentions.0", network), channels);
    add_residual(to, named("%s.mid_block.resnets.1", network), channels, channels);
    ff_vae_name_stage(to->network, "mid_block", SIZE_MAX);
}

// Wan2.2: a shortcut around the residual blocks and the sampler of a level.
static void add_down_block(builder *to, size_t level, size_t in_channels, size_t out_channels)
{
    const ff_vae_config *config = to->config;
    module block = named("encoder.down_blocks.%zu", level);
    bool last = level + 1 == config->levels, temporal = config->temporal[level];
    size_t branch = add_branch(to, in_channels, temporal, in_channels * cell_size(!last, temporal), out_channels);
    for (size_t i = 0; i < config->num_res_blocks; i++)
        add_residual(to, named("%s.resnets.%zu", block.name, i), i ? out_channels : in_channels, out_channels);
    if (!last)
        add_downsample(to, named("%s.downsampler", block.name), out_channels, temporal);
    add_shortcut(to, &ff_vae_average_down_ops, branch, in_channels, out_channels, !last, temporal);
    ff_vae_name_stage(to->network, "down_blocks", level);
}

static bool attends(const ff_vae_config *config, size_t level)
{
    double scale = 1.0 / (double)(1u << level);
    for (size_t i = 0; i < config->attn_scale_count; i++)
        if (config->attn_scales[i] == scale)
            return true;
    return false;
}

// Wan2.1: the modules of all levels are numbered through; *next is the next number.
static void add_down_modules(builder *to, size_t level, size_t in_channels, size_t out_channels, size_t *next)
{
    const ff_vae_config *config = to->config;
    for (size_t i = 0; i < config->num_res_blocks; i++) {
        add_residual(to, named("encoder.down_blocks.%zu", *next), i ? out_channels : in_channels, out_channels);
        ff_vae_name_stage(to->network, "down_blocks", (*next)++);
        if (attends(config, level)) {
            add_attention(to, named("encoder.down_blocks.%zu", *next), out_channels);
            ff_vae_name_stage(to->network, "down_blocks", (*next)++);
        }
    }
    if (level + 1 < config->levels) {
        add_downsample(to, named("encoder.down_blocks.%zu", *next), out_channels, config->temporal[level]);
        ff_vae_name_stage(to->network, "down_blocks", (*next)++);
    }
}

static void build_encoder(builder *to)
{
    const ff_vae_config *config = to->config;
    size_t channels = config->base_dim, next = 0, moments = 2 * config->z_dim;
    add_convolution_in(to, "encoder", 3 * config->patch * config->patch, channels);
    for (size_t level = 0; level < config->levels; level++) {
        size_t out_channels = config->base_dim * config->dim_mult[level];
        if (config->residual)
            add_down_block(to, level, channels, out_channels);
        else
            add_down_modules(to, level, channels, out_channels, &next);
        channels = out_channels;
    }
    add_middle(to, "encoder", channels);
    add_convolution_out(to, "encoder", channels, moments);
    // mean and log variance; the mode is the mean
    add_linear(to, "quant_conv", moments, moments, config->z_dim);
}

// One level of the decoder. Wan2.1 halves the channels in the sampler, Wan2.2 in the next level's first residual block
// and has a shortcut. Returns the channels that come out.
static size_t add_up_block(builder *to, size_t i, size_t in_channels, size_t out_channels)
{
    const ff_vae_config *config = to->config;
    module block = named("decoder.up_blocks.%zu", i);
    bool last = i + 1 == config->levels;
    bool temporal = !last && config->temporal[config->levels - 2 - i];
    size_t branch = 0;
    if (config->residual && !last)
        branch = add_branch(to, in_channels, false, out_channels * cell_size(true, temporal), in_channels);
    for (size_t j = 0; j <= config->num_res_blocks; j++)
        add_residual(to, named("%s.resnets.%zu", block.name, j), j ? out_channels : in_channels, out_channels);
    if (last)
        return out_channels;
    if (!config->residual) {
        add_upsample(to, named("%s.upsamplers.0", block.name), out_channels, out_channels / 2, temporal);
        return out_channels / 2;
    }
    add_upsample(to, named("%s.upsampler", block.name), out_channels, out_channels, temporal);
    add_shortcut(to, &ff_vae_repeat_up_ops, branch, in_channels, out_channels, true, temporal);
    return out_channels;
}

static void build_decoder(builder *to)
{
    const ff_vae_config *config = to->config;
    size_t channels = config->decoder_base_dim * config->dim_mult[config->levels - 1];
    add_linear(to, "post_quant_conv", config->z_dim, config->z_dim, config->z_dim);
    add_convolution_in(to, "decoder", config->z_dim, channels);
    add_middle(to, "decoder", channels);
    for (size_t i = 0; i < config->levels; i++) {
        size_t out_channels = config->decoder_base_dim * config->dim_mult[config->levels - 1 - i];
        channels = add_up_block(to, i, channels, out_channels);
        ff_vae_name_stage(to->network, "up_blocks", i);
    }
    add_convolution_out(to, "decoder", channels, 3 * config->patch * config->patch);
}

ff_status ff_vae_build(ff_vae *vae, ff_weights *weights, const ff_vae_config *config, ff_error *error)
{
    builder to = {.weights = weights, .config = config, .error = error};
    // per level: a branch, residual blocks each with an attention, one more block, a sampler, a shortcut; and six more
    size_t most_layers = config->levels * (2 * config->num_res_blocks + 4) + 6;
    vae->encoder.layers = calloc(most_layers, sizeof *vae->encoder.layers);
    vae->decoder.layers = calloc(most_layers, sizeof *vae->decoder.layers);
    if (!vae->encoder.layers || !vae->decoder.layers)
        return ff_fail(error, FF_ERROR_MEMORY, "not enough memory to open the VAE");
    to.network = &vae->encoder;
    build_encoder(&to);
    to.network = &vae->decoder;
    build_decoder(&to);
    vae->parameters = to.parameters;
    return to.status;
}
