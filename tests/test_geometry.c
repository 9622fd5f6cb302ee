// Files alone: a transformer with one head of 128, a VAE of 48 channels, a text encoder and its tokenizer, of random
// numbers and as people publish them. Sizes come from shapes; the same frames come from folders whose configs say them,
// and whatever the files' names and containers are.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firstframe.h"
#include "golden.h"
#include "part_files.h"
#include "pipeline/few_steps.h"
#include "weights/names_wan.h"

#define MODEL FF_GOLDEN "/diffusers/models/tiny-ti2v"

static char folder[] = "/tmp/ff-geometry-XXXXXX";

// ---- the tiny model's tensors, grown to other sizes ----

typedef struct grown {
    size_t count;
    char names[256][FF_NAME_TEXT];
    ff_weight views[256];
    ff_weight_source source;
} grown;

static ff_status find(void *user, const char *name, ff_weight *out, bool *found, ff_error *error)
{
    const grown *g = user;
    *found = false;
    for (size_t i = 0; i < g->count && !*found; i++)
        if ((*found = strcmp(g->names[i], name) == 0))
            *out = g->views[i];
    return FF_OK;
}

static const char *at(void *user, size_t i, ff_weight *out)
{
    const grown *g = user;
    *out = g->views[i];
    return g->names[i];
}

static void close_grown(void *user)
{
    grown *g = user;
    for (size_t i = 0; i < g->count; i++)
        free((void *)g->views[i].data);
    free(g);
}

// dim 28 -> 128, channels 8 -> 48; ffn 58, freq_dim 24 and text_dim 14 stay.
static void grow_transformer(const char *name, ff_weight *view)
{
    for (int axis = 0; axis < view->rank; axis++) {
        size_t *size = &view->shape[axis];
        *size = *size == 28 ? 128 : *size == 168 ? 768 : *size == 8 ? 48 : *size == 32 ? 192 : *size;
    }
}

// Latent channels 8 -> 48.
static void grow_vae(const char *name, ff_weight *view)
{
    bool last = strncmp(name, "encoder.conv_out.", 17) == 0, first = strncmp(name, "decoder.conv_in.", 16) == 0;
    if (strncmp(name, "quant_conv.", 11) == 0 || last)
        view->shape[0] = 96;
    if (strncmp(name, "quant_conv.", 11) == 0 && view->rank > 1)
        view->shape[1] = 96;
    if (strncmp(name, "post_quant_conv.", 16) == 0)
        view->shape[0] = 48;
    if ((strncmp(name, "post_quant_conv.", 16) == 0 || first) && view->rank > 1)
        view->shape[1] = 48;
}

static ff_weights *grow(const char *part, void (*shape)(const char *, ff_weight *))
{
    char path[512];
    ff_weights *from, *out;
    ff_error error = {0};
    grown *g = calloc(1, sizeof *g);
    uint32_t seed = 1;
    assert_non_null(g);
    snprintf(path, sizeof path, MODEL "/%s", part);
    assert_ok(ff_weights_open(path, &from, &error), &error);
    for (; g->count < ff_weights_count(from); g->count++) {
        ff_weight *view = &g->views[g->count];
        snprintf(g->names[g->count], FF_NAME_TEXT, "%s", ff_weights_at(from, g->count, view));
        shape(g->names[g->count], view);
        float *values = malloc(ff_weight_elements(view) * sizeof *values);
        assert_non_null(values);
        for (size_t i = 0; i < ff_weight_elements(view); i++) {
            seed = seed * 1664525u + 1013904223u;
            values[i] = ((float)(seed >> 8) / 0x1p24f - 0.5f) * 0.25f + (view->rank == 1 ? 0.5f : 0);
        }
        view->data = values;
        view->dtype = FF_F32;
    }
    ff_weights_close(from);
    g->source = (ff_weight_source){.user = g, .origin = part, .count = g->count, .find = find, .at = at,
                                   .close = close_grown};
    assert_ok(ff_weights_open_source(&g->source, NULL, &out, &error), &error);
    return out;
}

static ff_weights *transformer, *vae, *text;

static void write_part(const char *name, const ff_weights *weights, const ff_name_table *names, const char *prefix)
{
    part_file *file = part_file_create(part_path(folder, name));
    part_file_add(file, weights, names, prefix);
    part_file_finish(file);
}

