#include "vae_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const vae_models[VAE_MODELS] = {"residual",  "residual_deep", "residual_flat", "plain",
                                            "plain_odd", "plain_shallow", "plain_single"};

vae_model vae_model_open(const char *name)
{
    char path[1024];
    vae_model m;
    ff_error error = {0};
    snprintf(path, sizeof path, "%s/diffusers/vae/%s", FF_GOLDEN, name);
    assert_ok(ff_weights_open(path, &m.weights, &error), &error);
    snprintf(path, sizeof path, "%s/diffusers/vae/%s/config.json", FF_GOLDEN, name);
    assert_ok(ff_config_open(path, &m.config, &error), &error);
    assert_ok(ff_vae_open(m.weights, m.config, &m.vae, &error), &error);
    snprintf(path, sizeof path, "diffusers/vae/%s/golden.safetensors", name);
    m.golden = golden_open(path);
    m.shape = ff_vae_describe(m.vae);
    assert_true(ff_weights_find(m.golden, "encode", &m.encoded));
    assert_true(ff_weights_find(m.golden, "decode", &m.decoded));
    assert_int_equal(m.encoded.shape[0], m.shape.latent_channels);
    return m;
}

void vae_model_close(vae_model *m)
{
    ff_vae_close(m->vae);
    ff_config_close(m->config);
    ff_weights_close(m->weights);
    ff_weights_close(m->golden);
}

float *allocate_floats(size_t count)
{
    float *floats = malloc(count * sizeof *floats);
    assert_non_null(floats);
    return floats;
}

float *vae_pattern(uint32_t seed, size_t count, float scale)
{
    float *out = allocate_floats(count);
    for (size_t i = 0; i < count; i++) {
        uint32_t hash = (uint32_t)i * 2654435761u + seed * 40503u;
        hash = (hash ^ hash >> 15) * 2246822519u;
        hash ^= hash >> 13;
        out[i] = scale * ((float)(hash >> 8) / 8388608.0f - 1.0f);
    }
    return out;
}

float *vae_latents(const vae_model *m, size_t frames)
{
    size_t channels = m->encoded.shape[0], cells = m->encoded.shape[2] * m->encoded.shape[3];
    float *drawn = vae_pattern(2, frames * channels * cells, 2), *latents = allocate_floats(frames * channels * cells);
    for (size_t frame = 0; frame < frames; frame++)
        for (size_t channel = 0; channel < channels; channel++)
            memcpy(latents + (channel * frames + frame) * cells, drawn + (frame * channels + channel) * cells,
                   cells * sizeof *latents);
    free(drawn);
    return latents;
}

ff_status vae_collect(void *user, size_t index, const float *pixels, ff_error *error)
{
    vae_collector *to = user;
    assert_int_equal(index, to->count);
    if (index == to->stop_at)
        return ff_fail(error, FF_CANCELLED, "stopped");
    if (to->pixels)
        memcpy(to->pixels + index * to->frame_floats, pixels, to->frame_floats * sizeof *pixels);
    to->count++;
    return FF_OK;
}

ff_status vae_give_frame(void *user, size_t index, const float **pixels, ff_error *error)
{
    vae_single_frame *from = user;
    if (index == from->stop_at)
        return ff_fail(error, FF_ERROR_IO, "no more frames");
    memcpy(from->pixels, from->video + index * from->frame_floats, from->frame_floats * sizeof *from->pixels);
    *pixels = from->pixels;
    return FF_OK;
}
