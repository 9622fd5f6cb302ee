// Model folders that contradict themselves are refused when they are opened, by file and by what was expected. Each
// case is golden/diffusers/models/tiny-ti2v with one file changed in one place.
#define _GNU_SOURCE  // memmem
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "golden.h"
#include "model_copy.h"
#include "base/system.h"

// Writes the model's file with `from` replaced by `to`; from "": writes `to` alone.
static void change_file(const char *name, const char *from, const char *to)
{
    ff_mapping file;
    ff_error error = {0};
    assert_ok(ff_map_file(model_copy_original(name), &file, &error), &error);
    const char *start = file.data, *at = from[0] ? memmem(start, file.size, from, strlen(from)) : start;
    if (!at)
        fail_msg("%s does not hold %s", name, from);
    size_t before = (size_t)(at - start), after = from[0] ? file.size - before - strlen(from) : 0;
    remove(model_copy_path(name));
    FILE *out = fopen(model_copy_path(name), "wb");
    assert_non_null(out);
    fwrite(start, 1, before, out);
    fputs(to, out);
    fwrite(start + file.size - after, 1, after, out);
    assert_int_equal(fclose(out), 0);
    ff_unmap_file(&file);
}

static void test_contradictions_are_refused(void **state)
{
    static const struct {
        const char *file, *from, *to, *expected;
    } cases[] = {
        {"model_index.json", "\"boundary_ratio\": null", "\"boundary_ratio\": 0.9", "boundary_ratio"},
        {"model_index.json", "\"expand_timesteps\": true", "\"expand_timesteps\": 1", "must be true or false"},
        {"model_index.json", "", "[]", "model_index.json: not a JSON object"},
        {"model_index.json", "\"WanPipeline\"", "\"WanDMDPipeline\"",
         "_class_name is WanDMDPipeline, expected WanPipeline"},
        {"model_index.json", "\"WanPipeline\"", "\"WanVACEPipeline\"", "_class_name is WanVACEPipeline"},
        {"model_index.json", "\"WanPipeline\"", "\"FluxPipeline\"", "_class_name is FluxPipeline"},
        {"model_index.json", "\"_class_name\": \"WanPipeline\",", "", "no _class_name, expected WanPipeline"},
        {"model_index.json", "\"WanPipeline\"", "null", "no _class_name"},
        {"model_index.json", "\"WanPipeline\"", "7", "_class_name must be a string"},
        {"model_index.json", "\"WanTransformer3DModel\"", "\"WanVACETransformer3DModel\"",
         "model_index.json: transformer is WanVACETransformer3DModel, expected WanTransformer3DModel"},
        {"model_index.json", "\"AutoencoderKLWan\"", "\"AutoencoderKL\"", "vae is AutoencoderKL, expected"},
        {"model_index.json", "\"UMT5EncoderModel\"", "\"T5EncoderModel\"", "text_encoder is T5EncoderModel"},
        {"model_index.json", "\"UniPCMultistepScheduler\"", "\"DDIMScheduler\"",
         "_class_name is UniPCMultistepScheduler, model_index.json has DDIMScheduler"},
        {"transformer/config.json", "\"num_layers\": 2", "\"num_layers\": Infinity", "must be a whole number"},
        {"transformer/config.json", "\"eps\": 1e-06", "\"eps\": NaN", "eps is NaN, must be a finite number"},
        {"transformer/config.json", "\"num_layers\": 2", "\"num_layers\": 1000000", "from 1 to 4096"},
        {"transformer/config.json", "\"num_layers\": 2", "\"num_layers\": 3", "blocks.2.scale_shift_table is missing"},
        {"transformer/config.json", "\"num_layers\": 2", "\"num_layers\": 1e300", "must be a whole number"},
        {"transformer/config.json", "\"in_channels\": 8", "\"in_channels\": 4",
         "config.json asks for [28, 4, 1, 2, 2]"},
        {"transformer/config.json", "\"text_dim\": 14", "\"text_dim\": 13", "config.json asks for [28, 13]"},
        {"transformer/config.json", "", "", "transformer/config.json: not a JSON object (0 bytes"},
        {"transformer/diffusion_pytorch_model.safetensors", "\"dtype\":\"F32\"", "\"dtype\":\"I32\"",
         "is I32, expected F32"},
        {"transformer/diffusion_pytorch_model.safetensors", "", "", "0 bytes are no safetensors file"},
        {"vae/config.json", "\"z_dim\": 8", "\"z_dim\": 4", "vae/config.json: latents_mean"},
        {"vae/config.json", "\"is_residual\": true", "\"is_residual\": false", "is missing"},
        {"vae/config.json", "\"patch_size\": 2", "\"patch_size\": 1", "RGB and patch_size make it 3"},
        {"vae/config.json", "\"scale_factor_spatial\": 8", "\"scale_factor_spatial\": 4", "make it 8"},
        {"text_encoder/config.json", "\"UMT5EncoderModel\"", "\"CLIPTextModel\"", "architectures has CLIPTextModel"},
        {"text_encoder/config.json", "\"d_model\": 14", "\"d_model\": 13", "config.json asks for [384, 13]"},
        {"text_encoder/config.json", "\"num_heads\": 3", "\"num_heads\": 6", "config.json asks for [36, 14]"},
        {"text_encoder/config.json", "num_buckets\": 32", "num_buckets\": 16", "config.json asks for [16, 3]"},
        {"text_encoder/config.json", "epsilon\": 1e-06", "epsilon\": -1", "layer_norm_epsilon is -1"},
        {"tokenizer/tokenizer.json", "\"Unigram\"", "\"BPE\"", "the model is BPE"},
        {"scheduler/scheduler_config.json", "\"flow_shift\": 3.0", "\"flow_shift\": -1",
         "scheduler/scheduler_config.json: a flow shift of -1"},
        {"scheduler/scheduler_config.json", "\"flow_shift\": 3.0", "\"flow_shift\": 150",
         "scheduler/scheduler_config.json: a flow shift of 150, must be 0.01 to 100"},
        {"scheduler/scheduler_config.json", "\"flow_shift\": 3.0", "\"flow_shift\": 3.0, \"flow_shift\": -1",
         "a flow shift of -1"},   // as Python has it, the last counts
        {"scheduler/scheduler_config.json", "\"_class_name\"", "\"name\"", "_class_name is missing"},
        {"model_index.json", "\"WanPipeline\"", "\"Wan\\nPipe\"", "_class_name is Wan?Pipe, expected"},
        {"scheduler/scheduler_config.json", "\"flow_shift\": 3.0", "\"flow_shift\": NaN",
         "scheduler_config.json: flow_shift is NaN, must be a finite number"},
        {"scheduler/scheduler_config.json", "\"solver_order\": 2", "\"solver_order\": 4", "from 1 to 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ff_error error = {0};
        ff_model *model;
        change_file(cases[i].file, cases[i].from, cases[i].to);
        if (ff_model_open(model_copy_folder(), &model, &error) != FF_ERROR_INPUT || model ||
            !strstr(error.message, cases[i].expected) || !strstr(error.message, model_copy_folder()))
            fail_msg("%s, %s: expected \"%s\", got \"%s\"", cases[i].file, cases[i].to, cases[i].expected,
                     error.message);
        model_copy_restore(cases[i].file);
    }
}

// More tokens than the text encoder has an embedding for.
static void test_a_tokenizer_of_another_model_is_refused(void **state)
{
    ff_error error = {0};
    ff_model *model;
    char pieces[32 * 64] = "\"vocab\": [";
    for (int i = 0; i < 100; i++)
        snprintf(pieces + strlen(pieces), sizeof pieces - strlen(pieces), "[\"zz%d\",-1],", i);
    change_file("tokenizer/tokenizer.json", "\"vocab\": [", pieces);
    assert_int_equal(ff_model_open(model_copy_folder(), &model, &error), FF_ERROR_INPUT);
    if (!strstr(error.message, "the text encoder only 384"))
        fail_msg("%s", error.message);
    model_copy_restore("tokenizer/tokenizer.json");
}

// Opens the copy as it is changed, and says what was taken in place of usual files.
static ff_model *open_copy(const char *taken, uint8_t hash[32])
{
    ff_error error = {0};
    ff_model *model;
    assert_ok(ff_model_open(model_copy_folder(), &model, &error), &error);
    assert_ok(ff_model_hash(model, hash, &error), &error);
    if (taken)
        assert_string_equal(ff_model_describe(model).taken, taken);
    else
        assert_null(ff_model_describe(model).taken);
    return model;
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(model_copy_path(from), model_copy_path(to)), 0);
}

