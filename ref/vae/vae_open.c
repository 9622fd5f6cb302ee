// Reads a VAE's config and opens its networks.
#include "network.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_DIM ((size_t)1 << 16)  // of any size in a config; far above every published model
#define LARGEST_BLOCK_COUNT ((size_t)64)
#define LARGEST_PATCH ((size_t)16)
// The encoder is given chunks of four frames, so that it can halve their number twice.
#define MOST_TEMPORAL_LEVELS 2

// dim_mult and temperal_downsample (spelt so in every config). Absent keys take the class's defaults, Wan2.1's.
static ff_status read_levels(const ff_config *file, ff_vae_config *config, ff_error *error)
{
    static const size_t default_dim_mult[] = {1, 2, 4, 4};
    static const bool default_temporal[] = {false, true, true};
    const char *path = ff_config_path(file);
    size_t temporal_count = FF_VAE_MOST_LEVELS, temporal_levels = 0;
    ff_status status;

    config->levels = FF_VAE_MOST_LEVELS;
    if ((status = ff_config_sizes(file, "dim_mult", config->dim_mult, &config->levels, error)) ||
        (status = ff_config_bools(file, "temperal_downsample", config->temporal, &temporal_count, error)))
        return status;
    if (!ff_config_has(file, "dim_mult")) {
        config->levels = 4;
        memcpy(config->dim_mult, default_dim_mult, sizeof default_dim_mult);
    }
    if (!ff_config_has(file, "temperal_downsample")) {
        temporal_count = 3;
        memcpy(config->temporal, default_temporal, sizeof default_temporal);
    }
    if (config->levels == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: dim_mult is empty; expected 1 to %d entries", path,
                       FF_VAE_MOST_LEVELS);
    for (size_t i = 0; i < config->levels; i++)
        if (config->dim_mult[i] < 1 || config->dim_mult[i] > LARGEST_DIM)
            return ff_fail(error, FF_ERROR_INPUT, "%s: dim_mult has the entry %zu; expected 1 to %zu", path,
                           config->dim_mult[i], LARGEST_DIM);
    if (temporal_count != config->levels - 1)
        return ff_fail(error, FF_ERROR_INPUT,
                       "%s: temperal_downsample has %zu entries; expected %zu, one less than dim_mult", path,
                       temporal_count, config->levels - 1);
    config->temporal[config->levels - 1] = false;
    for (size_t i = 0; i < temporal_count; i++)
        temporal_levels += config->temporal[i];
    if (temporal_levels > MOST_TEMPORAL_LEVELS)
        return ff_fail(error, FF_ERROR_INPUT,
                       "%s: temperal_downsample halves the frames %zu times; expected at most %d", path,
                       temporal_levels, MOST_TEMPORAL_LEVELS);
    return FF_OK;
}

// A size that other keys determine; a config may leave it out.
static ff_status check_derived(const ff_config *file, const char *key, size_t derived, const char *from,
                               ff_error *error)
{
    size_t given;
    ff_status status = ff_config_size(file, key, derived, 0, SIZE_MAX, &given, error);
    if (status == FF_OK && given != derived)
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s is %zu; %s make it %zu", ff_config_path(file), key, given, from,
                       derived);
    return status;
}

static ff_status check_channels(const ff_vae_config *config, ff_error *error)
{
    for (size_t i = 0; i < config->levels; i++) {
        size_t base_dim = config->base_dim > config->decoder_base_dim ? config->base_dim : config->decoder_base_dim;
        if (base_dim * config->dim_mult[i] > LARGEST_DIM)
            return ff_fail(error, FF_ERROR_INPUT, "%s: level %zu has %zu channels; expected at most %zu", config->path,
                           i, base_dim * config->dim_mult[i], LARGEST_DIM);
        // Wan2.1's decoder halves the channels when it doubles the size
        if (!config->residual && i > 0 && config->decoder_base_dim * config->dim_mult[i] < 2)
            return ff_fail(error, FF_ERROR_INPUT,
                           "%s: level %zu of the decoder has one channel, which cannot be halved", config->path, i);
    }
    return FF_OK;
}

