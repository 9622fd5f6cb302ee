// The caller's floating-point environment and OpenMP settings do not reach the arithmetic of any entry of the library,
// and are as they were afterwards; and no entry takes more threads than there may be. The model is
// golden/diffusers/models/tiny-ti2v.
#include <fenv.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "figures.h"
#include "golden.h"
#include "check/bench/bench.h"
#include "image/fit.h"
#include "check/diff/diff.h"
#include "check/diff/picture.h"
#include "check/verify/verify.h"

#define MODEL FF_GOLDEN "/diffusers/models/tiny-ti2v"
#define POOL 4
#define TOO_MANY 200000
#define WIDE 128  // work for more than one thread
#define HIGH 96

static uint8_t pixels[3 * 40 * 24], others[3 * 40 * 24];
static const ff_image still = {40, 24, pixels}, other = {40, 24, others};
static char folder[] = "/tmp/ff-environment-XXXXXX", dump[64], later_dump[64];
static ff_model *model;

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

static ff_request small_request(size_t threads)
{
    ff_request request = ff_request_default(FF_IMAGE_TO_VIDEO);
    request.prompt = "slow push-in camera";
    request.image = &still;
    request.width = 48;
    request.height = 32;
    request.frames = 5;
    request.steps = 3;
    request.threads = threads;
    return request;
}

// Opens the model and runs it: all that a program does with the library.
static ff_status whole_run(size_t threads, uint8_t sha256[32], ff_error *error)
{
    ff_model *own;
    ff_result result = {0};
    ff_request request = small_request(threads);
    ff_status status = ff_model_open(MODEL, &own, error);
    if (status)
        return status;
    status = ff_run(own, &request, &result, error);
    ff_model_close(own);
    memcpy(sha256, result.frames_sha256, 32);
    return status;
}

// ---- the entries; each hashes what it gives ----

static ff_status hash_tensor(void *user, const char *name, int rank, const size_t *shape, const float *data,
                             ff_error *error)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    ff_sha256_add(user, data, count * sizeof *data);
    return FF_OK;
}

static ff_status run(size_t threads, ff_sha256 *hash, ff_error *error)
{
    ff_request request = small_request(threads);
    request.width = WIDE;
    request.height = HIGH;
    request.user = hash;
    request.tensor = hash_tensor;
    return ff_run(model, &request, NULL, error);
}

static ff_status plan(size_t threads, ff_sha256 *hash, ff_error *error)
{
    ff_plan plan = {0};
    ff_request request = small_request(threads);
    ff_status status = ff_plan_request(model, &request, &plan, error);
    ff_sha256_add(hash, &plan.gflop_denoise, sizeof plan.gflop_denoise);
    ff_sha256_add(hash, &plan.flow_shift, sizeof plan.flow_shift);
    ff_sha256_add(hash, &plan.cropped, sizeof plan.cropped);
    return status;
}

#define LATENTS (48 * 2 * 6 * 8)  // more than any of tiny-ti2v's

static ff_status encode(size_t threads, ff_sha256 *hash, ff_error *error)
{
    static uint8_t rgb[3 * WIDE * HIGH];
    static float latents[LATENTS];
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 37 % 251);
    ff_status status = ff_encode_image(model, &(ff_image){WIDE, HIGH, rgb}, 5, threads, latents, error);
    ff_sha256_add(hash, latents, sizeof latents);
    return status;
}

static ff_status hash_frame(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    ff_sha256_add(user, rgb->rgb, 3 * rgb->width * rgb->height);
    return FF_OK;
}

static ff_status decode(size_t threads, ff_sha256 *hash, ff_error *error)
{
    static float latents[LATENTS];
    for (size_t i = 0; i < LATENTS; i++)
        latents[i] = (float)(i % 17) / 8 - 1;
    return ff_decode_latents(model, &(ff_latents){2, 6, 8, latents}, threads, hash, hash_frame, error);
}

static ff_status verify(size_t threads, ff_sha256 *hash, ff_error *error)
{
    ff_verification *found;
    ff_status status = ff_verify(model, dump, threads, &found, error);
    for (size_t i = 0; !status && i < found->count; i++) {
        const ff_stage_finding *stage = &found->stages[i];
        ff_sha256_add(hash, &stage->verdict, sizeof stage->verdict);
        ff_sha256_add(hash, &stage->error, sizeof stage->error);
        ff_sha256_add(hash, &stage->expected, sizeof stage->expected);
    }
    ff_verification_free(found);
    return status;
}

static ff_status bench(size_t threads, ff_sha256 *hash, ff_error *error)
{
    ff_bench_result result;
    const ff_bench_request request = {.width = 32, .height = 32, .frames = 1, .threads = threads,
                                      .stages = FF_BENCH_TRANSFORMER};
    ff_status status = ff_bench(model, &request, &result, error);
    for (size_t i = 0; !status && i < result.count; i++)
        ff_sha256_add(hash, &result.stages[i].gflop, sizeof result.stages[i].gflop);
    return status;
}

// Nothing is hashed: all that it gives are times.
static ff_status speed(size_t threads, ff_sha256 *hash, ff_error *error)
{
    ff_speed speed;
    return ff_measure_speed(threads, FF_ISA_AUTO, FF_BACKEND_OWN, &speed, error);
}

static ff_status diff(size_t threads, ff_sha256 *hash, ff_error *error)
{
    ff_tensors *a = NULL, *b = NULL;
    ff_diff rows = {0};
    ff_status status;
    if (!(status = ff_tensors_open(dump, NULL, &a, error)) && !(status = ff_tensors_open(later_dump, NULL, &b, error)))
        status = ff_diff_run(a, b, NULL, 0, NULL, NULL, &rows, error);
    for (size_t i = 0; i < rows.count; i++) {
        ff_sha256_add(hash, &rows.rows[i].distance.relative_l2, sizeof(double));
        ff_sha256_add(hash, &rows.rows[i].distance.cosine, sizeof(double));
        ff_sha256_add(hash, &rows.rows[i].distance.max_abs, sizeof(double));
    }
    ff_diff_free(&rows);
    ff_tensors_close(a);
    ff_tensors_close(b);
    return status;
}

