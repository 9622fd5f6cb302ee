// Schedulers against diffusers 0.42.1 in float32: levels to the bit but for rounding, trajectories within 1e-5 a step.
#include "sampler/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"

enum { ELEMENTS = 64 };
#define FOLDER "diffusers/sampler/"

static ff_config *open_config(const char *name)
{
    char path[1024];
    ff_error error = {0};
    ff_config *config = NULL;
    snprintf(path, sizeof path, "%s/" FOLDER "%s.json", FF_GOLDEN, name);
    assert_ok(ff_config_open(path, &config, &error), &error);
    return config;
}

static ff_schedule *create(const char *config_name, ff_scheduler kind, double shift, size_t steps)
{
    ff_error error = {0};
    ff_config *config = open_config(config_name);
    ff_schedule *schedule = NULL;
    assert_ok(ff_schedule_create(config, kind, shift, steps, &schedule, &error), &error);
    ff_config_close(config);
    assert_int_equal(ff_schedule_steps(schedule), steps);
    return schedule;
}

// 1, 2, ... 100 steps, shifts 1, 3, 5, 8, by option and by override of the other class.
static void test_noise_levels_and_timesteps_are_diffusers_own(void **context)
{
    const size_t counts[] = {1, 2, 3, 4, 5, 10, 20, 30, 50, 100};
    const double shifts[] = {1, 3, 5, 8};
    const char *const names[] = {"unipc", "euler"};
    const ff_scheduler kinds[] = {FF_SCHEDULER_UNIPC, FF_SCHEDULER_EULER};
    ff_weights *golden = golden_open(FOLDER "levels.safetensors");
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t s = 0; s < sizeof shifts / sizeof *shifts; s++)
            for (size_t k = 0; k < 4; k++) {
                size_t class = k / 2, overridden = k % 2;
                ff_schedule *schedule = overridden ? create(names[!class], kinds[class], shifts[s], counts[c])
                                                   : create(names[class], FF_SCHEDULER_MODEL, shifts[s], counts[c]);
                assert_string_equal(ff_schedule_name(schedule), names[class]);
                char name[64];
                size_t expected;
                snprintf(name, sizeof name, "%s.%g.%zu.sigmas", names[class], shifts[s], counts[c]);
                const float *sigmas = golden_f32(golden, name, &expected);
                assert_int_equal(expected, counts[c] + 1);
                snprintf(name, sizeof name, "%s.%g.%zu.timesteps", names[class], shifts[s], counts[c]);
                const float *timesteps = golden_f32(golden, name, &expected);
                assert_int_equal(expected, counts[c]);
                for (size_t i = 0; i <= counts[c]; i++) {
                    if (ff_schedule_sigma(schedule, i) != sigmas[i])
                        fail_msg("%s: sigma %zu is %.9g, expected %.9g", name, i,
                                 (double)ff_schedule_sigma(schedule, i), (double)sigmas[i]);
                    if (i < counts[c] && ff_schedule_timestep(schedule, i) != timesteps[i])
                        fail_msg("%s: timestep %zu is %.9g, expected %.9g", name, i,
                                 (double)ff_schedule_timestep(schedule, i), (double)timesteps[i]);
                }
                ff_schedule_destroy(schedule);
            }
    ff_weights_close(golden);
}

// Steps from `start` on; latents: in and out. truth: [steps - start, ELEMENTS]. Returns the largest error of a step.
static double follow(const ff_weights *golden, const ff_schedule *schedule, size_t start, float *latents,
                     const float *truth)
{
    ff_error error = {0};
    const float *noise_pred = golden_f32(golden, "noise_pred", NULL);
    ff_schedule_state *state;
    assert_ok(ff_schedule_state_create(schedule, ELEMENTS, &state, &error), &error);
    double worst = 0;
    for (size_t i = start; i < ff_schedule_steps(schedule); i++) {
        assert_ok(ff_schedule_step(schedule, state, ff_kernels_scalar(), i, noise_pred + i * ELEMENTS, latents,
                                   &error), &error);
        double difference = relative_l2(latents, truth + (i - start) * ELEMENTS, ELEMENTS);
        if (difference > worst)
            worst = difference;
    }
    ff_schedule_state_destroy(state);
    return worst;
}

static void test_trajectories_stay_with_diffusers_at_every_step(void **context)
{
    const char *const names[] = {"unipc", "unipc_shift_1", "unipc_order_1", "unipc_order_3", "unipc_bh1",
                                 "unipc_no_corrector", "unipc_full_order", "euler", "euler_shift_1"};
    const size_t counts[] = {1, 2, 3, 4, 5, 7, 10, 20, 50};
    ff_weights *golden = golden_open(FOLDER "trajectories.safetensors");
    size_t compared = 0;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            char name[64];
            ff_weight tensor;
            snprintf(name, sizeof name, "%s.%zu", names[k], counts[c]);
            if (!ff_weights_find(golden, name, &tensor))
                continue;
            ff_schedule *schedule = create(names[k], FF_SCHEDULER_MODEL, NAN, counts[c]);
            float latents[ELEMENTS];
            memcpy(latents, golden_f32(golden, "noise", NULL), sizeof latents);
            double worst = follow(golden, schedule, 0, latents, golden_f32(golden, name, NULL));
            print_message("%s steps: worst %.3g\n", name, worst);
            if (!(worst <= 1e-5))
                fail_msg("%s: a step is %.3g away", name, worst);
            ff_schedule_destroy(schedule);
            compared++;
        }
    assert_int_equal(compared, 8 + 5 * 6 + 8 + 5);
    ff_weights_close(golden);
}

