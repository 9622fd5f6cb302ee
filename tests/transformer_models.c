#include "transformer_models.h"

#include <stdio.h>
#include <stdlib.h>

void *allocate(size_t count)
{
    void *memory = calloc(count, sizeof(float));
    assert_non_null(memory);
    return memory;
}

ff_transformer_text *make_text(const fixture *f, float shift)
{
    ff_error error = {0};
    ff_transformer_text *text;
    size_t count;
    const float *real = golden_f32(f->golden, "embeds", &count);
    float *embeds = allocate(f->text_tokens * f->shape.text_dim);
    for (size_t i = 0; i < count; i++)
        embeds[i] = real[i] + shift;
    assert_ok(ff_transformer_text_create(f->transformer, ff_kernels_scalar(), embeds, f->text_tokens, &text, &error),
              &error);
    free(embeds);
    return text;
}

fixture open_fixture(const char *name)
{
    fixture f = {0};
    ff_error error = {0};
    ff_weight latents;
    char path[512];
    snprintf(path, sizeof path, "%s/diffusers/transformer/%s", FF_GOLDEN, name);
    assert_ok(ff_weights_open(path, &f.weights, &error), &error);
    snprintf(path, sizeof path, "%s/diffusers/transformer/%s/config.json", FF_GOLDEN, name);
    assert_ok(ff_config_open(path, &f.config, &error), &error);
    assert_ok(ff_transformer_open(f.weights, f.config, &f.transformer, &error), &error);
    f.shape = ff_transformer_describe(f.transformer);

    snprintf(path, sizeof path, "diffusers/transformer/%s/golden.safetensors", name);
    f.golden = golden_open(path);
    assert_true(ff_weights_find(f.golden, "latents", &latents));
    f.latents = latents.data;
    f.extent = (ff_extent){latents.shape[1], latents.shape[2], latents.shape[3]};
    f.timesteps = golden_f32(f.golden, "timesteps", &f.timestep_count);
    f.output = golden_f32(f.golden, "output", &f.output_count);
    f.text_tokens = (size_t)golden_i64(f.golden, "text_tokens", NULL)[0];
    f.text = make_text(&f, 0);
    return f;
}

void close_fixture(fixture *f)
{
    ff_transformer_text_destroy(f->text);
    ff_transformer_close(f->transformer);
    ff_config_close(f->config);
    ff_weights_close(f->weights);
    ff_weights_close(f->golden);
}

ff_transformer_input golden_input(const fixture *f, ff_transformer_context *context)
{
    *context = ff_transformer_text_context(f->text);
    return (ff_transformer_input){.extent = f->extent, .latents = f->latents, .timesteps = f->timesteps,
                                  .timestep_count = f->timestep_count, .contexts = context, .context_count = 1,
                                  .call = CALL};
}

// ---- counting ----

double counted;

static ff_status count_matmul(const ff_kernels *kernels, const ff_matmul *m)
{
    counted += 2.0 * (double)m->rows * (double)m->columns * (double)m->depth;
    ff_kernels inner = ff_kernels_inner(kernels);
    return inner.matmul(&inner, m);
}

static ff_status count_convolution(const ff_kernels *kernels, const ff_convolution *c)
{
    double outputs = (double)(c->out_frames * c->out_height * c->out_width * c->out_channels);
    counted += 2.0 * outputs * (double)(c->kernel_t * c->kernel_h * c->kernel_w * c->in_channels);
    ff_kernels inner = ff_kernels_inner(kernels);
    return inner.convolution(&inner, c);
}

static ff_status count_attention(const ff_kernels *kernels, const ff_attention *a)
{
    counted += 4.0 * (double)a->queries * (double)a->keys * (double)(a->heads * a->head_dim);
    ff_kernels inner = ff_kernels_inner(kernels);
    return inner.attention(&inner, a);
}

ff_kernels counting_kernels(void)
{
    ff_kernels counting = ff_kernels_wrap(ff_kernels_scalar(), NULL);
    counting.matmul = count_matmul;
    counting.convolution = count_convolution;
    counting.attention = count_attention;
    counted = 0;
    return counting;
}
