// The caller's floating-point environment and OpenMP settings do not reach the arithmetic, and are as they were
// afterwards. The model is golden/diffusers/models/tiny-ti2v.
#include <fenv.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "golden.h"
#include "firstframe.h"

#define MODEL FF_GOLDEN "/diffusers/models/tiny-ti2v"
#define POOL 4

static uint8_t pixels[3 * 40 * 24];
static const ff_image still = {40, 24, pixels};

// On this thread: round upward, and on x86 flush subnormals to zero.
static void set_awkward_mode_here(bool awkward)
{
    fesetround(awkward ? FE_UPWARD : FE_TONEAREST);
#if defined(__x86_64__)
    unsigned flags = __builtin_ia32_stmxcsr() & ~0x8040u;
    __builtin_ia32_ldmxcsr(awkward ? flags | 0x8040u : flags);
#endif
}

// On every thread of the pool. LLVM's OpenMP gives the calling thread its mode back when a region ends, and hands that
// to the others when the next begins: so once more outside.
static void set_awkward_mode(bool awkward)
{
#pragma omp parallel num_threads(POOL)
    set_awkward_mode_here(awkward);
    set_awkward_mode_here(awkward);
}

static size_t count_awkward_threads(void)
{
    size_t count = 0;
#pragma omp parallel num_threads(POOL) reduction(+ : count)
    {
        bool awkward = fegetround() == FE_UPWARD;
#if defined(__x86_64__)
        awkward = awkward && (__builtin_ia32_stmxcsr() & 0x8040u) == 0x8040u;
#endif
        count += awkward;
    }
    return count;
}

// Opens the model and runs it: all that a program does with the library.
static ff_status whole_run(size_t threads, uint8_t sha256[32], ff_error *error)
{
    ff_model *model;
    ff_result result = {0};
    ff_request request = ff_request_default(FF_IMAGE_TO_VIDEO);
    request.prompt = "slow push-in camera";
    request.image = &still;
    request.width = 48;
    request.height = 32;
    request.frames = 5;
    request.steps = 3;
    request.threads = threads;
    ff_status status = ff_model_open(MODEL, &model, error);
    if (status)
        return status;
    status = ff_run(model, &request, &result, error);
    ff_model_close(model);
    memcpy(sha256, result.frames_sha256, 32);
    return status;
}

static void test_the_callers_rounding_does_not_matter(void **state)
{
    (void)state;
    ff_error error = {0};
    uint8_t plain[32], awkward[32];
    assert_ok(whole_run(POOL, plain, &error), &error);
    set_awkward_mode(true);
    size_t set = count_awkward_threads();
    ff_status status = whole_run(POOL, awkward, &error);
    size_t kept = count_awkward_threads();
    set_awkward_mode(false);
    assert_ok(status, &error);
    assert_memory_equal(plain, awkward, 32);
    assert_true(set > 0);
    assert_int_equal(kept, set);
}

static void test_openmps_settings_are_given_back(void **state)
{
    (void)state;
    ff_error error = {0};
    uint8_t hash[32];
    omp_set_num_threads(3);
    omp_set_dynamic(1);
    assert_ok(whole_run(2, hash, &error), &error);
    assert_int_equal(omp_get_max_threads(), 3);
    assert_true(omp_get_dynamic());
    omp_set_dynamic(0);
}

static void test_threads_may_run_models_of_their_own_side_by_side(void **state)
{
    (void)state;
    ff_error error = {0};
    uint8_t alone[32], together[2][32];
    ff_status status[2];
    assert_ok(whole_run(1, alone, &error), &error);
    for (int levels = 1; levels <= 2; levels++) {  // nested teams of one thread, then of two
        omp_set_max_active_levels(levels);
#pragma omp parallel for num_threads(2)
        for (int i = 0; i < 2; i++)
            status[i] = whole_run(2, together[i], NULL);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(status[i], FF_OK);
            assert_memory_equal(together[i], alone, 32);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_callers_rounding_does_not_matter),
        cmocka_unit_test(test_openmps_settings_are_given_back),
        cmocka_unit_test(test_threads_may_run_models_of_their_own_side_by_side),
    };
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37 % 251);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
