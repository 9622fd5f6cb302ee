// Noise against torch.randn (torch 2.13.0 on a CPU with AVX2): nowhere more than 1e-6 apart.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "golden.h"
#include "sampler/noise.h"

enum { MOST = 700 };

static void assert_noise(const ff_weights *golden, const char *name, const float *noise, size_t count, double *worst)
{
    size_t expected;
    const float *truth = golden_f32(golden, name, &expected);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)noise[i] - truth[i]);
        if (!(difference <= 1e-6))
            fail_msg("%s: value %zu is %.9g, expected %.9g", name, i, (double)noise[i], (double)truth[i]);
        if (difference > *worst)
            *worst = difference;
    }
}

static void test_noise_is_torch_randn_for_any_count_and_seed(void **context)
{
    const uint64_t seeds[] = {0, 1, 42, UINT64_MAX, (UINT64_C(1) << 32) + 5, UINT64_C(1) << 63, UINT64_MAX - 6};
    const size_t counts[] = {1, 2, 5, 15, 16, 17, 31, 32, 33, 100, MOST};
    ff_weights *golden = golden_open("diffusers/sampler/noise.safetensors");
    float noise[MOST];
    double worst = 0;
    for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            char name[64];
            snprintf(name, sizeof name, "%" PRIu64 ".%zu", seeds[s], counts[c]);
            ff_noise_normal(seeds[s], counts[c], noise);
            assert_noise(golden, name, noise, counts[c], &worst);
        }
    print_message("largest difference %.3g\n", worst);
    ff_weights_close(golden);
}

// The small draws keep a second value, which large draws in between leave alone.
static void test_several_draws_follow_each_other_as_in_torch(void **context)
{
    const size_t counts[] = {5, 20, 3, 16, 1};
    ff_weights *golden = golden_open("diffusers/sampler/noise.safetensors");
    ff_generator generator;
    ff_generator_seed(&generator, 3);
    float noise[MOST];
    double worst = 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char name[64];
        snprintf(name, sizeof name, "sequence.%zu", i);
        ff_generator_normal(&generator, counts[i], noise);
        assert_noise(golden, name, noise, counts[i], &worst);
    }
    ff_weights_close(golden);
}

static void test_only_the_low_32_bits_of_a_seed_count(void **context)
{
    float a[20], b[20];
    ff_noise_normal(5, 20, a);
    ff_noise_normal((UINT64_C(7) << 32) + 5, 20, b);
    assert_memory_equal(a, b, sizeof a);
}

static void test_drawing_nothing_changes_nothing(void **context)
{
    ff_generator generator, before;
    ff_generator_seed(&generator, 1);
    memcpy(&before, &generator, sizeof before);
    ff_generator_normal(&generator, 0, NULL);
    assert_memory_equal(&generator, &before, sizeof before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noise_is_torch_randn_for_any_count_and_seed),
        cmocka_unit_test(test_several_draws_follow_each_other_as_in_torch),
        cmocka_unit_test(test_only_the_low_32_bits_of_a_seed_count),
        cmocka_unit_test(test_drawing_nothing_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
