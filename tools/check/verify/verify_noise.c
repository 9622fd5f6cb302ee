// Seed to noise. Another program's noise is the most usual difference of all, and no mistake of its network.
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "kernels/mathematics.h"
#include "sampler/noise.h"
#include "verify_parts.h"

// ---- a GPU's noise ----

static void multiply_wide(uint32_t a, uint32_t b, uint32_t *high, uint32_t *low)
{
    uint64_t product = (uint64_t)a * b;
    *high = (uint32_t)(product >> 32);
    *low = (uint32_t)product;
}

// Philox 4x32-10 (Salmon et al., 2011) and Box-Muller as torch's CUDA generator uses them: a counter for each value.
static float philox_normal(uint64_t seed, uint32_t index)
{
    uint32_t counter[4] = {0, 0, index, 0}, key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (int round = 0; round < 10; round++) {
        uint32_t high0, low0, high1, low1;
        multiply_wide(0xD2511F53u, counter[0], &high0, &low0);
        multiply_wide(0xCD9E8D57u, counter[2], &high1, &low1);
        uint32_t first = high1 ^ counter[1] ^ key[0], third = high0 ^ counter[3] ^ key[1];
        counter[0] = first, counter[1] = low1, counter[2] = third, counter[3] = low0;
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    double u = (counter[0] + 0.5) * 0x1p-32, angle = (counter[1] + 0.5) * 0x1p-32 * 6.283185307179586;
    return (float)(sqrt(-2 * ff_log(u)) * ff_sin(angle));
}

// ---- explanations ----

// The orders in which the four axes may be drawn.
static const int orders[24][4] = {
    {0, 1, 2, 3}, {0, 1, 3, 2}, {0, 2, 1, 3}, {0, 2, 3, 1}, {0, 3, 1, 2}, {0, 3, 2, 1}, {1, 0, 2, 3}, {1, 0, 3, 2},
    {1, 2, 0, 3}, {1, 2, 3, 0}, {1, 3, 0, 2}, {1, 3, 2, 0}, {2, 0, 1, 3}, {2, 0, 3, 1}, {2, 1, 0, 3}, {2, 1, 3, 0},
    {2, 3, 0, 1}, {2, 3, 1, 0}, {3, 0, 1, 2}, {3, 0, 2, 1}, {3, 1, 0, 2}, {3, 1, 2, 0}, {3, 2, 0, 1}, {3, 2, 1, 0}};
static const uint64_t other_seeds[] = {0, 1, 42, 123, 1234, 1024, 2024, 1337};

enum { OTHER_SEEDS = sizeof other_seeds / sizeof *other_seeds };

// drawn: values in the order of shape's axes permuted   out: [shape]
static void arrange(const size_t shape[4], const int order[4], const float *drawn, float *out)
{
    size_t index[4];
    for (index[0] = 0; index[0] < shape[0]; index[0]++)
        for (index[1] = 0; index[1] < shape[1]; index[1]++)
            for (index[2] = 0; index[2] < shape[2]; index[2]++)
                for (index[3] = 0; index[3] < shape[3]; index[3]++) {
                    size_t at = 0;
                    for (int axis = 0; axis < 4; axis++)
                        at = at * shape[order[axis]] + index[order[axis]];
                    *out++ = drawn[at];
                }
}

// One frame after the other from one generator.
static void draw_by_frame(uint64_t seed, const size_t shape[4], float *room, float *out)
{
    ff_generator generator;
    size_t cells = shape[2] * shape[3];
    ff_generator_seed(&generator, seed);
    for (size_t frame = 0; frame < shape[1]; frame++) {
        ff_generator_normal(&generator, shape[0] * cells, room);
        for (size_t c = 0; c < shape[0]; c++)
            for (size_t i = 0; i < cells; i++)
                out[(c * shape[1] + frame) * cells + i] = room[c * cells + i];
    }
}

static void explain_noise(uint64_t seed, const size_t shape[4], size_t n, const float *ours, const float *dumped,
                          float *room, float *tried, ff_stage_finding *finding)
{
    char *cause = finding->cause;
    size_t capacity = sizeof finding->cause;
    const double near = 1e-2;  // of a random other draw it would be 1.4
    double along = 0, size = 0, mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++) {
        along += (double)ours[i] * dumped[i];
        size += (double)ours[i] * ours[i];
        mean += dumped[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++)
        variance += (dumped[i] - mean) * (dumped[i] - mean) / (double)n;
    double factor = along / size;
    for (size_t i = 0; i < n; i++)
        tried[i] = (float)(factor * ours[i]);
    if (fabs(factor) > 1e-3 && ff_relative_distance(dumped, tried, n) < near) {
        snprintf(cause, capacity, "the noise is multiplied by %.4g", factor);
        return;
    }
    for (int i = 1; i < 24; i++) {
        arrange(shape, orders[i], ours, tried);
        if (ff_relative_distance(dumped, tried, n) < near) {
            static const char *const axes[] = {"channels", "frames", "rows", "columns"};
            snprintf(cause, capacity, "the noise is drawn in another layout: %s, %s, %s, %s", axes[orders[i][0]],
                     axes[orders[i][1]], axes[orders[i][2]], axes[orders[i][3]]);
            return;
        }
    }
    draw_by_frame(seed, shape, room, tried);
    if (ff_relative_distance(dumped, tried, n) < near) {
        snprintf(cause, capacity, "the noise is drawn frame by frame, not at once");
        return;
    }
    for (size_t i = 0; i < n; i++)
        tried[i] = philox_normal(seed, (uint32_t)i);
    if (ff_relative_distance(dumped, tried, n) < near) {
        snprintf(cause, capacity, "another program's noise: a GPU's generator (Philox) with this seed, not the CPU's");
        return;
    }
    for (size_t i = 0; i < OTHER_SEEDS + 2; i++) {
        uint64_t other = i < OTHER_SEEDS ? other_seeds[i] : i == OTHER_SEEDS ? seed + 1 : seed - 1;
        ff_noise_normal(other, n, tried);
        if (ff_relative_distance(dumped, tried, n) < near) {
            snprintf(cause, capacity, "the noise of seed %llu, the metadata says %llu", (unsigned long long)other,
                     (unsigned long long)seed);
            return;
        }
    }
    if (!isfinite(mean + variance)) {
        snprintf(finding->where, sizeof finding->where, "it holds values that are not finite");
        return;
    }
    double deviation = 1 / sqrt((double)n);
    bool normal = fabs(mean) < 6 * deviation && fabs(variance - 1) < 9 * deviation;
    if (normal)
        snprintf(cause, capacity, "another program's noise: normal values, but not those of torch's CPU generator "
                 "with this seed");
    else
        snprintf(finding->where, sizeof finding->where, "its mean is %.3g and its variance %.3g; noise has 0 and 1",
                 mean, variance);
}

ff_status ff_verify_noise(ff_verifier *v)
{
    ff_stage_finding *finding = ff_finding_of(&v->findings, "noise");
    const ff_verify_dump *dump = &v->dump;
    size_t shape[4] = {v->model->facts.latent_channels, dump->frames, dump->height, dump->width};
    ff_precision precision = FF_SINGLE;
    float *noise;
    ff_status status = ff_verify_dump_floats(dump, "noise", 4, shape, &noise, &precision, v->error);
    if (status || !noise || !dump->seed_given) {
        if (!status)
            ff_finding_missing(finding, noise ? "the metadata's seed" : "noise");
        free(noise);
        return status;
    }
    size_t n = shape[0] * shape[1] * shape[2] * shape[3];
    float *ours = malloc(n * sizeof *ours), *room = malloc(n * sizeof *room), *tried = malloc(n * sizeof *tried);
    if (!ours || !room || !tried) {
        status = ff_fail(v->error, FF_ERROR_MEMORY, "not enough memory for the noise");
    } else {
        // torch's own noise differs from ours by up to 1e-6
        static const double limits[] = {[FF_SINGLE] = 1e-6, [FF_BFLOAT] = 0x1p-8, [FF_HALF] = 0x1p-11};
        ff_noise_normal(dump->seed, n, ours);
        double error = ff_relative_distance(noise, ours, n);
        if (ff_floats_equal(noise, ours, n))
            ff_finding_add(finding, FF_EQUAL, "noise", 0, 0);
        else if (error <= limits[precision])
            ff_finding_add(finding, FF_ROUNDING, "noise", error, limits[precision]);
        else if (ff_finding_add(finding, FF_FAULT, "noise", error, limits[precision]))
            explain_noise(dump->seed, shape, n, ours, noise, room, tried, finding);
    }
    free(ours);
    free(room);
    free(tried);
    free(noise);
    return status;
}