static ff_status read_config(const ff_config *file, ff_vae_config *config, ff_error *error)
{
    const char *class_name;
    ff_status status;
    config->path = ff_config_path(file);
    if ((status = ff_config_string(file, "_class_name", "AutoencoderKLWan", &class_name, error)))
        return status;
    if (strcmp(class_name, "AutoencoderKLWan") != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: the class is %s; expected AutoencoderKLWan", config->path,
                       class_name);
    config->attn_scale_count = FF_VAE_MOST_LEVELS;
    if ((status = read_levels(file, config, error)) ||
        (status = ff_config_size(file, "base_dim", 96, 1, LARGEST_DIM, &config->base_dim, error)) ||
        (status = ff_config_size(file, "decoder_base_dim", config->base_dim, 1, LARGEST_DIM,
                                 &config->decoder_base_dim, error)) ||
        (status = ff_config_size(file, "z_dim", 16, 1, LARGEST_DIM, &config->z_dim, error)) ||
        (status = ff_config_size(file, "num_res_blocks", 2, 1, LARGEST_BLOCK_COUNT, &config->num_res_blocks, error)) ||
        (status = ff_config_size(file, "patch_size", 1, 1, LARGEST_PATCH, &config->patch, error)) ||
        (status = ff_config_bool(file, "is_residual", false, &config->residual, error)) ||
        (status = ff_config_numbers(file, "attn_scales", config->attn_scales, &config->attn_scale_count, error)))
        return status;
    return check_channels(config, error);
}

// latents_mean and latents_std, as the pipelines round them: to float32, then 1 / std in float32.
static ff_status read_normalisation(const ff_config *file, ff_vae *vae, ff_error *error)
{
    static const char *const keys[] = {"latents_mean", "latents_std"};
    size_t channels = vae->shape.latent_channels;
    double *numbers = calloc(channels, sizeof *numbers);
    float *out[2] = {vae->mean = calloc(channels, sizeof(float)), vae->inverse_std = calloc(channels, sizeof(float))};
    ff_status status = FF_OK;
    if (!numbers || !out[0] || !out[1])
        status = ff_fail(error, FF_ERROR_MEMORY, "not enough memory to open the VAE");
    for (int key = 0; key < 2 && status == FF_OK; key++) {
        size_t count = channels;
        status = ff_config_numbers(file, keys[key], numbers, &count, error);
        if (status == FF_OK && count != channels)
            status = ff_fail(error, FF_ERROR_INPUT, "%s: %s has %zu entries; z_dim asks for %zu", ff_config_path(file),
                             keys[key], count, channels);
        for (size_t i = 0; i < channels && status == FF_OK; i++) {
            if (!(fabs(numbers[i]) <= FLT_MAX) || (key == 1 && !(numbers[i] >= FLT_MIN)))
                status = ff_fail(error, FF_ERROR_INPUT, "%s: %s has the entry %g; expected a %s number",
                                 ff_config_path(file), keys[key], numbers[i], key == 1 ? "positive" : "finite");
            out[key][i] = (float)numbers[i];
        }
    }
    for (size_t i = 0; i < channels && status == FF_OK; i++)
        vae->inverse_std[i] = 1.0f / vae->inverse_std[i];
    free(numbers);
    return status;
}

ff_status ff_vae_open(ff_weights *weights, const ff_config *file, ff_vae **out, ff_error *error)
{
    ff_vae_config config = {0};
    ff_status status = read_config(file, &config, error);
    if (status)
        return status;
    ff_vae *vae = calloc(1, sizeof *vae);
    if (!vae)
        return ff_fail(error, FF_ERROR_MEMORY, "not enough memory to open the VAE");

    vae->shape = (ff_vae_shape){config.z_dim, config.patch << (config.levels - 1), 1, config.patch, config.residual};
    for (size_t i = 0; i < config.levels; i++)
        vae->shape.temporal_factor <<= config.temporal[i];
    size_t pixel_channels = 3 * config.patch * config.patch;
    if ((status = check_derived(file, "in_channels", pixel_channels, "RGB and patch_size", error)) ||
        (status = check_derived(file, "out_channels", pixel_channels, "RGB and patch_size", error)) ||
        (status = check_derived(file, "scale_factor_spatial", vae->shape.spatial_factor, "dim_mult and patch_size",
                                error)) ||
        (status = check_derived(file, "scale_factor_temporal", vae->shape.temporal_factor,
                                "the entries of temperal_downsample", error)) ||
        (status = read_normalisation(file, vae, error)) ||
        (status = ff_vae_build(vae, weights, &config, error))) {
        ff_vae_close(vae);
        return status;
    }
    *out = vae;
    return FF_OK;
}

void ff_vae_close(ff_vae *vae)
{
    if (!vae)
        return;
    free(vae->encoder.layers);
    free(vae->decoder.layers);
    free(vae->mean);
    free(vae->inverse_std);
    free(vae);
}

ff_vae_shape ff_vae_describe(const ff_vae *vae)
{
    return vae->shape;
}

size_t ff_vae_parameters(const ff_vae *vae)
{
    return vae->parameters;
}
