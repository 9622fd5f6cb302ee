// The VAE: encoder and decoder of both kinds against diffusers, streaming, and what is refused.
// Goldens: tools/golden/vae.py (torch 2.13.0, diffusers 0.42.1, float32).
#include "golden.h"
#include "vae_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOLERANCE 1e-5  // relative L2 of a stage

// ---- against diffusers ----

// Source: AutoencoderKLWan.encode, mode, normalised as the pipelines do. Tolerance: relative L2 1e-5.
static void encodes_as_diffusers_for_every_length(void **state)
{
    for (size_t i = 0; i < VAE_MODELS; i++) {
        vae_model m = vae_model_open(vae_models[i]);
        size_t height = m.decoded.shape[1], width = m.decoded.shape[2];
        size_t channels = m.encoded.shape[0], cells = m.encoded.shape[2] * m.encoded.shape[3];
        for (size_t frames = 1; frames <= m.decoded.shape[0]; frames += 4) {
            size_t count = 1 + (frames - 1) / m.shape.temporal_factor;
            float *video = vae_pattern(1, frames * height * width * 3, 1);
            float *latents = allocate_floats(channels * count * cells);
            float *expected = allocate_floats(channels * count * cells);
            ff_arena *arena = ff_arena_create();
            ff_error error = {0};
            char what[80];
            for (size_t channel = 0; channel < channels; channel++)
                memcpy(expected + channel * count * cells,
                       (const float *)m.encoded.data + channel * m.encoded.shape[1] * cells,
                       count * cells * sizeof *expected);
            const ff_vae_encoding encoding = {.extent = {frames, height, width}, .video = video, .latents = latents};
            assert_ok(ff_vae_encode(m.vae, ff_kernels_scalar(), arena, &encoding, &error), &error);
            snprintf(what, sizeof what, "%s, %zu frames encoded", vae_models[i], frames);
            assert_close(what, latents, expected, channels * count * cells, TOLERANCE);
            ff_arena_destroy(arena);
            free(video);
            free(latents);
            free(expected);
        }
        vae_model_close(&m);
    }
}

// Source: AutoencoderKLWan.decode of denormalised latents. Tolerance: relative L2 1e-5.
static void decodes_as_diffusers_for_every_length(void **state)
{
    for (size_t i = 0; i < VAE_MODELS; i++) {
        vae_model m = vae_model_open(vae_models[i]);
        size_t frame_floats = m.decoded.shape[1] * m.decoded.shape[2] * 3;
        for (size_t frames = 1; frames <= m.encoded.shape[1]; frames++) {
            float *latents = vae_latents(&m, frames);
            vae_collector to = {allocate_floats(m.decoded.shape[0] * frame_floats), frame_floats, 0, SIZE_MAX};
            ff_arena *arena = ff_arena_create();
            ff_error error = {0};
            char what[80];
            const ff_vae_decoding decoding = {.extent = {frames, m.encoded.shape[2], m.encoded.shape[3]},
                                              .latents = latents, .sink = vae_collect, .user = &to};
            assert_ok(ff_vae_decode(m.vae, ff_kernels_scalar(), arena, &decoding, &error), &error);
            assert_int_equal(to.count, 1 + (frames - 1) * m.shape.temporal_factor);
            snprintf(what, sizeof what, "%s, %zu frames decoded", vae_models[i], to.count);
            assert_close(what, to.pixels, m.decoded.data, to.count * frame_floats, TOLERANCE);
            ff_arena_destroy(arena);
            free(latents);
            free(to.pixels);
        }
        vae_model_close(&m);
    }
}

static void counts_every_parameter_of_the_file(void **state)
{
    for (size_t i = 0; i < VAE_MODELS; i++) {
        vae_model m = vae_model_open(vae_models[i]);
        size_t total = 0;
        for (size_t j = 0; j < ff_weights_count(m.weights); j++) {
            ff_weight weight;
            size_t elements = 1;
            ff_weights_at(m.weights, j, &weight);
            for (int axis = 0; axis < weight.rank; axis++)
                elements *= weight.shape[axis];
            total += elements;
        }
        assert_int_equal(ff_vae_parameters(m.vae), total);
        vae_model_close(&m);
    }
}

// ---- streaming ----

static void decoding_ends_with_the_callbacks_status(void **state)
{
    vae_model m = vae_model_open("residual");
    float *latents = vae_latents(&m, 3);
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    vae_collector to = {NULL, 0, 0, 3};
    const ff_vae_decoding decoding = {.extent = {3, m.encoded.shape[2], m.encoded.shape[3]}, .latents = latents,
                                      .sink = vae_collect, .user = &to};
    assert_int_equal(ff_vae_decode(m.vae, ff_kernels_scalar(), arena, &decoding, &error), FF_CANCELLED);
    assert_int_equal(to.count, 3);
    assert_string_equal(error.message, "stopped");
    ff_arena_destroy(arena);
    free(latents);
    vae_model_close(&m);
}