static ff_status compare_pictures(size_t threads, ff_sha256 *hash, ff_error *error)
{
    ff_picture_distance distance = {0};
    ff_status status = ff_picture_compare(&still, &other, &distance, error);
    ff_sha256_add(hash, &distance.squared_error, sizeof distance.squared_error);
    ff_sha256_add(hash, &distance.ssim, sizeof distance.ssim);
    return status;
}

static ff_status fit(size_t threads, ff_sha256 *hash, ff_error *error)
{
    static uint8_t rgb[3 * 31 * 23];
    ff_image resized = {31, 23, rgb}, fitted = {0};
    double cropped = 0;
    size_t width, height;
    ff_status status = ff_image_resize(&still, &resized, error);
    ff_sha256_add(hash, rgb, sizeof rgb);
    for (int how = FF_FIT_COVER; !status && how <= FF_FIT_PAD; how++) {
        if (how == FF_FIT_CROP)
            continue;  // no arithmetic
        status = ff_fit_image(&still, (ff_fit)how, 37, 29, &fitted, &cropped, error);
        if (!status)
            ff_sha256_add(hash, fitted.rgb, 3 * 37 * 29);
        ff_sha256_add(hash, &cropped, sizeof cropped);
        free(fitted.rgb);
    }
    for (size_t side = 1; side < 4000; side += 7) {
        ff_fit_best_size(side, 1000, 704 * 1280, 32, 32, &width, &height);
        ff_sha256_add(hash, &width, sizeof width);
        ff_sha256_add(hash, &height, sizeof height);
    }
    return status;
}

static ff_status figures(size_t threads, ff_sha256 *hash, ff_error *error)
{
    return hash_figures(&still, &other, hash, error);
}

static const struct entry {
    const char *name;
    ff_status (*call)(size_t threads, ff_sha256 *hash, ff_error *error);
    bool threads;  // takes a number of them
} entries[] = {
    {"ff_run", run, true}, {"ff_plan_request", plan, true}, {"ff_encode_image", encode, true},
    {"ff_decode_latents", decode, true}, {"ff_verify", verify, true}, {"ff_bench", bench, true},
    {"ff_measure_speed", speed, true}, {"ff_diff_run", diff, false}, {"ff_picture_compare", compare_pictures, false},
    {"ff_image_resize and ff_fit_*", fit, false}, {"ff_clip_* and ff_colour_match", figures, false},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

static void call(const struct entry *entry, uint8_t sha256[32])
{
    ff_error error = {0};
    ff_sha256 hash;
    ff_sha256_start(&hash);
    ff_status status = entry->call(POOL, &hash, &error);
    ff_sha256_finish(&hash, sha256);
    assert_ok(status, &error);
}

static void test_the_callers_rounding_does_not_matter(void **state)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        uint8_t plain[32], awkward[32];
        call(&entries[i], plain);
        set_awkward_mode(true);
        size_t set = count_awkward_threads();
        call(&entries[i], awkward);
        size_t kept = count_awkward_threads();
        set_awkward_mode(false);
        if (set == 0 || kept != set)
            fail_msg("%s: of %zu threads %zu are as they were", entries[i].name, set, kept);
        if (memcmp(plain, awkward, 32) != 0)
            fail_msg("%s: the caller's rounding changes the result", entries[i].name);
    }
}

static void test_too_many_threads_are_refused_everywhere(void **state)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        ff_error error = {0};
        ff_sha256 hash;
        ff_sha256_start(&hash);
        if (!entries[i].threads)
            continue;
        ff_status status = entries[i].call(TOO_MANY, &hash, &error);
        if (status != FF_ERROR_INPUT || strcmp(error.message, "200000 threads are too many: at most 1024") != 0)
            fail_msg("%s: status %d, \"%s\"", entries[i].name, (int)status, error.message);
    }
    ff_error error = {0};
    assert_int_equal(ff_check_threads(TOO_MANY, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "200000 threads are too many: at most 1024");
    assert_ok(ff_check_threads(POOL, &error), &error);
}

static void test_openmps_settings_are_given_back(void **state)
{
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

// Two dumps to judge and to compare, of runs that differ in their seed.
static int set_up(void **state)
{
    ff_request request = small_request(POOL);
    request.width = WIDE;
    request.height = HIGH;
    if (!mkdtemp(folder) || ff_model_open(MODEL, &model, NULL))
        return 1;
    snprintf(dump, sizeof dump, "%s/a.safetensors", folder);
    snprintf(later_dump, sizeof later_dump, "%s/b.safetensors", folder);
    request.dump_detail = FF_DETAIL_BLOCK;
    request.dump_path = dump;
    if (ff_run(model, &request, NULL, NULL))
        return 1;
    request.seed = 1;
    request.dump_path = later_dump;
    return ff_run(model, &request, NULL, NULL) != FF_OK;
}

static int tear_down(void **state)
{
    ff_model_close(model);
    remove(dump);
    remove(later_dump);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_callers_rounding_does_not_matter),
        cmocka_unit_test(test_too_many_threads_are_refused_everywhere),
        cmocka_unit_test(test_openmps_settings_are_given_back),
        cmocka_unit_test(test_threads_may_run_models_of_their_own_side_by_side),
    };
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(i * 37 % 251);
        others[i] = (uint8_t)(i * i * 11 % 241);
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
