// --load: any named tensor of a run is replaced by the loaded one of its name, whatever level a dump asks for, and a
// tensor that does not fit is refused by file and name. The model is golden/diffusers/models/tiny-ti2v.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "golden.h"
#include "firstframe.h"

enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE };

static ff_model *model;
static char folder[] = "/tmp/ff-load-XXXXXX", load_path[64], dump_path[64];
static uint8_t frame[PIXELS];

static ff_status keep_frame(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    assert_int_equal(index, 0);
    assert_int_equal(3 * rgb->width * rgb->height, PIXELS);
    memcpy(frame, rgb->rgb, PIXELS);
    return FF_OK;
}

static ff_request small_request(void)
{
    ff_request request = ff_request_default(FF_TEXT_TO_IMAGE);
    request.prompt = "a lake";
    request.width = request.height = SIDE;
    request.steps = 2;
    request.guidance_scale = 1;
    request.frame = keep_frame;
    return request;
}

// A file with one tensor.
static void write_tensor(const char *name, ff_dtype dtype, int rank, const size_t *shape, const void *data)
{
    ff_error error = {0};
    ff_dump *dump;
    assert_ok(ff_dump_create(load_path, 1, &dump, &error), &error);
    assert_ok(ff_dump_tensor(dump, name, dtype, rank, shape, data, &error), &error);
    assert_ok(ff_dump_finish(dump, &error), &error);
}

static void run(const ff_request *request)
{
    ff_error error = {0};
    assert_ok(ff_run(model, request, NULL, &error), &error);
}

static void test_frames_are_replaced(void **state)
{
    static float values[PIXELS];
    static uint8_t bytes[PIXELS];
    const size_t shape[4] = {1, SIDE, SIDE, 3};
    ff_request request = small_request();
    request.load_path = load_path;
    values[0] = 0.5f / 255;   // halves round to even
    values[1] = 1.5f / 255;
    values[2] = 7;
    values[3] = -7;
    values[4] = 1;
    write_tensor("frames_float", FF_F32, 4, shape, values);
    run(&request);
    static const uint8_t expected[] = {0, 2, 255, 0, 255, 0};
    assert_memory_equal(frame, expected, sizeof expected);

    for (size_t i = 0; i < PIXELS; i++)
        bytes[i] = (uint8_t)i;
    write_tensor("frames", FF_U8, 4, shape, bytes);
    run(&request);
    assert_memory_equal(frame, bytes, PIXELS);
}

static void test_a_tensor_is_replaced_below_the_dumps_level(void **state)
{
    ff_error error = {0};
    ff_request request = small_request();
    ff_plan plan;
    uint8_t before[PIXELS];
    ff_weights *dump;
    ff_weight found;
    assert_ok(ff_plan_request(model, &request, &plan, &error), &error);
    run(&request);
    memcpy(before, frame, PIXELS);

    const size_t shape[4] = {plan.latent_channels, 1, plan.latent_height, plan.latent_width};
    float *output = calloc(shape[0] * shape[2] * shape[3], sizeof *output);
    assert_non_null(output);
    write_tensor("call.000.output", FF_F32, 4, shape, output);
    free(output);
    request.load_path = load_path;
    request.dump_path = dump_path;
    request.dump_detail = FF_DETAIL_RUN;
    run(&request);
    assert_memory_not_equal(frame, before, PIXELS);
    assert_ok(ff_weights_open_file(dump_path, &dump, &error), &error);
    assert_true(ff_weights_find(dump, "latents", &found));
    assert_false(ff_weights_find(dump, "call.000.output", &found));
    ff_weights_close(dump);
    remove(dump_path);
}

static void test_a_dump_holds_what_its_level_says(void **state)
{
    static const struct {
        const char *name;
        ff_detail least;
    } tensors[] = {
        {"token_ids", FF_DETAIL_RUN},
        {"frames", FF_DETAIL_RUN},
        {"step.001.latents", FF_DETAIL_STEP},
        {"call.001.input", FF_DETAIL_STEP},
        {"call.000.temb", FF_DETAIL_BLOCK},
        {"call.001.block.01", FF_DETAIL_BLOCK},
        {"call.000.block.00.attn1", FF_DETAIL_OP},
        {"call.000.block.01.attn2", FF_DETAIL_OP},
        {"call.001.block.01.ffn", FF_DETAIL_OP},
    };
    static const ff_detail rising[] = {FF_DETAIL_RUN, FF_DETAIL_STEP, FF_DETAIL_BLOCK, FF_DETAIL_OP};
    for (size_t level = 0; level < 4; level++) {
        ff_error error = {0};
        ff_request request = small_request();
        ff_weights *dump;
        ff_weight found;
        request.dump_path = dump_path;
        request.dump_detail = rising[level];
        run(&request);
        assert_ok(ff_weights_open_file(dump_path, &dump, &error), &error);
        for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
            size_t least = 0;
            while (rising[least] != tensors[i].least)
                least++;
            if (ff_weights_find(dump, tensors[i].name, &found) != (level >= least))
                fail_msg("level %zu: %s", level, tensors[i].name);
        }
        ff_weights_close(dump);
        remove(dump_path);
    }
}

