// What estimates foresee that kernels pack into is what a run makes them take, to the byte: for each stage of
// golden/model, each table of kernels that this processor has, and several numbers of threads.
#include <omp.h>
#include <stdlib.h>

#include "golden.h"
#include "pipeline/model.h"

#define MODEL FF_GOLDEN "/model"
#define LATENT_FRAMES 2
#define LATENT_SIDE 6
#define PROMPT_TOKENS 7

static ff_model *model;

static float *zeros(size_t count)
{
    float *memory = calloc(count, sizeof *memory);
    assert_non_null(memory);
    return memory;
}

// ---- stages; each begins with an empty scratch ----

static void check_text(const ff_kernels *kernels, ff_arena *arena, ff_transformer_text **text)
{
    ff_error error = {0};
    const int64_t ids[PROMPT_TOKENS] = {0, 1, 2, 3, 4, 5, 1};
    size_t dim = ff_text_encoder_dim(model->text_encoder);
    float *embeds = zeros(FF_TEXT_TOKENS * dim);
    assert_ok(ff_text_encoder_run(model->text_encoder, kernels, arena, ids, PROMPT_TOKENS, embeds, &error), &error);
    assert_int_equal(kernels->scratch->size, ff_text_encoder_scratch(model->text_encoder, kernels, PROMPT_TOKENS));
    // the arena rounds each buffer up to 64 bytes
    assert_in_range(ff_arena_peak(arena) - ff_text_encoder_memory(model->text_encoder, PROMPT_TOKENS), 0, 8 * 64);
    ff_scratch_free(kernels->scratch);
    assert_ok(ff_transformer_text_create(model->experts[0].transformer, kernels, embeds, FF_TEXT_TOKENS, text, &error), &error);
    assert_int_equal(kernels->scratch->size,
                     ff_transformer_text_scratch(model->experts[0].transformer, kernels, PROMPT_TOKENS + 1));
    ff_scratch_free(kernels->scratch);
    free(embeds);
}

static void check_transformer(const ff_kernels *kernels, ff_arena *arena, const ff_transformer_text *text)
{
    ff_error error = {0};
    ff_transformer_shape shape = ff_transformer_describe(model->experts[0].transformer);
    size_t cells = LATENT_FRAMES * LATENT_SIDE * LATENT_SIDE, tokens = cells / shape.patch[1] / shape.patch[2];
    float *latents = zeros(shape.in_channels * cells), *out = zeros(shape.out_channels * cells);
    float *timesteps = zeros(tokens);
    timesteps[0] = 1;
    const ff_transformer_context context = ff_transformer_text_context(text);
    const ff_transformer_input input = {
        .extent = {LATENT_FRAMES, LATENT_SIDE, LATENT_SIDE}, .latents = latents, .timesteps = timesteps,
        .timestep_count = tokens, .contexts = &context, .context_count = 1};
    const ff_transformer *transformer = model->experts[0].transformer;
    assert_ok(ff_transformer_run(transformer, kernels, arena, &input, NULL, out, &error), &error);
    assert_int_equal(kernels->scratch->size, ff_transformer_scratch(transformer, kernels, &input, 2));
    ff_scratch_free(kernels->scratch);
    free(latents);
    free(out);
    free(timesteps);
}

static ff_status give_frame(void *user, size_t index, const float **pixels, ff_error *error)
{
    *pixels = user;
    return FF_OK;
}

static ff_status drop_frame(void *user, size_t index, const float *pixels, ff_error *error)
{
    return FF_OK;
}

static void check_vae(const ff_kernels *kernels, ff_arena *arena, size_t strips)
{
    ff_error error = {0};
    ff_vae_shape shape = ff_vae_describe(model->vae);
    size_t side = LATENT_SIDE * shape.spatial_factor, frames = 1 + (LATENT_FRAMES - 1) * shape.temporal_factor;
    float *pixels = zeros(side * side * 3);
    float *latents = zeros(shape.latent_channels * LATENT_FRAMES * LATENT_SIDE * LATENT_SIDE);
    const ff_vae_encoding encoding = {.extent = {frames, side, side}, .source = give_frame, .user = pixels,
                                      .strips = strips, .latents = latents};
    assert_ok(ff_vae_encode(model->vae, kernels, arena, &encoding, &error), &error);
    assert_int_equal(kernels->scratch->size, ff_vae_encode_scratch(model->vae, kernels, strips, encoding.extent));
    ff_scratch_free(kernels->scratch);
    const ff_vae_decoding decoding = {.extent = {LATENT_FRAMES, LATENT_SIDE, LATENT_SIDE}, .latents = latents,
                                      .strips = strips, .sink = drop_frame};
    assert_ok(ff_vae_decode(model->vae, kernels, arena, &decoding, &error), &error);
    assert_int_equal(kernels->scratch->size, ff_vae_decode_scratch(model->vae, kernels, strips, decoding.extent));
    ff_scratch_free(kernels->scratch);
    free(pixels);
    free(latents);
}

static void check_kernels(const ff_kernels *table)
{
    ff_scratch scratch = {0};
    ff_kernels kernels = *table;
    ff_arena *arena = ff_arena_create();
    ff_transformer_text *text = NULL;
    assert_non_null(arena);
    kernels.scratch = &scratch;
    check_text(&kernels, arena, &text);
    check_transformer(&kernels, arena, text);
    check_vae(&kernels, arena, 1);
    check_vae(&kernels, arena, 3);
    ff_transformer_text_destroy(text);
    ff_arena_destroy(arena);
}

static void test_every_table_takes_what_was_foreseen(void **state)
{
    static const ff_isa isas[] = {FF_ISA_SCALAR, FF_ISA_AVX2, FF_ISA_AVX512, FF_ISA_NEON};
    static const int threads[] = {1, 2, 3};
    int before = omp_get_max_threads();
    ff_kernels kernels;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        omp_set_num_threads(threads[i % 3]);
        if (ff_kernels_choose(isas[i], FF_BACKEND_OWN, &kernels, NULL) == FF_OK)
            check_kernels(&kernels);
    }
    omp_set_num_threads(2);
    if (ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OPENBLAS, &kernels, NULL) == FF_OK)
        check_kernels(&kernels);
    check_kernels(ff_kernels_f64());
    omp_set_num_threads(before);
}

static int open_model(void **state)
{
    ff_error error = {0};
    assert_ok(ff_model_open(MODEL, &model, &error), &error);
    return 0;
}

static int close_model(void **state)
{
    ff_model_close(model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table_takes_what_was_foreseen),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
