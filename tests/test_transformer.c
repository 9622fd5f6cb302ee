// The transformer against diffusers 0.42.1 (tools/golden/transformer.py), float32 on a CPU. Tolerance: relative L2 1e-5
// for every tensor; diffusers' own rounding is below 1.5e-6.
#include "transformer_models.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOLERANCE 1e-5

// A caller's buffer that a tensor's values come from or go to when it passes the tap.
typedef struct tapped {
    const char *name;
    const float *replacement;  // NULL leaves the tensor alone
    float *copy;               // NULL keeps none
    size_t count;              // elements seen
} tapped;

static ff_status tap(void *user, ff_dump_level level, const char *name, ff_dtype dtype, int rank,
                     const size_t *shape, void *data, ff_error *error)
{
    tapped *wanted = user;
    assert_int_equal(level, FF_DUMP_BLOCK);
    if (strcmp(name, wanted->name) != 0)
        return FF_OK;
    assert_int_equal(dtype, FF_F32);
    assert_int_equal(wanted->count, 0);  // a name passes once
    wanted->count = 1;
    for (int i = 0; i < rank; i++)
        wanted->count *= shape[i];
    if (wanted->replacement)
        memcpy(data, wanted->replacement, wanted->count * sizeof(float));
    if (wanted->copy)
        memcpy(wanted->copy, data, wanted->count * sizeof(float));
    return FF_OK;
}

// Runs on other inputs than the golden's where latents, timesteps or text are given.
static void run(const fixture *f, const float *latents, const float *timesteps, const ff_transformer_text *text,
                tapped *watched, float *out)
{
    ff_error error = {0};
    ff_arena *arena = ff_arena_create();
    ff_trace trace = {.user = watched, .level = FF_DUMP_BLOCK, .tensor = tap};
    ff_transformer_context context;
    ff_transformer_input input = golden_input(f, &context);
    input.latents = latents ? latents : f->latents;
    input.timesteps = timesteps ? timesteps : f->timesteps;
    context = ff_transformer_text_context(text ? text : f->text);
    assert_ok(ff_transformer_run(f->transformer, ff_kernels_scalar(), arena, &input, watched ? &trace : NULL, out,
                                 &error),
              &error);
    ff_arena_destroy(arena);
}

static void check_tap(const fixture *f, const char *golden_name)
{
    char name[64];
    size_t count;
    const float *expected = golden_f32(f->golden, golden_name, &count);
    float *out = allocate(f->output_count);
    tapped watched = {.name = name, .copy = allocate(count)};
    snprintf(name, sizeof name, "call.%03d.%s", CALL, golden_name);
    run(f, NULL, NULL, NULL, &watched, out);
    assert_int_equal(watched.count, count);
    assert_close(golden_name, watched.copy, expected, count, TOLERANCE);
    free(watched.copy);
    free(out);
}

// Embedded patches, timesteps and text, the tokens after each block, and the predicted flow.
static void check_golden(const char *name)
{
    fixture f = open_fixture(name);
    float *out = allocate(f.output_count);
    ff_weight unused;
    check_tap(&f, "embed");
    check_tap(&f, "temb");
    if (ff_weights_find(f.golden, "text", &unused))
        check_tap(&f, "text");
    for (size_t layer = 0; layer < f.shape.layers; layer++) {
        char block[32];
        snprintf(block, sizeof block, "block.%02zu", layer);
        check_tap(&f, block);
    }
    run(&f, NULL, NULL, NULL, NULL, out);
    assert_close(name, out, f.output, f.output_count, TOLERANCE);
    free(out);
    close_fixture(&f);
}

static void timestep_per_token_agrees_with_diffusers(void **state)
{
    check_golden("tokens");
}

static void one_timestep_and_one_cell_patches_agree_with_diffusers(void **state)
{
    check_golden("single");
}

static void patches_over_several_frames_agree_with_diffusers(void **state)
{
    check_golden("volume");
}

static void bf16_weights_agree_with_diffusers(void **state)
{
    check_golden("bf16");
}

