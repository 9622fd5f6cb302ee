// The scalar kernels: the arithmetic contract in plain loops. Compiled three times from this source: with the CPU's
// fused multiply-add (FF_BUILD = fma) and with libm's correctly rounded fmaf (FF_BUILD = libm), which give the same
// bits; and in double inside each kernel (FF_BUILD = f64 with FF_DOUBLE), where a result is rounded once, when it is
// stored: the measure for what the arithmetic of single precision costs.
//
// Products handle LANES outputs side by side, each its own chain: the b operand of LANES outputs is copied so that
// element k of all of them lies together, then k runs upward once.
#include "kernels.h"
#include "moves.h"
#include "real.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define LANES 16
#define ALONE 4096  // work that one thread does faster than several agree to share: elements, or thousands of products
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME_(text) #text
#define NAME(text) NAME_(text)

// acc[lane] = fma(a[k], b[k][lane], acc[lane]) for k ascending.   a: [depth]   b: [depth, LANES]
static void continue_chains(size_t depth, const float *restrict a, const real *restrict b, real acc[restrict LANES])
{
    for (size_t k = 0; k < depth; k++)
        for (size_t lane = 0; lane < LANES; lane++)
            acc[lane] = fused(a[k], b[k * LANES + lane], acc[lane]);
}

static const float *group_vector(ff_groups groups, size_t row, const float *vectors)
{
    return groups.group ? vectors + groups.group[row] * groups.stride : vectors;
}

static real gelu_tanh_of(real x)
{
    const real root = (real)0.7978845608028654;  // sqrt(2 / pi)
    real cube = x * x * x;
    return (real)0.5 * x * (1 + tanh_of(root * (x + (real)0.044715 * cube)));
}

static void store_lanes(const real acc[LANES], const float *bias, size_t first, size_t count, float *out)
{
    for (size_t lane = 0; lane < count; lane++)
        out[lane] = (float)(bias ? acc[lane] + bias[first + lane] : acc[lane]);
}

// y is a chain plus bias.
static void finish(const ff_matmul *p, size_t row, size_t column, real y, float *out)
{
    switch (p->finish) {
    case FF_FINISH_STORE: *out = (float)y; break;
    case FF_FINISH_GELU_TANH: *out = (float)gelu_tanh_of(y); break;
    case FF_FINISH_ADD: *out = (float)(*out + y); break;
    case FF_FINISH_ADD_GATED: *out = (float)(*out + y * group_vector(p->groups, row, p->gate)[column]); break;
    }
}

static float widen(const void *data, ff_dtype dtype, size_t i)
{
    if (dtype == FF_F32)
        return ((const float *)data)[i];
    uint16_t bits = ((const uint16_t *)data)[i];
    return dtype == FF_BF16 ? ff_widen_bf16(bits) : ff_widen_f16(bits);
}

// The numbers in `panels` panels of [depth, LANES]; SIZE_MAX, which no memory holds, if they do not fit.
static size_t panel_numbers(size_t panels, size_t depth)
{
    size_t count;
    return ff_multiply_sizes(panels, depth, &count) && ff_multiply_sizes(count, LANES, &count) ? count : SIZE_MAX;
}

// Room for a + b + c numbers, or NULL.
static real *take(ff_scratch *scratch, size_t a, size_t b, size_t c)
{
    size_t count, bytes;
    if (!ff_add_sizes(a, b, &count) || !ff_add_sizes(count, c, &count) ||
        !ff_multiply_sizes(count ? count : 1, sizeof(real), &bytes))
        return NULL;
    return ff_scratch_take(scratch, bytes);
}

// ---- matrix product ----

static ff_status matmul(const ff_kernels *kernels, const ff_matmul *p)
{
    if (p->rows == 0 || p->columns == 0)
        return FF_OK;
    size_t panels = (p->columns - 1) / LANES + 1, depth = p->depth;
    ff_scratch own = {0};
    real *packed = take(kernels->scratch ? kernels->scratch : &own, panel_numbers(panels, depth), 0, 0);
    if (!packed)
        return FF_ERROR_MEMORY;
#pragma omp parallel if (p->rows * p->columns / 1000 * depth > ALONE)
    {
#pragma omp for
        for (size_t panel = 0; panel < panels; panel++) {
            real *to = packed + panel * depth * LANES;
            for (size_t lane = 0; lane < LANES; lane++) {
                size_t column = panel * LANES + lane;
                for (size_t k = 0; k < depth; k++)
                    to[k * LANES + lane] = column < p->columns ? widen(p->b, p->b_dtype, column * depth + k) : 0.0f;
            }
        }
#pragma omp for collapse(2)
        for (size_t panel = 0; panel < panels; panel++)
            for (size_t row = 0; row < p->rows; row++) {
                real acc[LANES] = {0};
                size_t first = panel * LANES;
                float *out = p->out + row * p->out_stride + first;
                continue_chains(depth, p->a + row * p->a_stride, packed + panel * depth * LANES, acc);
                size_t count = ff_smaller(LANES, p->columns - first);
                for (size_t lane = 0; lane < count; lane++)
                    finish(p, row, first + lane, p->bias ? acc[lane] + p->bias[first + lane] : acc[lane], out + lane);
            }
    }
    ff_scratch_free(&own);
    return FF_OK;
}