// The same weights under a variant's name are the same model to run, and another to whoever asks by hash.
static void test_variants_are_taken_and_said(void **state)
{
    uint8_t plain[32], variant[32];
    ff_model_close(open_copy(NULL, plain));
    move("transformer/diffusion_pytorch_model.safetensors", "transformer/diffusion_pytorch_model.fp16.safetensors");
    move("text_encoder/model.safetensors", "text_encoder/model.bf16.safetensors");
    ff_model_close(open_copy("transformer: variant fp16, as there is no plain file; "
                             "text_encoder: variant bf16, as there is no plain file", variant));
    assert_memory_not_equal(plain, variant, 32);
    move("text_encoder/model.bf16.safetensors", "text_encoder/model.fp16.safetensors");
    ff_model_close(open_copy("transformer, text_encoder: variant fp16, as there is no plain file", variant));
    move("transformer/diffusion_pytorch_model.fp16.safetensors", "transformer/diffusion_pytorch_model.safetensors");
    move("text_encoder/model.fp16.safetensors", "text_encoder/model.safetensors");
    ff_model_close(open_copy(NULL, variant));
    assert_memory_equal(plain, variant, 32);
}

static void test_a_spiece_model_alone_is_a_tokenizer(void **state)
{
    ff_error error = {0};
    ff_model *model;
    uint8_t before[32], after[32];
    // 384 embeddings are too few for the 547 pieces; the sentence counts no <extra_id_N>
    assert_int_equal(remove(model_copy_path("tokenizer/tokenizer.json")), 0);
    assert_int_equal(ff_model_open(model_copy_folder(), &model, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "/tokenizer: no tokenizer.json or spiece.model here"));
    const char *spiece = model_copy_path("tokenizer/spiece.model");
    assert_int_equal(symlink(FF_GOLDEN "/diffusers/text/spiece/spiece.model", spiece), 0);
    assert_int_equal(ff_model_open(model_copy_folder(), &model, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "the tokenizer has 547 tokens, the text encoder only 384"));
    // three letters and the sentinels of T5
    static const char pieces[] = "\x0A\x03\x0A\x01""a\x0A\x03\x0A\x01""b\x0A\x03\x0A\x01""c";
    remove(model_copy_path("tokenizer/spiece.model"));
    FILE *file = fopen(model_copy_path("tokenizer/spiece.model"), "wb");
    assert_non_null(file);
    fwrite(pieces, 1, sizeof pieces - 1, file);
    assert_int_equal(fclose(file), 0);
    static const char taken[] = "tokenizer: spiece.model, as there is no tokenizer.json";
    model = open_copy(taken, before);
    assert_int_equal(ff_model_describe(model).vocabulary, 3 + 100 + 3);
    ff_model_close(model);
    // what lies beside it counts, in the hash too
    file = fopen(model_copy_path("tokenizer/tokenizer_config.json"), "wb");
    assert_non_null(file);
    fputs("{\"extra_ids\": 300, \"model_max_length\": Infinity}", file);
    assert_int_equal(fclose(file), 0);
    model = open_copy(taken, after);
    assert_int_equal(ff_model_describe(model).vocabulary, 3 + 300 + 3);
    ff_model_close(model);
    assert_memory_not_equal(before, after, 32);
    // another class reads it otherwise
    change_file("model_index.json", "T5Tokenizer", "LlamaTokenizer");
    assert_int_equal(ff_model_open(model_copy_folder(), &model, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "tokenizer is LlamaTokenizer, and there is no tokenizer.json"));
    model_copy_restore("model_index.json");
    remove(model_copy_path("tokenizer/spiece.model"));
    remove(model_copy_path("tokenizer/tokenizer_config.json"));
    model_copy_restore("tokenizer/tokenizer.json");
}

