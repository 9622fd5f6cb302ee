// A run whose values stop being finite ends with a sentence that says where, whichever weight or tensor it came from;
// one whose damaged weight is never read ends as it would without. The model is golden/diffusers/models/tiny-ti2v.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/finite.h"
#include "firstframe.h"
#include "golden.h"
#include "model_copy.h"
#include "base/system.h"
#include "vae_models.h"

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE };

static uint8_t still_bytes[PIXELS];
static const ff_image still = {SIDE, SIDE, still_bytes};

// An image, a final image, and guidance, so that every component is asked in every way.
static ff_request whole_request(void)
{
    ff_request request = ff_request_default(FF_IMAGE_TO_VIDEO);
    request.prompt = "a lake";
    request.negative_prompt = "bad";
    request.image = request.last = &still;
    request.width = request.height = SIDE;
    request.frames = 9;
    request.steps = 2;
    request.guidance_scale = 2;
    request.threads = 1;
    return request;
}

static ff_status run_folder(const char *folder, ff_result *result, ff_error *error)
{
    ff_request request = whole_request();
    ff_model *model;
    *error = (ff_error){0};
    assert_ok(ff_model_open(folder, &model, error), error);
    ff_status status = ff_run(model, &request, result, error);
    ff_model_close(model);
    return status;
}

// ---- counting ----

static void test_every_value_is_looked_at(void **state)
{
    static const float values[] = {NAN, -NAN, INFINITY, -INFINITY};
    static const size_t sizes[] = {1, 15, 4095, 4096, 4097, 300001};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s];
        float *x = allocate_floats(n);
        for (size_t i = 0; i < n; i++)
            x[i] = i % 2 ? 3.4028235e38f : -1e-45f;
        assert_int_equal(ff_count_not_finite(n, x), 0);
        for (size_t i = 0; i < n; i += 1 + n / 50) {
            float before = x[i];
            x[i] = values[i % 4];
            assert_int_equal(ff_count_not_finite(n, x), 1);
            x[i] = before;
        }
        free(x);
    }
    assert_int_equal(ff_count_not_finite(0, NULL), 0);
}

static void test_weights_are_asked_as_they_are_stored(void **state)
{
    const uint16_t f16[] = {0x7bff, 0xfbff, 0x0001, 0x7c00}, bf16[] = {0x7f7f, 0xff7f, 0x0001, 0xff80};
    ff_weight half = {.data = f16, .dtype = FF_F16, .rank = 1, .shape = {3}};
    ff_weight brain = {.data = bf16, .dtype = FF_BF16, .rank = 1, .shape = {3}};
    assert_true(ff_weight_is_finite(&half));
    assert_true(ff_weight_is_finite(&brain));
    half.shape[0] = brain.shape[0] = 4;
    assert_false(ff_weight_is_finite(&half));
    assert_false(ff_weight_is_finite(&brain));
}

// ---- damaged weights ----

static const struct {
    const char *file, *doing;  // one of the ways in which the component is asked
} components[] = {
    {"text_encoder/model.safetensors", "encoding the "},
    {"transformer/diffusion_pytorch_model.safetensors", ""},
    {"vae/diffusion_pytorch_model.safetensors", "coding the "},
};

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
    remove(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

// The file's bytes with all values of a tensor set to one. kind: 0 NaN, 1 infinity, 2 -infinity, 3 very large
static void fill_tensor(uint8_t *bytes, size_t header, const cJSON *tensor, int kind)
{
    static const uint32_t singles[] = {0x7fc00000, 0x7f800000, 0xff800000, 0x7f000000};
    static const uint16_t halves[] = {0x7e00, 0x7c00, 0xfc00, 0x7bff};
    const cJSON *offsets = cJSON_GetObjectItem(tensor, "data_offsets");
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(tensor, "dtype"));
    size_t at = 8 + header + (size_t)cJSON_GetArrayItem(offsets, 0)->valuedouble;
    size_t end = 8 + header + (size_t)cJSON_GetArrayItem(offsets, 1)->valuedouble;
    uint16_t brain = (uint16_t)(singles[kind] >> 16);
    bool single = strcmp(type, "F32") == 0;
    const void *value = single ? (const void *)&singles[kind] : strcmp(type, "F16") == 0 ? &halves[kind] : &brain;
    for (size_t size = single ? 4 : 2; at < end; at += size)
        memcpy(bytes + at, value, size);
}

