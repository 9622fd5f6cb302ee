// inpaint leaves what is outside the mask as it is: every sample at the picture's depth, alpha, and the colours under
// it. Pictures are read here with libpng and libwebp alone.
#include "in_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <png.h>
#include <webp/decode.h>

#include "commands/commands.h"
#include "pictures/pictures.h"

#define OPAQUE 65535

// ---- pictures by libpng and libwebp ----

// Every pixel as red, green, blue and alpha in 16 bits; samples of fewer are widened.
typedef struct plain {
    size_t width, height;
    unsigned depth;
    bool alpha;
    uint16_t (*pixels)[4];
} plain;

static plain read_png(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s is not there", path);
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file);
    png_read_info(png, info);
    plain out = {png_get_image_width(png, info), png_get_image_height(png, info), png_get_bit_depth(png, info),
                 (png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA) || png_get_valid(png, info, PNG_INFO_tRNS),
                 NULL};
    out.pixels = calloc(out.width * out.height, sizeof *out.pixels);
    png_bytep *rows = calloc(out.height, sizeof *rows);
    for (size_t y = 0; y < out.height; y++)
        rows[y] = (png_bytep)(out.pixels + y * out.width);
    png_set_expand_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, OPAQUE, PNG_FILLER_AFTER);
    png_set_interlace_handling(png);
    png_set_swap(png);
    png_read_image(png, rows);
    png_read_end(png, NULL);
    png_destroy_read_struct(&png, &info, NULL);
    free(rows);
    fclose(file);
    return out;
}

static plain read_webp(const char *path)
{
    size_t size;
    int width, height;
    WebPBitstreamFeatures features;
    uint8_t *bytes = load_bytes(path, &size);
    assert_int_equal(WebPGetFeatures(bytes, size, &features), VP8_STATUS_OK);
    uint8_t *rgba = WebPDecodeRGBA(bytes, size, &width, &height);
    assert_non_null(rgba);
    plain out = {(size_t)width, (size_t)height, 8, features.has_alpha, NULL};
    out.pixels = calloc(out.width * out.height, sizeof *out.pixels);
    for (size_t i = 0; i < 4 * out.width * out.height; i++)
        out.pixels[i / 4][i % 4] = (uint16_t)(rgba[i] * 257);
    WebPFree(rgba);
    free(bytes);
    return out;
}

static plain read_plain(const char *path)
{
    return strstr(path, ".webp") ? read_webp(path) : read_png(path);
}

