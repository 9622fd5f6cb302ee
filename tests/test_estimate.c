// What the figures are estimated to encode is what they encode.
#include "golden.h"

#include <stdlib.h>

#include "check/figures/clip.h"

enum { SIDE = 32, MOST_FRAMES = 10, CLIPS = 4 };

static ff_status count_encoding(void *user, const ff_image *image, float *features, ff_error *error)
{
    ++*(size_t *)user;
    for (size_t i = 0; i < image->width * image->height / 64; i++)
        features[i] = image->rgb[3 * i];
    return FF_OK;
}

static void figures_encode_as_many_pictures_as_estimated(void **state)
{
    static const size_t lengths[] = {1, 2, 4, 5, 9, 10};
    size_t count = 0;
    const ff_encoder encoder = {1, 8, count_encoding, &count};
    uint8_t *pixels = malloc(3 * SIDE * SIDE);
    ff_image frames[MOST_FRAMES];
    ff_clip clip = {.frames = frames, .fps = 8};
    const ff_clip *clips[CLIPS] = {&clip, &clip, &clip, &clip};
    assert_non_null(pixels);
    for (size_t i = 0; i < 3 * SIDE * SIDE; i++)
        pixels[i] = (uint8_t)(i * 7 / 11);
    for (size_t t = 0; t < MOST_FRAMES; t++)
        frames[t] = (ff_image){SIDE, SIDE, pixels};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        ff_error error = {0};
        ff_clip_drift drift;
        ff_drift spread;
        clip.count = lengths[i];
        count = 0;
        assert_ok(ff_clip_measure(&clip, &frames[0], 4, &encoder, &drift, &error), &error);
        assert_int_equal(count, ff_clip_measure_encodings(lengths[i], 4));
        ff_clip_drift_free(&drift);
        for (size_t n = 1; n <= CLIPS; n++) {
            count = 0;
            assert_ok(ff_clip_spread(clips, n, 4, &encoder, &spread, &error), &error);
            assert_int_equal(count, ff_clip_spread_encodings(n, lengths[i], 4));
        }
    }
    free(pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_encode_as_many_pictures_as_estimated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
