// What a request comes to: defaults from the model, sizes and frames rounded and said, and requests refused with a
// sentence before anything is computed. The model is golden/diffusers/models/tiny-ti2v (diffusers' random weights).
#include <math.h>
#include <string.h>

#include "golden.h"
#include "firstframe.h"

static ff_model *model, *text_only;
static uint8_t pixels[3 * 90 * 50], painted[90 * 50];
static const ff_image still = {90, 50, pixels};

static ff_plan plan_of(const ff_request *request)
{
    ff_error error = {0};
    ff_plan plan = {0};
    assert_ok(ff_plan_request(model, request, &plan, &error), &error);
    return plan;
}

static void assert_refused(const ff_model *with, const ff_request *request, const char *expected)
{
    ff_error error = {0};
    ff_plan plan;
    assert_int_equal(ff_plan_request(with, request, &plan, &error), FF_ERROR_INPUT);
    if (!strstr(error.message, expected))
        fail_msg("expected \"%s\", got \"%s\"", expected, error.message);
}

static void test_sizes_and_frames_are_rounded_and_said(void **state)
{
    static const size_t frames[][2] = {{1, 1}, {2, 1}, {4, 5}, {5, 5}, {8, 9}, {24, 25}, {25, 25}, {26, 25}};
    ff_request request = ff_request_default(FF_TEXT_TO_VIDEO);
    request.prompt = "a lake";
    request.width = 50;
    request.height = 33;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        request.frames = frames[i][0];
        ff_plan plan = plan_of(&request);
        assert_int_equal(plan.frames, frames[i][1]);
        assert_int_equal(plan.frames_rounded, frames[i][0] != frames[i][1]);
        assert_int_equal(plan.latent_frames, (frames[i][1] - 1) / 4 + 1);
        assert_int_equal(plan.width, 48);
        assert_int_equal(plan.height, 32);
        assert_true(plan.size_rounded);
    }
    request.width = 48;
    request.height = 32;
    assert_false(plan_of(&request).size_rounded);
}

static void test_defaults_without_firstframe_json_are_wans(void **state)
{
    ff_request request = ff_request_default(FF_TEXT_TO_VIDEO);
    request.prompt = "a lake";
    ff_plan plan = plan_of(&request);
    assert_int_equal(plan.width, 1280);
    assert_int_equal(plan.height, 704);
    assert_int_equal(plan.frames, 121);
    assert_int_equal(plan.steps, 50);
    assert_int_equal(plan.evaluations, 100);
    assert_true(plan.guidance_scale == 5 && plan.fps == 24 && plan.flow_shift == 3);
    request.guidance_scale = 1;
    assert_int_equal(plan_of(&request).evaluations, 50);
}

static void test_a_clip_keeps_the_stills_aspect_ratio(void **state)
{
    ff_request request = ff_request_default(FF_IMAGE_TO_VIDEO);
    request.prompt = "push-in";
    request.image = &still;
    ff_plan plan = plan_of(&request);
    double aspect = (double)plan.width / (double)plan.height;
    assert_true(fabs(aspect - 1.8) < 0.02 && plan.width * plan.height <= 1280 * 704);
    request.height = 32;
    assert_int_equal(plan_of(&request).width, 48);  // 57.6, rounded down
    request.width = request.height;
    assert_true(plan_of(&request).cropped > 0.4);
    request.fit = FF_FIT_STRETCH;
    assert_true(plan_of(&request).cropped == 0);
}

static void test_frames_too_large_for_memory_are_planned_in_strips(void **state)
{
    ff_request request = ff_request_default(FF_TEXT_TO_VIDEO);
    request.prompt = "a lake";
    request.frames = 9;
    request.width = request.height = 256;
    ff_plan plan = plan_of(&request);
    assert_int_equal(plan.decode_strips, 1);
    assert_true(plan.decode_repeated == 0 && plan.temporary_bytes == 0);
    request.width = request.height = 16384;
    plan = plan_of(&request);
    assert_true(plan.decode_strips > 1 && plan.decode_repeated > 0);
    assert_true(plan.temporary_bytes > 3 * sizeof(float) * 9 * 16384 * 16384);
}

