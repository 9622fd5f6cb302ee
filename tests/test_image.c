// Resizing, fitting and hashing against Pillow and the published rules.
#include "golden.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/fit.h"
#include "image/resize.h"

// The same linear congruential generator as in tools/golden/image.py.
static ff_image noise(size_t width, size_t height, uint32_t seed)
{
    ff_image image = {width, height, malloc(3 * width * height)};
    assert_non_null(image.rgb);
    for (size_t i = 0; i < 3 * width * height; i++) {
        seed = 1664525 * seed + 1013904223;
        image.rgb[i] = (uint8_t)(seed >> 24);
    }
    return image;
}

static FILE *golden_lines(const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/diffusers/image/%s", FF_GOLDEN, name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing", path);
    return file;
}

// FIPS 180-4's examples, and a million bytes in pieces of every size from 0 to 200.
static void sha256_gives_the_published_digests(void **state)
{
    static const char *const cases[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char found[65];
    for (size_t i = 0; i < 3; i++) {
        print_sha256(cases[i][0], strlen(cases[i][0]), found);
        assert_string_equal(found, cases[i][1]);
    }

    uint8_t letters[200], digest[32];
    size_t left = 1000000;
    ff_sha256 hash;
    memset(letters, 'a', sizeof(letters));
    ff_sha256_start(&hash);
    for (size_t piece = 0; left > 0; piece = (piece + 1) % 201) {
        size_t taken = piece < left ? piece : left;
        ff_sha256_add(&hash, letters, taken);
        left -= taken;
    }
    ff_sha256_finish(&hash, digest);
    static const uint8_t expected[4] = {0xcd, 0xc7, 0x6e, 0x5c};
    assert_memory_equal(digest, expected, 4);
}

// Pillow 13's LANCZOS for RGB, exact.
static void resizing_is_pillows_to_the_byte(void **state)
{
    FILE *lines = golden_lines("resize.txt");
    size_t in_width, in_height, width, height, count = 0;
    uint32_t seed;
    char expected[65], found[65];

    while (fscanf(lines, "%zu %zu %zu %zu %" SCNu32 " %64s", &in_width, &in_height, &width, &height, &seed, expected)
           == 6) {
        ff_error error = {0};
        ff_image in = noise(in_width, in_height, seed), out = {width, height, malloc(3 * width * height)};
        assert_ok(ff_image_resize(&in, &out, &error), &error);
        print_sha256(out.rgb, 3 * width * height, found);
        if (strcmp(found, expected) != 0)
            fail_msg("%zu x %zu to %zu x %zu differs from Pillow", in_width, in_height, width, height);
        free(in.rgb);
        free(out.rgb);
        count++;
    }
    fclose(lines);
    assert_true(count > 150);
}

// Resizing whole and cropping gives the same bytes as resizing the window alone; both orders of passes.
static void a_window_is_a_crop_of_the_whole(void **state)
{
    static const size_t sizes[][4] = {{40, 30, 64, 90}, {40, 90, 64, 30}, {90, 40, 31, 40}, {40, 90, 40, 33},
                                      {25, 17, 25, 17}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        ff_error error = {0};
        ff_image in = noise(sizes[i][0], sizes[i][1], 5), whole = noise(sizes[i][2], sizes[i][3], 0);
        size_t x = whole.width / 3, y = whole.height / 4;
        ff_image window = noise(whole.width - x - 2, whole.height - y - 1, 0);
        assert_ok(ff_image_resize(&in, &whole, &error), &error);
        assert_ok(ff_image_resize_window(&in, whole.width, whole.height, x, y, &window, &error), &error);
        for (size_t row = 0; row < window.height; row++)
            assert_memory_equal(window.rgb + 3 * row * window.width, whole.rgb + 3 * ((y + row) * whole.width + x),
                                3 * window.width);
        free(in.rgb);
        free(whole.rgb);
        free(window.rgb);
    }
}

static void resizing_refuses_what_has_no_pixels(void **state)
{
    ff_error error = {0};
    uint8_t bytes[3] = {0};
    ff_image none = {0, 1, bytes}, one = {1, 1, bytes};
    assert_int_equal(ff_image_resize(&none, &one, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "a picture of 0 x 1 pixels cannot be resized to 1 x 1");
    assert_int_equal(ff_image_resize(&one, &none, NULL), FF_ERROR_INPUT);
    assert_int_equal(ff_image_resize_window(&one, 2, 2, 2, 0, &one, NULL), FF_ERROR_INPUT);
    assert_int_equal(ff_image_resize_window(&one, 2, 2, 0, SIZE_MAX, &one, NULL), FF_ERROR_INPUT);
}

// Pillow with the steps of Wan2.2's textimage2video.py for cover, exact.
static void fitting_is_what_pillow_makes(void **state)
{
    static const char *const names[] = {"cover", "stretch", "crop", "pad"};
    FILE *lines = golden_lines("fit.txt");
    size_t in_width, in_height, width, height, count = 0;
    uint32_t seed;
    char how[16], expected[65], found[65];

    while (fscanf(lines, "%15s %zu %zu %zu %zu %" SCNu32 " %64s", how, &in_width, &in_height, &width, &height, &seed,
                  expected) == 7) {
        ff_error error = {0};
        ff_image in = noise(in_width, in_height, seed), out;
        double cropped = -1.0;
        int fit = 0;
        while (strcmp(names[fit], how) != 0)
            fit++;
        assert_ok(ff_fit_image(&in, (ff_fit)fit, width, height, &out, &cropped, &error), &error);
        assert_int_equal(out.width, width);
        assert_int_equal(out.height, height);
        assert_true(cropped >= 0.0 && cropped < 1.0);
        print_sha256(out.rgb, 3 * width * height, found);
        if (strcmp(found, expected) != 0)
            fail_msg("%s %zu x %zu to %zu x %zu differs from Pillow", how, in_width, in_height, width, height);
        free(in.rgb);
        free(out.rgb);
        count++;
    }
    fclose(lines);
    assert_int_equal(count, 60);
}

static void fitting_says_what_it_leaves_out(void **state)
{
    ff_error error = {0};
    ff_fit_layout layout;
    assert_ok(ff_fit_plan(1000, 500, FF_FIT_COVER, 100, 100, &layout, &error), &error);
    assert_true(layout.cropped == 0.5 && layout.scaled_width == 200 && layout.crop_x == 50);
    assert_ok(ff_fit_plan(1000, 500, FF_FIT_CROP, 500, 250, &layout, &error), &error);
    assert_true(layout.cropped == 0.75);
    assert_ok(ff_fit_plan(1000, 500, FF_FIT_PAD, 100, 100, &layout, &error), &error);
    assert_true(layout.cropped == 0.0 && layout.window_height == 50 && layout.pad_y == 25);
    assert_ok(ff_fit_plan(1000, 500, FF_FIT_STRETCH, 100, 100, &layout, &error), &error);
    assert_true(layout.cropped == 0.0);

    assert_int_equal(ff_fit_plan(99, 500, FF_FIT_CROP, 100, 100, &layout, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message,
                        "a picture of 99 x 500 pixels is too small to crop 100 x 100 from it; use cover or pad");
    assert_int_equal(ff_fit_plan(1, 1u << 28, FF_FIT_COVER, 1024, 1024, &layout, &error), FF_ERROR_INPUT);
}

// A strip so long that the whole of it, scaled, would take 3 GB; only the window is computed.
static void covering_with_a_long_strip_is_cheap(void **state)
{
    ff_error error = {0};
    ff_image strip = noise(3, 30000, 1), out;
    double cropped;
    assert_ok(ff_fit_image(&strip, FF_FIT_COVER, 320, 64, &out, &cropped, &error), &error);
    assert_true(cropped > 0.99);
    free(strip.rgb);
    free(out.rgb);
}

// Wan2.2, wan/utils/utils.py, exact.
static void the_best_size_is_wans(void **state)
{
    FILE *lines = golden_lines("best-size.txt");
    size_t still_width, still_height, area, multiple_width, multiple_height, expected_width, expected_height;
    size_t width, height, count = 0;

    while (fscanf(lines, "%zu %zu %zu %zu %zu %zu %zu", &still_width, &still_height, &area, &multiple_width,
                  &multiple_height, &expected_width, &expected_height) == 7) {
        ff_fit_best_size(still_width, still_height, area, multiple_width, multiple_height, &width, &height);
        if (width != expected_width || height != expected_height)
            fail_msg("%zu x %zu: %zu x %zu instead of %zu x %zu", still_width, still_height, width, height,
                     expected_width, expected_height);
        count++;
    }
    fclose(lines);
    assert_true(count > 100);

    // Where the rule would divide by 0: one multiple, and the area is kept.
    ff_fit_best_size(10, 100000, 128 * 128, 16, 16, &width, &height);
    assert_int_equal(width, 16);
    assert_int_equal(height, 1024);
    ff_fit_best_size(100000, 10, 128 * 128, 16, 16, &width, &height);
    assert_int_equal(width, 1024);
    assert_int_equal(height, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(resizing_is_pillows_to_the_byte),
        cmocka_unit_test(a_window_is_a_crop_of_the_whole),
        cmocka_unit_test(resizing_refuses_what_has_no_pixels),
        cmocka_unit_test(fitting_is_what_pillow_makes),
        cmocka_unit_test(fitting_says_what_it_leaves_out),
        cmocka_unit_test(covering_with_a_long_strip_is_cheap),
        cmocka_unit_test(the_best_size_is_wans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