// As diffusers saves them: an unused key of the scheduler is -Infinity.
static void test_numbers_as_python_writes_them_hinder_nobody(void **state)
{
    uint8_t hash[32];
    change_file("scheduler/scheduler_config.json", "\"flow_shift\"",
                "\"lambda_min_clipped\": -Infinity, \"flow_shift\"");
    ff_model_close(open_copy(NULL, hash));
    model_copy_restore("scheduler/scheduler_config.json");
}

static void test_what_cannot_be_opened_can_be_surveyed(void **state)
{
    ff_error error = {0};
    ff_survey *survey;
    change_file("model_index.json", "WanPipeline", "WanDMDPipeline");
    assert_ok(ff_survey_open(model_copy_folder(), &survey, &error), &error);
    assert_string_equal(ff_survey_pipeline(survey), "WanDMDPipeline");
    assert_false(ff_survey_supported(survey));
    assert_int_equal(ff_survey_count(survey), 5);   // transformer_2 is null
    for (size_t i = 0; i < 5; i++) {
        ff_survey_part part = ff_survey_at(survey, i);
        bool weights = strcmp(part.name, "scheduler") != 0 && strcmp(part.name, "tokenizer") != 0;
        assert_int_equal(part.tensors > 0 && part.bytes > 1000, weights);
        if (strcmp(part.name, "vae") == 0)
            assert_string_equal(part.class_name, "AutoencoderKLWan");
    }
    ff_survey_close(survey);
    model_copy_restore("model_index.json");
}

