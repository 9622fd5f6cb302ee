// A conditioning from outside, in one file: the transformer reads the mean of the latents and the still's, all tokens at
// half the timestep, and what is known at the end is the opposite sign. The sampling loop runs it as it runs the anchor;
// held against a loop written out by hand, to the bit. The model is golden/diffusers/models/tiny-ti2v.
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "pipeline/stages.h"
#include "sampler/noise.h"
#include "sampler/schedule.h"

enum { SIDE = 32, FRAMES = 5, STEPS = 3, SEED = 7, LATENT_FRAMES = 2, CHANNELS = 8, CELLS = SIDE / 8,
       AREA = CELLS * CELLS, VALUES = CHANNELS * LATENT_FRAMES * AREA };

// ---- the toy ----

typedef struct toy {
    ff_conditioning conditioning;
    float still[CHANNELS * AREA];
} toy;

static ff_status prepare(ff_conditioning *self, const ff_known *known, ff_error *error)
{
    assert_int_equal(known->channels * ff_extent_cells(known->lattice.cells), VALUES);
    return known->encode(known->user, FF_KNOWN_FIRST, 1, ((toy *)self)->still, error);
}

static void blend(const float *still, const float *x, float *out)
{
    for (size_t i = 0; i < VALUES; i++)
        out[i] = 0.5f * (x[i] + still[i / (LATENT_FRAMES * AREA) * AREA + i % AREA]);
}

static void input(const ff_conditioning *self, const float *x, float *out)
{
    blend(((const toy *)self)->still, x, out);
}

static size_t timesteps(const ff_conditioning *self, float timestep, float *out)
{
    out[0] = timestep / 2;
    return 1;
}

static void finish(const ff_conditioning *self, const float *x, float *out)
{
    for (size_t i = 0; i < VALUES; i++)
        out[i] = -x[i];
}

// ---- the run, and the loop by hand ----

// What passes the tap of a run.
typedef struct seen {
    float *embeds[2], *latents;
} seen;

static ff_status see(void *user, const char *name, int rank, const size_t *shape, const float *data, ff_error *error)
{
    static const char *const names[] = {"prompt_embeds", "negative_prompt_embeds", "latents"};
    seen *s = user;
    float **to[] = {&s->embeds[0], &s->embeds[1], &s->latents};
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            assert_non_null(*to[i] = malloc(count * sizeof **to));
            memcpy(*to[i], data, count * sizeof *data);
        }
    return FF_OK;
}

// out: [CHANNELS, LATENT_FRAMES, CELLS, CELLS]
static void sample_by_hand(ff_model *model, const ff_image *image, const seen *s, float *out)
{
    float still[CHANNELS * AREA], in[VALUES], predictions[2][VALUES];
    const ff_transformer *transformer = model->experts[0].transformer;
    ff_transformer_text *texts[2];
    ff_schedule *schedule;
    ff_schedule_state *solver;
    ff_kernels kernels;
    ff_scratch scratch = {0};
    ff_error error = {0};
    ff_arena *arena = ff_arena_create();
    assert_ok(ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OWN, &kernels, &error), &error);
    kernels.scratch = &scratch;
    assert_ok(ff_encode_image(model, image, 1, 1, still, &error), &error);
    for (size_t i = 0; i < 2; i++)
        assert_ok(ff_transformer_text_create(transformer, &kernels, s->embeds[i], FF_TEXT_TOKENS, &texts[i], &error),
                  &error);
    assert_ok(ff_schedule_create(model->scheduler, FF_SCHEDULER_MODEL, 3, STEPS, &schedule, &error), &error);
    assert_ok(ff_schedule_state_create(schedule, VALUES, &solver, &error), &error);
    ff_noise_normal(SEED, VALUES, out);
    for (size_t i = 0; i < STEPS; i++) {
        float timestep = ff_schedule_timestep(schedule, i) / 2;
        blend(still, out, in);
        for (size_t k = 0; k < 2; k++) {
            ff_transformer_context text = ff_transformer_text_context(texts[k]);
            ff_transformer_input input = {{LATENT_FRAMES, CELLS, CELLS}, in, &timestep, 1, &text, 1, 0, 0};
            assert_ok(ff_transformer_run(transformer, &kernels, arena, &input, NULL, predictions[k], &error), &error);
        }
        kernels.guidance(&kernels, VALUES, predictions[0], predictions[1], 4, predictions[0]);
        assert_ok(ff_schedule_step(schedule, solver, &kernels, i, predictions[0], out, &error), &error);
    }
    for (size_t i = 0; i < VALUES; i++)
        out[i] = -out[i];
    ff_transformer_text_destroy(texts[0]);
    ff_transformer_text_destroy(texts[1]);
    ff_schedule_state_destroy(solver);
    ff_schedule_destroy(schedule);
    ff_arena_destroy(arena);
    ff_scratch_free(&scratch);
}

static void test_the_loop_runs_a_conditioning_from_outside(void **state)
{
    uint8_t rgb[3 * SIDE * SIDE];
    float expected[VALUES];
    toy t = {.conditioning = {.prepare = prepare, .input = input, .timesteps = timesteps, .finish = finish}};
    seen s = {0};
    ff_model *model;
    ff_error error = {0};
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 37 % 251);
    const ff_image image = {SIDE, SIDE, rgb};
    ff_request request = ff_request_default(FF_IMAGE_TO_VIDEO);
    request.prompt = "a lake";
    request.image = &image;
    request.width = request.height = SIDE;
    request.frames = FRAMES, request.steps = STEPS, request.seed = SEED, request.threads = 1;
    request.flow_shift = 3, request.guidance_scale = 4;
    request.user = &s, request.tensor = see;
    assert_ok(ff_model_open(FF_GOLDEN "/diffusers/models/tiny-ti2v", &model, &error), &error);
    assert_ok(ff_run_conditioned(model, &request, &t.conditioning, NULL, &error), &error);
    sample_by_hand(model, &image, &s, expected);
    assert_memory_equal(s.latents, expected, sizeof expected);
    for (size_t i = 0; i < 2; i++)
        free(s.embeds[i]);
    free(s.latents);
    ff_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_loop_runs_a_conditioning_from_outside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