// Runs the model once for each tensor of a component, all of its values set. Returns how many runs failed.
static size_t damage_each(size_t component, const uint8_t expected[32], size_t *count)
{
    const char *file = components[component].file;
    ff_mapping original;
    ff_error error = {0};
    size_t failed = 0;
    assert_ok(ff_map_file(model_copy_original(file), &original, &error), &error);
    size_t header = 0;
    memcpy(&header, original.data, 8);
    cJSON *tensors = cJSON_ParseWithLength((const char *)original.data + 8, header);
    uint8_t *bytes = malloc(original.size);
    const cJSON *tensor;
    assert_non_null(tensors);
    assert_non_null(bytes);
    *count = 0;
    cJSON_ArrayForEach(tensor, tensors)
    {
        ff_result result;
        if (strcmp(tensor->string, "__metadata__") == 0)
            continue;
        memcpy(bytes, original.data, original.size);
        fill_tensor(bytes, header, tensor, (int)((*count)++ % 3));
        write_file(model_copy_path(file), bytes, original.size);
        ff_status status = run_folder(model_copy_folder(), &result, &error);
        if (status == FF_OK) {
            if (memcmp(result.frames_sha256, expected, 32) != 0)
                fail_msg("%s: %s changes the frames without a word", file, tensor->string);
        } else if (status != FF_ERROR_NOT_FINITE || !strstr(error.message, tensor->string) ||
                   !strstr(error.message, "values stopped being finite while ") ||
                   !strstr(error.message, components[component].doing)) {
            fail_msg("%s, %s: %s", file, tensor->string, error.message);
        }
        failed += status != FF_OK;
    }
    model_copy_restore(file);
    cJSON_Delete(tensors);
    ff_unmap_file(&original);
    free(bytes);
    return failed;
}

static void test_a_damaged_weight_is_named(void **state)
{
    ff_error error;
    ff_result good;
    assert_ok(run_folder(model_copy_folder(), &good, &error), &error);
    for (size_t i = 0; i < sizeof components / sizeof *components; i++) {
        size_t count, failed = damage_each(i, good.frames_sha256, &count);
        print_message("%s: %zu of %zu tensors\n", components[i].file, failed, count);
        assert_true(failed == count);
    }
}

// Finite weights, but products that float32 does not hold.
static void test_growing_too_large_is_told_from_damage(void **state)
{
    const char *file = components[1].file;
    ff_mapping original;
    ff_error error = {0};
    ff_result result;
    assert_ok(ff_map_file(model_copy_original(file), &original, &error), &error);
    size_t header = 0;
    memcpy(&header, original.data, 8);
    cJSON *tensors = cJSON_ParseWithLength((const char *)original.data + 8, header);
    uint8_t *bytes = malloc(original.size);
    assert_non_null(bytes);
    memcpy(bytes, original.data, original.size);
    fill_tensor(bytes, header, cJSON_GetObjectItem(tensors, "blocks.1.ffn.net.2.weight"), 3);
    write_file(model_copy_path(file), bytes, original.size);
    assert_int_equal(run_folder(model_copy_folder(), &result, &error), FF_ERROR_NOT_FINITE);
    if (!strstr(error.message, "denoising, step 1 of 2 (call.000.block.01: ") || !strstr(error.message, "too large"))
        fail_msg("%s", error.message);
    model_copy_restore(file);
    cJSON_Delete(tensors);
    ff_unmap_file(&original);
    free(bytes);
}

// ---- loaded tensors ----

// at: which of its values is NaN.   expected NULL: it may be
static void run_with(ff_model *model, const char *name, int rank, const size_t *shape, size_t at, const char *expected)
{
    char path[64];
    size_t count = 1;
    ff_error error = {0};
    ff_dump *dump;
    ff_request request = whole_request();
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    float *data = allocate_floats(count);
    memset(data, 0, count * sizeof *data);
    data[at] = NAN;
    snprintf(path, sizeof path, "/tmp/ff-finite-%ld.safetensors", (long)getpid());
    assert_ok(ff_dump_create(path, 1, &dump, &error), &error);
    assert_ok(ff_dump_tensor(dump, name, FF_F32, rank, shape, data, &error), &error);
    assert_ok(ff_dump_finish(dump, &error), &error);
    request.load_path = path;
    ff_status status = ff_run(model, &request, NULL, &error);
    if (!expected)
        assert_ok(status, &error);
    else if (status != FF_ERROR_NOT_FINITE || !strstr(error.message, expected))
        fail_msg("%s: expected \"%s\", got %s", name, expected, status ? error.message : "no failure");
    remove(path);
    free(data);
}

