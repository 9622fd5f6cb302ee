// What `firstframe models` lists can be told by its parts, downloaded by its lines, and run with options there are.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "pipeline/recipes.h"

static void every_recipe_is_whole(void **state)
{
    for (size_t i = 0; i < ff_recipe_count; i++) {
        const ff_recipe *recipe = &ff_recipes[i];
        unsigned parts = 0;
        char line[1024];
        assert_in_range(recipe->count, 1, FF_MOST_PUBLISHED_FILES);
        for (size_t k = 0; k < recipe->count; k++) {
            const ff_published_file *file = &recipe->files[k];
            parts |= 1u << file->part;
            ff_recipe_download(file, "here", line, sizeof line);
            assert_non_null(strstr(line, file->repository));
            assert_true(!file->path || strstr(line, file->path));
            assert_non_null(strstr(line, "--local-dir here"));
        }
        unsigned all = 1u << FF_PUBLISHED_TRANSFORMER | 1u << FF_PUBLISHED_VAE | 1u << FF_PUBLISHED_TEXT_ENCODER;
        assert_true(parts == 1u << FF_PUBLISHED_FOLDER || parts == all);
        ff_recipe_run(recipe, "here", line, sizeof line);
        assert_true(strlen(line) < sizeof line - 1);
        assert_non_null(strstr(line, " -m here/"));
    }
}

static void the_first_is_for_a_small_computer(void **state)
{
    char line[1024];
    assert_string_equal(ff_recipes[0].files[0].path, "Wan2.2-TI2V-5B-Q4_K_M.gguf");
    assert_true(ff_recipe_gigabytes(&ff_recipes[0]) > 8.9 && ff_recipe_gigabytes(&ff_recipes[0]) < 9.1);
    assert_true(ff_recipe_gigabytes(&ff_recipes[0]) + ff_recipes[0].memory_gigabytes < 16);
    ff_recipe_download(&ff_recipes[0].files[1], "models", line, sizeof line);
    assert_string_equal(line, "hf download QuantStack/Wan2.2-TI2V-5B-GGUF VAE/Wan2.2_VAE.safetensors --local-dir models");
    ff_recipe_run(&ff_recipes[0], "models", line, sizeof line);
    assert_non_null(strstr(line, "firstframe i2v -m models/Wan2.2-TI2V-5B-Q4_K_M.gguf --vae "
                                 "models/VAE/Wan2.2_VAE.safetensors --text-encoder models/umt5-xxl-encoder-Q5_K_M.gguf"));
}

static void sentences_find_what_publishes_a_part(void **state)
{
    char what[256];
    assert_true(ff_recipe_publishes(FF_PUBLISHED_VAE, 48, what, sizeof what));
    assert_string_equal(what, "VAE/Wan2.2_VAE.safetensors of QuantStack/Wan2.2-TI2V-5B-GGUF");
    assert_true(ff_recipe_publishes(FF_PUBLISHED_VAE, 16, what, sizeof what));
    assert_non_null(strstr(what, "wan_2.1_vae.safetensors"));
    for (size_t channels = 16; channels <= 48; channels += 32) {
        assert_true(ff_recipe_publishes(FF_PUBLISHED_TEXT_ENCODER, channels, what, sizeof what));
        assert_string_equal(what, "umt5-xxl-encoder-Q5_K_M.gguf of city96/umt5-xxl-encoder-gguf");
        assert_true(ff_recipe_publishes(FF_PUBLISHED_FOLDER, channels, what, sizeof what));
    }
    assert_false(ff_recipe_publishes(FF_PUBLISHED_VAE, 12, what, sizeof what));
    assert_string_equal(what, "");
}

static void the_command_prints_it_as_json(void **state)
{
    char text[32768];
    FILE *pipe = popen(FF_COMMAND " models --json", "r");
    assert_non_null(pipe);
    size_t length = fread(text, 1, sizeof text - 1, pipe);
    text[length] = 0;
    assert_int_equal(pclose(pipe), 0);
    cJSON *object = cJSON_Parse(text), *models = cJSON_GetObjectItem(object, "models");
    assert_int_equal(cJSON_GetArraySize(models), ff_recipe_count);
    const cJSON *first = cJSON_GetArrayItem(models, 0);
    assert_string_equal(cJSON_GetObjectItem(first, "name")->valuestring, ff_recipes[0].name);
    assert_true(cJSON_GetObjectItem(first, "gigabytes")->valuedouble > 8.9);
    assert_true(cJSON_GetObjectItem(first, "memory_gigabytes")->valuedouble > 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(first, "files")), 3);
    cJSON_Delete(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recipe_is_whole),
        cmocka_unit_test(the_first_is_for_a_small_computer),
        cmocka_unit_test(sentences_find_what_publishes_a_part),
        cmocka_unit_test(the_command_prints_it_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
