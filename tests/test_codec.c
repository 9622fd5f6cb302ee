// Reading pictures: every kind of file, whole, cut off and damaged.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pictures/pictures.h"

static const char *golden_path(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof(path), "%s/diffusers/image/%s", FF_GOLDEN, name);
    return path;
}

static uint8_t *load(const char *path, size_t *size)
{
    ff_error error = {0};
    uint8_t *bytes;
    assert_ok(ff_picture_load(path, &bytes, size, &error), &error);
    return bytes;
}

// tools/golden/image.py: PNG from the specification and WebP from libwebp, exact; JPEG from Pillow's libjpeg-turbo,
// within 2 levels, as decoders may round differently.
static void pictures_are_read_as_pillow_reads_them(void **state)
{
    char name[128], expected[65], found[65];
    size_t width, height, count = 0;
    int tolerance;
    FILE *lines = fopen(golden_path("pictures.txt"), "r");
    assert_non_null(lines);

    while (fscanf(lines, "%127s %zu %zu %d %64s", name, &width, &height, &tolerance, expected) == 5) {
        ff_error error = {0};
        ff_image picture;
        ff_status status = ff_picture_read(golden_path(name), &picture, &error);
        count++;
        if (width == 0) {  // to be refused
            assert_int_equal(status, FF_ERROR_INPUT);
            continue;
        }
        assert_ok(status, &error);
        if (picture.width != width || picture.height != height)
            fail_msg("%s: %zu x %zu instead of %zu x %zu", name, picture.width, picture.height, width, height);
        if (tolerance == 0) {
            print_sha256(picture.rgb, 3 * width * height, found);
            if (strcmp(found, expected) != 0)
                fail_msg("%s: other pixels than expected", name);
        } else {
            size_t size;
            strcat(name, ".rgb");
            uint8_t *rgb = load(golden_path(name), &size);
            assert_int_equal(size, 3 * width * height);
            for (size_t i = 0; i < size; i++)
                if (abs(rgb[i] - picture.rgb[i]) > tolerance)
                    fail_msg("%s: sample %zu is %d instead of %d", name, i, picture.rgb[i], rgb[i]);
            free(rgb);
        }
        ff_picture_free(&picture);
    }
    fclose(lines);
    assert_int_equal(count, 76);
}

static const char *const kinds[] = {"rgb8.png", "palette4-interlaced-transparent.png", "rgba16-interlaced.png",
                                    "orientation6.jpg", "progressive.jpg", "grey.jpg", "lossy.webp",
                                    "alpha-lossless.webp", "animation.webp",    "offset.webp"};

// Each prefix of a file of every kind is refused by name, without a crash (run under AddressSanitizer).
static void a_file_cut_off_anywhere_is_refused(void **state)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        size_t size;
        uint8_t *bytes = load(golden_path(kinds[i]), &size);
        for (size_t length = 0; length < size; length++) {
            ff_error error = {0};
            ff_image picture;
            uint8_t *prefix = malloc(length ? length : 1);  // so that reading past its end is caught
            memcpy(prefix, bytes, length);
            if (ff_picture_decode(prefix, length, kinds[i], 255, &picture, &error) != FF_ERROR_INPUT)
                fail_msg("%s, cut off after %zu of %zu bytes, was accepted", kinds[i], length, size);
            assert_null(picture.rgb);
            assert_memory_equal(error.message, kinds[i], strlen(kinds[i]));
            free(prefix);
        }
        free(bytes);
    }
}

// Every byte of every kind of file replaced by others: some still make a picture, none makes trouble.
static void a_damaged_file_does_no_harm(void **state)
{
    static const uint8_t flips[] = {0xff, 0x01, 0x10};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        size_t size;
        uint8_t *bytes = load(golden_path(kinds[i]), &size);
        for (size_t at = 0; at < size; at++)
            for (size_t f = 0; f < sizeof(flips); f++) {
                ff_error error = {0};
                ff_image picture;
                bytes[at] ^= flips[f];
                ff_status status = ff_picture_decode(bytes, size, kinds[i], 255, &picture, &error);
                assert_true((status == FF_OK) == (picture.rgb != NULL));
                assert_true(status == FF_OK || error.message[0]);
                ff_picture_free(&picture);
                bytes[at] ^= flips[f];
            }
        free(bytes);
    }
}

static void what_is_no_picture_is_refused_in_a_sentence(void **state)
{
    ff_error error = {0};
    ff_image picture;
    assert_int_equal(ff_picture_read(golden_path("absent.png"), &picture, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "absent.png: cannot be read: No such file"));
    assert_int_equal(ff_picture_read(FF_GOLDEN, &picture, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "directory"));
    assert_int_equal(ff_picture_decode("", 0, "empty.png", 255, &picture, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "empty.png: the file is empty");
    assert_int_equal(ff_picture_decode("GIF89a......", 12, "a.png", 255, &picture, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "a.png: neither a PNG nor a JPEG nor a WebP picture");
    assert_int_equal(ff_picture_read(golden_path("cmyk.jpg"), &picture, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "cmyk.jpg: a CMYK picture (for printing); save it as RGB first"));

    // A header that promises 2^30 pixels, refused before memory is asked for; its checksum is right.
    static const uint8_t huge[] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 0, 0x80,
                                   0,    0,   0,   0x80, 0, 8, 2, 0, 0, 0, 0x4b, 0x1e, 0x34, 0x28, 0, 0, 0, 0,
                                   'I',  'D', 'A', 'T', 0x35, 0xaf, 0x06, 0x1e};
    assert_int_equal(ff_picture_decode(huge, sizeof(huge), "huge.png", 255, &picture, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "huge.png: 32768 x 32768 pixels; a picture may have 1 to 268435456");
}

// A progressive file whose first scan is repeated 600 times.
static void a_jpeg_of_endless_scans_is_refused(void **state)
{
    const size_t times = 600;
    ff_error error = {0};
    ff_image picture;
    size_t size, scan = 0;
    uint8_t *bytes = load(golden_path("progressive.jpg"), &size);
    while (bytes[scan] != 0xff || bytes[scan + 1] != 0xda)  // start of scan
        scan++;
    size_t end = scan + 2;
    while (bytes[end] != 0xff || bytes[end + 1] == 0)  // the next marker; ff 00 stands for a byte ff
        end++;
    uint8_t *many = malloc(size + times * (end - scan)), *next = many + end;
    memcpy(many, bytes, end);
    for (size_t i = 0; i < times; i++, next += end - scan)
        memcpy(next, bytes + scan, end - scan);
    memcpy(next, bytes + end, size - end);
    assert_int_equal(ff_picture_decode(many, size + times * (end - scan), "a.jpg", 255, &picture, &error),
                     FF_ERROR_INPUT);
    assert_string_equal(error.message, "a.jpg: not a whole JPEG file: more than 500 scans");
    free(bytes);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_read_as_pillow_reads_them),
        cmocka_unit_test(a_file_cut_off_anywhere_is_refused),
        cmocka_unit_test(a_damaged_file_does_no_harm),
        cmocka_unit_test(what_is_no_picture_is_refused_in_a_sentence),
        cmocka_unit_test(a_jpeg_of_endless_scans_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
