// The VAE: encoder and decoder of both kinds against diffusers, streaming, estimates, and what is refused.
// Goldens: tools/golden/vae.py (torch 2.13.0, diffusers 0.42.1, float32).
#include "golden.h"
#include "vae/vae.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOLERANCE 1e-5  // relative L2 of a stage

static const char *const models[] = {"residual",  "residual_deep", "residual_flat", "plain",
                                     "plain_odd", "plain_shallow", "plain_single"};
#define MODEL_COUNT (sizeof models / sizeof *models)

typedef struct model {
    ff_config *config;
    ff_weights *weights, *golden;
    ff_vae *vae;
    ff_vae_shape shape;
    ff_weight encoded, decoded;   // [z, F, h, w] and [T, H, W, 3]
} model;

static model open_model(const char *name)
{
    char path[1024];
    model m;
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

static void close_model(model *m)
{
    ff_vae_close(m->vae);
    ff_config_close(m->config);
    ff_weights_close(m->weights);
    ff_weights_close(m->golden);
}

static float *allocate(size_t count)
{
    float *floats = malloc(count * sizeof *floats);
    assert_non_null(floats);
    return floats;
}

// The inputs of the goldens: `pattern` of the script, times scale.
static float *pattern(uint32_t seed, size_t count, float scale)
{
    float *out = allocate(count);
    for (size_t i = 0; i < count; i++) {
        uint32_t hash = (uint32_t)i * 2654435761u + seed * 40503u;
        hash = (hash ^ hash >> 15) * 2246822519u;
        hash ^= hash >> 13;
        out[i] = scale * ((float)(hash >> 8) / 8388608.0f - 1.0f);
    }
    return out;
}

// The golden's latents are drawn frame by frame, [F, z, h, w]; the first `frames` of them as [z, frames, h, w].
static float *latent_pattern(const model *m, size_t frames)
{
    size_t channels = m->encoded.shape[0], cells = m->encoded.shape[2] * m->encoded.shape[3];
    float *drawn = pattern(2, frames * channels * cells, 2), *latents = allocate(frames * channels * cells);
    for (size_t frame = 0; frame < frames; frame++)
        for (size_t channel = 0; channel < channels; channel++)
            memcpy(latents + (channel * frames + frame) * cells, drawn + (frame * channels + channel) * cells,
                   cells * sizeof *latents);
    free(drawn);
    return latents;
}

// ---- against diffusers ----

// Source: AutoencoderKLWan.encode, mode, normalised as the pipelines do. Tolerance: relative L2 1e-5.
static void encodes_as_diffusers_for_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        model m = open_model(models[i]);
        size_t height = m.decoded.shape[1], width = m.decoded.shape[2];
        size_t channels = m.encoded.shape[0], cells = m.encoded.shape[2] * m.encoded.shape[3];
        for (size_t frames = 1; frames <= m.decoded.shape[0]; frames += 4) {
            size_t count = 1 + (frames - 1) / m.shape.temporal_factor;
            float *video = pattern(1, frames * height * width * 3, 1);
            float *latents = allocate(channels * count * cells), *expected = allocate(channels * count * cells);
            ff_arena *arena = ff_arena_create();
            ff_error error = {0};
            char what[80];
            for (size_t channel = 0; channel < channels; channel++)
                memcpy(expected + channel * count * cells,
                       (const float *)m.encoded.data + channel * m.encoded.shape[1] * cells,
                       count * cells * sizeof *expected);
            assert_ok(ff_vae_encode(m.vae, ff_kernels_scalar(), arena, video, frames, height, width, latents, &error),
                      &error);
            snprintf(what, sizeof what, "%s, %zu frames encoded", models[i], frames);
            assert_close(what, latents, expected, channels * count * cells, TOLERANCE);
            ff_arena_destroy(arena);
            free(video);
            free(latents);
            free(expected);
        }
        close_model(&m);
    }
}

typedef struct collector {
    float *pixels;
    size_t frame_floats, count, stop_at;
} collector;

