// What is written: every kind of output, the metadata inside, and that nothing is left half-written.
#include "golden.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <webp/demux.h>

#include "draw/contact_sheet.h"
#include "files/metadata.h"
#include "pictures/output.h"
#include "pictures/pictures.h"

static char folder[] = "/tmp/firstframe-test-XXXXXX";

// folder/name, in one of a few buffers in turn.
static const char *inside(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static size_t files_in_folder(void)
{
    size_t count = 0;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listing));)
        count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}

static void empty_folder(void)
{
    DIR *listing = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listing));)
        if (entry->d_name[0] != '.')
            remove(inside(entry->d_name));
    closedir(listing);
}

static int make_folder(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    empty_folder();
    return rmdir(folder);
}

static uint8_t *load(const char *path, size_t *size)
{
    ff_error error = {0};
    uint8_t *bytes;
    assert_ok(ff_picture_load(path, &bytes, size, &error), &error);
    return bytes;
}

static void save(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

// A picture with edges, gradients and a spot that moves with `step`.
static ff_image draw(size_t width, size_t height, size_t step)
{
    ff_image image = {width, height, malloc(3 * width * height)};
    assert_non_null(image.rgb);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            uint8_t *pixel = image.rgb + 3 * (y * width + x);
            bool spot = (x + width - step % width) % width < 5 && y % 9 < 5;
            pixel[0] = (uint8_t)(spot ? 250 : 5 * x);
            pixel[1] = (uint8_t)(7 * y);
            pixel[2] = (uint8_t)(spot ? 20 : x * y);
        }
    return image;
}

static void assert_same_picture(const ff_image *a, const ff_image *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_memory_equal(a->rgb, b->rgb, 3 * a->width * a->height);
}

static const char odd_metadata[] =
    "{\"prompt\":\"a <b>&amp;\\\"quoted\\\"</b> ]]> \xe2\x80\x9cna\xc3\xafve\xe2\x80\x9d \xf0\x9f\x8e\x9e\xef\xbf\xbf"
    " \\n\\u0001 &#65;\",\"seed\":42}";

// What comes back is the same JSON; XML cannot hold U+FFFF, which comes back as its escape.
static void assert_metadata_survives(const char *path, bool xml)
{
    ff_error error = {0};
    char *json;
    assert_ok(ff_metadata_read(path, &json, &error), &error);
    const char *raw = strstr(odd_metadata, "\xef\xbf\xbf");
    size_t before = (size_t)(raw - odd_metadata);
    assert_memory_equal(json, odd_metadata, before);
    if (xml) {
        assert_memory_equal(json + before, "\\uffff", 6);
        assert_string_equal(json + before + 6, raw + 3);
    } else {
        assert_string_equal(json, odd_metadata);
    }
    free(json);
}

static void a_still_comes_back_with_its_metadata(void **state)
{
    static const char *const names[] = {"a.png", "b.webp", "c.PNG"};
    ff_image image = draw(53, 31, 3), back;
    for (size_t i = 0; i < 3; i++) {
        ff_error error = {0};
        assert_ok(ff_output_still(inside(names[i]), &image, NULL, odd_metadata, &error), &error);
        assert_ok(ff_picture_read(inside(names[i]), &back, &error), &error);
        assert_same_picture(&image, &back);
        assert_metadata_survives(inside(names[i]), i == 1);
        ff_picture_free(&back);

        char *json;
        assert_ok(ff_output_still(inside(names[i]), &image, NULL, NULL, &error), &error);
        assert_int_equal(ff_metadata_read(inside(names[i]), &json, &error), FF_ERROR_INPUT);
        assert_non_null(strstr(error.message, "holds no record of how firstframe made it"));
    }
    ff_picture_free(&image);
    assert_int_equal(files_in_folder(), 3);
    empty_folder();
}

static void metadata_that_others_rewrote_is_understood(void **state)
{
    static const char attribute[] =
        "<rdf:Description firstframe:parameters='{&quot;a&quot;:&#x22;&#233;&#x1F39E;&#0;&x;&quot;}' />";
    static const char *const broken[] = {"", "<firstframe:parameters>{", "firstframe:parameters=", "x"};
    ff_error error = {0};
    char *json;
    assert_ok(ff_metadata_read_xmp(attribute, sizeof(attribute) - 1, &json, &error), &error);
    assert_string_equal(json, "{\"a\":\"\xc3\xa9\xf0\x9f\x8e\x9e&#0;&x;\"}");
    free(json);
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        assert_ok(ff_metadata_read_xmp(broken[i], strlen(broken[i]), &json, &error), &error);
        assert_null(json);
    }
    assert_int_equal(ff_metadata_write_xmp("[1]", &json, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_metadata_write_xmp("{\"prompt\":", &json, &error), FF_ERROR_INPUT);
}

