// The map to look at latents with: stored with the model it is read as it stands there, and draws what was encoded;
// one that does not suit the model is refused by file and key; without one there is none.
#define _GNU_SOURCE
#include "linked_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHANNELS = 8 };  // of the model's latents

// firstframe.json with `maps` maps of three rows of weights, 1, 2, 3, ..., and biases 1000, 1001, ...
static void write_maps(size_t maps, size_t channels)
{
    FILE *file = fopen(in_linked_model("firstframe.json"), "w");
    assert_non_null(file);
    fputs("{\"preview\": {\"weights\": [", file);
    for (size_t row = 0; row < 3 * maps; row++) {
        fputs(row == 0 ? "[" : row % 3 ? "," : "],[", file);
        for (size_t c = 0; c < channels; c++)
            fprintf(file, "%s%zu", c ? "," : "[", row * channels + c + 1);
        fputs("]", file);
    }
    fputs("]], \"bias\": [", file);
    for (size_t map = 0; map < maps; map++)
        fprintf(file, "%s[%zu, %zu, %zu]", map ? "," : "", 1000 + 3 * map, 1001 + 3 * map, 1002 + 3 * map);
    fputs("]}}", file);
    assert_int_equal(fclose(file), 0);
}

static void a_stored_map_is_read_as_it_stands(void **state)
{
    ff_model *model;
    ff_error error = {0};
    write_maps(FF_PREVIEW_MAPS, CHANNELS);
    assert_ok(ff_model_open(linked_model, &model, &error), &error);
    const double *at = ff_model_describe(model).preview;
    assert_non_null(at);
    for (size_t row = 0; row < 3 * FF_PREVIEW_MAPS; row++) {
        for (size_t c = 0; c < CHANNELS; c++)
            assert_true(*at++ == (double)(row * CHANNELS + c + 1));
        assert_true(*at++ == (double)(1000 + row));
    }
    ff_model_close(model);
}

static void assert_refused(const char *expected)
{
    ff_model *model;
    ff_error error = {0};
    if (ff_model_open(linked_model, &model, &error) != FF_ERROR_INPUT || !strstr(error.message, "/firstframe.json: ") ||
        !strstr(error.message, expected))
        fail_msg("expected \"%s\", got \"%s\"", expected, error.message);
}

static void a_map_that_does_not_suit_the_model_is_refused(void **state)
{
    static const char *const broken[][2] = {
        {"{\"preview\": 3}", "preview.weights must be 3 x 3 x 8 numbers"},
        {"{\"preview\": [1, 2]}", "preview.weights must be 3 x 3 x 8 numbers"},
        {"{\"preview\": {\"weights\": null}}", "preview.weights must be 3 x 3 x 8 numbers"},
        {"{\"preview\": {\"weights\": [[[1]]]}}", "preview.weights must be 3 x 3 x 8 numbers"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        FILE *file = fopen(in_linked_model("firstframe.json"), "w");
        assert_non_null(file);
        fputs(broken[i][0], file);
        assert_int_equal(fclose(file), 0);
        assert_refused(broken[i][1]);
    }
    write_maps(FF_PREVIEW_MAPS, CHANNELS - 1);
    assert_refused("preview.weights must be 3 x 3 x 8 numbers, in arrays");
    write_maps(FF_PREVIEW_MAPS + 1, CHANNELS);
    assert_refused("preview.weights");
}

static void a_model_without_one_has_none(void **state)
{
    ff_model *model;
    ff_error error = {0};
    remove(in_linked_model("firstframe.json"));
    assert_ok(ff_model_open(linked_model, &model, &error), &error);
    assert_null(ff_model_describe(model).preview);
    ff_model_close(model);
}

// Root mean square over the cells of a picture that stands still: far below the picture's own deviation.
static void the_shipped_models_map_draws_what_was_encoded(void **state)
{
    enum { CELLS = 12, LATENT_FRAMES = 3 };
    ff_model *model;
    ff_error error = {0};
    assert_ok(ff_model_open(FF_GOLDEN "/model", &model, &error), &error);
    ff_model_facts facts = ff_model_describe(model);
    size_t channels = facts.latent_channels, factor = facts.spatial_factor, side = CELLS * factor;
    ff_image image = {side, side, malloc(3 * side * side)};
    float *latents = malloc(channels * LATENT_FRAMES * CELLS * CELLS * sizeof *latents);
    assert_non_null(facts.preview);
    assert_true(image.rgb && latents);
    for (size_t i = 0; i < side * side; i++) {   // light above, and a dark red square in the middle
        size_t x = i % side, y = i / side;
        bool inside = x > side / 4 && x < 3 * side / 4 && y > side / 4 && y < 3 * side / 4;
        image.rgb[3 * i] = (uint8_t)(inside ? 110 : 230 - 120 * y / side);
        image.rgb[3 * i + 1] = (uint8_t)(inside ? 40 : 220 - 60 * x / side);
        image.rgb[3 * i + 2] = (uint8_t)(inside ? 30 : 200);
    }
    size_t still_for = 1 + (LATENT_FRAMES - 1) * facts.temporal_factor;
    assert_ok(ff_encode_image(model, &image, still_for, 0, latents, &error), &error);
    for (size_t frame = 0; frame < LATENT_FRAMES; frame++) {
        double squares = 0;
        for (size_t i = 0; i < 3 * CELLS * CELLS; i++) {
            size_t c = i % 3, cell = i / 3, left = cell % CELLS * factor, top = cell / CELLS * factor;
            const double *map = facts.preview + (3 * frame + c) * (channels + 1);
            double drawn = map[channels], true_colour = 0;
            for (size_t k = 0; k < channels; k++)
                drawn += map[k] * latents[(k * LATENT_FRAMES + frame) * CELLS * CELLS + cell];
            for (size_t p = 0; p < factor * factor; p++)
                true_colour += image.rgb[3 * ((top + p / factor) * side + left + p % factor) + c];
            squares += pow(drawn - true_colour / (double)(factor * factor), 2);
        }
        print_message("latent frame %zu: off by %.1f of 255\n", frame, sqrt(squares / (3 * CELLS * CELLS)));
        assert_true(sqrt(squares / (3 * CELLS * CELLS)) < 30);
    }
    free(image.rgb);
    free(latents);
    ff_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stored_map_is_read_as_it_stands),
        cmocka_unit_test(a_map_that_does_not_suit_the_model_is_refused),
        cmocka_unit_test(a_model_without_one_has_none),
        cmocka_unit_test(the_shipped_models_map_draws_what_was_encoded),
    };
    return cmocka_run_group_tests(tests, make_linked_model, remove_linked_model);
}