static void encodes_the_same_from_frames_that_come_one_by_one(void **state)
{
    vae_model m = vae_model_open("plain");
    size_t height = m.decoded.shape[1], width = m.decoded.shape[2], frames = 9;
    size_t count = m.encoded.shape[0] * 3 * m.encoded.shape[2] * m.encoded.shape[3];
    float *video = vae_pattern(1, frames * height * width * 3, 1);
    float *whole = allocate_floats(count), *streamed = allocate_floats(count);
    vae_single_frame from = {allocate_floats(height * width * 3), video, height * width * 3, SIZE_MAX};
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    const ff_vae_encoding all = {.extent = {frames, height, width}, .video = video, .latents = whole};
    const ff_vae_encoding singly = {.extent = {frames, height, width}, .source = vae_give_frame, .user = &from,
                                    .latents = streamed};
    assert_ok(ff_vae_encode(m.vae, ff_kernels_scalar(), arena, &all, &error), &error);
    assert_ok(ff_vae_encode(m.vae, ff_kernels_scalar(), arena, &singly, &error), &error);
    assert_memory_equal(whole, streamed, count * sizeof *whole);
    from.stop_at = 4;
    assert_int_equal(ff_vae_encode(m.vae, ff_kernels_scalar(), arena, &singly, &error), FF_ERROR_IO);
    ff_arena_destroy(arena);
    free(video);
    free(whole);
    free(streamed);
    free(from.pixels);
    vae_model_close(&m);
}

// ---- refusals ----

typedef struct refusal {
    const char *key, *value;   // what config.json says; value NULL: the key is absent
    const char *sentence;      // part of the message
} refusal;

// The config of the golden model `residual`, one key changed, in a file that is gone when it has been read.
static ff_config *changed_config(const char *key, const char *value)
{
    static const char *const keys[][2] = {
        {"_class_name", "\"AutoencoderKLWan\""}, {"base_dim", "6"},
        {"decoder_base_dim", "4"}, {"z_dim", "6"},
        {"dim_mult", "[1, 2, 2]"}, {"num_res_blocks", "1"},
        {"temperal_downsample", "[true, true]"}, {"is_residual", "true"},
        {"patch_size", "2"}, {"in_channels", "12"},
        {"out_channels", "12"}, {"scale_factor_spatial", "8"},
        {"scale_factor_temporal", "4"}, {"latents_mean", "[0, 0, 0, 0, 0, 0]"},
        {"latents_std", "[1, 1, 1, 1, 1, 1]"},
    };
    char path[] = "/tmp/firstframe-test-vae-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "w");
    assert_non_null(file);
    fprintf(file, "{\"attn_scales\": []");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = strcmp(keys[i][0], key) == 0 ? value : keys[i][1];
        if (text)
            fprintf(file, ", \"%s\": %s", keys[i][0], text);
    }
    fprintf(file, "}\n");
    fclose(file);
    ff_config *config = NULL;
    ff_error error = {0};
    ff_status status = ff_config_open(path, &config, &error);
    unlink(path);
    assert_ok(status, &error);
    return config;
}

static void refuses_configs_that_make_no_sense(void **state)
{
    static const refusal refusals[] = {
        {"_class_name", "\"AutoencoderKL\"", "the class is AutoencoderKL; expected AutoencoderKLWan"},
        {"z_dim", "0", "z_dim"},
        {"base_dim", "0", "base_dim"},
        {"base_dim", "99999999999999999999", "base_dim"},
        {"decoder_base_dim", "-4", "decoder_base_dim"},
        {"num_res_blocks", "0", "num_res_blocks"},
        {"dim_mult", "[]", "dim_mult is empty"},
        {"dim_mult", "[1, 0, 2]", "dim_mult has the entry 0"},
        {"dim_mult", "[1, 60000, 2]", "channels; expected at most"},
        {"dim_mult", "[1, 2]", "temperal_downsample has 2 entries; expected 1"},
        {"dim_mult", "[1, 2, 3]", "shortcut between 12 and 18 channels"},
        {"dim_mult", "[1, 1, 1, 1, 1, 1, 1, 1, 1]", "dim_mult"},
        {"dim_mult", "\"wide\"", "dim_mult"},
        {"temperal_downsample", "[true]", "temperal_downsample has 1 entries; expected 2"},
        {"temperal_downsample", "[1, 2]", "temperal_downsample"},
        {"temperal_downsample", NULL, "temperal_downsample has 3 entries; expected 2"},
        {"patch_size", "3", "in_channels is 12; RGB and patch_size make it 27"},
        {"patch_size", "0", "patch_size"},
        {"patch_size", "null", "in_channels is 12; RGB and patch_size make it 3"},
        {"out_channels", "3", "out_channels is 3; RGB and patch_size make it 12"},
        {"scale_factor_spatial", "16", "scale_factor_spatial is 16; dim_mult and patch_size make it 8"},
        {"scale_factor_temporal", "8", "scale_factor_temporal is 8"},
        {"latents_mean", "[0]", "latents_mean has 1 entries; z_dim asks for 6"},
        {"latents_mean", NULL, "latents_mean has 0 entries; z_dim asks for 6"},
        {"latents_mean", "[0, 0, 0, 0, 0, 1e300]", "latents_mean has the entry 1e+300; expected a finite number"},
        {"latents_std", "[1, 1, 1, 1, 1, 0]", "latents_std has the entry 0; expected a positive number"},
    };
    vae_model m = vae_model_open("residual");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        ff_config *config = changed_config(refusals[i].key, refusals[i].value);
        ff_error error = {0};
        ff_vae *vae = NULL;
        assert_int_equal(ff_vae_open(m.weights, config, &vae, &error), FF_ERROR_INPUT);
        if (!strstr(error.message, refusals[i].sentence))
            fail_msg("%s %s: \"%s\" lacks \"%s\"", refusals[i].key, refusals[i].value ? refusals[i].value : "absent",
                     error.message, refusals[i].sentence);
        assert_null(vae);
        ff_config_close(config);
    }
    vae_model_close(&m);
}