// A run whose tensor `name` is replaced by that of another run ends as the other does, bit for bit.
static void check_replacement(fixture *f, const char *name, const float *latents, const float *timesteps,
                              const ff_transformer_text *text)
{
    size_t most = ff_extent_cells(f->extent) * f->shape.dim + f->text_tokens * f->shape.dim;
    float *other = allocate(f->output_count), *out = allocate(f->output_count), *tensor = allocate(most);
    run(f, latents, timesteps, text, &(tapped){.name = name, .copy = tensor}, other);
    run(f, NULL, NULL, NULL, &(tapped){.name = "none"}, out);
    assert_memory_not_equal(out, other, f->output_count * sizeof *out);
    run(f, NULL, NULL, NULL, &(tapped){.name = name, .replacement = tensor}, out);
    assert_memory_equal(out, other, f->output_count * sizeof *out);
    free(tensor);
    free(out);
    free(other);
}

static void a_run_goes_on_from_what_the_tap_leaves(void **state)
{
    static const char *const models[] = {"tokens", "single"};
    for (int i = 0; i < 2; i++) {
        fixture f = open_fixture(models[i]);
        size_t count;
        golden_f32(f.golden, "latents", &count);
        float *latents = allocate(count), *timesteps = allocate(f.timestep_count);
        for (size_t j = 0; j < count; j++)
            latents[j] = f.latents[count - 1 - j];
        for (size_t j = 0; j < f.timestep_count; j++)
            timesteps[j] = f.timesteps[j] / 2 + 1;
        ff_transformer_text *text = make_text(&f, 0.25f);
        check_replacement(&f, "call.007.embed", latents, NULL, NULL);
        check_replacement(&f, "call.007.block.00", latents, NULL, NULL);
        check_replacement(&f, "call.007.block.01", latents, NULL, NULL);
        check_replacement(&f, "call.007.temb", NULL, timesteps, NULL);
        check_replacement(&f, "call.007.text", NULL, NULL, text);
        ff_transformer_text_destroy(text);
        free(latents);
        free(timesteps);
        close_fixture(&f);
    }
}

static void equal_timesteps_per_token_give_the_bits_of_one_timestep(void **state)
{
    fixture f = open_fixture("single");
    float *one = allocate(f.output_count), *each = allocate(f.output_count), timesteps[30];
    assert_int_equal(ff_extent_cells(f.extent), 30);
    for (int i = 0; i < 30; i++)
        timesteps[i] = f.timesteps[0];
    run(&f, NULL, NULL, NULL, NULL, one);
    f.timestep_count = 30;
    run(&f, NULL, timesteps, NULL, NULL, each);
    assert_memory_equal(one, each, f.output_count * sizeof *one);
    free(one);
    free(each);
    close_fixture(&f);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    int threads = omp_get_max_threads();
    fixture f = open_fixture("tokens");
    float *one = allocate(f.output_count), *three = allocate(f.output_count);
    omp_set_num_threads(1);
    run(&f, NULL, NULL, NULL, NULL, one);
    omp_set_num_threads(3);
    ff_transformer_text_destroy(f.text);
    f.text = make_text(&f, 0);
    run(&f, NULL, NULL, NULL, NULL, three);
    assert_memory_equal(one, three, f.output_count * sizeof *one);
    omp_set_num_threads(threads);
    free(one);
    free(three);
    close_fixture(&f);
}

// ---- estimates ----