// Writes red, green, blue and alpha, 8 or 16 bits a sample.
static void write_png(const char *path, size_t width, size_t height, int depth, const uint16_t (*pixels)[4])
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t *row = calloc(width, 8);
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, depth, PNG_COLOR_TYPE_RGB_ALPHA,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (size_t y = 0; y < height; y++) {
        for (size_t i = 0; i < 4 * width; i++) {
            unsigned value = pixels[y * width + i / 4][i % 4];
            if (depth == 8)
                row[i] = (uint8_t)(value >> 8);
            else
                memcpy(row + 2 * i, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
        }
        png_write_row(png, row);
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    free(row);
    fclose(file);
}

#define INPAINT(image, output, ...) RUN(FF_COMMAND_INPAINT, image, output, __VA_ARGS__)

// ---- comparing ----

static bool in_box(size_t i, size_t width)
{
    size_t x = i % width, y = i / width;
    return x >= 3 && x < 8 && y >= 2 && y < 7;
}

// out equals in outside the box, and was painted inside it.
static void assert_kept(const char *name, const plain *in, const plain *out, bool deep)
{
    size_t changed = 0;
    if (out->width != in->width || out->height != in->height || out->alpha != in->alpha)
        fail_msg("%s: another size, or alpha lost", name);
    if (out->depth != (deep && in->depth == 16 ? 16 : 8))
        fail_msg("%s: %u bits a sample became %u", name, in->depth, out->depth);
    for (size_t i = 0; i < in->width * in->height; i++) {
        bool same = true;
        for (size_t c = 0; c < 4; c++) {
            unsigned before = in->pixels[i][c], after = out->pixels[i][c];
            same = same && (deep ? before == after : (before * 255 + 32895) >> 16 == after / 257);
        }
        if (!same && !in_box(i, in->width))
            fail_msg("%s: pixel %zu is %u %u %u %u, was %u %u %u %u", name, i, out->pixels[i][0], out->pixels[i][1],
                     out->pixels[i][2], out->pixels[i][3], in->pixels[i][0], in->pixels[i][1], in->pixels[i][2],
                     in->pixels[i][3]);
        changed += !same;
    }
    if (changed < 10)
        fail_msg("%s: nothing was painted", name);
}

// Of every kind of PNG and WebP, 1 to 16 bits, grey, palette, with alpha and tRNS, interlaced, lossy.
static void outside_the_mask_every_sample_is_the_pictures(void **state)
{
    char name[128], hash[65];
    size_t width, height, count = 0;
    int tolerance;
    FILE *lines = fopen(golden_picture("pictures.txt"), "r");
    assert_non_null(lines);
    while (fscanf(lines, "%127s %zu %zu %d %64s", name, &width, &height, &tolerance, hash) == 5) {
        if (width == 0 || strstr(name, ".jpg") || strncmp(name, "orientation", 11) == 0 ||
            strcmp(name, "animation.webp") == 0 || strcmp(name, "offset.webp") == 0)
            continue;
        plain in = read_plain(golden_picture(name)), png, webp;
        char *notes = INPAINT(golden_picture(name), inside("out.png"), "--box", "3,2,5,5");
        png = read_png(inside("out.png"));
        assert_kept(name, &in, &png, true);
        assert_null(strstr(notes, "cannot"));
        free(notes);
        notes = INPAINT(golden_picture(name), inside("out.webp"), "--box", "3,2,5,5");
        webp = read_webp(inside("out.webp"));
        webp.alpha = in.alpha;  // libwebp leaves an alpha out that is 255 everywhere
        assert_kept(name, &in, &webp, false);
        if ((in.depth == 16) != (strstr(notes, "16 bits a sample cannot go into a WebP") != NULL))
            fail_msg("%s: notes are %s", name, notes);
        free(notes);
        free(in.pixels);
        free(png.pixels);
        free(webp.pixels);
        count++;
    }
    fclose(lines);
    assert_true(count > 45);
}

// ---- what is painted ----

#define WIDTH 48
#define HEIGHT 40

// Colours everywhere, also under alpha 0; `alpha` decides by column and row.
static void draw(uint16_t (*pixels)[4], uint16_t (*alpha)(size_t x, size_t y))
{
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        pixels[i][0] = (uint16_t)(i * 1201 + 77);
        pixels[i][1] = (uint16_t)(i * 37 + 5);
        pixels[i][2] = (uint16_t)(65535 - i * 11);
        pixels[i][3] = alpha(i % WIDTH, i / WIDTH);
    }
}

static uint16_t right_half_is_clear(size_t x, size_t y)
{
    return x < WIDTH / 2 ? OPAQUE : y < HEIGHT / 2 ? 0 : 0x7fff;
}

static bool in_hole(size_t x, size_t y)
{
    return x >= 16 && x < 32 && y >= 10 && y < 30;
}

static uint16_t hole(size_t x, size_t y)
{
    return in_hole(x, y) ? 0 : OPAQUE;
}

// The box lies across opaque, transparent and half transparent pixels.
static void what_is_painted_shows(void **state)
{
    static uint16_t pixels[WIDTH * HEIGHT][4];
    for (int depth = 8; depth <= 16; depth += 8) {
        draw(pixels, right_half_is_clear);
        write_png(inside("in.png"), WIDTH, HEIGHT, depth, (const uint16_t(*)[4])pixels);
        plain in = read_png(inside("in.png"));
        free(INPAINT(inside("in.png"), inside("out.png"), "--box", "12,8,24,24"));
        plain out = read_png(inside("out.png"));
        assert_int_equal(out.depth, depth);
        for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
            size_t x = i % WIDTH, y = i / WIDTH;
            if (x < 12 || x >= 36 || y < 8 || y >= 32)
                assert_memory_equal(out.pixels[i], in.pixels[i], sizeof in.pixels[i]);
            else if (x >= 14 && x < 34 && y >= 10 && y < 30)
                assert_int_equal(out.pixels[i][3], OPAQUE);
            else  // the rim, two pixels wide
                assert_true(out.pixels[i][3] >= OPAQUE / 3 - 257);
        }
        // where nothing is beside it, it fades
        uint16_t rim = out.pixels[14 * WIDTH + 35][3], next = out.pixels[14 * WIDTH + 34][3];
        assert_true(rim < OPAQUE / 2 && rim < next && next < OPAQUE);
        assert_true(out.pixels[14 * WIDTH + 12][3] == OPAQUE);
        free(in.pixels);
        free(out.pixels);
    }
}

