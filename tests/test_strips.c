// The VAE in strips: the bits of whole frames, and work and memory as estimated, whole and in strips.
#include "vae_models.h"

#include <stdlib.h>

// ---- estimates ----

// The kernels, counting multiply-adds as they pass.
static double counted;

static ff_status counting_matmul(const ff_kernels *kernels, const ff_matmul *product)
{
    counted += (double)(product->rows * product->columns * product->depth);
    ff_kernels inner = ff_kernels_inner(kernels);
    return inner.matmul(&inner, product);
}

static ff_status counting_convolution(const ff_kernels *kernels, const ff_convolution *product)
{
    counted += (double)(product->out_frames * product->out_height * product->out_width * product->out_channels *
                        product->in_channels * product->kernel_t * product->kernel_h * product->kernel_w);
    ff_kernels inner = ff_kernels_inner(kernels);
    return inner.convolution(&inner, product);
}

static ff_status counting_attention(const ff_kernels *kernels, const ff_attention *product)
{
    counted += 2.0 * (double)(product->queries * product->keys * product->heads * product->head_dim);
    ff_kernels inner = ff_kernels_inner(kernels);
    return inner.attention(&inner, product);
}

static ff_kernels counting_kernels(void)
{
    ff_kernels kernels = ff_kernels_wrap(ff_kernels_scalar(), NULL);
    kernels.matmul = counting_matmul;
    kernels.convolution = counting_convolution;
    kernels.attention = counting_attention;
    counted = 0;
    return kernels;
}

// Decodes in so many strips and holds work and memory against the estimate. Returns how many it took.
//   pixels: NULL, or all frames
static size_t decode_in_strips(const vae_model *m, size_t strips, const float *latents, size_t frames, size_t h,
                               size_t w, float *pixels)
{
    ff_kernels kernels = counting_kernels();
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    size_t factor = m->shape.spatial_factor;
    vae_collector to = {pixels, factor * factor * h * w * 3, 0, SIZE_MAX};
    const ff_vae_decoding decoding = {.extent = {frames, h, w}, .latents = latents, .strips = strips,
                                      .sink = vae_collect, .user = &to};
    ff_vae_cost cost = ff_vae_decode_cost(m->vae, strips, decoding.extent);
    assert_ok(ff_vae_decode(m->vae, &kernels, arena, &decoding, &error), &error);
    assert_int_equal(to.count, 1 + (frames - 1) * m->shape.temporal_factor);
    assert_true(2 * counted == cost.flop);
    assert_true(cost.strips == 1 ? cost.flop == cost.flop_whole : cost.flop > cost.flop_whole);
    assert_int_equal(ff_arena_peak(arena), cost.memory);
    ff_arena_destroy(arena);
    return cost.strips;
}

static size_t encode_in_strips(const vae_model *m, size_t strips, const float *video, size_t frames, size_t height,
                               size_t width, float *latents)
{
    ff_kernels kernels = counting_kernels();
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    vae_single_frame from = {allocate_floats(height * width * 3), video, height * width * 3, SIZE_MAX};
    const ff_vae_encoding encoding = {.extent = {frames, height, width}, .source = vae_give_frame, .user = &from,
                                      .strips = strips, .latents = latents};
    ff_vae_cost cost = ff_vae_encode_cost(m->vae, strips, encoding.extent);
    assert_ok(ff_vae_encode(m->vae, &kernels, arena, &encoding, &error), &error);
    assert_true(2 * counted == cost.flop);
    assert_true(cost.strips == 1 ? cost.flop == cost.flop_whole : cost.flop > cost.flop_whole);
    assert_int_equal(ff_arena_peak(arena), cost.memory);
    ff_arena_destroy(arena);
    free(from.pixels);
    return cost.strips;
}

static void estimates_of_work_and_memory_are_exact_for_every_length(void **state)
{
    for (size_t i = 0; i < VAE_MODELS; i++) {
        vae_model m = vae_model_open(vae_models[i]);
        size_t height = m.decoded.shape[1], width = m.decoded.shape[2], h = m.encoded.shape[2], w = m.encoded.shape[3];
        for (size_t frames = 1; frames <= 13; frames += 4) {
            size_t count = 1 + (frames - 1) / m.shape.temporal_factor;
            float *video = vae_pattern(1, frames * height * width * 3, 1), *latents = vae_latents(&m, count);
            assert_int_equal(decode_in_strips(&m, 0, latents, count, h, w, NULL), 1);
            assert_int_equal(encode_in_strips(&m, 0, video, frames, height, width, latents), 1);
            free(video);
            free(latents);
        }
        vae_model_close(&m);
    }
}

// ---- strips ----