static ff_status collect(void *user, size_t index, const float *pixels, ff_error *error)
{
    collector *to = user;
    assert_int_equal(index, to->count);
    if (index == to->stop_at)
        return ff_fail(error, FF_CANCELLED, "stopped");
    if (to->pixels)
        memcpy(to->pixels + index * to->frame_floats, pixels, to->frame_floats * sizeof *pixels);
    to->count++;
    return FF_OK;
}

// Source: AutoencoderKLWan.decode of denormalised latents. Tolerance: relative L2 1e-5.
static void decodes_as_diffusers_for_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        model m = open_model(models[i]);
        size_t frame_floats = m.decoded.shape[1] * m.decoded.shape[2] * 3;
        for (size_t frames = 1; frames <= m.encoded.shape[1]; frames++) {
            float *latents = latent_pattern(&m, frames);
            collector to = {allocate(m.decoded.shape[0] * frame_floats), frame_floats, 0, SIZE_MAX};
            ff_arena *arena = ff_arena_create();
            ff_error error = {0};
            char what[80];
            assert_ok(ff_vae_decode(m.vae, ff_kernels_scalar(), arena, latents, frames, m.encoded.shape[2],
                                    m.encoded.shape[3], collect, &to, &error),
                      &error);
            assert_int_equal(to.count, 1 + (frames - 1) * m.shape.temporal_factor);
            snprintf(what, sizeof what, "%s, %zu frames decoded", models[i], to.count);
            assert_close(what, to.pixels, m.decoded.data, to.count * frame_floats, TOLERANCE);
            ff_arena_destroy(arena);
            free(latents);
            free(to.pixels);
        }
        close_model(&m);
    }
}

static void counts_every_parameter_of_the_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        model m = open_model(models[i]);
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
        close_model(&m);
    }
}

// ---- streaming ----

static void decoding_ends_with_the_callbacks_status(void **state)
{
    (void)state;
    model m = open_model("residual");
    float *latents = latent_pattern(&m, 3);
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    collector to = {NULL, 0, 0, 3};
    assert_int_equal(ff_vae_decode(m.vae, ff_kernels_scalar(), arena, latents, 3, m.encoded.shape[2],
                                   m.encoded.shape[3], collect, &to, &error),
                     FF_CANCELLED);
    assert_int_equal(to.count, 3);
    assert_string_equal(error.message, "stopped");
    ff_arena_destroy(arena);
    free(latents);
    close_model(&m);
}

typedef struct single_frame {
    float *pixels;   // the one place every frame comes to
    const float *video;
    size_t frame_floats, stop_at;
} single_frame;

static ff_status give_frame(void *user, size_t index, const float **pixels, ff_error *error)
{
    single_frame *from = user;
    if (index == from->stop_at)
        return ff_fail(error, FF_ERROR_IO, "no more frames");
    memcpy(from->pixels, from->video + index * from->frame_floats, from->frame_floats * sizeof *from->pixels);
    *pixels = from->pixels;
    return FF_OK;
}

static void encodes_the_same_from_frames_that_come_one_by_one(void **state)
{
    (void)state;
    model m = open_model("plain");
    size_t height = m.decoded.shape[1], width = m.decoded.shape[2], frames = 9;
    size_t count = m.encoded.shape[0] * 3 * m.encoded.shape[2] * m.encoded.shape[3];
    float *video = pattern(1, frames * height * width * 3, 1), *whole = allocate(count), *streamed = allocate(count);
    single_frame from = {allocate(height * width * 3), video, height * width * 3, SIZE_MAX};
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    assert_ok(ff_vae_encode(m.vae, ff_kernels_scalar(), arena, video, frames, height, width, whole, &error), &error);
    assert_ok(ff_vae_encode_frames(m.vae, ff_kernels_scalar(), arena, 0, give_frame, &from, frames, height, width,
                                   streamed, &error),
              &error);
    assert_memory_equal(whole, streamed, count * sizeof *whole);
    from.stop_at = 4;
    assert_int_equal(ff_vae_encode_frames(m.vae, ff_kernels_scalar(), arena, 0, give_frame, &from, frames, height,
                                          width, streamed, &error),
                     FF_ERROR_IO);
    ff_arena_destroy(arena);
    free(video);
    free(whole);
    free(streamed);
    free(from.pixels);
    close_model(&m);
}

