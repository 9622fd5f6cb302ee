// How fast this machine computes: what --estimate turns operations into seconds with.
#include <stdlib.h>

#include "kernels/kernels.h"
#include "pipeline/threads.h"
#include "base/system.h"
#include "bench.h"

#define LEAST_SECONDS 0.15
#define TOKENS 448
#define DIM 256
#define FFN 1024
#define SIDE 64
#define CHANNELS 32

// GFLOP/s of a linear layer of a small transformer.   x: [TOKENS, DIM]   weight: [FFN, DIM]   out: [TOKENS, FFN]
static ff_status time_matmul(const ff_kernels *kernels, const float *x, const float *weight, float *out, double *speed)
{
    const ff_matmul product = {
        .rows = TOKENS, .columns = FFN, .depth = DIM, .a = x, .a_stride = DIM, .b = {.data = weight, .dtype = FF_F32},
        .out = out, .out_stride = FFN,
    };
    double begun = ff_seconds(), seconds, work = 0;
    do {
        if (kernels->matmul(kernels, &product))
            return FF_ERROR_MEMORY;
        work += 2e-9 * TOKENS * FFN * DIM;
        seconds = ff_seconds() - begun;
    } while (seconds < LEAST_SECONDS);
    *speed = work / seconds;
    return FF_OK;
}

// GFLOP/s of a causal 3x3x3 convolution of a small decoder.
//   frame: [SIDE, SIDE, CHANNELS]   weight: [CHANNELS, CHANNELS, 3, 3, 3]   out: [SIDE, SIDE, CHANNELS]
static ff_status time_convolution(const ff_kernels *kernels, const float *frame, const float *weight, float *out,
                                  double *speed)
{
    const float *const frames[3] = {frame, frame, frame};
    const ff_convolution convolution = {
        .in_channels = CHANNELS, .in_height = SIDE, .in_width = SIDE,
        .out_channels = CHANNELS, .out_frames = 1, .out_height = SIDE, .out_width = SIDE,
        .kernel_t = 3, .kernel_h = 3, .kernel_w = 3, .stride_t = 1, .stride_h = 1, .stride_w = 1,
        .pad_top = 1, .pad_left = 1, .frames = frames, .weight = {.data = weight, .dtype = FF_F32}, .out = out,
    };
    double begun = ff_seconds(), seconds, work = 0;
    do {
        if (kernels->convolution(kernels, &convolution))
            return FF_ERROR_MEMORY;
        work += 2e-9 * SIDE * SIDE * CHANNELS * CHANNELS * 27;
        seconds = ff_seconds() - begun;
    } while (seconds < LEAST_SECONDS);
    *speed = work / seconds;
    return FF_OK;
}

typedef struct measurement {
    ff_kernels kernels;
    float *in, *weight, *result;
    ff_speed *out;
} measurement;

static ff_status measure(void *user)
{
    const measurement *m = user;
    ff_status status = time_matmul(&m->kernels, m->in, m->weight, m->result, &m->out->matmul);
    return status ? status : time_convolution(&m->kernels, m->in, m->weight, m->result, &m->out->convolution);
}

ff_status ff_measure_speed(size_t threads, ff_isa isa, ff_backend backend, ff_speed *out, ff_error *error)
{
    size_t in_count = TOKENS * DIM + SIDE * SIDE * CHANNELS, weight_count = FFN * DIM, out_count = TOKENS * FFN;
    ff_scratch scratch = {0};  // as in a run; fresh memory for each product halves the speed
    ff_error own = {.message = "no memory to measure the speed"};
    measurement m = {.out = out};
    ff_status status = ff_kernels_choose(isa, backend, &m.kernels, error);
    if (status)
        return status;
    m.kernels.scratch = &scratch;
    m.in = calloc(in_count + weight_count + out_count, sizeof *m.in);
    if (!m.in)
        return ff_fail(error, FF_ERROR_MEMORY, "%s", own.message);
    m.weight = m.in + in_count;
    m.result = m.weight + weight_count;
    for (size_t i = 0; i < in_count + weight_count; i++)
        m.in[i] = (float)(i % 251) / 251.0f - 0.5f;
    status = ff_with_threads(threads, measure, &m, &own);
    ff_scratch_free(&scratch);
    free(m.in);
    return status ? ff_fail(error, status, "%s", own.message) : FF_OK;
}
