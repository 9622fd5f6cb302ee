#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "sampler/anchor.h"

static void test_selection_takes_known_cells_from_the_anchor_bit_for_bit(void **context)
{
    const float mask[] = {0, 1, 1, 0};
    const float known[] = {-0.0f, NAN, INFINITY, 4, 5, NAN, INFINITY, -8};
    const float x[] = {INFINITY, -0.0f, 3, NAN, NAN, 6, 7, INFINITY};
    const float expected[] = {-0.0f, -0.0f, 3, 4, 5, 6, 7, -8};
    ff_anchor anchor = {.lattice = {{2, 1, 2}, {1, 1, 1}}, .channels = 2, .known = known, .mask = mask};
    float out[8];
    ff_anchor_select(&anchor, x, out);
    assert_memory_equal(out, expected, sizeof out);

    memcpy(out, x, sizeof out);  // in place
    ff_anchor_select(&anchor, out, out);
    assert_memory_equal(out, expected, sizeof out);
}

// As WanImageToVideoPipeline builds them: (mask[:, ::2, ::2] * t).flatten().
static void test_known_patches_have_timestep_0(void **context)
{
    ff_lattice lattice = {{3, 2, 4}, {1, 2, 2}};
    float mask[24], timesteps[6];
    ff_error error = {0};
    assert_int_equal(ff_lattice_tokens(&lattice), 6);
    ff_anchor anchor = {.lattice = lattice, .channels = 1, .mask = mask};

    assert_ok(ff_mask_frames(&lattice, false, mask, &error), &error);
    ff_anchor_timesteps(&anchor, 999, timesteps);
    assert_memory_equal(timesteps, ((float[]){0, 0, 999, 999, 999, 999}), sizeof timesteps);

    assert_ok(ff_mask_frames(&lattice, true, mask, &error), &error);
    ff_anchor_timesteps(&anchor, 937.5f, timesteps);
    assert_memory_equal(timesteps, ((float[]){0, 0, 937.5f, 937.5f, 0, 0}), sizeof timesteps);

    ff_mask_generate(&lattice, mask);
    ff_anchor_timesteps(&anchor, 20, timesteps);
    assert_memory_equal(timesteps, ((float[]){20, 20, 20, 20, 20, 20}), sizeof timesteps);
}

static void test_a_patch_over_several_frames_cannot_hold_a_known_one(void **context)
{
    ff_lattice lattice = {{4, 2, 2}, {2, 2, 2}};
    float mask[16];
    ff_error error = {0};
    assert_int_equal(ff_mask_frames(&lattice, false, mask, &error), FF_ERROR_INPUT);
}

// Cells of 4 pixels, patches of 2 x 2 cells: one painted pixel repaints its 8 x 8 pixels, and no more.
static void test_a_patch_is_known_only_if_every_pixel_under_it_is(void **context)
{
    enum { HEIGHT = 4, WIDTH = 6, FACTOR = 4, PIXELS = HEIGHT * WIDTH * FACTOR * FACTOR };
    ff_lattice lattice = {{1, HEIGHT, WIDTH}, {1, 2, 2}};
    uint8_t pixels[PIXELS];
    float mask[HEIGHT * WIDTH];
    ff_error error = {0};
    for (size_t y = 0; y < HEIGHT * FACTOR; y++)
        for (size_t x = 0; x < WIDTH * FACTOR; x++) {
            memset(pixels, 127, sizeof pixels);
            pixels[y * WIDTH * FACTOR + x] = 128;
            assert_ok(ff_mask_pixels(&lattice, FACTOR, pixels, mask, &error), &error);
            assert_ok(ff_mask_check(&lattice, mask, &error), &error);
            for (size_t i = 0; i < HEIGHT; i++)
                for (size_t j = 0; j < WIDTH; j++)
                    assert_true(mask[i * WIDTH + j] == (i / 2 == y / 8 && j / 2 == x / 8));
        }
    memset(pixels, 127, sizeof pixels);
    assert_int_equal(ff_mask_pixels(&lattice, FACTOR, pixels, mask, &error), FF_ERROR_INPUT);
}

static void test_a_mask_from_elsewhere_must_be_0_or_1_and_constant_over_patches(void **context)
{
    ff_lattice lattice = {{1, 2, 4}, {1, 2, 2}};
    ff_error error = {0};
    assert_ok(ff_mask_check(&lattice, (float[]){0, 0, 1, 1, 0, 0, 1, 1}, &error), &error);
    assert_int_equal(ff_mask_check(&lattice, (float[]){0, 0, 1, 1, 0, 0, 1, 0.5f}, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_mask_check(&lattice, (float[]){0, 0, 1, 1, 0, 0, NAN, 1}, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_mask_check(&lattice, (float[]){0, 1, 1, 1, 0, 0, 1, 1}, &error), FF_ERROR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection_takes_known_cells_from_the_anchor_bit_for_bit),
        cmocka_unit_test(test_known_patches_have_timestep_0),
        cmocka_unit_test(test_a_patch_over_several_frames_cannot_hold_a_known_one),
        cmocka_unit_test(test_a_patch_is_known_only_if_every_pixel_under_it_is),
        cmocka_unit_test(test_a_mask_from_elsewhere_must_be_0_or_1_and_constant_over_patches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