// ---- estimates ----

// The kernels, counting multiply-adds as they pass.
static double counted;
static const ff_kernels *counting_inner;

static ff_status counting_matmul(const ff_matmul *product)
{
    counted += (double)(product->rows * product->columns * product->depth);
    return counting_inner->matmul(product);
}

static ff_status counting_convolution(const ff_convolution *product)
{
    counted += (double)(product->out_frames * product->out_height * product->out_width * product->out_channels *
                        product->in_channels * product->kernel_t * product->kernel_h * product->kernel_w);
    return counting_inner->convolution(product);
}

static ff_status counting_attention(const ff_attention *product)
{
    counted += 2.0 * (double)(product->queries * product->keys * product->heads * product->head_dim);
    return counting_inner->attention(product);
}

static ff_kernels counting_kernels(void)
{
    counting_inner = ff_kernels_scalar();
    ff_kernels kernels = *counting_inner;
    kernels.matmul = counting_matmul;
    kernels.convolution = counting_convolution;
    kernels.attention = counting_attention;
    counted = 0;
    return kernels;
}

// Decodes in so many strips and holds work and memory against the estimate. Returns how many it took.
//   pixels: NULL, or all frames
static size_t decode_in_strips(const model *m, size_t strips, const float *latents, size_t frames, size_t h, size_t w,
                                 float *pixels)
{
    ff_kernels kernels = counting_kernels();
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    size_t factor = m->shape.spatial_factor;
    collector to = {pixels, factor * factor * h * w * 3, 0, SIZE_MAX};
    ff_vae_cost cost = ff_vae_decode_cost(m->vae, strips, frames, h, w);
    assert_ok(ff_vae_decode_frames(m->vae, &kernels, arena, strips, latents, frames, h, w, collect, NULL, &to, &error),
              &error);
    assert_int_equal(to.count, 1 + (frames - 1) * m->shape.temporal_factor);
    assert_true(2 * counted == cost.flop);
    assert_true(cost.strips == 1 ? cost.flop == cost.flop_whole : cost.flop > cost.flop_whole);
    assert_int_equal(ff_arena_peak(arena), cost.memory);
    ff_arena_destroy(arena);
    return cost.strips;
}

static size_t encode_in_strips(const model *m, size_t strips, const float *video, size_t frames, size_t height,
                                 size_t width, float *latents)
{
    ff_kernels kernels = counting_kernels();
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    single_frame from = {allocate(height * width * 3), video, height * width * 3, SIZE_MAX};
    ff_vae_cost cost = ff_vae_encode_cost(m->vae, strips, frames, height, width);
    assert_ok(ff_vae_encode_frames(m->vae, &kernels, arena, strips, give_frame, &from, frames, height, width, latents,
                                   &error),
              &error);
    assert_true(2 * counted == cost.flop);
    assert_true(cost.strips == 1 ? cost.flop == cost.flop_whole : cost.flop > cost.flop_whole);
    assert_int_equal(ff_arena_peak(arena), cost.memory);
    ff_arena_destroy(arena);
    free(from.pixels);
    return cost.strips;
}

static void estimates_of_work_and_memory_are_exact_for_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        model m = open_model(models[i]);
        size_t height = m.decoded.shape[1], width = m.decoded.shape[2], h = m.encoded.shape[2], w = m.encoded.shape[3];
        for (size_t frames = 1; frames <= 13; frames += 4) {
            size_t count = 1 + (frames - 1) / m.shape.temporal_factor;
            float *video = pattern(1, frames * height * width * 3, 1), *latents = latent_pattern(&m, count);
            assert_int_equal(decode_in_strips(&m, 0, latents, count, h, w, NULL), 1);
            assert_int_equal(encode_in_strips(&m, 0, video, frames, height, width, latents), 1);
            free(video);
            free(latents);
        }
        close_model(&m);
    }
}

// ---- strips ----