static void test_the_folder_itself_opens(void **state)
{
    ff_error error = {0};
    ff_model *model;
    uint8_t linked[32], original[32];
    assert_ok(ff_model_open(model_copy_folder(), &model, &error), &error);
    assert_ok(ff_model_hash(model, linked, &error), &error);
    ff_model_close(model);
    assert_ok(ff_model_open(MODELS "tiny-ti2v/", &model, &error), &error);
    assert_ok(ff_model_hash(model, original, &error), &error);
    ff_model_close(model);
    assert_memory_equal(linked, original, 32);  // wherever the folder lies
}

static ff_status keep_state(void *user, const void *bytes, size_t size, ff_error *error)
{
    return FF_OK;
}

// A hash over fewer files would take another model for this one.
static void test_a_model_whose_files_are_gone_has_no_hash(void **state)
{
    static const char *const files[] = {
        "model_index.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer.json", "text_encoder/config.json",
        "text_encoder/model.safetensors", "transformer/config.json",
        "transformer/diffusion_pytorch_model.safetensors", "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    };
    ff_request request = ff_request_default(FF_TEXT_TO_IMAGE);
    request.prompt = "a fox";
    request.width = request.height = 16;
    request.steps = 1;
    request.state = keep_state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        ff_error error = {0};
        ff_model *model;
        uint8_t hash[32] = {7}, whole[32], original[32];
        assert_ok(ff_model_open(model_copy_folder(), &model, &error), &error);
        remove(model_copy_path(files[i]));
        assert_int_equal(ff_model_hash(model, hash, &error), FF_ERROR_INPUT);
        if (!strstr(error.message, model_copy_path(files[i])))
            fail_msg("%s is gone, but: %s", files[i], error.message);
        assert_int_equal(hash[0], 7);
        error = (ff_error){0};
        assert_int_equal(ff_run(model, &request, NULL, &error), FF_ERROR_INPUT);  // its state would be any model's
        if (!strstr(error.message, model_copy_path(files[i])))
            fail_msg("%s is gone, but: %s", files[i], error.message);
        model_copy_restore(files[i]);
        assert_ok(ff_model_hash(model, whole, &error), &error);
        ff_model_close(model);
        assert_ok(ff_model_open(MODELS "tiny-ti2v", &model, &error), &error);
        assert_ok(ff_model_hash(model, original, &error), &error);
        ff_model_close(model);
        assert_memory_equal(whole, original, 32);
    }
}

