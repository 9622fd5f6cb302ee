// The scalar kernels: the arithmetic contract in plain loops. Compiled three times from these sources: with the CPU's
// fused multiply-add (FF_BUILD = fma) and with libm's correctly rounded fmaf (FF_BUILD = libm), which give the same
// bits; and in double inside each kernel (FF_BUILD = f64 with FF_DOUBLE), where a result is rounded once, when it is
// stored: the measure for what the arithmetic of single precision costs.
//
// Here are the norms, what works element by element, and the table; the products are in scalar_products.c.
#include "moves.h"
#include "scalar.h"

#define NAME_(text) #text
#define NAME(text) NAME_(text)

// ---- norms ----

static real lane_sum(size_t n, const float *x)
{
    real lanes[LANES] = {0};
    for (size_t j = 0; j < n; j++)
        lanes[j % LANES] = lanes[j % LANES] + x[j];
    return fold_lanes(lanes);
}

// Of the squares of x - mean.
static real lane_sum_of_squares(size_t n, const float *x, real mean)
{
    real lanes[LANES] = {0};
    for (size_t j = 0; j < n; j++) {
        real difference = x[j] - mean, square = difference * difference;
        lanes[j % LANES] = lanes[j % LANES] + square;
    }
    return fold_lanes(lanes);
}

// A row is normalised as (x - mean) / deviation, deviation = sqrt(var + eps).
static void measure_row(size_t n, const float *x, float eps, real *mean, real *deviation)
{
    *mean = lane_sum(n, x) / (real)n;
    *deviation = root_of(lane_sum_of_squares(n, x, *mean) / (real)n + eps);
}

static void layer_norm(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps,
                       const float *weight, const float *bias, float *out)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t row = 0; row < rows; row++) {
        const float *from = x + row * n;
        float *to = out + row * n;
        real mean, deviation;
        measure_row(n, from, eps, &mean, &deviation);
        for (size_t j = 0; j < n; j++) {
            real value = (from[j] - mean) / deviation;
            value = weight ? value * weight[j] : value;
            to[j] = (float)(bias ? value + bias[j] : value);
        }
    }
}

static void layer_norm_modulate(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps,
                                ff_modulation modulation, float *out)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t row = 0; row < rows; row++) {
        const float *scale = group_vector(modulation.groups, row, modulation.scale);
        const float *shift = group_vector(modulation.groups, row, modulation.shift);
        const float *from = x + row * n;
        float *to = out + row * n;
        real mean, deviation;
        measure_row(n, from, eps, &mean, &deviation);
        for (size_t j = 0; j < n; j++)
            to[j] = (float)((from[j] - mean) / deviation * ((real)1 + scale[j]) + shift[j]);
    }
}

static void rms_norm(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps, const float *weight,
                     float *out)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t row = 0; row < rows; row++) {
        const float *from = x + row * n;
        float *to = out + row * n;
        real root = root_of(lane_sum_of_squares(n, from, 0) / (real)n + eps);
        for (size_t j = 0; j < n; j++)
            to[j] = (float)(from[j] / root * weight[j]);
    }
}

static real silu_of(real x)
{
    return x / (1 + exp_of(-x));
}

static void channel_norm(const ff_kernels *kernels, size_t pixels, size_t n, const float *x, const float *gamma,
                         bool with_silu, float *out)
{
    real root_n = root_of((real)n);
#pragma omp parallel for if (pixels * n > ALONE)
    for (size_t pixel = 0; pixel < pixels; pixel++) {
        const float *from = x + pixel * n;
        float *to = out + pixel * n;
        real length = root_of(lane_sum_of_squares(n, from, 0));
        length = length < 1e-12f ? 1e-12f : length;  // a NaN stays
        for (size_t j = 0; j < n; j++) {
            real value = from[j] / length * root_n * gamma[j];
            to[j] = (float)(with_silu ? silu_of(value) : value);
        }
    }
}

// ---- elementwise ----