static void write_clip(const char *path, const ff_output_settings *settings, const char *metadata)
{
    ff_error error = {0};
    ff_output *output;
    assert_ok(ff_output_open(path, settings, &output, &error), &error);
    for (size_t i = 0; i < settings->frames; i++) {
        ff_image frame = draw(settings->width, settings->height, i);
        assert_ok(ff_output_add(output, &frame, &error), &error);
        ff_picture_free(&frame);
    }
    assert_ok(ff_output_finish(output, metadata, &error), &error);
}

// The sum of the durations is round(1000 frames / fps) and frame i starts within half a millisecond of i / fps.
static void an_animation_has_every_frame_at_its_time(void **state)
{
    static const double rates[] = {8.0, 24.0, 16.0, 29.97, 1000.0};
    for (size_t r = 0; r < 5; r++) {
        ff_output_settings settings = {37, 22, 13, rates[r], true, 0.0, NULL};
        size_t size;
        write_clip(inside("clip.webp"), &settings, odd_metadata);
        uint8_t *bytes = load(inside("clip.webp"), &size);
        WebPData data = {bytes, size};
        WebPAnimInfo info;
        WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, NULL);
        assert_non_null(decoder);
        assert_true(WebPAnimDecoderGetInfo(decoder, &info));
        assert_int_equal(info.frame_count, 13);
        assert_int_equal(info.loop_count, 0);
        for (size_t i = 0; i < 13; i++) {
            uint8_t *rgba;
            int end;
            ff_image expected = draw(37, 22, i);
            assert_true(WebPAnimDecoderGetNext(decoder, &rgba, &end));
            assert_int_equal(end, (int)((double)(i + 1) * 1000.0 / rates[r] + 0.5));
            for (size_t p = 0; p < 37 * 22; p++)
                assert_memory_equal(rgba + 4 * p, expected.rgb + 3 * p, 3);
            ff_picture_free(&expected);
        }
        WebPAnimDecoderDelete(decoder);
        free(bytes);
        assert_metadata_survives(inside("clip.webp"), true);
    }
    empty_folder();
}

// Of a picture with hard edges quality 100 keeps more than quality 20, in a larger file.
static void lossy_quality_is_followed(void **state)
{
    static const char *const names[] = {"low.webp", "high.webp"};
    static const double qualities[] = {20.0, 100.0};
    double differences[2];
    size_t sizes[2];
    for (size_t i = 0; i < 2; i++) {
        ff_error error = {0};
        ff_output_settings settings = {64, 48, 4, 8.0, false, qualities[i], NULL};
        ff_image expected = draw(64, 48, 0), first;
        write_clip(inside(names[i]), &settings, NULL);
        free(load(inside(names[i]), &sizes[i]));
        assert_ok(ff_picture_read(inside(names[i]), &first, &error), &error);
        differences[i] = 0.0;
        for (size_t j = 0; j < 3 * 64 * 48; j++)
            differences[i] += abs(first.rgb[j] - expected.rgb[j]) / (3.0 * 64 * 48);
        ff_picture_free(&first);
        ff_picture_free(&expected);
    }
    assert_true(differences[1] < differences[0]);
    assert_true(sizes[1] > sizes[0]);
    empty_folder();
}

static void numbered_pngs_hold_a_frame_each(void **state)
{
    ff_error error = {0};
    ff_output_settings settings = {20, 10, 12, 8.0, false, 0.0, NULL};
    write_clip(inside("f-%03d.png"), &settings, odd_metadata);
    write_clip(inside("g%d.png"), &settings, NULL);
    assert_int_equal(files_in_folder(), 24);
    for (size_t i = 0; i < 12; i++) {
        char name[32];
        ff_image expected = draw(20, 10, i), back;
        snprintf(name, sizeof(name), "f-%03zu.png", i);
        assert_ok(ff_picture_read(inside(name), &back, &error), &error);
        assert_same_picture(&expected, &back);
        assert_metadata_survives(inside(name), false);
        ff_picture_free(&back);
        ff_picture_free(&expected);
    }
    assert_int_equal(access(inside("g11.png"), R_OK), 0);
    empty_folder();
}