static void strips_give_the_bits_of_whole_frames(void **state)
{
    static const struct { size_t h, w, frames, strips; } cases[] = {
        {8, 2, 9, 2}, {9, 1, 9, 3}, {5, 3, 1, 2}, {7, 1, 5, 4}, {9, 1, 5, SIZE_MAX}};
    (void)state;
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        model m = open_model(models[i]);
        size_t factor = m.shape.spatial_factor;
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            size_t h = cases[k].h, w = cases[k].w, frames = cases[k].frames, strips = cases[k].strips;
            size_t count = 1 + (frames - 1) / m.shape.temporal_factor, cells = m.shape.latent_channels * count * h * w;
            size_t floats = frames * factor * factor * h * w * 3;
            float *video = pattern(1, floats, 1), *latents = allocate(cells), *same_latents = allocate(cells);
            float *pixels = allocate(floats), *same_pixels = allocate(floats);
            encode_in_strips(&m, 1, video, frames, factor * h, factor * w, latents);
            size_t encoded = encode_in_strips(&m, strips, video, frames, factor * h, factor * w, same_latents);
            assert_memory_equal(same_latents, latents, cells * sizeof *latents);
            decode_in_strips(&m, 1, latents, count, h, w, pixels);
            size_t decoded = decode_in_strips(&m, strips, latents, count, h, w, same_pixels);
            assert_memory_equal(same_pixels, pixels, floats * sizeof *pixels);
            print_message("%s, %zu frames of %zu rows: %zu strips encoded, %zu decoded\n", models[i], frames,
                          factor * h, encoded, decoded);
            free(video);
            free(latents);
            free(same_latents);
            free(pixels);
            free(same_pixels);
        }
        close_model(&m);
    }
}

typedef struct watcher {
    collector frames;
    size_t done, total, stop_at;
} watcher;

static ff_status watch_frames(void *user, size_t index, const float *pixels, ff_error *error)
{
    watcher *w = user;
    assert_int_equal(w->done, w->total - (w->total ? w->total / 3 - index : 0));  // all come with the last of 3 strips
    return collect(&w->frames, index, pixels, error);
}

static ff_status watch_progress(void *user, size_t done, size_t total, ff_error *error)
{
    watcher *w = user;
    assert_int_equal(done, w->done + 1);
    w->done = done;
    w->total = total;
    return done == w->stop_at ? ff_fail(error, FF_CANCELLED, "enough") : FF_OK;
}

static void strips_hand_over_frames_in_order_and_end_when_told(void **state)
{
    (void)state;
    model m = open_model("residual");
    size_t h = 6, w = 1, frames = 9;
    float *latents = latent_pattern(&m, 3 * h);  // more than enough values
    ff_arena *arena = ff_arena_create();
    for (size_t stop = 0; stop <= 3 * frames; stop += 5) {
        watcher to = {.frames = {NULL, 0, 0, SIZE_MAX}, .stop_at = stop};
        ff_error error = {0};
        ff_status status = ff_vae_decode_frames(m.vae, ff_kernels_scalar(), arena, 3, latents, 3, h, w, watch_frames,
                                                watch_progress, &to, &error);
        assert_int_equal(status, stop ? FF_CANCELLED : FF_OK);
        assert_int_equal(to.total, 3 * frames);
        assert_int_equal(to.done, stop ? stop : 3 * frames);
        assert_int_equal(to.frames.count, to.done > 2 * frames ? to.done - 2 * frames : 0);
    }
    watcher to = {.frames = {NULL, 0, 0, 4}};
    ff_error error = {0};
    assert_int_equal(ff_vae_decode_frames(m.vae, ff_kernels_scalar(), arena, 3, latents, 3, h, w, watch_frames,
                                          watch_progress, &to, &error),
                     FF_CANCELLED);
    assert_string_equal(error.message, "stopped");
    ff_arena_destroy(arena);
    free(latents);
    close_model(&m);
}