static void check_estimates(const char *name, size_t unique_timesteps, size_t distinct_text)
{
    fixture f = open_fixture(name);
    ff_error error = {0};
    ff_kernels counting = counting_kernels();
    ff_arena *arena = ff_arena_create();
    float *out = allocate(f.output_count);
    ff_transformer_context context;
    ff_transformer_input input = golden_input(&f, &context);
    assert_ok(ff_transformer_run(f.transformer, &counting, arena, &input, NULL, out, &error), &error);
    assert_true(counted == ff_transformer_flop(f.transformer, &input, unique_timesteps));
    double peak = (double)ff_arena_peak(arena);
    double estimate = (double)ff_transformer_memory(f.transformer, f.extent, unique_timesteps);
    assert_true(fabs(estimate - peak) <= 0.1 * peak);

    size_t count, parameters = 0;
    const float *real = golden_f32(f.golden, "embeds", &count);
    float *embeds = allocate(f.text_tokens * f.shape.text_dim);
    memcpy(embeds, real, count * sizeof *embeds);
    ff_transformer_text *text;
    counted = 0;
    assert_ok(ff_transformer_text_create(f.transformer, &counting, embeds, f.text_tokens, &text, &error), &error);
    assert_true(counted == ff_transformer_text_flop(f.transformer, distinct_text));
    assert_int_equal(ff_transformer_text_memory(f.transformer, f.text_tokens),
                     f.text_tokens * f.shape.dim * (2 * f.shape.layers + 1) * sizeof(float));

    for (size_t i = 0; i < ff_weights_count(f.weights); i++) {
        ff_weight weight;
        size_t elements = 1;
        ff_weights_at(f.weights, i, &weight);
        for (int axis = 0; axis < weight.rank; axis++)
            elements *= weight.shape[axis];
        parameters += elements;
    }
    assert_int_equal(ff_transformer_parameters(f.transformer), parameters);
    ff_transformer_text_destroy(text);
    ff_arena_destroy(arena);
    free(embeds);
    free(out);
    close_fixture(&f);
}

// Padding is one row more than the prompt's own, timesteps are those of the golden script.
static void estimates_are_what_a_run_needs(void **state)
{
    check_estimates("tokens", 3, 8);
    check_estimates("single", 1, 10);
    check_estimates("volume", 3, 24);
    check_estimates("bf16", 2, 2);
}

// ---- refusals ----

