// Models made of files: golden/diffusers/models/tiny-ti2v with its parts renamed as others publish them, in single files,
// gives the frames of the folder; and what is no such file is refused with a sentence. (Its heads are 14 wide, so it
// needs the folder's configs; geometry from shapes is tested with a model of its own.)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firstframe.h"
#include "golden.h"
#include "part_files.h"
#include "weights/names_wan.h"

#define MODEL FF_GOLDEN "/diffusers/models/tiny-ti2v"

static char folder[] = "/tmp/ff-parts-XXXXXX";

static ff_weights *open_part(const char *part)
{
    char path[512];
    ff_weights *weights;
    ff_error error = {0};
    snprintf(path, sizeof path, MODEL "/%s", part);
    assert_ok(ff_weights_open(path, &weights, &error), &error);
    return weights;
}

// A part in a file of its own.
static void write_part(const char *name, const char *part, const ff_name_table *names, const char *prefix)
{
    ff_weights *weights = open_part(part);
    part_file *file = part_file_create(part_path(folder, name));
    part_file_add(file, weights, names, prefix);
    part_file_finish(file);
    ff_weights_close(weights);
}

static void write_checkpoint(const char *name)
{
    ff_weights *transformer = open_part("transformer"), *vae = open_part("vae"), *text = open_part("text_encoder");
    part_file *file = part_file_create(part_path(folder, name));
    part_file_add(file, transformer, &ff_names_transformer, "model.diffusion_model.");
    part_file_add(file, vae, &ff_names_vae_22, "vae.");
    part_file_add(file, text, NULL, "text_encoders.umt5xxl.transformer.");
    part_file_finish(file);
    ff_weights_close(transformer);
    ff_weights_close(vae);
    ff_weights_close(text);
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(part_path(folder, name), "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

// ---- the same frames ----

static void frames_of(const ff_model_parts *parts, char hash[65])
{
    ff_error error = {0};
    ff_model *model;
    ff_result result;
    ff_request request = ff_request_default(FF_TEXT_TO_VIDEO);
    request.prompt = "a red ball";
    request.negative_prompt = "a blue one";
    request.width = request.height = 32;
    request.frames = 5;
    request.steps = 2;
    request.guidance_scale = 3;
    request.flow_shift = 4;
    assert_ok(ff_model_open_parts(parts, &model, &error), &error);
    assert_ok(ff_run(model, &request, &result, &error), &error);
    for (int i = 0; i < 32; i++)
        snprintf(hash + 2 * i, 3, "%02x", result.frames_sha256[i]);
    ff_model_close(model);
}

static void assert_frames(const ff_model_parts *parts)
{
    char expected[65], found[65];
    frames_of(&(ff_model_parts){.model = MODEL}, expected);
    frames_of(parts, found);
    assert_string_equal(found, expected);
}

static void test_files_of_other_names_give_the_folders_frames(void **state)
{
    static const struct {
        const char *name, *prefix;
    } transformers[] = {{"t.safetensors", ""}, {"t.gguf", ""}, {"d.safetensors", "diffusion_model."},
                        {"m.safetensors", "model.diffusion_model."}, {"n.gguf", "net."}, {"o.safetensors", "model."},
                        {"p.safetensors", "model.model."}};
    for (size_t i = 0; i < sizeof transformers / sizeof *transformers; i++) {
        write_part(transformers[i].name, "transformer", &ff_names_transformer, transformers[i].prefix);
        assert_frames(&(ff_model_parts){.model = MODEL, .transformer = part_path(folder, transformers[i].name)});
    }
    write_part("diffusers.safetensors", "transformer", NULL, "");
    assert_frames(&(ff_model_parts){.model = MODEL, .transformer = part_path(folder, "diffusers.safetensors")});
    write_part("vae.safetensors", "vae", &ff_names_vae_22, "");
    assert_frames(&(ff_model_parts){.model = MODEL, .vae = part_path(folder, "vae.safetensors")});
    write_part("vae_d.safetensors", "vae", NULL, "vae.");
    assert_frames(&(ff_model_parts){.model = MODEL, .vae = part_path(folder, "vae_d.safetensors")});
    write_part("umt5.safetensors", "text_encoder", &ff_names_umt5, "");
    assert_frames(&(ff_model_parts){.model = MODEL, .text_encoder = part_path(folder, "umt5.safetensors")});
    write_part("umt5.gguf", "text_encoder", &ff_names_umt5_gguf, "");
    assert_frames(&(ff_model_parts){.model = MODEL, .text_encoder = part_path(folder, "umt5.gguf")});
    assert_frames(&(ff_model_parts){.model = MODEL, .transformer = part_path(folder, "t.gguf"), .vae = part_path(folder, "vae.safetensors"),
                                    .text_encoder = part_path(folder, "umt5.gguf"),
                                    .tokenizer = MODEL "/tokenizer/tokenizer.json"});
    assert_frames(&(ff_model_parts){.model = MODEL, .tokenizer = MODEL "/tokenizer"});
}

static void test_folders_of_a_part(void **state)
{
    assert_frames(&(ff_model_parts){.transformer = MODEL "/transformer", .vae = MODEL "/vae",
                                    .text_encoder = MODEL "/text_encoder", .tokenizer = MODEL "/tokenizer"});
}

static void test_a_checkpoint_of_several_parts(void **state)
{
    write_checkpoint("all.safetensors");
    const char *all = part_path(folder, "all.safetensors");
    assert_frames(&(ff_model_parts){.model = MODEL, .transformer = all, .vae = all, .text_encoder = all});
}

// A folder as Wan publishes it: its own config.json and names.
static void test_a_folder_of_wans(void **state)
{
    mkdir(part_path(folder, "wan"), 0700);
    write_part("wan/diffusion_pytorch_model.safetensors", "transformer", &ff_names_transformer, "");
    write_text("wan/config.json", "{\"_class_name\": \"WanModel\", \"model_type\": \"ti2v\", \"dim\": 28, \"num_heads\": 2, "
               "\"num_layers\": 2, \"ffn_dim\": 58, \"freq_dim\": 24, \"in_dim\": 8, \"out_dim\": 8, \"text_dim\": 14, "
               "\"text_len\": 512, \"eps\": 1e-06}");
    write_text("wan/Wan2.2_VAE.pth", "PK\3\4");
    const ff_model_parts parts = {.model = part_path(folder, "wan"), .vae = MODEL "/vae",
                                  .text_encoder = MODEL "/text_encoder", .tokenizer = MODEL "/tokenizer"};
    assert_frames(&parts);
    ff_error error = {0};
    ff_model *model;
    assert_ok(ff_model_open_parts(&parts, &model, &error), &error);
    assert_true(ff_model_describe(model).default_flow_shift == 5 && ff_model_describe(model).expand_timesteps);
    ff_model_close(model);
}

// ---- the model's hash ----

static void hash_of(const ff_model_parts *parts, uint8_t hash[32])
{
    ff_error error = {0};
    ff_model *model;
    assert_ok(ff_model_open_parts(parts, &model, &error), &error);
    assert_ok(ff_model_hash(model, hash, &error), &error);
    ff_model_close(model);
}

static void test_another_part_is_another_model(void **state)
{
    uint8_t plain[32], replaced[32], again[32];
    write_part("vae.safetensors", "vae", &ff_names_vae_22, "");
    hash_of(&(ff_model_parts){.model = MODEL}, plain);
    hash_of(&(ff_model_parts){.model = MODEL, .vae = part_path(folder, "vae.safetensors")}, replaced);
    hash_of(&(ff_model_parts){.model = MODEL, .vae = MODEL "/vae"}, again);
    assert_memory_not_equal(plain, replaced, 32);
    assert_memory_equal(plain, again, 32);   // the same files, said otherwise
}

// ---- what is refused ----

static void assert_refused(const ff_model_parts *parts, const char *expected)
{
    ff_error error = {0};
    ff_model *model;
    if (ff_model_open_parts(parts, &model, &error) != FF_ERROR_INPUT || model || !strstr(error.message, expected) ||
        strchr(error.message, '\n'))
        fail_msg("expected \"%s\", got \"%s\"", expected, error.message);
}

// A transformer with one more tensor, which makes it another kind.
static const char *write_with(const char *name, const char *extra)
{
    ff_weights *weights = open_part("transformer");
    part_file *file = part_file_create(part_path(folder, name));
    part_file_add(file, weights, &ff_names_transformer, "");
    part_file_add_bytes(file, extra, "x", 1);
    part_file_finish(file);
    ff_weights_close(weights);
    return part_path(folder, name);
}

static void test_other_transformers_are_refused_by_name(void **state)
{
    static const char *const cases[][2] = {
        {"img_emb.proj.0.bias", "Wan2.1-I2V"}, {"img_emb.emb_pos", "Wan2.1-FLF2V"},
        {"vace_patch_embedding.weight", "a VACE transformer"}, {"ref_conv.weight", "Fun-Control"},
        {"control_adapter.conv.weight", "Control-Camera"}, {"casual_audio_encoder.weights", "Wan2.2-S2V"},
        {"audio_proj.norm.weight", "HuMo"}, {"face_adapter.fuser_blocks.0.k_norm.weight", "Wan2.2-Animate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = write_with("kind.safetensors", cases[i][0]);
        assert_refused(&(ff_model_parts){.model = MODEL, .transformer = path}, cases[i][1]);
        assert_refused(&(ff_model_parts){.model = MODEL, .transformer = path}, cases[i][0]);
    }
}

// A file of one tensor.
static const char *write_one(const char *name, const char *tensor)
{
    part_file *file = part_file_create(part_path(folder, name));
    part_file_add_bytes(file, tensor, "x", 1);
    part_file_finish(file);
    return part_path(folder, name);
}

static void test_other_files_are_called_what_they_are(void **state)
{
    static const char *const cases[][2] = {
        {"diffusion_model.blocks.0.self_attn.q.lora_A.weight", "it is a LoRA"},
        {"lora_unet_blocks_0_self_attn_q.lora_down.weight", "it is a LoRA"},
        {"vace_blocks.0.before_proj.weight", "it is a VACE module"},
        {"decoder.3.conv.0.weight", "it is a tiny autoencoder"},
        {"vision_model.embeddings.patch_embedding.weight", "it is a CLIP image encoder"},
        {"encoder.block.0.layer.0.SelfAttention.q.weight", "it is a T5 encoder"},
        {"blocks.0.self_attn.q.weight", "it is a conversion that was not finished"},
        {"model.diffusion_model.blocks.0.self_attn.q.weight",
         "(tensor model.diffusion_model.blocks.0.self_attn.q.weight)"},
        {"decoder.middle.0.residual.0.gamma", "a transformer was expected; it is Wan2.1's VAE"},
        {"something", "none of its tensors is called as one of those"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_refused(&(ff_model_parts){.model = MODEL, .transformer = write_one("one.safetensors", cases[i][0])},
                       cases[i][1]);
        assert_refused(&(ff_model_parts){.model = part_path(folder, "one.safetensors")}, cases[i][1]);
    }
}

static void test_sentences_say_what_is_missing(void **state)
{
    write_part("t.safetensors", "transformer", &ff_names_transformer, "");
    write_text("old.pth", "PK\3\4....");
    mkdir(part_path(folder, "wan"), 0700);
    write_part("wan/diffusion_pytorch_model.safetensors", "transformer", &ff_names_transformer, "");
    write_text("wan/Wan2.1_VAE.pth", "PK\3\4");
    write_text("wan/config.json", "{\"dim\": 28, \"num_heads\": 2, \"num_layers\": 2, \"ffn_dim\": 58, \"freq_dim\": 24, "
               "\"in_dim\": 8, \"out_dim\": 8, \"text_dim\": 14}");
    assert_refused(&(ff_model_parts){.model = part_path(folder, "wan")}, "Wan2.1_VAE.pth is a pickle");
    assert_refused(&(ff_model_parts){.model = part_path(folder, "wan")}, "give --vae with VAE/Wan2.2_VAE.safetensors");
    assert_refused(&(ff_model_parts){.model = MODEL, .vae = part_path(folder, "old.pth")}, "people publish the same as");
    assert_refused(&(ff_model_parts){.model = part_path(folder, "old.pth")}, "people publish the same as");
    assert_refused(&(ff_model_parts){.model = MODEL, .transformer_2 = "x"}, "two transformers do not run yet");
    assert_refused(&(ff_model_parts){.model = MODEL, .image_encoder = "x"}, "image encoder do not run yet");
    assert_refused(&(ff_model_parts){.model = part_path(folder, "t.safetensors")}, "width is no multiple of 128");
    assert_refused(&(ff_model_parts){.transformer = MODEL "/transformer"}, "a VAE is needed as well");
    assert_refused(&(ff_model_parts){.transformer = MODEL "/transformer", .vae = MODEL "/vae"},
                   "a text encoder is needed as well; give --text-encoder with umt5");
    assert_refused(&(ff_model_parts){.transformer = MODEL "/transformer", .vae = MODEL "/vae",
                                     .text_encoder = MODEL "/text_encoder"}, "give --tokenizer");
    assert_refused(&(ff_model_parts){.vae = "x"}, "no transformer");
    assert_refused(&(ff_model_parts){.transformer = MODEL "/transformer",
                                     .vae = FF_GOLDEN "/diffusers/models/tiny-t2v/vae",
                                     .text_encoder = MODEL "/text_encoder", .tokenizer = MODEL "/tokenizer"},
                   "this VAE does not belong to this transformer");
}

static int make_folder(void **state)
{
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_of_other_names_give_the_folders_frames),
        cmocka_unit_test(test_folders_of_a_part),
        cmocka_unit_test(test_a_checkpoint_of_several_parts),
        cmocka_unit_test(test_a_folder_of_wans),
        cmocka_unit_test(test_another_part_is_another_model),
        cmocka_unit_test(test_other_transformers_are_refused_by_name),
        cmocka_unit_test(test_other_files_are_called_what_they_are),
        cmocka_unit_test(test_sentences_say_what_is_missing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
