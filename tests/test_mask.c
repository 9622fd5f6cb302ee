// Masks from pictures: what is white.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mask.h"
#include "pictures.h"

static void read_golden(const char *name, ff_original *original, ff_image *flat)
{
    char path[1024];
    uint8_t *bytes;
    size_t size;
    ff_error error = {0};
    snprintf(path, sizeof path, "%s/diffusers/image/%s", FF_GOLDEN, name);
    assert_ok(ff_picture_load(path, &bytes, &size, &error), &error);
    assert_ok(ff_picture_decode_original(bytes, size, name, original, &error), &error);
    assert_ok(ff_original_flatten(original, 255, flat, &error), &error);
    free(bytes);
}

static void a_mask_is_luma_and_transparent_means_keep(void **state)
{
    (void)state;
    ff_error error = {0};
    ff_original original;
    ff_image picture;
    uint8_t *mask, *opaque;
    read_golden("rgb8.png", &original, &picture);
    assert_ok(ff_mask_from_picture(&original, &mask, &error), &error);
    for (size_t i = 0; i < 99; i++) {
        const uint8_t *p = picture.rgb + 3 * i;
        assert_true(abs((int)(0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] + 0.5) - mask[i]) <= 1);
    }
    free(mask);
    ff_picture_free(&picture);
    ff_original_free(&original);

    // Where this file is transparent it is black, and darker than over white where it is so in part.
    read_golden("rgba8.png", &original, &picture);
    assert_ok(ff_mask_from_picture(&original, &opaque, &error), &error);
    for (size_t i = 0; i < 99; i++) {
        const uint8_t *p = (const uint8_t *)original.samples + 4 * i;
        double luma = (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]) * p[3] / 255;
        assert_true(luma - opaque[i] <= 1.5 && opaque[i] - luma <= 1.5);
    }
    free(opaque);
    ff_picture_free(&picture);
    ff_original_free(&original);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mask_is_luma_and_transparent_means_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
