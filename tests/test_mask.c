// Masks from pictures: what is white or, asked for, transparent; and that no other meaning is taken in silence.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pictures/mask.h"
#include "pictures/pictures.h"

#define WIDTH 20
#define HEIGHT 10
#define PIXELS (WIDTH * HEIGHT)

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
    ff_error error = {0};
    ff_original original;
    ff_image picture;
    uint8_t *mask, *opaque;
    char remark[256];
    read_golden("rgb8.png", &original, &picture);
    assert_ok(ff_mask_from_picture(&original, "m", FF_MASK_UNSAID, &mask, remark, &error), &error);
    for (size_t i = 0; i < 99; i++) {
        const uint8_t *p = picture.rgb + 3 * i;
        assert_true(abs((int)(0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] + 0.5) - mask[i]) <= 1);
    }
    free(mask);
    ff_picture_free(&picture);
    ff_original_free(&original);

    // Where this file is transparent it is black, and darker than over white where it is so in part.
    read_golden("rgba8.png", &original, &picture);
    assert_ok(ff_mask_from_picture(&original, "m", FF_MASK_WHITE, &opaque, remark, &error), &error);
    for (size_t i = 0; i < 99; i++) {
        const uint8_t *p = (const uint8_t *)original.samples + 4 * i;
        double luma = (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]) * p[3] / 255;
        assert_true(luma - opaque[i] <= 1.5 && opaque[i] - luma <= 1.5);
    }
    free(opaque);
    ff_picture_free(&picture);
    ff_original_free(&original);
}

// A made picture: a base all over, and another pixel in columns 4 to 8 or 4 to 16.
typedef struct made {
    uint8_t rgba[4 * PIXELS];
    ff_original picture;
    size_t columns;
} made;

static void make(made *m, size_t columns, const uint8_t base[4], const uint8_t other[4])
{
    m->columns = columns;
    for (size_t i = 0; i < PIXELS; i++)
        memcpy(m->rgba + 4 * i, i % WIDTH >= 4 && i % WIDTH < 4 + columns ? other : base, 4);
    m->picture = (ff_original){WIDTH, HEIGHT, 4, 8, m->rgba, 1, {0}};
}

// The base becomes a photograph: many colours, some of them bright.
static void draw_photograph(made *m)
{
    for (size_t i = 0; i < PIXELS; i++)
        for (size_t c = 0; c < 3; c++)
            m->rgba[4 * i + c] = (uint8_t)(i * 37 + c * 71);
}

static void assert_paints(const made *m, ff_mask_source source, bool columns, const char *remark_part)
{
    ff_error error = {0};
    uint8_t *mask;
    char remark[256];
    assert_ok(ff_mask_from_picture(&m->picture, "m.png", source, &mask, remark, &error), &error);
    for (size_t i = 0; i < PIXELS; i++)
        assert_true((mask[i] >= 128) == ((i % WIDTH >= 4 && i % WIDTH < 4 + m->columns) == columns));
    free(mask);
    if (!strstr(remark, remark_part) || (!*remark_part && *remark))
        fail_msg("\"%s\" instead of \"%s\"", remark, remark_part);
}

static void assert_refused(const made *m, ff_mask_source source, const char *part)
{
    ff_error error = {0};
    uint8_t *mask;
    char remark[256];
    assert_int_equal(ff_mask_from_picture(&m->picture, "m.png", source, &mask, remark, &error), FF_ERROR_INPUT);
    assert_null(mask);
    assert_memory_equal(error.message, "m.png: ", 7);
    if (!strstr(error.message, part))
        fail_msg("no \"%s\" in \"%s\"", part, error.message);
}

static const uint8_t black[4] = {0, 0, 0, 255}, white[4] = {255, 255, 255, 255}, nothing[4] = {0, 0, 0, 0},
                     clear_white[4] = {255, 255, 255, 0}, red[4] = {255, 0, 0, 255}, faint[4] = {255, 255, 255, 100};

static void black_and_white_need_no_word(void **state)
{
    made m;
    make(&m, 4, black, white);
    assert_paints(&m, FF_MASK_UNSAID, true, "");
    make(&m, 4, white, black);
    assert_paints(&m, FF_MASK_UNSAID, false, "");
    make(&m, 4, white, white);
    ff_error error = {0};
    uint8_t *mask;
    char remark[256];
    assert_ok(ff_mask_from_picture(&m.picture, "m.png", FF_MASK_UNSAID, &mask, remark, &error), &error);
    assert_string_equal(remark, "the mask paints the whole picture");
    free(mask);
    make(&m, 4, black, black);
    assert_refused(&m, FF_MASK_UNSAID, "nothing in it is white");
    assert_refused(&m, FF_MASK_WHITE, "nothing in it is white");
}

static void strokes_on_an_empty_layer_are_painted(void **state)
{
    made m;
    make(&m, 4, nothing, white);
    assert_paints(&m, FF_MASK_UNSAID, true, "80 % of it that is transparent stays; --mask-from alpha paints that");
    assert_paints(&m, FF_MASK_WHITE, true, "");
    assert_paints(&m, FF_MASK_ALPHA, false, "");
    make(&m, 4, clear_white, white);  // as some editors write it
    assert_paints(&m, FF_MASK_UNSAID, true, "stays");
    make(&m, 4, nothing, red);
    assert_refused(&m, FF_MASK_UNSAID, "--mask-from alpha paints what is transparent");
    make(&m, 4, nothing, faint);
    assert_refused(&m, FF_MASK_UNSAID, "nothing in it is white, and 100 % is transparent");
}

static void a_hole_is_painted_only_when_asked_for(void **state)
{
    static const uint8_t *const bases[] = {black, white};
    made m;
    for (size_t i = 0; i < 2; i++) {
        make(&m, 4, bases[i], nothing);
        assert_refused(&m, FF_MASK_UNSAID, "--mask-from alpha");
        assert_paints(&m, FF_MASK_ALPHA, true, "");
        make(&m, 4, bases[i], clear_white);
        assert_refused(&m, FF_MASK_UNSAID, "--mask-from alpha");
        assert_paints(&m, FF_MASK_ALPHA, true, "");
    }
    make(&m, 4, white, nothing);
    assert_paints(&m, FF_MASK_WHITE, false, "");
    // a picture with a hole; the colours are there under it, or are not
    make(&m, 4, white, clear_white);
    draw_photograph(&m);
    assert_refused(&m, FF_MASK_UNSAID, "20 % of it is transparent, and the rest is a picture");
    assert_paints(&m, FF_MASK_ALPHA, true, "");
    // one pixel is a hole as well
    make(&m, 0, black, nothing);
    m.rgba[4 * 33 + 3] = 0;
    assert_refused(&m, FF_MASK_UNSAID, "1 % is transparent");
}

static void without_a_hole_there_is_none_to_paint(void **state)
{
    made m;
    make(&m, 4, black, white);
    assert_refused(&m, FF_MASK_ALPHA, "nothing in it is transparent, which --mask-from alpha would paint");
    m.picture.channels = 3;
    assert_refused(&m, FF_MASK_ALPHA, "nothing in it is transparent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mask_is_luma_and_transparent_means_keep),
        cmocka_unit_test(black_and_white_need_no_word),
        cmocka_unit_test(strokes_on_an_empty_layer_are_painted),
        cmocka_unit_test(a_hole_is_painted_only_when_asked_for),
        cmocka_unit_test(without_a_hole_there_is_none_to_paint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