// So many strips that it stays within FF_VAE_MEMORY, and no more.
static void memory_decides_how_many_strips(void **state)
{
    static const size_t sides[] = {64, 256, 384, 512, 640};
    (void)state;
    model m = open_model("residual_deep");
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        ff_vae_cost cost = ff_vae_decode_cost(m.vae, 0, 5, sides[i], sides[i]);
        ff_vae_cost fewer = ff_vae_decode_cost(m.vae, cost.strips > 1 ? cost.strips - 1 : 1, 5, sides[i], sides[i]);
        print_message("%zu cells a side: %zu strips, %.1f %% more work, %.2f GB, %.2f GB of files\n", sides[i],
                      cost.strips, 100 * (cost.flop / cost.flop_whole - 1), (double)cost.memory / 1e9,
                      (double)cost.disk / 1e9);
        assert_true(cost.memory <= FF_VAE_MEMORY);
        assert_true(cost.strips == 1 || fewer.memory > FF_VAE_MEMORY);
        assert_true((cost.strips > 1) == (cost.disk > 0));
    }
    close_model(&m);
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
    model m = open_model("residual");
    (void)state;
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
    close_model(&m);
}

static void names_the_tensor_that_is_missing_or_has_another_shape(void **state)
{
    static const refusal refusals[] = {
        {"num_res_blocks", "2", "encoder.down_blocks.0.resnets.1.norm1.gamma"},
        {"is_residual", "false", "encoder.down_blocks.0.norm1.gamma"},
        {"decoder_base_dim", "8", "decoder.conv_in.weight"},
        {"base_dim", "8", "encoder.conv_in.weight"},
    };
    model m = open_model("residual");
    (void)state;
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
    close_model(&m);
}

static void refuses_sizes_it_cannot_take(void **state)
{
    static const size_t sizes[][3] = {{0, 16, 16}, {2, 16, 16}, {4, 16, 16}, {1, 0, 16}, {1, 16, 0}, {1, 12, 16},
                                      {1, 16, 20}, {1, (size_t)1 << 61, (size_t)1 << 61}, {1, (size_t)1 << 60, 8}};
    model m = open_model("residual");
    ff_arena *arena = ff_arena_create();
    collector to = {NULL, 0, 0, SIZE_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ff_error error = {0};
        assert_int_equal(ff_vae_encode(m.vae, ff_kernels_scalar(), arena, NULL, sizes[i][0], sizes[i][1], sizes[i][2],
                                       NULL, &error),
                         FF_ERROR_INPUT);
        assert_true(error.message[0] != '\0');
    }
    for (size_t zero = 0; zero < 3; zero++) {
        ff_error error = {0};
        assert_int_equal(ff_vae_decode(m.vae, ff_kernels_scalar(), arena, NULL, zero != 0, zero != 1, zero != 2,
                                       collect, &to, &error),
                         FF_ERROR_INPUT);
    }
    assert_int_equal(ff_vae_decode(m.vae, ff_kernels_scalar(), arena, NULL, 1, (size_t)1 << 40, (size_t)1 << 40,
                                   collect, &to, NULL),
                     FF_ERROR_INPUT);
    assert_int_equal(ff_vae_decode_cost(m.vae, 1, 1, (size_t)1 << 40, (size_t)1 << 40).memory, SIZE_MAX);
    assert_int_equal(ff_vae_encode_cost(m.vae, 1, 1, (size_t)1 << 62, 8).memory, SIZE_MAX);
    ff_arena_destroy(arena);
    close_model(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_as_diffusers_for_every_length),
        cmocka_unit_test(decodes_as_diffusers_for_every_length),
        cmocka_unit_test(counts_every_parameter_of_the_file),
        cmocka_unit_test(decoding_ends_with_the_callbacks_status),
        cmocka_unit_test(encodes_the_same_from_frames_that_come_one_by_one),
        cmocka_unit_test(estimates_of_work_and_memory_are_exact_for_every_length),
        cmocka_unit_test(strips_give_the_bits_of_whole_frames),
        cmocka_unit_test(strips_hand_over_frames_in_order_and_end_when_told),
        cmocka_unit_test(memory_decides_how_many_strips),
        cmocka_unit_test(refuses_configs_that_make_no_sense),
        cmocka_unit_test(names_the_tensor_that_is_missing_or_has_another_shape),
        cmocka_unit_test(refuses_sizes_it_cannot_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