// Black, white, grey and the primaries by ITU-R BT.601, computed by hand.
static void y4m_holds_bt601_values(void **state)
{
    ff_error error = {0};
    ff_output *output;
    uint8_t rgb[] = {0, 0, 0, 255, 255, 255, 128, 128, 128, 255, 0, 0, 0, 255, 0, 0, 0, 255};
    ff_image frame = {6, 1, rgb};
    ff_output_settings settings = {6, 1, 1, 30000.0 / 1001.0, false, 0.0, NULL};
    static const char expected[] = "YUV4MPEG2 W6 H1 F30000:1001 Ip A1:1 C444 XCOLORRANGE=LIMITED\nFRAME\n"
                                   "\x10\xeb\x7e\x51\x91\x29"
                                   "\x80\x80\x80\x5a\x36\xf0"
                                   "\x80\x80\x80\xf0\x22\x6e";
    size_t size;
    assert_ok(ff_output_open(inside("a.y4m"), &settings, &output, &error), &error);
    assert_ok(ff_output_add(output, &frame, &error), &error);
    assert_ok(ff_output_finish(output, odd_metadata, &error), &error);
    uint8_t *bytes = load(inside("a.y4m"), &size);
    assert_int_equal(size, sizeof(expected) - 1);
    assert_memory_equal(bytes, expected, size);
    free(bytes);
    empty_folder();
}

