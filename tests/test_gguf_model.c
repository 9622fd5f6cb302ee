// A transformer out of a GGUF file: names and geometry from the file alone, every quantised type, against diffusers with
// the weights as gguf-py decodes them (tools/golden/gguf_model.py; tolerance 1e-5 relative L2, for the sums' order).
#include "golden.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/geometry.h"
#include "transformer/transformer.h"
#include "weights/names_wan.h"

#define GGUF FF_GOLDEN "/diffusers/gguf/transformer.gguf"

static void evaluate(const ff_transformer *transformer, const ff_kernels *kernels, const ff_weights *golden, float *out)
{
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    ff_weight latents, embeds;
    ff_transformer_text *text;
    assert_true(ff_weights_find(golden, "latents", &latents) && ff_weights_find(golden, "embeds", &embeds));
    assert_ok(ff_transformer_text_create(transformer, kernels, embeds.data, embeds.shape[0], &text, &error), &error);
    const ff_transformer_context context = ff_transformer_text_context(text);
    const ff_transformer_input input = {
        .extent = {latents.shape[1], latents.shape[2], latents.shape[3]}, .latents = latents.data,
        .timesteps = golden_f32(golden, "timestep", NULL), .timestep_count = 1, .contexts = &context,
        .context_count = 1};
    assert_ok(ff_transformer_run(transformer, kernels, arena, &input, NULL, out, &error), &error);
    ff_transformer_text_destroy(text);
    ff_arena_destroy(arena);
}

static void test_a_quantised_transformer_is_diffusers(void **unused)
{
    static const ff_isa sets[] = {FF_ISA_SCALAR, FF_ISA_AVX2, FF_ISA_AVX512, FF_ISA_NEON};
    ff_error error = {0};
    ff_weights *weights, *golden = golden_open("diffusers/gguf/transformer.safetensors");
    ff_config *config;
    ff_transformer *transformer;
    size_t count;
    const float *expected = golden_f32(golden, "output", &count);
    float *out = malloc(count * sizeof *out), *other = malloc(count * sizeof *other);
    assert_ok(ff_weights_open_file(GGUF, &weights, &error), &error);
    ff_weights_use_names(weights, &ff_names_transformer);
    assert_ok(ff_geometry_transformer(weights, &config, &error), &error);
    assert_ok(ff_transformer_open(weights, config, &transformer, &error), &error);
    ff_transformer_shape shape = ff_transformer_describe(transformer);
    assert_int_equal(shape.dim, 256);
    assert_int_equal(shape.heads, 2);
    assert_int_equal(shape.layers, 1);
    assert_int_equal(shape.in_channels, 16);
    assert_int_equal(shape.ffn_dim, 256);
    evaluate(transformer, ff_kernels_scalar(), golden, out);
    assert_close("output", out, expected, count, 1e-5);
    for (size_t i = 1; i < sizeof sets / sizeof *sets; i++) {
        ff_kernels kernels;
        if (ff_kernels_choose(sets[i], FF_BACKEND_OWN, &kernels, NULL))
            continue;  // not on this processor
        evaluate(transformer, &kernels, golden, other);
        assert_memory_equal(other, out, count * sizeof *out);
    }
    free(out);
    free(other);
    ff_transformer_close(transformer);
    ff_config_close(config);
    ff_weights_close(weights);
    ff_weights_close(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_quantised_transformer_is_diffusers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