// The config of `name` with the first `from` changed to `to` must be refused with a sentence that has `words`.
static void check_refusal(const char *name, const char *from, const char *to, const char *words)
{
    char path[512], text[4096], changed[] = "/tmp/firstframe-config-XXXXXX";
    ff_error error = {0};
    ff_weights *weights;
    ff_config *config;
    ff_transformer *transformer = NULL;
    snprintf(path, sizeof path, "%s/diffusers/transformer/%s/config.json", FF_GOLDEN, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = 0;
    fclose(file);
    char *at = strstr(text, from);
    assert_non_null(at);
    int descriptor = mkstemp(changed);
    assert_true(descriptor >= 0);
    file = fdopen(descriptor, "w");
    assert_non_null(file);
    fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_int_equal(fclose(file), 0);

    snprintf(path, sizeof path, "%s/diffusers/transformer/%s", FF_GOLDEN, name);
    assert_ok(ff_weights_open(path, &weights, &error), &error);
    assert_ok(ff_config_open(changed, &config, &error), &error);
    assert_int_equal(ff_transformer_open(weights, config, &transformer, &error), FF_ERROR_INPUT);
    assert_null(transformer);
    if (!strstr(error.message, words))
        fail_msg("the sentence \"%s\" lacks \"%s\"", error.message, words);
    ff_config_close(config);
    ff_weights_close(weights);
    unlink(changed);
}

static void models_that_do_not_match_their_config_are_refused(void **state)
{
    check_refusal("tokens", "\"num_layers\": 2", "\"num_layers\": 3", "blocks.2.scale_shift_table");
    check_refusal("tokens", "\"ffn_dim\": 71", "\"ffn_dim\": 72", "blocks.0.ffn.net.0.proj.weight");
    check_refusal("tokens", "\"in_channels\": 7", "\"in_channels\": 8", "patch_embedding.weight");
    check_refusal("tokens", "\"num_attention_heads\": 3", "\"num_attention_heads\": 2", "patch_embedding.weight");
    check_refusal("single", "\"cross_attn_norm\": false", "\"cross_attn_norm\": true", "blocks.0.norm2.weight");
    check_refusal("single", "\"out_channels\": null", "\"out_channels\": 9", "proj_out.weight");
}

static void configs_that_are_not_computed_are_refused(void **state)
{
    check_refusal("tokens", "\"image_dim\": null", "\"image_dim\": 1280", "image_dim");
    check_refusal("tokens", "\"added_kv_proj_dim\": null", "\"added_kv_proj_dim\": 36", "added_kv_proj_dim");
    check_refusal("tokens", "\"pos_embed_seq_len\": null", "\"pos_embed_seq_len\": 514", "pos_embed_seq_len");
    check_refusal("tokens", "rms_norm_across_heads", "rms_norm", "qk_norm");
    check_refusal("tokens", "WanTransformer3DModel", "WanVACETransformer3DModel", "WanVACETransformer3DModel");
    check_refusal("tokens", "\"attention_head_dim\": 12", "\"attention_head_dim\": 13", "even");
    check_refusal("tokens", "\"num_layers\": 2", "\"num_layers\": 1000000000", "num_layers");
    check_refusal("tokens", "\"num_layers\": 2", "\"num_layers\": -1", "num_layers");
    check_refusal("tokens", "\"freq_dim\": 33", "\"freq_dim\": \"33\"", "freq_dim");
    check_refusal("tokens", "\"eps\": 1e-06", "\"eps\": -1", "eps");
    check_refusal("volume", "\"patch_size\": [\n    2,\n", "\"patch_size\": [\n", "patch_size");
    check_refusal("volume", "\"patch_size\": [\n    2,\n", "\"patch_size\": [\n    0,\n", "patch_size");
}

static void sizes_that_do_not_fit_the_model_are_refused(void **state)
{
    fixture f = open_fixture("volume");  // patches of 2 x 2 x 2, at most 7 along an axis
    static const struct {
        ff_extent extent;
        size_t timesteps;
        const char *words;
    } cases[] = {
        {{3, 6, 14}, 1, "do not divide"},          {{4, 7, 14}, 1, "do not divide"},
        {{4, 6, 15}, 1, "do not divide"},          {{0, 6, 14}, 1, "do not divide"},
        {{4, 6, 16}, 1, "rope_max_seq_len"},       {{16, 2, 2}, 1, "rope_max_seq_len"},
        {{4, 6, 14}, 41, "41 timesteps"},          {{4, 6, 14}, 0, "0 timesteps"},
        {{SIZE_MAX - 1, 6, 14}, 1, "too large"},
    };
    ff_arena *arena = ff_arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ff_error error = {0};
        ff_transformer_context context;
        ff_transformer_input input = golden_input(&f, &context);
        input.extent = cases[i].extent;
        input.timestep_count = cases[i].timesteps;
        input.latents = input.timesteps = NULL;
        assert_int_equal(ff_transformer_run(f.transformer, ff_kernels_scalar(), arena, &input, NULL, NULL, &error),
                         FF_ERROR_INPUT);
        if (!strstr(error.message, cases[i].words))
            fail_msg("the sentence \"%s\" lacks \"%s\"", error.message, cases[i].words);
    }
    assert_int_equal(ff_arena_peak(arena), 0);
    ff_arena_destroy(arena);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestep_per_token_agrees_with_diffusers),
        cmocka_unit_test(one_timestep_and_one_cell_patches_agree_with_diffusers),
        cmocka_unit_test(patches_over_several_frames_agree_with_diffusers),
        cmocka_unit_test(bf16_weights_agree_with_diffusers),
        cmocka_unit_test(a_run_goes_on_from_what_the_tap_leaves),
        cmocka_unit_test(equal_timesteps_per_token_give_the_bits_of_one_timestep),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(estimates_are_what_a_run_needs),
        cmocka_unit_test(models_that_do_not_match_their_config_are_refused),
        cmocka_unit_test(configs_that_are_not_computed_are_refused),
        cmocka_unit_test(sizes_that_do_not_fit_the_model_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