static void write_text(const char *name, const char *content)
{
    FILE *file = fopen(part_path(folder, name), "wb");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static void write_checkpoint(const char *name)
{
    part_file *file = part_file_create(part_path(folder, name));
    part_file_add(file, transformer, &ff_names_transformer, "model.diffusion_model.");
    part_file_add(file, vae, NULL, "vae.");
    part_file_add(file, text, NULL, "text_encoders.umt5xxl.transformer.");
    part_file_finish(file);
}

static int write_files(void **state)
{
    ff_error error = {0};
    if (!mkdtemp(folder))
        return 1;
    transformer = grow("transformer", grow_transformer);
    vae = grow("vae", grow_vae);
    assert_ok(ff_weights_open(MODEL "/text_encoder", &text, &error), &error);
    write_part("Wan2.2-TI2V-Tiny.safetensors", transformer, &ff_names_transformer, "");
    write_part("Wan2.2-TI2V-Tiny-Turbo.gguf", transformer, &ff_names_transformer, "");
    write_part("vae.safetensors", vae, &ff_names_vae_22, "");
    write_part("umt5.gguf", text, &ff_names_umt5_gguf, "");
    write_checkpoint("all.safetensors");
    mkdir(part_path(folder, "transformer"), 0700);
    write_part("transformer/diffusion_pytorch_model.safetensors", transformer, NULL, "");
    write_text("transformer/config.json", "{\"_class_name\": \"WanTransformer3DModel\", \"attention_head_dim\": 128, "
               "\"num_attention_heads\": 1, \"num_layers\": 2, \"ffn_dim\": 58, \"freq_dim\": 24, \"in_channels\": 48, "
               "\"out_channels\": 48, \"text_dim\": 14, \"patch_size\": [1, 2, 2]}");
    return 0;
}

static int remove_files(void **state)
{
    char command[64];
    ff_weights_close(transformer);
    ff_weights_close(vae);
    ff_weights_close(text);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

// ---- runs ----

// The frames, and what was decided about the model.
static ff_model_facts run(const ff_model_parts *parts, char hash[65], char taken[512])
{
    ff_error error = {0};
    ff_model *model;
    ff_result result;
    uint8_t rgb[3 * 32 * 32];
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 7);
    const ff_image still = {.width = 32, .height = 32, .rgb = rgb};
    ff_request request = ff_request_default(FF_IMAGE_TO_VIDEO);
    request.prompt = "a red ball";
    request.image = &still;
    request.width = request.height = 32;
    request.frames = 5;
    request.steps = 2;
    request.guidance_scale = 2;
    assert_ok(ff_model_open_parts(parts, &model, &error), &error);
    ff_model_facts facts = ff_model_describe(model);
    snprintf(taken, 512, "%s", facts.taken ? facts.taken : "");
    assert_ok(ff_run(model, &request, &result, &error), &error);
    for (int i = 0; i < 32; i++)
        snprintf(hash + 2 * i, 3, "%02x", result.frames_sha256[i]);
    ff_model_close(model);
    return facts;
}

static void test_files_alone_make_a_model(void **state)
{
    char expected[65], found[65], taken[512];
    ff_model_parts parts = {.transformer = part_path(folder, "transformer"), .vae = part_path(folder, "vae.safetensors"),
                            .text_encoder = part_path(folder, "umt5.gguf"), .tokenizer = MODEL "/tokenizer"};
    run(&parts, expected, taken);
    parts.transformer = part_path(folder, "Wan2.2-TI2V-Tiny.safetensors");
    ff_model_facts facts = run(&parts, found, taken);
    assert_string_equal(found, expected);
    assert_int_equal(facts.heads, 1);
    assert_int_equal(facts.layers, 2);
    assert_int_equal(facts.ffn_dim, 58);
    assert_int_equal(facts.latent_channels, 48);
    assert_int_equal(facts.spatial_factor, 8);
    assert_true(facts.expand_timesteps && facts.residual_vae && facts.default_flow_shift == 5);
    assert_int_equal(facts.default_steps, 50);
    assert_non_null(strstr(taken, "Wan2.2-TI2V-Tiny.safetensors: taken for a model of many steps"));
    // -m names the transformer's file
    parts.model = parts.transformer;
    parts.transformer = NULL;
    run(&parts, found, taken);
    assert_string_equal(found, expected);
    // and a checkpoint that holds everything but the tokenizer
    run(&(ff_model_parts){.model = part_path(folder, "all.safetensors"), .tokenizer = MODEL "/tokenizer"}, found, taken);
    assert_string_equal(found, expected);
}

static void test_names_of_few_steps(void **state)
{
    char expected[65], found[65], taken[512];
    ff_model_parts parts = {.transformer = part_path(folder, "transformer"), .vae = part_path(folder, "vae.safetensors"),
                            .text_encoder = part_path(folder, "umt5.gguf"), .tokenizer = MODEL "/tokenizer"};
    run(&parts, expected, taken);
    parts.transformer = part_path(folder, "Wan2.2-TI2V-Tiny-Turbo.gguf");
    ff_model_facts facts = run(&parts, found, taken);
    assert_string_equal(found, expected);
    assert_int_equal(facts.default_steps, 4);
    assert_true(facts.default_guidance_scale == 1);
    assert_non_null(strstr(taken, "taken by its name for a model of few steps: 4, without guidance"));
    static const struct {
        const char *path;
        size_t steps;
    } cases[] = {
        {"a/Wan2.2-TI2V-5B-Q4_K_M.gguf", 0}, {"Wan2_2-TI2V-5B-Turbo_fp16.safetensors", 4},
        {"wan2.2_t2v_lightx2v_4steps.safetensors", 4}, {"Lightning/8-step.safetensors", 8}, {"x_1step.gguf", 1},
        {"dmd/model.safetensors", 0}, {"FastWan2.2.gguf", 4}, {"run_step_200.safetensors", 0}, {"64steps.gguf", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (ff_few_steps_of_name(cases[i].path) != cases[i].steps)
            fail_msg("%s: %zu steps", cases[i].path, ff_few_steps_of_name(cases[i].path));
}

static void test_a_file_is_recognised_with_its_sizes(void **state)
{
    ff_error error = {0};
    ff_recognised_parts parts;
    assert_ok(ff_file_recognise(part_path(folder, "all.safetensors"), &parts, &error), &error);
    assert_int_equal(parts.count, 3);
    assert_string_equal(parts.at[0].part, "transformer");
    assert_string_equal(parts.at[0].prefix, "model.diffusion_model.");
    assert_string_equal(parts.at[0].geometry, "2 layers of 128 = 1 heads x 128, ffn 58, 48 channels in, 48 out");
    assert_string_equal(parts.at[0].needs[0], "");
    assert_string_equal(parts.at[1].part, "vae");
    assert_string_equal(parts.at[1].geometry, "48 latent channels, base 4, patches of 2x2");
    assert_string_equal(parts.at[2].part, "text_encoder");
    assert_ok(ff_file_recognise(part_path(folder, "Wan2.2-TI2V-Tiny-Turbo.gguf"), &parts, &error), &error);
    assert_int_equal(parts.count, 1);
    assert_non_null(strstr(parts.at[0].needs[0], "VAE/Wan2.2_VAE.safetensors"));
    assert_non_null(strstr(parts.at[0].needs[1], "umt5-xxl-encoder"));
}

static void test_a_vae_of_another_transformer_is_refused(void **state)
{
    ff_error error = {0};
    ff_model *model;
    const ff_model_parts parts = {.transformer = part_path(folder, "Wan2.2-TI2V-Tiny.safetensors"), .vae = MODEL "/vae",
                                  .text_encoder = part_path(folder, "umt5.gguf"), .tokenizer = MODEL "/tokenizer"};
    assert_int_equal(ff_model_open_parts(&parts, &model, &error), FF_ERROR_INPUT);
    if (!strstr(error.message, "Wan2.2-TI2V-Tiny.safetensors has latents of 48 channels and ") ||
        !strstr(error.message, "tiny-ti2v/vae of 8"))
        fail_msg("%s", error.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_alone_make_a_model),
        cmocka_unit_test(test_names_of_few_steps),
        cmocka_unit_test(test_a_file_is_recognised_with_its_sizes),
        cmocka_unit_test(test_a_vae_of_another_transformer_is_refused),
    };
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