// ---- convolution ----

// One output pixel of one panel: the chain over taps (kt, kh, kw), input channels innermost.
static void convolve_pixel(const ff_convolution *p, size_t t, size_t y, size_t x, const real *panel,
                           const float *zeros, real acc[LANES])
{
    size_t channels = p->in_channels;
    for (size_t kt = 0; kt < p->kernel_t; kt++) {
        const float *frame = p->frames[t * p->stride_t + kt];
        for (size_t kh = 0; kh < p->kernel_h; kh++) {
            size_t row = y * p->stride_h + kh - p->pad_top;        // wraps to a huge value above the picture
            for (size_t kw = 0; kw < p->kernel_w; kw++) {
                size_t column = x * p->stride_w + kw - p->pad_left;
                bool inside = frame && row < p->in_height && column < p->in_width;
                const float *input = inside ? frame + (row * p->in_width + column) * channels : zeros;
                continue_chains(channels, input, panel, acc);
                panel += channels * LANES;
            }
        }
    }
}

static ff_status convolution(const ff_kernels *kernels, const ff_convolution *p)
{
    if (p->out_channels == 0 || p->out_frames == 0 || p->out_height == 0 || p->out_width == 0)
        return FF_OK;
    size_t panels = (p->out_channels - 1) / LANES + 1, channels = p->in_channels;
    size_t taps = p->kernel_t * p->kernel_h * p->kernel_w, depth = taps * channels;
    size_t packed_numbers = panel_numbers(panels, depth);
    ff_scratch own = {0};
    real *packed = take(kernels->scratch ? kernels->scratch : &own, packed_numbers, channels, 0);
    if (!packed)
        return FF_ERROR_MEMORY;
    float *zeros = memset(packed + packed_numbers, 0, channels * sizeof *zeros);
#pragma omp parallel if (p->out_frames * p->out_height * p->out_width * p->out_channels / 1000 * depth > ALONE)
    {
        // from [out, in, taps] to panels of [taps, in, LANES]
#pragma omp for
        for (size_t panel = 0; panel < panels; panel++) {
            real *to = packed + panel * depth * LANES;
            for (size_t tap = 0; tap < taps; tap++)
                for (size_t channel = 0; channel < channels; channel++)
                    for (size_t lane = 0; lane < LANES; lane++) {
                        size_t out = panel * LANES + lane;
                        *to++ = out < p->out_channels
                                    ? widen(p->weight, p->weight_dtype, (out * channels + channel) * taps + tap)
                                    : 0.0f;
                    }
        }
#pragma omp for collapse(3)
        for (size_t t = 0; t < p->out_frames; t++)
            for (size_t y = 0; y < p->out_height; y++)
                for (size_t panel = 0; panel < panels; panel++)
                    for (size_t x = 0; x < p->out_width; x++) {
                        real acc[LANES] = {0};
                        size_t pixel = (t * p->out_height + y) * p->out_width + x, first = panel * LANES;
                        convolve_pixel(p, t, y, x, packed + panel * depth * LANES, zeros, acc);
                        store_lanes(acc, p->bias, first, ff_smaller(LANES, p->out_channels - first),
                                    p->out + pixel * p->out_channels + first);
                    }
    }
    ff_scratch_free(&own);
    return FF_OK;
}

// ---- attention ----

static real fold_lanes(real lanes[LANES])
{
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t lane = 0; lane < half; lane++)
            lanes[lane] = lanes[lane] + lanes[lane + half];
    return lanes[0];
}