static void test_impossible_requests_are_refused(void **state)
{
    ff_request request = ff_request_default(FF_TEXT_TO_VIDEO);
    assert_refused(model, &request, "no prompt");
    request.prompt = "a lake";
    request.width = 8;
    assert_refused(model, &request, "too small");
    request.width = 1000000000;
    assert_refused(model, &request, "too large");
    request.width = 32;
    request.height = 32;
    request.frames = 1000000000;
    assert_refused(model, &request, "too many");
    request.frames = 5000;
    assert_refused(model, &request, "positions along an axis");
    request.frames = 5;
    request.steps = 1001;
    assert_refused(model, &request, "steps");
    request.steps = 2;
    request.flow_shift = -1;
    assert_refused(model, &request, "shift");
    request.flow_shift = NAN;
    request.prompt = "\xff";
    assert_refused(model, &request, "UTF-8");
    request.prompt = "a lake";

    request.threads = SIZE_MAX;
    assert_refused(model, &request, "threads");
    request.threads = 0;
    request.dump_detail = (ff_detail)9;
    assert_refused(model, &request, "no level of detail");
    request.dump_detail = FF_DETAIL_RUN;
    request.scheduler = (ff_scheduler)77;
    assert_refused(model, &request, "77 is no scheduler");
    request.scheduler = FF_SCHEDULER_MODEL;
    request.ablate = (ff_ablation)77;
    assert_refused(model, &request, "77 is no ablation");
    request.ablate = FF_ABLATE_NOTHING;
    request.task = (ff_task)-1;
    assert_refused(model, &request, "-1 is no task");

    const ff_image empty = {0}, thread = {1, 4000, pixels};
    request.task = FF_IMAGE_TO_VIDEO;
    assert_refused(model, &request, "no picture");
    request.image = &empty;
    assert_refused(model, &request, "no picture");
    request.image = &thread;
    request.height = 0;
    assert_refused(model, &request, "32x32769 is too large");
    request.height = 32;
    request.image = &still;
    assert_refused(text_only, &request, "from text only");
    request.last = &empty;
    assert_refused(model, &request, "last frame's picture");
    request.last = &still;
    request.frames = 1;
    assert_refused(model, &request, "last frame");

    const ff_image endless = {SIZE_MAX, SIZE_MAX, pixels};
    request.last = &endless;
    assert_refused(model, &request, "too large");
    request.last = NULL;
    request.image = &endless;
    assert_refused(model, &request, "too large");
    request.task = FF_INPAINT;
    request.mask = painted;
    assert_refused(model, &request, "too large");
    request.mask = NULL;
    request.image = &still;
    assert_refused(model, &request, "no mask");
    request.mask = painted;
    memset(painted, 0, sizeof painted);
    assert_refused(model, &request, "paints nothing");
    painted[0] = 255;
    request.strength = 0;
    assert_refused(model, &request, "strength");
    request.strength = 1;
    request.context = 0.5;
    assert_refused(model, &request, "context");
    request.context = NAN;
    assert_refused(model, &request, "context");
}

typedef struct counting {
    size_t calls, stop_at, frames;
} counting;

static bool count_progress(void *user, const ff_progress *progress)
{
    counting *c = user;
    return ++c->calls == c->stop_at;
}

static ff_status count_frames(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    counting *c = user;
    assert_int_equal(index, c->frames++);
    assert_int_equal(rgb->width, 32);
    return FF_OK;
}

static void test_a_run_ends_when_progress_says_so(void **state)
{
    ff_error error = {0};
    counting c = {0};
    ff_request request = ff_request_default(FF_TEXT_TO_VIDEO);
    request.prompt = "a lake";
    request.width = request.height = 32;
    request.frames = 5;
    request.steps = 2;
    request.user = &c;
    request.progress = count_progress;
    request.frame = count_frames;
    ff_result result;
    assert_ok(ff_run(model, &request, &result, &error), &error);
    assert_int_equal(c.frames, 5);
    assert_true(result.peak_memory_bytes <= plan_of(&request).memory_bytes);
    size_t all = c.calls;
    for (size_t stop = 1; stop <= all; stop++) {
        c = (counting){.stop_at = stop};
        assert_int_equal(ff_run(model, &request, NULL, &error), FF_CANCELLED);
        assert_int_equal(c.calls, stop);
    }
}

static ff_status refuse_frame(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    const char *reason = user;
    return reason ? ff_fail(error, FF_ERROR_IO, "%s", reason) : FF_ERROR_IO;
}

static void test_a_callback_ends_the_run_with_its_own_status(void **state)
{
    char reason[] = "the disk is full";
    ff_error error = {0};
    ff_request request = ff_request_default(FF_TEXT_TO_IMAGE);
    request.prompt = "a lake";
    request.width = request.height = 16;
    request.steps = 1;
    request.frame = refuse_frame;
    request.user = reason;
    assert_int_equal(ff_run(model, &request, NULL, &error), FF_ERROR_IO);
    assert_int_equal(error.status, FF_ERROR_IO);
    assert_string_equal(error.message, reason);
    request.user = NULL;
    assert_int_equal(ff_run(model, &request, NULL, &error), FF_ERROR_IO);
    assert_int_equal(error.status, FF_ERROR_IO);
    assert_string_equal(error.message, "a callback ended the run");
    assert_int_equal(ff_run(model, &request, NULL, NULL), FF_ERROR_IO);
}

static int open_models(void **state)
{
    return ff_model_open(FF_GOLDEN "/diffusers/models/tiny-ti2v", &model, NULL) ||
           ff_model_open(FF_GOLDEN "/diffusers/models/tiny-t2v", &text_only, NULL);
}

static int close_models(void **state)
{
    ff_model_close(model);
    ff_model_close(text_only);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_and_frames_are_rounded_and_said),
        cmocka_unit_test(test_defaults_without_firstframe_json_are_wans),
        cmocka_unit_test(test_a_clip_keeps_the_stills_aspect_ratio),
        cmocka_unit_test(test_frames_too_large_for_memory_are_planned_in_strips),
        cmocka_unit_test(test_impossible_requests_are_refused),
        cmocka_unit_test(test_a_run_ends_when_progress_says_so),
        cmocka_unit_test(test_a_callback_ends_the_run_with_its_own_status),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