// hidden + gate * attn1 + attn2 + gate * ffn: without its three parts a block passes its input on.
static void test_a_block_is_the_sum_of_its_parts(void **state)
{
    ff_error error = {0};
    ff_request request = small_request();
    ff_plan plan;
    ff_dump *dump;
    ff_weights *read;
    ff_weight embed, block;
    assert_ok(ff_plan_request(model, &request, &plan, &error), &error);
    const size_t shape[2] = {plan.tokens, ff_model_describe(model).dim};
    float *zeros = calloc(shape[0] * shape[1], sizeof *zeros);
    assert_non_null(zeros);
    assert_ok(ff_dump_create(load_path, 3, &dump, &error), &error);
    assert_ok(ff_dump_tensor(dump, "call.000.block.00.attn1", FF_F32, 2, shape, zeros, &error), &error);
    assert_ok(ff_dump_tensor(dump, "call.000.block.00.attn2", FF_F32, 2, shape, zeros, &error), &error);
    assert_ok(ff_dump_tensor(dump, "call.000.block.00.ffn", FF_F32, 2, shape, zeros, &error), &error);
    assert_ok(ff_dump_finish(dump, &error), &error);
    free(zeros);
    request.load_path = load_path;
    request.dump_path = dump_path;
    request.dump_detail = FF_DETAIL_BLOCK;
    run(&request);
    assert_ok(ff_weights_open_file(dump_path, &read, &error), &error);
    assert_true(ff_weights_find(read, "call.000.embed", &embed) && ff_weights_find(read, "call.000.block.00", &block));
    assert_memory_equal(embed.data, block.data, shape[0] * shape[1] * sizeof(float));
    ff_weights_close(read);
    remove(dump_path);
}

static void assert_refused(const char *expected)
{
    ff_error error = {0};
    ff_request request = small_request();
    request.load_path = load_path;
    request.dump_path = dump_path;
    assert_int_equal(ff_run(model, &request, NULL, &error), FF_ERROR_INPUT);
    if (!strstr(error.message, load_path) || !strstr(error.message, expected))
        fail_msg("expected \"%s: %s\", got \"%s\"", load_path, expected, error.message);
    assert_int_not_equal(access(dump_path, F_OK), 0);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    static const uint8_t bytes[PIXELS];
    static const int64_t ids[] = {5, 100000};
    const size_t shape[4] = {1, SIDE / 2, SIDE * 2, 3}, two[1] = {2}, none[1] = {0};
    write_tensor("niose", FF_U8, 4, shape, bytes);
    assert_refused("none of its tensors has a dump's name");
    write_tensor("frames", FF_U8, 4, shape, bytes);
    assert_refused("tensor frames has shape [1, 8, 32, 3], this run's has [1, 16, 16, 3]");
    write_tensor("noise", FF_U8, 4, shape, bytes);
    assert_refused("tensor noise is U8, expected F32");
    write_tensor("frames_float", FF_U8, 4, shape, bytes);
    assert_refused("tensor frames_float is U8, expected F32");
    write_tensor("token_ids", FF_I64, 1, none, bytes);
    assert_refused("tensor token_ids must be a vector of 1 to 512 values");
    write_tensor("token_ids", FF_I64, 1, two, ids);
    ff_error error = {0};
    ff_request request = small_request();
    request.load_path = load_path;
    assert_int_equal(ff_run(model, &request, NULL, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "token id 100000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_are_replaced),
        cmocka_unit_test(test_a_tensor_is_replaced_below_the_dumps_level),
        cmocka_unit_test(test_a_dump_holds_what_its_level_says),
        cmocka_unit_test(test_a_block_is_the_sum_of_its_parts),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
    };
    if (!mkdtemp(folder) || ff_model_open(FF_GOLDEN "/diffusers/models/tiny-ti2v", &model, NULL))
        return 1;
    snprintf(load_path, sizeof load_path, "%s/load.safetensors", folder);
    snprintf(dump_path, sizeof dump_path, "%s/dump.safetensors", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ff_model_close(model);
    remove(load_path);
    rmdir(folder);
    return failed;
}
