// Inpainting around the model: the crop holds the mask with its context, nothing outside the mask changes by a bit, and
// the flaw is gone from what the encoder sees.
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "pipeline/inpaint.h"

enum { WIDTH = 60, HEIGHT = 40 };

static void paint_box(uint8_t *mask, size_t x, size_t y, size_t width, size_t height)
{
    memset(mask, 0, WIDTH * HEIGHT);
    for (size_t row = y; row < y + height; row++)
        memset(mask + row * WIDTH + x, 255, width);
}

static void assert_crop(const ff_plan *plan, size_t x, size_t y, size_t width, size_t height)
{
    assert_int_equal(plan->crop_x, x);
    assert_int_equal(plan->crop_y, y);
    assert_int_equal(plan->crop_width, width);
    assert_int_equal(plan->crop_height, height);
}

static void test_the_crop_is_the_box_times_its_context(void **state)
{
    uint8_t mask[WIDTH * HEIGHT];
    ff_plan plan = {0};
    ff_error error = {0};
    paint_box(mask, 20, 16, 8, 8);
    assert_ok(ff_inpaint_crop(WIDTH, HEIGHT, mask, 2, 128, 128, &plan, &error), &error);
    assert_crop(&plan, 16, 12, 16, 16);
    // widened to the model's aspect ratio, and moved inside the picture
    assert_ok(ff_inpaint_crop(WIDTH, HEIGHT, mask, 2, 256, 128, &plan, &error), &error);
    assert_crop(&plan, 8, 12, 32, 16);
    paint_box(mask, 56, 0, 4, 4);
    assert_ok(ff_inpaint_crop(WIDTH, HEIGHT, mask, 3, 128, 128, &plan, &error), &error);
    assert_crop(&plan, 48, 0, 12, 12);
    // never larger than the picture
    assert_ok(ff_inpaint_crop(WIDTH, HEIGHT, mask, 100, 128, 128, &plan, &error), &error);
    assert_crop(&plan, 0, 0, WIDTH, HEIGHT);
    memset(mask, 127, sizeof mask);
    assert_int_equal(ff_inpaint_crop(WIDTH, HEIGHT, mask, 2, 128, 128, &plan, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "paints nothing"));
}

typedef struct scene {
    uint8_t rgb[3 * WIDTH * HEIGHT], mask[WIDTH * HEIGHT];
    ff_image picture;
    ff_plan plan;
    ff_inpaint inpaint;
} scene;

// Grey all over but for a red flaw under the mask.
static void prepare(scene *s, bool fill)
{
    ff_error error = {0};
    s->picture = (ff_image){WIDTH, HEIGHT, s->rgb};
    memset(s->rgb, 90, sizeof s->rgb);
    paint_box(s->mask, 20, 16, 10, 8);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        if (s->mask[i])
            memcpy(s->rgb + 3 * i, (uint8_t[]){255, 0, 0}, 3);
    s->plan = (ff_plan){.model_width = 32, .model_height = 32};
    assert_ok(ff_inpaint_crop(WIDTH, HEIGHT, s->mask, 2, 32, 32, &s->plan, &error), &error);
    assert_ok(ff_inpaint_prepare(&s->picture, s->mask, &s->plan, fill, &s->inpaint, &error), &error);
}

static void test_the_flaw_does_not_reach_the_encoder(void **state)
{
    scene s;
    prepare(&s, true);
    for (size_t i = 0; i < 3 * 32 * 32; i++)
        assert_int_equal(s.inpaint.enlarged.rgb[i], 90);
    // every model pixel above a masked one is to be generated: 20 pixels become 32, 10 x 8 of them 16 x 13
    size_t painted = 0;
    for (size_t i = 0; i < 32 * 32; i++)
        painted += s.inpaint.mask[i] == 255;
    assert_true(painted >= 16 * 13 && painted <= 18 * 15);
    ff_inpaint_free(&s.inpaint);
    prepare(&s, false);
    bool red = false;
    for (size_t i = 0; i < 32 * 32; i++)
        red = red || s.inpaint.enlarged.rgb[3 * i] > 200;
    assert_true(red);
    ff_inpaint_free(&s.inpaint);
}

static void test_pixels_outside_the_mask_are_the_pictures(void **state)
{
    scene s;
    ff_error error = {0};
    uint8_t white[3 * 32 * 32], pasted[3 * WIDTH * HEIGHT];
    ff_image result = {32, 32, white}, out = {WIDTH, HEIGHT, pasted};
    memset(white, 255, sizeof white);
    prepare(&s, true);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        if (!s.mask[i])
            s.rgb[3 * i] = (uint8_t)(i * 7);
    assert_ok(ff_inpaint_paste(&s.inpaint, &s.picture, &result, &s.plan, true, &out, &error), &error);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        if (!s.mask[i])
            assert_memory_equal(pasted + 3 * i, s.rgb + 3 * i, 3);
    // the rim is half way between what surrounds it and the new picture, the middle is the new picture
    assert_int_equal(pasted[3 * (16 * WIDTH + 20) + 1], (90 + 255 + 1) / 2);
    assert_int_equal(pasted[3 * (20 * WIDTH + 25) + 1], 255);
    ff_inpaint_free(&s.inpaint);
}

