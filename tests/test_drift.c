// The figures of drift on made pictures: each scores zero on a copy, moves with what it is named after and, at most a
// fifth as much, with what it is to ignore.
#include "drawn_face.h"
#include "golden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/align.h"
#include "image/colour_match.h"
#include "check/figures/drift.h"
#include "check/figures/flicker.h"
#include "check/figures/motion.h"

#define MOVES 5.0   // the response to what counts is at least so many times that to what does not

// The same picture in other colours: red, green and blue change places.
static ff_image swap_palette(const ff_image *image)
{
    ff_image out = {image->width, image->height, malloc(3 * image->width * image->height)};
    assert_non_null(out.rgb);
    for (size_t i = 0; i < image->width * image->height; i++) {
        out.rgb[3 * i] = image->rgb[3 * i + 2];
        out.rgb[3 * i + 1] = image->rgb[3 * i + 1];
        out.rgb[3 * i + 2] = image->rgb[3 * i];
    }
    return out;
}

// The same pixels elsewhere: the two halves change places.
static ff_image rearrange(const ff_image *image)
{
    ff_image out = {image->width, image->height, malloc(3 * image->width * image->height)};
    assert_non_null(out.rgb);
    for (size_t y = 0; y < image->height; y++)
        for (size_t x = 0; x < image->width; x++)
            memcpy(out.rgb + 3 * (y * image->width + (x + image->width / 2) % image->width),
                   image->rgb + 3 * (y * image->width + x), 3);
    return out;
}