static void test_a_run_from_a_noised_original_starts_midway(void **context)
{
    const char *const names[] = {"unipc", "euler"};
    ff_weights *golden = golden_open(FOLDER "trajectories.safetensors");
    for (size_t k = 0; k < 2; k++) {
        ff_schedule *schedule = create(names[k], FF_SCHEDULER_MODEL, NAN, 20);
        char name[64];
        float latents[ELEMENTS];
        ff_schedule_noise(ff_kernels_scalar(), ff_schedule_sigma(schedule, 8), ELEMENTS,
                          golden_f32(golden, "original", NULL), golden_f32(golden, "noise", NULL), latents);
        snprintf(name, sizeof name, "%s.noised", names[k]);
        assert_close(name, latents, golden_f32(golden, name, NULL), ELEMENTS, 1e-7);
        snprintf(name, sizeof name, "%s.from_8", names[k]);
        double worst = follow(golden, schedule, 8, latents, golden_f32(golden, name, NULL));
        if (!(worst <= 1e-5))
            fail_msg("%s: a step is %.3g away", name, worst);
        ff_schedule_destroy(schedule);
    }
    ff_weights_close(golden);
}

// WanVideoToVideoPipeline.get_timesteps: steps - min(int(steps * strength), steps), with at least one step left.
static void test_strength_chooses_the_first_step(void **context)
{
    const struct { size_t steps; double strength; size_t start; } cases[] = {
        {20, 1, 0}, {20, 0.7, 6}, {10, 0.7, 3}, {50, 0.58, 22}, {30, 0.5, 15}, {1, 0.5, 0}, {20, 0.01, 19}, {20, 0, 19},
        {20, 2, 0}, {7, 0.9999, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(ff_schedule_start(cases[i].steps, cases[i].strength), cases[i].start);
}

static void test_every_step_count_ends_finite_for_usual_shifts(void **context)
{
    const double shifts[] = {0.5, 1, 3, 5, 12};
    for (size_t steps = 1; steps <= FF_MOST_STEPS; steps += steps < 60 ? 1 : 47)
        for (size_t s = 0; s < sizeof shifts / sizeof *shifts; s++)
            for (ff_scheduler kind = FF_SCHEDULER_UNIPC; kind <= FF_SCHEDULER_EULER; kind++) {
                ff_schedule *schedule = create("unipc", kind, shifts[s], steps);
                ff_error error = {0};
                ff_schedule_state *state;
                float x[2] = {1, -3}, exact[2] = {0.25f, -0.5f};
                assert_ok(ff_schedule_state_create(schedule, 2, &state, &error), &error);
                for (size_t i = 0; i < steps; i++) {
                    float sigma = ff_schedule_sigma(schedule, i);
                    float v[2] = {(x[0] - exact[0]) / sigma, (x[1] - exact[1]) / sigma};
                    assert_ok(ff_schedule_step(schedule, state, ff_kernels_scalar(), i, v, x, &error), &error);
                }
                // a model that always predicts the same original is led there
                assert_true(fabsf(x[0] - exact[0]) < 1e-4f && fabsf(x[1] - exact[1]) < 1e-4f);
                ff_schedule_state_destroy(state);
                ff_schedule_destroy(schedule);
            }
}

static void test_a_saved_state_goes_on_to_the_same_bits(void **context)
{
    enum { STEPS = 7 };
    const char *const names[] = {"unipc", "unipc_order_3", "euler"};
    ff_weights *golden = golden_open(FOLDER "trajectories.safetensors");
    const float *noise_pred = golden_f32(golden, "noise_pred", NULL);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (size_t stop = 0; stop <= STEPS; stop++) {
            ff_schedule *schedule = create(names[k], FF_SCHEDULER_MODEL, NAN, STEPS);
            float latents[2][ELEMENTS];
            for (size_t run = 0; run < 2; run++) {  // straight through, then with a stop
                ff_error error = {0};
                ff_schedule_state *state;
                assert_ok(ff_schedule_state_create(schedule, ELEMENTS, &state, &error), &error);
                memcpy(latents[run], golden_f32(golden, "noise", NULL), sizeof latents[run]);
                for (size_t i = 0; i < STEPS; i++) {
                    if (run == 1 && i == stop) {
                        size_t size = ff_schedule_state_size(state);
                        unsigned char *bytes = malloc(size + 1);
                        assert_non_null(bytes);
                        ff_schedule_state_save(state, bytes + 1);  // alignment does not matter
                        ff_schedule_state_destroy(state);
                        assert_ok(ff_schedule_state_create(schedule, ELEMENTS, &state, &error), &error);
                        assert_ok(ff_schedule_state_load(state, bytes + 1, size, &error), &error);
                        free(bytes);
                    }
                    assert_ok(ff_schedule_step(schedule, state, ff_kernels_scalar(), i, noise_pred + i * ELEMENTS,
                                               latents[run], &error), &error);
                }
                ff_schedule_state_destroy(state);
            }
            assert_memory_equal(latents[0], latents[1], sizeof latents[0]);
            ff_schedule_destroy(schedule);
        }
    ff_weights_close(golden);
}

static void test_a_foreign_or_broken_state_is_refused(void **context)
{
    ff_error error = {0};
    ff_schedule *schedule = create("unipc", FF_SCHEDULER_MODEL, NAN, 7);
    ff_schedule *longer = create("unipc", FF_SCHEDULER_MODEL, NAN, 8);
    ff_schedule_state *state, *other;
    assert_ok(ff_schedule_state_create(schedule, 5, &state, &error), &error);
    assert_ok(ff_schedule_state_create(longer, 5, &other, &error), &error);
    size_t size = ff_schedule_state_size(state);
    unsigned char *bytes = calloc(size, 1);
    assert_non_null(bytes);
    ff_schedule_state_save(state, bytes);
    assert_int_equal(ff_schedule_state_load(other, bytes, size, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_schedule_state_load(state, bytes, size - 1, &error), FF_ERROR_INPUT);
    for (size_t i = 0; i < 48; i++) {
        bytes[i] ^= 0x5A;
        assert_int_equal(ff_schedule_state_load(state, bytes, size, &error), FF_ERROR_INPUT);
        bytes[i] ^= 0x5A;
    }
    free(bytes);

    float latents[5] = {0}, noise_pred[5] = {0};
    const ff_kernels *kernels = ff_kernels_scalar();
    assert_ok(ff_schedule_step(schedule, state, kernels, 3, noise_pred, latents, &error), &error);
    assert_int_equal(ff_schedule_step(schedule, state, kernels, 5, noise_pred, latents, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_schedule_step(schedule, state, kernels, 7, noise_pred, latents, &error), FF_ERROR_INPUT);
    ff_schedule_state_destroy(state);
    ff_schedule_state_destroy(other);
    ff_schedule_destroy(schedule);
    ff_schedule_destroy(longer);
}

static void assert_refused(const char *config_name, ff_scheduler kind, double shift, size_t steps)
{
    ff_error error = {0};
    ff_config *config = open_config(config_name);
    ff_schedule *schedule;
    assert_int_equal(ff_schedule_create(config, kind, shift, steps, &schedule, &error), FF_ERROR_INPUT);
    assert_null(schedule);
    print_message("%s\n", error.message);
    ff_config_close(config);
}

static void test_what_is_not_supported_is_refused_with_a_sentence(void **context)
{
    const char *const names[] = {"refused/karras", "refused/epsilon", "refused/data_prediction_off", "refused/order_9",
                                 "refused/no_limit", "refused/dynamic", "refused/other"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_refused(names[i], FF_SCHEDULER_MODEL, NAN, 10);
    assert_refused("unipc", FF_SCHEDULER_MODEL, 0, 10);
    assert_refused("unipc", FF_SCHEDULER_MODEL, INFINITY, 10);
    assert_refused("unipc", FF_SCHEDULER_MODEL, 1e9, 10);
    assert_refused("unipc", FF_SCHEDULER_MODEL, NAN, 0);
    assert_refused("euler", FF_SCHEDULER_MODEL, NAN, FF_MOST_STEPS + 1);
}

// Another class still tells its shift; the rest is as Wan publishes it.
static void test_an_override_takes_the_shift_from_the_config(void **context)
{
    ff_schedule *schedule = create("refused/other", FF_SCHEDULER_UNIPC, NAN, 4);
    assert_true(ff_schedule_flow_shift(schedule) == 3);
    ff_schedule_destroy(schedule);
    schedule = create("euler", FF_SCHEDULER_UNIPC, NAN, 4);
    assert_true(ff_schedule_flow_shift(schedule) == 5);
    ff_schedule_destroy(schedule);
    schedule = create("unipc", FF_SCHEDULER_EULER, NAN, 4);
    assert_true(ff_schedule_flow_shift(schedule) == 5);
    ff_schedule_destroy(schedule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noise_levels_and_timesteps_are_diffusers_own),
        cmocka_unit_test(test_trajectories_stay_with_diffusers_at_every_step),
        cmocka_unit_test(test_a_run_from_a_noised_original_starts_midway),
        cmocka_unit_test(test_strength_chooses_the_first_step),
        cmocka_unit_test(test_every_step_count_ends_finite_for_usual_shifts),
        cmocka_unit_test(test_a_saved_state_goes_on_to_the_same_bits),
        cmocka_unit_test(test_a_foreign_or_broken_state_is_refused),
        cmocka_unit_test(test_what_is_not_supported_is_refused_with_a_sentence),
        cmocka_unit_test(test_an_override_takes_the_shift_from_the_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