static void test_a_tint_all_over_is_taken_back(void **state)
{
    scene s;
    ff_error error = {0};
    uint8_t tinted[3 * 32 * 32], pasted[3 * WIDTH * HEIGHT];
    ff_image result = {32, 32, tinted}, out = {WIDTH, HEIGHT, pasted};
    prepare(&s, true);
    for (size_t i = 0; i < 32 * 32; i++)
        memcpy(tinted + 3 * i, (uint8_t[]){110, 90, 62}, 3);
    assert_ok(ff_inpaint_paste(&s.inpaint, &s.picture, &result, &s.plan, true, &out, &error), &error);
    for (size_t i = 0; i < sizeof pasted; i++)
        assert_int_equal(pasted[i], 90);
    // another colour is not a tint: 50 from the picture's is taken for 14, 64 for none
    for (size_t i = 0; i < 32 * 32; i++)
        memcpy(tinted + 3 * i, (uint8_t[]){140, 154, 255}, 3);
    assert_ok(ff_inpaint_paste(&s.inpaint, &s.picture, &result, &s.plan, true, &out, &error), &error);
    assert_memory_equal(pasted + 3 * (20 * WIDTH + 25), ((uint8_t[]){126, 154, 255}), 3);
    ff_inpaint_free(&s.inpaint);
}

static void test_a_mask_over_everything_works(void **state)
{
    static uint8_t rgb[3 * WIDTH * HEIGHT], mask[WIDTH * HEIGHT], white[3 * 32 * 32], pasted[3 * WIDTH * HEIGHT];
    ff_image picture = {WIDTH, HEIGHT, rgb}, result = {32, 32, white}, out = {WIDTH, HEIGHT, pasted};
    ff_plan plan = {.model_width = 32, .model_height = 32};
    ff_inpaint inpaint;
    ff_error error = {0};
    memset(mask, 255, sizeof mask);
    memset(white, 255, sizeof white);
    assert_ok(ff_inpaint_crop(WIDTH, HEIGHT, mask, 2, 32, 32, &plan, &error), &error);
    assert_ok(ff_inpaint_prepare(&picture, mask, &plan, true, &inpaint, &error), &error);
    assert_ok(ff_inpaint_paste(&inpaint, &picture, &result, &plan, true, &out, &error), &error);
    for (size_t i = 0; i < sizeof pasted; i++)
        assert_int_equal(pasted[i], 255);
    ff_inpaint_free(&inpaint);
}

// A hole becomes whole where what surrounds it is opaque; on nothing the rim fades; nothing gets more transparent.
static void test_alpha_follows_what_is_painted(void **state)
{
    static uint8_t rgb[3 * WIDTH * HEIGHT], mask[WIDTH * HEIGHT];
    static float alpha[WIDTH * HEIGHT];
    ff_image picture = {WIDTH, HEIGHT, rgb};
    ff_request request = ff_request_default(FF_INPAINT);
    ff_plan plan = {0};
    ff_error error = {0};
    paint_box(mask, 20, 16, 10, 8);
    request.image = &picture;
    request.mask = mask;
    request.strength = 1;
    assert_ok(ff_inpaint_crop(WIDTH, HEIGHT, mask, 2, 32, 32, &plan, &error), &error);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        alpha[i] = mask[i] ? 0 : 1;
    assert_ok(ff_inpaint_alpha(&request, &plan, alpha, &error), &error);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        assert_true(alpha[i] == 1);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        alpha[i] = mask[i] ? 0 : 1;
    request.strength = 0.5;  // starts from the hole itself
    assert_ok(ff_inpaint_alpha(&request, &plan, alpha, &error), &error);
    assert_true(alpha[16 * WIDTH + 20] == 0.5f && alpha[17 * WIDTH + 21] == 1);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        alpha[i] = i % WIDTH < 25 ? 1 : 0;
    request.strength = 1;
    assert_ok(ff_inpaint_alpha(&request, &plan, alpha, &error), &error);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        if (!mask[i] || i % WIDTH < 25)
            assert_true(alpha[i] == (i % WIDTH < 25 ? 1 : 0));
        else
            assert_true(alpha[i] >= 0.5f);
    }
    assert_true(alpha[20 * WIDTH + 29] < 0.75f && alpha[20 * WIDTH + 28] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_crop_is_the_box_times_its_context),
        cmocka_unit_test(test_the_flaw_does_not_reach_the_encoder),
        cmocka_unit_test(test_pixels_outside_the_mask_are_the_pictures),
        cmocka_unit_test(test_a_tint_all_over_is_taken_back),
        cmocka_unit_test(test_a_mask_over_everything_works),
        cmocka_unit_test(test_alpha_follows_what_is_painted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