// Weak grain, as another hand might draw.
static ff_image add_grain(const ff_image *image)
{
    uint32_t seed = 7;
    ff_image out = {image->width, image->height, malloc(3 * image->width * image->height)};
    assert_non_null(out.rgb);
    for (size_t i = 0; i < image->width * image->height; i++) {
        seed = 1664525 * seed + 1013904223;
        int grain = (int)(seed >> 24) % 41 - 20;
        for (size_t c = 0; c < 3; c++) {
            int value = image->rgb[3 * i + c] + grain;
            out.rgb[3 * i + c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
    return out;
}

// ---- one picture against others, measured once ----

enum { SHIFTS = 5 };

typedef struct study {
    ff_model *model;
    ff_encoder encoder;
    ff_drift copied, swapped, rearranged, other, pushed, grained, shifted[SHIFTS];
} study;

static ff_status encode(void *user, const ff_image *image, float *features, ff_error *error)
{
    return ff_encode_image(user, image, 1, 0, features, error);
}

// The drift from the picture in `from` to another one, which is freed.
static ff_drift drift_to(const study *s, ff_measured *from, ff_image other, const char *name)
{
    ff_measured to;
    ff_drift drift;
    ff_error error = {0};
    assert_ok(ff_measured_create(&other, &s->encoder, &to, &error), &error);
    assert_ok(ff_drift_measure(from, &to, &s->encoder, &drift, &error), &error);
    ff_measured_free(&to);
    free(other.rgb);
    print_message("    %s: palette %.4f  composition %.4f  identity %.4f  style %.4f\n", name, drift.palette,
                  drift.composition, drift.identity, drift.style);
    return drift;
}

static int measure_all(void **state)
{
    static const double shifts[SHIFTS][2] = {{0.1, 0}, {-0.1, 0}, {0, 0.1}, {0, -0.1}, {0.07, -0.07}};
    study *s = calloc(1, sizeof *s);
    ff_measured from;
    ff_error error = {0};
    assert_non_null(s);
    *state = s;
    assert_ok(ff_model_open(FF_GOLDEN "/model", &s->model, &error), &error);
    ff_model_facts facts = ff_model_describe(s->model);
    s->encoder = (ff_encoder){facts.latent_channels, facts.spatial_factor, encode, s->model};
    ff_image still = draw_face(&anna, 0, 0, 1);
    assert_ok(ff_measured_create(&still, &s->encoder, &from, &error), &error);
    s->copied = drift_to(s, &from, draw_face(&anna, 0, 0, 1), "copied");
    s->swapped = drift_to(s, &from, swap_palette(&still), "palette swapped");
    s->rearranged = drift_to(s, &from, rearrange(&still), "rearranged");
    s->other = drift_to(s, &from, draw_face(&berta, 0, 0, 1), "another face");
    s->pushed = drift_to(s, &from, draw_face(&anna, 0, 0, 1.15), "camera push");
    s->grained = drift_to(s, &from, add_grain(&still), "grain");
    for (size_t i = 0; i < SHIFTS; i++)
        s->shifted[i] = drift_to(s, &from, draw_face(&anna, shifts[i][0], shifts[i][1], 1), "shift of a tenth");
    ff_measured_free(&from);
    free(still.rgb);
    return 0;
}

static int free_study(void **state)
{
    study *s = *state;
    ff_model_close(s->model);
    free(s);
    return 0;
}

static void a_copied_still_scores_zero(void **state)
{
    const ff_drift *copied = &((study *)*state)->copied;
    assert_true(copied->palette == 0 && copied->composition == 0 && copied->identity == 0 && copied->style == 0);
}

static void a_palette_swap_moves_palette_and_not_composition(void **state)
{
    const study *s = *state;
    assert_true(s->swapped.palette >= 10);
    assert_true(s->rearranged.composition >= MOVES * s->swapped.composition);
}

static void another_layout_moves_composition_and_not_palette(void **state)
{
    const study *s = *state;
    assert_true(s->rearranged.palette == 0);
    assert_true(s->rearranged.composition >= 0.2);
}

static void a_shift_of_a_tenth_moves_neither_identity_nor_palette_nor_composition(void **state)
{
    const study *s = *state;
    for (size_t i = 0; i < SHIFTS; i++) {
        assert_true(s->swapped.palette >= MOVES * s->shifted[i].palette);
        assert_true(s->other.identity >= MOVES * s->shifted[i].identity);
        assert_true(s->rearranged.composition >= MOVES * s->shifted[i].composition);
    }
}

static void a_camera_push_moves_neither_composition_nor_identity(void **state)
{
    const study *s = *state;
    assert_true(s->rearranged.composition >= MOVES * s->pushed.composition);
    assert_true(s->other.identity >= MOVES * s->pushed.identity);
}

static void another_face_moves_identity_and_not_palette(void **state)
{
    const study *s = *state;
    assert_true(s->other.identity >= 0.1);
    assert_true(s->swapped.palette >= MOVES * s->other.palette);
}

static void grain_moves_style_and_neither_palette_nor_composition(void **state)
{
    const study *s = *state;
    assert_true(s->grained.style >= MOVES * s->shifted[0].style);
    assert_true(s->swapped.palette >= MOVES * s->grained.palette);
    assert_true(s->rearranged.composition >= MOVES * s->grained.composition);
}

static ff_image plain(size_t width, size_t height, uint8_t r, uint8_t g, uint8_t b)
{
    ff_image image = {width, height, malloc(3 * width * height)};
    assert_non_null(image.rgb);
    for (size_t i = 0; i < width * height; i++) {
        image.rgb[3 * i] = r;
        image.rgb[3 * i + 1] = g;
        image.rgb[3 * i + 2] = b;
    }
    return image;
}

// L* of the greys 119 and 145 is 50.03 and 60.17: 10.14 apart. The 13 directions' mean of |d . u| for d along L* is
// (1 + 4 / sqrt 2 + 4 / sqrt 3) / 13 of |d|.
static void palette_is_the_distance_of_plain_colours(void **state)
{
    ff_image a = plain(16, 16, 119, 119, 119), b = plain(16, 16, 145, 145, 145);
    ff_measured from, to;
    ff_drift drift;
    assert_ok(ff_measured_create(&a, NULL, &from, NULL), NULL);
    assert_ok(ff_measured_create(&b, NULL, &to, NULL), NULL);
    assert_ok(ff_drift_measure(&from, &to, NULL, &drift, NULL), NULL);
    assert_float_equal(drift.palette, 2 * 10.14 * (1 + 4 / sqrt(2) + 4 / sqrt(3)) / 13, 0.3);
    assert_true(drift.composition == 0 && drift.style == 0 && isnan(drift.identity));
    ff_measured_free(&from);
    ff_measured_free(&to);
    free(a.rgb);
    free(b.rgb);
}

static void a_shift_and_a_zoom_are_found(void **state)
{
    static const double moves[][3] = {{0, 0, 1}, {0.1, 0, 1}, {-0.05, 0.08, 1}, {0, 0, 1.2}, {0.04, 0, 0.9}};
    ff_image still = draw_face(&anna, 0, 0, 1);
    ff_view from, to;
    assert_ok(ff_view_create(&still, &from, NULL), NULL);
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        ff_image moved = draw_face(&anna, moves[i][0], moves[i][1], moves[i][2]);
        ff_alignment found;
        assert_ok(ff_view_create(&moved, &to, NULL), NULL);
        assert_ok(ff_align(&from, &to, &found, NULL), NULL);
        assert_float_equal(found.x, moves[i][0], 0.006);
        assert_float_equal(found.y, moves[i][1], 0.006);
        assert_float_equal(found.scale, moves[i][2], 0.02);
        ff_view_free(&to);
        free(moved.rgb);
    }
    ff_view_free(&from);
    free(still.rgb);
}

static ff_status encode_nothing(void *user, const ff_image *image, float *features, ff_error *error)
{
    for (size_t i = 0; i < image->width / 8 * (image->height / 8); i++)
        features[i] = image->rgb[0];
    return FF_OK;
}

static void any_size_can_be_measured(void **state)
{
    static const size_t sizes[][2] = {{1, 1}, {1, 40}, {3, 2}, {9, 700}, {300, 5}, {257, 255}};
    const study s = {.encoder = {1, 8, encode_nothing, NULL}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ff_image a = plain(sizes[i][0], sizes[i][1], 10, 20, 30);
        ff_measured from;
        assert_ok(ff_measured_create(&a, &s.encoder, &from, NULL), NULL);
        ff_drift drift = drift_to(&s, &from, plain(sizes[i][0], sizes[i][1], 200, 20, 30), "plain");
        assert_true(drift.palette > 10 && drift.composition == 0 && drift.style == 0 && drift.identity == 0);
        ff_measured_free(&from);
        free(a.rgb);
    }
}

// ---- clips ----

enum { CLIP = 17 };
#define FPS 8.0

typedef ff_image (*frame_maker)(size_t t);

static void make_clip(frame_maker make, ff_view clip[CLIP])
{
    for (size_t t = 0; t < CLIP; t++) {
        ff_image frame = make(t);
        assert_ok(ff_view_create(&frame, &clip[t], NULL), NULL);
        free(frame.rgb);
    }
}

static void free_clip(ff_view clip[CLIP])
{
    for (size_t t = 0; t < CLIP; t++)
        ff_view_free(&clip[t]);
}

static double motion_of(frame_maker make)
{
    ff_view clip[CLIP];
    double motion;
    make_clip(make, clip);
    assert_ok(ff_measure_motion(clip, CLIP, FPS, &motion, NULL), NULL);
    free_clip(clip);
    print_message("    motion %.3f\n", motion);
    return motion;
}

static double flicker_of(frame_maker make)
{
    ff_view clip[CLIP];
    make_clip(make, clip);
    double flicker = ff_measure_flicker(clip, CLIP);
    free_clip(clip);
    print_message("    flicker %.4f\n", flicker);
    return flicker;
}

static ff_image frozen(size_t t)
{
    return draw_face(&anna, 0, 0, 1);
}

static ff_image panning(size_t t)   // 0.0125 of the side a frame: 10 % a second
{
    return draw_face(&anna, -0.1 + 0.0125 * (double)t, 0, 1);
}

static ff_image panning_slowly(size_t t)
{
    return draw_face(&anna, -0.05 + 0.00625 * (double)t, 0, 1);
}

static ff_image brightened(int by)
{
    ff_image image = draw_face(&anna, 0, 0, 1);
    for (size_t i = 0; i < 3 * SIDE * SIDE; i++) {
        int value = image.rgb[i] + by;
        image.rgb[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    return image;
}

static ff_image blinking(size_t t)
{
    return brightened(t % 2 ? 5 : -5);
}

static ff_image fading(size_t t)
{
    return brightened((int)t - CLIP / 2);
}

// Grey 119 and 145 in turn: L* goes to and fro by 10.14, +-5.07.
static ff_image pulsing(size_t t)
{
    uint8_t grey = t % 2 ? 145 : 119;
    return plain(SIDE, SIDE, grey, grey, grey);
}

static void motion_is_the_speed_of_a_pan_and_zero_when_frozen(void **state)
{
    assert_true(motion_of(frozen) == 0);
    assert_float_equal(motion_of(panning), 10, 1.5);
    assert_float_equal(motion_of(panning_slowly), 5, 1);
}

static void brightness_that_goes_to_and_fro_is_no_motion(void **state)
{
    assert_true(motion_of(panning) >= MOVES * motion_of(blinking));
    assert_true(motion_of(panning) >= MOVES * motion_of(fading));
}

static void flicker_is_the_amplitude_and_zero_for_a_steady_picture(void **state)
{
    assert_true(flicker_of(frozen) == 0);
    assert_float_equal(flicker_of(pulsing), 10.14 / 2, 0.01);
    assert_true(flicker_of(blinking) >= MOVES * flicker_of(fading));
    assert_true(flicker_of(blinking) >= MOVES * flicker_of(panning));
}

// ---- matching colours ----

// The still redder and darker, and in its lower right corner something new.
static ff_image drifted_with_something_new(void)
{
    ff_image image = draw_face(&anna, 0, 0, 1);
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++) {
            uint8_t *at = image.rgb + 3 * (y * SIDE + x);
            if (x > SIDE / 2 && y > SIDE / 2) {
                at[0] = 20, at[1] = 200, at[2] = 40;
                continue;
            }
            at[0] = (uint8_t)(at[0] * 0.98), at[1] = (uint8_t)(at[1] * 0.88), at[2] = (uint8_t)(at[2] * 0.85);
        }
    return image;
}

// Mean difference of bytes outside the corner where something new stands.
static double difference_outside(const ff_image *a, const ff_image *b)
{
    double total = 0, count = 0;
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++)
            for (size_t c = 0; c < 3 && !(x > SIDE / 2 && y > SIDE / 2); c++) {
                size_t i = 3 * (y * SIDE + x) + c;
                total += abs(a->rgb[i] - b->rgb[i]);
                count++;
            }
    return total / count;
}

static void matched_colours_are_the_stills_whatever_is_new(void **state)
{
    ff_image still = draw_face(&anna, 0, 0, 1), frame = drifted_with_something_new();
    double before = difference_outside(&still, &frame);
    assert_ok(ff_colour_match(&still, &frame, NULL), NULL);
    double after = difference_outside(&still, &frame);
    print_message("    mean difference %.2f before, %.2f after\n", before, after);
    assert_true(before >= MOVES * after);
    const uint8_t *new = frame.rgb + 3 * (SIDE * (SIDE - 9) + SIDE - 9);
    assert_true(new[1] > 150 && new[0] < 90 && new[2] < 110);   // still green
    free(still.rgb);
    free(frame.rgb);
}

static void a_frame_with_the_stills_colours_stays_as_it_is(void **state)
{
    ff_image still = draw_face(&anna, 0, 0, 1), copy = draw_face(&anna, 0, 0, 1), moved = draw_face(&anna, 0.05, 0, 1);
    ff_image before = draw_face(&anna, 0.05, 0, 1);
    assert_ok(ff_colour_match(&still, &copy, NULL), NULL);
    assert_memory_equal(still.rgb, copy.rgb, 3 * SIDE * SIDE);
    assert_ok(ff_colour_match(&still, &moved, NULL), NULL);
    assert_true(difference_outside(&before, &moved) < 1);
    free(still.rgb);
    free(copy.rgb);
    free(moved.rgb);
    free(before.rgb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copied_still_scores_zero),
        cmocka_unit_test(a_palette_swap_moves_palette_and_not_composition),
        cmocka_unit_test(another_layout_moves_composition_and_not_palette),
        cmocka_unit_test(a_shift_of_a_tenth_moves_neither_identity_nor_palette_nor_composition),
        cmocka_unit_test(a_camera_push_moves_neither_composition_nor_identity),
        cmocka_unit_test(another_face_moves_identity_and_not_palette),
        cmocka_unit_test(grain_moves_style_and_neither_palette_nor_composition),
        cmocka_unit_test(palette_is_the_distance_of_plain_colours),
        cmocka_unit_test(a_shift_and_a_zoom_are_found),
        cmocka_unit_test(any_size_can_be_measured),
        cmocka_unit_test(motion_is_the_speed_of_a_pan_and_zero_when_frozen),
        cmocka_unit_test(brightness_that_goes_to_and_fro_is_no_motion),
        cmocka_unit_test(flicker_is_the_amplitude_and_zero_for_a_steady_picture),
        cmocka_unit_test(matched_colours_are_the_stills_whatever_is_new),
        cmocka_unit_test(a_frame_with_the_stills_colours_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, measure_all, free_study);
}