static void names_the_tensor_that_is_missing_or_has_another_shape(void **state)
{
    static const refusal refusals[] = {
        {"num_res_blocks", "2", "encoder.down_blocks.0.resnets.1.norm1.gamma"},
        {"is_residual", "false", "encoder.down_blocks.0.norm1.gamma"},
        {"decoder_base_dim", "8", "decoder.conv_in.weight"},
        {"base_dim", "8", "encoder.conv_in.weight"},
    };
    vae_model m = vae_model_open("residual");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        ff_config *config = changed_config(refusals[i].key, refusals[i].value);
        ff_error error = {0};
        ff_vae *vae = NULL;
        assert_int_equal(ff_vae_open(m.weights, config, &vae, &error), FF_ERROR_INPUT);
        if (!strstr(error.message, refusals[i].sentence))
            fail_msg("\"%s\" lacks \"%s\"", error.message, refusals[i].sentence);
        assert_null(vae);
        ff_config_close(config);
    }
    ff_config *unchanged = changed_config("", NULL);
    ff_error error = {0};
    ff_vae *vae = NULL;
    assert_ok(ff_vae_open(m.weights, unchanged, &vae, &error), &error);
    ff_vae_close(vae);
    ff_config_close(unchanged);
    vae_model_close(&m);
}

static void refuses_sizes_it_cannot_take(void **state)
{
    static const size_t sizes[][3] = {{0, 16, 16}, {2, 16, 16}, {4, 16, 16}, {1, 0, 16}, {1, 16, 0}, {1, 12, 16},
                                      {1, 16, 20}, {1, (size_t)1 << 61, (size_t)1 << 61}, {1, (size_t)1 << 60, 8}};
    vae_model m = vae_model_open("residual");
    ff_arena *arena = ff_arena_create();
    vae_collector to = {NULL, 0, 0, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ff_error error = {0};
        const ff_vae_encoding encoding = {.extent = {sizes[i][0], sizes[i][1], sizes[i][2]}};
        assert_int_equal(ff_vae_encode(m.vae, ff_kernels_scalar(), arena, &encoding, &error), FF_ERROR_INPUT);
        assert_true(error.message[0] != '\0');
    }
    for (size_t zero = 0; zero < 3; zero++) {
        ff_error error = {0};
        const ff_vae_decoding decoding = {.extent = {zero != 0, zero != 1, zero != 2}, .sink = vae_collect,
                                          .user = &to};
        assert_int_equal(ff_vae_decode(m.vae, ff_kernels_scalar(), arena, &decoding, &error), FF_ERROR_INPUT);
    }
    const ff_vae_decoding large = {.extent = {1, (size_t)1 << 40, (size_t)1 << 40}, .sink = vae_collect, .user = &to};
    assert_int_equal(ff_vae_decode(m.vae, ff_kernels_scalar(), arena, &large, NULL), FF_ERROR_INPUT);
    assert_int_equal(ff_vae_decode_cost(m.vae, 1, large.extent).memory, SIZE_MAX);
    assert_int_equal(ff_vae_encode_cost(m.vae, 1, (ff_extent){1, (size_t)1 << 62, 8}).memory, SIZE_MAX);
    ff_arena_destroy(arena);
    vae_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_as_diffusers_for_every_length),
        cmocka_unit_test(decodes_as_diffusers_for_every_length),
        cmocka_unit_test(counts_every_parameter_of_the_file),
        cmocka_unit_test(decoding_ends_with_the_callbacks_status),
        cmocka_unit_test(encodes_the_same_from_frames_that_come_one_by_one),
        cmocka_unit_test(refuses_configs_that_make_no_sense),
        cmocka_unit_test(names_the_tensor_that_is_missing_or_has_another_shape),
        cmocka_unit_test(refuses_sizes_it_cannot_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