// s -> exp(s - max) in place; returns the lane sum.
static real exponentials(size_t n, real *s)
{
    real most = -INFINITY, lanes[LANES] = {0};
    for (size_t j = 0; j < n; j++)
        most = s[j] > most ? s[j] : most;
    for (size_t j = 0; j < n; j++)
        s[j] = exp_of(s[j] - most);
    for (size_t j = 0; j < n; j++)
        lanes[j % LANES] = lanes[j % LANES] + s[j];
    return fold_lanes(lanes);
}

// acc[lane] = fma(weights[k], values[k][lane], acc[lane]) for k ascending.   values: [keys, LANES]
static void weigh_values(size_t keys, const real *restrict weights, const real *restrict values,
                         real acc[restrict LANES])
{
    for (size_t k = 0; k < keys; k++)
        for (size_t lane = 0; lane < LANES; lane++)
            acc[lane] = fused(weights[k], values[k * LANES + lane], acc[lane]);
}

// One query of one head.
//   keys: panels of [head_dim, LANES]   values: panels of [keys, LANES]   s: [key panels * LANES]
static void attend(const ff_attention *p, size_t head, size_t query, const real *keys, const real *values, real *s)
{
    const float *q = p->q + query * p->q_stride + head * p->head_dim;
    const float *bias = p->bias ? p->bias + (head * p->queries + query) * p->keys : NULL;
    float *out = p->out + (query * p->heads + head) * p->head_dim;
    for (size_t first = 0; first < p->keys; first += LANES) {
        real acc[LANES] = {0};
        continue_chains(p->head_dim, q, keys + first * p->head_dim, acc);
        for (size_t lane = 0; lane < LANES; lane++)
            s[first + lane] = acc[lane] * p->scale;
    }
    for (size_t j = 0; bias && j < p->keys; j++)
        s[j] = s[j] + bias[j];
    real sum = exponentials(p->keys, s);
    for (size_t first = 0; first < p->head_dim; first += LANES) {
        real acc[LANES] = {0};
        weigh_values(p->keys, s, values + first * p->keys, acc);
        for (size_t lane = 0; lane < ff_smaller(LANES, p->head_dim - first); lane++)
            out[first + lane] = (float)(acc[lane] / sum);
    }
}

static ff_status attention(const ff_kernels *kernels, const ff_attention *p)
{
    if (p->queries == 0 || p->keys == 0 || p->heads == 0 || p->head_dim == 0)
        return FF_OK;
    size_t key_panels = (p->keys - 1) / LANES + 1, value_panels = (p->head_dim - 1) / LANES + 1;
    size_t key_numbers = panel_numbers(key_panels, p->head_dim), value_numbers = panel_numbers(value_panels, p->keys);
    size_t score_numbers = panel_numbers(key_panels, 1);  // of one query; each thread is at one
    ff_scratch own = {0};
    real *keys = take(kernels->scratch ? kernels->scratch : &own, key_numbers, value_numbers,
                      panel_numbers(key_panels, (size_t)omp_get_max_threads()));
    if (!keys)
        return FF_ERROR_MEMORY;
    real *values = keys + key_numbers, *scores = values + value_numbers;
    for (size_t head = 0; head < p->heads; head++) {
        const float *k = p->k + head * p->head_dim, *v = p->v + head * p->head_dim;
#pragma omp parallel if (p->queries * p->keys / 1000 * p->head_dim > ALONE)
        {
            real *s = scores + (size_t)omp_get_thread_num() * score_numbers;
#pragma omp for
            for (size_t panel = 0; panel < key_panels; panel++)
                for (size_t d = 0; d < p->head_dim; d++)
                    for (size_t lane = 0; lane < LANES; lane++) {
                        size_t key = panel * LANES + lane;
                        real *to = keys + (panel * p->head_dim + d) * LANES + lane;
                        *to = key < p->keys ? k[key * p->k_stride + d] : 0.0f;
                    }
#pragma omp for
            for (size_t panel = 0; panel < value_panels; panel++)
                for (size_t key = 0; key < p->keys; key++)
                    for (size_t lane = 0; lane < LANES; lane++) {
                        size_t d = panel * LANES + lane;
                        real *to = values + (panel * p->keys + key) * LANES + lane;
                        *to = d < p->head_dim ? v[key * p->v_stride + d] : 0.0f;
                    }
#pragma omp for
            for (size_t query = 0; query < p->queries; query++)
                attend(p, head, query, keys, values, s);
        }
    }
    ff_scratch_free(&own);
    return FF_OK;
}

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
    .matmul = matmul,
    .convolution = convolution,
    .attention = attention,
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