static void strips_give_the_bits_of_whole_frames(void **state)
{
    static const struct { size_t h, w, frames, strips; } cases[] = {
        {8, 2, 9, 2}, {9, 1, 9, 3}, {5, 3, 1, 2}, {7, 1, 5, 4}, {9, 1, 5, SIZE_MAX}};
    for (size_t i = 0; i < VAE_MODELS; i++) {
        vae_model m = vae_model_open(vae_models[i]);
        size_t factor = m.shape.spatial_factor;
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            size_t h = cases[k].h, w = cases[k].w, frames = cases[k].frames, strips = cases[k].strips;
            size_t count = 1 + (frames - 1) / m.shape.temporal_factor, cells = m.shape.latent_channels * count * h * w;
            size_t floats = frames * factor * factor * h * w * 3;
            float *video = vae_pattern(1, floats, 1);
            float *latents = allocate_floats(cells), *same_latents = allocate_floats(cells);
            float *pixels = allocate_floats(floats), *same_pixels = allocate_floats(floats);
            encode_in_strips(&m, 1, video, frames, factor * h, factor * w, latents);
            size_t encoded = encode_in_strips(&m, strips, video, frames, factor * h, factor * w, same_latents);
            assert_memory_equal(same_latents, latents, cells * sizeof *latents);
            decode_in_strips(&m, 1, latents, count, h, w, pixels);
            size_t decoded = decode_in_strips(&m, strips, latents, count, h, w, same_pixels);
            assert_memory_equal(same_pixels, pixels, floats * sizeof *pixels);
            print_message("%s, %zu frames of %zu rows: %zu strips encoded, %zu decoded\n", vae_models[i], frames,
                          factor * h, encoded, decoded);
            free(video);
            free(latents);
            free(same_latents);
            free(pixels);
            free(same_pixels);
        }
        vae_model_close(&m);
    }
}

typedef struct watcher {
    vae_collector frames;
    size_t done, total, stop_at;
} watcher;

static ff_status watch_frames(void *user, size_t index, const float *pixels, ff_error *error)
{
    watcher *w = user;
    assert_int_equal(w->done, w->total - (w->total ? w->total / 3 - index : 0));  // all come with the last of 3 strips
    return vae_collect(&w->frames, index, pixels, error);
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
    vae_model m = vae_model_open("residual");
    size_t h = 6, w = 1, frames = 9;
    float *latents = vae_latents(&m, 3 * h);  // more than enough values
    ff_arena *arena = ff_arena_create();
    ff_vae_decoding decoding = {.extent = {3, h, w}, .latents = latents, .strips = 3, .sink = watch_frames,
                                .progress = watch_progress};
    for (size_t stop = 0; stop <= 3 * frames; stop += 5) {
        watcher to = {.frames = {NULL, 0, 0, SIZE_MAX}, .stop_at = stop};
        ff_error error = {0};
        decoding.user = &to;
        ff_status status = ff_vae_decode(m.vae, ff_kernels_scalar(), arena, &decoding, &error);
        assert_int_equal(status, stop ? FF_CANCELLED : FF_OK);
        assert_int_equal(to.total, 3 * frames);
        assert_int_equal(to.done, stop ? stop : 3 * frames);
        assert_int_equal(to.frames.count, to.done > 2 * frames ? to.done - 2 * frames : 0);
    }
    watcher to = {.frames = {NULL, 0, 0, 4}};
    ff_error error = {0};
    decoding.user = &to;
    assert_int_equal(ff_vae_decode(m.vae, ff_kernels_scalar(), arena, &decoding, &error), FF_CANCELLED);
    assert_string_equal(error.message, "stopped");
    ff_arena_destroy(arena);
    free(latents);
    vae_model_close(&m);
}

// So many strips that it stays within FF_VAE_MEMORY, and no more.
static void memory_decides_how_many_strips(void **state)
{
    static const size_t sides[] = {64, 256, 384, 512, 640};
    vae_model m = vae_model_open("residual_deep");
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        ff_extent extent = {5, sides[i], sides[i]};
        ff_vae_cost cost = ff_vae_decode_cost(m.vae, 0, extent);
        ff_vae_cost fewer = ff_vae_decode_cost(m.vae, cost.strips > 1 ? cost.strips - 1 : 1, extent);
        print_message("%zu cells a side: %zu strips, %.1f %% more work, %.2f GB, %.2f GB of files\n", sides[i],
                      cost.strips, 100 * (cost.flop / cost.flop_whole - 1), (double)cost.memory / 1e9,
                      (double)cost.disk / 1e9);
        assert_true(cost.memory <= FF_VAE_MEMORY);
        assert_true(cost.strips == 1 || fewer.memory > FF_VAE_MEMORY);
        assert_true((cost.strips > 1) == (cost.disk > 0));
    }
    vae_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_of_work_and_memory_are_exact_for_every_length),
        cmocka_unit_test(strips_give_the_bits_of_whole_frames),
        cmocka_unit_test(strips_hand_over_frames_in_order_and_end_when_told),
        cmocka_unit_test(memory_decides_how_many_strips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
