// Watching a run tensor by tensor, taking away what its known tokens have, and passing the VAE without a run.
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 64, FRAMES = 9, STEPS = 2 };

typedef struct watched {
    size_t tensors, frame_maps, word_maps, sigmas;
    float *latents;            // the last ones that came by
    size_t shape[4];
    float last_sigma;
} watched;

static int open_model(void **state)
{
    ff_model *model;
    ff_error error = {0};
    assert_ok(ff_model_open(FF_GOLDEN "/diffusers/models/tiny-ti2v", &model, &error), &error);
    *state = model;
    return 0;
}

static int close_model(void **state)
{
    ff_model_close(*state);
    return 0;
}

// Every row of shares adds up to 1.
static void assert_shares(const float *map, size_t rows, size_t columns)
{
    for (size_t row = 0; row < rows; row++) {
        double sum = 0;
        for (size_t i = 0; i < columns; i++) {
            assert_true(map[row * columns + i] >= 0);
            sum += map[row * columns + i];
        }
        assert_float_equal(sum, 1, 1e-4);
    }
}

static ff_status watch(void *user, const char *name, int rank, const size_t *shape, const float *data, ff_error *error)
{
    watched *w = user;
    w->tensors++;
    if (strstr(name, "attn1.frames")) {
        assert_int_equal(rank, 3);
        assert_int_equal(shape[1], 1 + (FRAMES - 1) / 4);
        assert_shares(data, shape[0] * shape[1], shape[2]);
        w->frame_maps++;
    } else if (strstr(name, "attn2.words")) {
        assert_int_equal(rank, 2);
        assert_shares(data, shape[0], shape[1]);
        w->word_maps++;
    } else if (strstr(name, "sigma")) {
        w->last_sigma = data[0];
        w->sigmas++;
    } else if (strcmp(name, "latents") == 0) {
        size_t count = shape[0] * shape[1] * shape[2] * shape[3];
        memcpy(w->shape, shape, sizeof w->shape);
        free(w->latents);
        assert_non_null(w->latents = malloc(count * sizeof *data));
        memcpy(w->latents, data, count * sizeof *data);
    }
    return FF_OK;
}

static ff_request request_of(const ff_image *still)
{
    ff_request request = ff_request_default(FF_IMAGE_TO_VIDEO);
    request.prompt = "it turns";
    request.image = still;
    request.width = request.height = SIDE;
    request.frames = FRAMES;
    request.steps = STEPS;
    return request;
}

static ff_image draw_still(void)
{
    ff_image still = {SIDE, SIDE, malloc(3 * SIDE * SIDE)};
    assert_non_null(still.rgb);
    for (size_t i = 0; i < 3 * SIDE * SIDE; i++)
        still.rgb[i] = (uint8_t)(i * 7 / 11);
    return still;
}

static void a_watched_run_gives_the_same_frames(void **state)
{
    ff_image still = draw_still();
    ff_request request = request_of(&still);
    ff_model_facts facts = ff_model_describe(*state);
    ff_result plain, seen;
    ff_error error = {0};
    watched w = {0};
    assert_ok(ff_run(*state, &request, &plain, &error), &error);
    request.user = &w;
    request.tensor = watch;
    assert_ok(ff_run(*state, &request, &seen, &error), &error);
    assert_memory_equal(plain.frames_sha256, seen.frames_sha256, 32);
    assert_true(w.tensors > 0 && w.frame_maps == 0 && w.sigmas == 0);
    request.attention = true;
    assert_ok(ff_run(*state, &request, &seen, &error), &error);
    assert_memory_equal(plain.frames_sha256, seen.frames_sha256, 32);
    assert_int_equal(w.frame_maps, 2 * STEPS * facts.layers);   // with guidance: two evaluations a step
    assert_int_equal(w.word_maps, 2 * STEPS * facts.layers);
    assert_int_equal(w.sigmas, STEPS);
    assert_true(w.last_sigma > 0 && w.last_sigma < 1);
    free(w.latents);
    free(still.rgb);
}

static void each_ablation_changes_the_frames_and_nothing_else_takes_one(void **state)
{
    static const ff_ablation all[] = {FF_ABLATE_NOTHING, FF_ABLATE_TIMESTEP, FF_ABLATE_KNOWN, FF_ABLATE_ATTENTION};
    ff_image still = draw_still();
    ff_request request = request_of(&still);
    ff_result results[4];
    ff_error error = {0};
    for (int i = 0; i < 4; i++) {
        request.ablate = all[i];
        assert_ok(ff_run(*state, &request, &results[i], &error), &error);
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(results[i].frames_sha256, results[k].frames_sha256, 32);
    }
    request.last = &still;
    assert_int_equal(ff_run(*state, &request, NULL, &error), FF_ERROR_INPUT);
    request = ff_request_default(FF_TEXT_TO_VIDEO);
    request.prompt = "";
    request.ablate = FF_ABLATE_KNOWN;
    assert_int_equal(ff_run(*state, &request, NULL, &error), FF_ERROR_INPUT);
    free(still.rgb);
}

static ff_status hash_frame(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    ff_sha256_add(user, rgb->rgb, 3 * rgb->width * rgb->height);
    return FF_OK;
}

static void latents_decode_to_the_runs_frames(void **state)
{
    ff_image still = draw_still();
    ff_request request = request_of(&still);
    ff_result result;
    ff_sha256 hash;
    ff_error error = {0};
    watched w = {0};
    uint8_t digest[32];
    request.user = &w;
    request.tensor = watch;
    assert_ok(ff_run(*state, &request, &result, &error), &error);
    ff_sha256_start(&hash);
    const ff_latents latents = {w.shape[1], w.shape[2], w.shape[3], w.latents};
    assert_ok(ff_decode_latents(*state, &latents, 1, &hash, hash_frame, &error), &error);
    ff_sha256_finish(&hash, digest);
    assert_memory_equal(digest, result.frames_sha256, 32);

    // and the first latent frame is what the still encodes to
    size_t cells = w.shape[2] * w.shape[3];
    float *encoded = malloc(w.shape[0] * cells * sizeof *encoded);
    assert_non_null(encoded);
    assert_ok(ff_encode_image(*state, &still, 1, 1, encoded, &error), &error);
    for (size_t c = 0; c < w.shape[0]; c++)
        assert_memory_equal(encoded + c * cells, w.latents + c * w.shape[1] * cells, cells * sizeof *encoded);
    still.width = SIDE - 1;
    assert_int_equal(ff_encode_image(*state, &still, 1, 1, encoded, &error), FF_ERROR_INPUT);
    free(encoded);
    free(w.latents);
    free(still.rgb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watched_run_gives_the_same_frames),
        cmocka_unit_test(each_ablation_changes_the_frames_and_nothing_else_takes_one),
        cmocka_unit_test(latents_decode_to_the_runs_frames),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