static void test_a_loaded_value_is_no_better(void **state)
{
    ff_error error = {0};
    ff_model *model;
    assert_ok(ff_model_open(MODELS "tiny-ti2v", &model, &error), &error);
    ff_model_facts facts = ff_model_describe(model);
    size_t side = SIDE / facts.spatial_factor, latents[] = {facts.latent_channels, 1, side, side};
    size_t between = side * side;  // the first value of latent frame 1, the only one that is not known
    run_with(model, "prompt_embeds", 2, (size_t[]){512, facts.text_dim}, 7, "encoding the prompt (prompt_embeds: 1 of 7168 values are NaN or infinite): tensor prompt_embeds of /tmp/");
    run_with(model, "image", 3, (size_t[]){3, SIDE, SIDE}, 7, "values are NaN or infinite): tensor image of /tmp/ff-finite-");
    run_with(model, "anchor.known", 4, latents, 0, "denoising, step 1 of 2 (call.000.input: 1 of ");
    latents[1] = 3;
    run_with(model, "anchor.known", 4, latents, between, NULL);
    run_with(model, "noise", 4, latents, 0, NULL);
    run_with(model, "noise", 4, latents, between, "): tensor noise of /tmp/ff-finite-");
    run_with(model, "noise", 4, latents, between, "denoising, step 1 of 2 (call.000.input: 1 of ");
    run_with(model, "step.000.timestep", 1, (size_t[]){1}, 0, "): tensor step.000.timestep of /tmp/ff-finite-");
    run_with(model, "call.001.output", 4, latents, between, "denoising, step 1 of 2 (step.000.latents: 1 of ");
    run_with(model, "step.001.noise_pred", 4, latents, between, "denoising, step 2 of 2 (step.001.latents: 1 of ");
    run_with(model, "step.001.noise_pred", 4, latents, 0, NULL);
    run_with(model, "latents", 4, latents, 0, "denoising (latents: 1 of ");
    run_with(model, "frames_float", 4, (size_t[]){9, SIDE, SIDE, 3}, 8 * 3 * SIDE * SIDE, "decoding the frames (frames_float, frame 8: 1 of 3072 values are NaN or infinite): tensor frames_float of /tmp/");
    ff_model_close(model);
}

// ---- without a run ----

static ff_status take_no_frame(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    return FF_OK;
}

static void test_latents_are_decoded_only_if_finite(void **state)
{
    ff_error error = {0};
    ff_model *model;
    assert_ok(ff_model_open(MODELS "tiny-ti2v", &model, &error), &error);
    size_t count = ff_model_describe(model).latent_channels * 2 * 4 * 4;
    float *latents = allocate_floats(count);
    memset(latents, 0, count * sizeof *latents);
    const ff_latents given = {2, 4, 4, latents};
    assert_ok(ff_decode_latents(model, &given, 1, NULL, take_no_frame, &error), &error);
    latents[count - 1] = INFINITY;  // of frame 1
    assert_int_equal(ff_decode_latents(model, &given, 1, NULL, take_no_frame, &error), FF_ERROR_NOT_FINITE);
    if (!strstr(error.message, "while decoding latents (vae_decode.001.post_quant_conv: "))
        fail_msg("%s", error.message);
    free(latents);
    ff_model_close(model);
}

// Whole frames or strips of them.
static void test_strips_are_looked_at_too(void **state)
{
    vae_model m = vae_model_open(vae_models[0]);
    ff_kernels kernels;
    ff_error error = {0};
    ff_scratch scratch = {0};
    ff_arena *arena = ff_arena_create();
    size_t height = 6, width = 4, count = m.shape.latent_channels * height * width;
    float *latents = vae_pattern(1, count, 1);
    vae_collector frames = {.stop_at = SIZE_MAX};
    assert_ok(ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OWN, &kernels, &error), &error);
    kernels.scratch = &scratch;
    latents[0] = NAN;
    for (size_t strips = 1; strips <= 3; strips += 2) {
        const ff_vae_decoding decoding = {.extent = {1, height, width}, .latents = latents, .strips = strips,
                                          .sink = vae_collect, .user = &frames};
        assert_int_equal(ff_vae_decode(m.vae, &kernels, arena, &decoding, &error), FF_ERROR_NOT_FINITE);
    }
    free(latents);
    ff_arena_destroy(arena);
    ff_scratch_free(&scratch);
    vae_model_close(&m);
}

static int make_copy(void **state)
{
    int failed = model_copy_make(state);
    if (!failed)
        model_copy_link("tiny-ti2v");
    for (size_t i = 0; i < PIXELS; i++)
        still_bytes[i] = (uint8_t)(i * 7);
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_value_is_looked_at),
        cmocka_unit_test(test_weights_are_asked_as_they_are_stored),
        cmocka_unit_test(test_a_damaged_weight_is_named),
        cmocka_unit_test(test_growing_too_large_is_told_from_damage),
        cmocka_unit_test(test_a_loaded_value_is_no_better),
        cmocka_unit_test(test_latents_are_decoded_only_if_finite),
        cmocka_unit_test(test_strips_are_looked_at_too),
    };
    return cmocka_run_group_tests(tests, make_copy, model_copy_remove);
}