// A picture as editors save a hole: it is the mask as well, and becomes whole.
static void a_hole_is_mended(void **state)
{
    static uint16_t pixels[WIDTH * HEIGHT][4];
    draw(pixels, hole);
    write_png(inside("in.png"), WIDTH, HEIGHT, 16, (const uint16_t(*)[4])pixels);
    char *sentence = run_words(FF_COMMAND_INPAINT, FF_ERROR_INPUT,
                         (const char *[]){"-i", inside("in.png"), "-o", inside("again.png"), "-p", "x", "-m",
                                          TINY_MODEL, "--mask", inside("in.png"), NULL});
    assert_non_null(strstr(sentence, "--mask-from alpha paints what is transparent"));
    assert_int_not_equal(access(inside("again.png"), F_OK), 0);
    free(sentence);
    free(INPAINT(inside("in.png"), inside("out.png"), "--mask", inside("in.png"), "--mask-from", "alpha"));
    plain in = read_png(inside("in.png")), out = read_png(inside("out.png"));
    size_t same = 0;
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        if (!in_hole(i % WIDTH, i / WIDTH))
            assert_memory_equal(out.pixels[i], in.pixels[i], sizeof in.pixels[i]);
        else
            same += memcmp(out.pixels[i], in.pixels[i], 6) == 0;
        assert_int_equal(out.pixels[i][3], OPAQUE);
    }
    assert_true(same < 5);
    free(in.pixels);
    free(out.pixels);
    // the record knows how the mask was read, and the picture comes back with all it had
    free(run_words(FF_COMMAND_AGAIN, FF_OK, (const char *[]){inside("out.png"), "-m", TINY_MODEL, "-o",
                                                             inside("again.png"), NULL}));
    plain once = read_png(inside("out.png")), again = read_png(inside("again.png"));
    assert_int_equal(again.depth, 16);
    assert_memory_equal(once.pixels, again.pixels, WIDTH * HEIGHT * sizeof *once.pixels);
    free(once.pixels);
    free(again.pixels);
}

static void variations_and_frames_keep_as_much(void **state)
{
    static const char *const names[] = {"out-seed-0000.png", "out-seed-0001.png", "f-00.png"};
    plain in = read_png(golden_picture("rgba16.png"));
    free(INPAINT(golden_picture("rgba16.png"), inside("out.png"), "--box", "3,2,5,5", "-n", "2"));
    remove(inside("out-seed-0001.png"));
    free(INPAINT(golden_picture("rgba16.png"), inside("out.png"), "--box", "3,2,5,5", "-n", "2", "--resume"));
    free(INPAINT(golden_picture("rgba16.png"), inside("f-%02d.png"), "--box", "3,2,5,5"));
    for (size_t i = 0; i < 3; i++) {
        plain out = read_png(inside(names[i]));
        assert_kept(names[i], &in, &out, true);
        free(out.pixels);
    }
    free(in.pixels);
}

static void what_an_output_cannot_hold_is_said(void **state)
{
    char *notes = INPAINT(golden_picture("rgba16.png"), inside("out.y4m"), "--box", "3,2,5,5");
    assert_non_null(strstr(notes, "the picture's transparency and 16 bits a sample cannot go into YUV4MPEG2"));
    assert_non_null(strstr(notes, "rounds the colours outside the mask"));
    free(notes);
    notes = INPAINT(golden_picture("rgb8.png"), inside("out.webp"), "--box", "3,2,5,5", "--quality", "90");
    assert_non_null(strstr(notes, "a WebP of --quality 90 changes the colours outside the mask as well"));
    free(notes);
    notes = INPAINT(golden_picture("animation.webp"), inside("out.png"), "--box", "3,2,5,5");
    assert_non_null(strstr(notes, "animation.webp is an animation; its first frame of "));
    free(notes);
    notes = INPAINT(golden_picture("rgba8.png"), inside("out.png"), "--box", "3,2,5,5");
    assert_string_equal(notes, "");
    free(notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_the_mask_every_sample_is_the_pictures),
        cmocka_unit_test(what_is_painted_shows),
        cmocka_unit_test(a_hole_is_mended),
        cmocka_unit_test(variations_and_frames_keep_as_much),
        cmocka_unit_test(what_an_output_cannot_hold_is_said),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