static void names_say_what_is_written(void **state)
{
    static const struct {
        const char *name;
        int kind;  // -1: refused
    } cases[] = {{"a.webp", FF_OUTPUT_WEBP}, {"a.WEBP", FF_OUTPUT_WEBP}, {"b.png", FF_OUTPUT_PNG},
                 {"d/f-%03d.png", FF_OUTPUT_NUMBERED}, {"%d.png", FF_OUTPUT_NUMBERED},
                 {"50%/b.png", FF_OUTPUT_PNG}, {"z%d/f-%d.png", FF_OUTPUT_NUMBERED}, {"c.y4m", FF_OUTPUT_Y4M},
                 {"-", FF_OUTPUT_Y4M}, {"a.mp4", FF_OUTPUT_VIDEO}, {"a.webm", FF_OUTPUT_VIDEO},
                 {"a.GIF", FF_OUTPUT_VIDEO}, {".mp4", -1}, {"a.avi", -1}, {"a", -1}, {"", -1}, {".webp", -1}, {"a/.png", -1},
                 {"webp", -1}, {"a%s.png", -1}, {"a%d%d.png", -1}, {"a%3d.png", -1}, {"a%03x.png", -1},
                 {"a%00d.png", -1}, {"a%.png", -1}, {"a%0", -1}, {"%n.png", -1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ff_error error = {0};
        ff_output_kind kind;
        ff_status status = ff_output_recognise(cases[i].name, &kind, &error);
        if (cases[i].kind < 0 ? status != FF_ERROR_INPUT : status != FF_OK || (int)kind != cases[i].kind)
            fail_msg("%s: status %d, %s", cases[i].name, (int)status, error.message);
    }
}

static void what_cannot_be_written_is_said_at_the_start(void **state)
{
    ff_error error = {0};
    ff_output *output;
    ff_output_settings settings = {16, 16, 2, 8.0, false, 90.0, NULL};

    assert_int_equal(ff_output_open(inside("no/such/folder.webp"), &settings, &output, &error), FF_ERROR_IO);
    assert_non_null(strstr(error.message, "folder.webp: cannot be written: No such file or directory"));
    assert_int_equal(mkdir(inside("taken.webp"), 0700), 0);
    assert_int_equal(ff_output_open(inside("taken.webp"), &settings, &output, &error), FF_ERROR_IO);
    assert_non_null(strstr(error.message, "taken.webp: cannot be written: it is a folder"));
    assert_int_equal(rmdir(inside("taken.webp")), 0);
    assert_int_equal(ff_output_open(inside("one.png"), &settings, &output, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "one.png: a PNG holds one frame, not 2"));
    settings.fps = 0.0;
    assert_int_equal(ff_output_open(inside("a.webp"), &settings, &output, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_output_open(inside("a.y4m"), &settings, &output, &error), FF_ERROR_INPUT);
    settings.fps = 8.0;
    settings.quality = 101.0;
    assert_int_equal(ff_output_open(inside("a.webp"), &settings, &output, &error), FF_ERROR_INPUT);
    settings.quality = 90.0;
    settings.width = 16384;
    assert_int_equal(ff_output_open(inside("a.webp"), &settings, &output, &error), FF_ERROR_INPUT);
    assert_int_equal(files_in_folder(), 0);
}

// Until finish, and after a failure or an end before time, what was there is untouched and nothing is added.
static void an_unfinished_output_leaves_no_trace(void **state)
{
    static const char *const names[] = {"a.webp", "a%d.png", "a.y4m"};
    ff_output_settings settings = {16, 16, 2, 8.0, false, 90.0, NULL};
    ff_image frame = draw(16, 16, 0), other = draw(16, 17, 0);

    for (size_t i = 0; i < 3; i++) {
        ff_error error = {0};
        ff_output *output;
        size_t size;
        save(inside("a.webp"), "old", 3);
        save(inside("a0.png"), "old", 3);
        save(inside("a.y4m"), "old", 3);
        assert_ok(ff_output_open(inside(names[i]), &settings, &output, &error), &error);
        assert_ok(ff_output_add(output, &frame, &error), &error);
        assert_int_equal(ff_output_add(output, &other, &error), FF_ERROR_INPUT);
        ff_output_abandon(output);

        assert_ok(ff_output_open(inside(names[i]), &settings, &output, &error), &error);
        assert_ok(ff_output_add(output, &frame, &error), &error);
        assert_int_equal(ff_output_finish(output, NULL, &error), FF_ERROR_INPUT);
        assert_non_null(strstr(error.message, "1 frames came instead of 2"));

        assert_int_equal(files_in_folder(), 3);
        uint8_t *bytes = load(inside(i == 1 ? "a0.png" : names[i]), &size);
        assert_int_equal(size, 3);
        assert_memory_equal(bytes, "old", 3);
        free(bytes);
    }
    ff_picture_free(&frame);
    ff_picture_free(&other);
    empty_folder();
}

// A limit on file sizes stands in for a full disk: writing stops at 3000 bytes.
static void a_full_disk_is_one_sentence_and_no_file(void **state)
{
    static const char *const names[] = {"a.webp", "b%d.png", "c.y4m"};
    struct rlimit before, small;
    ff_image frame = {64, 64, malloc(3 * 64 * 64)};
    for (size_t i = 0; i < 3 * 64 * 64; i++)  // noise: no codec makes it small
        frame.rgb[i] = (uint8_t)((i * 2654435761u + i * i * 40503u) >> 13);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 3000;
    signal(SIGXFSZ, SIG_IGN);

    for (size_t i = 0; i < 3; i++) {
        ff_error error = {0};
        ff_output *output;
        ff_output_settings settings = {64, 64, 2, 8.0, true, 0.0, NULL};
        assert_ok(ff_output_open(inside(names[i]), &settings, &output, &error), &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        ff_status status = ff_output_add(output, &frame, &error);
        if (status == FF_OK)
            status = ff_output_finish(output, NULL, &error);
        else
            ff_output_abandon(output);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, FF_ERROR_IO);
        assert_non_null(strstr(error.message, "cannot be written: File too large"));
        assert_int_equal(files_in_folder(), 0);
    }
    signal(SIGXFSZ, SIG_DFL);
    free(frame.rgb);
}

// ---- contact sheet ----

static void a_contact_sheet_holds_every_still(void **state)
{
    ff_error error = {0};
    ff_image stills[5], sheet;
    const char *labels[5] = {"seed 0", "seed 1", "a label much too long for its cell", NULL, "\xc3\xa9~"};
    for (size_t i = 0; i < 5; i++)
        stills[i] = draw(96, 40, 7 * i);
    assert_ok(ff_contact_sheet_draw(stills, labels, 5, &sheet, &error), &error);
    assert_int_equal(sheet.width, 8 + 3 * (96 + 8));
    assert_int_equal(sheet.height, 8 + 2 * (40 + 11 + 8));
    for (size_t i = 0; i < 5; i++) {
        size_t x = 8 + i % 3 * 104, y = 8 + i / 3 * 59;
        for (size_t row = 0; row < 40; row++)
            assert_memory_equal(sheet.rgb + 3 * ((y + row) * sheet.width + x), stills[i].rgb + 3 * 96 * row, 3 * 96);
        ff_picture_free(&stills[i]);
    }
    ff_picture_free(&sheet);
    assert_int_equal(ff_contact_sheet_draw(stills, labels, 0, &sheet, &error), FF_ERROR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_still_comes_back_with_its_metadata),
        cmocka_unit_test(metadata_that_others_rewrote_is_understood),
        cmocka_unit_test(an_animation_has_every_frame_at_its_time),
        cmocka_unit_test(lossy_quality_is_followed),
        cmocka_unit_test(numbered_pngs_hold_a_frame_each),
        cmocka_unit_test(y4m_holds_bt601_values),
        cmocka_unit_test(names_say_what_is_written),
        cmocka_unit_test(what_cannot_be_written_is_said_at_the_start),
        cmocka_unit_test(an_unfinished_output_leaves_no_trace),
        cmocka_unit_test(a_full_disk_is_one_sentence_and_no_file),
        cmocka_unit_test(a_contact_sheet_holds_every_still),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