static void rotary(const ff_kernels *kernels, size_t rows, size_t heads, size_t head_dim, const float *angles, float *x)
{
#pragma omp parallel for if (rows * heads * head_dim > ALONE)
    for (size_t row = 0; row < rows; row++)
        for (size_t head = 0; head < heads; head++) {
            float *pairs = x + (row * heads + head) * head_dim;
            const float *angle = angles + row * head_dim;
            for (size_t j = 0; j + 1 < head_dim; j += 2) {
                real x0 = pairs[j], x1 = pairs[j + 1];
                pairs[j] = (float)(x0 * angle[j] - x1 * angle[j + 1]);
                pairs[j + 1] = (float)(x0 * angle[j + 1] + x1 * angle[j]);
            }
        }
}

static void add(const ff_kernels *kernels, size_t n, const float *a, const float *b, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

static void multiply(const ff_kernels *kernels, size_t n, const float *a, const float *b, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] * b[i];
}

static void silu(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        out[i] = (float)silu_of(x[i]);
}

static void gelu_tanh(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        out[i] = (float)gelu_tanh_of(x[i]);
}

static void gelu_erf(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
    const real root = (real)1.4142135623730951;  // sqrt(2)
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++) {
        real value = x[i];
        out[i] = (float)((real)0.5 * value * (1 + erf_of(value / root)));
    }
}

static void add_gated(const ff_kernels *kernels, size_t rows, size_t n, const float *y, ff_groups groups,
                      const float *gate, float *hidden)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t row = 0; row < rows; row++) {
        const float *row_gate = group_vector(groups, row, gate);
        for (size_t j = 0; j < n; j++)
            hidden[row * n + j] = (float)(hidden[row * n + j] + (real)y[row * n + j] * row_gate[j]);
    }
}

static void guidance(const ff_kernels *kernels, size_t n, const float *conditional, const float *unconditional,
                     float g, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(unconditional[i] + g * ((real)conditional[i] - unconditional[i]));
}

static void combine(const ff_kernels *kernels, size_t n, size_t terms, const float *const *x, const float *k,
                    float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++) {
        real sum = terms ? (real)k[0] * x[0][i] : 0;
        for (size_t term = 1; term < terms; term++)
            sum = sum + (real)k[term] * x[term][i];
        out[i] = (float)sum;
    }
}

// 96 chains: what hides the latency of twelve registers of eight.
static double multiply_adds(const ff_kernels *kernels, size_t rounds, float *sum)
{
    enum { CHAINS = 6 };
    real acc[CHAINS][LANES] = {{0}};
    for (size_t round = 0; round < rounds; round++)
        for (size_t chain = 0; chain < CHAINS; chain++)
            for (size_t lane = 0; lane < LANES; lane++)
                acc[chain][lane] = fused(acc[chain][lane], (real)0.5, 1);
    *sum = 0;
    for (size_t chain = 0; chain < CHAINS; chain++)
        *sum += (float)fold_lanes(acc[chain]);
    return 2.0 * CHAINS * LANES * (double)rounds;
}

static const ff_kernels table = {
    .name = PREFIX NAME(FF_BUILD),
    .matmul = ff_scalar_matmul,
    .convolution = ff_scalar_convolution,
    .attention = ff_scalar_attention,
    .layer_norm = layer_norm,
    .layer_norm_modulate = layer_norm_modulate,
    .rms_norm = rms_norm,
    .channel_norm = channel_norm,
    .rotary = rotary,
    .add = add,
    .multiply = multiply,
    .silu = silu,
    .gelu_tanh = gelu_tanh,
    .gelu_erf = gelu_erf,
    .add_gated = add_gated,
    .guidance = guidance,
    .combine = combine,
    .copy = ff_copy,
    .average_down = ff_average_frames_down,
    .repeat_up = ff_repeat_frame_up,
    .double_size = ff_double_frame,
    .multiply_adds = multiply_adds,
};

const ff_kernels *JOIN(ff_kernels_scalar_, FF_BUILD)(void);

const ff_kernels *JOIN(ff_kernels_scalar_, FF_BUILD)(void)
{
    return &table;
}
