// A model's experts: which one works at a timestep, and that a run goes from one to the next with its own text and
// guidance. The model is golden/diffusers/models/tiny-ti2v, its transformer standing for two.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "golden.h"
#include "pipeline/model.h"

static void test_an_expert_works_down_to_its_timestep_that_one_included(void **state)
{
    static const struct {
        float timestep;
        size_t expert;
    } cases[] = {{1000, 0}, {900, 0}, {899.99f, 1}, {0, 1}, {-1, 1}, {NAN, 1}};
    ff_model model = {.experts = {{.from = 900}, {.from = 0}}, .expert_count = 2};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(ff_model_expert(&model, cases[i].timestep), cases[i].expert);
    model.expert_count = 1;
    assert_int_equal(ff_model_expert(&model, 0), 0);
}

// step.NNN.noise_pred of three steps, whose timesteps are seen too.
typedef struct seen {
    uint8_t predictions[3][32];
    float timesteps[3];
} seen;

static ff_status see(void *user, const char *name, int rank, const size_t *shape, const float *data, ff_error *error)
{
    seen *s = user;
    size_t step, count = 1;
    char part[32];
    ff_sha256 hash;
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    if (sscanf(name, "step.%3zu.%31s", &step, part) != 2)
        return FF_OK;
    if (strcmp(part, "timestep") == 0)
        s->timesteps[step] = data[0];
    if (strcmp(part, "noise_pred") != 0)
        return FF_OK;
    ff_sha256_start(&hash);
    ff_sha256_add(&hash, data, count * sizeof *data);
    ff_sha256_finish(&hash, s->predictions[step]);
    return FF_OK;
}

static void run(ff_model *model, seen *s, ff_result *result)
{
    ff_error error = {0};
    ff_request request = ff_request_default(FF_TEXT_TO_VIDEO);
    request.prompt = "a lake";
    request.width = request.height = 32;
    request.frames = 5;
    request.steps = 3;
    request.user = s;
    request.tensor = see;
    request.dump_detail = FF_DETAIL_STEP;
    assert_ok(ff_run(model, &request, result, &error), &error);
}

static void test_a_run_goes_from_one_expert_to_the_next(void **state)
{
    ff_error error = {0};
    ff_model *model;
    ff_result alone, same, guided;
    seen first, again, other;
    assert_ok(ff_model_open(FF_GOLDEN "/diffusers/models/tiny-ti2v", &model, &error), &error);
    run(model, &first, &alone);
    model->experts[1] = model->experts[0];
    model->experts[0].from = first.timesteps[1];  // the last step is the second's
    model->expert_count = 2;
    run(model, &again, &same);
    assert_memory_equal(same.frames_sha256, alone.frames_sha256, 32);
    model->experts[1].guidance_scale = 2 * model->experts[0].guidance_scale;
    run(model, &other, &guided);
    assert_memory_equal(other.predictions, first.predictions, 2 * 32);
    assert_memory_not_equal(other.predictions[2], first.predictions[2], 32);
    model->expert_count = 1;
    ff_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_expert_works_down_to_its_timestep_that_one_included),
        cmocka_unit_test(test_a_run_goes_from_one_expert_to_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