// Of a file so large that not all of it is hashed: every byte of its header is.
static void test_a_long_header_is_hashed_to_its_end(void **state)
{
    const char *name = "vae/diffusion_pytorch_model.safetensors";
    const uint64_t spaces = (uint64_t)2 << 20, zeros = (uint64_t)70 << 20;
    uint8_t hashes[2][32];
    for (int round = 0; round < 2; round++) {
        ff_error error = {0};
        ff_mapping file;
        ff_model *model;
        uint64_t header;
        assert_ok(ff_map_file(model_copy_original(name), &file, &error), &error);
        memcpy(&header, file.data, 8);
        uint64_t data = file.size - 8 - header;
        const char *start = (const char *)file.data + 8;
        remove(model_copy_path(name));
        FILE *out = fopen(model_copy_path(name), "wb");
        assert_non_null(out);
        // the last tensor of the file is one of zeros that nobody asks for, its name at the header's end
        char extra[128];
        int length = snprintf(extra, sizeof extra,
                              ",\"%s\":{\"dtype\":\"U8\",\"shape\":[%llu],\"data_offsets\":[%llu,%llu]}}",
                              round ? "one" : "two", (unsigned long long)zeros, (unsigned long long)data,
                              (unsigned long long)(data + zeros));
        while (header > 0 && start[header - 1] != '}')
            header--;
        uint64_t longer = header - 1 + spaces + (uint64_t)length;
        fwrite(&longer, 1, 8, out);
        fwrite(start, 1, header - 1, out);
        for (uint64_t i = 0; i < spaces; i++)
            fputc(' ', out);
        fputs(extra, out);
        memcpy(&header, file.data, 8);
        fwrite(start + header, 1, data, out);
        assert_int_equal(fseek(out, (long)(8 + longer + data + zeros - 1), SEEK_SET), 0);
        fputc(0, out);
        assert_int_equal(fclose(out), 0);
        ff_unmap_file(&file);
        assert_ok(ff_model_open(model_copy_folder(), &model, &error), &error);
        assert_ok(ff_model_hash(model, hashes[round], &error), &error);
        ff_model_close(model);
    }
    model_copy_restore(name);
    assert_memory_not_equal(hashes[0], hashes[1], 32);
}

static int make_copy(void **state)
{
    int failed = model_copy_make(state);
    if (!failed)
        model_copy_link("tiny-ti2v");
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contradictions_are_refused),
        cmocka_unit_test(test_a_tokenizer_of_another_model_is_refused),
        cmocka_unit_test(test_variants_are_taken_and_said),
        cmocka_unit_test(test_a_spiece_model_alone_is_a_tokenizer),
        cmocka_unit_test(test_numbers_as_python_writes_them_hinder_nobody),
        cmocka_unit_test(test_what_cannot_be_opened_can_be_surveyed),
        cmocka_unit_test(test_the_folder_itself_opens),
        cmocka_unit_test(test_a_model_whose_files_are_gone_has_no_hash),
        cmocka_unit_test(test_a_long_header_is_hashed_to_its_end),
    };
    return cmocka_run_group_tests(tests, make_copy, model_copy_remove);
}
